import gzip
import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqem.bio.alphabet import DNA, PROTEIN
from seqem.errors import DataError, FormatError, ParameterError, SeqemError
from seqem.io.hmmer3 import ModelLibrary, read_model, read_models, write_models
from seqem.io.hmmer3_write import model_text
from seqem.profile.plan7 import Calibration, CoreModel, Cutoffs
from tests.io.mutations import mutate, survives

NODES = 3


def _model(name="toy", alphabet=DNA, seed=0, M=NODES, **facts):
    rng = np.random.default_rng(seed)
    A = len(alphabet.letters)
    match, insert = rng.dirichlet(np.ones(A), M + 1), rng.dirichlet(np.ones(A), M + 1)
    parts = [rng.dirichlet(np.ones(n), M + 1) for n in (3, 2, 2)]
    transitions = np.hstack(parts)
    transitions[0, 5:] = transitions[M, 5:] = 1, 0
    transitions[M, :3] = 0.5, 0.5, 0
    return CoreModel(name, alphabet, match, insert, transitions, **facts)


def _full(**facts):
    notes = {
        "accession": "X1.2",
        "description": "a toy  of all tags",
        "consensus": "acG",
        "reference": "xx.",
        "mask": ".m.",
        "structure": "<.>",
        "columns": np.array([1, 3, 4]),
        "composition": np.full(4, 0.25),
        "calibration": Calibration(-6.1913, -6.4257, -2.7613, 0.7, 0.71, 0.72),
        "gathering": Cutoffs(10.0, 9.0),
        "trusted": Cutoffs(11.5),
        "noise": Cutoffs(-6.3, 1.0),
        "n_sequences": 4,
        "effective_number": 0.964844,
        "checksum": 2**32 - 1,
        "max_length": 30,
        "date": "Sat Nov 21 00:08:57 2026",
        "commands": ("build a", "[b] again"),
    }
    return _model(**{**notes, **facts})


FULL = model_text(_full())
NUMBERS = ("match", "insert", "transitions", "composition")
FIELDS = [name for name in CoreModel.__dataclass_fields__ if name not in NUMBERS]


def _written(tmp_path, text, name="x.hmm"):
    path = tmp_path / name
    path.write_text(text)
    return path


def _same(a, b):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert (a.composition is None) == (b.composition is None)
    for name in NUMBERS if a.composition is not None else NUMBERS[:3]:
        np.testing.assert_allclose(getattr(a, name)[1:], getattr(b, name)[1:], rtol=6e-6)


def test_everything_comes_back(tmp_path):
    model = _full()
    write_models(tmp_path / "x.hmm.gz", [model, _model("plain", PROTEIN)])
    first, second = read_models(tmp_path / "x.hmm.gz")
    _same(first, model)
    _same(second, _model("plain", PROTEIN))
    assert model_text(first) == FULL


def test_shape_of_the_text():
    lines = FULL.splitlines()
    assert lines[:3] == ["HMMER3/f [seqem]", "NAME  toy", "ACC   X1.2"]
    assert "COM   [2] [b] again" in lines
    assert "STATS LOCAL MSV       -6.1913  0.70000" in lines
    assert "TC    11.50" in lines
    assert "HMM          A        C        G        T   " in lines
    assert "            m->m     m->i     m->d     i->m     i->i     d->m     d->d" in lines
    assert "  COMPO   1.38629  1.38629  1.38629  1.38629" in lines
    assert lines[-2].endswith("0.00000        *")
    assert any(re.fullmatch(r"      3 ( +\d\.\d{5}){4}      4 G \. \. >", line) for line in lines)


@pytest.mark.parametrize("M", [1, 2, 2000])
def test_sizes(tmp_path, M):
    path = _written(tmp_path, model_text(_model(M=M)))
    assert read_model(path).n_nodes == M


def test_files_are_rewritten_to_the_letter(shared_data):
    files = sorted((shared_data / "profile").glob("*/*.hmm"))
    assert len(files) > 50
    for path in files:
        old = path.read_text().splitlines()
        new = "".join(map(model_text, read_models(path))).splitlines()
        if old[0].startswith("HMMER3/e"):
            new.remove("MM    no")
            new = [re.sub(r"( \S \S) -( \S)$", r"\1\2", line) for line in new]
        assert new[1:] == old[1:], path


