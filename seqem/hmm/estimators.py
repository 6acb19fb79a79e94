"""HMM estimators: the names, arguments and attributes of hmmlearn 0.3.3, and ``HMM`` for any distribution.

Every class takes, after hmmlearn's own arguments and by keyword only, the shared ones described at ``HMM``.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, ClassVar

import numpy as np

from seqem.bio.alphabet import alphabet_of
from seqem.core.batch import SequenceBatch
from seqem.distributions.categorical import Categorical, CategoricalParams
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.distributions.mixture import MixtureOf, MixtureParams
from seqem.distributions.multinomial import Multinomial, MultinomialParams
from seqem.distributions.poisson import Poisson, PoissonParams
from seqem.distributions.protocol import Distribution
from seqem.hmm.base import BaseHMM, Learned
from seqem.hmm.shapes import covariance_shape, covariances, finite, full_covariances, probability_rows, regularised
from seqem.shapes import Array


class HMM(BaseHMM):
    """Hidden Markov model with any emission of the catalog, or one of your own.

    Parameters
    ----------
    distribution : Distribution
        The emission, for instance ``Gaussian("full")``, ``MixtureOf(Gaussian(), 3)`` or ``Independent(...)``.
    n_components : int
        Number of states K.
    startprob_prior, transmat_prior : float or array-like
        Dirichlet parameters, at least one; zeros of the start stay zeros.
    algorithm : {"viterbi", "map"}
        Decoder of ``predict``.
    random_state : int, Generator or None
        Source of random starts and samples.
    n_iter, tol : int, float
        Most EM steps; absolute gain of the objective below which a fit has converged (negative: never).
    verbose : bool
        Whether a progress bar is shown.
    params, init_params : str
        Letters of what is fitted and of what is initialised: "s" start, "t" transitions, "e" emission.
    implementation : {"scaling", "log"}
        Space of the recursions; scaling falls back to log by itself where a step underflows.
    topology : {"ergodic", "left-right", "bakis", "cyclic"} or array of bool, shape (K, K)
        Transitions that may be; the others are zero for good.
    ends : bool
        Whether the chain has end probabilities (``endprob_``): each row of ``transmat_`` and its end sum to one.
    fixed : dict, optional
        Attribute name (``startprob_``, ``transmat_``, ``means_`` ...) to True or a mask of entries that keep their values.
    tied_states : array-like of int, shape (K,), optional
        States with the same number share one emission.
    tied_transitions : array-like of int, shape (K, K), optional
        Transitions with the same number above zero are equal.
    stationary : bool
        Whether the start is the stationary distribution of the transitions.
    training : {"posterior", "viterbi"}
        Baum-Welch, or counts of the best path.
    method : {"em", "squarem"}
        Plain or accelerated EM.
    n_init : int
        Random starts, of which the best fit is kept; ``starts_`` tells of all.

    Attributes
    ----------
    startprob_, transmat_, endprob_, emission_
        The parameters; set them before ``fit`` to start there (leave their letters out of ``init_params``).
    log_likelihood_, n_iter_, converged_, stop_reason_, history_
        The fit: log-likelihood at the estimate, EM steps, whether a tolerance was met, why it stopped, every step.

    Examples
    --------
    >>> import numpy as np
    >>> from seqem.distributions.exponential import Exponential
    >>> rng = np.random.default_rng(0)
    >>> x = rng.exponential(np.repeat([1.0, 20.0, 1.0], 100))
    >>> model = HMM(Exponential(), n_components=2, random_state=0, n_iter=50).fit(x)
    >>> np.sort(1 / model.emission_.rate.ravel()).round(0).tolist()
    [1.0, 22.0]
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {"e": ("emission_",)}
    emission_ = Learned()

    def __init__(
        self,
        distribution: Distribution,
        n_components: int = 1,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        *,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 100,
        tol: float = 1e-4,
        verbose: bool = False,
        params: str = "ste",
        init_params: str = "ste",
        implementation: str = "scaling",
        topology: Any = "ergodic",
        ends: bool = False,
        fixed: dict[str, Any] | None = None,
        tied_states: Any = None,
        tied_transitions: Any = None,
        stationary: bool = False,
        training: str = "posterior",
        method: str = "em",
        n_init: int = 1,
    ) -> None:
        self._set_shared(locals())

    def _distribution(self) -> Distribution:
        return self.distribution if "e" in self.params else frozen(self.distribution)

    def _emission_of(self, attributes: dict[str, Any]) -> Any:
        return attributes["emission_"]

    def _attributes_of(self, emission: Any) -> dict[str, Any]:
        return {"emission_": emission}


