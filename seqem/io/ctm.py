"""NIST CTM: the words of many recordings with their times, one a line, as scoring tools take them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from seqem.errors import DataError, FormatError
from seqem.io.streams import FilePath, atomic_write, open_text
from seqem.speech.alignment import Alignment, Segment

_COMMENT = ";;"
_NOT_UTF8 = "\ufffd"
_ROUNDING = 0.0201  # seconds: a start and a duration, each cut to hundredths


def read_ctm(path: FilePath, *, channel: str | None = None) -> dict[str, Alignment]:
    """Read the words of each recording; the confidence becomes the posterior.

    Parameters
    ----------
    path : path-like
        The file, packed or not.
    channel : str, optional
        Take the words of this channel only; needed where a recording has more than one.

    Returns
    -------
    dict
        Recording -> alignment with the one tier "words". A CTM does not know how long a recording is, so the duration is
        the end of the last word.

    Raises
    ------
    FormatError
        With the line, where it has too few fields or no times, or where words overlap by more than rounding does.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.ctm"
    >>> _ = path.write_text("a 1 0.20 0.30 yes 0.9\\nb 1 0.10 0.20 no\\n")
    >>> {name: alignment.words[0].label for name, alignment in read_ctm(path).items()}
    {'a': 'yes', 'b': 'no'}
    """
    rows: dict[str, list[tuple[Segment, int]]] = {}
    channels: dict[str, str] = {}
    with open_text(path) as handle:
        for number, line in enumerate(handle, 1):
            fields = line.split()
            if not fields or line.startswith(_COMMENT):
                continue
            segment = _segment(fields, str(path), number)
            name, of_line = fields[:2]
            if channel not in (None, of_line):
                continue
            if channels.setdefault(name, of_line) != of_line:
                got = f"{channels[name]!r} and {of_line!r}"
                hint = "say which with channel="
                raise FormatError(f"{name} has two channels", got=got, hint=hint, path=str(path), line=number)
            rows.setdefault(name, []).append((segment, number))
    return {name: _alignment(found, str(path)) for name, found in rows.items()}


def write_ctm(path: FilePath, alignments: Mapping[str, Alignment], *, tier: str = "words", channel: str = "1") -> None:
    """Write one tier of each alignment, times to the millisecond, the posterior as confidence.

    Parameters
    ----------
    path : path-like
        The file; ``.gz`` is packed.
    alignments : mapping
        Recording -> its alignment. Segments without a label are silence and are not written.
    tier : str
        Which one.
    channel : str
        What to write as channel.

    Raises
    ------
    DataError
        Where an alignment has no such tier, or a name or word is empty or has a blank, which a CTM cannot hold.
    """
    with atomic_write(path) as handle:
        for name, alignment in alignments.items():
            if tier not in alignment.tiers:
                raise DataError(f"{name} has no such tier", got=repr(tier), expected=f"one of {list(alignment.tiers)}")
            for segment in alignment.tiers[tier]:
                if segment.label:
                    handle.write(_line(name, channel, segment))


def _segment(fields: list[str], path: str, number: int) -> Segment:
    if not 5 <= len(fields) <= 6 or _NOT_UTF8 in "".join(fields):
        expected = "recording, channel, start, duration, word and perhaps confidence"
        raise FormatError("is no line of a CTM", got=repr(" ".join(fields)), expected=expected, path=path, line=number)
    start, length = (_number(field, path, number) for field in fields[2:4])
    confidence = _number(fields[5], path, number) if len(fields) == 6 else None
    return Segment(start, start + length, fields[4], None, confidence)


def _number(field: str, path: str, line: int) -> float:
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise FormatError("time or confidence is off", got=repr(field), expected="a number >= 0", path=path, line=line)
    return value


def _alignment(rows: list[tuple[Segment, int]], path: str) -> Alignment:
    """Return the alignment of a recording; where two words overlap by rounding the earlier gives way."""
    rows.sort(key=lambda row: row[0].start)
    words: list[Segment] = []
    for segment, line in rows:
        if words and words[-1].end > segment.start:
            before = words[-1]
            if before.end > segment.start + _ROUNDING:
                got = f"{segment.label!r} at {segment.start}"
                raise FormatError("words overlap", got=got, expected=f"{before.end} at least", path=path, line=line)
            words[-1] = before._replace(end=segment.start)
        words.append(segment)
    return Alignment(words[-1].end, {"words": tuple(words)})


def _line(name: str, channel: str, segment: Segment) -> str:
    for text in (name, channel, segment.label):
        if text.split() != [text] or text.startswith(_COMMENT):
            raise DataError("cannot be kept in a CTM", got=repr(text), expected="a word without blanks")
    # Both ends are rounded and then subtracted, so that neighbours still meet and never overlap.
    start, end = round(1000 * segment.start), round(1000 * segment.end)
    confidence = "" if segment.posterior is None else f" {segment.posterior:.4f}"
    return f"{name} {channel} {start / 1000:.3f} {(end - start) / 1000:.3f} {segment.label}{confidence}\n"
