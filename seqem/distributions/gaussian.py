"""Gaussian rows with spherical, diagonal, full or tied covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from seqem.core.checks import at_least, rows
from seqem.core.linalg import cholesky
from seqem.distributions import _gaussian_diagonal as diagonal
from seqem.distributions import _gaussian_few as few
from seqem.distributions import _gaussian_full as full
from seqem.distributions._normal_prior import NormalPrior, about
from seqem.distributions._start import centres, column_variance
from seqem.distributions.fieldwise import Fieldwise
from seqem.distributions.transforms import COVARIANCE, IDENTITY, LOG, Transform
from seqem.errors import ParameterError
from seqem.shapes import AnyArray, Array, Mask

COVARIANCE_TYPES = ("spherical", "diag", "full", "tied")


class GaussianParams(NamedTuple):
    """Means (K, D); covariance (K,), (K, D), (K, D, D), or tied (D, D) / (groups, D, D)."""

    mean: Array
    covariance: Array


class GaussianStats(NamedTuple):
    """Moments about the means of the E-step, so that an offset of the data costs no digits.

    ``mass`` is (K, D), per observed coordinate, for spherical and diag, else (K,); ``first`` (K, D) is
    sum r (x - m); ``second`` (K, D), (K, D, D), or tied (groups, D, D).
    """

    mass: Array
    first: Array
    second: Array


@dataclass(frozen=True, eq=False)
class Gaussian(Fieldwise):
    """Model rows (N, D) as K Gaussians.

    Attributes
    ----------
    covariance_type : {"diag", "spherical", "full", "tied"}
        Shape of the covariances.
    mean_prior, mean_weight : array-like, optional
        Centre (broadcast to (K, D)) and pseudo-count ((), (K,)) of the prior of the means.
    covariance_prior, covariance_weight : array-like, optional
        Scatter (broadcast to the shape of the covariance; for full and tied a scalar fills every entry)
        and weight of the prior of the covariances. With the same four values the M-step is hmmlearn's.
    floor : float
        Smallest variance (eigenvalue) allowed; a constraint that the M-step meets exactly.
    groups : int
        For tied: this many runs of consecutive components share a covariance each.

    Notes
    -----
    A NaN coordinate is missing: left out (spherical, diag) or replaced by its conditional moments
    (full, tied; Little & Rubin, Statistical Analysis with Missing Data, ch. 11).

    Examples
    --------
    >>> model = Gaussian("diag")
    >>> params = GaussianParams(np.zeros((1, 2)), np.ones((1, 2)))
    >>> model.log_likelihood(params, np.zeros((1, 2))).round(4).tolist()
    [[-1.8379]]
    """

    fields: ClassVar[tuple[str, ...]] = GaussianParams._fields
    covariance_type: str = "diag"
    mean_prior: Any = None
    mean_weight: Any = 0.0
    covariance_prior: Any = None
    covariance_weight: Any = 0.0
    floor: float = 1e-6
    groups: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.covariance_type not in COVARIANCE_TYPES:
            raise ParameterError("unknown covariance_type", got=self.covariance_type, expected=COVARIANCE_TYPES)
        if not np.min(self.floor) > 0:
            raise ParameterError("floor is out of range", got=self.floor, expected="a positive variance")
        at_least(self.mean_weight, 0.0, "mean_weight")
        at_least(self.groups, 1, "groups")

    @property
    def factorises(self) -> bool:
        """Whether the coordinates are independent given the component."""
        return self.covariance_type in ("spherical", "diag")

    def at_floor(self, params: GaussianParams) -> Mask:
        """Return which components have a smallest variance, in any direction, that the floor holds, shape (K,)."""
        if self.factorises:
            smallest = params.covariance.reshape(len(params.mean), -1).min(axis=1)
        else:
            smallest = np.atleast_1d(np.linalg.eigvalsh(params.covariance).min(axis=-1))
        return np.repeat(smallest <= self.floor * (1 + 1e-6), len(params.mean) // len(smallest))

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (IDENTITY, LOG if self.factorises else COVARIANCE)

    def check(self, x: Any) -> Array:
        """Return ``x`` as float64 rows (N, D)."""
        return rows(x)

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> GaussianParams:
        """Return k-means++ centres and the variances of the whole data."""
        mean, variance = centres(x, n_components, rng), np.maximum(column_variance(x), self.floor)
        kinds = {
            "spherical": np.full(n_components, variance.mean()),
            "diag": np.tile(variance, (n_components, 1)),
            "full": np.tile(np.diag(variance), (n_components, 1, 1)),
            "tied": np.tile(np.diag(variance), (self.groups, 1, 1)) if self.groups > 1 else np.diag(variance),
        }
        return GaussianParams(mean, kinds[self.covariance_type])

    def _variance(self, params: GaussianParams) -> Array:
        """Return the variances of the coordinates (K, D) of a factorising model."""
        variance = params.covariance
        return np.broadcast_to(variance[:, None], params.mean.shape) if variance.ndim == 1 else variance

    def _matrices(self, params: GaussianParams) -> Array:
        """Return one covariance matrix a component (K, D, D)."""
        matrices = params.covariance.reshape(-1, *params.covariance.shape[-2:])
        return np.repeat(matrices, len(params.mean) // len(matrices), axis=0)

    def _prior(self, params: GaussianParams, shape: tuple[int, ...]) -> NormalPrior:
        degrees = 1 if self.factorises else params.mean.shape[1]
        terms = (self.mean_prior, self.mean_weight, self.covariance_prior, self.covariance_weight)
        return NormalPrior.of(params.mean, shape, *terms, degrees)

    def log_likelihood(self, params: GaussianParams, x: AnyArray) -> Array:
        """Return log p(x_n | k), shape (N, K)."""
        if self.factorises:
            return diagonal.log_likelihood(params.mean, self._variance(params), x)
        if self.covariance_type == "tied" and params.covariance.ndim == 2:
            return full.log_likelihood_tied(params.mean, params.covariance, x)
        return full.log_likelihood(params.mean, self._matrices(params), x)

    def accumulate(self, params: GaussianParams, x: AnyArray, resp: Array) -> GaussianStats:
        """Return weighted moments about the current means."""
        if self.factorises:
            return GaussianStats(*diagonal.moments(params.mean, x, resp))
        mass, first, second = full.moments(params.mean, self._matrices(params), x, resp)
        if self.covariance_type == "tied":
            second = second.reshape(self.groups, -1, *second.shape[1:]).sum(axis=1)
        return GaussianStats(mass, first, second)

    def weigh(
        self, params: GaussianParams, log_weights: Array, x: AnyArray, weights: Array
    ) -> tuple[Array, Array, GaussianStats] | None:
        """Return log-densities (N,) of a mixture of the components, their shares (K,) and statistics in one pass.

        None where that does not pay: with many components or columns, common covariances, or missing entries.
        """
        if self.covariance_type == "tied" or not few.suits(params.mean, x):
            return None
        covariance = self._variance(params) if self.factorises else params.covariance
        scores, mass, first, second = few.weigh(params.mean, covariance, log_weights, x, weights)
        per_column = np.repeat(mass[:, None], params.mean.shape[1], axis=1) if self.factorises else mass
        return scores, mass, GaussianStats(per_column, first, second)

    def recentre(self, stats: GaussianStats, old: GaussianParams, new: GaussianParams) -> GaussianStats:
        """Return moments about the means of ``old`` as moments about those of ``new``."""
        step = new.mean - old.mean
        if self.factorises:
            second, mass = about(stats.second, stats.first, stats.mass, step), stats.mass
        else:
            second, mass = full.scatter(stats, step), stats.mass[:, None]
        return GaussianStats(stats.mass, stats.first - mass * step, second)

    def maximise(self, stats: GaussianStats, params: GaussianParams) -> GaussianParams:
        """Return the mode of the means and covariances."""
        if self.factorises:
            return self._maximise_diagonal(stats, params)
        return self._maximise_full(stats, params)

    def _maximise_diagonal(self, stats: GaussianStats, params: GaussianParams) -> GaussianParams:
        prior = self._prior(params, params.mean.shape)
        step = np.where(self.kept(params, "mean"), 0.0, prior.step(stats.first, stats.mass, params.mean))
        mean = params.mean + step
        variance = diagonal.variance(prior, stats, step, mean, spherical=self.covariance_type == "spherical")
        return self.settle(params, GaussianParams(mean, np.maximum(variance, self.floor)), stats.mass)

    def _maximise_full(self, stats: GaussianStats, params: GaussianParams) -> GaussianParams:
        for name in self.fields:
            full.refuse_partial(self.kept(params, name), name)
        prior = self._prior(params, stats.second.shape)
        step = np.where(self.kept(params, "mean"), 0.0, prior.step(stats.first, stats.mass[:, None], params.mean))
        tied = self.covariance_type == "tied"
        groups = self.groups if tied else len(params.mean)
        matrix = full.covariance(prior, stats, step, params.mean + step, groups, self.floor)
        shared = ("covariance",) if tied else ()
        new = GaussianParams(params.mean + step, matrix.reshape(params.covariance.shape))
        return self.settle(params, new, stats.mass, shared)

    def expected_log_likelihood(self, stats: GaussianStats, params: GaussianParams, reference: GaussianParams) -> float:
        """Return Q(params | reference)."""
        step = params.mean - reference.mean
        if self.factorises:
            return diagonal.expected(stats, step, self._variance(params))
        matrices = params.covariance.reshape(-1, *params.covariance.shape[-2:])
        return full.expected(stats, step, matrices)

    def log_prior(self, params: GaussianParams) -> float:
        """Return the log prior density of means and covariances, up to a constant."""
        if self.factorises:
            prior = self._prior(params, params.mean.shape)
            return prior.log_density(params.mean, self._variance(params))
        matrices = params.covariance.reshape(-1, *params.covariance.shape[-2:])
        return full.log_prior(self._prior(params, matrices.shape), params.mean, matrices)

    def sample(self, params: GaussianParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, shape (N, D)."""
        noise = rng.standard_normal((len(states), params.mean.shape[1]))
        if self.factorises:
            return params.mean[states] + np.sqrt(self._variance(params))[states] * noise
        lower = cholesky(self._matrices(params))
        return params.mean[states] + np.einsum("nij,nj->ni", lower[states], noise)
