"""Gaussian rows whose mean is a regression on the rows before them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.core.checks import at_least, rows
from seqem.distributions._gaussian_diagonal import LOG_2PI
from seqem.distributions._start import centres
from seqem.distributions.fieldwise import Fieldwise
from seqem.distributions.transforms import IDENTITY, LOG, Transform
from seqem.errors import DataError, ParameterError
from seqem.shapes import AnyArray, Array, Mask

_BLOCK = 1 << 16
"""Numbers in a temporary (rows, K, D)."""


class AutoregressiveParams(NamedTuple):
    """Coefficients (K, D, 1 + lags * D), the intercept first and lag 1 next; residual variances (K, D)."""

    coefficients: Array
    variance: Array


class AutoregressiveStats(NamedTuple):
    """Sums of r (K,), r z z' (K, Q, Q), r e z' (K, D, Q), r e^2 (K, D); z the regressors, e the current residuals."""

    mass: Array
    gram: Array
    cross: Array
    square: Array


@dataclass(frozen=True, eq=False)
class AutoregressiveGaussian(Fieldwise):
    """Model rows given the ``lags`` rows before: independent residuals, one regression a component.

    ``prepare`` turns sequences into design rows [x_t, x_(t-1), ..., x_(t-lags)], which all other methods
    take. Rows that lack part of it, such as the first ``lags`` of a sequence, are conditioned on: their
    likelihood is 1.

    Attributes
    ----------
    lags : int
        Number of earlier rows.
    coefficient_weight : float
        Ridge: lag coefficients ~ N(0, variance / weight), without its normaliser.
    variance_prior, variance_weight : float
        Prior of the residual variances, v^(-weight / 2) exp(-prior / (2 v)).
    floor : float
        Smallest variance allowed.

    Examples
    --------
    >>> model = AutoregressiveGaussian(1)
    >>> model.prepare(SequenceBatch.of([[1.0, 2.0, 3.0]])).values.tolist()
    [[nan, nan], [2.0, 1.0], [3.0, 2.0]]
    """

    fields: ClassVar[tuple[str, ...]] = AutoregressiveParams._fields
    lags: int = 1
    coefficient_weight: float = 0.0
    variance_prior: float = 0.0
    variance_weight: float = 0.0
    floor: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.lags, 1, "lags")
        at_least([self.coefficient_weight, self.variance_prior, self.variance_weight], 0.0, "prior")
        if not self.floor > 0:
            raise ParameterError("floor is out of range", got=self.floor, expected="a positive variance")

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (IDENTITY, LOG)

    def prepare(self, batch: SequenceBatch) -> SequenceBatch:
        """Return the batch with design rows (N, (1 + lags) * D) as values."""
        values = rows(batch.values)
        start = np.repeat(batch.offsets[:-1], batch.lengths) - batch.offsets[0]
        age = np.arange(len(values)) - start
        shifted = [np.roll(values, lag, axis=0) for lag in range(self.lags + 1)]
        design = np.hstack(shifted)
        design[age < self.lags] = np.nan
        return batch.with_values(design)

    def check(self, x: Any) -> Array:
        """Return ``x`` as design rows."""
        array = rows(x)
        if array.shape[1] % (self.lags + 1):
            expected = f"a multiple of lags + 1 = {self.lags + 1} columns"
            raise DataError("not design rows", got=f"shape {array.shape}", expected=expected, hint="call prepare first")
        return array

    def missing(self, x: AnyArray) -> Mask:
        """Return which rows are conditioned on."""
        return np.asarray(np.isnan(x).any(axis=1))

    def _split(self, x: AnyArray) -> tuple[Array, Array]:
        """Return targets (N, D) and regressors (N, Q)."""
        D = x.shape[1] // (self.lags + 1)
        return x[:, :D], np.hstack([np.ones((len(x), 1)), x[:, D:]])

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> AutoregressiveParams:
        """Return one regression of all rows, its intercepts moved to k-means++ centres of the residuals."""
        y, z = self._split(x[~self.missing(x)])
        if len(y) == 0:
            raise DataError("no row has all its lags", expected=f"a sequence longer than lags = {self.lags}")
        slope = np.linalg.lstsq(z, y, rcond=None)[0].T
        rest = y - z @ slope.T
        coefficients = np.tile(slope, (n_components, 1, 1))
        coefficients[:, :, 0] += centres(rest, n_components, rng)
        variance = np.maximum(rest.var(axis=0), self.floor)
        return AutoregressiveParams(coefficients, np.tile(variance, (n_components, 1)))

    def _residuals(self, params: AutoregressiveParams, x: AnyArray) -> Iterator[tuple[AnyArray, Array, Array]]:
        """Yield complete rows' numbers, regressors (n, Q) and residuals (n, K, D)."""
        complete = np.flatnonzero(~self.missing(x))
        size = max(1, _BLOCK // params.variance.size)
        for start in range(0, len(complete), size):
            at = complete[start : start + size]
            y, z = self._split(x[at])
            yield at, z, y[:, None, :] - np.tensordot(z, params.coefficients, axes=(1, 2))

    def log_likelihood(self, params: AutoregressiveParams, x: AnyArray) -> Array:
        """Return log p(x_t | the rows before, k), shape (N, K)."""
        out = np.zeros((len(x), len(params.variance)))
        norm = (LOG_2PI + np.log(params.variance)).sum(axis=1)
        for at, _, rest in self._residuals(params, x):
            out[at] = -0.5 * (norm + (np.square(rest) / params.variance).sum(axis=2))
        return out

    def accumulate(self, params: AutoregressiveParams, x: AnyArray, resp: Array) -> AutoregressiveStats:
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
        return AutoregressiveStats(mass, gram, cross, square)

    def recentre(
        self, stats: AutoregressiveStats, old: AutoregressiveParams, new: AutoregressiveParams
    ) -> AutoregressiveStats:
        """Return the normal equations about the coefficients of ``new``."""
        step = new.coefficients - old.coefficients
        cross = stats.cross - np.einsum("kdq,kqr->kdr", step, stats.gram)
        return stats._replace(cross=cross, square=self._square(stats, step))

    def _ridge(self, n_regressors: int) -> Array:
        """Return the prior weight of each coefficient (Q,): none on the intercept."""
        return np.where(np.arange(n_regressors) > 0, self.coefficient_weight, 0.0)

    def _square(self, stats: AutoregressiveStats, step: Array) -> Array:
        """Return sums of squared residuals (K, D) after a ``step`` of the coefficients."""
        bend = np.einsum("kdq,kqr,kdr->kd", step, stats.gram, step)
        return stats.square - 2.0 * (step * stats.cross).sum(axis=2) + bend

    def maximise(self, stats: AutoregressiveStats, params: AutoregressiveParams) -> AutoregressiveParams:
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
        return self.settle(params, AutoregressiveParams(coefficients, variance), stats.mass)

    def expected_log_likelihood(
        self, stats: AutoregressiveStats, params: AutoregressiveParams, reference: AutoregressiveParams
    ) -> float:
        """Return sum of resp * log p(x | params)."""
        square = self._square(stats, params.coefficients - reference.coefficients)
        norm = stats.mass[:, None] * (LOG_2PI + np.log(params.variance))
        return float(-0.5 * (norm + square / params.variance).sum())

    def log_prior(self, params: AutoregressiveParams) -> float:
        """Return the log prior density of coefficients and variances, up to a constant."""
        ridge = self._ridge(params.coefficients.shape[2])
        scatter = self.variance_prior + (ridge * params.coefficients**2).sum(axis=2)
        return float(-0.5 * (self.variance_weight * np.log(params.variance) + scatter / params.variance).sum())

    def sample(self, params: AutoregressiveParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one sequence with a row for each entry of ``states``, shape (N, D); rows before it count as zero."""
        D = params.variance.shape[1]
        noise = rng.standard_normal((len(states), D)) * np.sqrt(params.variance[states])
        out = np.zeros((self.lags + len(states), D))
        for t, state in enumerate(states):
            before = out[t : t + self.lags][::-1].ravel()
            slope = params.coefficients[state]
            out[self.lags + t] = slope[:, 0] + slope[:, 1:] @ before + noise[t]
        return out[self.lags :]
