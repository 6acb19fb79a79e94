"""Emission: a distribution some of whose states can be asked alone."""

from __future__ import annotations

from typing import Any, Protocol

from seqem.distributions.protocol import Distribution
from seqem.shapes import AnyArray, Array, IntArray


class Emission(Distribution, Protocol):
    """A distribution over many states of which a recording visits few."""

    def of_states(self, params: Any, states: IntArray) -> Any:
        """Return the parameters of some states."""
        ...

    def add_states(self, total: Any, stats: Any, states: IntArray) -> None:
        """Add the statistics of some states, all different, to those of all, in place."""
        ...

    def log_likelihood_and_parts(self, params: Any, x: AnyArray) -> tuple[Array, Any]:
        """Return log p(x_n | k), shape (N, K), and what ``accumulate_parts`` wants to know of the same rows."""
        ...

    def accumulate_parts(self, params: Any, x: AnyArray, parts: Any, resp: Array) -> Any:
        """Return what ``accumulate`` does."""
        ...

    def responsibilities(self, params: Any, x: AnyArray, resp: Array) -> Array:
        """Return the posterior of states (N, K) shared out to their parts."""
        ...
