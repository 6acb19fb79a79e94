"""Alignments without a header: SELEX, by screen columns, and the blocks that PSI-BLAST takes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from seqem.errors import FormatError
from seqem.io.a2m import INSERT, MATCH
from seqem.io.aligned import AlignedText, Row, join_blocks

_ANNOTATION = {"#=RF": "reference", "#=CS": "structure", "#=MM": "mask"}
_LINE = re.compile(r"(\S+)(\s+)(\S.*)?")


class _Placed(NamedTuple):
    line: int
    name: str
    start: int
    text: str


def parse_selex(lines: Iterable[str], path: str) -> AlignedText:
    """Return the rows of SELEX: names, then letters whose place on the screen is their column; blanks are gaps.

    Raises
    ------
    FormatError
        Where a line has no letters, or blocks have different rows.

    Examples
    --------
    >>> text = parse_selex(["#=RF  xx.", "a     AC", "b      C-", "", "a     G", "b     G"], "x.slx")
    Traceback (most recent call last):
    ...
    seqem.errors.FormatError: x.slx, line 5: a block has other rows than the first; got a b; expected #=RF a b
    >>> parse_selex(["#=RF  xx.", "a     AC", "b      C-"], "x.slx").rows
    ['AC.', '.C-']
    """
    joined = join_blocks([_screen(block) for block in _blocks(lines, path)], path)
    found = AlignedText()
    for name, text, line in zip(joined.names, joined.rows, joined.lines, strict=True):
        if name in _ANNOTATION:
            found.notes[_ANNOTATION[name]] = text
        else:
            found.names.append(name)
            found.rows.append(text)
            found.lines.append(line)
    return found


def parse_psiblast(lines: Iterable[str], path: str) -> AlignedText:
    """Return the rows of PSI-BLAST's format; columns with letters in upper case are the reference.

    Raises
    ------
    FormatError
        As :func:`parse_selex`, and where a column has letters of both cases.

    Examples
    --------
    >>> parse_psiblast(["a  ACg", "b  -CG".replace("G", "-")], "x.psi").notes
    {'reference': 'xx.'}
    """
    found = parse_selex(lines, path)
    if len({len(row) for row in found.rows}) == 1:
        found.notes["reference"] = "".join(_column_kind("".join(column)) for column in zip(*found.rows, strict=True))
    return found


def _column_kind(column: str) -> str:
    return INSERT if any(letter.islower() for letter in column) else MATCH


def _blocks(lines: Iterable[str], path: str) -> list[list[_Placed]]:
    """Return the rows of each block, with the annotation of columns and without all other."""
    blocks: list[list[_Placed]] = [[]]
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip().expandtabs()
        if not line:
            blocks.append([])
        elif not line.startswith(("%", "#")) or line[:4] in _ANNOTATION:
            words = _LINE.fullmatch(line)
            if words is None or not words[3]:
                raise FormatError("a row is not a name and letters", got=repr(line[:40]), path=path, line=number)
            blocks[-1].append(_Placed(number, words[1], words.start(3), words[3]))
    return [block for block in blocks if block]


def _screen(block: list[_Placed]) -> list[Row]:
    """Return the rows of a block from its leftmost to its rightmost column, blanks as dots."""
    start = min(row.start for row in block)
    width = max(row.start + len(row.text) for row in block) - start
    padded = ("." * (row.start - start) + row.text.replace(" ", ".") for row in block)
    return [Row(row.line, row.name, text.ljust(width, ".")) for row, text in zip(block, padded, strict=True)]
