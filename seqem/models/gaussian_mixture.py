"""GaussianMixture: scikit-learn's names, mclust's fourteen covariances, missing values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqem.distributions._gaussian_shapes import MAXIMISERS
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.distributions.gaussian_shapes import GaussianShapes
from seqem.distributions.mixture import MixtureParams
from seqem.distributions.protocol import Distribution
from seqem.em.restarts import Restarts
from seqem.errors import DataError, ParameterError
from seqem.models.mixture import BaseMixture
from seqem.models.mixture_model import start
from seqem.shapes import AnyArray, Array

_MCLUST = {"VII": "spherical", "VVI": "diag", "EEE": "tied", "VVV": "full"}
_STARTS = ("kmeans", "random", "random_from_data")


class GaussianMixture(BaseMixture):
    """Mixture of Gaussians, with scikit-learn's names and attributes.

    Parameters
    ----------
    n_components : int
        K.
    covariance_type : str
        "full", "tied", "diag", "spherical", or one of mclust's fourteen: EII, VII, EEI, VEI, EVI, VVI, EEE, VEE, EVE, VVE, EEV,
        VEV, EVV, VVV.
    tol : float
        Converged when the gain to come is no more than this share of the log-likelihood, see ``StopRule.rest_tol``;
        scikit-learn's default of 1e-3 a row stops far from the maximum.
    reg_covar : float
        Smallest variance along any direction: a constraint, where scikit-learn adds it to every variance.
    max_iter : int
        Evaluations of the EM map at most.
    n_init : int or Restarts
        Starts, of which the best is kept; ``starts_`` tells of all. :class:`seqem.em.restarts.Restarts` has short runs and starts
        that are spread. A start that ends with a collapsed component is replaced.
    init_params : {"kmeans", "random", "random_from_data"}
        Clusters, random responsibilities, or random rows as means.
    weights_init, means_init, precisions_init : array-like, optional
        Parts of the start.
    method : str
        How to climb; see ``seqem.catalog.METHODS``.
    training : {"posterior", "classification", "stochastic"}
        EM, or with hard assignment (CEM), or with drawn components (SEM), which goes on for ``max_iter`` iterations.
    annealing : sequence of float
        Powers of the posterior to begin at, such as (0.2, 0.5, 0.8).
    random_state : int, Generator or None
        Draws starts and samples.
    warm_start : bool
        Whether ``fit`` goes on from the last fit.

    Attributes
    ----------
    weights_, means_, covariances_, precisions_, precisions_cholesky_
        As scikit-learn's; mclust's other covariances are matrices, one a component.
    lower_bound_ : float
        Mean log-likelihood of a row.

    Notes
    -----
    Rows with NaN count by what is observed of them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([rng.normal(0, 1, (50, 2)), rng.normal(9, 1, (50, 2))])
    >>> model = GaussianMixture(2, random_state=0).fit(x)
    >>> model.means_[model.predict([[9.0, 9.0]])[0]].round().tolist()
    [9.0, 9.0]
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-10,
        reg_covar: float = 1e-6,
        max_iter: int = 5000,
        n_init: int | Restarts = 1,
        init_params: str = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        method: str = "em",
        training: str = "posterior",
        annealing: Sequence[float] = (),
        random_state: Any = None,
        warm_start: bool = False,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.method = method
        self.training = training
        self.annealing = annealing
        self.random_state = random_state
        self.warm_start = warm_start

    def _family(self) -> Distribution:
        kind = _MCLUST.get(self.covariance_type, self.covariance_type)
        if kind in MAXIMISERS:
            return GaussianShapes(kind, floor=self.reg_covar)
        return Gaussian(kind, floor=self.reg_covar)

    # -- starts ----------------------------------------------------------------------------------------

    def _start(self, x: AnyArray, rng: np.random.Generator) -> MixtureParams:
        if self.init_params not in _STARTS:
            raise ParameterError(
                "unknown init_params", got=repr(self.init_params), expected=f"one of {', '.join(_STARTS)}"
            )
        if self.warm_start and "result_" in vars(self):
            return self._fitted.params
        mixture = self._model().mixture
        if self.init_params == "kmeans":
            params = start(mixture, x, rng)
        elif self.init_params == "random":
            component = mixture.component.initial(x, self.n_components, rng)
            resp = rng.dirichlet(np.ones(self.n_components), len(x))
            component = mixture.component.maximise(mixture.component.accumulate(component, x, resp), component)
            params = MixtureParams(resp.mean(axis=0)[None], component)
        else:
            component = mixture.component.initial(x, self.n_components, rng)
            rows = np.where(np.isnan(x), component.mean.mean(axis=0), x)[
                rng.choice(len(x), self.n_components, replace=False)
            ]
            params = MixtureParams(
                np.full((1, self.n_components), 1 / self.n_components), component._replace(mean=rows)
            )
        return self._with_given(params)

    def _with_given(self, params: MixtureParams) -> MixtureParams:
        """Return a start with the parts that the user gives."""
        component: GaussianParams = params.component
        weights = params.weights
        if self.weights_init is not None:
            weights = _shaped(self.weights_init, (self.n_components,), "weights_init")[None]
            if (weights < 0).any() or not np.isclose(weights.sum(), 1.0):
                raise ParameterError("weights_init are no probabilities", got=weights[0].tolist(), expected="sum 1")
        if self.means_init is not None:
            component = component._replace(mean=_shaped(self.means_init, component.mean.shape, "means_init"))
        if self.precisions_init is not None:
            precision = _shaped(self.precisions_init, component.covariance.shape, "precisions_init")
            component = component._replace(covariance=self._inverse(precision))
        return MixtureParams(weights, component)

    # -- what was learned ------------------------------------------------------------------------------

    @property
    def means_(self) -> Array:
        """Means, shape (K, D)."""
        return self._fitted.params.component.mean

    @property
    def covariances_(self) -> Array:
        """Covariances: (K, D, D), tied (D, D), diag (K, D) or spherical (K,)."""
        return self._fitted.params.component.covariance

    @property
    def precisions_(self) -> Array:
        """Inverses of the covariances, in their shape."""
        return self._inverse(self.covariances_)

    @property
    def precisions_cholesky_(self) -> Array:
        """Factors of the precisions: upper triangular ``P`` with ``P @ P.T`` the precision, or square roots."""
        if not self._has_matrices:
            return 1.0 / np.sqrt(self.covariances_)
        lower = np.linalg.inv(np.linalg.cholesky(self.covariances_))
        return np.swapaxes(lower, -1, -2)

    def _inverse(self, covariance: Array) -> Array:
        return np.asarray(np.linalg.inv(covariance)) if self._has_matrices else 1.0 / covariance

    @property
    def _has_matrices(self) -> bool:
        return _MCLUST.get(self.covariance_type, self.covariance_type) not in ("diag", "spherical")

    @property
    def lower_bound_(self) -> float:
        """Mean log-likelihood of a row of the training data."""
        rows = sum(shard.total(np.ones(len(shard))) for shard in self._training_shards)
        return self.log_likelihood_ / rows


def _shaped(value: Any, shape: tuple[int, ...], name: str) -> Array:
    array = np.asarray(value, dtype=np.float64)
    if array.shape != shape:
        raise DataError(f"{name} has the wrong shape", got=array.shape, expected=shape)
    return array
