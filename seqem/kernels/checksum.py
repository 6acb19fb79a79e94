"""One-at-a-time hash (Bob Jenkins) of a run of small codes, in 32 bits."""

from __future__ import annotations

import numpy as np

from seqem.kernels._jit import kernel


@kernel
def one_at_a_time(codes):  # type: ignore[no-untyped-def]
    """Return the 32-bit hash of ``codes`` (N,) of uint8."""
    mask = np.uint64(0xFFFFFFFF)
    value = np.uint64(0)
    for n in range(codes.shape[0]):
        value = (value + np.uint64(codes[n])) & mask
        value = (value + (value << np.uint64(10))) & mask
        value ^= value >> np.uint64(6)
    value = (value + (value << np.uint64(3))) & mask
    value ^= value >> np.uint64(11)
    return (value + (value << np.uint64(15))) & mask
