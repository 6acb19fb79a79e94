"""Best paths of ragged sequences (Viterbi 1967): short ones chunk by chunk, a long one in blocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from seqem.chain.blocks import chunk_rows, pieces
from seqem.chain.engine import safe_log
from seqem.chain.params import ChainParams
from seqem.kernels import viterbi
from seqem.kernels._rows import WIDEST
from seqem.shapes import AnyArray, Array, IntArray, Path

_POINTER_BYTES = 2**24

FrameSource = Callable[[int, int], tuple[Array, AnyArray | None]]
"""``source(lo, hi)`` returns log-likelihoods (hi - lo, K) and None, or a table (M, K) and the symbols (hi - lo,)."""


class Decoding(NamedTuple):
    """The best state path (T,) and its log score."""

    path: Path
    score: float


class LogChain(NamedTuple):
    """Logarithms of a chain as the Viterbi kernels take them; ``into[t]`` leads into row t."""

    start: Array
    into: Array
    end: Array
    vary: int

    @classmethod
    def of(cls, chain: ChainParams) -> LogChain:
        """Return the logarithms of a chain."""
        trans = safe_log(chain.trans)
        into = np.concatenate([trans[:1], trans]) if chain.varies else trans[None]
        end = np.zeros(chain.n_states) if chain.end is None else safe_log(chain.end)
        return cls(safe_log(chain.start), np.ascontiguousarray(into), end, int(chain.varies))


def best_paths(
    chain: ChainParams, source: FrameSource, offsets: IntArray, *, block: int | None = None
) -> tuple[Path, Array]:
    """Return the states of all rows (N,) and the log score of each sequence (S,).

    Parameters
    ----------
    source : callable
        See ``FrameSource``.
    offsets : ndarray, shape (S + 1,)
        Sequence s is rows ``offsets[s]`` to ``offsets[s + 1]``.
    block : int, optional
        Rows whose back-pointers are held at once; by default 16 MB of them, or the square root of T. A longer
        sequence is walked twice, forward and then block by block from the back.

    Notes
    -----
    Ties go to the lower state. Where no path is possible the score is -inf and the path all -1.
    """
    K = chain.n_states
    source = partial(_ordered, source)
    logs, kind = LogChain.of(chain), np.uint8 if K <= 256 else np.uint16
    dim: Any = (0,) * K if K <= WIDEST else np.zeros(K, dtype=np.int8)
    first, N = int(offsets[0]), int(offsets[-1])
    paths, scores = np.full(N - first, -1, dtype=np.int32), np.zeros(len(offsets) - 1)
    delta = np.empty((2, K))
    for s, last in pieces(chain, offsets):
        lo, hi = int(offsets[s]), int(offsets[last])
        rows = block or max(_POINTER_BYTES // (K * np.dtype(kind).itemsize), math.isqrt(hi - lo), 1)
        out = paths[lo - first : hi - first]
        if last == s + 1 and hi - lo > min(rows, chunk_rows(K)):
            scores[s] = _long_path(dim, logs, source, lo, hi, rows, kind, out)
        else:
            frames, symbols = source(lo, hi)
            pointers = np.empty((int(np.diff(offsets[s : last + 1]).max(initial=0)), K), dtype=kind)
            viterbi.paths(
                dim, frames, symbols, offsets[s : last + 1] - lo, logs.into, logs.vary, logs.start, logs.end,
                delta, pointers, out, scores[s:last],
            )  # fmt: skip
    return paths, scores


def _ordered(source: FrameSource, lo: int, hi: int) -> tuple[Array, AnyArray | None]:
    frames, symbols = source(lo, hi)
    return np.ascontiguousarray(frames, dtype=float), symbols


def _long_path(
    dim: Any, logs: LogChain, source: FrameSource, lo: int, hi: int, rows: int, kind: Any, path: Path
) -> float:
    """Fill the path of one sequence in blocks of ``rows``; return its score."""
    T, K = hi - lo, len(logs.start)
    chunk = chunk_rows(K)
    spans = [(a, min(a + rows, T)) for a in range(0, T, rows)]
    delta, pointers, marks = np.empty((2, K)), np.empty((min(rows, T), K), dtype=kind), []

    def forward(a: int, b: int) -> None:
        for c in range(a, b, chunk):
            d = min(c + chunk, b)
            frames, symbols = source(lo + c, lo + d)
            into = logs.into[c:d] if logs.vary else logs.into
            viterbi.forward(dim, frames, symbols, d - c, c == 0, into, logs.vary, logs.start, delta, pointers[c - a :])

    for a, b in spans:
        marks.append(delta[0].copy())
        forward(a, b)
    final = delta[0] + logs.end
    state = int(final.argmax())
    score = float(final[state])
    if score == -np.inf:
        return score
    for (a, b), mark in zip(reversed(spans), reversed(marks), strict=True):
        if b < T:
            delta[0] = mark
            forward(a, b)
        state = viterbi.trace(pointers, b - a, state, path[a:b])
    return score
