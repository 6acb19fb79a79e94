"""The Viterbi filter of a search, in words: the best score of a target, or all places that reach a limit.

Scores count in steps of 1/500 bit as HMMER 3 has them. Words saturate at +-32767; a saturated score passes every threshold.
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
)

# Rows of the words' table: into match from match, insert, delete and begin; into insert; into delete; the most that a
# delete can gain on a new begin by going on to further deletes; the delete chain.
W_MM, W_IM, W_DM, W_BM, W_MI, W_II, W_MD, W_GAIN, W_CHAIN, WORDS = range(10)
LOWEST = -32768


@kernel
def _clear(row, value, count, dim):
    never = splat(row, value, dim)
    for q in range(count):
        store(row, q * len(dim), never)


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
def viterbi_filter(residues, scores, words, base, leave, start, row, dim):
    """Return the best path to C as a word, 32767 where it saturates.

    ``scores`` (symbols, padded M) int16, ``words`` (B, WORDS + log2 W, W); ``leave`` and ``start`` are scores, loops cost nothing.
    Chains of deletes are followed only in rows where one might win against a new begin, which is seldom.
    """
    W, width = len(dim), scores.shape[1]
    blocks, table = width // W, words.shape[1] * W
    _clear(row, LOWEST, 3 * blocks, dim)
    again = LOWEST
    begin = base + start
    enter = splat(row, begin, dim)
    for i in range(residues.shape[0]):
        e, deletes = _viterbi_row(scores, np.int64(residues[i]) * width, words, enter, row, blocks, table, dim)
        if e >= 32767:
            return 32767
        # A branch that is seldom taken lets the next row begin before this one's best is known.
        if e + leave > again:
            again = e + leave
            if again > base:
                begin = max(LOWEST, again + start)
                enter = splat(row, begin, dim)
        if deletes > begin:
            _extend_deletes(words, row, blocks, table, dim)
    return again


@kernel
def viterbi_all(residues, offsets, which, emissions, words, base, leave, start, row, scores, dim):
    """Fill ``scores`` with :func:`viterbi_filter` of the sequences ``which``."""
    for n in range(which.shape[0]):
        s = which[n]
        target = residues[offsets[s] : offsets[s + 1]]
        scores[n] = viterbi_filter(target, emissions, words, base, leave, start[n], row, dim)


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
