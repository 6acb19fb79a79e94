"""The two spaces of the recursions, scaled and log, behind one face."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from seqem.chain.params import ChainParams
from seqem.errors import ParameterError
from seqem.kernels import chain_log, chain_scaled
from seqem.kernels._rows import NARROW, WIDEST
from seqem.shapes import AnyArray, Array


class Engine(NamedTuple):
    """Kernels of one space; ``encode`` takes probabilities into it."""

    name: str
    encode: Callable[[Array], Array]
    prepare: Callable[[Array], tuple[Array, Array]]
    forward: Any
    score: Any
    backward: Any

    def dim(self, n_states: int) -> Any:
        """Return the argument that tells the kernels K: a tuple where K is to be a compile-time constant."""
        constant = self.name == "scaled" and n_states <= WIDEST
        return (0,) * n_states if constant else np.zeros(n_states, dtype=np.int8)

    def sums_pairs(self, n_states: int) -> bool:
        """Return whether the backward kernel sums pairs itself; for many states a matrix product is faster."""
        return self.name == "log" or n_states <= NARROW


def safe_log(probabilities: AnyArray) -> Array:
    """Return the natural logarithm, -inf at zero without a warning."""
    with np.errstate(divide="ignore"):
        return np.log(probabilities)


def _prepare_scaled(log_frames: Array) -> tuple[Array, Array]:
    log_frames, peak = np.ascontiguousarray(log_frames, dtype=float), np.empty(len(log_frames))
    chain_scaled.shift_rows(log_frames, peak)
    return np.exp(log_frames, out=log_frames), peak


def _prepare_log(log_frames: Array) -> tuple[Array, Array]:
    return np.ascontiguousarray(log_frames, dtype=float), np.empty(0)


SCALED = Engine("scaled", np.asarray, _prepare_scaled, chain_scaled.forward, chain_scaled.score, chain_scaled.backward)
LOG = Engine("log", safe_log, _prepare_log, chain_log.forward, chain_log.score, chain_log.backward)


def engine_of(space: str) -> Engine:
    """Return the engine of a space.

    Raises
    ------
    ParameterError
        For a name other than "scaled" and "log".
    """
    if space not in ("scaled", "log"):
        raise ParameterError("unknown space", got=repr(space), expected='"scaled" or "log"')
    return SCALED if space == "scaled" else LOG


class Transitions(NamedTuple):
    """Arrays of a chain as the kernels of one space take them."""

    start: Array
    into: Array  # (1, K, K), or (T, K, K) where entry t leads into row t
    into_t: Array
    end: Array

    @classmethod
    def of(cls, chain: ChainParams, engine: Engine) -> Transitions:
        """Return the chain's arrays encoded, contiguous, and transposed for the backward pass."""
        trans = chain.trans[None] if not chain.varies else np.concatenate([chain.trans[:1], chain.trans])
        end = np.ones(chain.n_states) if chain.end is None else chain.end
        into = np.ascontiguousarray(engine.encode(trans))
        return cls(
            np.ascontiguousarray(engine.encode(chain.start)),
            into,
            np.ascontiguousarray(into.transpose(0, 2, 1)),
            np.ascontiguousarray(engine.encode(end)),
        )

    def rows(self, lo: int, hi: int) -> Transitions:
        """Return the transitions of rows ``lo`` to ``hi``; the same object where they do not vary."""
        if len(self.into) == 1:
            return self
        return self._replace(into=self.into[lo:hi], into_t=self.into_t[lo:hi])

    @property
    def vary(self) -> int:
        """Stride of the transitions along the rows: 0 or 1."""
        return int(len(self.into) > 1)
