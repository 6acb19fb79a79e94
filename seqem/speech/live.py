"""Live: what a recogniser says while it listens, and the level of a stream whose end it does not know."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqem.shapes import Array

# Frames of the training that the mean of a stream begins with.
_FRAMES_BEFORE = 100


class Hearing(NamedTuple):
    """The words heard so far, the seconds gone by, and whether that is the last word on it."""

    words: tuple[str, ...]
    seconds: float
    final: bool


class Level:
    """Take from each frame of a stream the mean of those until then, and of some of the training before them.

    Parameters
    ----------
    mean, deviation : ndarray, shape (D,)
        Of the features of the training.

    Examples
    --------
    >>> level = Level(np.zeros(1), np.ones(1))
    >>> level(np.full((2, 1), 101.0)).round(2).tolist()
    [[100.0], [99.02]]
    """

    def __init__(self, mean: Array, deviation: Array) -> None:
        self._total, self._n_frames, self._deviation = _FRAMES_BEFORE * mean, float(_FRAMES_BEFORE), deviation

    def __call__(self, frames: Array, *, variance: bool = False) -> Array:
        """Return the next frames (T, D) less the mean until each, over the deviation of the training if asked for."""
        sums = self._total + np.cumsum(frames, axis=0)
        counts = self._n_frames + np.arange(1.0, len(frames) + 1.0)
        if len(frames):
            self._total, self._n_frames = sums[-1], float(counts[-1])
        away = frames - sums / counts[:, None]
        return away / np.where(self._deviation > 0, self._deviation, 1.0) if variance else away
