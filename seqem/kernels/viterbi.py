"""Viterbi recursions: best path, k best paths. Log space throughout; ties go to the lower state.

``frames`` are log-likelihoods: (N, K) with ``symbols`` None, or a table (M, K) with ``symbols`` (N,). Back-pointers are
one byte for K <= 256, two beyond.
"""

import numpy as np

from seqem.kernels._jit import kernel
from seqem.kernels._simd import best


@kernel
def _add_frame(dim, frames, symbols, t, delta, row):
    frame = t if symbols is None else symbols[t]
    for j in range(len(dim)):
        delta[row, j] += frames[frame, j]


@kernel
def forward(dim, frames, symbols, first, last, trans, vary, start, delta, pointers):
    """Walk rows ``first`` to ``last`` (exclusive); ``delta`` (2, K) holds the best log scores of row ``first - 1`` at row 0.

    At ``first == 0`` the walk begins from ``start``. ``pointers`` (rows, K) gets row t at ``t - first``. ``trans``
    (1 or rows, K, K) in logs; with ``vary = 1`` ``trans[t - first]`` leads into row t. The scores end in ``delta[0]``.
    """
    K = len(dim)
    begin = first
    if first == 0:
        for j in range(K):
            delta[0, j] = start[j]
        _add_frame(dim, frames, symbols, 0, delta, 0)
        begin = 1
    here = 0
    for t in range(begin, last):
        best(dim, delta, here, trans, vary * (t - first), delta, 1 - here, pointers, t - first)
        here = 1 - here
        _add_frame(dim, frames, symbols, t, delta, here)
    if here == 1:
        for j in range(K):
            delta[0, j] = delta[1, j]


@kernel
def trace(pointers, first, last, state, path):
    """Fill ``path[first:last]`` from the state of row ``last - 1``; return the state of row ``first - 1`` (or of row 0)."""
    for t in range(last - 1, first - 1, -1):
        path[t] = state
        if t > 0:
            state = pointers[t - first, state]
    return state


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
