"""Kaldi archives: round trips, kaldiio as the other side, no command is ever run, and mutated files."""

import pickle
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from seqem.errors import DataError, FormatError, SeqemError
from seqem.io.kaldi import read_ark, read_scp, write_ark
from tests.io.mutations import mutate, survives

kaldiio = pytest.importorskip("kaldiio")
RNG = np.random.default_rng(0)
FRAMES = RNG.normal(size=(40, 13)).astype(np.float32)
NAME = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=6)
SHAPE = st.tuples(st.integers(1, 4), st.integers(1, 4)) | st.tuples(st.integers(1, 5))
VALUES = st.sampled_from([np.float32, np.float64]).flatmap(lambda kind: arrays.arrays(kind, SHAPE))


def read(path):
    return dict(read_ark(path))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAME, VALUES, max_size=4))
def test_round_trip(tmp_path_factory, items):
    folder = tmp_path_factory.mktemp("ark")
    write_ark(folder / "a.ark", items.items(), folder / "a.scp")
    for found in (read_ark(folder / "a.ark"), read_scp(folder / "a.scp")):
        pairs = list(found)
        assert [name for name, _ in pairs] == list(items)
        for name, values in pairs:
            assert values.dtype == np.float64
            np.testing.assert_array_equal(values, items[name])


def test_kaldiio_reads_what_we_write(tmp_path):
    items = {"a": FRAMES, "b": FRAMES[0].astype(np.float64)}
    write_ark(tmp_path / "a.ark", items.items(), tmp_path / "a.scp")
    for found in (dict(kaldiio.load_ark(str(tmp_path / "a.ark"))), kaldiio.load_scp(str(tmp_path / "a.scp"))):
        for name, values in items.items():
            np.testing.assert_array_equal(found[name], values)
            assert found[name].dtype == values.dtype


@pytest.mark.parametrize("method", [2, 3, 5])
def test_compressed_matrices(tmp_path, method):
    kaldiio.save_ark(str(tmp_path / "a.ark"), {"a": FRAMES, "b": FRAMES[:9]}, compression_method=method)
    found, wanted = read(tmp_path / "a.ark"), dict(kaldiio.load_ark(str(tmp_path / "a.ark")))
    for name in ("a", "b"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-6)
        np.testing.assert_allclose(found[name], FRAMES[: len(found[name])], atol=0.05 if method == 2 else 0.02)


