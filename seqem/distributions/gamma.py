"""Independent Gamma variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from seqem.core.checks import at_least, positive_rows, spread
from seqem.distributions._roots import newton_log
from seqem.distributions._start import centres, column_variance
from seqem.distributions.linear import LinearFamily, LinearStats
from seqem.distributions.transforms import LOG, Transform
from seqem.errors import ParameterError
from seqem.shapes import AnyArray, Array

_SHAPES = 1e-4, 1e7
"""Bounds of the shape: equal observations would send it to infinity."""


class GammaParams(NamedTuple):
    """Shapes and rates (K, D); the mean is shape / rate."""

    shape: Array
    rate: Array


@dataclass(frozen=True, eq=False)
class Gamma(LinearFamily):
    """Model positive rows (N, D) as independent Gamma variables; NaN is missing.

    Attributes
    ----------
    prior_weight : array-like
        Number of pseudo-observations (the conjugate prior), broadcast to (K, D).
    prior_mean, prior_log_mean : array-like
        Mean and mean logarithm of the pseudo-observations; prior_log_mean <= log prior_mean.

    Examples
    --------
    >>> params = GammaParams(np.array([[1.0]]), np.array([[1.0]]))
    >>> Gamma().log_likelihood(params, np.array([[3.0]])).tolist()
    [[-3.0]]
    """

    fields: ClassVar[tuple[str, ...]] = GammaParams._fields
    prior_weight: Any = 0.0
    prior_mean: Any = 1.0
    prior_log_mean: Any = -1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.prior_weight, 0.0, "prior_weight")
        if (np.asarray(self.prior_log_mean) > np.log(self.prior_mean)).any():
            raise ParameterError("prior_log_mean is impossible", got=self.prior_log_mean, expected="<= log(prior_mean)")

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (LOG, LOG)

    def check(self, x: Any) -> Array:
        """Return ``x`` as positive rows (N, D)."""
        return positive_rows(x)

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> GammaParams:
        """Return the Gammas with k-means++ centres as means and the variance of the data."""
        mean = np.maximum(centres(x, n_components, rng), 1e-6)
        variance = np.maximum(column_variance(x), 1e-4 * mean**2)
        return GammaParams(mean**2 / variance, mean / variance)

    def statistic(self, x: Array) -> Array:
        """Return values and their logs."""
        return np.stack([x, np.log(x)])

    def natural(self, params: GammaParams) -> Array:
        """Return minus rates, and shapes less one."""
        return np.stack([-params.rate, params.shape - 1.0], axis=1)

    def log_normaliser(self, params: GammaParams) -> Array:
        """Return log Gamma(shape) - shape log rate."""
        return gammaln(params.shape) - params.shape * np.log(params.rate)

    def base(self, x: Array) -> Array:
        """Return zero."""
        return np.zeros_like(x)

    def _pseudo(self, shape: tuple[int, ...]) -> LinearStats:
        weight = spread(self.prior_weight, shape, "prior_weight")
        total = np.stack([weight * self.prior_mean, weight * self.prior_log_mean], axis=1)
        return LinearStats(weight, total, np.zeros(shape[0]))

    def maximise(self, stats: LinearStats, params: GammaParams) -> GammaParams:
        """Return shapes by Newton's method on their logs, rates in closed form.

        Source: Minka, Estimating a Gamma distribution (2002), with the root taken by a safeguarded Newton.
        """
        pseudo = self._pseudo(params.shape.shape)
        mass = stats.mass + pseudo.mass
        held = np.where(mass > 0, mass, 1.0)
        mean, log_mean = np.swapaxes(stats.total + pseudo.total, 0, 1) / held
        mean = np.where(mass > 0, mean, 1.0)
        rate_kept = self.kept(params, "rate")
        # free rate: log a - psi(a) = log mean - mean log; fixed rate b: log b - psi(a) = - mean log
        level = np.where(rate_kept, np.log(params.rate), -np.log(mean)) + log_mean
        shape = newton_log(
            lambda a: np.where(rate_kept, 0.0, np.log(a)) - digamma(a) + level,
            lambda a: np.where(rate_kept, 0.0, 1.0) - a * polygamma(1, a),
            params.shape,
            _SHAPES,
        )
        shape = np.where(self.kept(params, "shape"), params.shape, shape)
        return self.settle(params, GammaParams(shape, shape / mean), stats.mass)

    def log_prior(self, params: GammaParams) -> float:
        """Return the log-likelihood of the pseudo-observations."""
        return self.expected_log_likelihood(self._pseudo(params.shape.shape), params, params)

    def sample(self, params: GammaParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, shape (N, D)."""
        return rng.gamma(params.shape[states], 1.0 / params.rate[states])
