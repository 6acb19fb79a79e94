"""Over-relaxed EM: longer steps in the direction of EM, a first-order relative of Matsuyama's alpha-EM."""

from __future__ import annotations

import math

import numpy as np

from seqem.em.accelerate import evaluated
from seqem.em.point import EMMap, Point

_GROWTH = 1.1


class OverRelaxed:
    """Step of a fit that goes beyond the EM step as long as that gains, in ``pack(params)``.

    The factor on the EM step grows by a tenth with each success; where the longer step is below the plain one's start, the
    plain EM step is taken, the point says "em-fallback" and the factor begins again at 1. The best constant factor is about
    ``1 / (1 - rate / 2)`` for EM's rate of convergence. Make one for each fit.

    References
    ----------
    Y. Matsuyama (2003). The alpha-EM algorithm: surrogate likelihood maximization using alpha-logarithmic information
    measures. IEEE Transactions on Information Theory 49(3), 692-706. R. Salakhutdinov and S. Roweis (2003). Adaptive
    overrelaxed bound optimization methods. ICML.

    Examples
    --------
    >>> from seqem.em.protocol import EStep
    >>> class Slow:
    ...     def e_step(self, x, shard):
    ...         return EStep(x, -((x - 2.0) ** 2))
    ...     def m_step(self, stats, x):
    ...         return 0.9 * stats + 0.1 * 2.0
    ...     def log_prior(self, x):
    ...         return 0.0
    ...     def pack(self, x):
    ...         return np.array([x])
    ...     def unpack(self, vector, like):
    ...         return float(vector[0])
    >>> em = EMMap(Slow(), [None])
    >>> step, point = OverRelaxed(), em.evaluate(0.0)
    >>> for _ in range(15):
    ...     point = step(em, point)
    >>> point.params > 1.95
    True
    """

    def __init__(self) -> None:
        self._factor = 1.0

    def __call__(self, em: EMMap, point: Point) -> Point:
        """Return the point after one step."""
        following = em.maximise(point)
        at, target = em.model.pack(point.params), em.model.pack(following)
        self._factor *= _GROWTH
        if at.shape == target.shape and np.isfinite(target - at).all():
            found = evaluated(em, at + self._factor * (target - at), point, "alpha")
            if found is not None and point.objective <= found.objective < math.inf:
                return found
        self._factor = 1.0
        return em.evaluate(following, "em-fallback")
