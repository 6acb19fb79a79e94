"""Which posterior belongs to which family: the table by which a mixture of any of them is fitted by variational Bayes."""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np

from seqem.core.checks import refuse
from seqem.distributions.attributes import covariance_shape
from seqem.distributions.bernoulli import Bernoulli
from seqem.distributions.categorical import Categorical
from seqem.distributions.conjugate_families import (
    BetaBernoulli,
    DirichletMultinomial,
    DirichletSymbols,
    GammaExponential,
    GammaPoisson,
)
from seqem.distributions.exponential import Exponential
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.independent import Independent, IndependentParams
from seqem.distributions.multinomial import Multinomial
from seqem.distributions.poisson import Poisson
from seqem.distributions.posteriors import NormalWishart, NormalWishartParams
from seqem.errors import DataError, ParameterError
from seqem.shapes import AnyArray, Array


class Posterior(Protocol):
    """Posteriors of the parameters of K components; ``params`` are their hyper-parameters."""

    def log_likelihood(self, params: Any, x: AnyArray) -> Array:
        """Return E[log p(x_n | k)], shape (N, K)."""
        ...

    def accumulate(self, params: Any, x: AnyArray, resp: Array) -> Any:
        """Return the statistics of rows with weights ``resp`` (N, K)."""
        ...

    def maximise(self, stats: Any, params: Any) -> Any:
        """Return the hyper-parameters of the posterior."""
        ...

    def log_prior(self, params: Any) -> float:
        """Return minus the divergence from the prior."""
        ...

    def point(self, params: Any) -> Any:
        """Return the parameters of the family at posterior means."""
        ...


def normal_wishart_prior(
    x: Array,
    n_components: int,
    covariance_type: str,
    *,
    centre: Any = None,
    beta: float | None = None,
    dof: float | None = None,
    scale: Any = None,
) -> NormalWishartParams:
    """Return the prior of Gaussian components, of which the data tell what is not given.

    Parameters
    ----------
    x : ndarray, shape (N, D)
        Data without missing entries.
    n_components : int
        K.
    covariance_type : {"full", "tied", "diag", "spherical"}
        Shape of the covariances.
    centre : array-like, shape (D,), optional
        Of the means; by default the mean of the data.
    beta, dof : float, optional
        Weight of the centre, by default 1, and degrees of freedom, by default D.
    scale : array-like, optional
        Inverse scale of the precisions; by default the covariance of the data, its diagonal, or the mean of that.

    Examples
    --------
    >>> normal_wishart_prior(np.array([[0.0], [2.0]]), 1, "diag").means.tolist()
    [[1.0]]
    """
    K, D = n_components, x.shape[1]
    means = np.broadcast_to(x.mean(axis=0) if centre is None else np.asarray(centre, float), (K, D))
    freedom = np.full(() if covariance_type == "tied" else K, float(D if dof is None else dof))
    scatter = _covariance(x, covariance_type) if scale is None else np.asarray(scale, dtype=np.float64)
    scales = np.broadcast_to(scatter, covariance_shape(covariance_type, (K, D)))
    return NormalWishartParams(means.copy(), np.full(K, 1.0 if beta is None else beta), freedom, scales.copy())


def _covariance(x: Array, covariance_type: str) -> Array:
    """Return the covariance of the data in the shape of one component's."""
    covariance = np.atleast_2d(np.cov(x.T)) + 1e-6 * np.eye(x.shape[1])
    if covariance_type in ("full", "tied"):
        return covariance
    diagonal = np.diagonal(covariance)
    return diagonal if covariance_type == "diag" else np.asarray(diagonal.mean())


class GaussianPosterior(NormalWishart):
    """Gaussian rows without missing entries, as a component of a mixture."""

    @classmethod
    def prior_of(cls, family: Gaussian, x: AnyArray, weights: Array | None, n_components: int) -> NormalWishartParams:
        """Return the prior that the data tell, which do not count by their weights here."""
        terms = (family.mean_weight, family.covariance_prior, family.covariance_weight)
        if family.mean_prior is not None or any(np.any(term) for term in terms if term is not None):
            hint = "BayesianGaussianMixture has arguments for them"
            raise ParameterError("the priors of Gaussian are of another kind", expected="none", hint=hint)
        if family.groups != 1:
            raise ParameterError("groups of covariances have no posterior", got=family.groups, expected="groups=1")
        if len(x) < 2:
            raise DataError("too few rows for a covariance", got=f"n_samples = {len(x)}", expected="at least 2")
        return normal_wishart_prior(_whole(x), n_components, family.covariance_type)

    @classmethod
    def of(cls, family: Gaussian, prior: NormalWishartParams) -> Self:
        """Return the posterior of ``family`` under ``prior``."""
        return cls(family.covariance_type, prior)

    def check(self, x: Any) -> Array:
        """Return ``x`` as rows (N, D) without NaN."""
        return _whole(Gaussian().check(x))


