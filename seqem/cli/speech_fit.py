"""Fits to recordings some of which may be shorter than what is said in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from seqem.errors import RecordingsError

if TYPE_CHECKING:
    from seqem.cli.speech_batch import Batch
    from seqem.cli.speech_inputs import Heard

Result = TypeVar("Result")


def with_those_that_fit(
    run: Callable[[Sequence[Heard]], Result], heard: Sequence[Heard], batch: Batch
) -> tuple[Result, list[Heard]]:
    """Return what ``run`` makes of recordings without those that it refuses, and which it took."""
    left = list(heard)
    while True:
        batch.check(left)
        try:
            return run(left), left
        except RecordingsError as error:
            for number, reason in sorted(error.reasons.items()):
                batch.note(left[number].recording, reason)
            left = [each for number, each in enumerate(left) if number not in error.reasons]


def words_of(heard: Sequence[Heard]) -> list[str]:
    """Return the transcripts of recordings that have them."""
    return [str(each.recording.transcript) for each in heard]


def speakers_of(heard: Sequence[Heard]) -> list[Any]:
    """Return who speaks in each recording, None where that is not known."""
    return [each.recording.speaker for each in heard]
