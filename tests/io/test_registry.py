import gzip
import io
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import seqem
from seqem.catalog import FORMATS
from seqem.errors import FormatError, ParameterError
from seqem.io.format import Format
from seqem.io.registry import read

FASTA = b">a\nACGT\n>b\nGG\n"
FASTQ = b"@a\nACGT\n+\nIIII\n"
CSV = b"x,y\n1,2\n3,4\n"


def _npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _parquet():
    buffer = io.BytesIO()
    pd.DataFrame({"x": [1.0, 2.0]}).to_parquet(buffer)
    return buffer.getvalue()


FILES = {
    "fasta": FASTA,
    "fastq": FASTQ,
    "parquet": _parquet(),
    "numpy": _npy(np.arange(6.0).reshape(3, 2)),
    "csv": CSV,
}


@pytest.fixture
def write(tmp_path):
    def write(data, name):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def test_public_name():
    assert seqem.read is read


@pytest.mark.parametrize("name", FORMATS)
def test_row_is_a_format(name):
    form = FORMATS[name].load()
    assert isinstance(form, Format)
    assert all(e.startswith(".") and e == e.lower() for e in form.extensions)


@pytest.mark.parametrize("name", FILES)
def test_extension_sniffer_and_name_agree(write, name):
    extension = FORMATS[name].load().extensions[0]
    data = FILES[name]
    paths = [write(data, f"x{extension}"), write(data, "x"), write(gzip.compress(data), f"x{extension.upper()}.gz")]
    batches = [read(path) for path in paths] + [read(paths[1], format=name)]
    for batch in batches:
        np.testing.assert_array_equal(batch.values, batches[0].values)
        np.testing.assert_array_equal(batch.offsets, batches[0].offsets)


@pytest.mark.parametrize("name", FILES)
def test_only_one_sniffer_takes_a_file(name):
    assert [n for n in FORMATS if FORMATS[n].load().sniff(FILES[name][:4096])] == [name]


@pytest.mark.parametrize(
    ("data", "taken"), [(b"1\n2\n", True), (b"", False), (b"some words\n", False), (b"a\0b", False)]
)
def test_sniffing_of_tables(data, taken):
    assert FORMATS["csv"].load().sniff(data) == taken


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(FASTA))))
    assert read("-").names == ("a", "b")


def test_options_reach_the_reader(write):
    assert read(write(CSV, "x.csv"), columns=["y"]).values.tolist() == [[2], [4]]


def test_unknown_option(write):
    with pytest.raises(ParameterError, match="'fasta' has no such option; got colour; expected alphabet"):
        read(write(FASTA, "x.fa"), colour=1)
    with pytest.raises(ParameterError, match="expected none"):
        read(write(FILES["numpy"], "x.npy"), colour=1)


def test_unknown_format(write):
    with pytest.raises(ParameterError, match="unknown format; got 'morse'; expected one of fasta"):
        read(write(FASTA, "x.fa"), format="morse")


def test_unknown_file(write, tmp_path):
    with pytest.raises(FormatError, match=r"x\.doc: no known format; got extension '\.doc', first bytes b'once upon"):
        read(write(b"once upon a time\n", "x.doc"))
    with pytest.raises(FormatError, match="cannot be opened"):
        read(tmp_path / "none")


def test_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FormatError, match=r"is a pipe.*name the format"):
        read(tmp_path / "pipe")


def test_arrays(write):
    batch = read(write(_npz(a=np.zeros((3, 2)), b=np.ones((1, 2))), "x.npz"))
    assert batch.names == ("a", "b")
    assert batch.offsets.tolist() == [0, 3, 4]
    assert read(write(_npy(np.arange(3, dtype=np.uint8)), "x.npy")).values.dtype == np.uint8


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (_npy(np.array([None, {}])), "objects.npy"),
        (_npy(np.array(["a"])), "texts.npy"),
        (_npy(np.array(3.0)), "scalar.npy"),
        (_npy(np.zeros(9))[:-8], "cut.npy"),
        (_npz(a=np.zeros(9))[:-30], "cut.npz"),
        (_npz(a=np.zeros((2, 2, 2))), "deep.npz"),
        (b"", "empty.npy"),
    ],
)
def test_files_without_numeric_arrays(write, data, name):
    with pytest.raises(FormatError, match=name):
        read(write(data, name))


@pytest.mark.slow
def test_import_is_light():
    heavy = ("numba", "sklearn", "matplotlib", "Bio", "pandas", "safetensors")
    code = f"import sys, seqem; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
