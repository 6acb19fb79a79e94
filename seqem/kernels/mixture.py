"""Row-wise log-sum-exp over the M parts of K mixtures, cut around numpy's vectorised exp."""

from __future__ import annotations

import numpy as np

from seqem.kernels._jit import kernel


@kernel
def subtract_top(block, log_weights, top):  # type: ignore[no-untyped-def]
    """Add ``log_weights`` (K, M) to log-densities ``block`` (N, K * M), then move the largest of each mixture out.

    Fills ``top`` (N, K) with it; a mixture whose parts are all -inf has top 0 and keeps its -inf.
    """
    N, K = top.shape
    M = log_weights.shape[1]
    for n in range(N):
        for k in range(K):
            largest = -np.inf
            for m in range(M):
                value = block[n, k * M + m] + log_weights[k, m]
                block[n, k * M + m] = value
                largest = max(largest, value)
            if largest == -np.inf:
                largest = 0.0
            top[n, k] = largest
            for m in range(M):
                below = block[n, k * M + m] - largest
                # Subnormal numbers are slow: what is less than 1e-300 of the largest part becomes that.
                block[n, k * M + m] = max(below, -690.0) if below > -np.inf else below


@kernel
def add_parts(block, n_parts, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (N, K) with the sums of ``block`` (N, K * M) over the ``n_parts`` parts."""
    N, K = out.shape
    for n in range(N):
        for k in range(K):
            total = 0.0
            for m in range(n_parts):
                total += block[n, k * n_parts + m]
            out[n, k] = total


@kernel
def share_out(block, n_parts, resp):  # type: ignore[no-untyped-def]
    """Scale the parts of each mixture in ``block`` (N, K * M) to sum to ``resp`` (N, K); all zero stays zero."""
    N, K = resp.shape
    for n in range(N):
        for k in range(K):
            total = 0.0
            for m in range(n_parts):
                total += block[n, k * n_parts + m]
            factor = resp[n, k] / total if total > 0.0 else 0.0
            for m in range(n_parts):
                block[n, k * n_parts + m] *= factor


@kernel
def weigh(block, weights, totals, counts):  # type: ignore[no-untyped-def]
    """Fill ``totals`` (N,) with the sums of the rows of ``block`` (N, K) and scale them to sum to ``weights`` (N,).

    The scaled columns are added to ``counts`` (K,).
    """
    for n in range(block.shape[0]):
        total = 0.0
        for k in range(block.shape[1]):
            total += block[n, k]
        totals[n] = total
        factor = weights[n] / total if total > 0.0 else 0.0
        for k in range(block.shape[1]):
            value = block[n, k] * factor
            block[n, k] = value
            counts[k] += value
