"""Files in parts and prepared databases: the same sequences as the whole file gives, or an error that says where."""

import gzip
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqem.bio.alphabet import PROTEIN
from seqem.errors import DataError, FormatError, ParameterError
from seqem.io.database import DATABASE, open_database, prepare, stream
from seqem.io.fasta import read_fasta
from seqem.profile.calibrate import calibrate
from seqem.profile.search import search
from seqem.profile.single_sequence import from_sequence

TEXT = ">a first one\nMKV\nLAT\n>b\n>c  third \nGGNW\nY\n>d\tlast\nKK\n"


def fasta(tmp_path, text=TEXT, name="x.fa"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(batch):
    return list(zip(batch.names, batch.descriptions, map(bytes, batch), strict=True))


def all_rows(parts):
    return [row for part in parts for row in rows(part)]


@pytest.mark.parametrize("residues", [1, 3, 7, 1000])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_parts_are_the_whole_file(tmp_path, residues, ends):
    whole = rows(read_fasta(fasta(tmp_path), alphabet="protein"))
    path = fasta(tmp_path, "\ufeff" + ends + TEXT.replace("\n", ends), "ends.fa")
    parts = list(stream(path, alphabet="protein", residues=residues))
    assert all_rows(parts) == whole
    assert [row[:2] for row in whole] == [("a", "first one"), ("b", ""), ("c", "third"), ("d", "last")]
    if residues == 1 and "\n" in ends:
        assert [part.names for part in parts] == [("a",), ("b", "c"), ("d",)]


@settings(max_examples=40)
@given(
    texts=st.lists(st.text("ACDEFGHIKLMNPQRSTVWYX\n \t", max_size=60), min_size=1, max_size=8),
    residues=st.integers(1, 80),
)
def test_any_text_in_any_parts(tmp_path_factory, texts, residues):
    path = tmp_path_factory.mktemp("parts") / "x.fa.gz"
    path.write_bytes(gzip.compress("".join(f">s{i}\n{text}\n" for i, text in enumerate(texts)).encode()))
    found = all_rows(stream(path, alphabet="protein", residues=residues))
    assert [name for name, _, _ in found] == [f"s{i}" for i in range(len(texts))]
    assert [row[2] for row in found] == [bytes(PROTEIN.encode("".join(text.split()))) for text in texts]


def test_the_alphabet_is_that_of_the_start(tmp_path):
    path = fasta(tmp_path, f">a\n{'ACGT' * 2000}\n>b\nAC\n")
    assert {part.alphabet for part in stream(path, residues=100)} == {"ACGT"}


@pytest.mark.parametrize("residues", [1, 50, 10_000])
def test_a_bad_letter_has_line_and_column_in_any_part(tmp_path, residues):
    path = fasta(tmp_path, "".join(f">s{i}\nMKVL\nAT W{'?' if i == 70 else 'W'}\n" for i in range(100)))
    parts = stream(path, alphabet="protein", residues=residues)
    with pytest.raises(FormatError, match=r"line 213: sequence 's70', column 5: letter '\?'"):
        list(parts)


def test_parts_want_a_size(tmp_path):
    with pytest.raises(ParameterError, match="residues"):
        next(stream(fasta(tmp_path), residues=0))


def test_a_file_of_another_format_is_one_part(tmp_path):
    path = fasta(tmp_path, "@r1\nACGT\n+\nIIII\n", "x.fq")
    assert [part.names for part in stream(path, alphabet="dna")] == [("r1",)]


def test_memory_is_that_of_a_part(tmp_path):
    path = fasta(tmp_path, "".join(f">s{i}\n{'MKVLATWYCD' * 30}\n" for i in range(20_000)))
    tracemalloc.start()
    total = sum(part.n_rows for part in stream(path, residues=1 << 16))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 6_000_000
    assert peak < 2_000_000


@pytest.fixture
def database(tmp_path):
    prepare(fasta(tmp_path), tmp_path / "x.sqdb", alphabet="protein")
    return tmp_path / "x.sqdb"


def test_a_database_is_the_file(tmp_path, database):
    batch, whole = open_database(database), read_fasta(tmp_path / "x.fa", alphabet="protein")
    assert rows(batch) == rows(whole)
    assert batch.alphabet == whole.alphabet
    np.testing.assert_array_equal(batch.offsets, whole.offsets)
    part = batch.between(1, 3)
    assert (list(part.names), part.names[-1], part.names[::-1]) == (["b", "c"], "c", ("c", "b"))
    assert rows(pickle.loads(pickle.dumps(part))) == rows(whole)[1:3]


def test_writing_into_a_batch_leaves_the_file_alone(database):
    before = database.read_bytes()
    open_database(database).values[:] = 0
    assert database.read_bytes() == before


def test_a_format_as_others_are(database):
    assert DATABASE.sniff(database.read_bytes()[:100])
    assert DATABASE.extensions == (".sqdb",)
    assert len(DATABASE.read(database)) == 4


def test_only_sequences_in_an_alphabet_make_a_database(tmp_path):
    with pytest.raises(DataError, match="no symbols"):
        prepare(fasta(tmp_path, "1,2\n3,4\n", "x.csv"), tmp_path / "y.sqdb")
    with pytest.raises(FormatError, match="letter"):
        prepare(fasta(tmp_path, ">a\nMK?\n"), tmp_path / "y.sqdb", alphabet="protein")
    with pytest.raises(ParameterError, match=r"named \.sqdb"):
        prepare(fasta(tmp_path), tmp_path / "y.fa")
    assert not (tmp_path / "y.sqdb").exists()


def test_another_alphabet_is_refused(database):
    assert len(open_database(database, alphabet="protein")) == 4
    with pytest.raises(DataError, match="another alphabet"):
        open_database(database, alphabet="dna")


def test_every_cut_is_noticed(database):
    whole = database.read_bytes()
    for end in range(len(whole)):
        database.write_bytes(whole[:end])
        with pytest.raises(FormatError):
            open_database(database)


def test_a_changed_header_offset_or_symbol_is_noticed(database):
    whole = bytearray(database.read_bytes())
    for at in [*range(68), 128, 192, 200]:
        damaged = whole.copy()
        damaged[at] ^= 0xFF
        database.write_bytes(damaged)
        with pytest.raises(FormatError):
            open_database(database)


def test_a_missing_file(tmp_path):
    with pytest.raises(FormatError, match="cannot be opened"):
        open_database(tmp_path / "none.sqdb")


def test_a_search_of_the_database_is_that_of_the_file(tmp_path, data):
    source = data / "globins45.fa"
    prepare(source, tmp_path / "g.sqdb")
    batch, mapped = read_fasta(source), open_database(tmp_path / "g.sqdb")
    core = calibrate(from_sequence(batch[0], PROTEIN, name="query"))
    expected = search(core, batch).hits
    assert len(expected) > 10
    assert search(core, mapped).hits == expected
    assert search(core, stream(source, residues=1000)).hits == expected
