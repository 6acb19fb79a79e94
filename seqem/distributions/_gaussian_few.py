"""E-step of a mixture of few Gaussians in few columns: densities, shares and moments in one go over blocks of rows."""

from __future__ import annotations

import numpy as np

from seqem.core.linalg import inverse_cholesky
from seqem.distributions._gaussian_diagonal import LOG_2PI
from seqem.kernels.few import few_joint, few_moments
from seqem.kernels.gaussian import LANES
from seqem.shapes import Array

# Rows of a block: what it holds stays in the cache.
_BLOCK = 2048
_MOST_COLUMNS = 6


def suits(mean: Array, x: Array) -> bool:
    """Return whether components of these means (K, D) are few enough to gain, and no entry of the rows is missing."""
    K, D = mean.shape
    return K < LANES and D <= _MOST_COLUMNS and not np.isnan(x).any()


def weigh(
    mean: Array, covariance: Array, log_weights: Array, x: Array, weights: Array
) -> tuple[Array, Array, Array, Array]:
    """Return log-densities of the mixture (N,), and mass (K,), first (K, D) and second moments about the means.

    Parameters
    ----------
    mean, covariance : ndarray, shape (K, D), (K, D) or (K, D, D)
        Variances, whose second moments are (K, D), or matrices, whose second moments are (K, D, D).
    log_weights : ndarray, shape (K,)
        Logarithms of the components' probabilities.
    x, weights : ndarray, shape (N, D), (N,)
        Rows and what they count.
    """
    K, D = mean.shape
    full = covariance.ndim == 3
    factor, log_det = inverse_cholesky(covariance if full else covariance[:, :, None] * np.eye(D))
    constant = log_weights - 0.5 * (log_det + D * LOG_2PI)
    factor = np.ascontiguousarray(factor * np.sqrt(0.5))
    scores, mass = np.empty(len(x)), np.zeros(K)
    first, second = np.zeros((K, D)), np.zeros((K, D, D))
    rows = np.ascontiguousarray(x)
    for start in range(0, len(x), _BLOCK):
        at = slice(start, start + _BLOCK)
        block, out = rows[at], scores[at]
        columns, joint, top = np.empty((D + 1, len(block))), np.empty((K, len(block))), np.empty(len(block))
        few_joint(block, mean, factor, constant, columns, joint, top)
        np.exp(joint, out=joint)
        few_moments(columns, joint, weights[at], mean, full, out, mass, first, second)
        with np.errstate(divide="ignore"):
            np.log(out, out=out)
        out += top
    if not full:
        return scores, mass, first, np.diagonal(second, axis1=1, axis2=2).copy()
    return scores, mass, first, np.tril(second) + np.swapaxes(np.tril(second, -1), 1, 2)
