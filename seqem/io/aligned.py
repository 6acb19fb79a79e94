"""Aligned rows of text into an Alignment: what the alignment formats share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from seqem.bio.alignment import Alignment
from seqem.bio.alphabet import Alphabet, alphabet_of, guess
from seqem.errors import DataError, FormatError
from seqem.shapes import Array

GAPS = "-._~"
_TO_ONE_GAP = str.maketrans(dict.fromkeys(GAPS, "-"))


@dataclass
class AlignedText:
    """What a parser found: names and rows of text, with annotation.

    Attributes
    ----------
    names, rows : list of str
        One a sequence; gaps are letters of ``GAPS``.
    lines : list of int or None
        Line of the file where each row begins, where it is known.
    weights : ndarray, optional
        One a row.
    notes : dict of str to str
        Optional fields of :class:`Alignment` that are text, by their names.
    cutoffs : dict of str to tuple of float
        Thresholds by "GA", "TC", "NC".
    row_descriptions : tuple of str
        One a row, or empty.
    """

    names: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    lines: list[int | None] = field(default_factory=list)
    weights: Array | None = None
    notes: dict[str, str] = field(default_factory=dict)
    cutoffs: dict[str, tuple[float, ...]] = field(default_factory=dict)
    row_descriptions: tuple[str, ...] = ()


class Row(NamedTuple):
    """One row of one block: its line of the file, name and letters."""

    line: int
    name: str
    text: str


def join_blocks(blocks: list[list[Row]], path: str) -> AlignedText:
    """Return the rows of interleaved blocks, which must have the same names in the same order; empty ones do not count.

    Raises
    ------
    FormatError
        With the line of the first block that has other names.

    Examples
    --------
    >>> join_blocks([[Row(1, "a", "AC"), Row(2, "b", "A-")], [Row(4, "a", "G"), Row(5, "b", "G")]], "x").rows
    ['ACG', 'A-G']
    """
    blocks = [block for block in blocks if block]
    first = [row.name for row in blocks[0]] if blocks else []
    for block in blocks[1:]:
        names = [row.name for row in block]
        if names != first:
            raise FormatError(
                "a block has other rows than the first",
                got=" ".join(names)[:60],
                expected=" ".join(first)[:60],
                path=path,
                line=block[0].line,
            )
    rows = ["".join(row.text for row in rows) for rows in zip(*blocks, strict=True)]
    return AlignedText(first, rows, [row.line for row in blocks[0]] if blocks else [])


def to_alignment(text: AlignedText, path: str, alphabet: str = "auto") -> Alignment:
    """Return the alignment of what a parser found.

    Parameters
    ----------
    text : AlignedText
        Rows of any letters.
    path : str
        The file, for messages.
    alphabet : {"auto", "dna", "rna", "protein"}
        What the letters are; "auto" guesses from all of them.

    Raises
    ------
    FormatError
        Where there is nothing, rows differ in length, or a letter is not in the alphabet.

    Examples
    --------
    >>> to_alignment(AlignedText(["a", "b"], ["AC-", "A.G"], [1, 2]), "x").symbols.tolist()
    [[0, 1, 15], [0, 15, 2]]
    """
    if not text.rows or not text.rows[0]:
        raise FormatError("no aligned sequences", path=path)
    _check_lengths(text, path)
    rows = [row.translate(_TO_ONE_GAP) for row in text.rows]
    letters = _guessed(rows, path) if alphabet == "auto" else alphabet_of(alphabet)
    return Alignment(
        _symbols(rows, text, letters, path),
        letters,
        tuple(text.names),
        weights=text.weights,
        cutoffs=text.cutoffs,
        row_descriptions=text.row_descriptions,
        **text.notes,  # type: ignore[arg-type]
    )


def _check_lengths(text: AlignedText, path: str) -> None:
    width = len(text.rows[0])
    for name, row, line in zip(text.names, text.rows, text.lines, strict=True):
        if len(row) != width:
            raise FormatError(
                f"row {name!r} is not as long as the first row",
                got=len(row),
                expected=width,
                hint="sequences that are not aligned are for seqem train, or ProfileHMM.fit",
                path=path,
                line=line,
            )


def _guessed(rows: list[str], path: str) -> Alphabet:
    residues = "".join(rows).replace("-", "")
    # Marks of no alphabet are refused in their place, with the line.
    known = "".join(re.findall(r"[A-Za-z*]+", residues))
    try:
        return guess(known)
    except DataError as error:
        raise FormatError(str(error), path=path) from error


def _symbols(rows: list[str], text: AlignedText, letters: Alphabet, path: str) -> np.ndarray:
    symbols = np.empty((len(rows), len(rows[0])), np.uint8)
    for s, row in enumerate(rows):
        try:
            symbols[s] = letters.encode_aligned(row)
        except DataError as error:
            raise FormatError(f"row {text.names[s]!r}: {error}", path=path, line=text.lines[s]) from error
    return symbols


def row_texts(alignment: Alignment) -> list[str]:
    """Return the rows as text: inserted residues in lower case, their gaps as dots, where there is a reference.

    Examples
    --------
    >>> alignment = to_alignment(AlignedText(["a", "b"], ["ACG", "A-G"], [1, 2], notes={"reference": "x.x"}), "x")
    >>> row_texts(alignment)
    ['AcG', 'A.G']
    """
    rows = [alignment.alphabet.decode(row) for row in alignment.symbols]
    if alignment.reference is None:
        return rows
    inserted = np.array([letter in GAPS for letter in alignment.reference])
    return [_with_inserts(row, inserted) for row in rows]


def _with_inserts(row: str, inserted: np.ndarray) -> str:
    lower = row.lower().replace("-", ".")
    return "".join(np.where(inserted, list(lower), list(row)))


def names_of_words(names: Sequence[str]) -> list[str]:
    """Return the names, checked to be one word each.

    Raises
    ------
    DataError
        With the first name that a format with names before rows cannot hold.

    Examples
    --------
    >>> names_of_words(["a", "b"])
    ['a', 'b']
    """
    for name in names:
        if name.split() != [name] or name.startswith("#") or name == "//":
            raise DataError("a row's name does not fit the format", got=repr(name), expected="one word without '#'")
    return list(names)
