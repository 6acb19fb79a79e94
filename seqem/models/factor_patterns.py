"""Rows with holes under a factor model: expected moments through the factors, of which there are few."""

from __future__ import annotations

import numpy as np

from seqem.em.protocol import EStep
from seqem.models.patterns import LOG_2PI, Moments, MomentStats
from seqem.shapes import Array


def expected_factor_moments(mean: Array, loadings: Array, noise: Array, moments: Moments) -> EStep:
    """Return expected moments about ``mean`` of whole rows, given what is there of them, and the log-likelihood.

    What :func:`seqem.models.patterns.expected_moments` returns for the covariance ``loadings @ loadings.T + diag(noise)``, in
    O(D^2 q) a pattern in place of O(D^3): given the factors coordinates are independent, so that what is missing is known through
    their posterior, normal with precision ``I + loadings_o' noise_o^-1 loadings_o`` (Z. Ghahramani & G. Hinton 1996).

    Parameters
    ----------
    mean, loadings, noise : ndarray, shape (D,), (D, q), (D,)
        Parameters.
    moments : Moments
        Rows by pattern.

    Examples
    --------
    >>> from seqem.core.rows import Rows
    >>> from seqem.models.patterns import gather
    >>> moments = gather(Rows(np.array([[2.0, np.nan]])))
    >>> step = expected_factor_moments(np.zeros(2), np.ones((2, 1)), np.ones(2), moments)
    >>> step.stats.first.round(6).tolist(), step.stats.second.round(6).tolist()
    ([2.0, 1.0], [[4.0, 2.0], [2.0, 2.5]])
    """
    seen, weights = moments.seen, moments.weights
    weighted = np.where(seen, 1.0 / noise, 0.0)[:, :, None] * loadings
    inner = np.eye(loadings.shape[1]) + loadings.T @ weighted
    spread = np.linalg.inv(inner)
    regression = spread @ np.swapaxes(weighted, 1, 2)  # of the factors on what is there, (P, q, D)
    lost = np.where(seen[:, :, None], 0.0, loadings)
    away = np.where(seen, moments.mean - mean, 0.0)
    about = moments.scatter + weights[:, None, None] * away[:, :, None] * away[:, None, :]

    factors = np.einsum("pqd,pd->pq", regression, away)
    first = weights @ (away + np.einsum("pdq,pq->pd", lost, factors))
    cross = regression @ about
    explained = cross @ np.swapaxes(regression, 1, 2)
    squares = explained + weights[:, None, None] * spread
    beside = _summed(lost, cross)
    second = about.sum(axis=0) + beside + beside.T + _summed(lost, squares @ np.swapaxes(lost, 1, 2))
    second += np.diag(noise * (weights @ ~seen))

    log_det = np.linalg.slogdet(inner)[1] + seen @ np.log(noise)
    # What the factors leave and their own length, both squares: little noise then costs few digits.
    left = np.diagonal(about, axis1=1, axis2=2) - 2.0 * np.einsum("dq,pqd->pd", loadings, cross)
    left += ((loadings @ explained) * loadings).sum(axis=2)
    trace = (left * seen / noise).sum() + np.trace(explained, axis1=1, axis2=2).sum()
    log_likelihood = -0.5 * (weights @ (log_det + LOG_2PI * seen.sum(axis=1)) + trace)
    return EStep(MomentStats(weights.sum(), first, 0.5 * (second + second.T)), float(log_likelihood))


def _summed(left: Array, right: Array) -> Array:
    """Return the sum of products (D, D) of stacks (P, D, q) and (P, q, D), as one product."""
    D = left.shape[1]
    return np.swapaxes(left, 0, 1).reshape(D, -1) @ right.reshape(-1, right.shape[2])
