"""The filters of a search in small integers: ungapped segments (SSV, MSV), the Viterbi filter, the composition filter.

Scores count in steps of 1/3 bit (bytes) and 1/500 bit (words) as HMMER 3 has them, so that its statistics of random scores
hold. Bytes hold costs from 0 to 255, words saturate at +-32767; a saturated score passes every threshold.
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

# Rows of the words' table: into match from match, insert, delete and begin; into insert; into delete; the most that a
# delete can gain on a new begin by going on to further deletes; the delete chain.
W_MM, W_IM, W_DM, W_BM, W_MI, W_II, W_MD, W_GAIN, W_CHAIN, WORDS = range(10)
LOWEST = -32768


@kernel
def best_segments(residues, offsets, costs, n_nodes, best, dim):
    """Fill ``best`` with the score, in bytes, of the best ungapped segment of each sequence, 0 to 255 where it saturates.

    ``costs`` (symbols, pad + M + 2 pad) int8 are costs less the bias, 127 in the padding of W places before and 2 W behind;
    a register holds W neighbouring diagonals (Eddy 2011; two of them at once hide the latency of the subtraction).
    """
    W, width = len(dim), costs.shape[1]
    floor = splat(costs, -128, dim)
    for s in range(offsets.shape[0] - 1):
        first = offsets[s]
        L = offsets[s + 1] - first
        best0, best1 = floor, floor
        bands = (L - 1 + n_nodes + W - 1) // W
        for band in range(0, bands, 2):
            d0 = band * W - (L - 1)
            d1 = d0 + W
            from0, to0 = max(0, -(d0 + W - 1)), min(L, n_nodes - d0)
            from1 = max(0, -(d1 + W - 1))
            to1 = min(L, n_nodes - d1) if band + 1 < bands else from1
            v0, v1 = floor, floor
            at0, at1 = first + from0, first + from1
            start0, start1 = d0 + from0 + W, d1 + from1 + W
            left0, left1 = residues[at0 : first + max(to0, from0)], residues[at1 : first + max(to1, from1)]
            both = min(left0.shape[0], left1.shape[0])
            for t in range(both):
                v0 = subtract_saturating(v0, load(costs, left0[t] * width + start0 + t, dim))
                best0 = maximum(best0, v0)
                v1 = subtract_saturating(v1, load(costs, left1[t] * width + start1 + t, dim))
                best1 = maximum(best1, v1)
            for t in range(both, left0.shape[0]):
                v0 = subtract_saturating(v0, load(costs, left0[t] * width + start0 + t, dim))
                best0 = maximum(best0, v0)
            for t in range(both, left1.shape[0]):
                v1 = subtract_saturating(v1, load(costs, left1[t] * width + start1 + t, dim))
                best1 = maximum(best1, v1)
        best[s] = reduce_max(maximum(best0, best1)) + 128


@kernel
def msv(residues, costs, bias, base, leave, start, row, dim):
    """Return the best chain of ungapped segments as a byte above ``base``; -1 where it saturates.

    ``costs`` (symbols, padded M) uint8 include the bias; ``leave`` is the cost of E to J or C, ``start`` of N or J to a node.
    """
    W, width = len(dim), costs.shape[1]
    blocks = width // W
    zero, lift = splat(row, 0, dim), splat(row, bias, dim)
    for q in range(blocks):
        store(row, q * W, zero)
    again = 0
    begin = max(0, base - start)
    for i in range(residues.shape[0]):
        enter = splat(row, begin, dim)
        before, ends = zero, zero
        at = residues[i] * width
        for q in range(blocks):
            old = load(row, q * W, dim)
            value = maximum(shift_up(old, before), enter)
            value = subtract_saturating(add_saturating(value, lift), load(costs, at + q * W, dim))
            store(row, q * W, value)
            ends = maximum(ends, value)
            before = old
        e = np.int64(reduce_max(ends))
        if e >= 255 - bias:
            return -1
        again = max(again, max(0, e - leave))
        begin = max(0, max(base, again) - start)
    return again


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
def viterbi_filter(residues, scores, words, base, leave, start, row, dim):
    """Return the best path to C as a word, 32767 where it saturates.

    ``scores`` (symbols, padded M) int16, ``words`` (B, WORDS + log2 W, W); ``leave`` and ``start`` are scores, loops cost nothing.
    Chains of deletes are followed only in rows where one might win against a new begin, which is seldom.
    """
    W, width = len(dim), scores.shape[1]
    blocks, table = width // W, words.shape[1] * W
    never = splat(row, LOWEST, dim)
    for p in range(3 * blocks):
        store(row, p * W, never)
    again = LOWEST
    begin = base + start
    enter = splat(row, begin, dim)
    for i in range(residues.shape[0]):
        m_before, i_before, d_before, m_last, ends, deletes = never, never, never, never, never, never
        emit = residues[i] * width
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
        e = np.int64(reduce_max(ends))
        if e >= 32767:
            return 32767
        # A branch that is seldom taken lets the next row begin before this one's best is known.
        if e + leave > again:
            again = e + leave
            if again > base:
                begin = max(LOWEST, again + start)
                enter = splat(row, begin, dim)
        if np.int64(reduce_max(deletes)) > begin:
            _extend_deletes(words, row, blocks, table, dim)
    return again


@kernel
def composition_score(residues, odds, stay, start):
    """Return the log odds, against the background, of an HMM that switches between it and the model's composition.

    ``odds`` are those of the composition, ``stay`` and ``start`` the probabilities of background and composition; leaving
    one state goes to the other.
    """
    stay0, stay1 = stay[0], stay[1]
    leave0, leave1 = 1 - stay0, 1 - stay1
    a, b = start[0], start[1] * odds[residues[0]]
    log_scale = 0.0
    for i in range(1, residues.shape[0]):
        a, b = a * stay0 + b * leave1, (a * leave0 + b * stay1) * odds[residues[i]]
        if i & 15 == 0:
            total = a + b
            log_scale += np.log(total)
            a, b = a / total, b / total
    return log_scale + np.log(a + b)


@kernel
def composition_all(residues, offsets, which, odds, stays, start, scores):
    """Fill ``scores`` with :func:`composition_score` of the sequences ``which``."""
    for n in range(which.shape[0]):
        s = which[n]
        scores[n] = composition_score(residues[offsets[s] : offsets[s + 1]], odds, stays[n], start)


@kernel
def msv_all(residues, offsets, which, costs, bias, base, leave, start, row, scores, dim):
    """Fill ``scores`` with :func:`msv` of the sequences ``which``."""
    for n in range(which.shape[0]):
        s = which[n]
        scores[n] = msv(residues[offsets[s] : offsets[s + 1]], costs, bias, base, leave, start[n], row, dim)


@kernel
def viterbi_all(residues, offsets, which, emissions, words, base, leave, start, row, scores, dim):
    """Fill ``scores`` with :func:`viterbi_filter` of the sequences ``which``."""
    for n in range(which.shape[0]):
        s = which[n]
        target = residues[offsets[s] : offsets[s + 1]]
        scores[n] = viterbi_filter(target, emissions, words, base, leave, start[n], row, dim)