def _old(version):
    """Return the full model in an older version: without MM, and CONS before 3/e, and with the STATS of 3/a."""
    text = FULL.replace("HMMER3/f", f"HMMER3/{version}").replace("MM    yes\n", "")
    if version == "e":
        return re.sub(r"( [acG] [x.]) [m.]( \S)\n", r"\1\2\n", text)
    text = re.sub(r" [acG] ([x.]) [m.]( \S)\n", r" \1\2\n", text.replace("CONS  yes\n", ""))
    if version == "a":
        text = re.sub(r"STATS LOCAL MSV .*", "STATS LOCAL VLAMBDA 0.7", text)
        text = re.sub(r"STATS LOCAL VITERBI .*", "STATS LOCAL VMU -6.4257", text)
        text = re.sub(r"STATS LOCAL FORWARD .*", "STATS LOCAL FTAU -2.7613", text)
    return text


@pytest.mark.parametrize("version", "abcde")
def test_older_versions(tmp_path, version):
    model, new = read_model(_written(tmp_path, _old(version))), _full()
    assert (model.reference, model.structure, model.mask) == ("xx.", "<.>", None)
    assert model.columns.tolist() == [1, 3, 4]
    np.testing.assert_allclose(model.match[1:], new.match[1:], rtol=6e-6)
    best = "".join("ACGT"[a] for a in model.match[1:].argmax(axis=1))
    upper = "".join(a if p >= 0.9 else a.lower() for a, p in zip(best, model.match[1:].max(axis=1), strict=True))
    assert model.consensus == ("acG" if version == "e" else upper)
    a = Calibration(-6.4257, -6.4257, -2.7613, 0.7, 0.7, 0.7)
    assert model.calibration == (a if version == "a" else new.calibration)


@pytest.mark.parametrize("version", "abcdef")
def test_peer_reads_old_versions_alike(tmp_path, version):
    plan7 = pytest.importorskip("pyhmmer.plan7")
    path = _written(tmp_path, FULL if version == "f" else _old(version))
    with plan7.HMMFile(path) as handle:
        peer = handle.read()
    model = read_model(path)
    assert (peer.reference, peer.consensus_structure) == (model.reference, model.structure)
    assert peer.consensus == model.consensus
    with open(tmp_path / "peer.hmm", "wb") as out:
        peer.write(out)
    copy = read_model(tmp_path / "peer.hmm")
    assert (copy.calibration, copy.mask) == (model.calibration, model.mask)


def test_peer_reads_what_is_written(tmp_path, shared_data):
    plan7, easel = pytest.importorskip("pyhmmer.plan7"), pytest.importorskip("pyhmmer.easel")
    import pyhmmer

    folder = shared_data / "profile"
    with easel.SequenceFile(folder / "hmmer_tutorial" / "globins45.fa", digital=True) as handle:
        globins = handle.read_block()
    for source in (folder / "golden" / "globins4.default.hmm", folder / "golden" / "Pkinase.default.hmm"):
        write_models(tmp_path / "x.hmm", read_models(source))
        peers = []
        for path in (source, tmp_path / "x.hmm"):
            with plan7.HMMFile(path) as handle:
                peers.append(handle.read())
        model = read_model(source)
        np.testing.assert_allclose(np.array(peers[1].match_emissions)[1:], model.match[1:], rtol=2e-6)
        np.testing.assert_allclose(np.array(peers[1].insert_emissions), model.insert, rtol=2e-6)
        np.testing.assert_allclose(np.array(peers[1].transition_probabilities), model.transitions, rtol=2e-6)
        scores = [[(hit.name, hit.score, hit.evalue) for hit in next(pyhmmer.hmmsearch(p, globins))] for p in peers]
        assert scores[0] == scores[1]
        assert len(scores[0]) == 45 or "globins" not in source.name


def test_library(tmp_path):
    models = [_full(name="a"), _model("b", PROTEIN), _model("a", seed=3)]
    write_models(tmp_path / "x.hmm", models)
    (tmp_path / "y.hmm.gz").write_bytes(gzip.compress((tmp_path / "x.hmm").read_bytes()))
    for name in ("x.hmm", "y.hmm.gz"):
        library = ModelLibrary(tmp_path / name)
        assert (len(library), library.names) == (3, ("a", "b", "a"))
        assert "b" in library
        assert "c" not in library
        _same(library["a"], models[0])
        _same(library[-1], models[2])
        for got, want in zip(library, models, strict=True):
            _same(got, want)
        for key in ("c", 3, -4):
            with pytest.raises(ParameterError, match="no such model"):
                library[key]


