"""Quiet: which frames of recordings are pauses, before there is any model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqem.models.gaussian_mixture import GaussianMixture
from seqem.shapes import Array, Mask

_EDGE = 3
# How sure the edges of recordings must be of one kind of frame for that to be silence.
_SURE = 0.9
# Shorter silences, in frames, may be the closures of stops.
_SHORTEST = 8
_MOST_ROWS = 20_000


def quiet_frames(recordings: Sequence[Array], rng: np.random.Generator) -> list[Mask] | None:
    """Return which frames (T,) of each recording are pauses, or None where recordings do not begin and end with silence.

    Frames (T, D) fall into two kinds, by a mixture of two Gaussians; silence is what nearly all recordings begin and end with.
    """
    rows = np.concatenate(list(recordings))
    some = rows[:: -(-len(rows) // _MOST_ROWS)]
    if len(some) <= some.shape[1]:
        return None
    kinds = GaussianMixture(2, covariance_type="EEI", random_state=rng).fit(some)
    labels = [kinds.predict(frames) == 1 for frames in recordings]
    edges = np.concatenate([np.concatenate([part[:_EDGE], part[-_EDGE:]]) for part in labels])
    if not min(edges.mean(), 1 - edges.mean()) < 1 - _SURE:
        return None
    silent = edges.mean() > 0.5
    return [_long_runs(part == silent) for part in labels]


def _long_runs(mask: Mask) -> Mask:
    """Return the mask without runs that are too short."""
    change = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    out = np.zeros(len(mask), dtype=bool)
    for begin, end in change.reshape(-1, 2):
        out[begin:end] = end - begin >= _SHORTEST
    return out
