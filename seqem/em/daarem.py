"""DAAREM: damped Anderson acceleration with restarts, guarded by the objective."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq

from seqem.em.accelerate import evaluated
from seqem.em.point import EMMap, Point
from seqem.shapes import Array

_MOST_COLUMNS = 10
_BASE, _KAPPA = 1.2, 25


class DAAREM:
    """Step of a fit that extrapolates from the last few EM steps, at one evaluation of the EM map each.

    Works on ``pack(params)``. The combination of past steps that would leave the smallest residual is damped towards the EM
    step, less so as steps succeed, and forgotten after ``ceil(d / 2)`` steps, ten at most. A proposal below the point before is
    replaced by the plain EM step and the point says "em-fallback". Make one for each fit.

    Parameters
    ----------
    damped : bool
        Without damping it is Anderson's method, guarded (H. Walker and P. Ni 2011, SIAM Journal on Numerical Analysis 49,
        1715-1735).

    References
    ----------
    N. Henderson and R. Varadhan (2019). Damped Anderson acceleration with restarts and monotonicity control for accelerating
    EM and EM-like algorithms. Journal of Computational and Graphical Statistics 28(4), 834-846. Their monotonicity allows
    falls of 0.01; here none is.

    Examples
    --------
    >>> from seqem.em.protocol import EStep
    >>> class Slow:
    ...     def e_step(self, x, shard):
    ...         return EStep(x, -sum((x - y) ** 2 for y in shard))
    ...     def m_step(self, stats, x):
    ...         return 0.99 * stats + 0.01 * 2.0
    ...     def log_prior(self, x):
    ...         return 0.0
    ...     def pack(self, x):
    ...         return np.array([x])
    ...     def unpack(self, vector, like):
    ...         return float(vector[0])
    >>> em = EMMap(Slow(), [[1.0, 3.0]])
    >>> step, point = DAAREM(), em.evaluate(0.0)
    >>> for _ in range(40):
    ...     point = step(em, point)
    >>> point.params > 1.9
    True
    """

    def __init__(self, *, damped: bool = True) -> None:
        self.damped = damped
        self._last: Point | None = None
        self._successes = 0
        self._forget()

    def _forget(self) -> None:
        self._moves: list[Array] = []
        self._changes: list[Array] = []
        self._before: tuple[Array, Array] | None = None

    def __call__(self, em: EMMap, point: Point) -> Point:
        """Return the point after one step."""
        if point is not self._last:
            self._forget()
        if not self._moves:
            self._cycle_start = point.objective
        pack = em.model.pack
        at, following = pack(point.params), em.maximise(point)
        target = pack(following)
        if at.shape != target.shape or not np.isfinite(target - at).all():  # a parameter at the edge of its range
            self._forget()
            self._last = em.evaluate(following, "em")
            return self._last
        self._note(at, target - at)
        proposal = self._proposed(em, point, at, target) if self._moves else None
        self._last = (
            em.evaluate(following, "em" if not self._moves else "em-fallback") if proposal is None else proposal
        )
        self._successes += proposal is not None
        if len(self._moves) >= min(_MOST_COLUMNS, math.ceil(len(at) / 2)):
            self._restart(len(self._moves))
        return self._last

    def _note(self, at: Array, residual: Array) -> None:
        """Keep how the parameters and the residual of the EM map changed since the last point."""
        if self._before is not None and len(self._before[0]) == len(at):
            self._moves.append(at - self._before[0])
            self._changes.append(residual - self._before[1])
        self._before = at, residual

    def _restart(self, n_columns: int) -> None:
        before = self._before
        if self._last is not None and self._last.objective < self._cycle_start:
            self._successes = max(self._successes - n_columns, -2 * _KAPPA)
        self._forget()
        self._before = before

    def _proposed(self, em: EMMap, point: Point, at: Array, target: Array) -> Point | None:
        """Return the extrapolated point where it is not below the point before."""
        moves, changes = np.stack(self._moves, axis=1), np.stack(self._changes, axis=1)
        residual = target - at
        weights = _damped(changes, residual, self._successes) if self.damped else np.linalg.lstsq(changes, residual)[0]
        kind = "daarem" if self.damped else "anderson"
        found = evaluated(em, target - (moves + changes) @ weights, point, kind)
        return found if found is not None and point.objective <= found.objective < math.inf else None


def _damped(changes: Array, residual: Array, successes: int) -> Array:
    """Return ridge coefficients of the residual on its changes, as long as a share of the least-squares ones.

    The share of the squared length is ``1 / (1 + 1.2 ** (25 - successes))``.
    """
    left, sizes, right = np.linalg.svd(changes, full_matrices=False)
    known = sizes > sizes[0] * 1e-14 if sizes[0] > 0 else np.zeros(len(sizes), bool)
    if not known.any():
        return np.zeros(changes.shape[1])
    sizes, shares = sizes[known], (left.T @ residual)[known]
    whole = np.square(shares / sizes).sum()
    if whole == 0.0:
        return np.zeros(changes.shape[1])
    wanted = whole / (1.0 + _BASE ** (_KAPPA - successes))

    def surplus(log_ridge: float) -> float:
        return float(np.square(shares * sizes / (sizes**2 + math.exp(log_ridge))).sum() / wanted - 1.0)

    low, high = 2 * math.log(sizes[-1]) - 40.0, 2 * math.log(sizes[0]) + 60.0
    ridge = math.exp(brentq(surplus, low, high)) if surplus(low) > 0 > surplus(high) else 0.0
    return np.asarray(right[known].T @ (shares * sizes / (sizes**2 + ridge)))
