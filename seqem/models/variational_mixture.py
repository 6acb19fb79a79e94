"""BayesianGaussianMixture: variational Bayes with Dirichlet or Dirichlet-process weights."""

from __future__ import annotations

from typing import Any

from seqem.distributions.conjugate import normal_wishart_prior
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.posteriors import NormalWishart, NormalWishartParams
from seqem.em.restarts import Restarts
from seqem.models.inputs import checked_rows
from seqem.models.variational_base import BaseVariationalMixture
from seqem.shapes import AnyArray, Array


class BayesianGaussianMixture(BaseVariationalMixture):
    """Gaussian mixture by variational Bayes, with scikit-learn's names: components that the data do not need empty.

    Parameters
    ----------
    n_components : int
        K, the most components.
    covariance_type : {"full", "tied", "diag", "spherical"}
        Shape of the covariances.
    tol : float
        Converged when the gain to come is no more than this share of the lower bound, see ``StopRule.rest_tol``.
    max_iter : int
        Iterations at most.
    n_init : int or Restarts
        Starts, of which the best bound is kept.
    weight_concentration_prior_type : {"dirichlet_process", "dirichlet_distribution"}
        Prior of the weights.
    weight_concentration_prior : float, optional
        Its concentration; one over K by default.
    mean_precision_prior : float, optional
        Weight of the centre of the means, 1 by default.
    mean_prior : array-like, shape (D,), optional
        Centre of the means; by default the mean of the data.
    degrees_of_freedom_prior : float, optional
        Of the precisions; D by default.
    covariance_prior : array-like, optional
        Inverse scale of the precisions; by default the covariance of the data, its diagonal, or the mean of that.
    random_state : int, Generator or None
        Draws starts and samples.

    Attributes
    ----------
    weights_, means_, covariances_ : ndarray
        Posterior means of weights and means; inverses of those of the precisions.
    weight_concentration_ : ndarray
        Posterior concentrations (K,), or Beta parameters of the sticks (2, K).
    lower_bound_ : float
        Evidence lower bound of the data.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([rng.normal(0, 1, (200, 1)), rng.normal(9, 1, (200, 1))])
    >>> model = BayesianGaussianMixture(6, weight_concentration_prior=1e-3, random_state=0).fit(x)
    >>> int((model.weights_ > 0.01).sum())
    2
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-9,
        max_iter: int = 2000,
        n_init: int | Restarts = 1,
        weight_concentration_prior_type: str = "dirichlet_process",
        weight_concentration_prior: float | None = None,
        mean_precision_prior: float | None = None,
        mean_prior: Any = None,
        degrees_of_freedom_prior: float | None = None,
        covariance_prior: Any = None,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.weight_concentration_prior_type = weight_concentration_prior_type
        self.weight_concentration_prior = weight_concentration_prior
        self.mean_precision_prior = mean_precision_prior
        self.mean_prior = mean_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.covariance_prior = covariance_prior
        self.random_state = random_state

    def _family(self) -> Gaussian:
        return Gaussian(self.covariance_type)

    def _component(self) -> NormalWishart:
        return NormalWishart(self.covariance_type, self._prior)

    def _completed_prior(self, x: AnyArray, weights: Array | None) -> NormalWishartParams:
        return normal_wishart_prior(
            x,
            self.n_components,
            self.covariance_type,
            centre=self.mean_prior,
            beta=self.mean_precision_prior,
            dof=self.degrees_of_freedom_prior,
            scale=self.covariance_prior,
        )

    def _rows(self, X: Any, *, reset: bool) -> AnyArray:
        return checked_rows(self, X, reset=reset, least=2 if reset else 1, allow_nan=False)

    @property
    def means_(self) -> Array:
        """Posterior means of the means, shape (K, D)."""
        return self.params_.mean

    @property
    def covariances_(self) -> Array:
        """Inverses of the posterior means of the precisions, shaped by ``covariance_type``."""
        return self.params_.covariance
