"""Independent Poisson counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import gammaln

from seqem.core.checks import at_least, counts
from seqem.distributions._linear import LinearFamily, LinearStats, log_or_never
from seqem.distributions._rates import gamma_log_density, gamma_map
from seqem.distributions._start import centres
from seqem.distributions._transforms import LOG, Transform
from seqem.shapes import AnyArray, Array


class PoissonParams(NamedTuple):
    """Rates (K, D)."""

    rate: Array


@dataclass(frozen=True, eq=False)
class Poisson(LinearFamily):
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
    prior_shape: Any = 1.0
    prior_rate: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.prior_shape, 1.0, "prior_shape")
        at_least(self.prior_rate, 0.0, "prior_rate")

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (LOG,)

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
        return log_or_never(params.rate)[None]

    def log_normaliser(self, params: PoissonParams) -> Array:
        """Return the rates."""
        return params.rate

    def base(self, x: Array) -> Array:
        """Return -log x!."""
        return -gammaln(x + 1.0)

    def maximise(self, stats: LinearStats, params: PoissonParams) -> PoissonParams:
        """Return the mode of the rates."""
        rate = gamma_map(stats.total[0], stats.mass, self.prior_shape, self.prior_rate)
        return self.settle(params, PoissonParams(rate), stats.mass)

    def log_prior(self, params: PoissonParams) -> float:
        """Return the log Gamma density of the rates, up to a constant."""
        return gamma_log_density(params.rate, self.prior_shape, self.prior_rate)

    def sample(self, params: PoissonParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, shape (N, D)."""
        return rng.poisson(params.rate[states]).astype(np.float64)
