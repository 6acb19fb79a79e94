"""Counts or yes-or-no responses whose mean depends on other columns of the row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from seqem.core.checks import refuse
from seqem.distributions._generalized_linear import GeneralizedRegression, GeneralizedRegressionParams
from seqem.distributions.linear import log_factorial
from seqem.shapes import Array

__all__ = ["GeneralizedRegressionParams", "LogisticRegression", "PoissonRegression"]


@dataclass(frozen=True, eq=False)
class PoissonRegression(GeneralizedRegression):
    """Model counts given the other columns of the row: the log of the mean is linear in them.

    Rows are ``[count, regressors]``.

    Examples
    --------
    >>> params = GeneralizedRegressionParams(np.array([[0.0, 1.0]]))
    >>> PoissonRegression().log_likelihood(params, np.array([[0.0, np.log(2.0)]])).tolist()
    [[-2.0]]
    """

    def _refuse_responses(self, x: Array) -> None:
        y = x[:, 0]
        bad = (y < 0) | (y != np.floor(y)) & ~np.isnan(y)
        refuse(bad, y, "response is not a count", expected="whole numbers >= 0 in column 0, or NaN where missing")

    def _base(self, y: Array) -> Array:
        return -log_factorial(y)

    def _cumulant(self, eta: Array) -> Array:
        return np.exp(eta)

    def _mean(self, eta: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(eta)

    def _variance(self, mean: Array) -> Array:
        return mean

    def _link(self, y: Any) -> Any:
        return np.log(y + 0.5)

    def _draw(self, mean: Array, rng: np.random.Generator) -> Array:
        return rng.poisson(mean).astype(np.float64)


@dataclass(frozen=True, eq=False)
class LogisticRegression(GeneralizedRegression):
    """Model yes or no given the other columns of the row: the log odds are linear in them.

    Rows are ``[0 or 1, regressors]``.

    Examples
    --------
    >>> params = GeneralizedRegressionParams(np.array([[0.0, 1.0]]))
    >>> np.exp(LogisticRegression().log_likelihood(params, np.array([[1.0, np.log(3.0)]]))).round(6).tolist()
    [[0.75]]
    """

    def _refuse_responses(self, x: Array) -> None:
        y = x[:, 0]
        bad = (y != 0) & (y != 1) & ~np.isnan(y)
        refuse(bad, y, "response is not binary", expected="0 or 1 in column 0, or NaN where missing")

    def _base(self, y: Array) -> Array:
        return np.zeros_like(y)

    def _cumulant(self, eta: Array) -> Array:
        return np.logaddexp(0.0, eta)

    def _mean(self, eta: Array) -> Array:
        return np.asarray(expit(eta))

    def _variance(self, mean: Array) -> Array:
        return mean * (1.0 - mean)

    def _link(self, y: Any) -> Any:
        return np.log((y + 1.0) / (2.0 - y))

    def _draw(self, mean: Array, rng: np.random.Generator) -> Array:
        return (rng.random(mean.shape) < mean).astype(np.float64)
