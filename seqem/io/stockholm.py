"""Stockholm: alignments with annotation of the family, of rows and of columns."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from seqem.bio.alignment import Alignment
from seqem.errors import FormatError
from seqem.io.aligned import AlignedText, to_alignment
from seqem.io.streams import FilePath, open_text
from seqem.shapes import Array

MAGIC = "# STOCKHOLM"
END = "//"
FAMILY = {"ID": "name", "AC": "accession", "DE": "description"}
COLUMNS = {"RF": "reference", "SS_cons": "structure", "MM": "mask"}
CUTOFFS = ("GA", "TC", "NC")


def read_stockholm(path: FilePath, *, alphabet: str = "auto") -> Iterator[Alignment]:
    """Yield the alignments of a Stockholm file, packed or not, one at a time.

    Parameters
    ----------
    path : path-like
        The file, or "-" for the standard input; rows may be whole or in interleaved blocks.
    alphabet : {"auto", "dna", "rna", "protein"}
        What the letters are; "auto" guesses for each alignment.

    Yields
    ------
    Alignment
        With ID, AC, DE, GA, TC, NC of the family, WT and DE of rows, RF, SS_cons and MM of columns.

    Raises
    ------
    FormatError
        With the line, where the file is not as the format says, is cut short, or has no alignment.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.sto"
    >>> _ = path.write_text("# STOCKHOLM 1.0\\n#=GF ID pair\\na  AC-\\nb  A.G\\n//\\n")
    >>> [(alignment.name, alignment.names) for alignment in read_stockholm(path)]
    [('pair', ('a', 'b'))]
    """
    place, empty = os.fspath(path), True
    with open_text(path) as handle:
        for lines in _sections(handle, place):
            empty = False
            yield to_alignment(_Parser(place).parse(lines), place, alphabet)
    if empty:
        raise FormatError("no alignments", path=place)


class _Line(NamedTuple):
    number: int
    text: str


class _Row(NamedTuple):
    line: int
    name: str
    text: str


def _sections(handle: Iterable[str], path: str) -> Iterator[list[_Line]]:
    """Yield the lines of one alignment after the other, without its ``//``; the first must begin as Stockholm."""
    lines: list[_Line] = []
    number, first = 0, True
    for number, raw in enumerate(handle, 1):
        text = raw.rstrip()
        if first and text:
            first = False
            if not text.startswith(MAGIC):
                raise FormatError("is not Stockholm", got=repr(text[:20]), expected=MAGIC, path=path, line=number)
        if text == END:
            yield lines
            lines = []
        else:
            lines.append(_Line(number, text))
    if any(line.text for line in lines):
        raise FormatError("ends inside an alignment", expected=END, path=path, line=number)


class _Parser:
    """Gather the parts of one alignment."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.found = AlignedText()
        self.blocks: list[list[_Row]] = [[]]
        self.columns: dict[str, list[str]] = {}
        self.row_notes: dict[str, dict[str, list[_Line]]] = {"WT": {}, "DE": {}}

    def parse(self, lines: list[_Line]) -> AlignedText:
        """Return what the lines of one alignment say."""
        for line in lines:
            if line.text.startswith("#="):
                self._annotation(line)
            elif not line.text:
                self.blocks.append([])
            elif not line.text.startswith("#"):
                self._row(line)
        self._join_rows([block for block in self.blocks if block])
        self._join_columns()
        self.found.weights = self._weights()
        if self.row_notes["DE"]:
            self.found.row_descriptions = tuple("" if d is None else d.text for d in self._of_rows("DE"))
        return self.found

    def _error(self, what: str, line: int | None, **facts: object) -> FormatError:
        return FormatError(what, path=self.path, line=line, **facts)

    def _row(self, line: _Line) -> None:
        words = line.text.split()
        if len(words) != 2:
            raise self._error("a row is not a name and letters", line.number, got=repr(line.text[:40]))
        self.blocks[-1].append(_Row(line.number, *words))

    def _annotation(self, line: _Line) -> None:
        kind, tag, value = (*line.text.split(None, 2), "", "")[:3]
        if kind == "#=GF" and tag in FAMILY:
            self.found.notes.setdefault(FAMILY[tag], value)
        elif kind == "#=GF" and tag in CUTOFFS:
            # Files of old give two pairs, the first one of whole domains.
            self.found.cutoffs[tag] = self._numbers(line.number, tag, value, 2)
        elif kind == "#=GC" and tag in COLUMNS:
            self.columns.setdefault(tag, []).append(value)
        elif kind == "#=GS":
            name, (tag, value) = tag, (*value.split(None, 1), "", "")[:2]
            if tag in self.row_notes:
                self.row_notes[tag].setdefault(name, []).append(_Line(line.number, value))

    def _numbers(self, line: int, tag: str, text: str, most: int) -> tuple[float, ...]:
        try:
            values = tuple(float(word) for word in text.replace(";", " ").split()[:most])
        except ValueError:
            values = ()
        if not values or not all(map(math.isfinite, values)):
            raise self._error(f"{tag} is off", line, got=repr(text[:40]), expected="a number, or two")
        return values

    def _join_rows(self, blocks: list[list[_Row]]) -> None:
        """Join by place where all blocks have the same names in the same order, or else by name."""
        by_place = len({tuple(row.name for row in block) for block in blocks}) == 1
        parts: dict[object, list[_Row]] = {}
        for block in blocks:
            for k, row in enumerate(block):
                parts.setdefault(k if by_place else row.name, []).append(row)
        for rows in parts.values():
            self.found.lines.append(rows[0].line)
            self.found.names.append(rows[0].name)
            self.found.rows.append("".join(row.text for row in rows))

    def _join_columns(self) -> None:
        width = len(self.found.rows[0]) if self.found.rows else 0
        for tag, parts in self.columns.items():
            text = "".join(parts)
            if len(text) != width:
                raise self._error(f"#=GC {tag} is not as long as the rows", None, got=len(text), expected=width)
            self.found.notes[COLUMNS[tag]] = text

    def _of_rows(self, tag: str) -> list[_Line | None]:
        """Return the note of each row; rows of the same name take theirs in order."""
        left = {name: iter(lines) for name, lines in self.row_notes[tag].items()}
        return [next(left[name], None) if name in left else None for name in self.found.names]

    def _weights(self) -> Array | None:
        if not self.row_notes["WT"]:
            return None
        values: list[float] = []
        for name, note in zip(self.found.names, self._of_rows("WT"), strict=True):
            if note is None:
                raise self._error(f"row {name!r} has no weight", None, hint="give all rows a #=GS WT line, or none")
            values += self._numbers(note.number, "WT", note.text, 1)
            if values[-1] < 0:
                raise self._error("WT is off", note.number, got=values[-1], expected="a weight from 0 on")
        return np.array(values)
