"""GMMHMM: Gaussian mixtures as emissions, with the face of hmmlearn 0.3.3.

The arguments that all estimators share are described at ``seqem.HMM``.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.distributions.attributes import covariance_shape, covariances, finite, probability_rows, regularised
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.distributions.mixture import MixtureOf, MixtureParams
from seqem.distributions.protocol import Distribution
from seqem.em.restarts import Restarts
from seqem.hmm.base import BaseHMM, Learned


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
        n_init: int | Restarts = 1,
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


def _flat(value: Any, n_mix: int) -> Any:
    """Return an array (K, M, ...) as (K * M, ...), and anything smaller as it is."""
    array = np.asarray(value)
    return value if array.ndim < 2 else array.reshape(array.shape[0] * n_mix, *array.shape[2:])
