"""Viterbi recursions: best path, k best paths. Log space throughout; ties go to the lower state.

``frames`` are log-likelihoods: (N, K) with ``symbols`` None, or a table (M, K) with ``symbols`` (N,). Back-pointers are
one byte for K <= 256, two beyond.
"""

import numpy as np

from seqem.kernels._jit import kernel
from seqem.kernels._rows import best


@kernel
def _frame(symbols, t):
    """Return which row of ``frames`` belongs to row t."""
    return t if symbols is None else np.int64(symbols[t])


@kernel
def forward(dim, frames, symbols, n_rows, begins, trans, vary, start, delta, pointers):
    """Walk ``n_rows`` rows; ``delta`` (2, K) holds at row 0 the best log scores of the row before, and in the end of the last.

    With ``begins`` the walk starts from ``start`` instead. Row t gets its back-pointers at ``pointers[t]``. ``trans`` is
    (1 or rows, K, K) in logs; with ``vary = 1`` ``trans[t]`` leads into row t.
    """
    first = 0
    if begins:
        for j in range(len(dim)):
            delta[0, j] = start[j] + frames[_frame(symbols, 0), j]
        first = 1
    here = 0
    for t in range(first, n_rows):
        best(dim, delta, here, trans, vary * t, frames, _frame(symbols, t), delta, 1 - here, pointers, t)
        here = 1 - here
    if here == 1:
        for j in range(len(dim)):
            delta[0, j] = delta[1, j]


@kernel
def trace(pointers, n_rows, state, path):
    """Fill ``path`` (n_rows,) from the state of its last row; return what the first row's back-pointer says."""
    for t in range(n_rows - 1, -1, -1):
        path[t] = state
        state = np.int64(pointers[t, state])
    return state


@kernel
def paths(dim, frames, symbols, offsets, trans, vary, start, end, delta, pointers, out, scores):
    """Fill the best paths ``out`` (N,) of ragged sequences and their log scores (S,); impossible ones become -1."""
    K = len(dim)
    for s in range(offsets.shape[0] - 1):
        lo, hi = offsets[s], offsets[s + 1]
        scores[s] = 0.0
        if hi == lo:
            continue
        if symbols is None:
            forward(dim, frames[lo:hi], None, hi - lo, True, trans, vary, start, delta, pointers)
        else:
            forward(dim, frames, symbols[lo:hi], hi - lo, True, trans, vary, start, delta, pointers)
        state = 0
        for j in range(1, K):
            if delta[0, j] + end[j] > delta[0, state] + end[state]:
                state = j
        scores[s] = delta[0, state] + end[state]
        if scores[s] == -np.inf:
            out[lo:hi] = -1
            continue
        # The first row has no back-pointer worth following.
        trace(pointers[1:], hi - lo - 1, state, out[lo + 1 : hi])
        if hi - lo > 1:
            state = np.int64(pointers[1, out[lo + 1]])
        out[lo] = state


@kernel
def k_best(frames, trans, vary, start, end, n_best, paths, scores):
    """Fill the ``n_best`` paths (n_best, T) and their log scores, best first; unfilled scores are -inf.

    Memory is T * K * n_best back-pointers of eight bytes.
    """
    T, K = frames.shape
    pointers = np.zeros((T, K, n_best), np.int32)
    ranks = np.zeros((T, K, n_best), np.int32)
    delta = np.full((K, n_best), -np.inf)
    fresh = np.empty((K, n_best))
    heads = np.empty(K, np.int64)
    for j in range(K):
        delta[j, 0] = start[j] + frames[0, j]
    for t in range(1, T):
        for j in range(K):
            # Each predecessor's list is sorted: merge the K lists, best head first.
            heads[:] = 0
            for n in range(n_best):
                top, origin = -np.inf, -1
                for i in range(K):
                    if heads[i] < n_best:
                        value = delta[i, heads[i]] + trans[vary * t, i, j]
                        if value > top:
                            top, origin = value, i
                fresh[j, n] = top + frames[t, j]
                if origin >= 0:
                    pointers[t, j, n], ranks[t, j, n] = origin, heads[origin]
                    heads[origin] += 1
        delta[:] = fresh
    heads[:] = 0
    for n in range(n_best):
        top, state = -np.inf, -1
        for j in range(K):
            if heads[j] < n_best and delta[j, heads[j]] + end[j] > top:
                top, state = delta[j, heads[j]] + end[j], j
        scores[n] = top
        if state < 0:
            continue
        rank = heads[state]
        heads[state] += 1
        for t in range(T - 1, -1, -1):
            paths[n, t] = state
            state, rank = pointers[t, state, rank], ranks[t, state, rank]
