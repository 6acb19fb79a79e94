"""Callbacks: what watches a fit. A progress bar and log lines; checkpoints have their own file."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from seqem.em.history import History, Record
from seqem.em.point import Point
from seqem.em.protocol import EMModel
from seqem.em.stop import StopRule

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from seqem.em.driver import FitResult


@dataclass(frozen=True)
class Event:
    """What a callback is told.

    Attributes
    ----------
    stage : {"start", "step", "end"}
        The end is told once whatever happens, an exception or Ctrl-C included.
    point : Point
        Where the fit stands; after a step that was undone, the point it was set back to.
    history : History
        All records so far. Read only.
    model : EMModel
        The model being fitted.
    stop : StopRule
        The rule in force.
    result : FitResult or None
        At the end, unless the fit was broken off by an exception.
    """

    stage: Literal["start", "step", "end"]
    point: Point
    history: History
    model: EMModel
    stop: StopRule
    result: FitResult | None = None

    @property
    def record(self) -> Record:
        """The latest record."""
        return self.history[-1]

    @property
    def iteration(self) -> int:
        """Evaluations of the EM map so far."""
        return self.record.iteration

    @property
    def gain(self) -> float:
        """Objective of the latest record minus that of the one before; NaN at the start."""
        if len(self.history) < 2:
            return float("nan")
        return self.record.objective - self.history[-2].objective


class Callback(Protocol):
    """Any callable of one event; a true answer at the start or after a step ends the fit there."""

    def __call__(self, event: Event) -> bool | None:
        """Take notice of ``event``; return True to stop the fit."""
        ...


@dataclass
class LogProgress:
    """Write a line to the logger ``seqem`` at the start, every few steps and at the end.

    Parameters
    ----------
    every : int
        Steps from one line to the next.
    level : int
        Level of the lines.

    Examples
    --------
    >>> LogProgress(every=10)
    LogProgress(every=10, level=20)
    """

    every: int = 1
    level: int = logging.INFO

    def __call__(self, event: Event) -> None:
        """Log the event."""
        logger = logging.getLogger("seqem")
        if event.result is not None:
            result = event.result
            logger.log(self.level, "%s after %d iterations: %s", result.stop_reason, result.n_iter, result.stop_detail)
        elif event.stage != "end" and (len(event.history) - 1) % self.every == 0:
            record = event.record
            logger.log(
                self.level,
                "iteration %d (%s): objective %.10g, gain %.3g",
                record.iteration,
                record.kind,
                record.objective,
                event.gain,
            )


@dataclass
class Trace:
    """Keep the parameters at the start and after every step, beside what ``history`` keeps.

    Attributes
    ----------
    params : list of trees of arrays
        One entry for each record of the history.

    Examples
    --------
    >>> from seqem.models.normal import MultivariateNormal
    >>> trace = Trace()
    >>> model = MultivariateNormal(method="em").fit([[0.0, 1.0], [2.0, 2.0], [1.0, 9.0]], callbacks=[trace])
    >>> len(trace.params) == len(model.history_)
    True
    """

    params: list[Any] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Keep the parameters of the event."""
        if event.stage != "end":
            self.params.append(event.point.params)


class ProgressBar:
    """Show iteration, objective and gain in the terminal while a fit runs; nothing stays behind.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to draw, standard error by default. Nothing is drawn where it is not a terminal;
        ``Console(force_terminal=True)`` draws anyway.

    Examples
    --------
    >>> from rich.console import Console
    >>> bar = ProgressBar(Console(force_terminal=True))
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console
        self._progress: Progress | None = None

    def __call__(self, event: Event) -> None:
        """Draw the event."""
        if event.stage == "start":
            self._progress = self._started(event)
        if self._progress is None:
            return
        self._progress.update(
            self._progress.task_ids[0],
            completed=event.iteration,
            objective=event.point.objective,
            gain="" if event.iteration == 0 else f"gain {event.gain:.2e}",
        )
        if event.stage == "end":
            self._progress.refresh()
            self._progress.stop()
            self._progress = None

    def _started(self, event: Event) -> Progress | None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

        console = self.console or Console(stderr=True)
        if not console.is_terminal:
            return None
        figures: Any = "objective {task.fields[objective]:.8g}  {task.fields[gain]}"
        columns = ("EM", BarColumn(), MofNCompleteColumn(), figures, TimeElapsedColumn())
        progress = Progress(*columns, console=console, transient=True)
        progress.add_task("EM", total=event.stop.max_iter, objective=event.point.objective, gain="")
        progress.start()
        return progress
