"""Transition probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from seqem.plot.style import INK, new_axes, state_names

_MOST_NUMBERS = 12
_MOST_LETTERS = 40


def transition_matrix(trans: Any, names: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Draw transition probabilities as a heat map, with numbers where there is room for them.

    Parameters
    ----------
    trans : array, shape (K, K)
        Row i holds the probabilities from state i.
    names : sequence of str, optional
        Name of each state.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The picture.

    Examples
    --------
    >>> ax = transition_matrix([[0.95, 0.05], [0.1, 0.9]], names=["fair", "loaded"])
    >>> [text.get_text() for text in ax.texts]
    ['0.95', '0.05', '0.1', '0.9']
    """
    trans = np.asarray(trans, float)
    n = len(trans)
    if trans.shape != (n, n) or not n:
        raise ValueError(f"got a matrix of shape {trans.shape}; expected (K, K)")
    labels = state_names(names, n)
    ax = new_axes(ax, *(2.2 + min(0.65 * n, 6.5),) * 2)
    image = ax.imshow(trans, cmap="Blues", vmin=0, vmax=1)
    if n <= _MOST_NUMBERS:
        _write_numbers(ax, trans)
    else:
        ax.figure.colorbar(image, ax=ax, label="probability", shrink=0.8)
    every = range(0, n, -(-n // 25))
    ax.set_xticks(every, [labels[k] for k in every])
    if n * max(map(len, labels)) > _MOST_LETTERS:
        ax.tick_params(axis="x", rotation=90)
    ax.set_yticks(every, [labels[k] for k in every])
    ax.set(xlabel="to", ylabel="from")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return ax


def _write_numbers(ax: Axes, trans: Any) -> None:
    for (i, j), p in np.ndenumerate(trans):
        ax.text(j, i, f"{p:.2g}", ha="center", va="center", fontsize="small", color="white" if p > 0.6 else INK)
