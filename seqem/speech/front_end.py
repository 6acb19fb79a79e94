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
from seqem.speech.features import Features
from seqem.speech.frames import cut, emphasised, log_energy
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
        Over what the mean of each feature is removed. Of the samples of a speaker only loud frames count, so that who pauses more
        is not the more different for it.
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
        return self.normalised(self.raw(recordings), recordings, speakers)

    def raw(self, recordings: Sequence[Any]) -> list[Array]:
        """Return the frames of recordings before anything is taken away; errors are those of the call."""
        frames, reasons = [], {}
        for i, recording in enumerate(recordings):
            try:
                frames.append(self._features(np.asarray(recording)))
            except DataError as error:
                reasons[i] = str(error)
        if reasons:
            raise RecordingsError(reasons)
        return frames

    def normalised(
        self, frames: list[Array], recordings: Sequence[Any], speakers: Sequence[Any] | None = None
    ) -> list[Array]:
        """Return the raw frames of recordings without what is common to an utterance or a speaker."""
        if self.normalise is None:
            return frames
        if self.normalise == "utterance":
            return [normalised(part, variance=self.variance) for part in frames]
        if speakers is None or len(speakers) != len(frames):
            raise DataError("normalisation by speaker needs a speaker for each recording", got=speakers)
        counted = [
            self._counted(np.asarray(recording), len(part)) for recording, part in zip(recordings, frames, strict=True)
        ]
        return self._by_speaker(frames, counted, speakers)

    def _counted(self, recording: AnyArray, n_frames: int) -> Mask:
        """Return which frames count for the mean: the loud ones of samples, all of features."""
        if recording.ndim == 2:
            return np.ones(n_frames, dtype=bool)
        rate, sharp = self.features.sample_rate, emphasised(recording, self.features.pre_emphasis)
        frames = cut(sharp, round(self.features.width * rate), round(self.features.shift * rate))
        return loud_frames(log_energy(frames[:n_frames]))

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

    def _by_speaker(self, frames: list[Array], counted: list[Mask], speakers: Sequence[Any]) -> list[Array]:
        out = list(frames)
        for speaker in dict.fromkeys(speakers):
            own = [i for i, name in enumerate(speakers) if name == speaker]
            masks = [counted[i] for i in own]
            parts = speaker_normalised([frames[i] for i in own], variance=self.variance, counted=masks)
            for i, part in zip(own, parts, strict=True):
                out[i] = part
        return out
