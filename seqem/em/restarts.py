"""Restarts: the best of several fits from random starts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from seqem.em.driver import FitResult
from seqem.em.stop import StopReason
from seqem.errors import DegenerateWarning, NumericalError, ParameterError
from seqem.shapes import Array

FitOnce = Callable[[np.random.Generator], FitResult]


class Start(NamedTuple):
    """How one start ended; ``error`` is the message of a NumericalError, with NaN for the objective.

    ``collapsed`` says that a component has shrunk onto few data, where the likelihood has no bound.
    """

    objective: float
    n_iter: int
    stop_reason: StopReason | None
    error: str | None
    collapsed: bool = False


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
        """Number of starts whose objective ceased to be finite, or that hold a collapsed component."""
        return sum(_collapsed(start) for start in self)

    @property
    def best(self) -> int:
        """Index of the highest objective among the starts that neither failed nor collapsed."""
        sound = [i for i, s in enumerate(self) if s.error is None and not _collapsed(s)]
        return max(sound, key=lambda i: self[i].objective, default=-1)


def _collapsed(start: Start) -> bool:
    return start.collapsed or start.stop_reason is StopReason.NOT_FINITE


class Restarts(NamedTuple):
    """How an estimator is started, where ``n_init`` says more than a number.

    Attributes
    ----------
    n : int
        Starts.
    short : int, optional
        Iterations of each start, after which only the best goes on (short runs of EM; Biernacki, Celeux & Govaert 2003,
        Computational Statistics & Data Analysis 41, 561-575). By default all are carried to the end.
    spread : int
        As many times ``n`` starts are drawn, of which the ``n`` are run that are farthest apart, in what they make of the data.

    Examples
    --------
    >>> Restarts(20, short=10)
    Restarts(n=20, short=10, spread=1)
    """

    n: int
    short: int | None = None
    spread: int = 1


_EXTRA = 5


class Climb(NamedTuple):
    """The parts of a fit from a random start, each picklable where processes are to run it.

    Attributes
    ----------
    draw : callable
        ``Generator -> params``.
    fit : callable
        ``(params, Generator, max_iter or None) -> FitResult``.
    describe : callable, optional
        ``params -> vector``, equal for parameters that mean the same; needed to spread starts.
    collapsed : callable, optional
        ``params -> bool``.
    """

    draw: Callable[[np.random.Generator], Any]
    fit: Callable[[Any, np.random.Generator, int | None], FitResult]
    describe: Callable[[Any], Array] | None = None
    collapsed: Callable[[Any], bool] | None = None


def run_starts(
    climb: Climb, n_init: int | Restarts, rng: np.random.Generator, executor: Executor | None = None
) -> tuple[FitResult, Starts]:
    """Return the best fit of one start or several, and how every start ended.

    A start that ends with a collapsed component is replaced by another; where those collapse too it is kept, with a
    DegenerateWarning.

    Parameters
    ----------
    climb : Climb
        What a start is.
    n_init : int or Restarts
        How many, and how.
    rng : numpy.random.Generator
        One start draws from it, several from children of it.
    executor : concurrent.futures.Executor, optional
        Runs the starts; not the one that maps their E-steps.

    Examples
    --------
    >>> from seqem.em.history import History
    >>> def fit(x, rng, max_iter):
    ...     return FitResult(x, -x * x, -x * x, 1, StopReason.CONVERGED, "", History())
    >>> climb = Climb(lambda rng: rng.normal(), fit, collapsed=lambda x: x > 0)
    >>> best, starts = run_starts(climb, 6, np.random.default_rng(0))
    >>> best.params < 0, starts.n_collapsed
    (True, 6)
    """
    policy = n_init if isinstance(n_init, Restarts) else Restarts(n_init)
    if not all(
        isinstance(x, int | np.integer) and x >= 1
        for x in (policy.n, policy.spread, 1 if policy.short is None else policy.short)
    ):
        raise ParameterError("n_init is off", got=n_init, expected="positive integers")
    if policy == Restarts(1):
        return _single(climb, rng)
    once = partial(_from_params, climb, policy.short)
    chosen = _spread(climb, policy, rng)
    best, starts = _best_among(once, chosen, climb.collapsed, executor)
    again = starts.n_collapsed
    if again:
        more = [(climb.draw(child), child) for child in rng.spawn(again)]
        second, extra = _best_among(once, more, climb.collapsed, executor)
        starts = Starts([*starts, *extra])
        best = second if starts.best >= len(chosen) or best is None else best
    best = _sound(best, starts)
    return (climb.fit(best.params, rng, None), starts) if policy.short is not None else (best, starts)


def _single(climb: Climb, rng: np.random.Generator) -> tuple[FitResult, Starts]:
    """Return the fit of one start, or of the first other one that does not collapse."""
    first = climb.fit(climb.draw(rng), rng, None)
    starts = Starts([_summary(first, climb.collapsed)])
    if not starts[0].collapsed:
        return first, starts
    for child in rng.spawn(_EXTRA):
        outcome = _attempt(partial(_from_params, climb, None), (climb.draw(child), child))
        starts.append(_summary(outcome, climb.collapsed))
        if isinstance(outcome, FitResult) and starts.best >= 0:
            return outcome, starts
    _warn_collapsed(starts)
    return first, starts


def _from_params(climb: Climb, max_iter: int | None, start: tuple[Any, np.random.Generator]) -> FitResult:
    return climb.fit(*start, max_iter)


def _spread(climb: Climb, policy: Restarts, rng: np.random.Generator) -> list[tuple[Any, np.random.Generator]]:
    """Return drawn parameters with generators: all, or the ones farthest apart, each from those before."""
    children = rng.spawn(policy.n * policy.spread)
    drawn = [(climb.draw(child), child) for child in children]
    if policy.spread == 1:
        return drawn
    if climb.describe is None:
        raise ParameterError("starts of this estimator cannot be spread", got=policy, expected="spread=1")
    places = np.array([climb.describe(params) for params, _ in drawn])
    chosen, gap = [0], np.linalg.norm(places - places[0], axis=1)
    while len(chosen) < policy.n:
        chosen.append(int(gap.argmax()))
        gap = np.minimum(gap, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return [drawn[i] for i in chosen]


def _warn_collapsed(starts: Starts) -> None:
    warnings.warn(
        f"a component has collapsed onto few rows in each of {len(starts)} starts: the likelihood has no bound there. "
        "Hint: fewer components, or a larger floor of the variances",
        DegenerateWarning,
        stacklevel=4,
    )


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
    best, starts = _best_among(fit_once, rng.spawn(n_init), None, executor)
    return _sound(best, starts), starts


def _best_among(
    fit_once: Callable[[Any], FitResult],
    items: Sequence[Any],
    collapsed: Callable[[Any], bool] | None,
    executor: Executor | None,
) -> tuple[FitResult | None, Starts]:
    """Return the best sound fit, or else the best of all, None where all failed."""
    best: FitResult | None = None
    starts = Starts()
    for outcome in _outcomes(fit_once, items, executor):
        starts.append(_summary(outcome, collapsed))
        last = len(starts) - 1
        if isinstance(outcome, FitResult) and (starts.best == last or (starts.best < 0 and _better(outcome, best))):
            best = outcome
    return best, starts


def _better(outcome: FitResult, best: FitResult | None) -> bool:
    finite = outcome.stop_reason is not StopReason.NOT_FINITE
    return finite and (best is None or outcome.objective > best.objective)


def _sound(best: FitResult | None, starts: Starts) -> FitResult:
    """Return the best fit; where there is none raise, where it has collapsed warn."""
    if best is None:
        raise NumericalError(
            "no start led to a fit",
            got=f"{starts.n_failed} failed, {starts.n_collapsed} collapsed",
            expected=f"at least one of {len(starts)}",
            hint=next((start.error for start in starts if start.error), "a prior keeps a component from collapsing"),
        )
    if starts.best < 0:
        _warn_collapsed(starts)
    return best


def _attempt(fit_once: Callable[[Any], FitResult], item: Any) -> FitResult | NumericalError:
    try:
        return fit_once(item)
    except NumericalError as error:
        return error


def _outcomes(
    fit_once: Callable[[Any], FitResult], items: Sequence[Any], executor: Executor | None
) -> Iterator[FitResult | NumericalError]:
    if executor is None:
        return (_attempt(fit_once, item) for item in items)
    futures = [executor.submit(_attempt, fit_once, item) for item in items]
    return (future.result() for future in futures)


def _summary(outcome: FitResult | NumericalError, collapsed: Callable[[Any], bool] | None) -> Start:
    if isinstance(outcome, FitResult):
        shrunk = collapsed is not None and collapsed(outcome.params)
        return Start(outcome.objective, outcome.n_iter, outcome.stop_reason, None, shrunk)
    return Start(float("nan"), 0, None, str(outcome))
