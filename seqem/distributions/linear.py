"""Exponential families with independent coordinates: log p(x | k) = <natural, statistic(x)> - log Z + base(x).

Density, statistics and expected log-likelihood are matrix products, the same for every family here.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from seqem.distributions.fieldwise import Fieldwise
from seqem.shapes import AnyArray, Array

NEVER = -1e200
"""Stands for log 0 in products, where -inf times a count of zero would be NaN."""

_INSIDE = 1.0
"""Stands in for a missing coordinate where functions of x are taken: in the support of every family."""


class LinearStats(NamedTuple):
    """Weights of observed coordinates (K, D), weighted statistics (K, S, D), weighted base terms (K,)."""

    mass: Array
    total: Array
    base: Array


def log_factorial(x: Array) -> Array:
    """Return log x! of counts, by table where they are small enough for one."""
    top = x.max(initial=0.0)
    if top >= x.size + 1000:
        return gammaln(x + 1.0)
    return gammaln(np.arange(top + 1.0) + 1.0)[x.astype(np.int64)]


def log_or_never(p: Array) -> Array:
    """Return log p with NEVER where p is zero."""
    return np.where(p > 0, np.log(np.where(p > 0, p, 1.0)), NEVER)


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearFamily(Fieldwise):
    """Base of such families: a subclass gives the four terms, a start, a maximiser, a prior and samples."""

    @abstractmethod
    def statistic(self, x: Array) -> Array:
        """Return the sufficient statistics of values (N, D) without NaN, shape (S, N, D)."""

    @abstractmethod
    def natural(self, params: Any) -> Array:
        """Return the natural parameters, shape (K, S, D)."""

    @abstractmethod
    def log_normaliser(self, params: Any) -> Array:
        """Return log Z for each coordinate, shape (K, D)."""

    @abstractmethod
    def base(self, x: Array) -> Array:
        """Return the part of the log-density free of parameters, for values (N, D) without NaN, shape (N, D)."""

    def _terms(self, x: AnyArray) -> tuple[Array, Array, Array]:
        """Return observed (N, D) as 0/1, statistics (S, N, D) and base terms (N,); zero where missing."""
        lost = np.isnan(x)
        if not lost.any():
            return np.ones(x.shape), self.statistic(x), self.base(x).sum(axis=1)
        values = np.where(lost, _INSIDE, x)
        base = np.where(lost, 0.0, self.base(values)).sum(axis=1)
        return (~lost).astype(np.float64), np.where(lost, 0.0, self.statistic(values)), base

    def log_likelihood(self, params: Any, x: AnyArray) -> Array:
        """Return log p(x_n | k), shape (N, K)."""
        seen, statistic, base = self._terms(x)
        out = base[:, None] - seen @ self.log_normaliser(params).T
        for values, natural in zip(statistic, np.swapaxes(self.natural(params), 0, 1), strict=True):
            out += values @ natural.T
        out[out < 0.1 * NEVER] = -np.inf
        return out

    def accumulate(self, params: Any, x: AnyArray, resp: Array) -> LinearStats:
        """Return the weighted sufficient statistics."""
        seen, statistic, base = self._terms(x)
        return LinearStats(resp.T @ seen, np.stack([resp.T @ values for values in statistic], axis=1), resp.T @ base)

    def expected_log_likelihood(self, stats: LinearStats, params: Any, reference: Any) -> float:
        """Return sum of resp * log p(x | params)."""
        linear = (stats.total * self.natural(params)).sum() - (stats.mass * self.log_normaliser(params)).sum()
        return float(linear + stats.base.sum())
