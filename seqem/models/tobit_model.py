"""The EM models of censored regression: imputing what is censored, or Newton steps on what is observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqem.core.rows import Rows
from seqem.em.point import EMMap, Point
from seqem.em.protocol import EStep
from seqem.models.truncated import LOG_ROOT, Moments, above, within
from seqem.shapes import Array

_HALVINGS = 40
_ROUNDING = 1e-13


class TobitParams(NamedTuple):
    """Coefficients (P,) of the design and the standard deviation of the latent variable."""

    coef: Array
    scale: Array


class ImputedStats(NamedTuple):
    """Sums over rows, e the expected residual about the current coefficients: 1, z z', z e, E[e^2]."""

    mass: Array
    gram: Array
    cross: Array
    square: Array


class ScoreStats(NamedTuple):
    """Gradient (P + 1,) and Hessian (P + 1, P + 1) of the log-likelihood in delta = coef / scale and gamma = 1 / scale."""

    gradient: Array
    hessian: Array


class Latent(NamedTuple):
    """Of each row, in units of the scale: log-likelihood, mean and variance of the residual, and what the bounds are.

    The log-likelihood is a function f(t, w) of middle ``t = gamma * place - x delta`` and half width ``w = gamma * half`` of the
    bounds. ``by_width`` has half f_w, half f_tw and half^2 f_ww; an observed row is the limit of a narrow interval.
    """

    log_likelihood: Array
    mean: Array
    variance: Array
    place: Array
    by_width: tuple[Array, Array, Array]


def latent(params: TobitParams, shard: Rows) -> Latent:
    """Return what the bounds ``shard.y`` (N, 2) say of the latent variable of each row."""
    assert shard.y is not None
    gamma = 1.0 / float(params.scale)
    low, high = shard.y.T
    has_low, has_high = np.isfinite(low), np.isfinite(high)
    place = np.where(has_low, low, np.where(has_high, high, 0.0))
    mean = gamma * (place - shard.x @ params.coef)
    out = Latent(
        np.log(gamma) - LOG_ROOT - 0.5 * mean**2, mean, np.zeros(len(low)), place,
        (np.full(len(low), 1.0 / gamma), np.zeros(len(low)), np.full(len(low), -(gamma**-2))),
    )  # fmt: skip
    one = np.flatnonzero(has_low != has_high)
    if len(one):
        sign = np.where(has_low[one], 1.0, -1.0)
        known = above(sign * mean[one])
        _note(out, one, known._replace(mean=sign * known.mean))
    both = np.flatnonzero(has_low & has_high & (low != high))
    if len(both):
        half = 0.5 * (high[both] - low[both])
        place[both] = low[both] + half
        middle = mean[both] + gamma * half
        _note(out, both, within(middle, gamma * half), middle, half, gamma)
    none = np.flatnonzero(~has_low & ~has_high)
    if len(none):
        nothing = np.zeros(len(none))
        _note(out, none, Moments(nothing, nothing, nothing + 1.0, nothing, nothing))
    return out


def _note(
    out: Latent,
    at: NDArray[np.intp],
    known: Moments,
    middle: Array | float = 0.0,
    half: Array | float = 0.0,
    gamma: float = 1.0,
) -> None:
    """Write the moments of the rows ``at``, and the derivatives by the width of their intervals."""
    out.log_likelihood[at], out.mean[at], out.variance[at] = known.log_probability, known.mean, known.variance
    w, edges = gamma * half, known.edges
    first, mixed, second = out.by_width
    first[at] = half * edges
    mixed[at] = half * (known.offset * edges + w * known.mean)
    # half^2 (t m - w edges - edges^2), in an order that does not overflow in narrow intervals.
    second[at] = half * (half * (middle * known.mean - w * edges)) - (half * edges) ** 2


def _weights(shard: Rows) -> Array:
    return np.ones(len(shard)) if shard.weights is None else shard.weights


@dataclass(frozen=True)
class _Tobit:
    """What both models share. A shard is :class:`seqem.core.rows.Rows`: the design as ``x`` and bounds (N, 2) as ``y``.

    Parameters
    ----------
    floor : float
        The scale does not fall below it, as it would where the observed rows are fitted exactly.
    """

    floor: float = 0.0

    def log_prior(self, params: TobitParams) -> float:
        """Return 0: maximum likelihood."""
        return 0.0

    def pack(self, params: TobitParams) -> Array:
        """Return coefficients and the logarithm of the scale."""
        return np.append(params.coef, np.log(params.scale))

    def unpack(self, vector: Array, like: TobitParams) -> TobitParams:
        """Return the parameters of a vector."""
        return TobitParams(vector[:-1].copy(), np.exp(vector[-1]))


@dataclass(frozen=True)
class TobitEM(_Tobit):
    """EM as in the literature: moments of the censored rows, then least squares (Amemiya 1984; Aitkin 1981)."""

    def e_step(self, params: TobitParams, shard: Rows) -> EStep:
        """Return expected least-squares statistics and the log-likelihood."""
        rows, weights = latent(params, shard), _weights(shard)
        weighted = shard.x * weights[:, None]
        stats = ImputedStats(
            np.asarray(weights.sum()), weighted.T @ shard.x, params.scale * (weighted.T @ rows.mean),
            np.asarray(params.scale**2 * (weights @ (rows.variance + rows.mean**2))),
        )  # fmt: skip
        return EStep(stats, shard.total(rows.log_likelihood))

    def m_step(self, stats: ImputedStats, params: TobitParams) -> TobitParams:
        """Return least squares on the completed rows."""
        step = solved(stats.gram, stats.cross)
        return TobitParams(
            params.coef + step, np.sqrt(np.maximum((stats.square - step @ stats.cross) / stats.mass, self.floor**2))
        )

    def recentre(self, stats: ImputedStats, old: TobitParams, new: TobitParams) -> ImputedStats:
        """Return statistics about the coefficients of ``new``."""
        step = new.coef - old.coef
        square = stats.square - 2.0 * step @ stats.cross + step @ stats.gram @ step
        return stats._replace(cross=stats.cross - stats.gram @ step, square=square)

    def expected_log_likelihood(self, stats: ImputedStats, params: TobitParams, reference: TobitParams) -> float:
        """Return Q(params | reference)."""
        square = self.recentre(stats, reference, params).square
        return float(-stats.mass * (LOG_ROOT + np.log(params.scale)) - 0.5 * square / params.scale**2)


