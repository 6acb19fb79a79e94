"""Online EM: parameters move after each shard, so that large data are learnt from in few passes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seqem.core.tree import tree_add, tree_scale
from seqem.em.mapreduce import data_of
from seqem.em.point import EMMap, Point
from seqem.em.protocol import EMModel, recentred
from seqem.shapes import Array


class Online:
    """Step of a fit that goes once through the shards and takes an M-step after each.

    Statistics forget: ``stats = (1 - rho) stats + rho (total / size) stats of the shard`` with ``rho = (1 + n) ** -power`` at the
    n-th shard of the fit, so that they always weigh as much as all data. The parameters that the pass gives are the mean, in
    ``pack(params)``, of those after each shard of its second half. Where that is below the point before, a plain EM step is
    taken and the point says "em-fallback": the objective never falls. Make one for each fit.

    Parameters
    ----------
    power : float
        Above 0.5 and up to 1; smaller ones forget faster.
    rng : numpy.random.Generator, optional
        Shuffles the shards in each pass; without it they come in their order.

    References
    ----------
    O. Cappe and E. Moulines (2009). Online expectation-maximization algorithm for latent data models. Journal of the Royal
    Statistical Society B 71(3), 593-613. M. Sato and S. Ishii (2000). Neural Computation 12(2), 407-432.

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
    ...     def pack(self, mean):
    ...         return np.array([mean])
    ...     def unpack(self, vector, like):
    ...         return float(vector[0])
    >>> em = EMMap(Mean(), [[1.0, 3.0], [1.0, 3.0]])
    >>> Online()(em, em.evaluate(0.0)).params
    2.0
    """

    def __init__(self, power: float = 0.6, rng: np.random.Generator | None = None) -> None:
        self.power = power
        self.rng = rng
        self._sizes: Array | None = None
        self._n_shards = 0

    def __call__(self, em: EMMap, point: Point) -> Point:
        """Return the point after one pass, or after a plain EM step where the pass did not gain."""
        vector = self._pass(em, point)
        if np.isfinite(vector).all():
            found = em.evaluate(em.model.unpack(vector, point.params), "online")
            if found.objective >= point.objective:
                return found
        return em.step(point, "em-fallback")

    def _pass(self, em: EMMap, point: Point) -> Array:
        """Return the mean of the packed parameters after each shard of the second half."""
        sizes = self._sizes_of(em)
        order = np.arange(len(sizes)) if self.rng is None else self.rng.permutation(len(sizes))
        params, stats = point.params, point.stats
        second_half = len(order) // 2
        total = np.zeros(0)
        for place, s in enumerate(order.tolist()):
            self._n_shards += 1
            new = em.model.e_step(params, data_of(em.shards[s])).stats
            new = tree_scale(new, sizes.sum() / sizes[s])
            params, stats = _moved(em.model, params, stats, new, (1.0 + self._n_shards) ** -self.power)
            if place >= second_half:
                packed = em.model.pack(params)
                total = packed if place == second_half else total + packed
        em.n_evaluations += 1
        return total / (len(order) - second_half)

    def _sizes_of(self, em: EMMap) -> Array:
        if self._sizes is None:
            self._sizes = np.array([size_of(data_of(shard)) for shard in em.shards])
        return self._sizes


class Seen(NamedTuple):
    """What a stream has taught so far: parameters, statistics as of all that was seen, its weight, and in how many parts."""

    params: Any
    stats: Any
    weight: float
    n_parts: int


def learn(model: EMModel, seen: Seen | None, data: Any, start: Any = None, power: float = 0.6) -> tuple[Seen, float]:
    """Return what is known after one more part of a stream, and its log-likelihood before it was learnt from.

    Parameters
    ----------
    model : EMModel
        The recipe.
    seen : Seen or None
        What is known so far; None at the beginning.
    data : shard
        The part.
    start : tree of arrays
        Parameters to begin with.
    power : float
        As of :class:`Online`.

    Examples
    --------
    >>> from seqem.em.protocol import EStep
    >>> class Mean:
    ...     def e_step(self, mean, shard):
    ...         return EStep((len(shard), sum(shard)), -0.5 * sum((x - mean) ** 2 for x in shard))
    ...     def m_step(self, stats, mean):
    ...         return stats[1] / stats[0]
    >>> seen, _ = learn(Mean(), None, [1.0, 3.0], start=0.0)
    >>> float(seen.params)
    2.0
    """
    size = size_of(data)
    if seen is None:
        step = model.e_step(start, data)
        params = model.m_step(step.stats, start)
        return Seen(params, recentred(model, step.stats, start, params), size, 1), step.log_likelihood
    step = model.e_step(seen.params, data)
    total = seen.weight + size
    old, new = tree_scale(seen.stats, total / seen.weight), tree_scale(step.stats, total / size)
    params, stats = _moved(model, seen.params, old, new, (1.0 + seen.n_parts) ** -power)
    return Seen(params, stats, total, seen.n_parts + 1), step.log_likelihood


def _moved(model: EMModel, params: Any, stats: Any, new: Any, rho: float) -> tuple[Any, Any]:
    """Return parameters and statistics after ``new`` ones, of the same weight, took the share ``rho``."""
    stats = tree_add(tree_scale(stats, 1.0 - rho), tree_scale(new, rho))
    after = model.m_step(stats, params)
    return after, recentred(model, stats, params, after)


def size_of(data: Any) -> float:
    """Return how many observations, or sequences, a shard holds, by their weights where it has any."""
    weights = getattr(data, "weights", None)
    return float(len(data)) if weights is None else float(np.sum(weights))
