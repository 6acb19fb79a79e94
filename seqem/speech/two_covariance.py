"""The two-covariance model: vectors of a speaker scatter about a vector of the speaker, which scatters about the mean of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqem.core.linalg import cholesky, inverse_cholesky, pack_spd, unpack_spd
from seqem.em.protocol import EStep
from seqem.shapes import Array

_LOG_2PI = float(np.log(2.0 * np.pi))


class PLDAParams(NamedTuple):
    """Mean (D,), loadings V (D, q) with between-speaker covariance V V', and within-speaker covariance (D, D)."""

    mean: Array
    loadings: Array
    within: Array


class SpeakerSums(NamedTuple):
    """What counts of the vectors of S speakers: how many each has (S,), their sums (S, D), and the scatter of all (D, D)."""

    counts: Array
    sums: Array
    scatter: Array


class PLDAStats(NamedTuple):
    """Expectations, with ``z = (h, 1)`` the factors of a speaker and a constant.

    ``scatter`` (D, D) is of x x' over all vectors, ``cross`` (D, q + 1) of x z', ``design`` (q + 1, q + 1) of z z' over all
    vectors, ``speakers`` (q + 1, q + 1) of z z' over the speakers.
    """

    scatter: Array
    cross: Array
    design: Array
    speakers: Array


class Axes(NamedTuple):
    """Directions in which the factors of a speaker are independent, given any number of vectors.

    ``project`` (D, q) takes a sum of vectors less their means to evidence; ``turn`` (q, q) takes the factors along the directions
    to those of the loadings; ``gain`` (q,) is the information of a vector. ``log_det`` is of the within-speaker covariance.
    """

    project: Array
    turn: Array
    gain: Array
    log_det: float
    whiten: Array


