"""Roots of decreasing functions of a positive number, many at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqem.shapes import Array


def newton_log(
    function: Callable[[Array], Array],
    slope: Callable[[Array], Array],
    start: Array,
    bounds: tuple[float, float],
) -> Array:
    """Return where decreasing ``function`` crosses zero within ``bounds``, entry by entry.

    Newton steps in log x (``slope`` is the derivative by log x), halving the bracket wherever a step
    leaves it; an entry without a sign change ends at the nearer bound.

    Examples
    --------
    >>> newton_log(lambda x: 2.0 - x, lambda x: -x, np.ones(1), (1e-3, 1e3)).round(6).tolist()
    [2.0]
    """
    low, high = (np.full(start.shape, np.log(b)) for b in bounds)
    at = np.clip(np.log(start), low, high)
    for _ in range(100):
        x = np.exp(at)
        value = function(x)
        low, high = np.where(value > 0, at, low), np.where(value < 0, at, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            new = at - value / slope(x)
        new = np.where((new > low) & (new < high), new, 0.5 * (low + high))
        new = np.where(value == 0, at, new)
        moved = np.abs(new - at).max(initial=0.0)
        at = new
        if moved < 1e-13:
            break
    return np.exp(at)
