"""Walks over ragged sequences in pieces and blocks: expected counts, posteriors, likelihoods.

A *piece* is a run of short sequences, or one long sequence that is cut into *blocks*. A long sequence is walked
forward once, keeping alpha before each block, and then from the back, recomputing one block at a time:
memory is one block and one row a block. Frames come from a callable, so they too are held for one block only.
Results do not depend on the block length: the recursions rescale on a fixed beat, and what is summed over rows
is summed in chunks of fixed length, counted from the start of the sequence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqem.chain.engine import LOG, Engine, Transitions, engine_of
from seqem.chain.params import ChainParams, ChainStats
from seqem.core.tree import tree_add
from seqem.errors import DataError
from seqem.shapes import AnyArray, Array, IntArray

Source = Callable[[int, int], Array]
"""``source(lo, hi)`` returns fresh log-likelihoods (hi - lo, K) of rows lo to hi, which the walk may overwrite."""

Sink = Callable[[int, int, Array], Any]
"""``sink(lo, hi, posterior)`` takes the weighted posteriors of rows lo to hi; what it returns is added up."""

_CHUNK_CELLS = 2**16
_BLOCK_CELLS = 2**21


class _Underflow(ArithmeticError):
    """The scaled recursion left the range of float64 somewhere in a piece."""


def chunk_rows(n_states: int) -> int:
    """Return the number of rows that are handled together, a power of two that suits the second-level cache."""
    return 2 ** min(max(round(math.log2(_CHUNK_CELLS / n_states)), 8), 14)


def _block_rows(n_rows: int, n_states: int) -> int:
    """Return the length of a block: 16 MB of alpha, and for very long sequences about the square root of T."""
    chunk = chunk_rows(n_states)
    return max(_BLOCK_CELLS // n_states // chunk, math.isqrt(n_rows) // chunk, 1) * chunk


class Expectation(NamedTuple):
    """Result of ``expected_counts``: chain statistics, sum of the sink's values, log-likelihoods (S,)."""

    chain: ChainStats
    sunk: Any
    log_likelihood: Array


@dataclass
class _Sums:
    """What the backward walk of a piece adds up, and its state between chunks."""

    sink: Sink
    beta: Array
    pairs: Array
    gamma: Array | None  # None: posteriors replace alpha
    starts: Array
    ends: Array
    sunk: Any = None

    @classmethod
    def empty(cls, piece: _Piece, sink: Sink) -> _Sums:
        K = len(piece.arrays.start)
        rows = min(len(piece.alpha), chunk_rows(K) + 1)
        gamma = None if piece.engine.sums_pairs(K) else np.empty((rows, K))
        return cls(sink, np.ones((4, K)), np.zeros((1, K, K)), gamma, np.zeros(K), np.zeros(K))

    def take(self, row: int, posterior: Array, offsets: IntArray, first: int) -> None:
        """Take the posteriors of rows that begin at ``first`` of the piece, ``row`` of the data."""
        full = offsets[1:] > offsets[:-1]
        for total, edges in ((self.starts, offsets[:-1][full]), (self.ends, offsets[1:][full] - 1)):
            inside = edges[(edges >= first) & (edges < first + len(posterior))] - first
            total += posterior[inside].sum(0)
        value = self.sink(row, row + len(posterior), posterior)
        self.sunk = value if self.sunk is None else tree_add(self.sunk, value)


