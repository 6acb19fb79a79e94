"""StopRule: when a fit ends, and the reason it gives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from seqem.core.tree import tree_leaves
from seqem.em.point import Point
from seqem.errors import ParameterError


class StopReason(StrEnum):
    """Why a fit ended; only ``converged`` means that a tolerance was met."""

    CONVERGED = "converged"
    MAX_ITER = "max_iter"
    OBJECTIVE_FELL = "objective_fell"
    CALLBACK = "callback"
    NOT_FINITE = "not_finite"


class Verdict(NamedTuple):
    """A reason to stop and its figures in words."""

    reason: StopReason
    detail: str


@dataclass(frozen=True)
class StopRule:
    """Decide from consecutive points whether a fit is over.

    A fit converges as soon as one of the given tolerances is met; without any it runs to ``max_iter``.

    Parameters
    ----------
    max_iter : int
        Most evaluations of the EM map, counted as :attr:`FitResult.n_iter` is. An accelerated step
        takes several and is not cut in two, so it may end a little past the limit.
    abs_tol : float, optional
        Converged when the objective changes by no more than this.
    rel_tol : float, optional
        Converged when the objective changes by no more than this share of its absolute value.
    rest_tol : float, optional
        Converged when neither of the last two gains of the objective nor the gain still to come is more than this share of
        its absolute value. What is to come is estimated from those two as the rest of a geometric series (Aitken's
        acceleration; Boehning et al. 1994), so that slow convergence is not taken for the end.
    param_tol : float, optional
        Converged when the Euclidean norm of the change of all parameters is no more than this.
    fall_tol : float
        A fall of the objective by more than this times ``max(1, abs(objective))`` is not rounding,
        and ends the fit.

    Examples
    --------
    >>> before, after = Point(0.0, None, -10.0, 0.0), Point(0.1, None, -9.9999, 0.0)
    >>> StopRule(abs_tol=1e-3).judge(before, after)
    Verdict(reason=<StopReason.CONVERGED: 'converged'>, detail='objective gain 1.00e-04 within abs_tol 1.00e-03')
    """

    max_iter: int = 100
    abs_tol: float | None = None
    rel_tol: float | None = None
    rest_tol: float | None = None
    param_tol: float | None = None
    fall_tol: float = 1e-9

    def __post_init__(self) -> None:
        for name in ("max_iter", "abs_tol", "rel_tol", "rest_tol", "param_tol", "fall_tol"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ParameterError(f"{name} is off", got=value, expected="a number not below 0")

    def judge(self, before: Point, after: Point, earlier: float = -math.inf) -> Verdict | None:
        """Return why the fit is over after the step from ``before`` to ``after``, or None; ``earlier`` is the objective before."""
        fault = self._fault(before.objective, after.objective)
        return fault or self._convergence(before, after) or self._nothing_to_come(before, after, earlier)

    def _fault(self, before: float, after: float) -> Verdict | None:
        if not math.isfinite(after):
            return Verdict(StopReason.NOT_FINITE, f"objective went from {before:.10g} to {after}")
        fall = before - after
        slack = self.fall_tol * max(1.0, abs(before))
        if fall > slack:
            text = f"objective fell by {fall:.2e} from {before:.10g} to {after:.10g}; rounding explains {slack:.2e}"
            return Verdict(StopReason.OBJECTIVE_FELL, text)
        return None

    def _convergence(self, before: Point, after: Point) -> Verdict | None:
        gain = after.objective - before.objective
        if self.abs_tol is not None and abs(gain) <= self.abs_tol:
            return _converged(f"objective gain {gain:.2e} within abs_tol {self.abs_tol:.2e}")
        if self.rel_tol is not None and abs(gain) <= self.rel_tol * abs(after.objective):
            return _converged(
                f"objective gain {gain:.2e} within rel_tol {self.rel_tol:.2e} of {abs(after.objective):.6g}"
            )
        if self.param_tol is not None:
            change = _distance(before.params, after.params)
            if change <= self.param_tol:
                return _converged(f"parameter change {change:.2e} within param_tol {self.param_tol:.2e}")
        return None

    def _nothing_to_come(self, before: Point, after: Point, earlier: float) -> Verdict | None:
        if self.rest_tol is None:
            return None
        gain, size = after.objective - before.objective, abs(after.objective)
        rest = _rest(before.objective - earlier, gain, _ROUNDING * size)
        if rest > self.rest_tol * size:
            return None
        return _converged(f"gain to come {rest:.2e} within rest_tol {self.rest_tol:.2e} of {size:.6g}")


# A gain below this share of the objective is rounding.
_ROUNDING = 1e-14


def _rest(former: float, gain: float, rounding: float) -> float:
    """Return what gains that fall from ``former`` to ``gain`` add up to if they go on so, but not less than ``former``.

    Accelerated steps gain now more, now less: one small gain tells nothing. Infinite where gains do not fall.
    """
    if gain <= rounding:
        return 0.0
    if gain >= former:
        return math.inf
    return max(former, gain * gain / (former - gain))


def _converged(detail: str) -> Verdict:
    return Verdict(StopReason.CONVERGED, detail)


def _distance(a: Any, b: Any) -> float:
    """Return the Euclidean distance of two trees; entries that are equal, infinite ones too, count 0."""
    total = 0.0
    for (_, left), (_, right) in zip(tree_leaves(a), tree_leaves(b), strict=True):
        x, y = np.asarray(left, dtype=float), np.asarray(right, dtype=float)
        differ = x != y
        total += float(np.square(x[differ] - y[differ]).sum())
    return math.sqrt(total)
