"""Hidden Markov models fitted by variational Bayes, with the names of hmmlearn 0.3.3.

The objective that a fit climbs (``history_``, ``monitor_``, ``lower_bound_``) is the evidence lower bound. States that
the data do not need give their mass back to the prior, so that ``n_components`` may be set too high on purpose.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.core.checks import refuse
from seqem.distributions.attributes import covariance_shape, full_covariances
from seqem.distributions.categorical import Categorical, CategoricalParams
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.distributions.posteriors import (
    DirichletCategorical,
    NormalWishart,
    NormalWishartParams,
    SymbolPosterior,
    positive,
)
from seqem.em.restarts import Restarts
from seqem.hmm.base import Learned
from seqem.hmm.variational_base import VariationalHMM, filled, mean_of, shaped
from seqem.shapes import Array


class VariationalCategoricalHMM(VariationalHMM):
    """Hidden Markov model of symbols, by variational Bayes; see ``HMM`` for the arguments not listed.

    Parameters
    ----------
    startprob_prior, transmat_prior, emissionprob_prior : float or array-like, optional
        Dirichlet parameters; by default one over the number of states or symbols.
    n_features : int, optional
        Number of symbols M; by default one more than the largest symbol.

    Attributes
    ----------
    emissionprob_prior_, emissionprob_posterior_ : ndarray, shape (K, M)
        Dirichlet parameters of the symbol probabilities.
    startprob_, transmat_, emissionprob_ : ndarray
        Posterior means, by which ``predict``, ``score`` and ``sample`` go.
    lower_bound_ : float
        Evidence lower bound.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.repeat([0, 1, 0, 1], 50)
    >>> model = VariationalCategoricalHMM(2, random_state=0).fit(x[:, None])
    >>> model.emissionprob_.round(1).tolist() in ([[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]])
    True
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {
        "s": ("startprob_posterior_",), "t": ("transmat_posterior_",), "e": ("emissionprob_posterior_",)
    }  # fmt: skip
    emissionprob_posterior_ = Learned()

    def __init__(
        self,
        n_components: int = 1,
        startprob_prior: Any = None,
        transmat_prior: Any = None,
        emissionprob_prior: Any = None,
        n_features: int | None = None,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 100,
        tol: float = 1e-6,
        verbose: bool = False,
        params: str = "ste",
        init_params: str = "ste",
        implementation: str = "scaling",
        *,
        n_init: int | Restarts = 1,
    ) -> None:
        self._set_shared(locals())

    @property
    def emissionprob_(self) -> Array:
        """Posterior mean of the symbol probabilities, shape (K, M)."""
        return mean_of(self.emissionprob_posterior_)

    def _distribution(self) -> Categorical:
        known = self._all_attributes().get("emissionprob_posterior_")
        return Categorical(self.n_features if known is None else np.shape(known)[1])

    def _priors(self, batch: SequenceBatch) -> dict[str, dict[str, Array]]:
        size = self._distribution().n_symbols or int(batch.values.max(initial=0)) + 1
        shape = (self.n_components, size)
        prior = filled(self.emissionprob_prior, 1.0 / size, shape, "emissionprob_prior")
        return {**super()._priors(batch), "e": {"emissionprob_prior_": prior}}

    def _emission_model(self) -> DirichletCategorical:
        symbols = Categorical(self.emissionprob_prior_.shape[1])
        return DirichletCategorical(symbols, self.emissionprob_prior_, "e" not in self.params)

    def _initial_posterior(self, batch: SequenceBatch, rng: np.random.Generator) -> dict[str, Array]:
        K, M = self.emissionprob_prior_.shape
        rows = rng.dirichlet(np.ones(M), K) * (batch.n_rows / K)
        return {"emissionprob_posterior_": self.emissionprob_prior_ + rows}

    def _posterior_of(self, attributes: dict[str, Any]) -> SymbolPosterior:
        name = "emissionprob_posterior_"
        return SymbolPosterior(positive(shaped(attributes[name], self.emissionprob_prior_.shape, name), name))

    def _attributes_of(self, emission: SymbolPosterior) -> dict[str, Any]:
        return {"emissionprob_posterior_": emission.posterior}

    def _emission_of(self, attributes: dict[str, Any]) -> CategoricalParams:
        return CategoricalParams(mean_of(attributes["emissionprob_posterior_"]))


