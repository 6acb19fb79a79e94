"""FrontEnd: recordings to the frames a recogniser models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqem.core.checks import rows
from seqem.errors import DataError, ParameterError, RecordingsError
from seqem.shapes import AnyArray, Array, Mask
from seqem.speech.detection import loud_frames
from seqem.speech.each import by_speaker, for_each
from seqem.speech.features import Features
from seqem.speech.normalise import normalised, speaker_normalised

_WHOLES = ("utterance", "speaker", None)


@dataclass(frozen=True)
class FrontEnd:
    """Compute features and take away what is common to an utterance or a speaker.

    Attributes
    ----------
    features : Features
        What samples are turned to.
    normalise : {"utterance", "speaker", None}
        Over what the mean of each feature is removed. Of a speaker only loud frames count, where the features tell, so that who
        pauses more is not the more different for it.
    variance : bool
        Whether features are divided by their standard deviation too.
    """

    features: Features
    normalise: str | None = "utterance"
    variance: bool = False

    def __post_init__(self) -> None:
        if self.normalise not in _WHOLES:
            raise ParameterError("unknown normalise", got=repr(self.normalise), expected=f"one of {_WHOLES}")

    def __call__(self, recordings: Sequence[Any], speakers: Sequence[Any] | None = None) -> list[Array]:
        """Return the frames (T, D) of recordings, each given as samples (N,) or as features (T, D).

        Raises
        ------
        RecordingsError
            For recordings that are silent, too short for a frame, or not finite.
        """
        return self.normalised(self.raw(recordings), speakers)

    def raw(self, recordings: Sequence[Any]) -> list[Array]:
        """Return the frames of recordings before anything is taken away; errors are those of the call."""
        frames = for_each(self._features, map(np.asarray, recordings))
        widths = [part.shape[1] for part in frames]
        first = f"expected {widths[0]}, as the first has" if widths else ""
        other = [i for i, width in enumerate(widths) if width != widths[0]]
        reasons = {i: f"it has another number of features; got {widths[i]}; {first}" for i in other}
        if reasons:
            raise RecordingsError(reasons)
        return frames

    def normalised(self, frames: list[Array], speakers: Sequence[Any] | None = None) -> list[Array]:
        """Return the raw frames of recordings without what is common to an utterance or a speaker."""
        if self.normalise is None:
            return frames
        if self.normalise == "utterance":
            return [normalised(part, variance=self.variance) for part in frames]
        members = by_speaker(speakers, len(frames), "normalisation by speaker needs")
        return self._by_speaker(frames, [self._counted(part) for part in frames], members)

    def _counted(self, frames: Array) -> Mask:
        """Return which frames count for the mean: the loud ones, or all where features do not tell."""
        level = self.features.loudness(frames)
        return np.ones(len(frames), dtype=bool) if level is None else loud_frames(level)

    def _features(self, recording: AnyArray) -> Array:
        frames = self.features(recording) if recording.ndim == 1 else rows(recording)
        if not len(frames):
            got = f"{len(recording)} samples" if recording.ndim == 1 else "none"
            raise DataError("it has no frames", got=got, expected=f"at least {self.features.width} s")
        if recording.ndim == 1 and (recording == recording[0]).all():
            raise DataError("it is silent: all samples are equal", got=f"{len(recording)} samples")
        if not np.isfinite(frames).all():
            raise DataError("its features are not finite")
        return frames

    def _by_speaker(self, frames: list[Array], counted: list[Mask], members: list[list[int]]) -> list[Array]:
        out = list(frames)
        for own in members:
            masks = [counted[i] for i in own]
            parts = speaker_normalised([frames[i] for i in own], variance=self.variance, counted=masks)
            for i, part in zip(own, parts, strict=True):
                out[i] = part
        return out
