"""Pronouncing dictionaries of CMU and Sphinx, the Montreal Forced Aligner, and Kaldi."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from seqem.errors import DataError, FormatError
from seqem.io.streams import FilePath, atomic_write, open_text
from seqem.speech.lexicon import Lexicon, Pronunciation

_COMMENT_LINES = (";;;", "##")
_COMMENT = "#"
_MOST_NUMBERS = 4
_VARIANT = re.compile(r"(.+)\(\d+\)")
_NUMBER = re.compile(r"\d+(\.\d*)?([eE][-+]?\d+)?")
_NOT_UTF8 = "\ufffd"


class _Row(NamedTuple):
    line: int
    word: str
    numbers: list[str]
    units: list[str]


def read_lexicon(path: FilePath) -> Lexicon:
    """Read a pronouncing dictionary; which kind it is shows in its lines.

    Lines that begin with ``;;;`` or ``##``, and what follows a ``#`` that stands alone, are comments. Between the word and its
    units there may be one to four numbers, the first of them the probability of this pronunciation (the others, Kaldi's and
    the Montreal Forced Aligner's probabilities of silence, are passed over):

    - where a tab follows a word, as the Montreal Forced Aligner writes: the numbers between the first and the last tab of
      each line;
    - where none does, as in Kaldi's ``lexiconp.txt``: as many as *every* line has, if each line's first is above 0 and 1 at
      most. Numbers are otherwise units, as in a ``lexicon.txt`` whose units are numerals.

    ``word(2)`` is another pronunciation of ``word`` where that is in the file too, as in CMU's and Sphinx's dictionaries.

    Parameters
    ----------
    path : path-like
        The file, packed or not, in UTF-8.

    Returns
    -------
    Lexicon
        Weights are 1 where the file has none. A pronunciation that is there twice is kept once, with its largest weight.

    Raises
    ------
    FormatError
        With the line, where a word has no units, a probability is not above 0, or the text is not UTF-8; also where there is
        no word.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.dict"
    >>> _ = path.write_text("the DH AH\\nthe(2) DH IY\\n")
    >>> read_lexicon(path)["the"]
    (Pronunciation(units=('DH', 'AH'), weight=1.0), Pronunciation(units=('DH', 'IY'), weight=1.0))
    """
    rows = _rows(path)
    if not rows:
        raise FormatError("no words", expected="a word and its units on each line", path=str(path))
    words = {row.word for row in rows}
    entries: dict[str, dict[tuple[str, ...], float]] = {}
    for row in rows:
        weight = float(row.numbers[0]) if row.numbers else 1.0
        if not 0 < weight < math.inf:
            raise FormatError("probability is off", got=weight, expected="above 0", path=str(path), line=row.line)
        variant = _VARIANT.fullmatch(row.word)
        ways = entries.setdefault(variant[1] if variant and variant[1] in words else row.word, {})
        units = tuple(row.units)
        ways[units] = max(weight, ways.get(units, 0.0))
    return Lexicon({word: tuple(Pronunciation(*way) for way in ways.items()) for word, ways in entries.items()})


def write_lexicon(path: FilePath, lexicon: Lexicon) -> None:
    """Write a dictionary with tabs, with probabilities where one of them is not 1.

    Parameters
    ----------
    path : path-like
        The file; ``.gz`` is packed.
    lexicon : Lexicon
        All its words in their order.

    Raises
    ------
    DataError
        Where a word or unit is empty, has a blank or would read as a comment, or where ``word(2)`` is a word beside ``word``.
    """
    weighted = any(way.weight != 1.0 for ways in lexicon.entries.values() for way in ways)
    with atomic_write(path) as handle:
        for word, ways in lexicon.entries.items():
            variant = _VARIANT.fullmatch(word)
            if word.startswith(_COMMENT_LINES) or (variant and variant[1] in lexicon.entries):
                raise DataError("word cannot be kept in a dictionary", got=repr(word))
            for way in ways:
                for text in (word, *way.units):
                    if text.split() != [text] or text == _COMMENT:
                        raise DataError(
                            "cannot be kept in a dictionary", got=repr(text), expected="a word without blanks"
                        )
                weight = f"{float(way.weight)!r}\t" if weighted else ""
                handle.write(f"{word}\t{weight}{' '.join(way.units)}\n")


def _rows(path: FilePath) -> list[_Row]:
    rows, tabs = [], False
    with open_text(path) as handle:
        for number, line in enumerate(handle, 1):
            if _NOT_UTF8 in line:
                raise FormatError("is no text in UTF-8", hint="save it as UTF-8", path=str(path), line=number)
            row = _row(line, number)
            if row is None:
                continue
            if not row.units:
                raise FormatError(f"{row.word!r} has no units", path=str(path), line=number)
            rows.append(row)
            tabs = tabs or line.strip()[len(row.word) :].startswith("\t")
    if rows and not tabs:
        _split_numbers(rows)
    return rows


def _row(line: str, number: int) -> _Row | None:
    """Return word, numbers between tabs, and units of a line; None of a line that says nothing."""
    fields = line.strip().split("\t")
    first = fields[0].split()
    if not first or line.lstrip().startswith(_COMMENT_LINES) or first[0] == _COMMENT:
        return None
    between = fields[1:-1]
    n = next((i for i, field in enumerate(between) if not _NUMBER.fullmatch(field.strip())), len(between))
    n = min(n, _MOST_NUMBERS) if len(first) == 1 else 0
    units = [*first[1:], *" ".join(fields[1 + n :]).split()]
    if _COMMENT in units:
        units = units[: units.index(_COMMENT)]
    return _Row(number, first[0], [field.strip() for field in between[:n]], units)


def _split_numbers(rows: list[_Row]) -> None:
    """Take from the units the numbers that stand before them in every line."""
    n = min(_n_numbers(row.units) for row in rows)
    if n and all(0 < float(row.units[0]) <= 1 for row in rows):
        for row in rows:
            row.numbers.extend(row.units[:n])
            del row.units[:n]


def _n_numbers(units: list[str]) -> int:
    """Return how many of the first units are numbers, leaving one unit at least."""
    most = min(_MOST_NUMBERS, len(units) - 1)
    return next((i for i in range(most) if not _NUMBER.fullmatch(units[i])), most)
