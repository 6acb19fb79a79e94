"""Incremental EM: the M-step follows each shard, whose old statistics are replaced by new ones."""

from __future__ import annotations

from typing import Any

from seqem.core.tree import tree_add, tree_scale
from seqem.em.bound import free_energy
from seqem.em.mapreduce import data_of
from seqem.em.point import EMMap, Point
from seqem.em.protocol import EStep, recentred


class Incremental:
    """Step of a fit that goes once through the shards: an E-step of one, then an M-step with the statistics of all.

    What climbs is the free energy F(q, params) of Neal and Hinton, with the posteriors q of each shard taken where the
    parameters then were; ``log_likelihood`` of the points is F, which never falls and at the end is the log-likelihood. Keeps
    the statistics of every shard. Make one for each fit. A pass that
    lowers F is replaced by a plain EM step and the point says "em-fallback".

    References
    ----------
    R. Neal and G. Hinton (1998). A view of the EM algorithm that justifies incremental, sparse, and other variants. Learning
    in Graphical Models, 355-368.

    Examples
    --------
    >>> from seqem.em.protocol import EStep
    >>> class Mean:
    ...     def e_step(self, mean, shard):
    ...         return EStep((len(shard), sum(shard)), -0.5 * sum((x - mean) ** 2 for x in shard))
    ...     def m_step(self, stats, mean):
    ...         return stats[1] / stats[0]
    ...     def log_prior(self, mean):
    ...         return 0.0
    ...     def expected_log_likelihood(self, stats, mean, reference):
    ...         return mean * stats[1] - 0.5 * stats[0] * mean**2
    >>> em = EMMap(Mean(), [[1.0, 3.0], [5.0]])
    >>> Incremental()(em, em.evaluate(0.0)).params
    np.float64(3.0)
    """

    def __init__(self) -> None:
        self._last: Point | None = None
        self._steps: list[EStep] = []
        self._places: list[Any] = []

    def __call__(self, em: EMMap, point: Point) -> Point:
        """Return the point after one pass; the first one also takes the statistics of each shard at the start."""
        if point is not self._last:
            self._begin(em, point)
        model, params, stats = em.model, point.params, point.stats
        for s, shard in enumerate(em.shards):
            old = recentred(model, self._steps[s].stats, self._places[s], params)
            new = model.e_step(params, data_of(shard))
            self._steps[s], self._places[s] = new, params
            stats = tree_add(stats, tree_add(new.stats, tree_scale(old, -1.0)))
            before, params = params, model.m_step(stats, params)
            stats = recentred(model, stats, before, params)
        em.n_evaluations += 1
        self._last = Point(params, stats, self._free_energy(em, params), float(model.log_prior(params)), "incremental")
        if self._last.objective < point.objective:
            # Bounds of shards that are not followed by their own posteriors may be loose, where an M-step only nearly maximises.
            return em.step(em.evaluate(point.params), "em-fallback")
        return self._last

    def _begin(self, em: EMMap, point: Point) -> None:
        self._steps = [em.model.e_step(point.params, data_of(shard)) for shard in em.shards]
        em.n_evaluations += 1
        self._places = [point.params] * len(self._steps)

    def _free_energy(self, em: EMMap, params: Any) -> float:
        parts = zip(self._steps, self._places, strict=True)
        return sum(free_energy(em.model, step, place, params) for step, place in parts)
