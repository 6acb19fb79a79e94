"""Praat TextGrids: the tiers of one recording, as people and aligners edit them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from typing import IO, Literal, NoReturn

from seqem.errors import DataError, FormatError, ParameterError
from seqem.io.streams import FilePath, atomic_write, open_binary
from seqem.speech.alignment import Alignment, Segment

# Praat itself reads only texts in quotes, flags and numbers that stand alone; names and marks between are for people.
_TOKEN = re.compile(
    r'(?P<text>"(?:[^"]|"")*")|(?P<flag><\w+>)|(?<!\S)(?P<number>[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?!\S)|(?<!\S)![^\n]*'
)
_MOST_DIGITS = 9
_SAME_TIME = 1e-6  # seconds, less than one sample of any recording


def read_textgrid(path: FilePath) -> Alignment:
    """Read a TextGrid in Praat's long or short text form, in UTF-8 or UTF-16.

    Intervals without text are gaps and become no segment. Times stay as the file has them, also where it says that it begins
    later than at 0. Tiers of points are skipped: a point has no length, and an alignment says what was heard how long.

    Parameters
    ----------
    path : path-like
        The file, packed or not.

    Returns
    -------
    Alignment
        Its duration is the end of the file's time.

    Raises
    ------
    FormatError
        With the line, where the file is not a TextGrid, is cut short, has two tiers of one name, or where an interval
        with text has no length, overlaps the one before, or begins before 0.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.TextGrid"
    >>> write_textgrid(path, Alignment(1.0, {"words": (Segment(0.2, 0.5, "yes"),)}))
    >>> read_textgrid(path).words
    (Segment(start=0.2, end=0.5, label='yes', log_likelihood=None, posterior=None),)
    """
    tokens = _Tokens(_decoded(path), str(path))
    kind = tokens.text(), tokens.text()
    if not kind[0].startswith("ooTextFile") or kind[1] != "TextGrid":
        tokens.refuse("is no TextGrid", got=f"{kind[0]!r} of {kind[1]!r}", expected="'ooTextFile' of 'TextGrid'")
    tokens.number()
    duration = tokens.number()
    tiers: dict[str, tuple[Segment, ...]] = {}
    for _ in range(tokens.count() if tokens.flag() == "<exists>" else 0):
        kind_of_tier, name = tokens.text(), tokens.text()
        if kind_of_tier not in ("IntervalTier", "TextTier"):
            tokens.refuse("unknown kind of tier", got=repr(kind_of_tier), expected="'IntervalTier' or 'TextTier'")
        if kind_of_tier == "IntervalTier" and name in tiers:
            tokens.refuse("two tiers have one name", got=repr(name), hint="rename one in Praat")
        tokens.number()
        tokens.number()
        entries = range(tokens.count())
        if kind_of_tier == "IntervalTier":
            tiers[name] = _intervals(tokens, entries)
            duration = max([duration, *(segment.end for segment in tiers[name])])
        else:
            for _ in entries:
                tokens.number()
                tokens.text()
    if not duration > 0:
        tokens.refuse("lasts no time", got=f"{duration} seconds", expected="more than 0")
    return Alignment(duration, tiers)


def write_textgrid(path: FilePath, alignment: Alignment, *, form: Literal["long", "short"] = "long") -> None:
    """Write an alignment as a TextGrid in UTF-8, whole or not at all.

    Gaps become intervals without text; what lies outside the recording is cut off, and a segment of which nothing is
    left is not written. Likelihoods and posteriors have no place in a TextGrid.

    Parameters
    ----------
    path : path-like
        The file; ``.gz`` is packed.
    alignment : Alignment
        Its tiers, all of which are written.
    form : {"long", "short"}
        With names beside the numbers, or without.

    Raises
    ------
    DataError
        Where segments overlap, or the recording lasts no time.
    ParameterError
        For another form.
    """
    if form not in ("long", "short"):
        raise ParameterError("form is off", got=repr(form), expected="'long' or 'short'")
    if not alignment.duration > 0:
        raise DataError(f"{path}: the recording lasts no time", got=alignment.duration, expected="seconds > 0")
    tiers = {name: _whole(tier, alignment.duration, name) for name, tier in alignment.tiers.items()}
    with atomic_write(path) as handle:
        (_write_long if form == "long" else _write_short)(handle, tiers, repr(float(alignment.duration)))


class _Tokens:
    """The tokens of a TextGrid one after another, each of the kind that must come."""

    def __init__(self, text: str, path: str) -> None:
        self._text, self._path, self._at = text, path, 0
        self._found = (found for found in _TOKEN.finditer(text) if found.lastgroup)

    def refuse(self, what: str, **facts: str) -> NoReturn:
        raise FormatError(what, path=self._path, line=self._text.count("\n", 0, self._at) + 1, **facts)

    def _next(self, kind: str) -> str:
        found = next(self._found, None)
        if found is None:
            self._at = len(self._text)
            self.refuse("is no whole TextGrid", got="its end", expected=f"a {kind}")
        self._at = found.start()
        if found.lastgroup != kind:
            self.refuse("is no TextGrid", got=repr(found.group()[:40]), expected=f"a {kind}")
        return found.group()

    def text(self) -> str:
        return self._next("text")[1:-1].replace('""', '"')

    def flag(self) -> str:
        return self._next("flag")

    def number(self) -> float:
        return float(self._next("number"))

    def count(self) -> int:
        number = self._next("number")
        if not (number.isdigit() and len(number) <= _MOST_DIGITS):
            self.refuse("number of parts is off", got=number, expected="0, 1, 2 ...")
        return int(number)


def _decoded(path: FilePath) -> str:
    with open_binary(path) as handle:
        data = handle.read()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            "is no text in UTF-8 or UTF-16", got=str(error), hint="save it as UTF-8 in Praat", path=str(path)
        ) from error


def _intervals(tokens: _Tokens, entries: range) -> tuple[Segment, ...]:
    """Return those of the next intervals that have a text."""
    segments: list[Segment] = []
    last = 0.0
    for _ in entries:
        start, end, label = tokens.number(), tokens.number(), tokens.text()
        if not label.strip():
            continue
        if start < last - _SAME_TIME:
            tokens.refuse(f"interval {label!r} begins too early", got=str(start), expected=f"{last} at least")
        start = max(start, last)
        if not start < end < float("inf"):
            tokens.refuse(f"interval {label!r} has no length", got=f"{start} to {end}")
        segments.append(Segment(start, end, label))
        last = end
    return tuple(segments)


def _whole(tier: Sequence[Segment], duration: float, name: str) -> list[Segment]:
    """Return the segments within the recording and the gaps between, without a gap or overlap that is only rounding."""
    intervals: list[Segment] = []
    last = 0.0
    for segment in tier:
        start = max(segment.start, 0.0)
        end = duration if segment.end >= duration - _SAME_TIME else segment.end
        if start < last - _SAME_TIME:
            raise DataError(
                f"segments of tier {name!r} overlap", got=f"{segment.label!r} at {start}", expected=f"{last} at least"
            )
        start = last if abs(start - last) <= _SAME_TIME else start
        if not end > start:
            continue
        if start > last:
            intervals.append(Segment(last, start, ""))
        intervals.append(Segment(start, end, segment.label))
        last = end
    if last < duration:
        intervals.append(Segment(last, duration, ""))
    return intervals


def _numbers_and_text(segment: Segment) -> Iterator[str]:
    yield repr(float(segment.start))
    yield repr(float(segment.end))
    yield _quoted(segment.label)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _write_short(handle: IO[str], tiers: dict[str, list[Segment]], duration: str) -> None:
    rows = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", duration, "<exists>", str(len(tiers))]
    for name, intervals in tiers.items():
        rows += ['"IntervalTier"', _quoted(name), "0", duration, str(len(intervals))]
        for segment in intervals:
            rows += _numbers_and_text(segment)
    handle.write("\n".join(rows) + "\n")


def _write_long(handle: IO[str], tiers: dict[str, list[Segment]], duration: str) -> None:
    handle.write('File type = "ooTextFile"\nObject class = "TextGrid"\n\n')
    handle.write(f"xmin = 0\nxmax = {duration}\ntiers? <exists>\nsize = {len(tiers)}\nitem []:\n")
    for place, (name, intervals) in enumerate(tiers.items(), 1):
        handle.write(f'    item [{place}]:\n        class = "IntervalTier"\n        name = {_quoted(name)}\n')
        handle.write(f"        xmin = 0\n        xmax = {duration}\n        intervals: size = {len(intervals)}\n")
        for number, segment in enumerate(intervals, 1):
            handle.write(f"        intervals [{number}]:\n")
            for key, value in zip(("xmin", "xmax", "text"), _numbers_and_text(segment), strict=True):
                handle.write(f"            {key} = {value}\n")
