"""Direct maximisation for comparison and for the end game: ascent along the score, with line searches."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
from scipy.optimize import line_search

from seqem.em.accelerate import evaluated
from seqem.em.point import EMMap, Point
from seqem.em.score import score
from seqem.shapes import Array

_MEMORY = 10
_MOST_PRODUCTS = 20


class Ascent:
    """Step of a fit that climbs along a direction, as far as the strong Wolfe conditions ask.

    The score of the objective is read off the statistics of each E-step (Fisher's identity), so that a trial costs one
    evaluation. Where no step along the direction gains, a plain EM step is taken and the point says "em-fallback": the
    objective never falls. Make one for each fit.

    Parameters
    ----------
    direction : {"gradient", "ecg", "lbfgs", "newton-cg"}
        Steepest ascent; conjugate gradients (Polak & Ribiere; expectation-conjugate-gradient of Salakhutdinov, Roweis &
        Ghahramani 2003); limited-memory BFGS (Nocedal 1980); truncated Newton steps with differenced scores.

    Examples
    --------
    >>> from seqem.em.protocol import EStep
    >>> class Poisson:
    ...     def e_step(self, rate, x):
    ...         return EStep((len(x), sum(x)), float(sum(x) * np.log(rate) - len(x) * rate))
    ...     def m_step(self, stats, rate):
    ...         return stats[1] / stats[0]
    ...     def expected_log_likelihood(self, stats, rate, reference):
    ...         return float(stats[1] * np.log(rate) - stats[0] * rate)
    ...     def log_prior(self, rate):
    ...         return 0.0
    ...     def pack(self, rate):
    ...         return np.log([rate])
    ...     def unpack(self, vector, like):
    ...         return float(np.exp(vector[0]))
    >>> em, climb = EMMap(Poisson(), [[1.0, 3.0]]), Ascent("lbfgs")
    >>> point = em.evaluate(0.5)
    >>> for _ in range(8):
    ...     point = climb(em, point)
    >>> round(point.params, 6)
    2.0
    """

    def __init__(self, direction: str) -> None:
        self.kind = direction
        self._direction: Callable[[EMMap, Point, Array, Array], Array] = {
            "gradient": _steepest, "ecg": self._conjugate, "lbfgs": self._limited_memory, "newton-cg": _newton,
        }[direction]  # fmt: skip
        self._last: Point | None = None
        self._reset()

    def _reset(self) -> None:
        self._moves: list[tuple[Array, Array]] = []
        self._before: tuple[Array, Array] | None = None
        self._along: Array | None = None
        self._old_objective: float | None = None

    def __call__(self, em: EMMap, point: Point) -> Point:
        """Return the point after one step."""
        if point is not self._last:
            self._reset()
        at, slope = em.model.pack(point.params), score(em.model, point, em.model.pack(point.params))
        if not np.isfinite(at).all() or not np.isfinite(slope).all() or not slope.any():
            self._last = em.step(point, "em-fallback")
            return self._last
        self._note(at, slope)
        along = self._direction(em, point, at, slope)
        if not along @ slope > 0:
            self._reset()
            along = slope
        found = self._searched(em, point, at, slope, along)
        self._along, self._old_objective = along, point.objective
        self._last = em.step(point, "em-fallback") if found is None else found
        return self._last

    def _note(self, at: Array, slope: Array) -> None:
        """Keep how parameters and score changed since the last point."""
        if self._before is not None and len(self._before[0]) == len(at):
            move, change = at - self._before[0], self._before[1] - slope
            if move @ change > 1e-12 * np.linalg.norm(move) * np.linalg.norm(change):
                self._moves = [*self._moves, (move, change)][-_MEMORY:]
        self._previous_slope = None if self._before is None else self._before[1]
        self._before = at, slope

    def _searched(self, em: EMMap, point: Point, at: Array, slope: Array, along: Array) -> Point | None:
        """Return a point along a direction that meets the Wolfe conditions, None where there is none."""
        seen: dict[bytes, Point | None] = {}

        def trial(vector: Array) -> Point | None:
            key = vector.tobytes()
            if key not in seen:
                seen[key] = evaluated(em, vector, point, self.kind)
            return seen[key]

        def loss(vector: Array) -> float:
            found = trial(vector)
            return math.inf if found is None or math.isnan(found.objective) else -found.objective

        def descent(vector: Array) -> Array:
            found = trial(vector)
            return np.zeros_like(vector) if found is None else -score(em.model, found, vector)

        old = -point.objective
        older = old + np.linalg.norm(slope) / 2 if self._old_objective is None else -self._old_objective
        tightness = 0.1 if self.kind == "ecg" else 0.9
        with warnings.catch_warnings():
            # Near the top rounding stops the search; the EM step takes over.
            warnings.filterwarnings("ignore", ".*line search", RuntimeWarning)
            length = line_search(loss, descent, at, along, -slope, old, older, c2=tightness, maxiter=20)[0]
        candidates = [p for p in seen.values() if p is not None and math.isfinite(p.objective)]
        found = trial(at + length * along) if length is not None else max(candidates, key=_objective, default=None)
        return found if found is not None and found.objective > point.objective else None

    def _conjugate(self, em: EMMap, point: Point, at: Array, slope: Array) -> Array:
        """Return the direction of Polak and Ribiere."""
        if self._along is None or self._previous_slope is None or len(self._along) != len(slope):
            return slope
        before = self._previous_slope
        share = max(0.0, float(slope @ (slope - before)) / float(before @ before))
        return slope + share * self._along

    def _limited_memory(self, em: EMMap, point: Point, at: Array, slope: Array) -> Array:
        """Return the BFGS direction by the two loops of Nocedal (1980)."""
        direction, shares = slope.copy(), []
        for move, change in reversed(self._moves):
            shares.append(float(move @ direction) / float(move @ change))
            direction -= shares[-1] * change
        if self._moves:
            move, change = self._moves[-1]
            direction *= float(move @ change) / float(change @ change)
        for (move, change), share in zip(self._moves, reversed(shares), strict=True):
            direction += (share - float(change @ direction) / float(move @ change)) * move
        return direction


def _objective(point: Point) -> float:
    return point.objective


def _steepest(em: EMMap, point: Point, at: Array, slope: Array) -> Array:
    return slope


def _newton(em: EMMap, point: Point, at: Array, slope: Array) -> Array:
    """Return a truncated Newton direction: conjugate gradients on curvatures from differenced scores."""
    direction, rest = np.zeros_like(slope), slope.copy()
    along, size = rest.copy(), float(rest @ rest)
    enough = min(0.5, math.sqrt(math.sqrt(size))) ** 2 * size
    for _ in range(min(_MOST_PRODUCTS, len(slope))):
        bend = _curvature(em, point, at, slope, along)
        if bend is None or not along @ bend > 0:
            break
        length = size / float(along @ bend)
        direction, rest = direction + length * along, rest - length * bend
        new = float(rest @ rest)
        if new <= enough:
            break
        along, size = rest + new / size * along, new
    return direction if direction.any() else slope


def _curvature(em: EMMap, point: Point, at: Array, slope: Array, along: Array) -> Array | None:
    """Return the negative Hessian times a vector."""
    step = 1e-5 * max(1.0, float(np.linalg.norm(at))) / float(np.linalg.norm(along))
    found = evaluated(em, at + step * along, point, "newton-cg")
    return None if found is None else (slope - score(em.model, found, at + step * along)) / step
