"""What a censored regression expects of new rows, from latent means and the limits."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from seqem.models.truncated import between
from seqem.shapes import Array

_FARTHEST = 1e6  # beyond it the mean within the limits is the limit, and rounding takes the width between them


def standard(mean: Array, scale: float, low: float, high: float) -> tuple[Array, Array]:
    """Return the limits in standard deviations from latent means, each of shape (N,).

    Examples
    --------
    >>> [z.tolist() for z in standard(np.array([1.0]), 2.0, 0.0, np.inf)]
    [[-0.5], [inf]]
    """
    near = np.clip(mean, low - _FARTHEST * scale, high + _FARTHEST * scale)
    return (low - near) / scale, (high - near) / scale


def censoring(a: Array, b: Array) -> Array:
    """Return the probabilities below ``a``, between and above ``b``, shape (N, 3).

    Examples
    --------
    >>> censoring(np.array([0.0]), np.array([np.inf])).tolist()
    [[0.5, 0.5, 0.0]]
    """
    return np.column_stack([norm.cdf(a), np.exp(between(a, b).log_probability), norm.sf(b)])


def truncated_mean(mean: Array, scale: float, low: float, high: float) -> Array:
    """Return the mean of the latent variable given that it is within the limits."""
    inside = between(*standard(mean, scale, low, high))
    return np.clip(mean + scale * inside.mean, low, high)


def censored_mean(mean: Array, scale: float, low: float, high: float) -> Array:
    """Return the mean of what is observed, the limits included.

    Examples
    --------
    >>> censored_mean(np.array([0.0]), 1.0, 0.0, np.inf).round(4).tolist()
    [0.3989]
    """
    left, middle, right = censoring(*standard(mean, scale, low, high)).T
    out = middle * truncated_mean(mean, scale, low, high)
    for share, limit in ((left, low), (right, high)):
        if np.isfinite(limit):
            out += share * limit
    return out
