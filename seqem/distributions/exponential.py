"""Independent exponential waiting times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from seqem.core.checks import positive_rows
from seqem.distributions._rates import RateFamily
from seqem.distributions._start import centres
from seqem.distributions.linear import LinearStats
from seqem.shapes import AnyArray, Array

_SHORTEST = 1e-12
"""Smallest mean wait: all-zero data would send the rate to infinity."""


class ExponentialParams(NamedTuple):
    """Rates (K, D), one over the means."""

    rate: Array


@dataclass(frozen=True, eq=False)
class Exponential(RateFamily):
    """Model non-negative rows (N, D) as independent exponential variables; NaN is missing.

    Attributes
    ----------
    prior_shape, prior_rate : array-like
        Gamma prior of the rates, broadcast to (K, D).

    Examples
    --------
    >>> Exponential().log_likelihood(ExponentialParams(np.array([[1.0]])), np.array([[3.0]])).tolist()
    [[-3.0]]
    """

    fields: ClassVar[tuple[str, ...]] = ExponentialParams._fields

    def check(self, x: Any) -> Array:
        """Return ``x`` as non-negative rows (N, D)."""
        return positive_rows(x, zero=True)

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> ExponentialParams:
        """Return the rates whose means are k-means++ centres."""
        middle = centres(x, n_components, rng)
        return ExponentialParams(1.0 / np.maximum(middle, 1e-3 * np.abs(middle).max() + _SHORTEST))

    def statistic(self, x: Array) -> Array:
        """Return the waits."""
        return x[None]

    def natural(self, params: ExponentialParams) -> Array:
        """Return minus the rates."""
        return -params.rate[:, None]

    def log_normaliser(self, params: ExponentialParams) -> Array:
        """Return minus the log rates."""
        return -np.log(params.rate)

    def base(self, x: Array) -> Array:
        """Return zero."""
        return np.zeros_like(x)

    def maximise(self, stats: LinearStats, params: ExponentialParams) -> ExponentialParams:
        """Return the mode of the rates."""
        waited = np.maximum(stats.total[:, 0], _SHORTEST * stats.mass)
        rate = self.mode(stats.mass, waited)
        return self.settle(params, ExponentialParams(rate), stats.mass)

    def sample(self, params: ExponentialParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, shape (N, D)."""
        return rng.exponential(1.0 / params.rate[states])
