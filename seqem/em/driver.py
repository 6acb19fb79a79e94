"""The driver: takes a model from its start to the end of a fit, and says why it ended."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np

from seqem.em.callbacks import Callback, Event
from seqem.em.checkpoint import Resume
from seqem.em.history import History, Record
from seqem.em.point import EMMap, Point
from seqem.em.protocol import EMModel
from seqem.em.stop import StopReason, StopRule, Verdict
from seqem.errors import ConvergenceWarning, NumericalError, ParameterError

Accelerator = Callable[[EMMap, Point], Point]

_FAULTS = (StopReason.OBJECTIVE_FELL, StopReason.NOT_FINITE)


@dataclass(frozen=True)
class FitResult:
    """What a fit ends with.

    Attributes
    ----------
    params : tree of arrays
        The parameters.
    log_likelihood : float
        Log-likelihood at ``params``.
    objective : float
        Log-likelihood plus log prior at ``params``.
    n_iter : int
        Evaluations of the EM map: M-steps, or, where a step was accelerated, E-steps after the first.
    stop_reason : StopReason
        Why it ended.
    stop_detail : str
        The same with figures.
    history : History
        One record for each point, a last step that was undone included.
    """

    params: Any
    log_likelihood: float
    objective: float
    n_iter: int
    stop_reason: StopReason
    stop_detail: str
    history: History = field(repr=False)

    @property
    def converged(self) -> bool:
        """Whether a tolerance was met."""
        return self.stop_reason is StopReason.CONVERGED


_RUN_TO_THE_LIMIT = StopRule()


def fit(
    model: EMModel,
    params: Any,
    shards: Sequence[Any],
    *,
    stop: StopRule = _RUN_TO_THE_LIMIT,
    executor: Executor | None = None,
    callbacks: Sequence[Callback] = (),
    accelerate: Accelerator | None = None,
    resume: Resume | None = None,
) -> FitResult:
    """Fit a model by EM.

    Parameters
    ----------
    model : EMModel
        The recipe. A method ``edge(params)``, where it has one, returns the parameters moved to the edge of their range if they
        are on their way there, or else None; they are tried at the end.
    params : tree of arrays
        Where to start.
    shards : sequence
        Data or loaders of it, see :func:`seqem.em.mapreduce.map_reduce`.
    stop : StopRule
        When to stop; by default after 100 iterations.
    executor : concurrent.futures.Executor, optional
        Maps the E-step over the shards; the result does not depend on it.
    callbacks : sequence of callables
        Told of the start, every step and the end; see :class:`seqem.em.callbacks.Event`.
    accelerate : callable, optional
        ``(EMMap, Point) -> Point`` in place of the plain EM step, such as
        :func:`seqem.em.accelerate.squarem`.
    resume : Resume, optional
        From :meth:`seqem.em.checkpoint.Checkpoint.load`; the fit goes on from there and ``params`` is
        not used.

    Returns
    -------
    FitResult
        After a step to a lower or non-finite objective, the point before that step, with a
        ConvergenceWarning.

    Examples
    --------
    Rao's linkage data, with which Dempster, Laird and Rubin introduce EM:

    >>> import numpy as np
    >>> from seqem.em.protocol import EStep
    >>> class Linkage:
    ...     def e_step(self, t, y):
    ...         x = y[0] * t / (2 + t)
    ...         score = y[0] * np.log(2 + t) + (y[1] + y[2]) * np.log(1 - t) + y[3] * np.log(t)
    ...         return EStep((x + y[3], y[1] + y[2]), float(score))
    ...     def m_step(self, stats, t):
    ...         return stats[0] / (stats[0] + stats[1])
    ...     def log_prior(self, t):
    ...         return 0.0
    >>> result = fit(Linkage(), 0.5, [(125, 18, 20, 34)], stop=StopRule(param_tol=1e-10))
    >>> f"{result.params:.9f} {result.stop_reason} {result.n_iter}"
    '0.626821498 converged 12'
    """
    run = _begin(EMMap(model, shards, executor), params, stop, callbacks, resume)
    step = run.em.step if accelerate is None else partial(accelerate, run.em)
    with ExitStack() as farewell:
        for callback in reversed(callbacks):
            farewell.callback(run.tell, callback, "end")
        verdict = run.until_stopped(step)
        run.try_edge()
        run.result = run.outcome(verdict)
    if verdict.reason in _FAULTS:
        warnings.warn(f"{verdict.reason}: {verdict.detail}; the point before is kept", ConvergenceWarning, stacklevel=2)
    return run.result


def _begin(em: EMMap, params: Any, stop: StopRule, callbacks: Sequence[Callback], resume: Resume | None) -> _Run:
    point = em.evaluate(params if resume is None else resume.params)
    if not math.isfinite(point.objective):
        raise NumericalError(
            "the objective is not finite at the start",
            got=point.objective,
            hint="the start gives some observation probability zero, or the data hold values it cannot take",
        )
    if resume is None:
        run = _Run(em, stop, callbacks, point)
        run.note()
        return run
    if not math.isclose(point.objective, resume.objective, rel_tol=1e-6):
        raise ParameterError(
            "the checkpoint is not of this model and these data", got=point.objective, expected=resume.objective
        )
    last = resume.history[-1]
    return _Run(em, stop, callbacks, point, History(resume.history), last.iteration, last.seconds)


@dataclass
class _Run:
    """The moving parts of one fit."""

    em: EMMap
    stop: StopRule
    callbacks: Sequence[Callback]
    point: Point
    history: History = field(default_factory=History)
    earlier_iterations: int = 0
    earlier_seconds: float = 0.0
    started: float = field(default_factory=time.perf_counter)
    result: FitResult | None = None

    @property
    def n_iter(self) -> int:
        return self.earlier_iterations + self.em.n_evaluations - 1

    def note(self) -> None:
        seconds = self.earlier_seconds + time.perf_counter() - self.started
        point = self.point
        self.history.append(Record(self.n_iter, point.objective, point.log_likelihood, point.kind, seconds))

    def tell(self, callback: Callback, stage: Literal["start", "step", "end"]) -> bool:
        return bool(callback(Event(stage, self.point, self.history, self.em.model, self.stop, self.result)))

    def tell_all(self, stage: Literal["start", "step"]) -> str | None:
        """Return the name of a callback that asks for the end, after all have been told."""
        asking = [callback for callback in self.callbacks if self.tell(callback, stage)]
        return getattr(asking[0], "__name__", type(asking[0]).__name__) if asking else None

    def until_stopped(self, step: Callable[[Point], Point]) -> Verdict:
        asked_by = self.tell_all("start")
        while True:
            if asked_by is not None:
                return Verdict(StopReason.CALLBACK, f"asked by {asked_by}")
            if self.n_iter >= self.stop.max_iter:
                return Verdict(StopReason.MAX_ITER, f"{self.n_iter} iterations reach max_iter {self.stop.max_iter}")
            verdict = self.advance(step)
            asked_by = self.tell_all("step")
            if verdict is not None:
                return verdict

    def advance(self, step: Callable[[Point], Point]) -> Verdict | None:
        """Take one step and judge it; a step that failed is recorded and undone."""
        before, self.point = self.point, step(self.point)
        self.note()
        earlier = self.history[-3].objective if len(self.history) > 2 else -math.inf
        verdict = self.stop.judge(before, self.point, earlier)
        if verdict is not None and verdict.reason in _FAULTS:
            self.point = before
        return verdict

    def try_edge(self) -> None:
        """Go to the edge of the parameter space where the model points there and the objective is not lower.

        A maximum at a variance or share of zero is one that steps only creep towards.
        """
        edge = getattr(self.em.model, "edge", None)
        there = None if edge is None else edge(self.point.params)
        if there is None:
            return
        with np.errstate(all="ignore"):
            found = self.em.evaluate(there, "edge")
        if self.point.objective <= found.objective < math.inf:
            self.point = found
            self.note()

    def outcome(self, verdict: Verdict) -> FitResult:
        # The free energy of incremental EM is a bound; what is reported is the log-likelihood itself.
        point = self.em.evaluate(self.point.params, "em") if self.point.kind == "incremental" else self.point
        return FitResult(point.params, point.log_likelihood, point.objective, self.n_iter, *verdict, self.history)
