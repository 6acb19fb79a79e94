"""Point and EMMap: where a fit stands, and the map that takes it one EM step on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

from seqem.em.mapreduce import map_reduce
from seqem.em.protocol import EMModel


class Point(NamedTuple):
    """Parameters with everything one E-step says about them; the parts always belong together.

    Attributes
    ----------
    params : tree of arrays
        The parameters.
    stats : tree of arrays
        Expected sufficient statistics at ``params``.
    log_likelihood : float
        Log-likelihood at ``params``.
    log_prior : float
        Log prior density of ``params``; 0.0 for maximum likelihood.
    kind : str
        How the point was reached: "start", or the method: "em", "squarem", ...; "em-fallback" where a plain step took its
        place.

    Examples
    --------
    >>> Point(params=0.5, stats=None, log_likelihood=-10.0, log_prior=-1.0).objective
    -11.0
    """

    params: Any
    stats: Any
    log_likelihood: float
    log_prior: float
    kind: str = "start"

    @property
    def objective(self) -> float:
        """What EM climbs: log-likelihood plus log prior."""
        return self.log_likelihood + self.log_prior


class EMMap:
    """A model bound to its data: evaluates points, maps a point to the next one, counts.

    Parameters
    ----------
    model : EMModel
        The recipe.
    shards : sequence
        Data or loaders of it, see :func:`seqem.em.mapreduce.map_reduce`.
    executor : concurrent.futures.Executor, optional
        Maps the E-step over the shards.

    Attributes
    ----------
    n_evaluations : int
        E-steps over all the data so far.

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
    >>> em = EMMap(Mean(), [[1.0, 3.0]])
    >>> em.step(em.evaluate(0.0)).params, em.n_evaluations
    (2.0, 2)
    """

    def __init__(self, model: EMModel, shards: Sequence[Any], executor: Executor | None = None) -> None:
        self.model = model
        self.shards = shards
        self.executor = executor
        self.n_evaluations = 0

    def evaluate(self, params: Any, kind: str = "start") -> Point:
        """Return the point at ``params``: one E-step over all shards."""
        self.n_evaluations += 1
        stats, log_likelihood = map_reduce(self.model.e_step, params, self.shards, self.executor)
        return Point(params, stats, log_likelihood, float(self.model.log_prior(params)), kind)

    def maximise(self, point: Point) -> Any:
        """Return the parameters of the M-step at ``point``."""
        return self.model.m_step(point.stats, point.params)

    def step(self, point: Point, kind: str = "em") -> Point:
        """Return the point that one EM step leads to."""
        return self.evaluate(self.maximise(point), kind)
