"""The EM models of censored regression: imputing what is censored, or Newton steps on what is observed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqem.core.rows import Rows
from seqem.em.point import EMMap, Point
from seqem.em.protocol import EStep
from seqem.models.truncated import between, times
from seqem.shapes import Array, Mask

_LOG_ROOT = 0.5 * np.log(2.0 * np.pi)
_HALVINGS = 40


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


def observed(shard: Rows) -> Mask:
    """Return which rows are not censored: both bounds of ``y`` (N, 2) are equal."""
    assert shard.y is not None
    return np.asarray(shard.y[:, 0] == shard.y[:, 1])


def row_log_likelihood(params: TobitParams, shard: Rows) -> Array:
    """Return the log-likelihood of each row, shape (N,)."""
    assert shard.y is not None
    a, b = ((bound - shard.x @ params.coef) / params.scale for bound in shard.y.T)
    seen = observed(shard)
    out = np.empty(len(shard))
    out[seen] = -0.5 * a[seen] ** 2 - _LOG_ROOT - np.log(params.scale)
    out[~seen] = between(a[~seen], b[~seen]).log_probability
    return out


@dataclass(frozen=True)
class TobitEM:
    """EM as in the literature: moments of the censored rows, then least squares (Amemiya 1984; Aitkin 1981).

    A shard is :class:`seqem.core.rows.Rows` with the design as ``x`` and bounds (N, 2) as ``y``.
    """

    def e_step(self, params: TobitParams, shard: Rows) -> EStep:
        """Return expected least-squares statistics and the log-likelihood."""
        assert shard.y is not None
        fitted = shard.x @ params.coef
        low, high = ((bound - fitted) / params.scale for bound in shard.y.T)
        seen = observed(shard)
        residual, square = low.copy(), low**2
        log_likelihood = -0.5 * square - _LOG_ROOT - np.log(params.scale)
        hidden = ~seen
        known = between(low[hidden], high[hidden])
        residual[hidden] = known.at_low - known.at_high
        square[hidden] = 1.0 + times(low[hidden], known.at_low) - times(high[hidden], known.at_high)
        log_likelihood[hidden] = known.log_probability
        weights = np.ones(len(shard)) if shard.weights is None else shard.weights
        weighted = shard.x * weights[:, None]
        stats = ImputedStats(
            np.asarray(weights.sum()), weighted.T @ shard.x, params.scale * (weighted.T @ residual),
            np.asarray(params.scale**2 * (weights @ square)),
        )  # fmt: skip
        return EStep(stats, shard.total(log_likelihood))

    def m_step(self, stats: ImputedStats, params: TobitParams) -> TobitParams:
        """Return least squares on the completed rows."""
        step = solved(stats.gram, stats.cross)
        return TobitParams(params.coef + step, np.sqrt((stats.square - step @ stats.cross) / stats.mass))

    def log_prior(self, params: TobitParams) -> float:
        """Return 0: maximum likelihood."""
        return 0.0

    def recentre(self, stats: ImputedStats, old: TobitParams, new: TobitParams) -> ImputedStats:
        """Return statistics about the coefficients of ``new``."""
        step = new.coef - old.coef
        square = stats.square - 2.0 * step @ stats.cross + step @ stats.gram @ step
        return stats._replace(cross=stats.cross - stats.gram @ step, square=square)

    def expected_log_likelihood(self, stats: ImputedStats, params: TobitParams, reference: TobitParams) -> float:
        """Return Q(params | reference)."""
        square = self.recentre(stats, reference, params).square
        return float(-stats.mass * (_LOG_ROOT + np.log(params.scale)) - 0.5 * square / params.scale**2)

    def pack(self, params: TobitParams) -> Array:
        """Return coefficients and the logarithm of the scale."""
        return np.append(params.coef, np.log(params.scale))

    def unpack(self, vector: Array, like: TobitParams) -> TobitParams:
        """Return the parameters of a vector."""
        return TobitParams(vector[:-1].copy(), np.exp(vector[-1]))


@dataclass(frozen=True)
class TobitNewton(TobitEM):
    """Statistics of Newton steps in ``delta = coef / scale`` and ``gamma = 1 / scale``, where all is concave (Olsen 1978)."""

    def e_step(self, params: TobitParams, shard: Rows) -> EStep:
        """Return gradient and Hessian of the log-likelihood, and itself."""
        log_likelihood, terms = _terms(params, shard)
        weights = np.ones(len(shard)) if shard.weights is None else shard.weights
        to_delta, to_gamma, both, mixed, square = terms
        x = shard.x
        gradient = np.append(x.T @ (weights * to_delta), weights @ to_gamma)
        hessian = np.empty((len(gradient), len(gradient)))
        hessian[:-1, :-1] = x.T @ (x * (weights * both)[:, None])
        hessian[:-1, -1] = hessian[-1, :-1] = x.T @ (weights * mixed)
        hessian[-1, -1] = weights @ square
        return EStep(ScoreStats(gradient, hessian), shard.total(log_likelihood))

    def m_step(self, stats: ScoreStats, params: TobitParams) -> TobitParams:  # type: ignore[override]
        """Return the full Newton step."""
        return _natural(_free(params) + solved(-stats.hessian, stats.gradient))


def newton(em: EMMap, point: Point) -> Point:
    """Return the point after a Newton step, halved until the log-likelihood does not fall."""
    at = _free(point.params)
    step = solved(-point.stats.hessian, point.stats.gradient)
    for halving in range(_HALVINGS):
        there = at + 0.5**halving * step
        if there[-1] > 0:
            found = em.evaluate(_natural(there), "newton")
            if found.objective >= point.objective:
                return found
    return point._replace(kind="newton")


def row_scores(params: TobitParams, shard: Rows) -> Array:
    """Return the gradient of each row's log-likelihood in delta and gamma, shape (N, P + 1)."""
    to_delta, to_gamma, *_ = _terms(params, shard)[1]
    return np.column_stack([shard.x * to_delta[:, None], to_gamma])


