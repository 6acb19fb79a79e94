"""SQUAREM: several EM steps' worth of progress from one extrapolation, never at the price of a fall."""

from __future__ import annotations

import math

import numpy as np

from seqem.core.tree import tree_vector
from seqem.em.point import EMMap, Point
from seqem.shapes import Array


def squarem(em: EMMap, point: Point) -> Point:
    """Return the point after one squared extrapolation, three evaluations of the EM map on.

    Two EM steps give the direction and the step length (scheme S1 of Varadhan and Roland), one more
    settles the extrapolated point. The length is the shorter of two that go beyond the second step, one measured in
    the parameters themselves and one in ``pack(params)``: a probability on its way to zero never slows down in the
    logarithm and would hide that all others have, while a large parameter drowns small ones in the former. The
    extrapolation is made on ``pack(params)`` and kept only if its objective is finite and not below that
    of the plain EM step from ``point``; otherwise the second EM step is taken, and the point says
    "em-fallback". Nothing is kept from one call to the next.

    Parameters
    ----------
    em : EMMap
        A model, which must pack and unpack its parameters, bound to its data.
    point : Point
        Where to go on from.

    Returns
    -------
    Point
        Its ``kind`` is "squarem", "em-fallback", or "em" where there was nothing to extrapolate.

    References
    ----------
    R. Varadhan and C. Roland (2008). Simple and globally convergent methods for accelerating the
    convergence of any EM algorithm. Scandinavian Journal of Statistics 35(2), 335-353.

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
    >>> step = squarem(em, em.evaluate(0.0))
    >>> f"{step.params:.6f} {step.kind} {em.n_evaluations - 1}"
    '2.000000 squarem 3'
    """
    first = em.step(point)
    if not math.isfinite(first.objective):
        return first
    second = em.maximise(first)
    pack = em.model.pack
    packed = pack(point.params), pack(first.params), pack(second)
    natural = tree_vector(point.params), tree_vector(first.params), tree_vector(second)
    length = min((n for n in (_length(*natural), _length(*packed)) if n > 1.0), default=0.0)
    vector = _extrapolated(*packed, length)
    if vector is None:
        return em.evaluate(second, "em")
    ahead = evaluated(em, vector, first, "start")
    if ahead is None or not first.objective <= ahead.objective < math.inf:
        return em.evaluate(second, "em-fallback")
    return em.step(ahead, "squarem")


def _length(start: Array, first: Array, second: Array) -> float:
    """Return the step length S1 of three points on the way, 0 where it cannot be told."""
    if not start.shape == first.shape == second.shape:
        return 0.0
    known = np.isfinite(start) & np.isfinite(first) & np.isfinite(second)
    step = first[known] - start[known]
    bend = second[known] - first[known] - step
    bending = float(bend @ bend)
    return 0.0 if bending == 0.0 else -float(step @ bend) / bending


def _extrapolated(start: Array, first: Array, second: Array, length: float) -> Array | None:
    """Return the squared extrapolation, or None where it would not go beyond ``second``.

    Coordinates that are not finite, such as the logarithm of a probability of zero, are taken from
    ``second``. Where a parameter has just reached the edge of its range, there are fewer coordinates than before.
    """
    if length <= 1.0 or not start.shape == first.shape == second.shape:
        return None
    free = np.isfinite(start) & np.isfinite(first) & np.isfinite(second)
    step = first[free] - start[free]
    vector = second.copy()
    vector[free] = start[free] + 2 * length * step + length**2 * (second[free] - first[free] - step)
    return vector


def evaluated(em: EMMap, vector: Array, like: Point, kind: str) -> Point | None:
    """Return the point at a packed vector, or None where the model has none there."""
    if np.isnan(vector).any():
        return None
    try:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return em.evaluate(em.model.unpack(vector, like.params), kind)
    except (ArithmeticError, ValueError):
        return None
