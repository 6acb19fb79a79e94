"""The E-step of symbol sequences without frames: the fused kernel of ``chain_coded``, where it fits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.kernels import chain_coded
from seqem.kernels._rows import NARROW
from seqem.shapes import Array

_CACHE_BYTES = 32768
_LONGEST_WORD = 4
_BLOCK_WORDS = 1024


def suits(distribution: Any, params: Any) -> bool:
    """Return whether step matrices of all symbols fit the first-level cache."""
    K = len(params.start)
    if not hasattr(distribution, "table") or K > NARROW or params.trans.ndim != 2:
        return False
    return distribution.table(params.emission).size * K * 8 <= _CACHE_BYTES


def _word_length(n_codes: int, n_states: int) -> int:
    """Return how many symbols a word may have for the products of all words to stay in the first-level cache."""
    if n_codes == 1:
        return 1
    room = _CACHE_BYTES / (8 * n_states**2)
    return max(1, min(_LONGEST_WORD, int(math.log(room) / math.log(n_codes) + 1e-9)))


def e_step(distribution: Any, params: Any, shard: SequenceBatch) -> tuple[tuple[Any, ...], Array] | None:
    """Return ``((start, trans, end, emission statistics), log-likelihoods)``; None where a step underflows."""
    table = np.ascontiguousarray(distribution.table(params.emission))
    C, K = table.shape
    step = params.trans[None] * table[:, None, :]
    length = _word_length(C, K)
    words = step
    for _ in range(length - 1):  # the first symbol is the most significant
        words = (words[:, None] @ step).reshape(-1, K, K)
    rows = int(shard.lengths.max(initial=0))
    block = 4 * length * max(_BLOCK_WORDS, math.isqrt(rows) // (4 * length))
    counts, starts, ends = np.zeros((C, K, K)), np.zeros((C, K)), np.zeros(K)
    log_likelihood, status = np.empty(len(shard)), np.empty(len(shard), dtype=np.uint8)
    chain_coded.e_step(
        (0,) * K, shard.values, shard.offsets, table, step, np.ascontiguousarray(step.transpose(0, 2, 1)),
        words, np.ascontiguousarray(words.transpose(0, 2, 1)), length, params.start,
        np.ones(K) if params.end is None else params.end,
        np.ones(len(shard)) if shard.weights is None else shard.weights,
        block, np.empty((rows // block + 2, K)), np.empty((min(block, rows) + length + 2, K)), np.ones((length + 2, K)),
        counts, starts, ends, log_likelihood, status,
    )  # fmt: skip
    if status.any():
        return None
    counts *= step
    by_code = counts.sum(1) + starts
    emission = distribution.accumulate_counts(params.emission, by_code)
    return (starts.sum(0), counts.sum(0), ends, emission), log_likelihood