class VariationalGaussianHMM(VariationalHMM):
    """Hidden Markov model of Gaussian rows, by variational Bayes; see ``HMM`` for the arguments not listed.

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}
        Shape of the covariances.
    startprob_prior, transmat_prior : float or array-like, optional
        Dirichlet parameters; by default one over the number of states.
    means_prior, beta_prior : array-like, optional
        Centre of the means (by default the mean of the data) and its weight (1).
    dof_prior, scale_prior : array-like, optional
        Degrees of freedom (by default D, at least that) and inverse scale of the precisions (1e-3, on the diagonal).

    Attributes
    ----------
    means_posterior_, beta_posterior_ : ndarray, shape (K, D), (K,)
        Means and their weights.
    dof_posterior_ : ndarray, shape (K,), or () if tied
        Degrees of freedom.
    scale_posterior_ : ndarray, shape (K,), (K, D), (D, D) or (K, D, D)
        Inverse scale of the precisions: spherical, diag, tied, full.
    startprob_, transmat_, means_ : ndarray
        Posterior means, by which ``predict``, ``score`` and ``sample`` go.
    covars_ : ndarray, shape (K, D, D)
        Inverse of the posterior mean of the precisions.
    lower_bound_ : float
        Evidence lower bound. It counts the constants of the density, N * D / 2 * log(2 pi), that hmmlearn leaves out.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.repeat([[0.0], [9.0]], 100, axis=0) + np.random.default_rng(0).normal(0, 1, (200, 1))
    >>> model = VariationalGaussianHMM(4, random_state=0).fit(x)
    >>> np.unique(model.predict(x)).size
    2
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {
        "s": ("startprob_posterior_",),
        "t": ("transmat_posterior_",),
        "m": ("means_posterior_", "beta_posterior_"),
        "c": ("dof_posterior_", "scale_posterior_"),
    }
    means_posterior_ = Learned()
    beta_posterior_ = Learned()
    dof_posterior_ = Learned()
    scale_posterior_ = Learned()

    def __init__(
        self,
        n_components: int = 1,
        covariance_type: str = "full",
        startprob_prior: Any = None,
        transmat_prior: Any = None,
        means_prior: Any = None,
        beta_prior: Any = None,
        dof_prior: Any = None,
        scale_prior: Any = None,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 100,
        tol: float = 1e-6,
        verbose: bool = False,
        params: str = "stmc",
        init_params: str = "stmc",
        implementation: str = "scaling",
        *,
        n_init: int | Restarts = 1,
    ) -> None:
        self._set_shared(locals())

    @property
    def means_(self) -> Array:
        """Posterior means, shape (K, D)."""
        return self.means_posterior_

    @property
    def covars_(self) -> Array:
        """Inverse of the posterior mean of the precisions, shape (K, D, D)."""
        point = self.params_.emission
        return full_covariances(point.covariance, self.covariance_type, point.mean.shape)

    def _distribution(self) -> Gaussian:
        return Gaussian(self.covariance_type)

    def _batch(self, X: Any, lengths: Any = None, **known: Any) -> SequenceBatch:
        batch = super()._batch(X, lengths, **known)
        refuse(np.isnan(batch.values), batch.values, "missing value", expected="numbers", hint="GaussianHMM takes NaN")
        return batch

    def _shapes(self, n_features: int) -> dict[str, tuple[int, ...]]:
        means = (self.n_components, n_features)
        dof = () if self.covariance_type == "tied" else means[:1]
        scale = covariance_shape(self.covariance_type, means)
        return {"means": means, "beta": means[:1], "dof": dof, "scale": scale}

    def _priors(self, batch: SequenceBatch) -> dict[str, dict[str, Array]]:
        D = batch.values.shape[1]
        shapes = self._shapes(D)
        centre = batch.values.mean(axis=0) if self.means_prior is None else self.means_prior
        square = self.covariance_type in ("full", "tied")
        scale = 1e-3 * (np.eye(D) if square else 1.0) if self.scale_prior is None else self.scale_prior
        return {
            **super()._priors(batch),
            "m": {
                "means_prior_": shaped(centre, shapes["means"], "means_prior"),
                "beta_prior_": filled(self.beta_prior, 1.0, shapes["beta"], "beta_prior"),
            },
            "c": {
                "dof_prior_": filled(self.dof_prior, D, shapes["dof"], "dof_prior"),
                "scale_prior_": shaped(scale, shapes["scale"], "scale_prior"),
            },
        }

    def _emission_model(self) -> NormalWishart:
        prior = NormalWishartParams(self.means_prior_, self.beta_prior_, self.dof_prior_, self.scale_prior_)
        return NormalWishart(self.covariance_type, prior, "m" not in self.params, "c" not in self.params)

    def _initial_posterior(self, batch: SequenceBatch, rng: np.random.Generator) -> dict[str, Array]:
        means, covariance = Gaussian(self.covariance_type).initial(batch.values, self.n_components, rng)
        share = batch.n_rows / self.n_components
        dof = self.dof_prior_ + (batch.n_rows if self.covariance_type == "tied" else share)
        scale = covariance * dof.reshape(dof.shape + (1,) * (covariance.ndim - dof.ndim))
        return self._attributes_of(NormalWishartParams(means, self.beta_prior_ + share, dof, scale))

    def _posterior_of(self, attributes: dict[str, Any]) -> NormalWishartParams:
        shapes = self._shapes(self.means_prior_.shape[1])
        fields = (shaped(attributes[f"{n}_posterior_"], s, f"{n}_posterior_") for n, s in shapes.items())
        return NormalWishartParams(*fields)

    def _attributes_of(self, emission: NormalWishartParams) -> dict[str, Any]:
        return {f"{name}_posterior_": value for name, value in emission._asdict().items()}

    def _emission_of(self, attributes: dict[str, Any]) -> GaussianParams:
        fields = NormalWishartParams(*(np.asarray(attributes[f"{n}_posterior_"]) for n in NormalWishartParams._fields))
        return NormalWishart(self.covariance_type, fields).point(fields)