def frozen(distribution: Any) -> Any:
    """Return the distribution with all its parameters fixed, those of its parts included."""
    changes: dict[str, Any] = {}
    for field in fields(distribution):
        value = getattr(distribution, field.name)
        if hasattr(value, "log_likelihood"):
            changes[field.name] = frozen(value)
        elif field.name == "parts":
            changes["parts"] = tuple((frozen(part), columns) for part, columns in value)
        elif field.name == "fixed":
            own = ("weights",) if "component" in distribution.fields else distribution.fields
            changes["fixed"] = dict.fromkeys(own, True)
    return replace(distribution, **changes)


class CategoricalHMM(BaseHMM):
    """Hidden Markov model of symbols; see ``HMM`` for the shared arguments.

    Parameters
    ----------
    emissionprob_prior : float or array-like
        Dirichlet parameter, at least one.
    n_features : int, optional
        Number of symbols M; by default from the data's alphabet or largest symbol.

    Attributes
    ----------
    emissionprob_ : ndarray, shape (K, M)
        Probability of each symbol in each state.

    Examples
    --------
    >>> import numpy as np
    >>> model = CategoricalHMM(2, init_params="")
    >>> model.startprob_, model.transmat_ = np.array([0.6, 0.4]), np.array([[0.7, 0.3], [0.4, 0.6]])
    >>> model.emissionprob_ = np.array([[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]])
    >>> round(float(np.exp(model.score([[0], [1], [2]]))), 6)
    0.033612
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {"e": ("emissionprob_",)}
    emissionprob_ = Learned()

    def __init__(
        self,
        n_components: int = 1,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        *,
        emissionprob_prior: Any = 1.0,
        n_features: int | None = None,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "ste",
        init_params: str = "ste",
        implementation: str = "scaling",
        topology: Any = "ergodic",
        ends: bool = False,
        fixed: dict[str, Any] | None = None,
        tied_states: Any = None,
        tied_transitions: Any = None,
        stationary: bool = False,
        training: str = "posterior",
        method: str = "em",
        n_init: int = 1,
    ) -> None:
        self._set_shared(locals())
        self.alphabet_: str | None = None

    def _distribution(self) -> Distribution:
        known = self._all_attributes().get("emissionprob_")
        size = self.n_features if known is None else np.shape(known)[1]
        codes = None if self.alphabet_ is None else alphabet_of(self.alphabet_).codes
        return Categorical(size, codes, self.emissionprob_prior, fixed=self._fixed_fields({"emissionprob_": "probs"}))

    def _batch(self, X: Any, lengths: Any = None, **known: Any) -> SequenceBatch:
        if isinstance(X, SequenceBatch) and X.alphabet is not None and "result_" not in vars(self):
            self.alphabet_ = X.alphabet
        return super()._batch(X, lengths, **known)

    def _emission_of(self, attributes: dict[str, Any]) -> CategoricalParams:
        return CategoricalParams(probability_rows("emissionprob_", attributes["emissionprob_"]))

    def _attributes_of(self, emission: CategoricalParams) -> dict[str, Any]:
        return {"emissionprob_": emission.probs}


class GaussianHMM(BaseHMM):
    """Hidden Markov model of Gaussian rows; see ``HMM`` for the shared arguments.

    Parameters
    ----------
    covariance_type : {"diag", "spherical", "full", "tied"}
        Shape of the covariances.
    min_covar : float
        Added to the variances that a fit begins with.
    means_prior, means_weight, covars_prior, covars_weight : float or array-like
        Normal and inverse Wishart priors as in hmmlearn.
    covar_floor : float
        Smallest variance (eigenvalue) a fit may reach, a constraint that keeps the objective rising.

    Attributes
    ----------
    means_ : ndarray, shape (K, D)
        Means.
    covars_ : ndarray, shape (K, D, D)
        Covariances as full matrices; set them in the shape of ``covariance_type``.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([rng.normal(0, 1, 100), rng.normal(8, 1, 100)])
    >>> model = GaussianHMM(2, random_state=0).fit(x)
    >>> np.sort(model.means_.ravel()).round().tolist()
    [0.0, 8.0]
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {"m": ("means_",), "c": ("_covars_",)}
    means_ = Learned()
    _covars_ = Learned()

    def __init__(
        self,
        n_components: int = 1,
        covariance_type: str = "diag",
        min_covar: float = 1e-3,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        means_prior: Any = 0,
        means_weight: Any = 0,
        covars_prior: Any = 1e-2,
        covars_weight: Any = 1,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "stmc",
        init_params: str = "stmc",
        implementation: str = "scaling",
        *,
        covar_floor: float = 1e-6,
        topology: Any = "ergodic",
        ends: bool = False,
        fixed: dict[str, Any] | None = None,
        tied_states: Any = None,
        tied_transitions: Any = None,
        stationary: bool = False,
        training: str = "posterior",
        method: str = "em",
        n_init: int = 1,
    ) -> None:
        self._set_shared(locals())

    @property
    def covars_(self) -> Array:
        """Covariances as full matrices (K, D, D)."""
        return full_covariances(self._covars_, self.covariance_type, np.shape(self.means_))

    @covars_.setter
    def covars_(self, value: Any) -> None:
        self._covars_ = value

    def _distribution(self) -> Distribution:
        return Gaussian(
            self.covariance_type,
            self.means_prior,
            self.means_weight,
            self.covars_prior,
            self.covars_weight,
            floor=self.covar_floor,
            fixed=self._fixed_fields({"means_": "mean", "_covars_": "covariance"}),
        )

    def _emission_of(self, attributes: dict[str, Any]) -> GaussianParams:
        mean = finite("means_", attributes["means_"], 2)
        shape = covariance_shape(self.covariance_type, mean.shape)
        return GaussianParams(mean, covariances("covars_", attributes["_covars_"], self.covariance_type, shape))

    def _columns_of(self, emission: GaussianParams) -> int:
        return emission.mean.shape[1]

    def _attributes_of(self, emission: GaussianParams) -> dict[str, Any]:
        return {"means_": emission.mean, "_covars_": emission.covariance}

    def _initial_emission(self, batch: SequenceBatch, rng: np.random.Generator) -> dict[str, Any]:
        known = super()._initial_emission(batch, rng)
        return {**known, "_covars_": regularised(known["_covars_"], self.covariance_type, self.min_covar)}


