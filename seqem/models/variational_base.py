"""What mixtures by variational Bayes share: weights with a Dirichlet or Dirichlet-process prior, the fit, its results."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np

from seqem.core.rng import generator
from seqem.core.rows import Rows
from seqem.distributions.conjugate import Posterior
from seqem.distributions.mixture import MixtureOf
from seqem.distributions.protocol import Distribution
from seqem.em.callbacks import Callback
from seqem.em.driver import FitResult, fit
from seqem.em.restarts import Climb, Restarts, run_starts
from seqem.em.stop import StopRule
from seqem.errors import DataError, ParameterError
from seqem.models.clustering import Clustering
from seqem.models.inputs import checked_weights
from seqem.models.mixture_model import BLOCK, described, responsibilities, rows_that_tell, start
from seqem.models.variational_model import VariationalMixture, VariationalParams, VariationalStats
from seqem.shapes import AnyArray, Array, IntArray

_PRIORS = ("dirichlet_process", "dirichlet_distribution")


class BaseVariationalMixture(Clustering):
    """Fit, score, cluster and sample with a mixture by variational Bayes; subclasses say of what.

    A subclass answers ``_family``, ``_component``, ``_completed_prior`` and ``_rows``, and has ``n_components``, ``tol``,
    ``max_iter``, ``n_init``, ``weight_concentration_prior_type``, ``weight_concentration_prior`` and ``random_state``.
    """

    n_components: int
    tol: float
    max_iter: int
    n_init: int | Restarts
    weight_concentration_prior_type: str
    weight_concentration_prior: float | None
    random_state: Any
    _prior: Any

    def _family(self) -> Distribution:
        """Return the distribution of the components."""
        raise NotImplementedError

    def _component(self) -> Posterior:
        """Return the posteriors of the components under the prior ``_prior``."""
        raise NotImplementedError

    def _completed_prior(self, x: AnyArray, weights: Array | None) -> Any:
        """Return the prior of the components, of which the data tell what is not given."""
        raise NotImplementedError

    def _rows(self, X: Any, *, reset: bool) -> AnyArray:
        """Return checked observations."""
        raise NotImplementedError

    def _model(self) -> VariationalMixture:  # type: ignore[override]  # has no free coordinates
        """Return the model with the priors that the data have completed."""
        gamma = self.weight_concentration_prior
        process = self.weight_concentration_prior_type == "dirichlet_process"
        return VariationalMixture(self._component(), 1.0 / self.n_components if gamma is None else gamma, process)

    def _stop_rule(self) -> StopRule:
        return StopRule(max_iter=self.max_iter, rest_tol=self.tol)

    def _check_weights_prior(self) -> None:
        """Refuse a number of components or a prior of their weights that cannot be."""
        kind, gamma = self.weight_concentration_prior_type, self.weight_concentration_prior
        if not (isinstance(self.n_components, int | np.integer) and self.n_components >= 1):
            raise ParameterError("n_components is off", got=self.n_components, expected="a positive integer")
        if kind not in _PRIORS:
            raise ParameterError("unknown weight_concentration_prior_type", got=repr(kind), expected=_PRIORS)
        if gamma is not None and not gamma > 0:
            raise ParameterError("weight_concentration_prior is off", got=gamma, expected="a positive number")

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
        self._check_weights_prior()
        x = self._rows(X, reset=True)
        if len(x) < self.n_components:
            raise DataError(
                "fewer rows than components", got=f"n_samples = {len(x)}", expected=f"at least {self.n_components}"
            )
        rows = Rows(x, weights=self._weights_of(x, sample_weight))
        self._prior = self._completed_prior(x, rows.weights)
        shards = rows.blocks(max(1024, BLOCK // self.n_components))

        many = self.n_init != 1
        run = partial(self._climbed, shards=shards, executor=None if many else executor, callbacks=callbacks)
        climb = Climb(partial(self._start, rows), run, partial(self._described, rows_that_tell(x)))
        rng = generator(self.random_state)
        self.result_, self.starts_ = run_starts(climb, self.n_init, rng, executor if many else None)
        return self

    def _weights_of(self, x: AnyArray, sample_weight: Any) -> Array | None:
        """Return the weights of the rows; a row without any observation has none, or it would count for the components."""
        weights = checked_weights(sample_weight, len(x))
        lost = self._family().missing(x)
        if not lost.any():
            return weights
        if lost.all():
            raise DataError("every row is missing", expected="at least one observed row")
        return np.where(lost, 0.0, 1.0 if weights is None else weights)

    def _climbed(
        self, params: VariationalParams, rng: np.random.Generator, max_iter: int | None, **options: Any
    ) -> FitResult:
        """Return the fit from a start, of ``max_iter`` iterations at most where that is given."""
        model: Any = self._model()
        rule = self._stop_rule()
        return fit(model, params, stop=rule if max_iter is None else replace(rule, max_iter=max_iter), **options)

    def _described(self, x: AnyArray, params: VariationalParams) -> Array:
        return described(self._model().joint(params, x))

    def _start(self, rows: Rows, rng: np.random.Generator) -> VariationalParams:
        """Return posteriors given the clusters of k-means."""
        model, family, K = self._model(), self._family(), self.n_components
        point = start(MixtureOf(family, K), rows.x, rng)
        resp = responsibilities(family.log_likelihood(point.component, rows.x) + np.log(point.weights[0]))[1]
        if rows.weights is not None:
            resp *= rows.weights[:, None]
        stats = VariationalStats(resp.sum(axis=0), model.component.accumulate(self._prior, rows.x, resp))
        blank = np.ones((K, 2)) if model.process else np.ones(K)
        return model.m_step(stats, VariationalParams(blank, self._prior))

    # -- what was learned ------------------------------------------------------------------------------

    @property
    def params_(self) -> Any:
        """Parameters of the components at posterior means, one entry of the first axis each."""
        params = self._fitted.params
        return self._component().point(params.component)

    @property
    def weights_(self) -> Array:
        """Posterior means of the weights, shape (K,)."""
        params = self._fitted.params
        return self._model().weights(params)

    @property
    def weight_concentration_(self) -> Array:
        """Posterior concentrations (K,), or Beta parameters of the sticks (2, K)."""
        return self._fitted.params.concentration.T

    @property
    def lower_bound_(self) -> float:
        """Evidence lower bound of the training data."""
        return self._fitted.objective

    # -- using it --------------------------------------------------------------------------------------

    def _posterior(self, X: Any) -> tuple[Array, Array]:
        params = self._fitted.params
        return responsibilities(self._model().joint(params, self._rows(X, reset=False)))

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[AnyArray, IntArray]:
        """Return observations drawn from the posterior means, and their components."""
        weights = self.weights_
        if n_samples < 1:
            raise ParameterError("n_samples is off", got=n_samples, expected="a positive integer")
        rng = generator(self.random_state if random_state is None else random_state)
        which = rng.choice(self.n_components, size=n_samples, p=weights)
        return self._family().sample(self.params_, which, rng), which