def _terms(params: TobitParams, shard: Rows) -> tuple[Array, tuple[Array, Array, Array, Array, Array]]:
    """Return log-likelihood and derivatives of each row: by x delta, by gamma, by x delta twice, mixed, by gamma twice."""
    assert shard.y is not None
    gamma = 1.0 / params.scale
    middle = shard.x @ (params.coef * gamma)
    low, high = shard.y.T
    seen = observed(shard)
    y = np.where(seen, low, 0.0)
    rest = gamma * y - middle
    log_likelihood = np.log(gamma) - _LOG_ROOT - 0.5 * rest**2
    to_delta, to_gamma = rest, 1.0 / gamma - rest * y
    both, mixed, square = np.full(len(y), -1.0), y.copy(), -(gamma**-2) - y**2
    at = np.flatnonzero(~seen)
    if len(at):
        low, high = low[at], high[at]
        a, b = gamma * low - middle[at], gamma * high - middle[at]
        known = between(a, b)
        p, q = known.at_low, known.at_high
        aa, bb, ab = times(a, p) - p**2, -times(b, q) - q**2, p * q
        log_likelihood[at] = known.log_probability
        to_delta[at], to_gamma[at] = p - q, times(high, q) - times(low, p)
        both[at] = aa + 2.0 * ab + bb
        mixed[at] = -times(low, aa + ab) - times(high, ab + bb)
        square[at] = times(low**2, aa) + times(high**2, bb) + 2.0 * times(low, times(high, ab))
    return log_likelihood, (to_delta, to_gamma, both, mixed, square)


def solved(matrix: Array, vector: Array) -> Array:
    """Return the solution of a symmetric positive definite system whose columns may differ much in size."""
    size = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    return np.linalg.lstsq(matrix / np.outer(size, size), vector / size, rcond=None)[0] / size


def _free(params: TobitParams) -> Array:
    return np.append(params.coef, 1.0) / params.scale


def _natural(free: Array) -> TobitParams:
    return TobitParams(free[:-1] / free[-1], np.asarray(1.0 / free[-1]))


def covariance(params: TobitParams, hessian: Array, meat: Array | None = None) -> Array:
    """Return the covariance (P + 1, P + 1) of coefficients and scale from the Hessian in delta and gamma.

    With ``meat``, the sum of squares of the scores, it is the sandwich that holds under heteroscedasticity too (White 1982).
    """
    size = np.sqrt(np.diag(-hessian))
    bread = np.linalg.inv(-hessian / np.outer(size, size)) / np.outer(size, size)
    free = bread if meat is None else bread @ meat @ bread
    scale, P = float(params.scale), len(params.coef)
    slope = np.zeros((P + 1, P + 1))
    slope[:P, :P] = scale * np.eye(P)
    slope[:P, P] = -scale * params.coef
    slope[P, P] = -(scale**2)
    return slope @ free @ slope.T
