"""SQUAREM of higher order: squared reduced-rank extrapolation from several EM steps."""

from __future__ import annotations

import math

import numpy as np

from seqem.em.accelerate import evaluated
from seqem.em.point import EMMap, Point
from seqem.shapes import Array

# A difference of objectives below this share of them is rounding.
_ROUNDING = 1e-14


class Squared:
    """Step of a fit that extrapolates, twice over, from ``2 order`` EM steps.

    The combination of the first iterates whose EM step would be shortest is applied to itself, in ``pack(params)``, and one more
    EM step settles it: ``2 order + 1`` evaluations of the map. It is kept only if its objective is finite and not below that
    of the last EM step but one; otherwise an extrapolation of the last three iterates is tried, and then the last EM step is
    taken and the point says "em-fallback".

    Parameters
    ----------
    order : int
        K of the reference; 1 is :func:`seqem.em.accelerate.squarem`, up to the choice of its step length.

    References
    ----------
    C. Roland, R. Varadhan and C. Frangakis (2007). Squared polynomial extrapolation methods with cycling. Numerical Algorithms
    44, 159-172.

    Examples
    --------
    >>> from seqem.em.protocol import EStep
    >>> class Slow:
    ...     def e_step(self, x, shard):
    ...         return EStep(x, -float(((x - shard) ** 2).sum()))
    ...     def m_step(self, stats, x):
    ...         return 0.99 * stats + np.array([0.01, 0.02])
    ...     def log_prior(self, x):
    ...         return 0.0
    ...     def pack(self, x):
    ...         return x
    ...     def unpack(self, vector, like):
    ...         return vector
    >>> em = EMMap(Slow(), [np.array([1.0, 2.0])])
    >>> point = Squared(2)(em, em.evaluate(np.zeros(2)))
    >>> point.params.round(6).tolist(), point.kind, em.n_evaluations - 1
    ([1.0, 2.0], 'squarem3', 5)
    """

    def __init__(self, order: int = 3) -> None:
        self.order = order

    def __call__(self, em: EMMap, point: Point) -> Point:
        """Return the point after one step."""
        points, last = [point], point.params
        for _ in range(2 * self.order):
            last = em.maximise(points[-1])
            if len(points) == 2 * self.order:
                break
            points.append(em.evaluate(last, "em"))
            if not math.isfinite(points[-1].objective):
                return points[-1]
        iterates = [em.model.pack(params) for params in [*(p.params for p in points), last]]
        if len({len(vector) for vector in iterates}) > 1 or not np.isfinite(iterates).all():
            return em.evaluate(last, "em")  # a parameter is at the edge of its range
        least = points[-1].objective - _ROUNDING * abs(points[-1].objective)
        for order in {self.order: None, 1: None}:  # what is too bold may do with less
            vector = _extrapolated(np.array(iterates[-2 * order - 1 :]))
            ahead = None if vector is None else evaluated(em, vector, points[-1], "start")
            if ahead is not None and least <= ahead.objective < math.inf:
                return em.step(ahead, "squarem3")
        return em.evaluate(last, "em-fallback")


def _extrapolated(iterates: Array) -> Array | None:
    """Return the squared extrapolation of ``2 K + 1`` iterates of the EM map, None where they do not move."""
    shares = _shortest(np.diff(iterates, axis=0)[: len(iterates) // 2 + 1])
    return None if shares is None else np.convolve(shares, shares) @ iterates


def _shortest(steps: Array) -> Array | None:
    """Return the shares, which sum to one, of the combination of steps (K + 1, d) that is shortest; None without any."""
    bends = np.diff(steps, axis=0)
    if not bends.any():
        return None
    weights = np.linalg.lstsq(bends.T, -steps[0])[0]
    shares = np.zeros(len(steps))
    shares[0] = 1.0
    shares[:-1] -= weights
    shares[1:] += weights
    return shares
