import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from seqem import CategoricalHMM
from seqem.catalog import VERBS
from seqem.cli import fit as fit_verb
from seqem.cli.app import main
from seqem.core.tree import tree_equal
from seqem.em.checkpoint import Checkpoint
from seqem.errors import DataError
from seqem.io.models import load, save

HEAVY = ("numba", "sklearn", "matplotlib", "pandas", "numpy", "scipy", "Bio", "rich")


@pytest.fixture(scope="module")
def files(tmp_path_factory, data):
    """A folder with a slice of the phage, the counts and rolls, and a model of each."""
    folder = tmp_path_factory.mktemp("cli")
    with gzip.open(data / "lambda_virus.fa.gz", "rt") as handle:
        letters = "".join(line.strip() for line in handle if not line.startswith(">"))
    (folder / "phage.fa").write_text(f">left arm\n{letters[18000:21000]}\n>right\n{letters[24000:26000]}\n")
    (folder / "bad.fa").write_text(">a\nAC!GT\n")
    for name in ("earthquakes.csv", "casino_rolls.csv"):
        (folder / name).write_bytes((data / name).read_bytes())
    assert main(["fit", "categorical-hmm", f"{folder}/phage.fa", "-k", "2", "-o", f"{folder}/dna.model"]) == 0
    assert (
        main(["fit", "poisson-hmm", f"{folder}/earthquakes.csv", *QUAKES, "-k", "3", "-o", f"{folder}/quakes.model"])
        == 0
    )
    return folder


QUAKES = ["--columns", "count"]


@pytest.fixture
def run(files, capsys):
    """Run a command on words in which @ is the folder; return code, output and complaints."""
    capsys.readouterr()

    def call(*words):
        code = main([str(word).replace("@", f"{files}/") for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def _lines(text):
    return [json.loads(line) for line in text.splitlines()]


# -- help, usage and the process itself --------------------------------------------------------------


def test_help_names_every_verb(run):
    code, out, _ = run("--help")
    assert code == 0
    assert all(f"  {name} " in out for name in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(run, verb):
    code, out, err = run(verb, "--help")
    assert code == 0
    assert out.startswith(f"Usage: seqem {verb}")
    assert err == ""


@pytest.mark.parametrize("words", [["--help"], *([verb, "--help"] for verb in VERBS)], ids=" ".join)
def test_help_loads_nothing_heavy(words):
    code = f"import sys; from seqem.cli.app import main; main({words}); print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["no-such-verb"],
        ["fit"],
        ["fit", "no-such-model", "@phage.fa", "-k", "2", "-o", "@x"],
        ["fit", "categorical-hmm", "@phage.fa", "-k", "0", "-o", "@x"],
        ["fit", "categorical-hmm", "@phage.fa", "-k", "2"],
        ["fit", "categorical-hmm", "@phage.fa", "-k", "2", "-o", "@no/such/folder/x"],
        ["fit", "categorical-hmm", "@phage.fa", "-k", "2", "-o", "-"],
        ["fit", "categorical-hmm", "@phage.fa", "-k", "2", "-o", "@x", "--covariance", "full"],
        ["fit", "gaussian-hmm", "@earthquakes.csv", "-k", "2", "-o", "@x", "--covariance", "round"],
        ["fit", "hmm", "@earthquakes.csv", "-k", "2", "-o", "@x"],
        ["fit", "hmm", "@earthquakes.csv", "-k", "2", "-o", "@x", "--emission", "poisson,no"],
        ["fit", "hmm", "@earthquakes.csv", "-k", "2", "-o", "@x", "--emission", "poisson", "--covariance", "full"],
        ["fit", "poisson-hmm", "@earthquakes.csv", "-k", "2", "-o", "@x", "--checkpoint", "@c", "--n-init", "2"],
        ["decode", "@dna.model", "@phage.fa", "--as", "picture"],
        ["decode", "@dna.model", "@phage.fa", "--only", "1"],
        ["decode", "@dna.model", "@phage.fa", "--as", "bed", "--only", "7"],
        ["decode", "@dna.model", "@phage.fa", "--names", "one"],
        ["select", "categorical-hmm", "@phage.fa", "--states", "3:1"],
        ["select", "categorical-hmm", "@phage.fa", "--states", "many"],
        ["plot", "@dna.model", "--what", "history", "-o", "@x.exe"],
        ["plot", "@dna.model", "--what", "posterior", "-o", "@x.png"],
        ["score", "@dna.model", "@phage.fa", "--format", "docx"],
    ],
)
def test_a_wrong_command_line_is_code_2_and_writes_nothing(run, files, words):
    before = sorted(files.iterdir())
    code, out, err = run(*words)
    assert code == 2
    assert "Usage" in out + err
    assert "Traceback" not in err
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["score", "@dna.model", "@missing.fa"], "missing.fa: cannot be opened"),
        (["score", "@dna.model", "@bad.fa"], "bad.fa, line 2: sequence 'a', column 3: letter '!'"),
        (["score", "@phage.fa", "@phage.fa"], "no model archive"),
        (["score", "@missing.model", "@phage.fa"], "missing.model: cannot be opened"),
        (["fit", "categorical-hmm", "@phage.fa", "@bad.fa", "-k", "2", "-o", "@x"], "bad.fa, line 2"),
        (["fit", "poisson-hmm", "@earthquakes.csv", "--columns", "depth", "-k", "2", "-o", "@x"], "no such column"),
        (["fit", "poisson-hmm", "@phage.fa", "--columns", "depth", "-k", "2", "-o", "@x"], "no such option"),
        (["decode", "@quakes.model", "@earthquakes.csv"], "number of features"),
        (["decode", "@dna.model", "@phage.fa", "--alphabet", "protein"], "not the alphabet of the model"),
        (["decode", "@dna.model", "@bad.fa", "--as", "gff3"], "bad.fa, line 2"),
        (["decode", "@dna.model", "@bad.fa", "@bad.fa", "-o", "@x.bed"], "none of the 2 inputs"),
        (
            ["plot", "@dna.model", "@phage.fa", "--what", "posterior", "-o", "@x.png", "--sequence", "x"],
            "no such sequence",
        ),
    ],
)
def test_bad_data_is_code_1_with_one_line_and_nothing_written(run, files, words, message):
    before = sorted(files.iterdir())
    code, out, err = run(*words)
    assert code == 1
    assert out == ""
    assert message in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("seqem: error: ")
    assert "Traceback" not in err
    assert sorted(files.iterdir()) == before


