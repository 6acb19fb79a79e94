"""One decorator for every kernel: releases the GIL, caches on disk where it can, keeps infinities honest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

# Never full fastmath: it assumes no infinities, and logsumexp(-inf, -inf) would become NaN.
FLAGS = {"reassoc", "contract", "arcp", "nsz"}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile ``function`` as a kernel; without a writable cache it is compiled anew in each process."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": FLAGS, "boundscheck": False}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # numba: no locator available, the folder is not writable
        return njit(**options)(function)