@dataclass(frozen=True, eq=False)
class PLDAModel:
    """Vectors ``x = mean + V h + e`` with one ``h ~ N(0, I)`` a speaker and one ``e ~ N(0, within)`` a vector.

    Notes
    -----
    A shard is :class:`SpeakerSums`. Costs do not grow with the number of vectors, and the posterior of ``h`` is diagonal along
    :class:`Axes` for every number of vectors of a speaker.

    References
    ----------
    S. Prince and J. Elder (2007). Probabilistic linear discriminant analysis for inferences about identity. ICCV, 1-8.
    S. Ioffe (2006). Probabilistic linear discriminant analysis. ECCV, 531-542.
    N. Bruemmer and E. de Villiers (2010). The speaker partitioning problem. Odyssey, 194-201.

    Examples
    --------
    >>> params = PLDAParams(np.zeros(1), np.ones((1, 1)), np.ones((1, 1)))
    >>> shard = SpeakerSums(np.array([1.0]), np.array([[0.0]]), np.array([[0.0]]))
    >>> round(PLDAModel().e_step(params, shard).log_likelihood, 4)
    -1.2655
    """

    def axes(self, params: PLDAParams) -> Axes:
        """Return the directions that the parameters single out."""
        whiten, log_det = inverse_cholesky(params.within)
        white = whiten @ params.loadings
        gain, turn = np.linalg.eigh(white.T @ white)
        return Axes(whiten.T @ white @ turn, turn, np.maximum(gain, 0.0), float(log_det), whiten)

    def e_step(self, params: PLDAParams, shard: SpeakerSums) -> EStep:
        """Return expected statistics and the log-likelihood of a shard."""
        axes, (counts, sums, scatter) = self.axes(params), shard
        evidence = (sums - counts[:, None] * params.mean) @ axes.project
        spread = 1.0 / (1.0 + counts[:, None] * axes.gain)
        mean = evidence * spread
        z = np.column_stack([mean @ axes.turn.T, np.ones(len(counts))])
        stats = PLDAStats(
            scatter,
            sums.T @ z,
            z.T @ (counts[:, None] * z) + _bordered(axes.turn, counts @ spread),
            z.T @ z + _bordered(axes.turn, spread.sum(axis=0)),
        )
        alone = self._without_speakers(params, axes, shard)
        return EStep(stats, float(alone + 0.5 * ((evidence * mean).sum() + np.log(spread).sum())))

    def _without_speakers(self, params: PLDAParams, axes: Axes, shard: SpeakerSums) -> float:
        """Return the log-likelihood of the vectors as if they were of the mean speaker."""
        total, moved = shard.counts.sum(), np.outer(shard.sums.sum(axis=0), params.mean)
        scatter = shard.scatter - moved - moved.T + total * np.outer(params.mean, params.mean)
        misfit = float(((axes.whiten @ scatter) * axes.whiten).sum())
        return -0.5 * (total * (len(params.mean) * _LOG_2PI + axes.log_det) + misfit)

    def m_step(self, stats: PLDAStats, params: PLDAParams) -> PLDAParams:
        """Return the parameters that maximise Q, moved so that the factors have moments 0 and I again.

        The regression of the vectors on the factors and a constant; then the minimum-divergence step, the reduction of
        parameter-expanded EM (Liu, Rubin & Wu 1998), in whose Q both maxima are had at once.
        """
        coefficients = np.linalg.solve(stats.design, stats.cross.T).T
        within = (stats.scatter - coefficients @ stats.cross.T) / stats.design[-1, -1]
        loadings, mean = coefficients[:, :-1], coefficients[:, -1]
        moments = stats.speakers / stats.speakers[-1, -1]
        centre = moments[-1, :-1]
        root = cholesky(moments[:-1, :-1] - np.outer(centre, centre))
        return PLDAParams(mean + loadings @ centre, loadings @ root, 0.5 * (within + within.T))

    def log_prior(self, params: PLDAParams) -> float:
        """Return 0: there is no prior."""
        return 0.0

    def expected_log_likelihood(self, stats: PLDAStats, params: PLDAParams, reference: PLDAParams) -> float:
        """Return Q(params | reference), up to a constant."""
        coefficients = np.column_stack([params.loadings, params.mean])
        moved = coefficients @ stats.cross.T
        residual = stats.scatter - moved - moved.T + coefficients @ stats.design @ coefficients.T
        whiten, log_det = inverse_cholesky(params.within)
        return -0.5 * float(stats.design[-1, -1] * log_det + ((whiten @ residual) * whiten).sum())

    def pack(self, params: PLDAParams) -> Array:
        """Return mean, loadings, and log-Cholesky coordinates of the within-speaker covariance."""
        return np.concatenate([params.mean, params.loadings.ravel(), pack_spd(params.within)])

    def unpack(self, vector: Array, like: PLDAParams) -> PLDAParams:
        """Return the parameters of a packed vector."""
        D = len(like.mean)
        mean, loadings, within = np.split(vector, [D, D + like.loadings.size])
        return PLDAParams(mean, loadings.reshape(like.loadings.shape), unpack_spd(within, D))

    def log_likelihood_ratios(self, params: PLDAParams, counts: Array, sums: Array, x: Array) -> Array:
        """Return log p(vectors of a speaker and x) - log p(vectors of the speaker) - log p(x), shape (R, S).

        Parameters
        ----------
        params : PLDAParams
        counts, sums : ndarray, shapes (S,), (S, D)
            Number and sum of the vectors that each speaker is known by.
        x : ndarray, shape (R, D)
            Vectors to judge.
        """
        axes = self.axes(params)
        known = (sums - counts[:, None] * params.mean) @ axes.project
        new = (x - params.mean) @ axes.project
        before, alone = 1.0 + counts[:, None] * axes.gain, 1.0 + axes.gain
        both = before + axes.gain
        of_speaker = np.square(known) * (1.0 / both - 1.0 / before) - np.log(both / before)
        of_vector = np.log(alone) - np.square(new) / alone
        together = np.square(new) @ (1.0 / both).T + 2.0 * new @ (known / both).T
        return np.asarray(0.5 * (together + of_speaker.sum(axis=1) + of_vector.sum(axis=1)[:, None]))


def _bordered(turn: Array, variances: Array) -> Array:
    """Return the covariance of factors that are independent along ``turn``, with a row and column of zeros for the constant."""
    return np.pad((turn * variances) @ turn.T, (0, 1))
