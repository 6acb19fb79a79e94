import gzip
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqem.bio.alphabet import DNA, PROTEIN, RNA
from seqem.core.batch import SequenceBatch
from seqem.errors import DataError, FormatError, ParameterError
from seqem.io.fasta import read_fasta, write_fasta
from seqem.io.fastq import read_fastq

LAMBDA = Path(__file__).parents[2] / "data" / "lambda_virus.fa.gz"


def _write(tmp_path, text, name="x.fa"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_phage_lambda():
    batch = read_fasta(LAMBDA)
    assert batch.names == ("gi|9626243|ref|NC_001416.1|",)
    assert batch.alphabet == "ACGT"
    assert batch.values.dtype == np.uint8
    assert np.bincount(batch.values).tolist() == [12334, 11362, 12820, 11986]


def test_names_lengths_case_and_line_ends(tmp_path):
    text = "\r\n>a first one\r\nACG\r\n\r\ntnn\r\n>\r\n>a\r\nAC GT  \r\n>empty\r\n"
    batch = read_fasta(_write(tmp_path, text), alphabet="dna")
    assert batch.names == ("a", "", "a", "empty")
    assert batch.lengths.tolist() == [6, 0, 4, 0]
    assert DNA.decode(batch.values) == "ACGTNNACGT"


def test_last_line_without_end(tmp_path):
    assert read_fasta(_write(tmp_path, ">a\nAC")).values.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "alphabet"), [(">a\nACGT\n", DNA), (">a\nACGU\n", RNA), (">a\nAC\n>b\nMKVLWAALLVTFLAG\n", PROTEIN)]
)
def test_alphabet_is_guessed(tmp_path, text, alphabet):
    batch = read_fasta(_write(tmp_path, text))
    assert batch.alphabet == alphabet.letters
    assert alphabet.decode(batch.values) == "".join(text.split()[1::2])


def test_alphabet_can_be_named(tmp_path):
    path = _write(tmp_path, ">a\nACGT\n")
    assert read_fasta(path, alphabet="protein").alphabet == PROTEIN.letters
    with pytest.raises(ParameterError, match="unknown alphabet"):
        read_fasta(path, alphabet="morse")


@settings(max_examples=25)
@given(texts=st.lists(st.text("ACGTNRYK", max_size=200), min_size=1, max_size=5))
def test_round_trip(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("fasta") / "x.fa.gz"
    batch = SequenceBatch.of([DNA.encode(text) for text in texts], alphabet="ACGT")
    write_fasta(path, batch)
    again = read_fasta(path, alphabet="dna")
    np.testing.assert_array_equal(again.values, batch.values)
    np.testing.assert_array_equal(again.offsets, batch.offsets)
    assert again.names == tuple(str(s + 1) for s in range(len(texts)))


def test_lines_are_seventy_letters(tmp_path):
    write_fasta(tmp_path / "x.fa", SequenceBatch.of([np.zeros(141, np.uint8)], names=("a",), alphabet="ACGT"))
    assert (tmp_path / "x.fa").read_text() == f">a\n{'A' * 70}\n{'A' * 70}\nA\n"


@pytest.mark.parametrize("alphabet", [None, "FL"])
def test_write_needs_a_known_alphabet(tmp_path, alphabet):
    with pytest.raises((DataError, ParameterError), match="alphabet"):
        write_fasta(tmp_path / "x.fa", SequenceBatch.of([[0, 1]], alphabet=alphabet))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_no_sequences(tmp_path, text):
    with pytest.raises(FormatError, match=r"x\.fa: no sequences"):
        read_fasta(_write(tmp_path, text))


def test_not_fasta(tmp_path):
    with pytest.raises(FormatError, match=r"line 2: is not FASTA; got 'LOCUS"):
        read_fasta(_write(tmp_path, "\nLOCUS       NC_001416\n"))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bad_letter_has_line_and_column(tmp_path, end, pack):
    text = end.join([">a", "ACGT", "ACGT", ">b two", "ACGT", "AC ?T", ""])
    path = _write(tmp_path, pack(text.encode()))
    with pytest.raises(FormatError, match=r"line 6: sequence 'b', column 4: letter '\?' is not in the dna") as caught:
        read_fasta(path, alphabet="dna")
    assert (caught.value.path, caught.value.line) == (str(path), 6)


def test_bad_letter_after_a_wrong_guess_has_a_hint(tmp_path):
    with pytest.raises(FormatError, match="guessed as dna; name another"):
        read_fasta(_write(tmp_path, f">a\n{'ACGT' * 1024}\n>b\nMKVLE\n"))


def test_text_in_no_alphabet(tmp_path):
    with pytest.raises(FormatError, match=r"x\.fa: the text is in no alphabet known here"):
        read_fasta(_write(tmp_path, ">a\n0123\n"))


def test_gap_is_refused_and_bytes_beyond_ascii_too(tmp_path):
    with pytest.raises(FormatError, match="letter '-'"):
        read_fasta(_write(tmp_path, ">a\nAC-T\n"), alphabet="dna")
    with pytest.raises(FormatError, match="line 2: sequence 'a', column 3"):
        read_fasta(_write(tmp_path, b">a\nAC\xe9T\n"), alphabet="dna")


def test_standard_input(monkeypatch):
    def feed(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))

    feed(b">a\nACGT\n")
    assert read_fasta("-").values.tolist() == [0, 1, 2, 3]
    feed(b">a\nACGT\nA?GT\n")
    with pytest.raises(FormatError, match="sequence 'a': letter '\\?' at position 6"):
        read_fasta("-", alphabet="dna")


def test_truncated_gzip(tmp_path):
    with pytest.raises(FormatError, match="cut short"):
        read_fasta(_write(tmp_path, LAMBDA.read_bytes()[:5000], "cut.fa.gz"))


def test_fastq(tmp_path):
    text = "@r1 lane\nACGT\nAC\n+\nIIII\n@I\n@r2\nGGN\n+r2\n@II\n"
    batch = read_fastq(_write(tmp_path, text))
    assert batch.names == ("r1", "r2")
    assert [DNA.decode(s) for s in batch] == ["ACGTAC", "GGN"]


def test_fastq_bad_letter_has_line_and_column(tmp_path):
    text = "@r1\nACGT\nAC\n+\nIIII\n@I\n@r2\nAC\nGE\n+r2\n@III\n"
    with pytest.raises(FormatError, match="line 9: sequence 'r2', column 2: letter 'E'"):
        read_fastq(_write(tmp_path, text), alphabet="dna")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no sequences"),
        (">a\nACGT\n", "record 1.*start with '@'"),
        ("@a\nACGT\n+\nIIII\n@b\nAC\n+\nI\n", "record 2.*Lengths"),
        ("@a\nACGT\n", "End of file without quality"),
    ],
)
def test_not_fastq(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        read_fastq(_write(tmp_path, text))


@pytest.mark.slow
def test_long_sequence_costs_about_a_byte_a_residue(tmp_path):
    import tracemalloc

    n = 10_000_000
    text = np.random.default_rng(0).choice(np.frombuffer(b"ACGT", np.uint8), (n // 100, 100))
    path = _write(tmp_path, b">chr\n" + b"\n".join(row.tobytes() for row in text) + b"\n")
    del text
    tracemalloc.start()
    batch = read_fasta(path, alphabet="dna")
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert batch.n_rows == n
    assert kept < 1.3 * n
    assert peak < 6 * n
