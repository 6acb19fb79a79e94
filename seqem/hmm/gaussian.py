"""GaussianHMM, with the face of hmmlearn 0.3.3.

The arguments that all estimators share are described at ``seqem.HMM``.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.distributions.attributes import covariance_shape, covariances, finite, full_covariances, regularised
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.distributions.protocol import Distribution
from seqem.em.restarts import Restarts
from seqem.hmm.base import BaseHMM, Learned
from seqem.shapes import Array


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
        n_init: int | Restarts = 1,
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
