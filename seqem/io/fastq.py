"""FASTQ: named sequences of letters with qualities, of which the letters are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from Bio.SeqIO.QualityIO import FastqGeneralIterator

from seqem.core.batch import SequenceBatch
from seqem.errors import FormatError
from seqem.io.format import Format
from seqem.io.records import Record, batch_of_records
from seqem.io.streams import FilePath, open_text


def read_fastq(path: FilePath, *, alphabet: str = "auto") -> SequenceBatch:
    """Read the sequences of a FASTQ file, packed or not; qualities are left out.

    Parameters
    ----------
    path : path-like
        The file, or "-" for the standard input.
    alphabet : {"auto", "dna", "rna", "protein"}
        What the letters are; "auto" looks at the first few thousand.

    Returns
    -------
    SequenceBatch
        Symbols of the alphabet, one byte a residue; names are first words.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "one.fq"
    >>> _ = path.write_text("@read1\\nACGT\\n+\\nIIII\\n")
    >>> read_fastq(path)[0].tolist()
    [0, 1, 2, 3]
    """
    with open_text(path) as handle:
        return batch_of_records(_records(handle, path), path, alphabet, _sequence_lines)


def _records(handle: TextIO, path: FilePath) -> Iterator[Record]:
    parser = FastqGeneralIterator(handle)
    number = 1
    while True:
        try:
            title, text, _ = next(parser)
        except StopIteration:
            return
        except ValueError as error:
            raise FormatError(f"is not FASTQ at record {number}", got=str(error), path=str(path)) from error
        yield title, text
        number += 1


def _sequence_lines(handle: TextIO, record: int) -> Iterator[tuple[int, str]]:
    current = letters = qualities = 0
    in_sequence = False
    for number, line in enumerate(map(str.rstrip, handle), 1):
        if in_sequence and line.startswith("+"):
            in_sequence = False
        elif in_sequence:
            letters += len(line)
            if current == record:
                yield number, line
        elif line.startswith("@") and qualities >= letters:
            current, letters, qualities, in_sequence = current + 1, 0, 0, True
        else:
            qualities += len(line)


def _sniff(head: bytes) -> bool:
    lines = head.splitlines()
    return head.startswith(b"@") and len(lines) > 2 and any(line.startswith(b"+") for line in lines[2:])


FASTQ = Format((".fq", ".fastq"), _sniff, read_fastq)