def _whole(x: Array) -> Array:
    """Return ``x``, or refuse it where an entry is missing: the degrees of freedom would no longer be those of the rows."""
    refuse(np.isnan(x), x, "missing observation (NaN)", expected="numbers, for Gaussian posteriors")
    return x


class IndependentPosterior(Independent):
    """Columns of different kinds, each with the posterior of its family."""

    @classmethod
    def prior_of(cls, family: Independent, x: AnyArray, weights: Array | None, n_components: int) -> IndependentParams:
        """Return the priors of the parts."""
        return IndependentParams(
            tuple(completed_prior(part, values, weights, n_components) for part, values in family._each(x))
        )

    @classmethod
    def of(cls, family: Independent, prior: IndependentParams) -> Self:
        """Return the posteriors of the parts of ``family`` under their priors."""
        pairs = zip(family.parts, prior.parts, strict=True)
        return cls([(posterior_of(part, before), columns) for (part, columns), before in pairs])

    def point(self, params: IndependentParams) -> IndependentParams:
        """Return the parameters of the parts at posterior means."""
        return IndependentParams(tuple(part.point(p) for part, p in self._with(params)))


# A posterior is made by ``of(family, prior)``; ``prior_of(family, x, weights, n_components)`` completes its prior.
POSTERIORS: dict[type, Any] = {
    Poisson: GammaPoisson,
    Exponential: GammaExponential,
    Bernoulli: BetaBernoulli,
    Multinomial: DirichletMultinomial,
    Categorical: DirichletSymbols,
    Gaussian: GaussianPosterior,
    Independent: IndependentPosterior,
}


def posterior_class(family: Any) -> Any:
    """Return the class of the posterior of a family.

    Raises
    ------
    ParameterError
        Where none is known for the family, or some of its parameters are fixed.

    Examples
    --------
    >>> posterior_class(Poisson()).__name__
    'GammaPoisson'
    """
    if type(family) not in POSTERIORS:
        known = ", ".join(kind.__name__ for kind in POSTERIORS)
        raise ParameterError("no conjugate posterior is known", got=repr(family), expected=f"one of {known}")
    if getattr(family, "fixed", None):
        hint = "Mixture keeps parameters fixed"
        raise ParameterError("fixed parameters have no posterior", got=sorted(family.fixed), expected="none", hint=hint)
    return POSTERIORS[type(family)]


def takes_missing(family: Any) -> bool:
    """Return whether rows may hold NaN: where a posterior needs them whole, its family's columns may not.

    Examples
    --------
    >>> takes_missing(Poisson()), takes_missing(Independent([(Poisson(), 0), (Gaussian(), 1)]))
    (True, False)
    """
    if isinstance(family, Independent):
        return all(takes_missing(part) for part, _ in family.parts)
    return not isinstance(family, Gaussian)


def completed_prior(family: Any, x: AnyArray, weights: Array | None, n_components: int) -> Any:
    """Return the hyper-parameters of the prior of K components.

    They are those of the family; a Gamma prior without a rate gets the one by which its mean is that of the data.

    Parameters
    ----------
    family : Distribution
        Of ``POSTERIORS``.
    x : ndarray, shape (N, D) or (N,)
        Data as ``family.check`` gives them.
    weights : ndarray, shape (N,), or None
        Weights of the rows.
    n_components : int
        K.

    Raises
    ------
    ParameterError
        Where no conjugate posterior is known for the family, or some of its parameters are fixed.

    Examples
    --------
    >>> completed_prior(Poisson(), np.array([[3.0], [5.0]]), None, 1)
    RatePosterior(shape=array([[1.]]), rate=array([[0.25]]))
    """
    return posterior_class(family).prior_of(family, x, weights, n_components)


def posterior_of(family: Any, prior: Any) -> Any:
    """Return the posterior of a family, given its completed prior.

    Examples
    --------
    >>> prior = completed_prior(Poisson(), np.array([[3.0], [5.0]]), None, 1)
    >>> posterior_of(Poisson(), prior).point(prior).rate.tolist()
    [[4.0]]
    """
    return posterior_class(family).of(family, prior)
