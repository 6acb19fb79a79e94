"""Gaussian rows whose mean is a regression on the rows before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.core.checks import at_least, rows
from seqem.distributions._linear_gaussian import LinearGaussian, RegressionParams
from seqem.errors import DataError
from seqem.shapes import AnyArray, Array


@dataclass(frozen=True, eq=False)
class AutoregressiveGaussian(LinearGaussian):
    """Model rows given the ``lags`` rows before: independent residuals, one regression a component.

    ``prepare`` turns sequences into design rows [x_t, x_(t-1), ..., x_(t-lags)], which all other methods
    take. Rows that lack part of it, such as the first ``lags`` of a sequence, are conditioned on: their
    likelihood is 1. Coefficients are (K, D, 1 + lags * D), the intercept first and lag 1 next.

    Attributes
    ----------
    lags : int
        Number of earlier rows.
    coefficient_weight, variance_prior, variance_weight, floor : float
        Ridge of the slopes, prior and smallest value of the residual variances.

    Examples
    --------
    >>> model = AutoregressiveGaussian(lags=1)
    >>> model.prepare(SequenceBatch.of([[1.0, 2.0, 3.0]])).values.tolist()
    [[nan, nan], [2.0, 1.0], [3.0, 2.0]]
    """

    lags: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.lags, 1, "lags")

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

    def _n_targets(self, x: AnyArray) -> int:
        return x.shape[1] // (self.lags + 1)

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> RegressionParams:
        """Return one regression of all rows, its intercepts moved to k-means++ centres of the residuals."""
        if self.missing(x).all():
            raise DataError("no row has all its lags", expected=f"a sequence longer than lags = {self.lags}")
        return super().initial(x, n_components, rng)

    def sample(self, params: RegressionParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one sequence with a row for each entry of ``states``, shape (N, D); rows before it count as zero."""
        D = params.variance.shape[1]
        noise = rng.standard_normal((len(states), D)) * np.sqrt(params.variance[states])
        out = np.zeros((self.lags + len(states), D))
        for t, state in enumerate(states):
            before = out[t : t + self.lags][::-1].ravel()
            slope = params.coefficients[state]
            out[self.lags + t] = slope[:, 0] + slope[:, 1:] @ before + noise[t]
        return out[self.lags :]
