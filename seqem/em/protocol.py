"""What an EM model answers: statistics of a shard, and parameters from statistics."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypeVar

from seqem.shapes import Array

Params = TypeVar("Params")


class EStep(NamedTuple):
    """What an E-step returns; both parts add over shards."""

    stats: Any
    log_likelihood: float


class EMModel(Protocol[Params]):
    """A frozen recipe that the driver can fit. ``Params`` and statistics are trees of arrays."""

    def e_step(self, params: Params, shard: Any) -> EStep:
        """Return the expected sufficient statistics and the log-likelihood of a shard."""
        ...

    def m_step(self, stats: Any, params: Params) -> Params:
        """Return new parameters; ``params`` are those the statistics were taken at."""
        ...

    def log_prior(self, params: Params) -> float:
        """Return the log prior density of the parameters up to a constant; 0.0 for maximum likelihood."""
        ...

    def expected_log_likelihood(self, stats: Any, params: Params, reference: Params) -> float:
        """Return Q(params | reference), statistics taken at ``reference``, up to a constant in ``params``."""
        ...

    def pack(self, params: Params) -> Array:
        """Return the free parameters as an unconstrained vector."""
        ...

    def unpack(self, vector: Array, like: Params) -> Params:
        """Return the parameters of an unconstrained vector; fixed parts are taken from ``like``."""
        ...


def recentred(model: EMModel[Params], stats: Any, old: Params, new: Params) -> Any:
    """Return statistics taken at ``old`` so that they add to those taken at ``new``.

    A model whose statistics are moments about the parameters has a method ``recentre(stats, old, new)``; others need none.
    """
    recentre = getattr(model, "recentre", None)
    return stats if recentre is None else recentre(stats, old, new)