class GMMHMM(BaseHMM):
    """Hidden Markov model whose states are mixtures of Gaussians; see ``HMM`` for the shared arguments.

    Parameters
    ----------
    n_mix : int
        Components of each state M.
    min_covar, covar_floor, covariance_type
        As for ``GaussianHMM``; "tied" shares one covariance among the components of a state.
    weights_prior, means_prior, means_weight, covars_prior, covars_weight : float or array-like
        Dirichlet, normal and inverse Wishart priors. None leaves the covariances without prior.

    Attributes
    ----------
    weights_, means_ : ndarray, shape (K, M), (K, M, D)
        Weights and means of the components.
    covars_ : ndarray, shape (K, M), (K, M, D), (K, D, D) or (K, M, D, D)
        Covariances: spherical, diag, tied, full.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([rng.normal(0, 1, 200), rng.choice([8.0, 20.0], 200) + rng.normal(0, 1, 200)])
    >>> model = GMMHMM(2, 2, random_state=0).fit(x[:, None])
    >>> model.means_.shape, model.weights_.sum(1).round(6).tolist()
    ((2, 2, 1), [1.0, 1.0])
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {"m": ("means_",), "c": ("covars_",), "w": ("weights_",)}
    weights_ = Learned()
    means_ = Learned()
    covars_ = Learned()

    def __init__(
        self,
        n_components: int = 1,
        n_mix: int = 1,
        min_covar: float = 1e-3,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        weights_prior: Any = 1.0,
        means_prior: Any = 0.0,
        means_weight: Any = 0.0,
        covars_prior: Any = None,
        covars_weight: Any = None,
        algorithm: str = "viterbi",
        covariance_type: str = "diag",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "stmcw",
        init_params: str = "stmcw",
        implementation: str = "scaling",
        *,
        covar_floor: float = 1e-6,
        topology: Any = "ergodic",
        ends: bool = False,
        fixed: dict[str, Any] | None = None,
        tied_states: Any = None,
        tied_transitions: Any = None,
        stationary: bool = False,
        training: str = "posterior",
        method: str = "em",
        n_init: int = 1,
    ) -> None:
        self._set_shared(locals())
        self._columns = 1

    def _distribution(self) -> Distribution:
        inner = self._fixed_fields({"means_": "mean", "covars_": "covariance"})
        scatter, weight = self._covariance_prior()
        component = Gaussian(
            self.covariance_type,
            _flat(self.means_prior, self.n_mix),
            _flat(self.means_weight, self.n_mix),
            scatter,
            weight,
            floor=self.covar_floor,
            groups=self.n_components if self.covariance_type == "tied" else 1,
            fixed={name: _flat(mask, self.n_mix) for name, mask in inner.items()},
        )
        return MixtureOf(component, self.n_mix, self.weights_prior, fixed=self._fixed_fields({"weights_": "weights"}))

    def _covariance_prior(self) -> tuple[Any, Any]:
        """Return hmmlearn's inverse Gamma or inverse Wishart parameters as scatter and weight of ``Gaussian``."""
        prior, weight = self.covars_prior, self.covars_weight
        if prior is None and weight is None:
            return None, 0.0
        D, M = self._columns, self.n_mix
        if self.covariance_type in ("diag", "spherical"):
            alpha = np.asarray((-1.5 if self.covariance_type == "diag" else -(M + 2) / 2) if prior is None else prior)
            beta = np.asarray(0.0 if weight is None else weight)
            if self.covariance_type == "diag":
                return _flat(2 * beta, M), _flat(np.maximum(2 * alpha + 4, 0.0), M)
            return _flat(2 * beta / D, M), _flat(np.maximum(2 + 2 * (alpha + 1) / D, 0.0), M)
        scatter = np.asarray(0.0 if prior is None else prior)
        scatter = np.swapaxes(scatter, -1, -2) if scatter.ndim > 1 else scatter
        if self.covariance_type == "full":
            nu = np.asarray(-(2 * D + 2) if weight is None else weight)
            return _flat(scatter, M) if scatter.ndim > 2 else scatter, _flat(np.maximum(nu + 2 * D + 2, 0.0), M)
        nu = np.asarray(-(M + 2 * D + 1) if weight is None else weight)
        return scatter, np.maximum(nu + M + 2 * D + 1, 0.0)

    def _batch(self, X: Any, lengths: Any = None, **known: Any) -> SequenceBatch:
        batch = super()._batch(X, lengths, **known)
        self._columns = batch.values.shape[1]
        return batch

    def _emission_of(self, attributes: dict[str, Any]) -> MixtureParams:
        means = finite("means_", attributes["means_"], 3)
        K, M, D = means.shape
        flat = covariance_shape(self.covariance_type, (K * M, D))
        shape = (K, D, D) if self.covariance_type == "tied" else (K, M, *flat[1:])
        covars = covariances("covars_", attributes["covars_"], self.covariance_type, shape)
        component = GaussianParams(
            means.reshape(K * M, D), covars if self.covariance_type == "tied" else covars.reshape(flat)
        )
        return MixtureParams(probability_rows("weights_", attributes["weights_"]), component)

    def _columns_of(self, emission: MixtureParams) -> int:
        return emission.component.mean.shape[1]

    def _attributes_of(self, emission: MixtureParams) -> dict[str, Any]:
        K, M = emission.weights.shape
        mean, covariance = emission.component.mean, emission.component.covariance
        if self.covariance_type != "tied":
            covariance = covariance.reshape(K, M, *covariance.shape[1:])
        return {"weights_": emission.weights, "means_": mean.reshape(K, M, -1), "covars_": covariance}

    def _initial_emission(self, batch: SequenceBatch, rng: np.random.Generator) -> dict[str, Any]:
        known = super()._initial_emission(batch, rng)
        return {**known, "covars_": regularised(known["covars_"], self.covariance_type, self.min_covar)}


