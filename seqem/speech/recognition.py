"""Recognition: what a recogniser heard, when, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

from seqem.speech.alignment import Segment


@dataclass(frozen=True)
class Recognition:
    """One reading of a recording.

    Attributes
    ----------
    segments : tuple of Segment
        The words, in seconds, each with its share of ``score`` and its posterior.
    score : float
        Log-probability of the best path, language weight and word penalty included.
    log_likelihood : float
        Of the frames, given the words.
    confidence : float
        Mean posterior of the words over their frames, 0 to 1; of the pauses, where no word was heard.
    """

    segments: tuple[Segment, ...]
    score: float
    log_likelihood: float
    confidence: float

    @property
    def words(self) -> tuple[str, ...]:
        """The words."""
        return tuple(segment.label for segment in self.segments)
