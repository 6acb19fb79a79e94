"""Gaussian rows whose covariance is that of a few factors and independent noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from seqem.core.checks import rows, spread
from seqem.core.linalg import inverse_cholesky
from seqem.distributions import _gaussian_full as full
from seqem.distributions._factors import Echelon, conditional_loadings, echelon, improved, misfit, pivots, posterior
from seqem.distributions._gaussian_diagonal import LOG_2PI
from seqem.distributions._start import centres, column_variance
from seqem.distributions.fieldwise import EMPTY, Fieldwise
from seqem.distributions.gaussian import GaussianStats
from seqem.distributions.transforms import IDENTITY, Elementwise, Transform
from seqem.errors import ParameterError
from seqem.shapes import AnyArray, Array, Mask

_STEPS = 50
"""Rubin-Thayer steps of one M-step at most."""
_STILL = 1e-8
"""Change of loadings and noise, in standard deviations and variances of the noise, that ends an M-step."""


class FactorGaussianParams(NamedTuple):
    """Means (K, D), loadings (K, D, q) and variances of the noise (K, D)."""

    mean: Array
    loadings: Array
    noise: Array


@dataclass(frozen=True, eq=False)
class FactorGaussian(Fieldwise):
    """Model rows (N, D) as K Gaussians with covariance ``loadings @ loadings.T + diag(noise)``.

    Attributes
    ----------
    n_factors : int
        q, columns of the loadings.
    floor : float or array-like, shape (D,)
        Smallest variance of the noise, of all columns or of each. It is a constraint that every M-step meets exactly;
        one that went with the moments of a component would let the likelihood fall.

    Notes
    -----
    The mixture is that of Ghahramani & Hinton (The EM algorithm for mixtures of factor analyzers, 1996, Toronto
    CRG-TR-96-1) and McLachlan & Peel (Finite Mixture Models, 2000, ch. 8). Statistics are moments of the rows, not of
    the factors, as in the AECM algorithm of the latter, so that means are found in one step. Loadings and noise then
    climb on those moments by the steps of Rubin & Thayer (1982, Psychometrika 47, 69-76), which cost no pass over the
    rows.

    A rotation of the loadings changes nothing. They are kept in echelon form, q (q - 1) / 2 of them zero, which
    ``n_free`` does not count. A NaN coordinate is missing, and replaced by its conditional moments.

    Examples
    --------
    >>> params = FactorGaussianParams(np.zeros((1, 2)), np.ones((1, 2, 1)), np.ones((1, 2)))
    >>> FactorGaussian().log_likelihood(params, np.zeros((1, 2))).round(4).tolist()
    [[-2.3872]]
    """

    fields: ClassVar[tuple[str, ...]] = FactorGaussianParams._fields
    n_factors: int = 1
    floor: Any = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isinstance(self.n_factors, int | np.integer) and self.n_factors >= 1):
            raise ParameterError("n_factors is off", got=self.n_factors, expected="a positive integer")
        floor = np.asarray(self.floor, dtype=np.float64)
        if not (np.isfinite(floor).all() and (floor > 0).all()):
            raise ParameterError("floor is out of range", got=self.floor, expected="positive variances")

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field; variances at the floor are not free."""
        edge = np.asarray(self.floor, dtype=np.float64) * (1.0 + 1e-9)
        return (IDENTITY, Echelon(), Elementwise(np.log, np.exp, lambda noise: noise > edge))

    def check(self, x: Any) -> Array:
        """Return ``x`` as float64 rows (N, D) with no fewer columns than factors."""
        array = rows(x)
        D = array.shape[1]
        if self.n_factors > D:
            raise ParameterError("n_factors is off", got=self.n_factors, expected=f"1 to n_features = {D}")
        spread(self.floor, (D,), "floor")
        return array

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> FactorGaussianParams:
        """Return k-means++ centres, and half of the whole data's variances as noise with the loadings best for it."""
        mean, variance = centres(x, n_components, rng), column_variance(x)
        noise = np.maximum(0.5 * variance, self.floor)
        about = full.moments(mean[:1], np.diag(variance)[None], x, np.ones((len(x), 1)))
        covariance = _covariance(GaussianStats(*about), about[1] / about[0][:, None])[0]
        loadings = conditional_loadings(covariance, noise, self.n_factors)
        loadings = echelon(loadings, pivots(loadings / np.sqrt(noise)[:, None]))
        return FactorGaussianParams(mean, np.tile(loadings, (n_components, 1, 1)), np.tile(noise, (n_components, 1)))

    def covariances(self, params: FactorGaussianParams) -> Array:
        """Return the covariances (K, D, D) of the rows."""
        common = params.loadings @ np.swapaxes(params.loadings, 1, 2)
        return common + np.eye(params.mean.shape[1]) * params.noise[:, None]

    def log_likelihood(self, params: FactorGaussianParams, x: AnyArray) -> Array:
        """Return log p(x_n | k), shape (N, K)."""
        return self._density_and_factors(params, x)[0]

    def factor_scores(self, params: FactorGaussianParams, x: AnyArray) -> Array:
        """Return the expected factors under each component given what is there of the rows, shape (N, K, q)."""
        return self._density_and_factors(params, x)[1]

    def _density_and_factors(self, params: FactorGaussianParams, x: AnyArray) -> tuple[Array, Array]:
        K, D, q = params.loadings.shape
        density, factors = np.empty((len(x), K)), np.empty((len(x), K, q))
        patterns: list[tuple[Mask, Any]] = [(np.ones(D, dtype=bool), slice(None)), *full.patterns(x)]
        for seen, at in patterns:  # as if all were whole, then over it those that are not
            part = x[at][:, seen]
            for k, (mean, loadings, noise) in enumerate(zip(*params, strict=True)):
                density[at, k], factors[at, k] = _explained(part - mean[seen], loadings[seen], noise[seen])
        return density, factors

    def accumulate(self, params: FactorGaussianParams, x: AnyArray, resp: Array) -> GaussianStats:
        """Return weighted moments about the current means, those of missing coordinates expected."""
        return GaussianStats(*full.moments(params.mean, self.covariances(params), x, resp))

    def recentre(self, stats: GaussianStats, old: FactorGaussianParams, new: FactorGaussianParams) -> GaussianStats:
        """Return moments about the means of ``old`` as moments about those of ``new``."""
        step = new.mean - old.mean
        return GaussianStats(stats.mass, stats.first - stats.mass[:, None] * step, full.scatter(stats, step))

    def maximise(self, stats: GaussianStats, params: FactorGaussianParams) -> FactorGaussianParams:
        """Return the best means, and loadings and noise that have climbed from ``params`` on the moments about them."""
        for name in ("mean", "loadings"):
            _refuse_partial(self.kept(params, name), name)
        mass = np.where(stats.mass > EMPTY, stats.mass, 1.0)[:, None]
        step = np.where(self.kept(params, "mean"), 0.0, stats.first / mass)
        loadings, noise = self._climbed(_covariance(stats, step), params)
        return self.settle(params, FactorGaussianParams(params.mean + step, loadings, noise), stats.mass)

    def _climbed(self, covariance: Array, params: FactorGaussianParams) -> tuple[Array, Array]:
        """Return loadings, in the echelon form of ``params``, and noise after steps on covariances (K, D, D)."""
        held, fixed = self.kept(params, "loadings"), self.kept(params, "noise")
        loadings, noise = params.loadings, params.noise
        for _ in range(_STEPS):
            last = loadings, noise
            loadings, noise = improved(covariance, *last, self.floor, held)
            noise = np.where(fixed, params.noise, noise)
            drift = np.abs(loadings - last[0]).max(axis=2) / np.sqrt(noise) + np.abs(noise - last[1]) / noise
            if drift.max() <= _STILL:
                break
        turned = [echelon(new, pivots(old)) for new, old in zip(loadings, params.loadings, strict=True)]
        return np.where(held, loadings, turned), noise

    def expected_log_likelihood(
        self, stats: GaussianStats, params: FactorGaussianParams, reference: FactorGaussianParams
    ) -> float:
        """Return Q(params | reference)."""
        moved = full.scatter(stats, params.mean - reference.mean)
        log_det, trace = misfit(params.loadings, params.noise, moved)
        return float(-0.5 * (stats.mass * (params.mean.shape[1] * LOG_2PI + log_det) + trace).sum())

    def log_prior(self, params: FactorGaussianParams) -> float:
        """Return 0: there are no priors."""
        return 0.0

    def sample(self, params: FactorGaussianParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, shape (N, D)."""
        D, q = params.loadings.shape[1:]
        factors, noise = rng.standard_normal((len(states), q)), rng.standard_normal((len(states), D))
        common = np.einsum("ndq,nq->nd", params.loadings[states], factors)
        return params.mean[states] + common + np.sqrt(params.noise)[states] * noise

    def unpack(self, vector: Array, like: FactorGaussianParams) -> FactorGaussianParams:
        """Return the parameters of an unconstrained vector; variances of the noise do not end below the floor."""
        params = super().unpack(vector, like)
        kept = self.kept(like, "noise")
        return params._replace(noise=np.where(kept, like.noise, np.maximum(params.noise, self.floor)))


def _covariance(stats: GaussianStats, step: Array) -> Array:
    """Return covariances (K, D, D) about means moved by ``step``."""
    return full.scatter(stats, step) / np.where(stats.mass > EMPTY, stats.mass, 1.0)[:, None, None]


def _explained(away: Array, loadings: Array, noise: Array) -> tuple[Array, Array]:
    """Return log-densities (N,) and expected factors (N, q) of centred rows of one component.

    The squared distance is what the factors leave plus their own length: squares only, so little noise costs no digits.
    """
    weighted, inner = posterior(loadings, noise)
    factor, log_det = inverse_cholesky(inner)
    factors = away @ (weighted @ factor.T @ factor)
    left = np.square(away - factors @ loadings.T) @ (1.0 / noise)
    distance = left + np.square(factors).sum(axis=1)
    return -0.5 * (distance + log_det + np.log(noise).sum() + len(noise) * LOG_2PI), factors


def _refuse_partial(kept: Mask, name: str) -> None:
    """Refuse masks that fix part of what a component has: the rest would have no closed form."""
    flat = kept.reshape(len(kept), -1)
    if (flat.any(axis=1) != flat.all(axis=1)).any():
        raise ParameterError(f"fixed[{name!r}] cuts through a component", expected="whole components")
