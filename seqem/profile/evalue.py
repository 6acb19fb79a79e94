"""Statistics of scores of random sequences: Gumbel for best paths, an exponential tail for Forward (Eddy 2008)."""

from __future__ import annotations

import numpy as np

from seqem.shapes import Array, IntArray


def null_score(lengths: IntArray | int) -> Array:
    """Return the log probability of the length under the null model, in nats."""
    L = np.asarray(lengths, dtype=np.float64)
    return L * np.log(L / (L + 1)) - np.log(L + 1)


def gumbel_survival(score: Array, location: float, scale: float) -> Array:
    """Return P(S >= score) of a Gumbel distribution, whose ``scale`` multiplies the score.

    Examples
    --------
    >>> round(float(gumbel_survival(np.array(0.0), 0.0, 0.7)), 4)
    0.6321
    """
    with np.errstate(over="ignore"):
        return -np.expm1(-np.exp(-scale * (np.asarray(score) - location)))


def exponential_log_survival(score: Array | float, location: float, scale: float) -> Array:
    """Return log P(S >= score) of an exponential tail from ``location`` on.

    Examples
    --------
    >>> float(exponential_log_survival(12.0, 2.0, 0.5))
    -5.0
    """
    return np.minimum(0.0, -scale * (np.asarray(score, dtype=np.float64) - location))


def gumbel_location(scores: Array, scale: float) -> float:
    """Return the maximum likelihood location of a Gumbel distribution of known scale.

    Examples
    --------
    >>> round(gumbel_location(np.array([1.0, 2.0, 3.0]), 0.7), 4)
    1.7756
    """
    smallest = scores.min()
    return float(smallest - np.log(np.mean(np.exp(-scale * (scores - smallest)))) / scale)


def gumbel_fit(scores: Array) -> tuple[float, float]:
    """Return the maximum likelihood location and scale of a Gumbel distribution.

    References
    ----------
    Lawless, Statistical Models and Methods for Lifetime Data (1982), eq. 4.1.6.
    """
    from scipy.optimize import brentq

    shifted = scores - scores.min()
    mean = shifted.mean()

    def slope(scale: float) -> float:
        weight = np.exp(-scale * shifted)
        return float(1 / scale - mean + (shifted * weight).sum() / weight.sum())

    start = np.pi / np.sqrt(6 * scores.var())
    scale = brentq(slope, start / 100, start * 100, xtol=1e-12)
    return gumbel_location(scores, scale), float(scale)


def gumbel_quantile(p: float, location: float, scale: float) -> float:
    """Return the score whose cumulative probability is ``p``."""
    return float(location - np.log(-np.log(p)) / scale)
