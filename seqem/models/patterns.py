"""Normal rows with holes: moments by pattern of missingness, and the E-step of every normal model on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from seqem.core.linalg import inverse_cholesky
from seqem.core.rows import Rows
from seqem.em.protocol import EStep
from seqem.shapes import AnyArray, Array, IntArray, Mask

LOG_2PI = float(np.log(2.0 * np.pi))
# Numbers of one stack of matrices, one matrix a pattern: memory of an E-step grows with it.
_STACK = 1 << 20
# Numbers of all matrices of a data set up to which they are kept; beyond, rows are and matrices are made as needed.
_KEPT = 1 << 24


class MomentStats(NamedTuple):
    """Expected moments of whole rows about the mean of the parameters: total weight, (D,) and (D, D)."""

    weight: Array
    first: Array
    second: Array

    def moved(self, step: Array) -> MomentStats:
        """Return the moments about a mean that is ``step`` further."""
        cross = np.outer(self.first, step)
        second = self.second - cross - cross.T + self.weight * np.outer(step, step)
        return MomentStats(self.weight, self.first - self.weight * step, second)

    def estimate(self, mean: Array) -> tuple[Array, Array]:
        """Return the mean (D,) and covariance (D, D) of the expected rows, where ``mean`` is what the moments are about."""
        step = self.first / self.weight
        return mean + step, self.moved(step).second / self.weight


@dataclass(frozen=True, eq=False)
class Moments:
    """Hold all that a normal likelihood knows of rows: their moments, pattern by pattern.

    Attributes
    ----------
    seen : ndarray of bool, shape (P, D)
        Which coordinates the rows of a pattern have.
    weights : ndarray, shape (P,)
        How many rows, by their weights.
    mean : ndarray, shape (P, D)
        Their mean, 0 where missing.
    scatter : ndarray, shape (P, D, D)
        Their sums of products about that mean, 0 where missing.
    """

    seen: Mask
    weights: Array
    mean: Array
    scatter: Array

    def blocks(self) -> list[Moments]:
        """Return the patterns in stacks of matrices that an E-step can hold."""
        size = max(1, _STACK // self.mean.shape[1] ** 2)
        cuts = [slice(start, start + size) for start in range(0, len(self.weights), size)]
        return [Moments(self.seen[c], self.weights[c], self.mean[c], self.scatter[c]) for c in cuts]


def gather(rows: Rows) -> Moments:
    """Return the moments of rows by pattern; rows without any coordinate say nothing and are left out.

    Examples
    --------
    >>> moments = gather(Rows(np.array([[1.0, 2.0], [3.0, 4.0], [np.nan, 5.0]])))
    >>> moments.seen.tolist(), moments.weights.tolist(), moments.mean.tolist()
    ([[True, True], [False, True]], [2.0, 1.0], [[2.0, 3.0], [0.0, 5.0]])
    """
    parts = [(seen, *_moments(rows, at, seen)) for seen, at in by_pattern(rows.x) if seen.any()]
    D = rows.x.shape[1]
    shapes = {0: (D,), 1: (), 2: (D,), 3: (D, D)}
    columns = [np.array([part[i] for part in parts]).reshape(-1, *shape) for i, shape in shapes.items()]
    return Moments(columns[0].astype(bool), *columns[1:])


def by_pattern(x: Array) -> Iterator[tuple[Mask, IntArray | slice]]:
    """Yield each pattern of coordinates that are there, (D,), and the rows that have it."""
    holes = np.isnan(x)
    if not holes.any():
        if len(x):
            yield np.ones(x.shape[1], dtype=bool), slice(None)
        return
    _, one, which, sizes = np.unique(_codes(holes), return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(which, kind="stable")
    yield from zip(~holes[one], np.split(order, np.cumsum(sizes)[:-1]), strict=True)


def _codes(holes: Mask) -> AnyArray:
    """Return one value for each row (N,), equal for equal rows: whole numbers, which sort fast, where there is room."""
    packed = np.packbits(holes, axis=1)
    width = packed.shape[1]
    if width > 8:
        return packed.view(np.dtype((np.void, width))).ravel()
    codes = np.zeros((len(packed), 8), dtype=np.uint8)
    codes[:, :width] = packed
    return codes.view(np.uint64).ravel()


def _moments(rows: Rows, at: IntArray | slice, seen: Mask) -> tuple[float, Array, Array]:
    """Return weight, mean and scatter of rows of one pattern."""
    x = np.where(seen, rows.x[at], 0.0) if not seen.all() else rows.x[at]
    if rows.weights is None:
        mean = x.mean(axis=0)
        centred = x - mean
        return float(len(x)), mean, centred.T @ centred
    weights = rows.weights[at]
    mean = weights @ x / max(weights.sum(), np.finfo(float).tiny)
    centred = np.sqrt(weights)[:, None] * (x - mean)
    return float(weights.sum()), mean, centred.T @ centred


def shards_of(rows: Rows) -> list[Moments | Rows]:
    """Return rows as shards: moments of the complete ones, then the others, pattern by pattern.

    Where matrices of all patterns would take much memory, incomplete rows stay rows, in blocks.
    """
    whole = ~np.isnan(rows.x).any(axis=1)
    if whole.all():
        return [gather(rows)]
    shards: list[Moments | Rows] = [gather(_taken(rows, whole))] if whole.any() else []
    holed = _taken(rows, ~whole)
    groups = [at for _, at in by_pattern(holed.x)]
    D = rows.x.shape[1]
    if len(groups) * D**2 <= _KEPT:
        return shards + gather(holed).blocks()
    order = np.concatenate([np.arange(len(holed))[at] for at in groups])
    return [*shards, *_taken(holed, order).blocks(max(1, _STACK // D**2))]


def mixed_shards_of(rows: Rows, n_shards: int) -> list[Moments | Rows]:
    """Return rows as at least ``n_shards`` shards in their order, each of them like all the rows, for online EM."""
    size = min(-(-len(rows) // n_shards), max(1, _STACK // rows.x.shape[1] ** 2))
    return [block if np.isnan(block.x).any() else gather(block) for block in rows.blocks(size)]


def _taken(rows: Rows, at: Any) -> Rows:
    return Rows(rows.x[at], None, None if rows.weights is None else rows.weights[at])


def _regressions(covariance: Array, seen: Mask) -> tuple[Array, Array, Array]:
    """Return for each pattern the regression on what is there (P, D, D), its precision (P, D, D) and log-determinant (P,).

    All patterns are worked on at once, with the identity in rows and columns of what is missing. A coordinate that is there
    predicts itself exactly, which rounding must not touch: the moments of nearly collinear columns depend on it.
    """
    both = seen[:, :, None] & seen[:, None, :]
    eye = np.eye(seen.shape[1])
    factor, log_det = inverse_cholesky(np.where(both, covariance, eye))
    precision = np.where(both, np.swapaxes(factor, 1, 2) @ factor, 0.0)
    slope = np.where(seen[:, :, None], eye, covariance @ precision)
    return slope, precision, log_det


def expected_moments(mean: Array, covariance: Array, moments: Moments) -> EStep:
    """Return expected moments about ``mean`` of whole rows, given what is there of them, and the log-likelihood.

    The missing coordinates of a row are normal with mean ``mean_m + V_mo V_oo^-1 (x_o - mean_o)`` and covariance
    ``V_mm - V_mo V_oo^-1 V_om`` (R. Little and D. Rubin, Statistical Analysis with Missing Data, 2002, section 11.2).
    """
    seen, weights = moments.seen, moments.weights
    slope, precision, log_det = _regressions(covariance, seen)
    away = np.where(seen, moments.mean - mean, 0.0)
    about = moments.scatter + weights[:, None, None] * away[:, :, None] * away[:, None, :]
    rest = np.where(seen[:, :, None] | seen[:, None, :], 0.0, covariance - slope @ covariance)
    first = np.einsum("p,pij,pj->i", weights, slope, away)
    second = np.einsum("pij,pkj->ik", slope @ about, slope, optimize=True) + np.einsum("p,pij->ij", weights, rest)
    constants = log_det + LOG_2PI * seen.sum(axis=1)
    log_likelihood = -0.5 * (weights @ constants + (precision * about).sum())
    return EStep(MomentStats(weights.sum(), first, 0.5 * (second + second.T)), float(log_likelihood))


def whole_moments(mean: Array, moments: Moments) -> MomentStats:
    """Return the moments about ``mean`` of rows without holes."""
    away = moments.mean - mean
    pull = moments.weights[:, None] * away
    return MomentStats(moments.weights.sum(), pull.sum(axis=0), moments.scatter.sum(axis=0) + away.T @ pull)


def completed(mean: Array, covariance: Array, x: Array) -> tuple[Array, Array]:
    """Return rows (N, D) with expected values in their holes, and the log-density of what is there, (N,).

    Examples
    --------
    >>> rows, scores = completed(np.zeros(2), np.array([[1.0, 0.5], [0.5, 1.0]]), np.array([[2.0, np.nan]]))
    >>> rows.tolist(), scores.round(4).tolist()
    ([[2.0, 1.0]], [-2.9189])
    """
    whole, scores = x.copy(), np.zeros(len(x))
    for seen, at in by_pattern(x):
        lost = np.flatnonzero(~seen)
        there = covariance[np.ix_(seen, seen)]
        factor, log_det = inverse_cholesky(there)
        white = (x[at][:, seen] - mean[seen]) @ factor.T
        scores[at] = -0.5 * (np.square(white).sum(axis=1) + log_det + LOG_2PI * seen.sum())
        if len(lost):
            values = mean[lost] + white @ (factor @ covariance[np.ix_(seen, ~seen)])
            whole[np.asarray(at)[:, None], lost] = values
    return whole, scores


class ColumnSummary(NamedTuple):
    """Weight, mean and variance of what is there of each column, (D,) each."""

    weight: Array
    mean: Array
    variance: Array


def column_summary(shards: Iterable[Moments | Rows]) -> ColumnSummary:
    """Return what each column says by itself; mean and variance of a column without values are NaN."""
    stacks = [gather(s) if isinstance(s, Rows) else s for s in shards]
    seen, mean = np.concatenate([m.seen for m in stacks]), np.concatenate([m.mean for m in stacks])
    weights = np.concatenate([m.weights for m in stacks])[:, None] * seen
    inside = np.concatenate([np.diagonal(m.scatter, axis1=1, axis2=2) for m in stacks]).sum(axis=0)
    total = weights.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (weights * mean).sum(axis=0) / total
        return ColumnSummary(total, centre, (inside + (weights * np.square(mean - centre)).sum(axis=0)) / total)


class HasMean(Protocol):
    """Parameters of a normal model: a mean and whatever gives the covariance."""

    @property
    def mean(self) -> Array:
        """Mean, shape (D,)."""
        ...


@dataclass(frozen=True, eq=False)
class NormalModel:
    """E-step and objective of rows that are normal with some structure of the covariance.

    Complete data of EM are the rows without holes, so that the statistics are the same for every structure: expected
    moments about the mean of the parameters. A subclass answers ``covariance``, ``m_step``, ``pack`` and ``unpack``.

    Attributes
    ----------
    scale : ndarray, shape (D,)
        Standard deviations of the columns, the units of ``pack``.
    """

    scale: Array

    def covariance(self, params: Any) -> Array:
        """Return the covariance (D, D) of the rows."""
        raise NotImplementedError

    def misfit(self, params: Any, second: Array) -> tuple[float, float]:
        """Return the log-determinant of the covariance V and the trace of ``V^-1 second``."""
        factor, log_det = inverse_cholesky(self.covariance(params))
        return float(log_det), float(((factor.T @ factor) * second).sum())

    def e_step(self, params: HasMean, shard: Rows | Moments) -> EStep:
        """Return expected moments and the log-likelihood of a shard."""
        moments = gather(shard) if isinstance(shard, Rows) else shard
        if not moments.seen.all():
            return self.expected(params, moments)
        stats = whole_moments(params.mean, moments)
        return EStep(stats, self.expected_log_likelihood(stats, params, params))

    def expected(self, params: Any, moments: Moments) -> EStep:
        """Return expected moments and the log-likelihood of rows with holes."""
        return expected_moments(params.mean, self.covariance(params), moments)

    def log_prior(self, params: HasMean) -> float:
        """Return 0.0: maximum likelihood."""
        return 0.0

    def expected_log_likelihood(self, stats: MomentStats, params: HasMean, reference: HasMean) -> float:
        """Return Q(params | reference), the expected log-likelihood of rows without holes."""
        log_det, trace = self.misfit(params, stats.moved(params.mean - reference.mean).second)
        return float(-0.5 * (stats.weight * (len(params.mean) * LOG_2PI + log_det) + trace))

    def recentre(self, stats: MomentStats, old: HasMean, new: HasMean) -> MomentStats:
        """Return statistics taken at ``old`` as if about the mean of ``new``."""
        return stats.moved(new.mean - old.mean)
