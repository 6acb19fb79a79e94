"""Conjugate posteriors of distributions: the parts that variational Bayes fits.

Each part has posterior hyper-parameters for params; its weights in the E-step are exponentials of expected log
parameters, its M-step adds counts to the prior, and its log prior is minus the divergence from the prior, which makes
the driver's objective the evidence lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import digamma, gammaln

from seqem.core.checks import at_least
from seqem.core.linalg import cholesky
from seqem.distributions import _gaussian_diagonal as diagonal
from seqem.distributions import _gaussian_full as full
from seqem.distributions._normal_prior import NormalPrior
from seqem.distributions.attributes import full_covariances
from seqem.distributions.categorical import Categorical, CategoricalParams, CategoricalStats
from seqem.distributions.gaussian import Gaussian, GaussianParams, GaussianStats
from seqem.shapes import AnyArray, Array

_SMALLEST = 1e-300


def positive(value: Array, name: str) -> Array:
    """Return ``value``, or refuse it where an entry is not above zero."""
    at_least(value, _SMALLEST, name)
    return value


def expected_probabilities(posterior: Array) -> Array:
    """Return exp(E[log p]) under Dirichlet rows; a row sums to less than one.

    Examples
    --------
    >>> expected_probabilities(np.array([1.0, 1.0])).round(6).tolist()
    [0.367879, 0.367879]
    """
    return np.exp(digamma(posterior) - digamma(posterior.sum(axis=-1, keepdims=True)))


def dirichlet_divergence(posterior: Array, prior: Array) -> float:
    """Return the sum over rows of KL(posterior || prior) of Dirichlet distributions."""
    total, before = posterior.sum(axis=-1), prior.sum(axis=-1)
    logs = digamma(posterior) - digamma(total)[..., None]
    return float(
        (gammaln(total) - gammaln(before)).sum()
        - (gammaln(posterior) - gammaln(prior)).sum()
        + ((posterior - prior) * logs).sum()
    )


def _dimensions(dof: Array, size: int) -> Array:
    """Return half the degrees of freedom less 0 .. D - 1, shape (K, D)."""
    return 0.5 * (dof[:, None] - np.arange(size))


def wishart_divergence(dof: Array, scale: Array, prior_dof: Array, prior_scale: Array) -> float:
    """Return the sum of KL(posterior || prior) of Wishart distributions with inverse scales (K, D, D)."""
    D = scale.shape[-1]
    halves, before = _dimensions(dof, D), _dimensions(prior_dof, D)
    log_det, log_det_prior = (np.linalg.slogdet(0.5 * s)[1] for s in (scale, prior_scale))
    trace = np.trace(np.linalg.solve(scale, prior_scale), axis1=1, axis2=2)
    log_precision = digamma(halves).sum(axis=1) - log_det
    shape = gammaln(before).sum(axis=1) - gammaln(halves).sum(axis=1)
    terms = (dof - prior_dof) * log_precision + dof * (trace - D) + dof * log_det - prior_dof * log_det_prior
    return float((0.5 * terms + shape).sum())


class SymbolPosterior(NamedTuple):
    """Dirichlet parameters (K, M) of the symbol probabilities."""

    posterior: Array


@dataclass(frozen=True, eq=False)
class DirichletCategorical:
    """Symbols with Dirichlet posteriors of their probabilities.

    Attributes
    ----------
    symbols : Categorical
        Codes and their sets of symbols.
    prior : ndarray, shape (K, M)
        Dirichlet parameters above zero.
    fixed : bool
        Whether the posterior stays as it is.
    """

    symbols: Categorical
    prior: Array
    fixed: bool = False

    def __post_init__(self) -> None:
        positive(self.prior, "emissionprob_prior_")

    def _expected(self, params: SymbolPosterior) -> CategoricalParams:
        return CategoricalParams(expected_probabilities(params.posterior))

    def table(self, params: SymbolPosterior) -> Array:
        """Return the weight of every code, shape (C, K)."""
        return self.symbols.table(self._expected(params))

    def log_likelihood(self, params: SymbolPosterior, x: AnyArray) -> Array:
        """Return E[log p(x_n | k)], shape (N, K)."""
        return self.symbols.log_likelihood(self._expected(params), x)

    def accumulate(self, params: SymbolPosterior, x: AnyArray, resp: Array) -> CategoricalStats:
        """Return expected symbol counts."""
        return self.symbols.accumulate(self._expected(params), x, resp)

    def accumulate_counts(self, params: SymbolPosterior, counts: Array) -> CategoricalStats:
        """Return the symbol counts of expected counts per data code, shape (C, K)."""
        return self.symbols.accumulate_counts(self._expected(params), counts)

    def maximise(self, stats: CategoricalStats, params: SymbolPosterior) -> SymbolPosterior:
        """Return the Dirichlet parameters of the posterior."""
        return params if self.fixed else SymbolPosterior(self.prior + stats.counts)

    def log_prior(self, params: SymbolPosterior) -> float:
        """Return minus the divergence from the prior."""
        return -dirichlet_divergence(params.posterior, self.prior)


class NormalWishartParams(NamedTuple):
    """Means (K, D), their weights (K,), degrees of freedom (K,) or () if tied, inverse scales as covariances."""

    means: Array
    beta: Array
    dof: Array
    scale: Array


@dataclass(frozen=True, eq=False)
class NormalWishart:
    """Gaussian rows with normal-Wishart posteriors of means and precisions.

    Attributes
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}
        Shape of the inverse scale. For diag and spherical the posterior is the best Wishart distribution whose scale
        has that shape, as in hmmlearn, not a product of Gamma distributions.
    prior : NormalWishartParams
        Hyper-parameters of the prior.
    fixed_means, fixed_scale : bool
        Whether means and weights, or degrees of freedom and scales, stay as they are.

    Notes
    -----
    Gruhl & Sick 2016 (arXiv:1605.08618); McGrory & Titterington 2009.
    """

    covariance_type: str
    prior: NormalWishartParams
    fixed_means: bool = False
    fixed_scale: bool = False

    def __post_init__(self) -> None:
        positive(self.prior.beta, "beta_prior_")
        at_least(self.prior.dof, np.nextafter(self.prior.means.shape[1] - 1.0, np.inf), "dof_prior_")
        cholesky(full_covariances(self.prior.scale, self.covariance_type, self.prior.means.shape))

    def point(self, params: NormalWishartParams) -> GaussianParams:
        """Return the posterior mean of the means and the inverse of that of the precisions."""
        return GaussianParams(params.means, params.scale / _beside(params.dof, params.scale))

    def log_likelihood(self, params: NormalWishartParams, x: AnyArray) -> Array:
        """Return E[log p(x_n | k)], shape (N, K), constants included."""
        D = params.means.shape[1]
        dof = np.broadcast_to(params.dof, params.beta.shape)
        excess = digamma(_dimensions(dof, D)).sum(axis=1) + D * (np.log(2.0 / dof) - 1.0 / params.beta)
        return Gaussian(self.covariance_type).log_likelihood(self.point(params), x) + 0.5 * excess

    def accumulate(self, params: NormalWishartParams, x: AnyArray, resp: Array) -> GaussianStats:
        """Return weighted moments about the current means."""
        return Gaussian(self.covariance_type).accumulate(self.point(params), x, resp)

    def maximise(self, stats: GaussianStats, params: NormalWishartParams) -> NormalWishartParams:
        """Return the hyper-parameters of the posterior."""
        factorises, tied = self.covariance_type in ("diag", "spherical"), self.covariance_type == "tied"
        mass = stats.mass[:, 0] if factorises else stats.mass
        prior = self._normal_prior(factorises, stats.second.shape)
        step = np.zeros_like(params.means) if self.fixed_means else prior.step(stats.first, mass[:, None], params.means)
        means, beta = params.means + step, params.beta if self.fixed_means else self.prior.beta + mass
        if self.fixed_scale:
            return params._replace(means=means, beta=beta)
        if factorises:
            spherical = self.covariance_type == "spherical"
            covariance = diagonal.variance(prior, stats, step, means, spherical=spherical)
        else:
            covariance = full.covariance(prior, stats, step, means, len(stats.second), 0.0)
        dof = self.prior.dof + (mass.sum() if tied else mass)
        return NormalWishartParams(
            means, beta, dof, covariance.reshape(params.scale.shape) * _beside(dof, params.scale)
        )

    def _normal_prior(self, factorises: bool, shape: tuple[int, ...]) -> NormalPrior:
        """Return the prior in the form whose mode is scale / dof of the posterior."""
        means, beta, dof, scale = self.prior
        pull = np.broadcast_to(beta[:, None], means.shape)
        if factorises:
            scatter = np.broadcast_to(scale.reshape(len(means), -1), means.shape)
            return NormalPrior(means, pull, scatter, np.broadcast_to(dof[:, None], means.shape))
        return NormalPrior(means, pull, scale.reshape(shape), dof.reshape(-1))

    def log_prior(self, params: NormalWishartParams) -> float:
        """Return minus the divergence from the prior."""
        D, prior = params.means.shape[1], self.prior
        scale, before = (full_covariances(p.scale, self.covariance_type, params.means.shape) for p in (params, prior))
        dof, prior_dof = (np.broadcast_to(p.dof, params.beta.shape) for p in (params, prior))
        ratio, away = prior.beta / params.beta, params.means - prior.means
        distance = dof * (away * np.linalg.solve(scale, away[:, :, None])[:, :, 0]).sum(axis=1)
        normal = 0.5 * (D * (ratio - 1.0 - np.log(ratio)) + prior.beta * distance).sum()
        some = slice(0, 1) if self.covariance_type == "tied" else slice(None)
        return -float(normal) - wishart_divergence(dof[some], scale[some], prior_dof[some], before[some])


def _beside(dof: Array, scale: Array) -> Any:
    """Return degrees of freedom in a shape that multiplies scales."""
    return dof.reshape(dof.shape + (1,) * (scale.ndim - dof.ndim))