class MultinomialHMM(BaseHMM):
    """Hidden Markov model of counts of symbols in a number of trials; see ``HMM`` for the shared arguments.

    Parameters
    ----------
    n_trials : int, optional
        Trials a row; by default whatever each row sums to.

    Attributes
    ----------
    emissionprob_ : ndarray, shape (K, M)
        Probability of each symbol in each state.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.repeat([[5, 0], [1, 4]], 50, axis=0)
    >>> model = MultinomialHMM(2, random_state=0).fit(x)
    >>> np.sort(model.emissionprob_[:, 0]).round(2).tolist()
    [0.2, 1.0]
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {"e": ("emissionprob_",)}
    emissionprob_ = Learned()

    def __init__(
        self,
        n_components: int = 1,
        n_trials: int | None = None,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "ste",
        init_params: str = "ste",
        implementation: str = "scaling",
        *,
        topology: Any = "ergodic",
        ends: bool = False,
        fixed: dict[str, Any] | None = None,
        tied_states: Any = None,
        tied_transitions: Any = None,
        stationary: bool = False,
        training: str = "posterior",
        method: str = "em",
        n_init: int = 1,
    ) -> None:
        self._set_shared(locals())

    def _distribution(self) -> Distribution:
        return Multinomial(self.n_trials, fixed=self._fixed_fields({"emissionprob_": "probs"}))

    def _emission_of(self, attributes: dict[str, Any]) -> MultinomialParams:
        return MultinomialParams(probability_rows("emissionprob_", attributes["emissionprob_"]))

    def _columns_of(self, emission: MultinomialParams) -> int:
        return emission.probs.shape[1]

    def _attributes_of(self, emission: MultinomialParams) -> dict[str, Any]:
        return {"emissionprob_": emission.probs}


class PoissonHMM(BaseHMM):
    """Hidden Markov model of counts; see ``HMM`` for the shared arguments.

    Parameters
    ----------
    lambdas_prior, lambdas_weight : float or array-like
        Shape and rate of the Gamma prior of the rates, as in hmmlearn; zeros leave it out.

    Attributes
    ----------
    lambdas_ : ndarray, shape (K, D)
        Rates.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).poisson(np.repeat([2, 30], 100))
    >>> model = PoissonHMM(2, random_state=0).fit(x[:, None])
    >>> np.sort(model.lambdas_.ravel()).round().tolist()
    [2.0, 30.0]
    """

    letters: ClassVar[dict[str, tuple[str, ...]]] = {"l": ("lambdas_",)}
    lambdas_ = Learned()

    def __init__(
        self,
        n_components: int = 1,
        startprob_prior: Any = 1.0,
        transmat_prior: Any = 1.0,
        lambdas_prior: Any = 0.0,
        lambdas_weight: Any = 0.0,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "stl",
        init_params: str = "stl",
        implementation: str = "scaling",
        *,
        topology: Any = "ergodic",
        ends: bool = False,
        fixed: dict[str, Any] | None = None,
        tied_states: Any = None,
        tied_transitions: Any = None,
        stationary: bool = False,
        training: str = "posterior",
        method: str = "em",
        n_init: int = 1,
    ) -> None:
        self._set_shared(locals())

    def _distribution(self) -> Distribution:
        # hmmlearn's M-step is (prior + sum r x) / (weight + sum r): a Gamma density of shape prior + 1.
        return Poisson(
            np.asarray(self.lambdas_prior) + 1.0, self.lambdas_weight, fixed=self._fixed_fields({"lambdas_": "rate"})
        )

    def _emission_of(self, attributes: dict[str, Any]) -> PoissonParams:
        return PoissonParams(finite("lambdas_", attributes["lambdas_"], 2, lowest=0.0))

    def _columns_of(self, emission: PoissonParams) -> int:
        return emission.rate.shape[1]

    def _attributes_of(self, emission: PoissonParams) -> dict[str, Any]:
        return {"lambdas_": emission.rate}


def _flat(value: Any, n_mix: int) -> Any:
    """Return an array (K, M, ...) as (K * M, ...), and anything smaller as it is."""
    array = np.asarray(value)
    return value if array.ndim < 2 else array.reshape(array.shape[0] * n_mix, *array.shape[2:])
