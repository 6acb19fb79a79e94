"""Random probabilities for a fit to begin with."""

from __future__ import annotations

import numpy as np

from seqem.shapes import AnyArray, Array

_STAY = 0.95


def random_rows(mask: AnyArray, rng: np.random.Generator) -> Array:
    """Return random probability rows with support ``mask``, none of them close to a corner."""
    rows = np.where(mask, 0.5 + rng.random(mask.shape), 0.0)
    return rows / rows.sum(1, keepdims=True)


def persistent_rows(mask: AnyArray, rng: np.random.Generator) -> Array:
    """Return random transitions that mostly stay: from restless starts EM finds restless optima."""
    rows = random_rows(mask, rng)
    stays = _STAY * np.diagonal(mask)[:, None]
    return stays * np.eye(len(mask)) + (1 - stays) * rows
