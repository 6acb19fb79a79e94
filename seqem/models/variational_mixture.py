"""BayesianGaussianMixture: variational Bayes with Dirichlet or Dirichlet-process weights."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.special import digamma

from seqem.core.rng import generator
from seqem.core.rows import Rows
from seqem.distributions.attributes import covariance_shape, full_covariances
from seqem.distributions.gaussian import Gaussian, GaussianParams, GaussianStats
from seqem.distributions.mixture import MixtureOf
from seqem.distributions.posteriors import NormalWishart, NormalWishartParams, dirichlet_divergence
from seqem.em.callbacks import Callback
from seqem.em.driver import FitResult, fit
from seqem.em.protocol import EStep
from seqem.em.restarts import Climb, Restarts, run_starts
from seqem.em.stop import StopRule
from seqem.errors import DataError, ParameterError
from seqem.models.clustering import Clustering
from seqem.models.inputs import checked_rows, checked_weights
from seqem.models.mixture_model import responsibilities, start
from seqem.shapes import AnyArray, Array, IntArray

_BLOCK = 1 << 18
# So many rows tell starts apart.
_ROWS_TO_TELL_APART = 500
_PRIORS = ("dirichlet_process", "dirichlet_distribution")


class VariationalParams(NamedTuple):
    """Hyper-parameters: concentrations (K,), or Beta parameters of stick lengths (K, 2); the components' posteriors."""

    concentration: Array
    component: NormalWishartParams


class VariationalStats(NamedTuple):
    """Expected visits (K,) and the components' statistics."""

    counts: Array
    component: GaussianStats


@dataclass(frozen=True, eq=False)
class VariationalMixture:
    """Posteriors of a Gaussian mixture by variational Bayes EM; the driver's objective is the lower bound.

    Attributes
    ----------
    component : NormalWishart
        The components with their priors.
    concentration : float
        Of the Dirichlet prior of the weights, or of the stick-breaking prior.
    process : bool
        Whether weights are sticks broken off one after another, a truncated Dirichlet process.

    Notes
    -----
    Attias 2000; Bishop 2006, section 10.2; Blei & Jordan 2006.
    """

    component: NormalWishart
    concentration: float
    process: bool

    def expected_log_weights(self, params: VariationalParams) -> Array:
        """Return E[log weight] of each component, shape (K,)."""
        if not self.process:
            return digamma(params.concentration) - digamma(params.concentration.sum())
        a, b = params.concentration.T
        rest = digamma(b) - digamma(a + b)
        return digamma(a) - digamma(a + b) + np.concatenate([[0.0], rest[:-1].cumsum()])

    def e_step(self, params: VariationalParams, shard: Rows) -> EStep:
        """Return expected statistics and the part of the bound that the rows give."""
        joint = self.component.log_likelihood(params.component, shard.x) + self.expected_log_weights(params)
        scores, resp = responsibilities(joint)
        if shard.weights is not None:
            resp *= shard.weights[:, None]
        return EStep(
            VariationalStats(resp.sum(axis=0), self.component.accumulate(params.component, shard.x, resp)),
            shard.total(scores),
        )

    def m_step(self, stats: VariationalStats, params: VariationalParams) -> VariationalParams:
        """Return the hyper-parameters of the posteriors."""
        if self.process:
            behind = stats.counts[::-1].cumsum()[::-1] - stats.counts
            concentration = np.stack([1.0 + stats.counts, self.concentration + behind], axis=1)
        else:
            concentration = self.concentration + stats.counts
        return VariationalParams(concentration, self.component.maximise(stats.component, params.component))

    def log_prior(self, params: VariationalParams) -> float:
        """Return minus the divergence of the posteriors from the priors."""
        prior = np.array([1.0, self.concentration]) if self.process else np.array(self.concentration)
        prior = np.broadcast_to(prior, params.concentration.shape)
        return self.component.log_prior(params.component) - dirichlet_divergence(params.concentration, prior)

    def weights(self, params: VariationalParams) -> Array:
        """Return the posterior means of the weights; the last stick is the rest."""
        if not self.process:
            return params.concentration / params.concentration.sum()
        share = params.concentration[:, 0] / params.concentration.sum(axis=1)
        weights = share * np.concatenate([[1.0], np.cumprod(1.0 - share[:-1])])
        return weights / weights.sum()


