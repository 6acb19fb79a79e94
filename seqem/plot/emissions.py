"""What each state emits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from seqem.plot.style import INK, colours, legend_beside, new_axes, state_names

_FEW_SYMBOLS = 30


def emission_bars(
    probabilities: Any, symbols: Sequence[str] | None = None, names: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the probabilities of symbols as groups of bars, one bar a state.

    Parameters
    ----------
    probabilities : array, shape (K, M)
        Row k holds the probabilities of state k.
    symbols : sequence of str, optional
        Name of each symbol, such as "ACGT"; its number by default.
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
    >>> ax = emission_bars([[0.4, 0.1, 0.1, 0.4], [0.1, 0.4, 0.4, 0.1]], symbols="ACGT")
    >>> len(ax.patches)
    8
    """
    probabilities = np.asarray(probabilities, float)
    if probabilities.ndim != 2 or not probabilities.size:
        raise ValueError(f"got probabilities of shape {probabilities.shape}; expected (K, M)")
    n_states, n_symbols = probabilities.shape
    if symbols is not None and len(symbols) != n_symbols:
        raise ValueError(f"got {len(symbols)} symbols; expected {n_symbols}")
    ax = new_axes(ax, min(3.0 + 0.12 * n_states * n_symbols, 11.0), 3.2)
    width = 0.8 / n_states
    for k, (name, colour) in enumerate(zip(state_names(names, n_states), colours(n_states), strict=True)):
        places = np.arange(n_symbols) + (k - (n_states - 1) / 2) * width
        ax.bar(places, probabilities[k], width, color=colour, label=name)
    every = range(0, n_symbols, -(-n_symbols // _FEW_SYMBOLS))
    ax.set_xticks(every, [str(m) if symbols is None else symbols[m] for m in every])
    ax.set(xlabel="symbol", ylabel="probability", xlim=(-0.6, n_symbols - 0.4))
    ax.tick_params(axis="x", length=0)
    legend_beside(ax)
    return ax


def emission_densities(
    grid: Any,
    densities: Any,
    data: Any = None,
    weights: Any = None,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one-dimensional densities as lines over a histogram of the data.

    Parameters
    ----------
    grid : array, shape (G,)
        Increasing points.
    densities : array, shape (K, G)
        Density of each state at the points.
    data : array, optional
        Observations; NaN are left out.
    weights : array, shape (K,), optional
        Share of each state; with it densities are drawn times their share, and their sum as a dashed line.
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
    >>> ax = emission_densities([0.0, 1.0, 2.0], [[0.2, 0.5, 0.2], [0.1, 0.1, 0.6]], weights=[0.5, 0.5])
    >>> [line.get_label() for line in ax.lines]
    ['state 0', 'state 1', 'all states']
    """
    grid, densities = np.asarray(grid, float), np.asarray(densities, float)
    if densities.ndim != 2 or grid.shape != densities.shape[1:]:
        raise ValueError(f"got shapes {grid.shape} and {densities.shape}; expected (G,) and (K, G)")
    n_states = len(densities)
    ax = new_axes(ax)
    if data is not None:
        values = np.ravel(np.asarray(data, float))
        ax.hist(values[np.isfinite(values)], bins="auto", density=True, color="#D9D9D9", label="data")
    heights = densities if weights is None else densities * np.asarray(weights, float)[:, None]
    for name, colour, height in zip(state_names(names, n_states), colours(n_states), heights, strict=True):
        ax.plot(grid, height, color=colour, linewidth=1.8, label=name)
        ax.fill_between(grid, height, color=colour, alpha=0.15, linewidth=0)
    if weights is not None:
        ax.plot(grid, heights.sum(axis=0), "--", color=INK, linewidth=1.3, label="all states")
    ax.set(xlabel="value", ylabel="density", xlim=(grid[0], grid[-1]), ylim=(0, None))
    legend_beside(ax)
    return ax
