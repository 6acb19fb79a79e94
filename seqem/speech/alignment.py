"""Alignment: which word, phone and state was said when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Segment(NamedTuple):
    """A stretch of a recording, in seconds from its beginning.

    ``log_likelihood`` is that of the best path within the stretch; ``posterior`` the mean probability over its frames of
    being where the alignment is, 0 to 1. Both are None where they are not known, as in a file made by hand.
    """

    start: float
    end: float
    label: str
    log_likelihood: float | None = None
    posterior: float | None = None


@dataclass(frozen=True)
class Alignment:
    """Hold the tiers of one recording.

    Attributes
    ----------
    duration : float
        Seconds of the recording; no segment ends later.
    tiers : mapping
        Name ("words", "phones", "states") -> segments in order of time, which do not overlap; silence has a segment of its
        own in the finer tiers and none among the words.
    log_likelihood : float or None
        That of the whole path.
    """

    duration: float
    tiers: Mapping[str, tuple[Segment, ...]]
    log_likelihood: float | None = None

    @property
    def words(self) -> tuple[Segment, ...]:
        """The segments of the words."""
        return self.tiers["words"]
