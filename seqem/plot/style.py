"""Colours and axes that all pictures share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

# Okabe and Ito (2008): told apart with any colour vision; yellow last, as it is faint on white.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442")
INK = "#333333"


def colours(n: int) -> list[str]:
    """Return ``n`` colours, from a perceptual scale where the palette is too short.

    Examples
    --------
    >>> colours(2)
    ['#0072B2', '#E69F00']
    """
    if n <= len(PALETTE):
        return list(PALETTE[:n])
    return [to_hex(colormaps["viridis"](x)) for x in np.linspace(0, 1, n)]


def new_axes(ax: Axes | None, width: float = 7.0, height: float = 3.5) -> Axes:
    """Return ``ax``, or the axes of a new figure that belongs to no window."""
    if ax is None:
        ax = Figure(figsize=(width, height), layout="constrained").add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def state_names(names: Sequence[str] | None, n: int) -> list[str]:
    """Return one name a state, "state 0" and so on by default."""
    if names is not None and len(names) != n:
        raise ValueError(f"got {len(names)} names; expected {n}, one a state")
    return [f"state {k}" for k in range(n)] if names is None else [str(name) for name in names]


def legend_beside(ax: Axes) -> None:
    """Put the legend to the right of the picture, where it hides nothing."""
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, borderaxespad=0.0)