def test_debug_shows_the_traceback(run):
    with pytest.raises(DataError):
        run("--debug", "score", "@dna.model", "@bad.fa")
    with pytest.raises(DataError):
        run("score", "@dna.model", "@bad.fa", "--debug")


def test_an_error_that_nobody_foresaw_is_one_line_too(run, monkeypatch):
    def fail(*rest, **more):
        raise RuntimeError("no\nidea")

    monkeypatch.setattr(fit_verb, "resumed", fail)
    words = ("fit", "poisson-hmm", "@earthquakes.csv", *QUAKES, "-k", "2", "-o", "@x")
    code, _, err = run(*words)
    assert code == 1
    assert err == "seqem: error: unforeseen RuntimeError: no idea (run again with --debug to see where)\n"
    with pytest.raises(RuntimeError):
        run(*words, "--debug")


# -- fit ---------------------------------------------------------------------------------------------


def test_fit_says_what_it_did(run, files):
    words = ("fit", "categorical-hmm", "@phage.fa", "-k", "2", "-o", "@again.model")
    code, out, _ = run(*words)
    assert code == 0
    assert out.startswith("categorical-hmm, 2 states: 2 sequences, 5,000 rows\nlog-likelihood -")
    assert f"wrote {files}/again.model" in out
    (record,) = _lines(run(*words, "--json")[1])
    model = load(files / "again.model")
    assert record["log_likelihood"] == model.log_likelihood_
    assert record["rows"] == 5000
    assert model.alphabet_ == "ACGT"
    assert tree_equal(model.params_, load(files / "dna.model").params_)


def test_jobs_do_not_change_a_bit(run, files):
    for jobs in (1, 3):
        words = ("fit", "categorical-hmm", "@phage.fa", "-k", "3", "--iterations", "5", "-j", jobs, "-o", f"@j{jobs}")
        assert run(*words)[0] == 0
    assert tree_equal(load(files / "j1").params_, load(files / "j3").params_)


