"""Independent Poisson counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from seqem.core.checks import counts
from seqem.distributions._rates import RateFamily
from seqem.distributions._start import centres
from seqem.distributions.linear import LinearStats, log_factorial, log_or_never
from seqem.shapes import AnyArray, Array


class PoissonParams(NamedTuple):
    """Rates (K, D)."""

    rate: Array


@dataclass(frozen=True, eq=False)
class Poisson(RateFamily):
    """Model counts (N, D) as independent Poisson variables; NaN is missing.

    Attributes
    ----------
    prior_shape, prior_rate : array-like
        Gamma prior of the rates, broadcast to (K, D); the M-step is its mode
        (prior_shape - 1 + sum r x) / (prior_rate + sum r).

    Examples
    --------
    >>> Poisson().log_likelihood(PoissonParams(np.array([[2.0]])), np.array([[0.0]])).tolist()
    [[-2.0]]
    """

    fields: ClassVar[tuple[str, ...]] = PoissonParams._fields

    def check(self, x: Any) -> Array:
        """Return ``x`` as counts (N, D)."""
        return counts(x)

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> PoissonParams:
        """Return k-means++ centres as rates."""
        return PoissonParams(np.maximum(centres(x, n_components, rng), 0.0) + 0.05)

    def statistic(self, x: Array) -> Array:
        """Return the counts."""
        return x[None]

    def natural(self, params: PoissonParams) -> Array:
        """Return log rates."""
        return log_or_never(params.rate)[:, None]

    def log_normaliser(self, params: PoissonParams) -> Array:
        """Return the rates."""
        return params.rate

    def base(self, x: Array) -> Array:
        """Return -log x!."""
        return -log_factorial(x)

    def maximise(self, stats: LinearStats, params: PoissonParams) -> PoissonParams:
        """Return the mode of the rates."""
        rate = self.mode(stats.total[:, 0], stats.mass)
        return self.settle(params, PoissonParams(rate), stats.mass)

    def sample(self, params: PoissonParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, shape (N, D)."""
        return rng.poisson(params.rate[states]).astype(np.float64)
