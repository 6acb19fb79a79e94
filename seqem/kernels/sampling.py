"""State paths drawn with uniforms that the caller supplies."""

import numpy as np

from seqem.kernels._jit import kernel


@kernel
def _draw(weights, u):
    """Return the index that ``u`` in [0, 1) picks from unnormalised weights."""
    target = u * np.sum(weights)
    running, last = 0.0, 0
    for j in range(weights.shape[0]):
        if weights[j] > 0.0:
            running += weights[j]
            last = j
            if running > target:
                return j
    return last


@kernel
def posterior_paths(alpha, trans, vary, end, uniforms, paths):
    """Fill ``paths`` (n, T) with draws from the posterior of paths, backwards from filtered ``alpha`` (T, K)."""
    T, K = alpha.shape
    weights = np.empty(K)
    for n in range(paths.shape[0]):
        for j in range(K):
            weights[j] = alpha[T - 1, j] * end[j]
        paths[n, T - 1] = _draw(weights, uniforms[n, T - 1])
        for t in range(T - 2, -1, -1):
            after = paths[n, t + 1]
            for j in range(K):
                weights[j] = alpha[t, j] * trans[vary * (t + 1), j, after]
            paths[n, t] = _draw(weights, uniforms[n, t])


@kernel
def prior_path(start, trans, end, uniforms, path):
    """Fill ``path`` from the chain itself; return its length, shorter than ``path`` where an end was drawn.

    A row of ``trans`` and its entry of ``end`` (K,) are drawn from together; without ends pass zeros.
    """
    K = trans.shape[0]
    path[0] = _draw(start, uniforms[0])
    row = np.empty(K + 1)
    for t in range(1, path.shape[0]):
        for j in range(K):
            row[j] = trans[path[t - 1], j]
        row[K] = end[path[t - 1]]
        state = _draw(row, uniforms[t])
        if state == K:
            return t
        path[t] = state
    return path.shape[0]
