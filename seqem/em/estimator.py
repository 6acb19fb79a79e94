"""EMEstimator: a thin scikit-learn face over one model and one fit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any, Self

import numpy as np
from sklearn import exceptions as sklearn_exceptions
from sklearn.base import BaseEstimator

from seqem.core.tree import tree_map
from seqem.em.bootstrap import Bootstrap, Interval, bootstrap
from seqem.em.driver import FitResult, fit
from seqem.em.history import History, Record
from seqem.em.mapreduce import data_of, map_reduce
from seqem.em.methods import accelerator
from seqem.em.online import Seen, learn, size_of
from seqem.em.protocol import EMModel
from seqem.em.stop import StopReason, StopRule
from seqem.em.uncertainty import standard_errors
from seqem.errors import DataError, NotFittedError, ParameterError


class _NotFittedError(NotFittedError, sklearn_exceptions.NotFittedError):
    """The error of both families, as scikit-learn's own checks ask for theirs."""


class EMEstimator(BaseEstimator):
    """Base of the estimators that are fitted by EM.

    A subclass stores its hyper-parameters in its constructor, answers the three hooks ``_model``,
    ``_stop_rule`` and ``_shards``, and in ``fit`` hands a start to ``_run``. Its learned attributes are
    read-only views of ``self._fitted.params``.

    Attributes
    ----------
    result_ : FitResult
        All that a fit leaves behind.

    Examples
    --------
    >>> EMEstimator().converged_
    Traceback (most recent call last):
    ...
    seqem.em.estimator._NotFittedError: EMEstimator is not fitted. Hint: call fit first
    """

    result_: FitResult
    _training_shards: Sequence[Any]

    def _model(self) -> EMModel:
        """Return the model that the hyper-parameters describe."""
        raise NotImplementedError

    def _stop_rule(self) -> StopRule:
        """Return the stop rule that the hyper-parameters describe."""
        raise NotImplementedError

    def _shards(self, X: Any, **known: Any) -> Sequence[Any]:
        """Return checked data as shards; ``known`` is what else ``fit`` takes about the data."""
        raise NotImplementedError

    def _run(self, params: Any, shards: Sequence[Any], **options: Any) -> Self:
        """Fit from ``params`` by ``self.method`` and keep the result; ``options`` are those of the driver's ``fit``."""
        step = accelerator(getattr(self, "method", "em"))
        self.result_ = fit(self._model(), params, shards, stop=self._stop_rule(), accelerate=step, **options)
        self._training_shards = shards
        return self

    def _learn(self, model: EMModel, part: Any, start: Callable[[], Any]) -> Self:
        """Learn from one more part of a stream, which goes on from the last fit or part; without any it begins at ``start()``."""
        known = vars(self).get("result_")
        seen: Seen | None = vars(self).get("_seen")
        if known is None or seen is None or seen.params is not known.params:
            seen, self._past = self._seen_by_fit(model, part), History()
        self.__dict__.pop("_training_shards", None)  # not all that was learnt from, any more
        started = time.perf_counter()
        begin = None if seen is not None else start() if known is None else known.params
        self._seen, score = learn(model, seen, part, begin)
        self._past.append(Record(self._seen.n_parts, score, score, "online", time.perf_counter() - started))
        self.result_ = FitResult(
            self._seen.params, score, score, self._seen.n_parts, StopReason.CALLBACK, "the stream goes on", self._past
        )
        return self

    def _seen_by_fit(self, model: EMModel, part: Any) -> Seen | None:
        """Return what the data of the fit teach, as of parts as large as ``part``; None without a fit or its data."""
        shards = vars(self).get("_training_shards")
        if shards is None or "result_" not in vars(self):
            return None
        params = self._fitted.params
        weight = sum(size_of(data_of(shard)) for shard in shards)
        stats = map_reduce(model.e_step, params, shards, None).stats
        return Seen(params, stats, weight, max(1, round(weight / max(size_of(part), 1.0))))

    @property
    def _fitted(self) -> FitResult:
        try:
            return vars(self)["result_"]
        except KeyError:
            raise _NotFittedError(f"{type(self).__name__} is not fitted", hint="call fit first") from None

    @property
    def log_likelihood_(self) -> float:
        """Log-likelihood of the training data at the estimate."""
        return self._fitted.log_likelihood

    @property
    def n_iter_(self) -> int:
        """Evaluations of the EM map."""
        return self._fitted.n_iter

    @property
    def converged_(self) -> bool:
        """Whether a tolerance was met."""
        return self._fitted.converged

    @property
    def stop_reason_(self) -> StopReason:
        """Why the fit ended."""
        return self._fitted.stop_reason

    @property
    def history_(self) -> History:
        """One record for each point of the fit."""
        return self._fitted.history

    def standard_errors(self, X: Any = None, *, executor: Any = None, **known: Any) -> Any:
        """Return the standard error of every parameter, as a tree like the parameters.

        Parameters
        ----------
        X : array-like, optional
            The data of the fit; by default those the estimator was fitted to, which it holds until it is pickled.
        executor : concurrent.futures.Executor, optional
            Maps the E-step over the shards.
        **known
            What else ``fit`` takes about the data, such as ``lengths``.

        Raises
        ------
        DataError
            Without ``X``, where the data of the fit are gone.
        ParameterError
            Where the parameters have no coordinates, as those of kernel densities and of variational posteriors.
        """
        params = self._fitted.params
        shards = vars(self).get("_training_shards") if X is None else self._shards(X, **known)
        if shards is None:
            raise DataError("the data of the fit are not at hand", hint="pass them: standard_errors(X)")
        model = self._identified(params)
        if not hasattr(model, "pack"):
            raise ParameterError(f"{type(self).__name__} has no standard errors", hint="try bootstrap()")
        return standard_errors(model, params, shards, executor=executor)

    def confidence_intervals(
        self, level: float = 0.95, X: Any = None, *, executor: Any = None, **known: Any
    ) -> Interval:
        """Return Wald intervals of every parameter: the estimate and standard errors to both sides.

        Parameters
        ----------
        level : float
            Probability that an interval covers the parameter.
        X, executor, known
            As for ``standard_errors``. Near the edge of its range a parameter's interval may reach beyond; those of
            ``bootstrap`` do not.
        """
        reach = NormalDist().inv_cdf(0.5 + level / 2)
        errors, params = self.standard_errors(X, executor=executor, **known), self._fitted.params
        low, high = (tree_map(lambda x, e, side=side: x + side * reach * e, params, errors) for side in (-1.0, 1.0))
        return Interval(low, high)

    def bootstrap(self, n_replicates: int = 200, *, random_state: Any = None, executor: Any = None) -> Bootstrap:
        """Return how estimates scatter over data drawn from the fitted model, each as large as those of the fit.

        Parameters
        ----------
        n_replicates : int
            Data sets; each is fitted from the estimate on, so that components keep their order.
        random_state : int, Generator or None
            Draws the data.
        executor : concurrent.futures.Executor, optional
            Runs the fits; the result does not depend on it.

        Raises
        ------
        DataError
            Where the data of the fit are gone, or the model cannot draw any.

        References
        ----------
        B. Efron and R. Tibshirani (1986). Bootstrap methods for standard errors, confidence intervals, and other measures of
        statistical accuracy. Statistical Science 1, 54-75.
        """
        if "_training_shards" not in vars(self):
            raise DataError("the data of the fit are not at hand", hint="fit again in this process")
        return bootstrap(self._replicate, n_replicates, random_state, executor)

    def _replicate(self, rng: np.random.Generator) -> Any:
        """Return the estimate from data drawn from the model."""
        step = accelerator(getattr(self, "method", "em"), rng)
        shards = self._drawn_like(self._training_shards, rng)
        return fit(self._model(), self._fitted.params, shards, stop=self._stop_rule(), accelerate=step).params

    def _drawn_like(self, shards: Sequence[Any], rng: np.random.Generator) -> Sequence[Any]:
        """Return shards as large as these, drawn from the fitted model."""
        raise DataError(f"{type(self).__name__} draws no data")

    def _identified(self, params: Any) -> EMModel:
        """Return the model in coordinates that the data determine, for standard errors."""
        return self._model()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k not in ("_training_shards", "_seen")}
