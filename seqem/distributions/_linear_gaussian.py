"""What regressions have in common: columns of a row with a mean linear in its other columns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np

from seqem.core.checks import at_least
from seqem.distributions._gaussian_diagonal import LOG_2PI
from seqem.distributions._start import centres
from seqem.distributions.fieldwise import Fieldwise
from seqem.distributions.transforms import IDENTITY, LOG, Transform
from seqem.errors import DataError, ParameterError
from seqem.shapes import AnyArray, Array, Mask

_BLOCK = 1 << 16
"""Numbers in a temporary (rows, K, D)."""


class RegressionParams(NamedTuple):
    """Coefficients (K, D, Q), the intercept first; residual variances (K, D)."""

    coefficients: Array
    variance: Array


class RegressionStats(NamedTuple):
    """Sums of r (K,), r z z' (K, Q, Q), r e z' (K, D, Q), r e^2 (K, D); z the regressors, e the current residuals."""

    mass: Array
    gram: Array
    cross: Array
    square: Array


@dataclass(frozen=True, eq=False)
class LinearGaussian(Fieldwise):
    """Base of the families: a subclass says how many columns are targets, checks rows and draws them.

    Attributes
    ----------
    coefficient_weight : float
        Ridge: coefficients but for the intercept ~ N(0, variance / weight), without its normaliser.
    variance_prior, variance_weight : float
        Prior of the residual variances, v^(-weight / 2) exp(-prior / (2 v)).
    floor : float
        Smallest variance allowed.
    """

    fields: ClassVar[tuple[str, ...]] = RegressionParams._fields
    coefficient_weight: float = field(default=0.0, kw_only=True)
    variance_prior: float = field(default=0.0, kw_only=True)
    variance_weight: float = field(default=0.0, kw_only=True)
    floor: float = field(default=1e-6, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least([self.coefficient_weight, self.variance_prior, self.variance_weight], 0.0, "prior")
        if not self.floor > 0:
            raise ParameterError("floor is out of range", got=self.floor, expected="a positive variance")

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (IDENTITY, LOG)

    def missing(self, x: AnyArray) -> Mask:
        """Return which rows count for nothing."""
        return np.asarray(np.isnan(x).any(axis=1))

    def _split(self, x: AnyArray) -> tuple[Array, Array]:
        """Return targets (N, D) and regressors (N, Q), a one first."""
        D = self._n_targets(x)
        return x[:, :D], np.hstack([np.ones((len(x), 1)), x[:, D:]])

    @abstractmethod
    def _n_targets(self, x: AnyArray) -> int:
        """Return the number of targets in rows."""

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> RegressionParams:
        """Return one regression of all rows, its intercepts moved to k-means++ centres of the residuals."""
        y, z = self._split(x[~self.missing(x)])
        if len(y) == 0:
            raise DataError("no row is complete", expected="at least one without missing numbers")
        slope = np.linalg.lstsq(z, y, rcond=None)[0].T
        rest = y - z @ slope.T
        coefficients = np.tile(slope, (n_components, 1, 1))
        coefficients[:, :, 0] += centres(rest, n_components, rng)
        variance = np.maximum(rest.var(axis=0), self.floor)
        return RegressionParams(coefficients, np.tile(variance, (n_components, 1)))

    def _residuals(self, params: RegressionParams, x: AnyArray) -> Iterator[tuple[AnyArray, Array, Array]]:
        """Yield complete rows' numbers, regressors (n, Q) and residuals (n, K, D)."""
        complete = np.flatnonzero(~self.missing(x))
        size = max(1, _BLOCK // params.variance.size)
        for start in range(0, len(complete), size):
            at = complete[start : start + size]
            y, z = self._split(x[at])
            yield at, z, y[:, None, :] - np.tensordot(z, params.coefficients, axes=(1, 2))

    def log_likelihood(self, params: RegressionParams, x: AnyArray) -> Array:
        """Return log p(targets | regressors, k), shape (N, K)."""
        out = np.zeros((len(x), len(params.variance)))
        norm = (LOG_2PI + np.log(params.variance)).sum(axis=1)
        for at, _, rest in self._residuals(params, x):
            out[at] = -0.5 * (norm + (np.square(rest) / params.variance).sum(axis=2))
        return out

    def accumulate(self, params: RegressionParams, x: AnyArray, resp: Array) -> RegressionStats:
        """Return the normal equations about the current coefficients."""
        K, D, Q = params.coefficients.shape
        mass, gram = np.zeros(K), np.zeros((K, Q, Q))
        cross, square = np.zeros((K, D, Q)), np.zeros((K, D))
        for at, z, rest in self._residuals(params, x):
            weights = resp[at]
            mass += weights.sum(axis=0)
            pull = weights[:, :, None] * rest
            cross += np.tensordot(pull, z, axes=(0, 0))
            square += (pull * rest).sum(axis=0)
            for k in range(K):
                gram[k] += (z * weights[:, k, None]).T @ z
        return RegressionStats(mass, gram, cross, square)

    def recentre(self, stats: RegressionStats, old: RegressionParams, new: RegressionParams) -> RegressionStats:
        """Return the normal equations about the coefficients of ``new``."""
        step = new.coefficients - old.coefficients
        cross = stats.cross - np.einsum("kdq,kqr->kdr", step, stats.gram)
        return stats._replace(cross=cross, square=self._square(stats, step))

    def _ridge(self, n_regressors: int) -> Array:
        """Return the prior weight of each coefficient (Q,): none on the intercept."""
        return np.where(np.arange(n_regressors) > 0, self.coefficient_weight, 0.0)

    def _square(self, stats: RegressionStats, step: Array) -> Array:
        """Return sums of squared residuals (K, D) after a ``step`` of the coefficients."""
        bend = np.einsum("kdq,kqr,kdr->kd", step, stats.gram, step)
        return stats.square - 2.0 * (step * stats.cross).sum(axis=2) + bend

    def maximise(self, stats: RegressionStats, params: RegressionParams) -> RegressionParams:
        """Return the weighted ridge regressions and their residual variances."""
        ridge = self._ridge(params.coefficients.shape[2])
        free = (~self.kept(params, "coefficients")).astype(np.float64)
        if free.all():
            free = free[:, :1]
        gram = (stats.gram + np.diag(ridge))[:, None] * free[..., :, None] * free[..., None, :]
        pull = (stats.cross - ridge * params.coefficients) * free
        step = (np.linalg.pinv(gram, hermitian=True) @ pull[..., None])[..., 0]
        coefficients = params.coefficients + step
        square = self.variance_prior + (ridge * coefficients**2).sum(axis=2) + self._square(stats, step)
        total = self.variance_weight + stats.mass[:, None]
        variance = np.maximum(square / np.where(total > 0, total, 1.0), self.floor)
        return self.settle(params, RegressionParams(coefficients, variance), stats.mass)

    def expected_log_likelihood(
        self, stats: RegressionStats, params: RegressionParams, reference: RegressionParams
    ) -> float:
        """Return sum of resp * log p(x | params)."""
        square = self._square(stats, params.coefficients - reference.coefficients)
        norm = stats.mass[:, None] * (LOG_2PI + np.log(params.variance))
        return float(-0.5 * (norm + square / params.variance).sum())

    def log_prior(self, params: RegressionParams) -> float:
        """Return the log prior density of coefficients and variances, up to a constant."""
        ridge = self._ridge(params.coefficients.shape[2])
        scatter = self.variance_prior + (ridge * params.coefficients**2).sum(axis=2)
        return float(-0.5 * (self.variance_weight * np.log(params.variance) + scatter / params.variance).sum())
