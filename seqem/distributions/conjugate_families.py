"""Conjugate posteriors of rates, of zeros and ones, and of symbols, as components; see ``conjugate`` for what they answer.

The prior is the family's own, the one whose mode its M-step takes; where that is improper, the data complete it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.special import digamma, gammaln

from seqem.core.checks import spread
from seqem.distributions._rates import RateFamily
from seqem.distributions.bernoulli import Bernoulli, BernoulliParams
from seqem.distributions.categorical import Categorical, CategoricalParams
from seqem.distributions.exponential import Exponential, ExponentialParams
from seqem.distributions.linear import LinearStats
from seqem.distributions.multinomial import Multinomial, MultinomialParams
from seqem.distributions.poisson import Poisson, PoissonParams
from seqem.distributions.posteriors import (
    DirichletCategorical,
    SymbolPosterior,
    dirichlet_divergence,
    expected_probabilities,
)
from seqem.distributions.protocol import Distribution
from seqem.shapes import AnyArray, Array


class RatePosterior(NamedTuple):
    """Gamma parameters (K, D) of the rates: shapes, and rates of the rates."""

    shape: Array
    rate: Array


class ChancePosterior(NamedTuple):
    """Beta parameters (K, D) of the probabilities of 1: of ones and of zeros."""

    ones: Array
    zeros: Array


def gamma_divergence(posterior: RatePosterior, prior: RatePosterior) -> float:
    """Return the sum of KL(posterior || prior) of Gamma distributions.

    Examples
    --------
    >>> one = RatePosterior(np.array([[2.0]]), np.array([[3.0]]))
    >>> gamma_divergence(one, one)
    0.0
    """
    (a, b), (a0, b0) = posterior, prior
    terms = (a - a0) * digamma(a) - gammaln(a) + gammaln(a0) + a0 * np.log(b / b0) + a * (b0 / b - 1.0)
    return float(terms.sum())


def observed(x: AnyArray) -> Array:
    """Return 1 for an entry that is there and 0 for a missing one."""
    return (~np.isnan(x)).astype(np.float64)


def column_means(x: Array, weights: Array | None) -> Array:
    """Return the mean of what is observed in each column (D,), 1 where that is zero or nothing is.

    Examples
    --------
    >>> column_means(np.array([[3.0, 0.0], [np.nan, 0.0]]), None).tolist()
    [3.0, 1.0]
    """
    seen = observed(x) if weights is None else observed(x) * weights[:, None]
    mass, total = seen.sum(axis=0), (seen * np.nan_to_num(x)).sum(axis=0)
    known = (mass > 0) & (total > 0)
    return np.where(known, total, 1.0) / np.where(known, mass, 1.0)


@dataclass(frozen=True, eq=False)
class Conjugate(ABC):
    """Base of the posteriors of families with independent coordinates.

    Attributes
    ----------
    family : Distribution
        Of the components.
    prior : NamedTuple
        Hyper-parameters of the prior.
    """

    family: Distribution
    prior: Any

    @classmethod
    def of(cls, family: Any, prior: Any) -> Self:
        """Return the posterior of ``family`` under ``prior``."""
        return cls(family, prior)

    @abstractmethod
    def point(self, params: Any) -> Any:
        """Return the parameters of the family at posterior means."""

    def check(self, x: Any) -> AnyArray:
        """Return ``x`` as the family takes it."""
        return self.family.check(x)

    def accumulate(self, params: Any, x: AnyArray, resp: Array) -> LinearStats:
        """Return the family's statistics, which do not depend on parameters."""
        return self.family.accumulate(self.point(params), x, resp)


class _GammaRates(Conjugate):
    """Rates with Gamma posteriors."""

    @staticmethod
    def _prior(family: RateFamily, mean_rate: Array, n_components: int) -> RatePosterior:
        """Return the family's Gamma prior; where its rate is zero, the one whose mean is ``mean_rate`` (D,)."""
        size = (n_components, len(mean_rate))
        shape = spread(family.prior_shape, size, "prior_shape").copy()
        rate = spread(family.prior_rate, size, "prior_rate")
        return RatePosterior(shape, np.where(rate > 0, rate, shape / mean_rate))

    def log_prior(self, params: RatePosterior) -> float:
        """Return minus the divergence from the prior."""
        return -gamma_divergence(params, self.prior)


class GammaPoisson(_GammaRates):
    """Counts whose rates have Gamma posteriors."""

    @classmethod
    def prior_of(cls, family: Poisson, x: AnyArray, weights: Array | None, n_components: int) -> RatePosterior:
        """Return the prior; unless it is given, Gamma(1, 1 / mean), whose mean is that of the data."""
        return cls._prior(family, column_means(x, weights), n_components)

    def point(self, params: RatePosterior) -> PoissonParams:
        """Return posterior means of the rates."""
        return PoissonParams(params.shape / params.rate)

    def log_likelihood(self, params: RatePosterior, x: AnyArray) -> Array:
        """Return E[log p(x_n | k)], shape (N, K)."""
        # The density at exp(E[log rate]) has the right logarithm but for the rate that is subtracted.
        rate = np.exp(digamma(params.shape)) / params.rate
        density = self.family.log_likelihood(PoissonParams(rate), x)
        return density + observed(x) @ (rate - params.shape / params.rate).T

    def maximise(self, stats: LinearStats, params: RatePosterior) -> RatePosterior:
        """Return the Gamma parameters of the posterior."""
        return RatePosterior(self.prior.shape + stats.total[:, 0], self.prior.rate + stats.mass)


