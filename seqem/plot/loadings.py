"""Loadings of factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from seqem.plot.style import INK, new_axes

_MOST_NUMBERS = 30


def loadings_map(loadings: Any, columns: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Draw loadings as a map, blue where positive and red where negative.

    Parameters
    ----------
    loadings : array, shape (D, q)
        Loading of each column on each factor.
    columns : sequence of str, optional
        Names of the columns; their numbers by default.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The picture.

    Examples
    --------
    >>> ax = loadings_map([[0.9, 0.0], [0.8, -0.1], [0.1, 0.7]], columns=["a", "b", "c"])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['a', 'b', 'c']
    """
    loadings = np.asarray(loadings, float)
    if loadings.ndim != 2 or (columns is not None and len(columns) != len(loadings)):
        raise ValueError(f"got loadings of shape {loadings.shape}; expected (D, q) and D names")
    D, q = loadings.shape
    ax = new_axes(ax, 2.0 + 0.7 * q, 1.4 + min(0.3 * D, 9.0))
    reach = float(np.abs(loadings).max()) or 1.0
    image = ax.imshow(loadings, cmap="RdBu", vmin=-reach, vmax=reach, aspect="auto")
    if D <= _MOST_NUMBERS:
        for (d, k), value in np.ndenumerate(loadings):
            shade = "white" if abs(value) > 0.6 * reach else INK
            ax.text(k, d, f"{value:.2f}", ha="center", va="center", fontsize="small", color=shade)
        ax.set_yticks(range(D), [str(d) for d in range(D)] if columns is None else list(columns))
    else:
        ax.figure.colorbar(image, ax=ax, label="loading", shrink=0.8)
    ax.set_xticks(range(q), [str(k) for k in range(q)])
    ax.set(xlabel="factor", ylabel="column")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return ax
