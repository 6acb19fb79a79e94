"""Where on a long target ungapped segments look like the model.

At a row that reaches the limit the scan notes the place, forgets all rows so far and goes on. Scores are those of
:mod:`seqem.kernels.profile_filters`. A strand is read through ``start`` and ``step``, not copied.
"""

import numpy as np

from seqem.kernels._jit import kernel
from seqem.kernels._lanes import (
    add_saturating,
    load,
    maximum,
    reduce_max,
    shift_up,
    splat,
    store,
    subtract_saturating,
)

# Rows without a new best after which a diagonal is not followed further.
PATIENCE = 5


@kernel
def _clear(row, value, count, dim):
    never = splat(row, value, dim)
    for q in range(count):
        store(row, q * len(dim), never)


@kernel
def _best_node(row, n_nodes):
    """Return the node, from 1, with the best byte; of equals the first in the order of HMMER's sixteen stripes."""
    stripe = max(2, (n_nodes - 1) // 16 + 1)
    best, node = -1, 0
    for q in range(stripe):
        for k in range(q, n_nodes, stripe):
            if np.int64(row[k]) > best:
                best, node = np.int64(row[k]), k + 1
    return node


@kernel
def _diagonal(residues, start, step, length, costs, bias, begin, n_nodes, i, node, score, seed):
    """Fill ``seed`` with first place, last node and length of the segment whose score was ``score`` at place ``i``."""
    first, k, rest = i, node, score
    inside = True
    while inside:
        rest -= bias - np.int64(costs[residues[start + first * step], k - 1])
        first -= 1
        k -= 1
        inside = rest > begin and k > 0 and first >= 0
    last, best, at, since = i, score, i + 1, 0
    k = node + 1
    # As in HMMER, segments do not extend to the last node.
    while k < n_nodes and at < length and since < PATIENCE:
        score += bias - np.int64(costs[residues[start + at * step], k - 1])
        since += 1
        if score >= best:
            best, last, since = score, at, 0
        at += 1
        k += 1
    seed[0], seed[1], seed[2] = first + 1, node + last - i, last - first
    return last


@kernel
def segment_places(residues, start, step, length, begin_at, costs, bias, begin, limit, n_nodes, row, seeds, dim):
    """Fill ``seeds`` with ungapped segments that reach ``limit``; return their number and the place to go on from.

    The target is ``residues[start + i * step]`` for i from ``begin_at`` to ``length``; no segment from before is continued.
    ``costs`` (symbols, padded M) uint8 include the bias, ``begin`` is the byte that a segment starts from; ``seeds`` (n, 3)
    get the first place, from 0, the last node, from 1, and the number of residues.
    """
    W, width = len(dim), costs.shape[1]
    blocks = width // W
    _clear(row, 0, blocks, dim)
    zero, lift, enter = splat(row, 0, dim), splat(row, bias, dim), splat(row, begin, dim)
    count, i = 0, begin_at
    while i < length and count < seeds.shape[0]:
        before, ends = zero, zero
        at = np.int64(residues[start + i * step]) * width
        for q in range(blocks):
            old = load(row, q * W, dim)
            value = maximum(shift_up(old, before), enter)
            value = subtract_saturating(add_saturating(value, lift), load(costs, at + q * W, dim))
            store(row, q * W, value)
            ends = maximum(ends, value)
            before = old
        best = np.int64(reduce_max(ends))
        if best >= limit:
            node = _best_node(row, n_nodes)
            i = _diagonal(residues, start, step, length, costs, bias, begin, n_nodes, i, node, best, seeds[count])
            count += 1
            _clear(row, 0, blocks, dim)
        i += 1
    return count, i
