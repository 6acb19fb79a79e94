"""Total variability: what changes from recording to recording, as a few factors of all means of a background model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqem.core.linalg import cholesky, inverse_cholesky
from seqem.em.protocol import EStep
from seqem.shapes import Array
from seqem.speech.background import BaumWelch


class TotalVariability(NamedTuple):
    """Loadings T (C, D, R), in units of the deviations of the background's components."""

    loadings: Array


class TotalVariabilityStats(NamedTuple):
    """Expectations over the recordings, with N the frames of each by component, F their sums and w the factors.

    ``scatter`` (C, R, R) is of N w w', ``cross`` (C, D, R) of F w', ``second`` (R, R) of w w'; ``number`` is that of recordings.
    """

    scatter: Array
    cross: Array
    second: Array
    number: float


class FactorPosterior(NamedTuple):
    """Mean (S, R) and covariance (S, R, R) of the factors of recordings, and the log-likelihood of each (S,)."""

    mean: Array
    covariance: Array
    log_likelihood: Array


@dataclass(frozen=True, eq=False)
class TotalVariabilityModel:
    """Factor analysis of Baum-Welch statistics.

    The frames of a recording that component c accounts for are normal about ``mean_c + deviation_c * (T_c @ w)`` with the
    background's variances, one ``w ~ N(0, I)`` a recording. So the recording's statistics are all that counts, and given the
    alignment to components everything is normal.

    Notes
    -----
    A shard is :class:`seqem.speech.background.BaumWelch`. The log-likelihood is that of the frames given their alignment, less
    what it is for ``T = 0``.

    References
    ----------
    N. Dehak, P. Kenny, R. Dehak, P. Dumouchel and P. Ouellet (2011). Front-end factor analysis for speaker verification. IEEE
    Transactions on Audio, Speech and Language Processing 19, 788-798, equations 3-6.
    P. Kenny, G. Boulianne and P. Dumouchel (2005). Eigenvoice modeling with sparse training data. IEEE Transactions on Speech and
    Audio Processing 13, 345-354, propositions 1-3.

    Examples
    --------
    >>> shard = BaumWelch(np.array([[3.0]]), np.array([[[3.0]]]))
    >>> TotalVariabilityModel().posterior(TotalVariability(np.ones((1, 1, 1))), shard).mean
    array([[0.75]])
    """

    def posterior(self, params: TotalVariability, shard: BaumWelch) -> FactorPosterior:
        """Return what is known of the factors of recordings."""
        T = params.loadings
        R = T.shape[2]
        inner = _inner(T).reshape(-1, R * R)
        factor, log_det = inverse_cholesky(np.eye(R) + (shard.counts @ inner).reshape(-1, R, R))
        covariance = np.swapaxes(factor, 1, 2) @ factor
        pull = shard.first.reshape(len(shard.counts), -1) @ T.reshape(-1, R)
        mean = (covariance @ pull[:, :, None])[:, :, 0]
        return FactorPosterior(mean, covariance, 0.5 * ((pull * mean).sum(axis=1) - log_det))

    def e_step(self, params: TotalVariability, shard: BaumWelch) -> EStep:
        """Return expected statistics and the log-likelihood of a shard."""
        mean, covariance, log_likelihood = self.posterior(params, shard)
        S, R = mean.shape
        second = covariance + mean[:, :, None] * mean[:, None, :]
        scatter = (shard.counts.T @ second.reshape(S, -1)).reshape(-1, R, R)
        cross = (shard.first.reshape(S, -1).T @ mean).reshape(params.loadings.shape)
        return EStep(TotalVariabilityStats(scatter, cross, second.sum(axis=0), float(S)), float(log_likelihood.sum()))

    def m_step(self, stats: TotalVariabilityStats, params: TotalVariability) -> TotalVariability:
        """Return loadings that maximise Q, turned so that the factors have second moments I again.

        The second half is the minimum-divergence step, the reduction of parameter-expanded EM (Liu, Rubin & Wu 1998): Q of the
        model with ``w ~ N(0, K)`` has both maxima at once. Components without frames keep their loadings.
        """
        R = params.loadings.shape[2]
        seen = np.trace(stats.scatter, axis1=1, axis2=2)[:, None, None] > 0
        solved = np.linalg.solve(np.where(seen, stats.scatter, np.eye(R)), np.swapaxes(stats.cross, 1, 2))
        loadings = np.where(seen, np.swapaxes(solved, 1, 2), params.loadings)
        return TotalVariability(loadings @ cholesky(stats.second / stats.number))

    def log_prior(self, params: TotalVariability) -> float:
        """Return 0: there is no prior."""
        return 0.0

    def expected_log_likelihood(
        self, stats: TotalVariabilityStats, params: TotalVariability, reference: TotalVariability
    ) -> float:
        """Return Q(params | reference), up to a constant."""
        T = params.loadings
        return float((T * stats.cross).sum() - 0.5 * (_inner(T) * stats.scatter).sum())

    def pack(self, params: TotalVariability) -> Array:
        """Return the loadings as a vector."""
        return params.loadings.ravel()

    def unpack(self, vector: Array, like: TotalVariability) -> TotalVariability:
        """Return the loadings of a vector."""
        return TotalVariability(vector.reshape(like.loadings.shape))


def _inner(loadings: Array) -> Array:
    """Return T_c' T_c of each component, shape (C, R, R)."""
    return np.swapaxes(loadings, 1, 2) @ loadings
