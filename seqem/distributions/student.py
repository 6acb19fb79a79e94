"""Heavy-tailed rows: independent Student t variables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from seqem.core.checks import at_least, rows
from seqem.distributions._gaussian_diagonal import LOG_2PI
from seqem.distributions._normal_prior import NormalPrior, about
from seqem.distributions._roots import newton_log
from seqem.distributions._start import centres, column_variance
from seqem.distributions.fieldwise import Fieldwise
from seqem.distributions.transforms import IDENTITY, LOG, Transform
from seqem.errors import ParameterError
from seqem.shapes import AnyArray, Array

_BLOCK = 1 << 16
"""Numbers in a temporary (rows, K, D)."""


class StudentTParams(NamedTuple):
    """Location, scale and degrees of freedom, each (K, D)."""

    location: Array
    scale: Array
    df: Array


class StudentTStats(NamedTuple):
    """Expected complete-data statistics (K, D), u the latent precision: sums of r, r u, r log u, r u (x - m), r u (x - m)^2."""

    mass: Array
    precision: Array
    log_precision: Array
    first: Array
    second: Array


@dataclass(frozen=True, eq=False)
class StudentT(Fieldwise):
    """Model rows (N, D) as independent t variables; NaN is missing.

    Attributes
    ----------
    mean_prior, mean_weight, covariance_prior, covariance_weight : array-like, optional
        Prior of location and squared scale, as for a diagonal Gaussian.
    floor : float
        Smallest squared scale allowed.
    df_bounds : (float, float)
        Range of the degrees of freedom.

    Notes
    -----
    x is normal with variance scale^2 / u and u is Gamma(df / 2, df / 2); the M-step is exact in all three
    (Liu & Rubin, Statistica Sinica 5 (1995), 19-39).

    Examples
    --------
    >>> params = StudentTParams(np.zeros((1, 1)), np.ones((1, 1)), np.ones((1, 1)))
    >>> StudentT().log_likelihood(params, np.zeros((1, 1))).round(4).tolist()
    [[-1.1447]]
    """

    fields: ClassVar[tuple[str, ...]] = StudentTParams._fields
    mean_prior: Any = None
    mean_weight: Any = 0.0
    covariance_prior: Any = None
    covariance_weight: Any = 0.0
    floor: float = 1e-6
    df_bounds: tuple[float, float] = (0.5, 200.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.mean_weight, 0.0, "mean_weight")
        low, high = self.df_bounds
        if not (self.floor > 0 and 0 < low < high < np.inf):
            expected = "a positive floor and 0 < low < high"
            raise ParameterError("floor or df_bounds out of range", got=(self.floor, self.df_bounds), expected=expected)

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (IDENTITY, LOG, LOG)

    def check(self, x: Any) -> Array:
        """Return ``x`` as float64 rows (N, D)."""
        return rows(x)

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> StudentTParams:
        """Return k-means++ centres, the scale of the whole data and 10 degrees of freedom."""
        location = centres(x, n_components, rng)
        scale = np.sqrt(np.maximum(column_variance(x), self.floor))
        df = np.full_like(location, np.clip(10.0, *self.df_bounds))
        return StudentTParams(location, np.tile(scale, (n_components, 1)), df)

    def _prior(self, params: StudentTParams) -> NormalPrior:
        terms = (self.mean_prior, self.mean_weight, self.covariance_prior, self.covariance_weight)
        return NormalPrior.of(params.location, params.location.shape, *terms, 1)

    def _blocks(self, params: StudentTParams, x: AnyArray) -> Iterator[tuple[slice, Array, Array]]:
        """Yield row ranges, distances from the locations (n, K, D), 0 where missing, and what is observed (n, 1, D)."""
        size = max(1, _BLOCK // params.location.size)
        for start in range(0, len(x), size):
            at = slice(start, start + size)
            away = x[at, None, :] - params.location
            seen = ~np.isnan(x[at, None, :])
            yield at, np.where(seen, away, 0.0), seen

    def log_likelihood(self, params: StudentTParams, x: AnyArray) -> Array:
        """Return log p(x_n | k), shape (N, K)."""
        half = 0.5 * params.df
        norm = gammaln(half + 0.5) - gammaln(half) - 0.5 * np.log(np.pi * params.df) - np.log(params.scale)
        out = np.empty((len(x), len(params.location)))
        for at, away, seen in self._blocks(params, x):
            tail = np.log1p(np.square(away / params.scale) / params.df)
            out[at] = np.where(seen, norm - (half + 0.5) * tail, 0.0).sum(axis=2)
        return out

    def accumulate(self, params: StudentTParams, x: AnyArray, resp: Array) -> StudentTStats:
        """Return expected statistics about the current locations."""
        half = 0.5 * (params.df + 1.0)
        sums = np.zeros((5, *params.location.shape))
        for at, away, seen in self._blocks(params, x):
            rest = 0.5 * (params.df + np.square(away / params.scale))
            weight = resp[at, :, None] * seen
            precision = half / rest
            pull = weight * precision * away
            terms = (weight, weight * precision, weight * (digamma(half) - np.log(rest)), pull, pull * away)
            sums += np.stack([term.sum(axis=0) for term in terms])
        return StudentTStats(*sums)

    def recentre(self, stats: StudentTStats, old: StudentTParams, new: StudentTParams) -> StudentTStats:
        """Return moments about the locations of ``old`` as moments about those of ``new``."""
        step = new.location - old.location
        second = about(stats.second, stats.first, stats.precision, step)
        return stats._replace(first=stats.first - stats.precision * step, second=second)

    def maximise(self, stats: StudentTStats, params: StudentTParams) -> StudentTParams:
        """Return the mode of location and scale, and the root in the degrees of freedom."""
        prior = self._prior(params)
        step = prior.step(stats.first, stats.precision, params.location)
        step = np.where(self.kept(params, "location"), 0.0, step)
        location = params.location + step
        scatter = prior.scatter + prior.mean_scatter(location) + about(stats.second, stats.first, stats.precision, step)
        total = prior.weight + stats.mass
        variance = np.maximum(scatter / np.where(total > 0, total, 1.0), self.floor)
        mean = (stats.log_precision - stats.precision) / np.where(stats.mass > 0, stats.mass, 1.0)
        df = newton_log(
            lambda v: np.log(0.5 * v) + 1.0 - digamma(0.5 * v) + mean,
            lambda v: 1.0 - 0.5 * v * polygamma(1, 0.5 * v),
            params.df,
            self.df_bounds,
        )
        return self.settle(params, StudentTParams(location, np.sqrt(variance), df), stats.mass)

    def expected_log_likelihood(self, stats: StudentTStats, params: StudentTParams, reference: StudentTParams) -> float:
        """Return Q(params | reference), the expectation over the latent precisions too."""
        half = 0.5 * params.df
        norm = half * np.log(half) - gammaln(half) - 0.5 * LOG_2PI - np.log(params.scale)
        scatter = about(stats.second, stats.first, stats.precision, params.location - reference.location)
        latent = (half - 0.5) * stats.log_precision - half * stats.precision
        return float((stats.mass * norm - 0.5 * scatter / params.scale**2 + latent).sum())

    def log_prior(self, params: StudentTParams) -> float:
        """Return the log prior density of location and scale, up to a constant."""
        return self._prior(params).log_density(params.location, params.scale**2)

    def sample(self, params: StudentTParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, shape (N, D)."""
        return params.location[states] + params.scale[states] * rng.standard_t(params.df[states])
