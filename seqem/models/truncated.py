"""The normal distribution between two bounds: log-probability, hazards, moments; no loss in the tails."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr

from seqem.shapes import Array

_LOG_ROOT = 0.5 * np.log(2.0 * np.pi)


class Between(NamedTuple):
    """Of a standard normal variable between ``a`` and ``b``: log-probability, and density at a and b over the probability."""

    log_probability: Array
    at_low: Array
    at_high: Array


def between(a: Array, b: Array) -> Between:
    """Return what is known of a standard normal variable between bounds ``a < b``, which may be infinite.

    Accurate for bounds to +-1e8: far in a tail both bounds are mirrored to the side where ``log_ndtr`` keeps its digits.

    Examples
    --------
    >>> found = between(np.array([-np.inf, 40.0]), np.array([0.0, np.inf]))
    >>> found.log_probability.round(4).tolist(), found.at_low.round(3).tolist()
    ([-0.6931, -804.6084], [0.0, 40.025])
    """
    mirrored = a > -b  # more of the interval lies above zero
    low, high = np.where(mirrored, -b, a), np.where(mirrored, -a, b)
    upper, lower = log_ndtr(high), log_ndtr(low)
    with np.errstate(divide="ignore"):
        log_probability = upper + np.log1p(-np.exp(lower - upper))
    return Between(log_probability, _over(a, log_probability), _over(b, log_probability))


def _over(bound: Array, log_probability: Array) -> Array:
    finite = np.isfinite(bound)
    z = np.where(finite, bound, 0.0)
    return np.exp(np.where(finite, -0.5 * z**2 - _LOG_ROOT - log_probability, -np.inf))


def times(bound: Array, density: Array) -> Array:
    """Return ``bound * density``, 0 at infinite bounds.

    Examples
    --------
    >>> times(np.array([-np.inf, 2.0]), np.array([0.0, 0.5])).tolist()
    [0.0, 1.0]
    """
    return np.where(np.isfinite(bound), bound, 0.0) * density