def test_text(tmp_path):
    path = tmp_path / "a.ark"
    path.write_text("a  [\n  1 2.5\n  -3e-2 nan ]\nb  [ 1 2 3 ]\nc  [\n 1 2 ]\nd [ ]\n")
    found = read(path)
    np.testing.assert_array_equal(found["a"], [[1.0, 2.5], [-0.03, np.nan]])
    np.testing.assert_array_equal(found["b"], [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(found["c"], [[1.0, 2.0]])
    assert found["d"].shape == (0,)
    kaldiio.save_ark(str(path), {"a": FRAMES}, text=True)
    np.testing.assert_allclose(read(path)["a"], FRAMES, rtol=1e-5)


def test_rows_of_a_list(tmp_path):
    write_ark(tmp_path / "a.ark", [("a", FRAMES)], tmp_path / "a.scp")
    line = (tmp_path / "a.scp").read_text().strip()
    (tmp_path / "a.scp").write_text(f"{line}[3:5]\n\nwhole {line.split()[1]}\n")
    found = dict(read_scp(tmp_path / "a.scp"))
    np.testing.assert_array_equal(found["a"], FRAMES[3:6])
    np.testing.assert_array_equal(found["whole"], FRAMES)
    (tmp_path / "a.scp").write_text(f"{line}[3:40]\n")
    (tmp_path / "far.scp").write_text(f"a {tmp_path / 'a.ark'}:{'9' * 18}\n")
    with pytest.raises(FormatError, match=r"a: (holds no frames|is damaged)|no archive is so long"):
        list(read_scp(tmp_path / "far.scp"))
    with pytest.raises(FormatError, match="there are no such rows; got 3 to 40; expected rows of 0 to 39"):
        list(read_scp(tmp_path / "a.scp"))


@pytest.mark.parametrize(
    "place", ["touch {} |", "touch {}|", "| touch {}", "|touch {}", "touch {} |:0", "touch {} | cat |[0:1]"]
)
def test_a_command_is_refused_and_not_run(tmp_path, place):
    ran = tmp_path / "ran"
    (tmp_path / "a.scp").write_text(f"a {place.format(ran)}\n")
    with pytest.raises(FormatError, match=r"a\.scp, line 1: holds a command"):
        list(read_scp(tmp_path / "a.scp"))
    with pytest.raises(FormatError, match="cannot be opened"):
        list(read_ark(place.format(ran)))
    assert not ran.exists()


class Touch:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("mark", [b"PKL", b"NPY\1\xff"])
def test_a_pickled_object_is_refused_and_not_loaded(tmp_path, mark):
    ran = tmp_path / "ran"
    (tmp_path / "a.ark").write_bytes(b"a " + mark + pickle.dumps(Touch(str(ran))))
    (tmp_path / "a.scp").write_text(f"a {tmp_path / 'a.ark'}:2\n")
    for found in (read_ark(tmp_path / "a.ark"), read_scp(tmp_path / "a.scp")):
        with pytest.raises(FormatError, match="holds no frames"):
            list(found)
    assert not ran.exists()


@pytest.mark.parametrize("line", ["a", "a [0:1]", "a :5", "a missing.ark:7", "a x\0.ark:7"])
def test_a_line_of_a_list_names_an_archive(tmp_path, line):
    (tmp_path / "a.scp").write_text(line + "\n")
    with pytest.raises(FormatError, match=r"is no line of an scp|missing\.ark: cannot be opened"):
        list(read_scp(tmp_path / "a.scp"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a \0BFM \4\xff\xff\xff\x7f\4\xff\xff\xff\x7f1234", "a: is damaged or holds no frames"),
        (b"a \0BFM \4\xff\xff\xff\xff\4\1\0\0\0", "a: is damaged or holds no frames"),
        (b"a \0BXX \4\1\0\0\0", "a: is damaged or holds no frames"),
        (b"a \0B\4\1\0\0\0\4\1\0\0\0", "a: is damaged or holds no frames"),
        (b"a [ 1 2\n 3 ]\n", "a: is damaged"),
        (b"a [ 1 x ]\n", "a: is damaged"),
        (b"a [ 1 2", "a: is damaged"),
        (b"a 1 2 3\n", "a: holds no frames"),
        (b"a", "is cut short"),
        (b"\xff [ 1 ]\n", "is no archive"),
        (b" [ 1 ]\n", "has no name"),
        (b"a" * 9000, "is no archive"),
    ],
)
def test_damage_is_named(tmp_path, data, message):
    (tmp_path / "a.ark").write_bytes(data)
    with pytest.raises(FormatError, match=r"a\.ark: .*" + message):
        read(tmp_path / "a.ark")


def test_what_cannot_be_written(tmp_path):
    for name in ("", "a b"):
        with pytest.raises(DataError, match="name of an utterance is off"):
            write_ark(tmp_path / "a.ark", [("x", FRAMES), (name, FRAMES)], tmp_path / "a.scp")
    with pytest.raises(DataError, match="frames of 'a' are off"):
        write_ark(tmp_path / "a.ark", [("a", np.zeros((1, 1, 1)))])
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::RuntimeWarning:kaldiio")
def test_mutated_files_are_refused_or_read(tmp_path):
    path = tmp_path / "a.ark"
    kaldiio.save_ark(str(path), {"a": FRAMES[:9], "b": FRAMES[:2]}, compression_method=2)
    write_ark(tmp_path / "b.ark", [("a", FRAMES[:3]), ("b", FRAMES[0])])
    for text in (path.read_bytes(), (tmp_path / "b.ark").read_bytes(), b"a  [\n  1 2.5\n  -3e-2 4 ]\nb  [ 1 2 3 ]\n"):
        for seed in range(200):
            survives(path, mutate(text, random.Random(seed)), read, SeqemError)