class GammaExponential(_GammaRates):
    """Waiting times whose rates have Gamma posteriors."""

    @classmethod
    def prior_of(cls, family: Exponential, x: AnyArray, weights: Array | None, n_components: int) -> RatePosterior:
        """Return the prior; unless it is given, Gamma(1, mean), whose mean is one over that of the data."""
        return cls._prior(family, 1.0 / column_means(x, weights), n_components)

    def point(self, params: RatePosterior) -> ExponentialParams:
        """Return posterior means of the rates."""
        return ExponentialParams(params.shape / params.rate)

    def log_likelihood(self, params: RatePosterior, x: AnyArray) -> Array:
        """Return E[log p(x_n | k)], shape (N, K)."""
        # The density at E[rate] has the right exponent but log E[rate] for E[log rate].
        density = self.family.log_likelihood(self.point(params), x)
        return density + observed(x) @ (digamma(params.shape) - np.log(params.shape)).T

    def maximise(self, stats: LinearStats, params: RatePosterior) -> RatePosterior:
        """Return the Gamma parameters of the posterior."""
        return RatePosterior(self.prior.shape + stats.mass, self.prior.rate + stats.total[:, 0])


class BetaBernoulli(Conjugate):
    """Zeros and ones whose probabilities have Beta posteriors."""

    @classmethod
    def prior_of(cls, family: Bernoulli, x: AnyArray, weights: Array | None, n_components: int) -> ChancePosterior:
        """Return the family's prior, Beta(1, 1) unless it is given."""
        size = (n_components, x.shape[1])
        return ChancePosterior(*(spread(p, size, "prior").copy() for p in (family.prior_ones, family.prior_zeros)))

    def point(self, params: ChancePosterior) -> BernoulliParams:
        """Return posterior means of the probabilities."""
        return BernoulliParams(params.ones / (params.ones + params.zeros))

    def log_likelihood(self, params: ChancePosterior, x: AnyArray) -> Array:
        """Return E[log p(x_n | k)], shape (N, K)."""
        # exp(E[log p]) of one and zero sum to less than one: by their sum they are probabilities.
        one, zero = np.moveaxis(expected_probabilities(np.stack(params, axis=-1)), -1, 0)
        density = self.family.log_likelihood(BernoulliParams(one / (one + zero)), x)
        return density + observed(x) @ np.log(one + zero).T

    def maximise(self, stats: LinearStats, params: ChancePosterior) -> ChancePosterior:
        """Return the Beta parameters of the posterior."""
        return ChancePosterior(self.prior.ones + stats.total[:, 0], self.prior.zeros + stats.total[:, 1])

    def log_prior(self, params: ChancePosterior) -> float:
        """Return minus the divergence from the prior."""
        return -dirichlet_divergence(np.stack(params, axis=-1), np.stack(self.prior, axis=-1))


class DirichletMultinomial(Conjugate):
    """Symbol counts with Dirichlet posteriors of the symbols' probabilities."""

    @classmethod
    def prior_of(cls, family: Multinomial, x: AnyArray, weights: Array | None, n_components: int) -> SymbolPosterior:
        """Return the family's prior, Dirichlet(1, ..., 1) unless it is given."""
        return SymbolPosterior(spread(family.prior, (n_components, x.shape[1]), "prior").copy())

    def point(self, params: SymbolPosterior) -> MultinomialParams:
        """Return posterior means of the probabilities."""
        return MultinomialParams(params.posterior / params.posterior.sum(axis=1, keepdims=True))

    def log_likelihood(self, params: SymbolPosterior, x: AnyArray) -> Array:
        """Return E[log p(x_n | k)], shape (N, K)."""
        return self.family.log_likelihood(MultinomialParams(expected_probabilities(params.posterior)), x)

    def maximise(self, stats: LinearStats, params: SymbolPosterior) -> SymbolPosterior:
        """Return the Dirichlet parameters of the posterior."""
        return SymbolPosterior(self.prior.posterior + stats.total[:, 0])

    def log_prior(self, params: SymbolPosterior) -> float:
        """Return minus the divergence from the prior."""
        return -dirichlet_divergence(params.posterior, self.prior.posterior)


class DirichletSymbols(DirichletCategorical):
    """Single symbols with Dirichlet posteriors of their probabilities, as a component of a mixture."""

    @classmethod
    def prior_of(cls, family: Categorical, x: AnyArray, weights: Array | None, n_components: int) -> SymbolPosterior:
        """Return the family's prior, Dirichlet(1, ..., 1) unless it is given."""
        # A start has the shape that codes, number of symbols or data tell.
        n_symbols = family.initial(x, 1, np.random.default_rng(0)).probs.shape[1]
        return SymbolPosterior(spread(family.prior, (n_components, n_symbols), "prior").copy())

    @classmethod
    def of(cls, family: Categorical, prior: SymbolPosterior) -> Self:
        """Return the posterior of ``family`` under ``prior``."""
        return cls(family, prior.posterior)

    def check(self, x: Any) -> AnyArray:
        """Return ``x`` as codes."""
        return self.symbols.check(x)

    def point(self, params: SymbolPosterior) -> CategoricalParams:
        """Return posterior means of the probabilities."""
        return CategoricalParams(params.posterior / params.posterior.sum(axis=1, keepdims=True))
