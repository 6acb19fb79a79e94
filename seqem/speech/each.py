"""Recordings one by one, and those of each speaker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from seqem.errors import DataError, RecordingsError

Result = TypeVar("Result")


def for_each(work: Callable[[Any], Result], items: Iterable[Any]) -> list[Result]:
    """Return what ``work`` makes of each recording; RecordingsError that names all that it refuses."""
    results, reasons = [], {}
    for number, item in enumerate(items):
        try:
            results.append(work(item))
        except DataError as error:
            reasons[number] = str(error)
    if reasons:
        raise RecordingsError(reasons)
    return results


def by_speaker(speakers: Sequence[Any] | None, n_recordings: int, who_asks: str) -> list[list[int]]:
    """Return the numbers of each speaker's recordings; DataError where it is not known who speaks in all of them."""
    if speakers is None or len(speakers) != n_recordings or any(name is None or name != name for name in speakers):
        raise DataError(f"{who_asks} a speaker for each recording", got=speakers)
    return [[i for i, name in enumerate(speakers) if name == speaker] for speaker in dict.fromkeys(speakers)]
