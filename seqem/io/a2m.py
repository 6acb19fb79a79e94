"""Alignments in the dress of FASTA: afa (all columns alike), a2m and a3m (inserted residues in lower case)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import zip_longest

from seqem.errors import FormatError
from seqem.io.aligned import AlignedText

_INSERTED = re.compile(r"[a-z.]")
_MATCHED = re.compile(r"[^a-z.]")
_DOTS = str.maketrans("", "", ".")
MATCH, INSERT = "x", "."
_KINDS = {letter: INSERT if _INSERTED.fullmatch(chr(letter)) else MATCH for letter in range(128)}


def parse_fasta(lines: Iterable[str], path: str) -> AlignedText:
    """Return the rows of aligned FASTA; titles are name and description.

    Raises
    ------
    FormatError
        Where text comes before the first ``>``.

    Examples
    --------
    >>> text = parse_fasta([">a first", "AC", "-G"], "x.afa")
    >>> text.names, text.rows, text.row_descriptions
    (['a'], ['AC-G'], ('first',))
    """
    found = AlignedText()
    parts: list[list[str]] = []
    descriptions = []
    for number, line in enumerate(lines, 1):
        if line.startswith(">"):
            name, description = (*line[1:].split(None, 1), "", "")[:2]
            found.names.append(name)
            found.lines.append(number)
            descriptions.append(description.strip())
            parts.append([])
        elif line.strip():
            if not parts:
                raise FormatError("is not FASTA", got=repr(line[:20]), expected="'>'", path=path, line=number)
            parts[-1].append("".join(line.split()))
    found.rows = ["".join(part) for part in parts]
    found.row_descriptions = tuple(descriptions) if any(descriptions) else ()
    return found


def parse_a2m(lines: Iterable[str], path: str) -> AlignedText:
    """Return the rows of a2m or a3m, inserted residues of all rows brought to columns, from the left.

    Upper case and ``-`` are match columns, lower case is inserted, dots are not looked at. The reference of the
    alignment marks the match columns.

    Raises
    ------
    FormatError
        Where rows differ in the number of match columns.

    Examples
    --------
    >>> text = parse_a2m([">a", "AcgC", ">b", "A-", ">c", "AtC"], "x.a3m")
    >>> text.rows, text.notes["reference"]
    (['AcgC', 'A..-', 'At.C'], 'x..x')
    """
    found = parse_fasta(lines, path)
    matched, inserted = zip(*(_parts(row) for row in found.rows), strict=True) if found.rows else ((), ())
    for name, line, match in zip(found.names, found.lines, matched, strict=True):
        if len(match) != len(matched[0]):
            raise FormatError(
                f"row {name!r} has another number of match columns than the first row",
                got=len(match),
                expected=len(matched[0]),
                path=path,
                line=line,
            )
    widths = [max(map(len, column)) for column in zip(*inserted, strict=True)]
    found.rows = [_expanded(*row, widths) for row in zip(matched, inserted, strict=True)]
    if widths:
        found.notes["reference"] = INSERT * widths[0] + "".join(MATCH + INSERT * width for width in widths[1:])
    return found


def _parts(row: str) -> tuple[str, list[str]]:
    """Return the match letters, and what is inserted before, between and after them, without dots."""
    inserted = [text.translate(_DOTS) for text in _MATCHED.split(row)]
    return "".join(_MATCHED.findall(row)), inserted


def _expanded(match: str, inserted: list[str], widths: list[int]) -> str:
    padded = [text.ljust(width, ".") for text, width in zip(inserted, widths, strict=True)]
    return "".join(text + letter for text, letter in zip_longest(padded, match, fillvalue=""))


def is_a2m(rows: list[str]) -> bool:
    """Return whether rows of one length keep case and gaps by column as a2m does, with some of both kinds.

    Examples
    --------
    >>> is_a2m(["AcgC", "A..-"]), is_a2m(["ACgC", "A---"])
    (True, False)
    """
    kinds = {row.translate(_KINDS) for row in rows}
    return len(kinds) == 1 and {INSERT, MATCH} <= set(*kinds)


def is_ragged_a2m(rows: list[str]) -> bool:
    """Return whether rows of different length have equally many match columns and inserted residues between.

    Examples
    --------
    >>> is_ragged_a2m(["AcgC", "A-"]), is_ragged_a2m(["ACGC", "AC"])
    (True, False)
    """
    counts = {len(_MATCHED.findall(row)) for row in rows}
    return len({len(row) for row in rows}) > 1 and len(counts) == 1 and counts != {0}
