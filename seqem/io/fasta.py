"""FASTA: named sequences of letters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TextIO

from Bio.SeqIO.FastaIO import SimpleFastaParser

from seqem.bio.alphabet import alphabet_of
from seqem.core.batch import SequenceBatch
from seqem.errors import DataError, FormatError
from seqem.io.format import Format
from seqem.io.records import Record, batch_of_records
from seqem.io.streams import FilePath, atomic_write, open_text

_WIDTH = 70


def read_fasta(path: FilePath, *, alphabet: str = "auto") -> SequenceBatch:
    """Read the sequences of a FASTA file, packed or not.

    Parameters
    ----------
    path : path-like
        The file, or "-" for the standard input.
    alphabet : {"auto", "dna", "rna", "protein"}
        What the letters are; "auto" looks at the first few thousand.

    Returns
    -------
    SequenceBatch
        Symbols of the alphabet, one byte a residue; names are first words, kept where they repeat.

    Raises
    ------
    FormatError
        Where there is no sequence, or a letter is not in the alphabet: with line and column.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.fa"
    >>> _ = path.write_text(">a first\\nACGT\\n>b\\nggn\\n")
    >>> batch = read_fasta(path)
    >>> batch.names, batch.alphabet, batch[1].tolist()
    (('a', 'b'), 'ACGT', [2, 2, 14])
    """
    with open_text(path) as handle:
        return batch_of_records(_records(handle, path), path, alphabet, _sequence_lines)


def write_fasta(path: FilePath, batch: SequenceBatch) -> None:
    """Write a batch of symbols as FASTA; sequences without names are numbered from 1.

    Parameters
    ----------
    path : path-like
        The file; ``.gz`` is packed.
    batch : SequenceBatch
        Symbols with ``batch.alphabet``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "one.fa"
    >>> write_fasta(path, SequenceBatch.of([[0, 1, 2]], names=("a",), alphabet="ACGT"))
    >>> path.read_text()
    '>a\\nACG\\n'
    """
    if batch.alphabet is None:
        raise DataError("a batch without an alphabet has no letters", hint="give the batch alphabet='ACGT' or another")
    alphabet = alphabet_of(batch.alphabet)
    names = batch.names or [str(s + 1) for s in range(len(batch))]
    with atomic_write(path) as handle:
        for name, symbols in zip(names, batch, strict=True):
            text = alphabet.decode(symbols)
            lines = (text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH))
            handle.writelines(f"{line}\n" for line in chain([f">{name}"], lines))


def _records(handle: TextIO, path: FilePath) -> Iterator[Record]:
    number, line = next(((n, line) for n, line in enumerate(handle, 1) if line.strip()), (0, ""))
    if line and not line.startswith(">"):
        raise FormatError("is not FASTA", got=repr(line[:20]), expected="'>'", path=str(path), line=number)
    yield from SimpleFastaParser(chain([line], handle) if line else handle)


def _sequence_lines(handle: TextIO, record: int) -> Iterator[tuple[int, str]]:
    current = 0
    for number, line in enumerate(handle, 1):
        if line.startswith(">"):
            current += 1
        elif current == record:
            yield number, line.rstrip()


def _sniff(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf\r\n\t ").startswith(b">")


FASTA = Format((".fa", ".fasta", ".fas", ".fna", ".ffn", ".frn", ".faa"), _sniff, read_fasta)
