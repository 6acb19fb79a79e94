"""Triangular filters on the mel scale, as HTK, Kaldi and Sphinx place them, and the warping of their centres."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seqem.errors import ParameterError
from seqem.shapes import Array


def mel(frequency: Any) -> Array:
    """Return mels of frequencies in hertz: 1127 log(1 + f / 700).

    Examples
    --------
    >>> round(float(mel(1000.0)), 1)
    1000.0
    """
    return 1127.0 * np.log1p(np.asarray(frequency, dtype=np.float64) / 700.0)


def hertz(mels: Any) -> Array:
    """Return frequencies in hertz of mels."""
    return 700.0 * np.expm1(np.asarray(mels, dtype=np.float64) / 1127.0)


class Warp(NamedTuple):
    """Vocal-tract-length normalisation: frequencies are divided by ``factor`` between two cut-offs, and meet the ends beyond."""

    factor: float
    lower: float
    upper: float

    def __call__(self, frequency: Array, low: float, high: float) -> Array:
        """Return warped frequencies between ``low`` and ``high``, which stay."""
        scale = 1.0 / self.factor
        upper, lower = (2.0 * cut / (1.0 + scale) for cut in (self.upper, self.lower))
        above = (high - upper * scale) / (high - upper)
        below = (lower * scale - low) / (lower - low)
        middle = np.where(frequency < lower, below * (frequency - low) + low, scale * frequency)
        return np.where(frequency > upper, above * (frequency - upper) + scale * upper, middle)


class FilterBank(NamedTuple):
    """Weights (bins, channels) of a power spectrum with ``n_fft // 2 + 1`` bins, and the centres in mels (channels,)."""

    weights: Array
    centres: Array


def htk_bank(
    sample_rate: float, n_fft: int, n_channels: int, low: float, high: float, warp: Warp | None = None
) -> FilterBank:
    """Return HTK's filters: a bin is shared by the two channels whose centres it lies between.

    Bins below ``int(low / width + 2.5)`` and above ``int(high / width + 0.5)``, counted from 1, are left out, as HTK does.

    Examples
    --------
    >>> bank = htk_bank(16000, 512, 23, 0.0, 8000.0)
    >>> bank.weights.shape, bank.weights.sum(axis=1).max().round(6)
    ((257, 23), np.float64(1.0))
    """
    _check(sample_rate, n_channels, low, high)
    bottom, top = mel(low), mel(high)
    edges = bottom + np.arange(n_channels + 2) / (n_channels + 1) * (top - bottom)
    if warp is not None:
        edges[1:] = mel(warp(hertz(edges[1:]), low, high))
    width = sample_rate / n_fft
    first, last = max(2, int(low / width + 2.5)) - 1, min(n_fft // 2, int(high / width + 0.5)) - 1
    at = mel(np.arange(first, last + 1) * width)
    below = np.searchsorted(edges[1:], at)  # channels whose centre lies below the bin
    share = (edges[below + 1] - at) / (edges[below + 1] - edges[below])
    weights = np.zeros((n_fft // 2 + 1, n_channels + 2))
    rows = np.arange(first, last + 1)
    weights[rows, below], weights[rows, below + 1] = share, 1.0 - share
    return FilterBank(np.ascontiguousarray(weights[:, 1:-1]), edges[1:-1])


def kaldi_bank(sample_rate: float, n_fft: int, n_channels: int, low: float, high: float) -> FilterBank:
    """Return Kaldi's filters: triangles in mels; the bin at half the sample rate is left out.

    Examples
    --------
    >>> kaldi_bank(16000, 512, 23, 20.0, 8000.0).weights[0].any()
    np.False_
    """
    _check(sample_rate, n_channels, low, high)
    bottom, top = mel(low), mel(high)
    edges = bottom + np.arange(n_channels + 2) / (n_channels + 1) * (top - bottom)
    at = mel(np.arange(n_fft // 2) * sample_rate / n_fft)[:, None]
    rise = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    weights = np.zeros((n_fft // 2 + 1, n_channels))
    weights[:-1] = np.maximum(np.minimum(rise, fall), 0.0)
    return FilterBank(weights, edges[1:-1])


def sphinx_bank(
    sample_rate: float, n_fft: int, n_channels: int, low: float, high: float, *, rounded: bool = True
) -> FilterBank:
    """Return Sphinx's filters: triangles in hertz of area 1, whose corners are bins where ``rounded``.

    Examples
    --------
    >>> sphinx_bank(16000, 512, 25, 130.0, 6800.0).weights.shape
    (257, 25)
    """
    _check(sample_rate, n_channels, low, high)
    bottom, top = mel(low), mel(high)
    edges = hertz(bottom + np.arange(n_channels + 2) / (n_channels + 1) * (top - bottom))
    width = sample_rate / n_fft
    corners = np.floor(edges / width + 0.5) * width if rounded else edges
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    if not (np.diff(corners) > 0).all():
        hint = "take fewer filters or a wider band"
        raise ParameterError("filters are narrower than a bin of the spectrum", got=n_channels, hint=hint)
    at = np.arange(n_fft // 2 + 1)[:, None] * width
    height = np.minimum((at - left) / (centre - left), (right - at) / (right - centre))
    weights = np.maximum(height, 0.0) * 2.0 / (right - left)
    weights[-1] = 0.0  # half the sample rate is left out
    return FilterBank(weights, mel(edges[1:-1]))


def _check(sample_rate: float, n_channels: int, low: float, high: float) -> None:
    if not 0 <= low < high <= sample_rate / 2:
        raise ParameterError(
            "the band does not fit", got=f"{low:g} to {high:g} Hz", expected=f"within 0 to {sample_rate / 2:g} Hz",
            hint="half the sample rate is the highest frequency there is",
        )  # fmt: skip
    if not (isinstance(n_channels, int | np.integer) and n_channels >= 1):
        raise ParameterError("n_channels is off", got=n_channels, expected="a positive integer")
