"""Speech or silence, by energy."""

from __future__ import annotations

import numpy as np

from seqem.errors import ParameterError
from seqem.shapes import Array, Mask

_LOUD = 0.95


def loud_frames(log_energy: Array, decibels: float = 15.0) -> Mask:
    """Return which frames (T,) are at most so many decibels below the loudest, of which one in twenty does not count.

    Examples
    --------
    >>> loud_frames(np.log([1e-6, 1e-3, 1.0, 0.5])).tolist()
    [False, False, True, True]
    """
    if not len(log_energy):
        return np.zeros(0, dtype=bool)
    return np.asarray(log_energy >= np.quantile(log_energy, _LOUD) - decibels * np.log(10.0) / 10.0)


def speech_frames(
    log_energy: Array, *, threshold: float = 5.5, mean_share: float = 0.5, context: int = 2, proportion: float = 0.6
) -> Mask:
    """Return which frames are speech: those loud enough, or among neighbours most of which are.

    A frame is loud above ``threshold + mean_share * mean(log_energy)``, Kaldi's rule with its usual values; it is speech where at
    least ``proportion`` of the frames from ``context`` before to ``context`` after are loud.

    Parameters
    ----------
    log_energy : ndarray, shape (T,)
        Natural logarithm of the energy of each frame, on the scale of 16-bit samples.
    threshold, mean_share : float
        Constant part of the threshold, and share of the mean log energy that is added.
    context : int
        Frames to both sides.
    proportion : float
        Of loud frames.

    Raises
    ------
    ParameterError
        For a context below 0 or a proportion that is no share.

    Examples
    --------
    >>> speech_frames(np.array([1.0, 1.0, 1.0, 20.0, 20.0, 20.0, 20.0, 1.0, 1.0, 1.0])).astype(int).tolist()
    [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    """
    if context < 0 or not 0 < proportion <= 1:
        raise ParameterError("context or proportion is off", got=(context, proportion), expected=">= 0 and in (0, 1]")
    if not len(log_energy):
        return np.zeros(0, dtype=bool)
    loud = (log_energy > threshold + mean_share * log_energy.mean()).astype(float)
    kernel = np.ones(2 * context + 1)
    near = np.convolve(np.pad(np.ones(len(loud)), context), kernel, "valid")
    return np.asarray(np.convolve(np.pad(loud, context), kernel, "valid") >= proportion * near)
