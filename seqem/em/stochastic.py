"""Stochastic gradient ascent: a small step along the score of each shard."""

from __future__ import annotations

import numpy as np

from seqem.em.mapreduce import data_of
from seqem.em.point import EMMap, Point
from seqem.em.score import score
from seqem.shapes import Array

_LENGTH = 0.1


class StochasticAscent:
    """Step of a fit that goes once through the shards, with a step along the score after each.

    Steps are taken in ``pack(params)``, each coordinate over the root of the sum of its squared scores so far (AdaGrad). The
    parameters that a pass gives are the mean of those in its second half. Where that is below the point before, steps are
    halved from there on, a plain EM step is taken and the point says "em-fallback". Make one for each fit.

    Parameters
    ----------
    rng : numpy.random.Generator, optional
        Shuffles the shards in each pass; without it they come in their order.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer (2011). Adaptive subgradient methods. Journal of Machine Learning Research 12, 2121-2159.
    The score is read off the statistics (Fisher's identity).

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
    >>> em, climb = EMMap(Poisson(), [[1.0, 3.0], [2.0, 2.0]]), StochasticAscent()
    >>> point = em.evaluate(1.9)
    >>> for _ in range(8):
    ...     point = climb(em, point)
    >>> abs(point.params - 2.0) < 0.01
    True
    """

    def __init__(self, rng: np.random.Generator | None = None) -> None:
        self.rng = rng
        self._length = _LENGTH
        self._squares: Array | None = None

    def __call__(self, em: EMMap, point: Point) -> Point:
        """Return the point after one pass, or after a plain EM step where the pass did not gain."""
        vector = self._pass(em, point)
        if np.isfinite(vector).all():
            found = em.evaluate(em.model.unpack(vector, point.params), "stochastic-gradient")
            if found.objective >= point.objective:
                return found
        self._length *= 0.5
        return em.step(point, "em-fallback")

    def _pass(self, em: EMMap, point: Point) -> Array:
        """Return the mean of the packed parameters after each shard of the second half."""
        n = len(em.shards)
        order = np.arange(n) if self.rng is None else self.rng.permutation(n)
        at = em.model.pack(point.params)
        if self._squares is None or len(self._squares) != len(at):
            self._squares = np.zeros(len(at))
        seen = []
        for s in order.tolist():
            params = em.model.unpack(at, point.params)
            step = em.model.e_step(params, data_of(em.shards[s]))
            # The prior counts once, with the first shard.
            here = Point(params, step.stats, step.log_likelihood, 0.0)
            slope = score(em.model, here, at, include_prior=s == 0)
            self._squares = self._squares + np.square(slope)
            at = at + self._length * slope / np.sqrt(np.maximum(self._squares, np.finfo(float).tiny))
            seen.append(at)
        em.n_evaluations += 1
        return np.mean(seen[n // 2 :], axis=0)
