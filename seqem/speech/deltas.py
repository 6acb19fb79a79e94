"""Slopes of features over time."""

from __future__ import annotations

import numpy as np

from seqem.shapes import Array


def deltas(features: Array, window: int = 2) -> Array:
    """Return the regression slope of each feature over ``window`` frames to both sides (T, D); the ends are repeated.

    Examples
    --------
    >>> deltas(np.arange(5.0)[:, None])[:, 0].round(2).tolist()
    [0.5, 0.8, 1.0, 0.8, 0.5]
    """
    T = len(features)
    if not T:
        return np.zeros_like(features)
    padded = np.concatenate([features[:1]] * window + [features] + [features[-1:]] * window)
    steps = range(1, window + 1)
    total = sum(i * (padded[window + i : window + i + T] - padded[window - i : window - i + T]) for i in steps)
    return np.asarray(total / (2.0 * sum(i * i for i in steps)))


def with_deltas(features: Array, order: int = 2, window: int = 2) -> Array:
    """Return features beside their slopes, the slopes of those and so on, shape (T, D * (order + 1)).

    Examples
    --------
    >>> with_deltas(np.zeros((3, 13))).shape
    (3, 39)
    """
    parts = [features]
    for _ in range(order):
        parts.append(deltas(parts[-1], window))
    return np.concatenate(parts, axis=1)
