"""Where on a long target something begins to look like the model: ungapped scan and Viterbi filter that report places.

Both compare each row with a limit; at a row that reaches it they note the place, forget all rows so far and go on. Scores
are those of :mod:`seqem.kernels.profile_filters`. A strand is read through ``start`` and ``step``, not copied.
"""

import numpy as np

from seqem.kernels._jit import kernel
from seqem.kernels._lanes import (
    add_saturating,
    last_lane,
    load,
    maximum,
    reduce_max,
    scan_up_best,
    shift_up,
    splat,
    store,
    subtract_saturating,
)

# Rows of the words' table, as of the Viterbi filter.
W_MM, W_IM, W_DM, W_BM, W_MI, W_II, W_MD, W_GAIN, W_CHAIN, WORDS = range(10)
LOWEST = -32768
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


@kernel
def _extend_deletes(words, row, blocks, table, dim):
    """Let the deletes of a row, so far entered from matches only, go on to further deletes."""
    W = len(dim)
    d_last = splat(row, LOWEST, dim)
    for q in range(blocks):
        at, t = (q * 3 + 2) * W, q * table
        d_new = scan_up_best(load(row, at, dim), words, t + WORDS * W)
        d_new = maximum(d_new, add_saturating(last_lane(d_last), load(words, t + W_CHAIN * W, dim)))
        store(row, at, d_new)
        d_last = d_new


@kernel
def _viterbi_row(scores, emit, words, enter, row, blocks, table, dim):
    """Replace the row by the next; return its best match and the most that a delete may gain on a new begin."""
    W = len(dim)
    never = splat(row, LOWEST, dim)
    m_before, i_before, d_before, m_last, ends, deletes = never, never, never, never, never, never
    for q in range(blocks):
        at, t = q * 3 * W, q * table
        m_old, i_old, d_old = load(row, at, dim), load(row, at + W, dim), load(row, at + 2 * W, dim)
        best = add_saturating(enter, load(words, t + W_BM * W, dim))
        best = maximum(best, add_saturating(shift_up(m_old, m_before), load(words, t + W_MM * W, dim)))
        best = maximum(best, add_saturating(shift_up(i_old, i_before), load(words, t + W_IM * W, dim)))
        best = maximum(best, add_saturating(shift_up(d_old, d_before), load(words, t + W_DM * W, dim)))
        m_new = add_saturating(best, load(scores, emit + q * W, dim))
        i_new = add_saturating(m_old, load(words, t + W_MI * W, dim))
        i_new = maximum(i_new, add_saturating(i_old, load(words, t + W_II * W, dim)))
        d_new = add_saturating(shift_up(m_new, m_last), load(words, t + W_MD * W, dim))
        store(row, at, m_new)
        store(row, at + W, i_new)
        store(row, at + 2 * W, d_new)
        ends = maximum(ends, m_new)
        deletes = maximum(deletes, add_saturating(d_new, load(words, t + W_GAIN * W, dim)))
        m_before, i_before, d_before, m_last = m_old, i_old, d_old, m_new
    return np.int64(reduce_max(ends)), np.int64(reduce_max(deletes))


@kernel
def _note_matches(row, best, n_nodes, i, places, count, dim):
    """Append to ``places`` all matches of the row that score ``best``, in HMMER's eight stripes; -1 where room ends."""
    W = len(dim)
    stripe = max(2, (n_nodes - 1) // 8 + 1)
    for q in range(stripe):
        for k in range(q, n_nodes, stripe):
            if np.int64(row[k // W * 3 * W + k % W]) == best:
                if count == places.shape[0]:
                    return -1
                places[count, 0], places[count, 1] = i, k + 1
                count += 1
    return count


@kernel
def viterbi_places(residues, scores, words, base, leave, start, limit, n_nodes, row, places, dim):
    """Fill ``places`` (n, 2) with residue, from 0, and node, from 1, of paths that reach ``limit``; -1 where room ends.

    Other arguments as for the Viterbi filter.
    """
    W, width = len(dim), scores.shape[1]
    blocks, table = width // W, words.shape[1] * W
    _clear(row, LOWEST, 3 * blocks, dim)
    again, begin, count = LOWEST, base + start, 0
    for i in range(residues.shape[0]):
        enter = splat(row, begin, dim)
        best, deletes = _viterbi_row(scores, np.int64(residues[i]) * width, words, enter, row, blocks, table, dim)
        if best >= limit:
            count = _note_matches(row, best, n_nodes, i, places, count, dim)
            if count < 0:
                return -1
            _clear(row, LOWEST, 3 * blocks, dim)
            continue
        again = max(again, best + leave)
        begin = max(LOWEST, max(base, again) + start)
        if deletes > begin:
            _extend_deletes(words, row, blocks, table, dim)
    return count
