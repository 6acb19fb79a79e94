"""The first filters of a search: ungapped segments in bytes (SSV, MSV), and the composition filter.

Scores count in steps of 1/3 bit as HMMER 3 has them, so that its statistics of random scores hold. Bytes hold costs from 0
to 255; a saturated score passes every threshold.
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
