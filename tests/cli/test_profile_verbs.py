"""The verbs of profile HMMs, as a user runs them."""

import gzip
import json

import pytest

from seqem.cli.app import main
from seqem.io.alignments import read_alignment
from seqem.io.hmmer3 import read_models

FAMILY = ">a\nMKVLAAGIVGLCAKWDEYRNH\n>b\nMKVLAAGIVGLCAKWDEYRNH\n>c\nMKILSAGIVGLAKWDEYRQH\n>d\nMKVLAGIVGLCAKWDEFRNH\n"
ALIGNED = ">a\nMKVLAAGIVGLCAKWDEYRNH\n>b\nMKILSAGIVGL-AKWDEYRQH\n>c\nMKVL-AGIVGLCAKWDEFRNH\n"
TARGETS = FAMILY + ">noise\nGGSGGSGGSPPPQQQGGSGGS\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "family.fa").write_text(FAMILY)
    (tmp_path / "aligned.afa").write_text(ALIGNED)
    (tmp_path / "targets.fa").write_text(TARGETS)
    assert main(["build", "aligned.afa", "-o", "model.hmm"]) == 0
    return tmp_path


def names_of(table):
    return [line.split()[0] for line in table.read_text().splitlines() if not line.startswith("#")]


def test_train_then_search(files, capsys):
    assert main(["train", "family.fa", "-o", "trained.hmm", "-n", "mine", "--alignment", "out.sto"]) == 0
    assert "wrote trained.hmm" in capsys.readouterr().out
    (core,) = read_models("trained.hmm")
    assert core.name == "mine"
    assert len(read_alignment("out.sto")) == 4
    words = ["search", "trained.hmm", "targets.fa", "-o", "r.txt", "--tblout", "t.tbl", "--domtblout", "d.tbl"]
    assert main([*words, "--pfamtblout", "p.tbl", "-A", "hits.sto"]) == 0
    assert sorted(names_of(files / "t.tbl")) == ["a", "b", "c", "d"]
    assert sorted(names_of(files / "d.tbl")) == ["a", "b", "c", "d"]
    assert "Domain annotation" in (files / "r.txt").read_text()
    assert len(read_alignment("hits.sto")) == 4


def test_search_of_streams_databases_and_packed_files_is_one(files):
    (files / "targets.fa.gz").write_bytes(gzip.compress(TARGETS.encode()))
    assert main(["convert", "targets.fa", "targets.sqdb"]) == 0
    tables = []
    for database in ("targets.fa", "targets.fa.gz", "targets.sqdb"):
        assert main(["search", "model.hmm", database, "-o", "r.txt", "--tblout", "t.tbl", "--cpu", "2"]) == 0
        tables.append([line for line in (files / "t.tbl").read_text().splitlines() if not line.startswith("#")])
    assert tables[0] == tables[1] == tables[2]
    assert len(tables[0]) == 4


def test_thresholds(files, capsys):
    def reported(*words):
        assert main(["search", "model.hmm", "targets.fa", "--json", *words]) == 0
        return [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()]

    everything = reported("--max", "-E", "1e9")
    assert sorted(everything) == ["a", "b", "c", "d"]  # without filters too, the fifth has no domain
    assert len(reported("-T", "1000")) == 0
    assert len(reported("-E", "1e-9", "-Z", "1e60")) == 0
    assert main(["search", "model.hmm", "targets.fa", "--cut_ga"]) == 1
    assert "has no gathering cutoffs" in capsys.readouterr().err
    assert main(["search", "model.hmm", "targets.fa", "--cut_ga", "--cut_tc"]) == 2


def test_scan_phmmer_and_iterate(files, capsys):
    assert main(["scan", "model.hmm", "targets.fa", "--tblout", "s.tbl", "-o", "s.txt"]) == 0
    assert names_of(files / "s.tbl") == ["aligned"] * 4
    (files / "query.fa").write_text(">q\nMKVLAAGIVGLCAKWDEYRNH\n")
    assert main(["phmmer", "query.fa", "targets.fa", "--tblout", "p.tbl", "-o", "p.txt"]) == 0
    assert sorted(names_of(files / "p.tbl")) == ["a", "b", "c", "d"]
    words = ["iterate", "query.fa", "targets.fa", "-N", "3", "--tblout", "i.tbl", "-o", "i.txt"]
    assert main([*words, "--chkhmm", "round", "--chkali", "round"]) == 0
    assert sorted(names_of(files / "i.tbl")) == ["a", "b", "c", "d"]
    assert "round 1: 4 targets, 4 new" in capsys.readouterr().err
    assert (files / "round-1.hmm").exists()
    assert len(read_alignment("round-1.sto")) == 5


