"""ECM and ECME: the M-step as a list of conditional maximisers, with E-steps between them if asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from seqem.em.point import EMMap, Point

Maximiser = Callable[[Any, Any], Any]


class Conditional:
    """Step of a fit that maximises over one part of the parameters after another.

    Each maximiser takes ``(stats, params)`` and returns params that do not lower Q with the other parts as they are, so that
    the objective never falls. For ECME a maximiser may climb the likelihood itself instead.

    Parameters
    ----------
    maximisers : sequence of callables
        In the order in which they are applied.
    between : bool
        Whether an E-step comes between them (the multi-cycle ECM).

    References
    ----------
    X.-L. Meng and D. Rubin (1993). Maximum likelihood estimation via the ECM algorithm: a general framework. Biometrika 80,
    267-278. C. Liu and D. Rubin (1994). The ECME algorithm. Biometrika 81, 633-648.

    Examples
    --------
    Mean and variance of normal numbers, one after the other:

    >>> import numpy as np
    >>> from seqem.em.protocol import EStep
    >>> class Normal:
    ...     def e_step(self, p, x):
    ...         return EStep((len(x), x.sum(), (x**2).sum()), float(-0.5 * (np.log(p[1]) + (x - p[0]) ** 2 / p[1]).sum()))
    ...     def log_prior(self, p):
    ...         return 0.0
    >>> mean = lambda s, p: (s[1] / s[0], p[1])
    >>> variance = lambda s, p: (p[0], (s[2] - 2 * p[0] * s[1]) / s[0] + p[0] ** 2)
    >>> em = EMMap(Normal(), [np.array([1.0, 3.0])])
    >>> [float(v) for v in Conditional([mean, variance])(em, em.evaluate((0.0, 1.0))).params]
    [2.0, 1.0]
    """

    def __init__(self, maximisers: Sequence[Maximiser], *, between: bool = False) -> None:
        self.maximisers = tuple(maximisers)
        self.between = between

    def __call__(self, em: EMMap, point: Point) -> Point:
        """Return the point after one round of all maximisers."""
        at = point
        params = point.params
        for number, maximise in enumerate(self.maximisers):
            if self.between and number:
                at = em.evaluate(params, "ecm")
            params = maximise(at.stats, params)
        return em.evaluate(params, "ecm")