@dataclass
class _Piece:
    """One piece and the arrays its walk needs."""

    engine: Engine
    arrays: Transitions
    source: Source
    base: int
    offsets: IntArray
    weights: Array
    block: int

    def __post_init__(self) -> None:
        S, K = len(self.weights), len(self.arrays.start)
        n_rows = int(self.offsets[-1])
        self.dim = self.engine.dim(K)
        self.blocks = [(lo, min(lo + self.block, n_rows)) for lo in range(0, max(n_rows, 1), self.block)]
        self.scale = np.tile([0.0, 1.0], (S, 1))
        self.status = np.zeros(S, dtype=np.uint8)
        self.log_likelihood = np.empty(S)
        self.alpha = np.empty((min(self.block, n_rows) + 1, K))
        self.alpha[0] = 0.0  # enters matrix products beside zeros, where NaN would stay NaN

    def _bounds(self, lo: int, hi: int) -> IntArray:
        """Return the offsets of the sequences in rows ``lo`` to ``hi``: only one sequence is ever cut."""
        return self.offsets if len(self.weights) > 1 else np.array([0, hi - lo])

    def forward_block(self, lo: int, hi: int, scale: Array) -> Array:
        """Fill ``alpha`` for one block, whose row before it is ``alpha[0]``; return its frames."""
        frames, peak = self.engine.prepare(self.source(self.base + lo, self.base + hi))
        arrays = self.arrays.rows(lo, hi)
        self.engine.forward(
            self.dim, frames, peak, arrays.into, arrays.vary, arrays.start, self._bounds(lo, hi), lo > 0,
            self.alpha, scale, self.status,
        )  # fmt: skip
        return frames

    def forward(self) -> Iterator[tuple[int, int, Array]]:
        """Walk all blocks forward, yielding ``(lo, hi, frames)`` after each; ends with the likelihoods filled in."""
        for lo, hi in self.blocks:
            if lo > 0:
                self.alpha[0] = self.alpha[self.block]
            yield lo, hi, self.forward_block(lo, hi, self.scale)
        self.engine.score(
            self.dim, self._bounds(lo, hi), self.arrays.end, self.alpha, self.scale, self.log_likelihood, self.status
        )
        if self.status.any():
            raise _Underflow

    def backward(self, sink: Sink) -> tuple[ChainStats, Any]:
        """Walk forward, then all blocks from the last to the first; return the statistics."""
        K = len(self.arrays.start)
        marks, frames = [], np.empty((0, K))
        for block in self.forward():
            marks.append(self.alpha[0].copy())
            frames = block[2]
        sums = _Sums.empty(self, sink)
        for mark, (lo, hi) in zip(reversed(marks), reversed(self.blocks), strict=True):
            if hi < self.offsets[-1]:
                self.alpha[0] = mark
                frames = self.forward_block(lo, hi, np.array([[0.0, 1.0]]))
            self._backward_block(lo, hi, frames, sums)
        counts = sums.pairs[0]
        if self.engine is not LOG and not self.arrays.vary:
            counts = counts * self.arrays.into[0]
        return ChainStats(sums.starts, counts, sums.ends), sums.sunk

    def _backward_block(self, lo: int, hi: int, frames: Array, sums: _Sums) -> None:
        """Walk one block chunk by chunk from its last row; each chunk's posteriors go to the sink while in cache."""
        length = hi - lo if len(self.weights) > 1 else chunk_rows(len(self.arrays.start))
        for first in range((max(hi - lo, 1) - 1) // max(length, 1) * length, -1, -max(length, 1)):
            stop = min(first + length, hi - lo)
            alpha, part = self.alpha[first : stop + 1], frames[first:stop]
            gamma = alpha if sums.gamma is None else sums.gamma[: stop - first + 1]
            arrays, bounds = self.arrays.rows(lo + first, lo + stop), self._bounds(first, stop)
            self.engine.backward(
                self.dim, part, arrays.into_t, arrays.vary, arrays.end, bounds, lo + first > 0, lo + stop < self.offsets[-1],
                alpha, sums.beta, self.weights, sums.gamma is None, sums.pairs, gamma, self.status,
            )  # fmt: skip
            if self.status.any():
                raise _Underflow
            if sums.gamma is not None:
                sums.pairs[0] += alpha[:-1].T @ part
            sums.take(self.base + lo + first, gamma[1:], self.offsets, lo + first)


def pieces(chain: ChainParams, offsets: IntArray) -> Iterator[tuple[int, int]]:
    """Yield ``(first, last)`` of the sequences that are walked together: a chunk of short ones, or one long one."""
    if chain.varies and (np.diff(offsets) > len(chain.trans) + 1).any():
        raise DataError(
            "a sequence is longer than its transitions",
            got=f"{np.diff(offsets).max()} rows",
            expected=f"at most {len(chain.trans) + 1}",
        )
    first, limit = 0, 0 if chain.varies else chunk_rows(chain.n_states)
    while first < len(offsets) - 1:
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + limit, side="right")) - 1)
        yield first, last
        first = last


