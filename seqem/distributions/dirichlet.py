"""Probability vectors under a Dirichlet prior: the maximiser with fixed entries, and the log density."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqem.core.checks import at_least, spread
from seqem.shapes import Array, Mask


def check_alpha(prior: Any) -> None:
    """Refuse a Dirichlet parameter below one: such a density has no mode inside the simplex."""
    at_least(prior, 1.0, "Dirichlet prior")


def dirichlet_map(counts: Array, prior: Any, old: Array, kept: Mask) -> Array:
    """Return the rows that maximise sum (counts + alpha - 1) log p, shape (K, M).

    Entries that are zero in ``old`` are structural and stay zero, ``kept`` ones keep their value, the
    others share the remainder. A row without any pseudo-count stays as it is.
    """
    free = ~kept & (old > 0)
    weight = np.where(free, counts + (spread(prior, counts.shape, "prior") - 1.0), 0.0)
    total = weight.sum(axis=1, keepdims=True)
    share = np.where(free, old, 0.0).sum(axis=1, keepdims=True)
    return np.where(free & (total > 0), weight / np.where(total > 0, total, 1.0) * share, old)


def dirichlet_log_density(probs: Array, prior: Any) -> float:
    """Return sum (alpha - 1) log p over entries that are not structurally zero."""
    excess = spread(prior, probs.shape, "prior") - 1.0
    inside = (probs > 0) & (excess > 0)
    return float((excess[inside] * np.log(probs[inside])).sum())
