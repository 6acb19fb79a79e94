"""Gaussian targets whose mean is a linear regression on other columns of the row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqem.core.checks import at_least, rows
from seqem.distributions._linear_gaussian import LinearGaussian, RegressionParams
from seqem.errors import DataError
from seqem.shapes import AnyArray, Array


@dataclass(frozen=True, eq=False)
class Regression(LinearGaussian):
    """Model the first columns of rows given the others: independent residuals, one regression a component.

    In a mixture of regressions the rows are ``[y, regressors]``. A row with a missing number counts for nothing.

    Attributes
    ----------
    n_targets : int
        D, columns that are regressed on the others.
    coefficient_weight, variance_prior, variance_weight, floor : float
        Ridge of the slopes, prior and smallest value of the residual variances.

    Examples
    --------
    >>> model = Regression()
    >>> params = RegressionParams(np.array([[[1.0, 2.0]]]), np.array([[1.0]]))
    >>> model.log_likelihood(params, np.array([[7.0, 3.0]])).round(4).tolist()
    [[-0.9189]]
    """

    n_targets: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.n_targets, 1, "n_targets")

    def _n_targets(self, x: AnyArray) -> int:
        return self.n_targets

    def check(self, x: Any) -> Array:
        """Return ``x`` as rows of targets and regressors."""
        array = rows(x)
        if array.shape[1] <= self.n_targets:
            raise DataError("no regressors", got=f"shape {array.shape}", expected=f"more than {self.n_targets} columns")
        return array

    def sample(self, params: RegressionParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, with regressors from the standard normal distribution."""
        slope = params.coefficients[states]
        z = rng.standard_normal((len(states), slope.shape[2] - 1))
        y = slope[:, :, 0] + np.einsum("ndq,nq->nd", slope[:, :, 1:], z)
        y += rng.standard_normal(y.shape) * np.sqrt(params.variance[states])
        return np.hstack([y, z])