class BayesianGaussianMixture(Clustering):
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

    def _model(self) -> VariationalMixture:  # type: ignore[override]  # has no free coordinates
        """Return the model with the priors that the data have completed."""
        gamma = self.weight_concentration_prior
        process = self.weight_concentration_prior_type == "dirichlet_process"
        return VariationalMixture(
            NormalWishart(self.covariance_type, self._prior),
            1.0 / self.n_components if gamma is None else gamma,
            process,
        )

    def _stop_rule(self) -> StopRule:
        return StopRule(max_iter=self.max_iter, rest_tol=self.tol)

    def _completed_prior(self, x: AnyArray) -> NormalWishartParams:
        """Return the prior of the components, of which the data tell what is not given."""
        K, D = self.n_components, x.shape[1]
        if self.weight_concentration_prior_type not in _PRIORS:
            raise ParameterError(
                "unknown weight_concentration_prior_type",
                got=repr(self.weight_concentration_prior_type),
                expected=_PRIORS,
            )
        gamma = self.weight_concentration_prior
        if gamma is not None and not gamma > 0:
            raise ParameterError("weight_concentration_prior is off", got=gamma, expected="a positive number")
        means = np.broadcast_to(
            x.mean(axis=0) if self.mean_prior is None else np.asarray(self.mean_prior, float), (K, D)
        )
        beta = np.full(K, 1.0 if self.mean_precision_prior is None else self.mean_precision_prior)
        shape = covariance_shape(self.covariance_type, (K, D))
        tied = self.covariance_type == "tied"
        freedom = D if self.degrees_of_freedom_prior is None else self.degrees_of_freedom_prior
        dof = np.full(() if tied else K, float(freedom))
        scale = np.broadcast_to(self._scale(x), shape).copy()
        return NormalWishartParams(means.copy(), beta, dof, scale)

    def _scale(self, x: AnyArray) -> Array:
        if self.covariance_prior is not None:
            return np.asarray(self.covariance_prior, dtype=np.float64)
        covariance = np.atleast_2d(np.cov(x.T)) + 1e-6 * np.eye(x.shape[1])
        if self.covariance_type in ("full", "tied"):
            return covariance
        diagonal = np.diagonal(covariance)
        return diagonal if self.covariance_type == "diag" else np.asarray(diagonal.mean())

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        sample_weight: Any = None,
        executor: Executor | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Fit the posteriors.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Observations.
        y : None
            Not used.
        sample_weight : array-like, shape (N,), optional
            Weights of the observations.
        executor : concurrent.futures.Executor, optional
            Maps the E-step over blocks of rows.
        callbacks : sequence of callables
            Told of every step.

        Raises
        ------
        DataError, ParameterError
            For observations or priors that cannot be.
        """
        x = checked_rows(self, X, reset=True, least=2, allow_nan=False)
        if len(x) < self.n_components:
            raise DataError(
                "fewer rows than components", got=f"n_samples = {len(x)}", expected=f"at least {self.n_components}"
            )
        self._prior = self._completed_prior(x)
        shards = Rows(x, weights=checked_weights(sample_weight, len(x))).blocks(max(1024, _BLOCK // self.n_components))

        many = self.n_init != 1
        run = partial(self._climbed, shards=shards, executor=None if many else executor, callbacks=callbacks)
        climb = Climb(
            partial(self._start, x), run, partial(self._described, x[:: max(1, len(x) // _ROWS_TO_TELL_APART)])
        )
        rng = generator(self.random_state)
        self.result_, self.starts_ = run_starts(climb, self.n_init, rng, executor if many else None)
        return self

    def _climbed(
        self, params: VariationalParams, rng: np.random.Generator, max_iter: int | None, **options: Any
    ) -> FitResult:
        """Return the fit from a start, of ``max_iter`` iterations at most where that is given."""
        model: Any = self._model()
        rule = self._stop_rule()
        return fit(model, params, stop=rule if max_iter is None else replace(rule, max_iter=max_iter), **options)

    def _described(self, x: AnyArray, params: VariationalParams) -> Array:
        """Return the roots of the expected density at rows, which do not depend on the order of the components."""
        model = self._model()
        scores = responsibilities(
            model.component.log_likelihood(params.component, x) + model.expected_log_weights(params)
        )[0]
        return np.exp(0.5 * (scores - scores.max()))

    def _start(self, x: AnyArray, rng: np.random.Generator) -> VariationalParams:
        """Return posteriors given the clusters of k-means."""
        model, K = self._model(), self.n_components
        point = start(MixtureOf(Gaussian(self.covariance_type), K), x, rng)
        resp = responsibilities(
            Gaussian(self.covariance_type).log_likelihood(point.component, x) + np.log(point.weights[0])
        )[1]
        prior = model.component.prior
        stats = VariationalStats(resp.sum(axis=0), model.component.accumulate(prior, x, resp))
        blank = np.ones((K, 2)) if model.process else np.ones(K)
        return model.m_step(stats, VariationalParams(blank, prior))

    # -- what was learned ------------------------------------------------------------------------------

    @property
    def _point(self) -> GaussianParams:
        return self._model().component.point(self._fitted.params.component)

    @property
    def weights_(self) -> Array:
        """Posterior means of the weights, shape (K,)."""
        return self._model().weights(self._fitted.params)

    @property
    def weight_concentration_(self) -> Array:
        """Posterior concentrations (K,), or Beta parameters of the sticks (2, K)."""
        return self._fitted.params.concentration.T

    @property
    def means_(self) -> Array:
        """Posterior means of the means, shape (K, D)."""
        return self._point.mean

    @property
    def covariances_(self) -> Array:
        """Inverses of the posterior means of the precisions, shaped by ``covariance_type``."""
        return self._point.covariance

    @property
    def lower_bound_(self) -> float:
        """Evidence lower bound of the training data."""
        return self._fitted.objective

    # -- using it --------------------------------------------------------------------------------------

    def _posterior(self, X: Any) -> tuple[Array, Array]:
        params = self._fitted.params
        x = checked_rows(self, X, reset=False, allow_nan=False)
        model = self._model()
        return responsibilities(
            model.component.log_likelihood(params.component, x) + model.expected_log_weights(params)
        )

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[Array, IntArray]:
        """Return observations drawn from the posterior means, and their components."""
        rng = generator(self.random_state if random_state is None else random_state)
        which = rng.choice(self.n_components, size=n_samples, p=self.weights_)
        full = full_covariances(self.covariances_, self.covariance_type, self.means_.shape)
        return Gaussian("full").sample(GaussianParams(self.means_, full), which, rng), which
