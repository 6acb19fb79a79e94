"""Topologies: which transitions a chain may have at all, as boolean masks."""

from __future__ import annotations

import numpy as np

from seqem.errors import ParameterError
from seqem.shapes import AnyArray, Mask

NAMES = ("ergodic", "left-right", "bakis", "cyclic")


def transition_mask(topology: str | AnyArray, n_states: int) -> Mask:
    """Return which transitions are allowed, shape (K, K).

    Parameters
    ----------
    topology : {"ergodic", "left-right", "bakis", "cyclic"} or array of bool, shape (K, K)
        Left-right goes to any later state, Bakis at most two states on, cyclic to the next state and round.
    n_states : int
        K.

    Examples
    --------
    >>> transition_mask("bakis", 4).astype(int).tolist()
    [[1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]]
    """
    if not isinstance(topology, str):
        mask = np.asarray(topology, dtype=bool)
        if mask.shape != (n_states, n_states) or not mask.any(axis=1).all():
            raise ParameterError(
                "topology mask does not fit",
                got=mask.shape,
                expected=f"({n_states}, {n_states}) with a way out of each state",
            )
        return mask
    ahead = np.arange(n_states)[None, :] - np.arange(n_states)[:, None]
    if topology == "ergodic":
        return np.ones((n_states, n_states), dtype=bool)
    if topology == "left-right":
        return ahead >= 0
    if topology == "bakis":
        return (ahead >= 0) & (ahead <= 2)
    if topology == "cyclic":
        return np.isin(ahead % n_states, (0, 1))
    raise ParameterError("unknown topology", got=repr(topology), expected=f"one of {', '.join(NAMES)} or a mask")


def start_mask(topology: str | AnyArray, n_states: int) -> Mask:
    """Return the states in which a chain may start, shape (K,): the first only for left-right and Bakis."""
    mask = np.ones(n_states, dtype=bool)
    if isinstance(topology, str) and topology in ("left-right", "bakis"):
        mask[1:] = False
    return mask