def _walked(
    chain: ChainParams,
    source: Source,
    offsets: IntArray,
    weights: Array,
    space: str,
    block: int | None,
    walk: Callable[[_Piece], Any],
) -> Iterator[tuple[int, int, Any]]:
    """Yield ``(first, last, walk(piece))``; a piece that underflows in scaled space is walked again in log space."""
    engine = engine_of(space)
    arrays = {engine.name: Transitions.of(chain, engine)}
    for first, last in pieces(chain, offsets):
        local = offsets[first : last + 1] - offsets[first]
        rows = int(local[-1])
        length = max(rows, 1) if last > first + 1 else (block or _block_rows(rows, chain.n_states))
        place = source, int(offsets[first]), local, weights[first:last], length
        try:
            result = walk(_Piece(engine, arrays[engine.name], *place))
        except _Underflow:
            if LOG.name not in arrays:
                arrays[LOG.name] = Transitions.of(chain, LOG)
            result = walk(_Piece(LOG, arrays[LOG.name], *place))
        yield first, last, result


def expected_counts(
    chain: ChainParams,
    source: Source,
    offsets: AnyArray,
    sink: Sink,
    *,
    weights: Array | None = None,
    space: str = "scaled",
    block: int | None = None,
) -> Expectation:
    """Return expected counts of starts, transitions and ends, handing posteriors to ``sink`` on the way.

    Parameters
    ----------
    chain : ChainParams
        Probabilities; rows may sum to less than one (variational Bayes).
    source, sink : callable
        See ``Source`` and ``Sink``. The sink may be called again for rows it has seen, where a piece is repeated
        in log space after an underflow; only the last value counts.
    offsets : ndarray, shape (S + 1,)
        Sequence s is rows ``offsets[s]`` to ``offsets[s + 1]``.
    weights : ndarray, shape (S,), optional
        Sample weights; they scale counts and posteriors, not the log-likelihoods returned.
    space : {"scaled", "log"}
        Space of the recursion.
    block : int, optional
        Rows of a block of a long sequence, a multiple of ``chunk_rows(K)``. The result does not depend on it.

    Notes
    -----
    Baum, Petrie, Soules and Weiss 1970; scaling after Rabiner 1989, eqs. 90-95. A sequence without any possible path
    has log-likelihood -inf and adds nothing.
    """
    offsets = np.asarray(offsets, dtype=np.int64)
    weights = np.ones(len(offsets) - 1) if weights is None else weights
    K = chain.n_states
    total: Any = None
    log_likelihood = np.zeros(len(offsets) - 1)

    def walk(piece: _Piece) -> Any:
        return piece.backward(sink), piece.log_likelihood

    for first, last, (part, values) in _walked(chain, source, offsets, weights, space, block, walk):
        log_likelihood[first:last] = values
        total = part if total is None else tree_add(total, part)
    stats, sunk = total or (ChainStats(np.zeros(K), np.zeros((K, K)), np.zeros(K)), None)
    return Expectation(stats, sunk, log_likelihood)


def forward_walk(
    chain: ChainParams, source: Source, offsets: AnyArray, *, space: str = "scaled", filtered: Array | None = None
) -> Array:
    """Return log-likelihoods (S,); fill ``filtered`` (N, K) with p(state of row t | rows up to t) if given."""
    offsets = np.asarray(offsets, dtype=np.int64)
    log_likelihood = np.zeros(len(offsets) - 1)
    weights = np.ones(len(offsets) - 1)

    def walk(piece: _Piece) -> Array:
        for lo, hi, _ in piece.forward():
            if filtered is not None:
                filtered[piece.base + lo : piece.base + hi] = _normalised(piece.alpha[1 : hi - lo + 1], piece.engine)
        return piece.log_likelihood

    for first, last, values in _walked(chain, source, offsets, weights, space, None, walk):
        log_likelihood[first:last] = values
    return log_likelihood


def _normalised(alpha: Array, engine: Engine) -> Array:
    if engine is LOG:
        peak = alpha.max(1, keepdims=True)
        alpha = np.exp(alpha - np.where(np.isfinite(peak), peak, 0.0))
    total = alpha.sum(1, keepdims=True)
    return np.divide(alpha, total, out=np.zeros_like(alpha), where=total > 0)
