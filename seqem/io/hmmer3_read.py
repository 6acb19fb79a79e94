"""Parser of the HMMER3 text format, versions 3/a to 3/f: lines of one model into a core model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np

from seqem.bio.alphabet import Alphabet
from seqem.errors import FormatError
from seqem.io import hmmer3_fields as fields
from seqem.profile import annotate
from seqem.profile.plan7 import DD, DM, II, IM, MD, MI, MM, Calibration, CoreModel
from seqem.shapes import Array, IntArray

T = TypeVar("T")
Line = tuple[int, str]

END = "//"
_MAGIC = "HMMER3/"
_COLUMNS = {"e": ("MAP", "CONS", "RF", "CS"), "f": ("MAP", "CONS", "RF", "MM", "CS")}
_OLD_COLUMNS = ("MAP", "RF", "CS")
_TOLERANCE = 1e-2
_INF = float("inf")


def model_lines(handle: Iterable[str], path: str, first: int = 1) -> Iterator[list[Line]]:
    """Yield the numbered lines, without empty ones, of one model after the other, each to its ``//``.

    Raises
    ------
    FormatError
        Where a model does not begin as one, or the file ends inside a model.

    Examples
    --------
    >>> list(model_lines(["HMMER3/f\\n", "\\n", "//\\n"], "x.hmm"))
    [[(1, 'HMMER3/f'), (3, '//')]]
    """
    lines: list[Line] = []
    number = first - 1
    for number, raw in enumerate(handle, first):
        text = raw.rstrip()
        if not text:
            continue
        if not lines and not text.startswith(_MAGIC):
            raise FormatError(
                "is not a HMMER3 model",
                got=repr(text[:20]),
                expected="HMMER3/a to HMMER3/f",
                hint="hmmconvert brings a HMMER2 or binary file to HMMER3 text" if text[:5] == "HMMER" else None,
                path=path,
                line=number,
            )
        lines.append((number, text))
        if text == END:
            yield lines
            lines = []
    if lines:
        raise FormatError("ends inside a model", expected=END, path=path, line=number)


def parse_model(lines: list[Line], path: str) -> CoreModel:
    """Return the core model of the lines that :func:`model_lines` gives.

    Probabilities are exactly ``exp(-x)`` of the numbers x of the file.

    Raises
    ------
    FormatError
        With the line of the first thing that is not as the format says.
    """
    return _Parser(lines, path).model()


class _Node(NamedTuple):
    values: list[float]
    line: int


class _Notes(NamedTuple):
    words: list[str]
    line: int


class _Parser:
    """The lines of one model, taken from first to last."""

    def __init__(self, lines: list[Line], path: str) -> None:
        self.lines, self.path, self.at = lines, path, -1

    def model(self) -> CoreModel:
        version = self._version()
        tags = self._tags()
        name = self._required(tags, "NAME", fields.word)
        n_nodes = self._required(tags, "LENG", fields.integer(1))
        alphabet = self._required(tags, "ALPH", fields.alphabet)
        composition, match, insert, transitions, notes = self._nodes(n_nodes, alphabet, version)
        emissions = self._probabilities(match, [slice(None)])
        annotation = self._annotation(tags, notes, version)
        consensus = annotation["CONS"] if version in _COLUMNS else annotate.consensus(emissions, alphabet)
        return CoreModel(
            name,
            alphabet,
            np.vstack([np.eye(1, len(alphabet.letters)), emissions]),
            self._probabilities(insert, [slice(None)]),
            self._probabilities(transitions, [[MM, MI, MD], [IM, II], [DM, DD]]),
            accession=self._optional(tags, "ACC", str),
            description=self._optional(tags, "DESC", str),
            consensus=consensus,
            reference=annotation["RF"],
            mask=annotation["MM"],
            structure=annotation["CS"],
            columns=self._map(tags, notes),
            composition=None if composition is None else self._probabilities([composition], [slice(None)])[0],
            calibration=self._calibration(tags.get("STATS", [])),
            gathering=self._optional(tags, "GA", fields.cutoffs),
            trusted=self._optional(tags, "TC", fields.cutoffs),
            noise=self._optional(tags, "NC", fields.cutoffs),
            n_sequences=self._optional(tags, "NSEQ", fields.integer(0)),
            effective_number=self._optional(tags, "EFFN", fields.number),
            checksum=self._optional(tags, "CKSUM", fields.integer(0, fields.UINT32)),
            max_length=self._optional(tags, "MAXL", fields.integer(1)),
            date=self._optional(tags, "DATE", str),
            commands=tuple(re.sub(r"^\[\d+\]\s*", "", text) for _, text in tags.get("COM", [])),
        )

    def _error(self, what: str, line: int | None = None, **facts: object) -> FormatError:
        return FormatError(what, path=self.path, line=self.lines[self.at][0] if line is None else line, **facts)

    def _next(self, what: str) -> str:
        self.at += 1
        text = self.lines[self.at][1]
        if text == END:
            raise self._error("the model ends too early", got=END, expected=what)
        return text

    def _version(self) -> str:
        word = self._next("a header").split()[0]
        version = word[len(_MAGIC) :]
        if version not in tuple("abcdef"):
            raise self._error("unknown version of the format", got=repr(word), expected="HMMER3/a to HMMER3/f")
        return version

    def _tags(self) -> dict[str, list[Line]]:
        tags: dict[str, list[Line]] = {}
        while (words := self._next("a line HMM").split(None, 1))[0] != "HMM":
            tags.setdefault(words[0], []).append((self.lines[self.at][0], words[1] if len(words) > 1 else ""))
        return tags

    def _optional(self, tags: dict[str, list[Line]], tag: str, parse: Callable[[str], T]) -> T | None:
        if tag not in tags:
            return None
        line, text = tags[tag][-1]
        try:
            return parse(text)
        except ValueError as error:
            raise self._error(f"{tag} is off", line, got=repr(text[:40]), expected=str(error)) from error

    def _required(self, tags: dict[str, list[Line]], tag: str, parse: Callable[[str], T]) -> T:
        value = self._optional(tags, tag, parse)
        if value is None:
            raise self._error(f"the header has no {tag}")
        return value

    def _nodes(
        self, n_nodes: int, alphabet: Alphabet, version: str
    ) -> tuple[_Node | None, list[_Node], list[_Node], list[_Node], list[_Notes]]:
        """Return composition, match, insert and transition rows, and the annotation words of each match row."""
        letters, n_notes = alphabet.letters, len(_COLUMNS.get(version, _OLD_COLUMNS))
        if self.lines[self.at][1].split()[1:] != list(letters):
            raise self._error("letters of another alphabet", expected=" ".join(letters))
        self._next("names of the transitions")
        words = self._next("insert emissions of node 0").split()
        composition = None
        if words[0] == "COMPO":
            composition = self._row(words[1:], len(letters))
            words = self._next("insert emissions of node 0").split()
        insert = [self._row(words, len(letters))]
        transitions = [self._row(self._next("transitions of node 0").split(), 7)]
        match: list[_Node] = []
        notes: list[_Notes] = []
        for k in range(1, n_nodes + 1):
            words = self._next(f"node {k} of {n_nodes}").split()
            if words[0] != str(k) or len(words) != 1 + len(letters) + n_notes:
                expected = f"{k}, {len(letters)} numbers, {n_notes} columns of annotation"
                raise self._error(
                    f"match line of node {k} is off", got=f"{words[0]!r}, {len(words)} words", expected=expected
                )
            match.append(self._row(words[1 : 1 + len(letters)], len(letters)))
            notes.append(_Notes(words[1 + len(letters) :], self.lines[self.at][0]))
            insert.append(self._row(self._next(f"insert emissions of node {k}").split(), len(letters)))
            transitions.append(self._row(self._next(f"transitions of node {k}").split(), 7))
        if self.lines[self.at + 1][1] != END:
            raise self._error("more lines than LENG nodes have", self.lines[self.at + 1][0], expected=END)
        return composition, match, insert, transitions, notes

    def _row(self, words: list[str], count: int) -> _Node:
        if len(words) != count:
            raise self._error("wrong count of numbers", got=len(words), expected=count)
        try:
            values = [_INF if word == "*" else float(word) for word in words]
        except ValueError as error:
            raise self._error("not a number", got=str(error), expected="numbers -ln p, or * for p = 0") from error
        if values.count(_INF) != words.count("*"):
            raise self._error("a number is not finite", expected="numbers -ln p, or * for p = 0")
        return _Node(values, self.lines[self.at][0])

    def _probabilities(self, rows: list[_Node], groups: list[slice] | list[list[int]]) -> Array:
        negative_log = np.array([row.values for row in rows])
        good = (negative_log >= 0).all(axis=1)
        if not good.all():
            line = rows[int(np.argmin(good))].line
            raise self._error("a number is below 0 or no number", line, expected="numbers -ln p, or * for p = 0")
        probabilities = np.exp(-negative_log)
        for group in groups:
            total = probabilities[:, group].sum(axis=1)
            off = np.abs(total - 1) > _TOLERANCE
            if off.any():
                bad = int(np.argmax(off))
                raise self._error("probabilities do not sum to 1", rows[bad].line, got=f"{total[bad]:.4f}")
        return probabilities

    def _annotation(self, tags: dict[str, list[Line]], notes: list[_Notes], version: str) -> dict[str, str | None]:
        columns = _COLUMNS.get(version, _OLD_COLUMNS)
        found: dict[str, str | None] = {}
        for tag in ("CONS", "RF", "MM", "CS"):
            given = self._optional(tags, tag, fields.yes) and tag in columns
            letters = [(row.words[columns.index(tag)], row.line) for row in notes] if given else []
            for letter, line in letters:
                if len(letter) != 1:
                    raise self._error(f"annotation {tag} is not one letter a node", line, got=repr(letter))
            found[tag] = "".join(letter for letter, _ in letters) if given else None
        return found

    def _map(self, tags: dict[str, list[Line]], notes: list[_Notes]) -> IntArray | None:
        if not self._optional(tags, "MAP", fields.yes):
            return None
        columns = []
        for words, line in notes:
            try:
                columns.append(fields.integer(1)(words[0]))
            except ValueError as error:
                raise self._error(
                    "annotation MAP is off", line, got=repr(words[0][:40]), expected=str(error)
                ) from error
        return np.array(columns, np.int64)

    def _calibration(self, stats: list[Line]) -> Calibration | None:
        if not stats:
            return None
        try:
            return fields.calibration([value for _, value in stats])
        except ValueError as error:
            raise self._error("STATS is off", stats[-1][0], expected=str(error)) from error