@dataclass(frozen=True)
class TobitNewton(_Tobit):
    """Newton steps in ``delta = coef / scale`` and ``gamma = 1 / scale``, where the likelihood is concave (Olsen 1978)."""

    def e_step(self, params: TobitParams, shard: Rows) -> EStep:
        """Return gradient and Hessian of the log-likelihood, and itself."""
        rows, weights, x = latent(params, shard), _weights(shard), shard.x
        by_width, mixed, by_width_twice = rows.by_width
        bend = weights * (rows.variance - 1.0)
        moved = bend * rows.place
        P = x.shape[1]
        gradient = np.append(x.T @ (weights * rows.mean), weights @ (by_width - rows.place * rows.mean))
        hessian = np.empty((P + 1, P + 1))
        hessian[:P, :P] = (x * bend[:, None]).T @ x
        hessian[:P, P] = hessian[P, :P] = -(x.T @ (moved + weights * mixed))
        hessian[P, P] = moved @ rows.place + weights @ (2.0 * rows.place * mixed + by_width_twice)
        return EStep(ScoreStats(gradient, hessian), shard.total(rows.log_likelihood))

    def m_step(self, stats: ScoreStats, params: TobitParams) -> TobitParams:
        """Return the Newton step, halved as often as the scale needs to stay positive."""
        at, step = _free(params), solved(-stats.hessian, stats.gradient)
        while at[-1] + step[-1] <= 0:
            step *= 0.5
        there = _natural(at + step)
        return there._replace(scale=np.maximum(there.scale, self.floor))

    def expected_log_likelihood(self, stats: ScoreStats, params: TobitParams, reference: TobitParams) -> float:
        """Return the quadratic that has the score and curvature of the log-likelihood at ``reference``."""
        step = _free(params) - _free(reference)
        return float(step @ stats.gradient + 0.5 * step @ stats.hessian @ step)


def newton(em: EMMap, point: Point) -> Point:
    """Return the point after a Newton step, halved until the log-likelihood does not fall by more than rounding."""
    at, goal = _free(point.params), _free(em.maximise(point))
    enough = point.objective - _ROUNDING * abs(point.objective)
    for halving in range(_HALVINGS):
        found = em.evaluate(_natural(at + 0.5**halving * (goal - at)), "newton")
        if found.objective >= enough:
            return found
    return point._replace(kind="newton")


def row_scores(params: TobitParams, shard: Rows) -> Array:
    """Return the gradient of each row's log-likelihood in delta and gamma, shape (N, P + 1)."""
    rows = latent(params, shard)
    return np.column_stack([shard.x * rows.mean[:, None], rows.by_width[0] - rows.place * rows.mean])


def solved(matrix: Array, vector: Array) -> Array:
    """Return the solution of a semidefinite system whose columns may differ much in size; 0 for columns of zeros."""
    known = np.diag(matrix) > 0
    size = np.sqrt(np.where(known, np.diag(matrix), 1.0))
    return np.where(known, np.linalg.lstsq(matrix / np.outer(size, size), vector / size, rcond=None)[0] / size, 0.0)


def _free(params: TobitParams) -> Array:
    return np.append(params.coef, 1.0) / params.scale


def _natural(free: Array) -> TobitParams:
    return TobitParams(free[:-1] / free[-1], np.asarray(1.0 / free[-1]))


def covariance(params: TobitParams, hessian: Array, slopes: Array, meat: Array | None = None) -> Array:
    """Return the covariance (P + 1, P + 1) of coefficients and scale from the Hessian in delta and gamma.

    ``slopes`` are the derivatives of what is asked for by coefficients and scale. With ``meat``, the sum of squares of the scores,
    it is the sandwich that holds under heteroscedasticity too (White 1982). Columns of zeros, about which the data say nothing,
    have NaN.
    """
    scale, P = float(params.scale), len(params.coef)
    known = np.diag(hessian) < 0
    square = np.ix_(known, known)
    size = np.sqrt(-np.diag(hessian)[known])
    free = np.zeros((P + 1, P + 1))
    free[square] = np.linalg.inv(-hessian[square] / np.outer(size, size)) / np.outer(size, size)
    if meat is not None:
        free = free @ meat @ free
    by_free = scale * np.eye(P + 1)
    by_free[:P, P] = -scale * params.coef
    by_free[P, P] = -(scale**2)
    chain = slopes @ by_free
    out = chain @ free @ chain.T
    out[~known], out[:, ~known] = np.nan, np.nan
    return out


def score_squares(params: TobitParams, shards: Sequence[Rows]) -> Array:
    """Return the sum of s s' over rows, s a row's score times its weight."""
    scores = (row_scores(params, s) * (1.0 if s.weights is None else s.weights[:, None]) for s in shards)
    return np.sum([score.T @ score for score in scores], axis=0)
