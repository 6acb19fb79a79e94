"""ConvergenceMonitor: the view of a fit that scripts written for hmmlearn read."""

from __future__ import annotations

from collections import deque
from typing import Any

from seqem.em.callbacks import Event
from seqem.em.history import History


class ConvergenceMonitor:
    """Keep the log-likelihoods of a fit; a subclass may decide when to stop.

    The default leaves the decision to the stop rule of the fit, so ``converged`` is true only where a tolerance was
    met. A subclass that overrides ``converged`` is asked after every step.

    Parameters
    ----------
    tol : float
        Absolute gain below which a fit has converged.
    n_iter : int
        Most EM steps.
    verbose : bool
        Whether progress is shown.

    Attributes
    ----------
    history : deque of float
        Log-likelihood at the start and after each EM step.
    iter : int
        Number of EM steps.

    Examples
    --------
    >>> monitor = ConvergenceMonitor(1e-2, 10, False)
    >>> monitor.report(-10.0); monitor.report(-9.0)
    >>> list(monitor.history), monitor.iter
    ([-10.0, -9.0], 1)
    """

    def __init__(self, tol: float, n_iter: int, verbose: bool) -> None:
        self.tol = tol
        self.n_iter = n_iter
        self.verbose = verbose
        self.history: deque[float] = deque()
        self.iter = 0
        self._converged = False

    def report(self, log_prob: float) -> None:
        """Take the log-likelihood of one more point."""
        self.history.append(log_prob)
        self.iter = len(self.history) - 1

    @property
    def converged(self) -> bool:
        """Whether the fit converged."""
        return self._converged

    def follow(self, event: Event) -> bool | None:
        """Take the newest point of a fit; return whether an overriding ``converged`` wants to stop."""
        if event.stage == "start":
            self.history.clear()
            self.iter = 0
        if event.stage == "end":
            return None
        self.report(event.record.log_likelihood)
        own = type(self).converged is not ConvergenceMonitor.converged
        return own and event.stage == "step" and bool(self.converged)

    def finish(self, converged: bool) -> None:
        """Take the verdict of the stop rule."""
        self._converged = converged

    def recall(self, history: History, converged: bool) -> None:
        """Take a fit of the past, read from a file."""
        self.history.clear()
        for record in history:
            self.report(record.log_likelihood)
        self.finish(converged)

    def __repr__(self) -> str:
        known: dict[str, Any] = {
            "history": list(self.history),
            "iter": self.iter,
            "n_iter": self.n_iter,
            "tol": self.tol,
        }
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in known.items())})"