@pytest.mark.parametrize(
    "options",
    [
        ["gaussian-hmm", "--covariance", "full", "--topology", "left-right"],
        ["gmm-hmm", "--mixtures", "2", "--ends"],
        ["poisson-hmm", "--method", "squarem", "--stationary", "--n-init", "2", "--seed", "3"],
        ["poisson-hmm", "--training", "viterbi"],
        ["hmm", "--emission", "student"],
        ["semi-markov-hmm", "--emission", "poisson"],
        ["semi-markov-hmm", "--emission", "poisson", "--duration", "free", "--max-duration", "9"],
        ["variational-gaussian-hmm", "--covariance", "full"],
        ["hmm", "--emission", "gaussian", "--covariance", "spherical", "--mixtures", "2"],
    ],
    ids=" ".join,
)
def test_every_option_of_a_model_arrives(run, files, options):
    code, _, err = run(
        "fit", options[0], "@earthquakes.csv", *QUAKES, "-k", "2", *options[1:], "--iterations", "3", "-o", "@o"
    )
    assert code == 0, err
    arguments = load(files / "o").get_params()
    for flag, name in (("--topology", "topology"), ("--seed", "random_state"), ("--training", "training")):
        if flag in options:
            assert str(arguments[name]) == options[options.index(flag) + 1]


def test_several_emissions_are_one_for_each_column(run, files):
    words = (
        "fit",
        "hmm",
        "@casino_rolls.csv",
        "-k",
        "2",
        "--emission",
        "categorical,bernoulli",
        "-o",
        "@two",
        "--json",
    )
    assert run(*words)[0] == 0
    assert [part.probs.shape[1] if hasattr(part, "probs") else 1 for part in load(files / "two").emission_.parts] == [
        7,
        1,
    ]


def test_labels_lead_the_fit(run, files):
    words = (
        "fit",
        "categorical-hmm",
        "@casino_rolls.csv",
        "--columns",
        "roll",
        "--labels",
        "loaded",
        "-k",
        "2",
        "-o",
        "@l",
    )
    assert run(*words)[0] == 0
    model = load(files / "l")
    rows = np.loadtxt(files / "casino_rolls.csv", delimiter=",", skiprows=1)
    loaded = rows[rows[:, 1] == 1, 0]
    np.testing.assert_allclose(model.emissionprob_[1, 6], (loaded == 6).mean(), atol=1e-9)


def test_a_fit_goes_on_from_its_checkpoint(run, files):
    base = ("fit", "poisson-hmm", "@earthquakes.csv", *QUAKES, "-k", "3", "--tolerance", "1e-9")
    assert run(*base, "-o", "@whole", "--iterations", "30")[0] == 0
    assert run(*base, "-o", "@part", "--iterations", "7", "--checkpoint", "@c.npz")[0] == 0
    assert load(files / "part").n_iter_ == 7
    assert run(*base, "-o", "@rest", "--iterations", "30", "--checkpoint", "@c.npz")[0] == 0
    assert tree_equal(load(files / "rest").params_, load(files / "whole").params_)
    (files / "c.npz").write_bytes(b"broken")
    code, _, err = run(*base, "-o", "@never", "--checkpoint", "@c.npz")
    assert code == 1
    assert "not a checkpoint" in err
    assert not (files / "never").exists()


def test_interruption_is_code_130_and_leaves_a_whole_checkpoint(run, files, monkeypatch):
    kept = Checkpoint.__call__

    def interrupted(self, event):
        if event.stage == "step" and event.iteration == 5:
            raise KeyboardInterrupt
        kept(self, event)

    monkeypatch.setattr(Checkpoint, "__call__", interrupted)
    words = ("fit", "poisson-hmm", "@earthquakes.csv", *QUAKES, "-k", "3", "-o", "@stopped", "--checkpoint", "@i.npz")
    code, _, err = run(*words)
    assert code == 130
    assert err == "seqem: interrupted\n"
    assert not (files / "stopped").exists()
    monkeypatch.undo()
    assert run(*words)[0] == 0
    assert load(files / "stopped").n_iter_ > 5