def test_library_tells_the_line(tmp_path):
    two = FULL + FULL.replace("NAME  toy", "NAME  bad").replace("LENG  3", "LENG  2")
    library = ModelLibrary(_written(tmp_path, two))
    assert library["toy"].n_nodes == 3
    with pytest.raises(FormatError, match="LENG") as caught:
        library["bad"]
    lines = two.splitlines()
    assert lines[caught.value.line - 1].split()[0] == "3"
    assert caught.value.line > len(FULL.splitlines())


@pytest.mark.parametrize("text", ["", "\n\n", FULL[:-4], FULL.replace("NAME  toy\n", "")])
def test_library_refuses(tmp_path, text):
    with pytest.raises(FormatError):
        ModelLibrary(_written(tmp_path, text))


def _line(start):
    return next(n for n, line in enumerate(FULL.splitlines(), 1) if line.startswith(start))


@pytest.mark.parametrize(
    ("old", "new", "line", "match"),
    [
        ("HMMER3/f", "HMMER2.0", 1, "not a HMMER3 model.*hmmconvert"),
        ("HMMER3/f", "HMMER3/g", 1, "version"),
        ("LENG  3", "LENG  4", -1, "node 4 of 4"),
        ("LENG  3", "LENG  2", -4, "LENG"),
        ("LENG  3", "LENG  0", _line("LENG"), "LENG"),
        ("LENG  3", "LENG  many", _line("LENG"), "LENG"),
        ("LENG  3\n", "", _line("HMM ") - 1, "no LENG"),
        ("ALPH  DNA", "ALPH  amino", _line("HMM "), "letters of another alphabet"),
        ("ALPH  DNA", "ALPH  dice", _line("ALPH"), "ALPH"),
        ("CKSUM 4294967295", "CKSUM 4294967296", _line("CKSUM"), "CKSUM"),
        ("EFFN  0.964844", "EFFN  nan", _line("EFFN"), "EFFN"),
        ("GA    10.00 9.00", "GA    x", _line("GA"), "GA"),
        ("STATS LOCAL MSV", "STATS LOCAL MSX", _line("STATS LOCAL F"), "STATS"),
        (" 0.72000", " -0.72000", _line("STATS LOCAL F"), "lambda"),
        ("COMPO   1.38629", "COMPO   nan", _line("  COMPO"), "no number"),
        ("COMPO   1.38629", "COMPO   inf", _line("  COMPO"), "finite"),
        ("COMPO   1.38629", "COMPO  -1.38629", _line("  COMPO"), "below 0"),
        ("COMPO   1.38629", "COMPO   1.18629", _line("  COMPO"), "sum to 1"),
        ("COMPO   1.38629", "COMPO   x", _line("  COMPO"), "number"),
        ("COMPO   1.38629", "COMPO", _line("  COMPO"), "count"),
        ("      3 c x", "      0 c x", _line("      2 "), "MAP"),
        (" c x m .", " c x mm .", _line("      2 "), "annotation MM"),
        ("\n      2 ", "\n      1 ", _line("      2 "), "node 2"),
    ],
)
def test_refusals_tell_the_line(tmp_path, old, new, line, match):
    assert old in FULL
    text = FULL.replace(old, new, 1)
    with pytest.raises(FormatError, match=match) as caught:
        read_model(_written(tmp_path, text))
    assert caught.value.line == (line if line > 0 else len(text.splitlines()) + 1 + line)


def test_every_cut_is_refused(tmp_path):
    for stop in range(0, len(FULL) - 2, 7):
        with pytest.raises(FormatError):
            list(read_models(_written(tmp_path, FULL[:stop])))


def test_unknown_tags_empty_lines_and_line_ends(tmp_path):
    text = FULL.replace("DATE", "NEW   thing\n\nDATE").replace("\n", "\r\n")
    path = tmp_path / "x.hmm"
    path.write_bytes(text.encode())
    _same(read_model(path), _full())


@pytest.mark.parametrize(
    "facts",
    [{"name": "two words"}, {"name": ""}, {"description": "a\nb"}, {"consensus": "ac"}, {"columns": np.array([1])}],
)
def test_writer_refuses(tmp_path, facts):
    with pytest.raises(DataError):
        write_models(tmp_path / "x.hmm", [_full(**facts)])
    assert not list(tmp_path.iterdir())


@given(st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_damaged_files_are_read_or_refused(tmp_path_factory, seed):
    path = tmp_path_factory.getbasetemp() / "fuzz.hmm"
    survives(path, mutate(FULL.encode(), random.Random(seed)), lambda p: list(read_models(p)), SeqemError)
    survives(path, path.read_bytes(), lambda p: list(ModelLibrary(p)), SeqemError)
