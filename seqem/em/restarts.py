"""Restarts: the best of several fits from random starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np

from seqem.em.driver import FitResult
from seqem.em.stop import StopReason
from seqem.errors import NumericalError, ParameterError
from seqem.shapes import Array

FitOnce = Callable[[np.random.Generator], FitResult]


class Start(NamedTuple):
    """How one start ended; ``error`` is the message of a NumericalError, with NaN for the objective."""

    objective: float
    n_iter: int
    stop_reason: StopReason | None
    error: str | None


class Starts(list[Start]):
    """How all starts ended, in their order.

    Attributes
    ----------
    best : int
        Index of the start that was taken; -1 where there is none.

    Examples
    --------
    >>> starts = Starts([Start(-9.0, 5, StopReason.CONVERGED, None), Start(np.nan, 0, None, "no")])
    >>> starts.best, starts.n_failed, starts.n_collapsed
    (0, 1, 0)
    """

    @property
    def objective(self) -> Array:
        """Objective of each start, NaN where it failed."""
        return np.array([start.objective for start in self], dtype=np.float64)

    @property
    def n_failed(self) -> int:
        """Number of starts that raised a NumericalError."""
        return sum(start.error is not None for start in self)

    @property
    def n_collapsed(self) -> int:
        """Number of starts whose objective ceased to be finite."""
        return sum(start.stop_reason is StopReason.NOT_FINITE for start in self)

    @property
    def best(self) -> int:
        """Index of the highest objective among the starts that neither failed nor collapsed."""
        sound = [i for i, s in enumerate(self) if s.error is None and s.stop_reason is not StopReason.NOT_FINITE]
        return max(sound, key=lambda i: self[i].objective, default=-1)


def best_of(
    fit_once: FitOnce, n_init: int, rng: np.random.Generator, executor: Executor | None = None
) -> tuple[FitResult, Starts]:
    """Return the fit with the highest objective, and how every start ended.

    Parameters
    ----------
    fit_once : callable
        ``Generator -> FitResult``: draws a start and fits from it. Picklable for executors of processes.
    n_init : int
        Number of starts.
    rng : numpy.random.Generator
        Each start gets a child of it, so the starts do not depend on who computes them.
    executor : concurrent.futures.Executor, optional
        Runs the starts. Not the one that ``fit_once`` maps its E-step with: waiting for each other,
        they would wait forever.

    Returns
    -------
    best : FitResult
        The first one of the highest objective.
    starts : Starts
        All of them, the failed and the collapsed counted.

    Raises
    ------
    NumericalError
        Where every start failed or collapsed.

    Examples
    --------
    >>> from seqem.em.history import History
    >>> def fit_once(rng):
    ...     x = rng.normal()
    ...     return FitResult(x, -x * x, -x * x, 1, StopReason.CONVERGED, "", History())
    >>> best, starts = best_of(fit_once, 5, np.random.default_rng(0))
    >>> best.objective == starts[starts.best].objective
    True
    """
    if n_init < 1:
        raise ParameterError("n_init is off", got=n_init, expected="a positive integer")
    best: FitResult | None = None
    starts = Starts()
    for outcome in _outcomes(fit_once, rng.spawn(n_init), executor):
        starts.append(_summary(outcome))
        if isinstance(outcome, FitResult) and starts.best == len(starts) - 1:
            best = outcome
    if best is None:
        raise NumericalError(
            "no start led to a fit",
            got=f"{starts.n_failed} failed, {starts.n_collapsed} collapsed",
            expected=f"at least one of {n_init}",
            hint=next((start.error for start in starts if start.error), "a prior keeps a component from collapsing"),
        )
    return best, starts


def _attempt(fit_once: FitOnce, rng: np.random.Generator) -> FitResult | NumericalError:
    try:
        return fit_once(rng)
    except NumericalError as error:
        return error


def _outcomes(
    fit_once: FitOnce, rngs: list[np.random.Generator], executor: Executor | None
) -> Iterator[FitResult | NumericalError]:
    if executor is None:
        return (_attempt(fit_once, rng) for rng in rngs)
    futures = [executor.submit(_attempt, fit_once, rng) for rng in rngs]
    return (future.result() for future in futures)


def _summary(outcome: FitResult | NumericalError) -> Start:
    if isinstance(outcome, FitResult):
        return Start(outcome.objective, outcome.n_iter, outcome.stop_reason, None)
    return Start(float("nan"), 0, None, str(outcome))
