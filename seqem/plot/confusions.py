"""What is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from seqem.plot.style import INK, new_axes

_MOST_NUMBERS = 20
_MOST_NAMES = 80
_MOST_LETTERS = 40


def confusion_matrix(
    counts: Any, said: Sequence[str], heard: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how often each of what was said was heard as each, shaded by the share of its row.

    Parameters
    ----------
    counts : array, shape (R, C)
        Row i holds how often ``said[i]`` was heard as each of ``heard``.
    said : sequence of str
        Name of each row.
    heard : sequence of str, optional
        Name of each column; by default those of the rows.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The picture, with numbers where there is room for them; what was heard as said is blue, errors are orange.

    Examples
    --------
    >>> ax = confusion_matrix([[9, 1], [0, 8]], ["yes", "no"])
    >>> [text.get_text() for text in ax.texts]
    ['9', '1', '8']
    """
    counts, heard = np.asarray(counts), said if heard is None else heard
    if counts.ndim != 2 or counts.shape != (len(said), len(heard)) or not counts.size:
        raise ValueError(f"got counts of shape {counts.shape}; expected ({len(said)}, {len(heard)}), one at least")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right = np.array([[a == b for b in heard] for a in said])
    longest = max(map(len, [*said, *heard]))
    size = [1.6 + 0.06 * longest + min(0.55 * n, 11.0) for n in counts.shape]
    ax = new_axes(ax, size[1], size[0])
    for mask, shade in ((~right, "Oranges"), (right, "Blues")):
        ax.imshow(np.ma.masked_array(shares, ~mask | (counts == 0)), cmap=shade, vmin=0, vmax=1, aspect="equal")
    if max(counts.shape) <= _MOST_NUMBERS:
        _write_numbers(ax, counts, shares)
    for axis, names in ((ax.xaxis, heard), (ax.yaxis, said)):
        every = range(0, len(names), -(-len(names) // _MOST_NAMES))
        axis.set_ticks(every, [names[i] for i in every], parse_math=False)
    if sum(map(len, heard)) > _MOST_LETTERS or longest > 5:
        ax.tick_params(axis="x", rotation=90)
    _separate(ax, counts.shape)
    ax.set(xlabel="heard", ylabel="said")
    return ax


def _write_numbers(ax: Axes, counts: Any, shares: Any) -> None:
    for (i, j), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[i, j] > 0.6 else INK
            ax.text(j, i, f"{count:g}", ha="center", va="center", fontsize="small", color=colour)


def _separate(ax: Axes, shape: tuple[int, ...]) -> None:
    """Draw thin lines between the cells."""
    ax.set_xticks(np.arange(shape[1] + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(shape[0] + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="#dddddd", linewidth=0.6)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
