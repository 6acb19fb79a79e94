"""Sums of row weights by symbol code."""

from __future__ import annotations

from seqem.kernels._jit import kernel


@kernel
def add_by_code(codes, resp, out):  # type: ignore[no-untyped-def]
    """Add ``resp`` (N, K) to the rows ``codes`` (N,) of ``out`` (C, K)."""
    N, K = resp.shape
    for n in range(N):
        c = codes[n]
        for k in range(K):
            out[c, k] += resp[n, k]
