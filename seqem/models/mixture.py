"""Mixture: a mixture of any distribution, and what all mixtures share."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np

from seqem.core.rng import generator
from seqem.core.rows import Rows
from seqem.distributions.mixture import MixtureOf, MixtureParams
from seqem.distributions.protocol import Distribution
from seqem.em.annealing import anneal
from seqem.em.callbacks import Callback
from seqem.em.checkpoint import Resume
from seqem.em.criteria import InformationCriteria
from seqem.em.driver import FitResult, fit
from seqem.em.methods import accelerator
from seqem.em.restarts import Climb, Restarts, run_starts
from seqem.em.stop import StopRule
from seqem.errors import DataError, DegenerateWarning, ParameterError
from seqem.models.clustering import Clustering
from seqem.models.inputs import checked_rows, checked_weights, silent_columns
from seqem.models.mixture_model import BLOCK, MixtureModel, described, responsibilities, rows_that_tell, start
from seqem.shapes import AnyArray, Array, IntArray


class BaseMixture(InformationCriteria, Clustering):
    """Fit, score, cluster and sample with a mixture; subclasses say of what.

    A subclass answers ``_family`` and ``_start``, and has ``n_components``, ``tol``, ``max_iter``, ``n_init``, ``method``,
    ``training``, ``annealing`` and ``random_state``.
    """

    n_components: int
    tol: float
    max_iter: int
    n_init: int | Restarts
    method: str
    training: str
    annealing: Sequence[float]
    random_state: Any

    def _family(self) -> Distribution:
        """Return the distribution of the components."""
        raise NotImplementedError

    def _start(self, x: AnyArray, rng: np.random.Generator) -> MixtureParams:
        """Return parameters to begin with."""
        return start(self._model().mixture, x, rng)

    def _model(self) -> MixtureModel:
        return MixtureModel(MixtureOf(self._family(), self.n_components), self.training)

    def _stop_rule(self) -> StopRule:
        if self.training == "stochastic":  # draws, not steps, make the objective rise and fall: go on to the limit
            return StopRule(max_iter=self.max_iter, fall_tol=np.inf)
        return StopRule(max_iter=self.max_iter, rest_tol=self.tol)

    def _rows(self, X: Any, *, reset: bool = False) -> AnyArray:
        """Return checked observations."""
        return self._family().check(checked_rows(self, X, reset=reset))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _shards(self, X: Any, **known: Any) -> list[Rows]:
        x = self._rows(X, reset=True)
        labels = _labels(known.get("labels"), len(x), self.n_components)
        return Rows(x, labels, checked_weights(known.get("sample_weight"), len(x))).blocks(
            max(1024, BLOCK // self.n_components)
        )

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        labels: Any = None,
        sample_weight: Any = None,
        begin: MixtureParams | None = None,
        executor: Executor | None = None,
        callbacks: Sequence[Callback] = (),
        resume: Resume | None = None,
    ) -> Self:
        """Fit by EM.

        Parameters
        ----------
        X : array-like, shape (N, D) or (N,)
            Observations; NaN is missing where the distribution allows it.
        y : None
            Not used.
        labels : array-like of int, shape (N,), optional
            Known components, -1 where unknown.
        sample_weight : array-like, shape (N,), optional
            Weights of the observations.
        begin : MixtureParams, optional
            Where to begin, such as ``result_.params`` of another fit; by default the estimator's own start.
        executor : concurrent.futures.Executor, optional
            Maps the E-step over blocks of rows, or runs the starts where there are several; the result does not depend on it.
        callbacks : sequence of callables
            Told of every step.
        resume : Resume, optional
            From ``Checkpoint.load``: the fit goes on from there.

        Raises
        ------
        DataError, ParameterError, NumericalError
            For observations or parameters that cannot be.
        """
        if not (isinstance(self.n_components, int | np.integer) and self.n_components >= 1):
            raise ParameterError("n_components is off", got=self.n_components, expected="a positive integer")
        shards = self._shards(X, labels=labels, sample_weight=sample_weight)
        x = self._rows(X)
        if len(x) < self.n_components:
            raise DataError(
                "fewer rows than components", got=f"n_samples = {len(x)}", expected=f"at least {self.n_components}"
            )
        many = self.n_init != 1
        run = partial(
            self._climbed, shards=shards, executor=None if many else executor, callbacks=callbacks, resume=resume
        )
        known = None if shards[0].y is None else np.asarray(labels)
        climb = Climb(
            partial(self._drawn, x, known, shards, begin),
            run,
            partial(self._described, rows_that_tell(x)),
            partial(self._collapsed, len(x)),
        )
        rng = generator(self.random_state)
        self.result_, self.starts_ = run_starts(climb, self.n_init, rng, executor if many else None)
        self._training_shards = shards
        self._warn_of_columns(x)
        return self

    def _warn_of_columns(self, x: AnyArray) -> None:
        """Say which columns say nothing: without any value, or, where that is what holds the variances up, without variance."""
        if x.ndim != 2 or x.dtype.kind != "f":
            return
        empty, constant = silent_columns(x)
        names = getattr(self, "feature_names_in_", range(x.shape[1]))
        for what, bad in (("values", empty), ("variance", constant & self._all_at_floor())):
            if bad.any():
                named = ", ".join(str(names[c]) for c in np.flatnonzero(bad))
                warnings.warn(f"no {what} in column {named}. Hint: leave it out", DegenerateWarning, stacklevel=3)
        if self._all_at_floor() and not constant.any():
            text = (
                "variances of all components are at their floor: rows that are repeated, or fewer of them than columns"
            )
            warnings.warn(text, DegenerateWarning, stacklevel=3)

    def _all_at_floor(self) -> bool:
        component = self._model().mixture.component
        return hasattr(component, "at_floor") and bool(component.at_floor(self._fitted.params.component).all())

    def partial_fit(self, X: Any, y: None = None, *, labels: Any = None, sample_weight: Any = None) -> Self:
        """Learn from one more part of a stream, after a fit or from the beginning; then the first has to hold all components.

        Parameters
        ----------
        X, y, labels, sample_weight
            As for ``fit``. Statistics forget what is long past (Cappe & Moulines 2009). ``history_`` has the log-likelihood of
            each part before it was learnt from.

        Raises
        ------
        DataError
            Where the rows do not fit those before.
        """
        x = self._rows(X, reset="result_" not in vars(self))
        part = Rows(x, _labels(labels, len(x), self.n_components), checked_weights(sample_weight, len(x)))
        return self._learn(self._model(), part, lambda: self._start(x, generator(self.random_state)))

    def _drawn(
        self,
        x: AnyArray,
        labels: IntArray | None,
        shards: Sequence[Rows],
        given: MixtureParams | None,
        rng: np.random.Generator,
    ) -> MixtureParams:
        """Return parameters to begin with, annealed if asked for."""
        if given is not None:
            params = given
        else:
            params = self._start(x, rng) if labels is None else self._labelled_start(x, labels, rng)
        return anneal(self._model(), params, shards, betas=self.annealing) if len(self.annealing) else params

    def _climbed(
        self, params: MixtureParams, rng: np.random.Generator, max_iter: int | None, **options: Any
    ) -> FitResult:
        """Return the fit from a start, of ``max_iter`` iterations at most where that is given."""
        rule = self._stop_rule()
        stop = rule if max_iter is None else replace(rule, max_iter=max_iter)
        return fit(self._model(), params, stop=stop, accelerate=accelerator(self.method, rng), **options)

    def _described(self, x: AnyArray, params: MixtureParams) -> Array:
        return described(self._model().joint(params, x))

    def _collapsed(self, n_rows: int, params: MixtureParams) -> bool:
        """Return whether some component, and not all, has shrunk to less than a row or to the floor of its variances."""
        component = self._model().mixture.component
        at_floor = component.at_floor(params.component) if hasattr(component, "at_floor") else np.zeros(1, bool)
        shrunk = (params.weights[0] * n_rows < 1.0) | at_floor
        return bool(shrunk.any() and not shrunk.all())

    def _labelled_start(self, x: AnyArray, labels: IntArray, rng: np.random.Generator) -> MixtureParams:
        """Return a start in which known rows are in their components and the others where k-means puts them."""
        params = self._start(x, rng)
        known = labels >= 0
        resp = responsibilities(self._model().joint(params, x))[1]
        resp[known] = np.eye(self.n_components)[labels[known]]
        mixture = self._model().mixture
        component = mixture.component.maximise(
            mixture.component.accumulate(params.component, x, resp), params.component
        )
        return MixtureParams(resp.mean(axis=0)[None], component)

    # -- what was learned ------------------------------------------------------------------------------

    @property
    def weights_(self) -> Array:
        """Probability of each component, shape (K,)."""
        return self._fitted.params.weights[0]

    @property
    def params_(self) -> Any:
        """Parameters of the components, one entry of the first axis each."""
        return self._fitted.params.component

    # -- using it --------------------------------------------------------------------------------------

    def _posterior(self, X: Any) -> tuple[Array, Array]:
        params = self._fitted.params
        return responsibilities(self._model().joint(params, self._rows(X)))

    def anomaly_score(self, X: Any) -> Array:
        """Return how unlike the data each observation is: minus its log-density."""
        return -self.score_samples(X)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[AnyArray, IntArray]:
        """Return observations drawn from the mixture, and their components."""
        params = self._fitted.params
        if n_samples < 1:
            raise ParameterError("n_samples is off", got=n_samples, expected="a positive integer")
        rng = generator(self.random_state if random_state is None else random_state)
        which = rng.choice(self.n_components, size=n_samples, p=params.weights[0])
        return self._family().sample(params.component, which, rng), which

    def _drawn_like(self, shards: Sequence[Rows], rng: np.random.Generator) -> list[Rows]:
        drawn = (self._rows(self.sample(len(shard), rng)[0]) for shard in shards)
        return [Rows(_with_holes(x, shard.x), weights=shard.weights) for x, shard in zip(drawn, shards, strict=True)]

    # -- choosing --------------------------------------------------------------------------------------

    @property
    def n_parameters_(self) -> int:  # type: ignore[override]
        """Number of free parameters."""
        return self._model().n_free(self._fitted.params)

    def _evidence(self, X: Any) -> tuple[float, int]:  # type: ignore[override]
        scores = self.score_samples(X)
        return float(scores.sum()), len(scores)

    def icl(self, X: Any) -> float:
        """Return the integrated completed likelihood criterion: BIC plus twice the entropy of the assignment."""
        resp = self.predict_proba(X)
        entropy = -float(np.sum(resp * np.log(np.maximum(resp, 1e-300))))
        return self.bic(X) + 2.0 * entropy


class Mixture(BaseMixture):
    """Mixture of any distribution of the catalog, or of one's own.

    Parameters
    ----------
    distribution : Distribution
        Family of the components, such as ``seqem.Poisson()``.
    n_components : int
        K.
    tol : float
        Converged when the gain to come is no more than this share of the objective, see ``StopRule.rest_tol``.
    max_iter : int
        Evaluations of the EM map at most.
    n_init : int or Restarts
        Starts, of which the best is kept; ``starts_`` tells of all. :class:`seqem.em.restarts.Restarts` has short runs and starts
        that are spread. A start that ends with a collapsed component is replaced.
    method : str
        How to climb; see ``seqem.catalog.METHODS``.
    training : {"posterior", "classification", "stochastic"}
        EM, or with hard assignment (CEM), or with drawn components (SEM), which goes on for ``max_iter`` iterations.
    annealing : sequence of float
        Powers of the posterior to begin at, such as (0.2, 0.5, 0.8); see :func:`seqem.em.annealing.anneal`.
    random_state : int, Generator or None
        Draws starts and samples.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Probability of each component.
    params_ : NamedTuple
        Parameters of the components.

    Examples
    --------
    >>> from seqem.distributions.poisson import Poisson
    >>> x = np.repeat([[0.0], [1.0], [9.0], [10.0]], 25, axis=0)
    >>> model = Mixture(Poisson(), 2, random_state=0).fit(x)
    >>> sorted(model.params_.rate.round(1).ravel().tolist())
    [0.5, 9.5]
    """

    def __init__(
        self,
        distribution: Distribution,
        n_components: int = 2,
        *,
        tol: float = 1e-10,
        max_iter: int = 5000,
        n_init: int | Restarts = 1,
        method: str = "em",
        training: str = "posterior",
        annealing: Sequence[float] = (),
        random_state: Any = None,
    ) -> None:
        self.distribution = distribution
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.method = method
        self.training = training
        self.annealing = annealing
        self.random_state = random_state

    def _family(self) -> Distribution:
        return self.distribution


def _with_holes(x: AnyArray, like: AnyArray) -> AnyArray:
    """Return ``x`` with NaN where ``like`` has it."""
    return np.where(np.isnan(like), np.nan, x) if like.dtype.kind == "f" else x


def _labels(labels: Any, n: int, n_components: int) -> IntArray | None:
    if labels is None:
        return None
    array = np.asarray(labels)
    if array.shape != (n,) or array.dtype.kind not in "iu" or array.max(initial=-1) >= n_components:
        raise DataError(
            "labels do not fit", got=f"{array.dtype} {array.shape}", expected=f"{n} integers below {n_components}"
        )
    return array