def test_align_emit_logo_stat_convert(files, capsys):
    assert main(["align", "model.hmm", "family.fa", "-o", "out.sto", "--trim"]) == 0
    assert main(["align", "model.hmm", "family.fa", "-o", "out.a2m", "--outformat", "a2m"]) == 0
    assert len(read_alignment("out.sto")) == len(read_alignment("out.a2m", format="a2m")) == 4
    capsys.readouterr()
    assert main(["emit", "model.hmm", "--consensus"]) == 0
    assert capsys.readouterr().out == ">aligned-consensus\nMKVLAAGIVGLCAKWDEYRNH\n"
    assert main(["emit", "model.hmm", "-N", "3", "--seed", "1", "-o", "drawn.fa"]) == 0
    assert (files / "drawn.fa").read_text().count(">") == 3
    for kind, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        assert main(["logo", "model.hmm", "-o", f"logo.{kind}"]) == 0
        assert (files / f"logo.{kind}").read_bytes().startswith(start)
    assert main(["logo", "model.hmm", "-o", "logo.txt"]) == 2
    capsys.readouterr()
    assert main(["stat", "model.hmm", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_nodes"] == 21
    assert main(["convert", "model.hmm", "again.hmm"]) == 0
    assert (files / "again.hmm").read_text() == (files / "model.hmm").read_text()
    assert main(["convert", "aligned.afa", "aligned.sto"]) == 0
    assert len(read_alignment("aligned.sto")) == 3


def test_build_options_are_hmmbuilds(shared_data, tmp_path, capsys):
    golden = shared_data / "profile" / "golden"
    sto = shared_data / "profile" / "hmmer_tutorial" / "fn3.sto"
    options = {
        "default": [], "enone": ["--enone"], "eclust": ["--eclust"], "wnone": ["--wnone"], "wgsc": ["--wgsc"],
        "wblosum": ["--wblosum"], "plaplace": ["--plaplace"], "pnone_enone": ["--pnone", "--enone"],
        "frag0": ["--fragthresh", "0"], "symfrac0": ["--symfrac", "0"], "symfrac08": ["--symfrac", "0.8"],
    }  # fmt: skip
    for name, words in options.items():
        assert main(["build", str(sto), "-o", str(tmp_path / "o.hmm"), "-n", "fn3", *words]) == 0
        ours, theirs = ((path).read_text().splitlines() for path in (tmp_path / "o.hmm", golden / f"fn3.{name}.hmm"))
        body = [line for line in theirs if not line.startswith(("HMMER3", "DATE", "COM", "NAME", "STATS"))]
        mine = [line for line in ours if not line.startswith(("HMMER3", "DATE", "COM", "NAME", "STATS"))]
        assert len(body) == len(mine)
        for a, b in zip(mine, body, strict=True):
            assert _close(a, b), f"{name}: {a!r} is not {b!r}"


def _close(ours, theirs):
    """Return whether two lines agree up to a unit in the last of five decimals."""
    if ours == theirs:
        return True
    pairs = list(zip(ours.split(), theirs.split(), strict=True))
    return all(a == b or ("." in a and abs(float(a) - float(b)) < 2.1e-5) for a, b in pairs)


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        (["build", "bad", "-o", "o.hmm"], FAMILY, "seqem train"),
        (["build", "bad", "-o", "o.hmm"], "", "bad"),
        (["train", "bad", "-o", "o.hmm"], "", "no sequences"),
        (["train", "bad", "-o", "o.hmm"], ">a\n\n>b\n", "empty"),
        (["search", "bad", "targets.fa"], "HMMER3/f\nNAME x\n", "bad"),
        (["search", "model.hmm", "bad"], ">x\nMK1L\n", "line 2"),
        (["search", "model.hmm", "missing.fa"], "", "missing.fa"),
        (["align", "model.hmm", "bad"], ">x\nMKVL1\n", "line 2"),
    ],
)
def test_bad_input_is_named(files, capsys, words, text, message):
    (files / "bad").write_text(text)
    assert main(words) == 1
    error = capsys.readouterr().err
    assert error.startswith("seqem: error:")
    assert message in error
    assert "unforeseen" not in error
    assert not (files / "o.hmm").exists()