@pytest.mark.slow
def test_ctrl_c_ends_a_process_with_130(files, data):
    command = [sys.executable, "-m", "seqem", "fit", "categorical-hmm", f"{data}/lambda_virus.fa.gz", "-k", "20"]
    options = ["--tolerance", "0", "--iterations", "10000000", "--checkpoint", f"{files}/p.npz", "-o", f"{files}/never"]
    process = subprocess.Popen(command + options, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (files / "p.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "seqem: interrupted\n"
    assert not (files / "never").exists()
    with np.load(files / "p.npz") as kept:
        assert kept["params.trans"].shape == (20, 20)


def test_warnings_are_single_lines(run, files):
    (files / "flat.csv").write_text("x\n" + "1\n" * 20)
    words = ("fit", "hmm", "@flat.csv", "-k", "3", "--emission", "poisson", "--training", "viterbi", "-o", "@flat")
    code, _, err = run(*words)
    assert code == 0
    assert all(line.startswith("seqem: warning: ") for line in err.splitlines())


# -- decode ------------------------------------------------------------------------------------------


def test_decode_path_and_posterior_are_those_of_the_estimator(run, files):
    rows = np.loadtxt(files / "earthquakes.csv", delimiter=",", skiprows=1)[:, 1:]
    model = load(files / "quakes.model")
    code, out, _ = run("decode", "@quakes.model", "@earthquakes.csv", *QUAKES)
    assert code == 0
    table = list(csv.DictReader(io.StringIO(out), delimiter="\t"))
    assert [int(row["state"]) for row in table] == model.predict(rows).tolist()
    assert {row["sequence"] for row in table} == {"earthquakes"}
    words = ("decode", "@quakes.model", "@earthquakes.csv", *QUAKES, "--as", "posterior", "--names", "a,b,c")
    records = _lines(run(*words, "--json")[1])
    np.testing.assert_array_equal([[r["a"], r["b"], r["c"]] for r in records], model.predict_proba(rows))
    map_states = _lines(run("decode", "@quakes.model", "@earthquakes.csv", *QUAKES, "--algorithm", "map", "--json")[1])
    assert [int(r["state"]) for r in map_states] == model.predict_proba(rows).argmax(1).tolist()


def test_bed_tiles_the_sequences(run, files):
    words = ("decode", "@dna.model", "@phage.fa", "--names", "poor,rich", "--scores")
    code, out, _ = run(*words, "-o", "@phage.bed")
    assert (code, out) == (0, "")
    rows = [line.split("\t") for line in (files / "phage.bed").read_text().splitlines()]
    assert {row[0] for row in rows} == {"left", "right"}
    assert sum(int(row[2]) - int(row[1]) for row in rows) == 5000
    assert {row[3] for row in rows} == {"poor", "rich"}
    assert all(0 < int(row[4]) <= 1000 for row in rows)
    chosen = run("decode", "@dna.model", "@phage.fa", "--names", "poor,rich", "--as", "bed", "--only", "1")[1]
    assert [line.split("\t")[:4] for line in chosen.splitlines()] == [row[:4] for row in rows if row[3] == "rich"]
    records = _lines(run(*words, "--as", "bed", "--json")[1])
    assert [str(r["start"]) for r in records] == [row[1] for row in rows]


def test_gff3_counts_from_one(run, files):
    bed = run("decode", "@dna.model", "@phage.fa", "--as", "bed")[1].splitlines()
    assert run("decode", "@dna.model", "@phage.fa", "-o", "@phage.gff3.gz")[0] == 0
    with gzip.open(files / "phage.gff3.gz", "rt") as handle:
        head, *rows = handle.read().splitlines()
    assert head == "##gff-version 3"
    assert len(rows) == len(bed)
    assert [int(row.split("\t")[3]) for row in rows] == [int(row.split("\t")[1]) + 1 for row in bed]


def test_a_bad_input_does_not_stop_the_others(run, files):
    code, out, err = run("score", "@dna.model", "@bad.fa", "@phage.fa", "@missing.fa")
    assert code == 1
    assert [line.split("\t")[0] for line in out.splitlines()] == ["sequence", "left", "right"]
    assert err.splitlines()[-1] == "seqem: 2 of 3 inputs failed"
    assert len(err.splitlines()) == 3
    code, out, _ = run("score", "@dna.model", "@phage.fa", "@bad.fa", "--json")
    assert code == 1
    assert [set(record) & {"error", "sequence"} for record in _lines(out)] == [{"sequence"}, {"sequence"}, {"error"}]
    assert run("decode", "@dna.model", "@phage.fa", "@bad.fa", "-o", "@some.bed")[0] == 1
    assert "left" in (files / "some.bed").read_text()


# -- score, sample, select, info, plot ---------------------------------------------------------------


def test_scores_are_those_of_the_estimator(run, files):
    records = _lines(run("score", "@dna.model", "@phage.fa", "--json")[1])
    assert [r["length"] for r in records] == [3000, 2000]
    assert sum(r["log_likelihood"] for r in records) == pytest.approx(
        load(files / "dna.model").log_likelihood_, rel=1e-12
    )
    assert records[0]["per_row"] == records[0]["log_likelihood"] / 3000


def test_impossible_and_empty_sequences_have_scores(run, files):
    model = CategoricalHMM(1)
    model.startprob_, model.transmat_, model.emissionprob_ = [1.0], [[1.0]], [[1.0, 0.0]]
    save(files / "ones", model)
    np.savez(files / "few.npz", fine=np.array([0, 0]), never=np.array([1]), none=np.array([], int))
    out = run("score", "@ones", "@few.npz")[1]
    assert out.splitlines()[1:] == ["fine\t2\t0\t0", "never\t1\t-inf\t-inf", "none\t0\t0\t"]
    records = _lines(run("score", "@ones", "@few.npz", "--json")[1])
    assert [r["log_likelihood"] for r in records] == [0.0, None, 0.0]


def test_samples_are_fasta_or_tables_and_can_be_read_again(run, files):
    assert run("sample", "@dna.model", "-n", "50", "-s", "2", "-o", "@drawn.fa")[0] == 0
    assert [r["length"] for r in _lines(run("score", "@dna.model", "@drawn.fa", "--json")[1])] == [50, 50]
    first = run("sample", "@quakes.model", "-n", "20", "-s", "2", "--with-states")[1]
    assert first == run("sample", "@quakes.model", "-n", "20", "-s", "2", "--with-states", "--seed", "0")[1]
    assert first != run("sample", "@quakes.model", "-n", "20", "-s", "2", "--with-states", "--seed", "1")[1]
    assert first.splitlines()[0] == "sequence,x0,state"
    (files / "drawn.csv").write_text(first)
    words = ("score", "@quakes.model", "@drawn.csv", "--columns", "x0", "--sequence-column", "sequence", "--json")
    assert [r["sequence"] for r in _lines(run(*words)[1])] == ["sample1", "sample2"]
    letters = _lines(run("sample", "@dna.model", "-n", "9", "--json", "--with-states")[1])
    assert len(letters) == 9
    assert {r["letter"] for r in letters} <= set("ACGT")


@pytest.mark.parametrize("jobs", [1, 2])
def test_select_finds_three_states(run, files, jobs):
    words = ("select", "poisson-hmm", "@earthquakes.csv", *QUAKES, "--states", "1:4", "--criterion", "aic", "-j", jobs)
    code, out, _ = run(*words, "-o", "@best")
    assert code == 0
    assert "best by AIC: 3 states" in out
    assert tree_equal(load(files / "best").params_, load(files / "quakes.model").params_)
    records = _lines(run(*words, "--json")[1])
    assert [r["n_components"] for r in records] == [1, 2, 3, 4]
    assert [r["best"] for r in records] == [False, False, True, False]


def test_info_shows_all_of_a_model(run, files):
    code, out, _ = run("info", "@dna.model")
    assert code == 0
    for part in ("categorical-hmm", "ACGT", "stop_reason", "start 2", "trans 2 x 2", "emission.probs 2 x 4"):
        assert part in out
    (record,) = _lines(run("info", "@dna.model", "--json")[1])
    np.testing.assert_array_equal(record["parameters"]["trans"], load(files / "dna.model").transmat_)
    assert record["fit"]["n_iter"] == load(files / "dna.model").n_iter_


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["@dna.model", "--what", "history"], "h.png"),
        (["@dna.model", "--what", "transitions", "--names", "poor,rich"], "t.svg"),
        (["@dna.model", "--what", "emissions"], "e.png"),
        (["@quakes.model", "--what", "emissions"], "d.png"),
        (["@quakes.model", "@earthquakes.csv", *QUAKES, "--what", "emissions"], "d.svg"),
        (["@dna.model", "@phage.fa", "--what", "posterior", "--sequence", "right"], "p.svg"),
    ],
)
def test_plots_are_drawn(run, files, words, name):
    code, _, err = run("plot", *words, "-o", f"@{name}")
    assert code == 0, err
    picture = (files / name).read_bytes()
    assert picture.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")


# -- pipes -------------------------------------------------------------------------------------------


def test_a_process_reads_and_writes_pipes(files):
    text = (files / "phage.fa").read_bytes()
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "seqem", "decode", f"{files}/dna.model", "-", "--as", "bed"]
    done = subprocess.run(command, input=text, capture_output=True, check=True, env=environment)
    assert done.stdout.startswith(b"left\t0\t")
    assert done.stderr == b""


def test_a_model_reads_letters_with_its_own_alphabet(run, tmp_path):
    (tmp_path / "ambiguous.fa").write_text(">a\nRYKMSW\n")  # by itself this would be taken for a protein
    (tmp_path / "stop.fa").write_text(">x\nACGT\nACZA\n")
    code, out, err = run("score", "@dna.model", tmp_path / "ambiguous.fa", "--json")
    assert code == 0, err
    assert _lines(out)[0]["length"] == 6
    code, _, err = run("score", "@dna.model", tmp_path / "stop.fa")
    assert code == 1
    assert "line 3: sequence 'x', column 3: letter 'Z'" in err
