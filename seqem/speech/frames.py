"""Samples to windows: overlapping frames, what is done to each before its spectrum, and its energy."""

from __future__ import annotations

import numpy as np

from seqem.shapes import Array

_SMALLEST_ENERGY = 1e-10


def cut(samples: Array, width: int, shift: int) -> Array:
    """Return the whole frames (T, width) of samples (N,), one every ``shift``, as a view.

    Examples
    --------
    >>> cut(np.arange(7.0), 4, 2).tolist()
    [[0.0, 1.0, 2.0, 3.0], [2.0, 3.0, 4.0, 5.0]]
    """
    if len(samples) < width:
        return np.zeros((0, width))
    return np.lib.stride_tricks.sliding_window_view(samples, width)[::shift]


def log_energy(frames: Array) -> Array:
    """Return the logarithm of the sum of squares of each frame (T,)."""
    return np.log(np.maximum(np.einsum("tn,tn->t", frames, frames), _SMALLEST_ENERGY))


def emphasised(samples: Array, factor: float) -> Array:
    """Return samples (N,) less ``factor`` times the sample before each; the first is as it was.

    Examples
    --------
    >>> emphasised(np.array([4.0, 4.0, 6.0]), 0.5).tolist()
    [4.0, 2.0, 4.0]
    """
    out = np.array(samples, dtype=np.float64)
    out[1:] -= factor * samples[:-1]
    return out


def hamming(width: int) -> Array:
    """Return HTK's window (width,).

    Examples
    --------
    >>> hamming(3).round(2).tolist()
    [0.08, 1.0, 0.08]
    """
    return 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(width) / (width - 1))


def povey(width: int) -> Array:
    """Return Kaldi's window (width,): Hann's to the power 0.85, zero at the ends.

    Examples
    --------
    >>> povey(3).tolist()
    [0.0, 1.0, 0.0]
    """
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / (width - 1))) ** 0.85