def test_aligned_input_to_train_loses_its_gaps_and_it_is_said(files, capsys):
    assert main(["train", "aligned.afa", "-o", "o.hmm"]) == 0
    assert "is aligned; its gaps are taken out" in capsys.readouterr().err


def test_a_search_that_breaks_leaves_no_files(files, capsys):
    (files / "bad.fa").write_text(TARGETS + ">x\nMK1L\n")
    assert main(["search", "model.hmm", "bad.fa", "-o", "r.txt", "--tblout", "t.tbl"]) == 1
    assert sorted(path.name for path in files.iterdir()) == [
        "aligned.afa",
        "bad.fa",
        "family.fa",
        "model.hmm",
        "targets.fa",
    ]


def test_wrong_alphabet(files, capsys):
    (files / "dna.sto").write_text("# STOCKHOLM 1.0\n\na GATTACAGATTACACCGT\nb GATTACAGATTACACCGT\n//\n")
    assert main(["build", "dna.sto", "-o", "dna.hmm", "--dna"]) == 0
    assert main(["search", "dna.hmm", "targets.fa"]) == 1
    assert "not in the dna alphabet" in capsys.readouterr().err


def test_golden_table(shared_data, tmp_path):
    folder = shared_data / "profile"
    words = ["search", str(folder / "hmmer_tutorial" / "globins4.hmm"), str(folder / "hmmer_tutorial" / "globins45.fa")]
    assert main([*words, "-o", str(tmp_path / "r.txt"), "--tblout", str(tmp_path / "t.tbl")]) == 0
    ours, theirs = (
        [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]
        for path in (tmp_path / "t.tbl", folder / "golden" / "globins4.globins45.tbl")
    )
    assert len(ours) == len(theirs)
    for mine, golden in zip(ours, theirs, strict=True):
        for column, (a, b) in enumerate(zip(mine, golden, strict=True)):
            # HMMER adds logarithms by a table: the last digit may differ by one.
            assert a == b or abs(float(a) - float(b)) <= max(0.1001, 0.1 * float(b)), (column, mine, golden)


def test_dna_is_searched_on_both_strands(shared_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = shared_data / "profile" / "hmmer_tutorial"
    target, wanted = str(folder / "dna_target.fa"), {(): 5, ("--watson",): 3, ("--crick",): 2}
    for strand, count in wanted.items():
        words = ["search", str(folder / "MADE1.hmm"), target, "-o", "r.txt", "--tblout", "t.tbl", "-A", "hits.sto"]
        assert main([*words, *strand]) == 0
        assert len(names_of(tmp_path / "t.tbl")) == count
    assert (tmp_path / "hits.sto").read_text().count("#=GR") == 2
    query = next(line for line in (folder / "MADE1.sto").read_text().splitlines() if line[:1] not in "#/\n")
    letters = query.split()[1].replace("-", "").replace(".", "")
    (tmp_path / "query.fa").write_text(f">q\n{letters}\n")
    assert main(["phmmer", "query.fa", target, "-o", "p.txt", "--tblout", "p.tbl", "--dfamtblout", "d.tbl"]) == 0
    assert f"Query:       q  [L={len(letters)}]" in (tmp_path / "p.txt").read_text()
    assert len(names_of(tmp_path / "p.tbl")) == len(names_of(tmp_path / "d.tbl")) >= 3


def test_training_is_kept_and_taken_up(files, capsys):
    words = ["train", "family.fa", "-o", "trained.hmm", "--checkpoint", "fit.npz"]
    assert main(words) == 0
    first = (files / "trained.hmm").read_text()
    assert (files / "fit.npz").exists()
    assert main([*words, "--online"]) == 0
    assert len(first.splitlines()) == len((files / "trained.hmm").read_text().splitlines())
