"""Quasi-Newton acceleration of EM by secants of its map, guarded by the objective."""

from __future__ import annotations

import math

import numpy as np

from seqem.em.accelerate import evaluated
from seqem.em.point import EMMap, Point
from seqem.shapes import Array

_MOST_SECANTS = 5


class QuasiNewton:
    """Step of a fit that solves for the fixed point of the EM map with what the last few steps tell of its Jacobian.

    Works on ``pack(params)``: with secants ``u = F(x) - x`` and ``v = F(F(x)) - F(x)`` of the last steps as columns of U and V,
    the step is ``F(x) - V inv(U'U - U'V) U' (x - F(x))``. Two evaluations of the map and one of the proposal; a proposal
    below the first EM step is replaced by the second and the point says "em-fallback". Make one for each fit.

    References
    ----------
    H. Zhou, D. Alexander and K. Lange (2011). A quasi-Newton acceleration for high-dimensional optimization algorithms.
    Statistics and Computing 21, 261-273, equation 4.

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
    >>> step = QuasiNewton()(em, em.evaluate(0.0))
    >>> f"{step.params:.6f} {step.kind} {em.n_evaluations - 1}"
    '2.000000 quasi-newton 2'
    """

    def __init__(self) -> None:
        self._secants: list[tuple[Array, Array]] = []

    def __call__(self, em: EMMap, point: Point) -> Point:
        """Return the point after one step."""
        pack = em.model.pack
        first = em.step(point)
        if not math.isfinite(first.objective):
            return first
        following = em.maximise(first)
        at, one, two = pack(point.params), pack(first.params), pack(following)
        if not at.shape == one.shape == two.shape or not np.isfinite([at, one, two]).all():
            self._secants = []
            return em.evaluate(following, "em")
        self._secants = [*self._secants, (one - at, two - one)][-min(_MOST_SECANTS, len(at)) :]
        if len(self._secants[0][0]) != len(at):  # a parameter has reached the edge of its range since
            self._secants = self._secants[-1:]
        proposal = evaluated(em, one + self._correction(one - at), first, "quasi-newton")
        if proposal is None or not first.objective <= proposal.objective < math.inf:
            return em.evaluate(following, "em-fallback")
        return proposal

    def _correction(self, step: Array) -> Array:
        """Return what is added to the EM step; NaN where the secants tell nothing."""
        u, v = (np.stack(parts, axis=1) for parts in zip(*self._secants, strict=True))
        try:
            return np.asarray(v @ np.linalg.solve(u.T @ u - u.T @ v, u.T @ step))
        except np.linalg.LinAlgError:
            return np.full_like(step, np.nan)
