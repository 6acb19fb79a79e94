"""Named texts into a batch of symbols: what FASTA and FASTQ share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TextIO

import numpy as np

from seqem.bio.alphabet import Alphabet, alphabet_of, guess
from seqem.core.batch import SequenceBatch
from seqem.errors import DataError, FormatError
from seqem.io.streams import FilePath, open_text

Record = tuple[str, str]
Lines = Callable[[TextIO, int], Iterator[tuple[int, str]]]

ENOUGH_TO_GUESS = 4096


def batch_of_records(records: Iterator[Record], path: FilePath, alphabet: str, lines: Lines) -> SequenceBatch:
    """Return the symbols of ``(title, text)`` records, holding one text at a time.

    Parameters
    ----------
    records : iterator of (str, str)
        What the parser of the format gives.
    path : path-like
        The file, for messages.
    alphabet : {"auto", "dna", "rna", "protein"}
        What the letters are; "auto" looks at the first few thousand.
    lines : callable
        ``lines(handle, n)`` yields line number and text of the sequence lines of the n-th record, from 1;
        called for a record with a letter that is not in the alphabet.
    """
    letters, records = _begun(records, path, alphabet)
    names: list[str] = []
    descriptions: list[str] = []
    ends, symbols = [0], bytearray()
    for title, text in records:
        name, description = name_and_description(title)
        names.append(name)
        descriptions.append(description)
        try:
            symbols += letters.encode(text).data
        except DataError as error:
            raise located(str(error), path, letters, lines, len(names), name, guessed=alphabet == "auto") from error
        ends.append(len(symbols))
    values = np.frombuffer(symbols, np.uint8)
    return SequenceBatch(
        values, np.array(ends, np.int64), tuple(names), alphabet=letters.letters, descriptions=tuple(descriptions)
    )


def name_and_description(title: str) -> tuple[str, str]:
    """Return the first word of a title, and the rest.

    Examples
    --------
    >>> name_and_description("HBB human beta globin"), name_and_description("")
    (('HBB', 'human beta globin'), ('', ''))
    """
    words = title.split(None, 1)
    return words[0] if words else "", words[1].rstrip() if len(words) > 1 else ""


def alphabet_in(sample: str, path: FilePath, alphabet: str) -> Alphabet:
    """Return the alphabet of that name, or where it is "auto" the one that the sample is written in.

    Raises
    ------
    FormatError
        Where the sample is in no alphabet.
    """
    if alphabet != "auto":
        return alphabet_of(alphabet)
    try:
        return guess(_residues(sample[:ENOUGH_TO_GUESS]))
    except DataError as error:
        raise FormatError(str(error), path=str(path)) from error


def _begun(records: Iterator[Record], path: FilePath, alphabet: str) -> tuple[Alphabet, Iterator[Record]]:
    """Return the alphabet and all the records, of which a guess has read the first ones."""
    first: list[Record] = []
    seen = 0
    for record in records:
        first.append(record)
        seen += len(record[1])
        if alphabet != "auto" or seen >= ENOUGH_TO_GUESS:
            break
    if not first:
        raise FormatError("no sequences", path=str(path))
    return alphabet_in("".join(text for _, text in first), path, alphabet), chain(first, records)


def _residues(text: str) -> str:
    """Return the text without marks of no alphabet, if anything is left: they are refused in their place, not here."""
    return "".join(letter for letter in text if letter.isascii() and (letter.isalpha() or letter == "*")) or text


def located(
    what: str, path: FilePath, letters: Alphabet, lines: Lines, record: int, name: str, *, guessed: bool
) -> FormatError:
    """Return the error of a record, counted from 1, with line and column, which a second reading of a file finds."""
    sequence = f"sequence {name!r}"
    hint = f"the alphabet was guessed as {letters.name}; name another" if guessed else None
    if os.path.isfile(path):
        with open_text(path) as handle:
            for number, text in lines(handle, record):
                bad = letters.find_bad("".join(text.split()))
                if bad is not None:
                    column = [c for c, letter in enumerate(text) if not letter.isspace()][bad]
                    found = f"column {column + 1}: letter {text[column]!r} is not in the {letters.name} alphabet"
                    return FormatError(f"{sequence}, {found}", hint=hint, path=str(path), line=number)
    return FormatError(f"{sequence}: {what}", hint=hint, path=str(path))
