"""Alignments as JSON: all that is known of them, for other programs."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

from seqem.errors import DataError, FormatError
from seqem.io.streams import FilePath, atomic_write, open_binary
from seqem.speech.alignment import Alignment, Segment

_FORMAT = "seqem alignment 1"


def write_alignment_json(path: FilePath, alignment: Alignment) -> None:
    """Write an alignment as JSON, whole or not at all; every number comes back bit by bit.

    Parameters
    ----------
    path : path-like
        The file; ``.gz`` is packed.
    alignment : Alignment
        All of it is written.

    Raises
    ------
    DataError
        Where a number is not finite, which JSON cannot hold.
    """
    content = {
        "format": _FORMAT,
        "duration": float(alignment.duration),
        "log_likelihood": _plain(alignment.log_likelihood),
        "tiers": {name: [_as_dict(segment) for segment in tier] for name, tier in alignment.tiers.items()},
    }
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)
    except ValueError as error:
        raise DataError(
            f"{path}: a number of the alignment is not finite", expected="finite numbers or None"
        ) from error
    with atomic_write(path) as handle:
        handle.write(text + "\n")


def read_alignment_json(path: FilePath) -> Alignment:
    """Read what :func:`write_alignment_json` wrote.

    Parameters
    ----------
    path : path-like
        The file, packed or not.

    Raises
    ------
    FormatError
        Where the file is not JSON, not an alignment, or where segments are not in order of time within the recording.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.json"
    >>> write_alignment_json(path, Alignment(1.0, {"words": (Segment(0.2, 0.5, "yes", -12.5, 0.9),)}, -30.0))
    >>> read_alignment_json(path).words
    (Segment(start=0.2, end=0.5, label='yes', log_likelihood=-12.5, posterior=0.9),)
    """
    with open_binary(path) as handle:
        data = handle.read()
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError("is no JSON", got=str(error), path=str(path)) from error
    reader = _Reader(str(path))
    if reader.part(content, "format", str) != _FORMAT:
        reader.refuse("is no alignment", got=repr(content["format"]), expected=repr(_FORMAT))
    duration = reader.number(content, "duration")
    tiers = {
        name: tuple(reader.segment(row) for row in reader.of_type(rows, list))
        for name, rows in reader.part(content, "tiers", dict).items()
    }
    for name, tier in tiers.items():
        reader.check_order(name, tier, duration)
    return Alignment(duration, tiers, reader.number_or_none(content, "log_likelihood"))


def _plain(number: float | None) -> float | None:
    return None if number is None else float(number)


def _as_dict(segment: Segment) -> dict[str, Any]:
    return {key: value if isinstance(value, str) else _plain(value) for key, value in segment._asdict().items()}


class _Reader:
    """Take parts out of JSON, each of the type that it must be of."""

    def __init__(self, path: str) -> None:
        self._path = path

    def refuse(self, what: str, **facts: Any) -> NoReturn:
        raise FormatError(what, path=self._path, **facts)

    def of_type(self, value: Any, kind: type) -> Any:
        if type(value) is not kind:
            self.refuse("is no alignment", got=f"{value!r:.60}", expected=f"a {kind.__name__}")
        return value

    def part(self, content: Any, key: str, kind: type) -> Any:
        return self.of_type(self.of_type(content, dict).get(key), kind)

    def number(self, content: Any, key: str) -> float:
        value = self.of_type(content, dict).get(key)
        if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:
            self.refuse(f"{key} is off", got=f"{value!r:.60}", expected="a finite number")
        return float(value)

    def number_or_none(self, content: Any, key: str) -> float | None:
        return None if self.of_type(content, dict).get(key) is None else self.number(content, key)

    def segment(self, row: Any) -> Segment:
        return Segment(
            self.number(row, "start"),
            self.number(row, "end"),
            self.part(row, "label", str),
            self.number_or_none(row, "log_likelihood"),
            self.number_or_none(row, "posterior"),
        )

    def check_order(self, name: str, tier: tuple[Segment, ...], duration: float) -> None:
        last = 0.0
        for segment in tier:
            if not last <= segment.start <= segment.end <= duration:
                got, expected = f"{segment.start} to {segment.end}", f"{last} to {duration}"
                self.refuse(f"segments of tier {name!r} are out of order", got=got, expected=f"within {expected}")
            last = segment.end
