"""How EM climbs: the way of the parameters over the likelihood, and the bounds it climbs by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from seqem.plot.style import INK, colours, legend_beside, new_axes

_CONTOURS = 14


def parameter_path(
    x: Any,
    y: Any,
    surface: Any,
    paths: Mapping[str, Any],
    names: Sequence[str] = ("first", "second"),
    ax: Axes | None = None,
) -> Axes:
    """Draw the ways of two parameters over contours of the objective, which are closer together near its top.

    Parameters
    ----------
    x, y : array, shape (X,), (Y,)
        Values of the two parameters.
    surface : array, shape (Y, X)
        Objective at each pair.
    paths : mapping of str to array, shape (T, 2)
        Parameters after each iteration, of each method.
    names : sequence of str
        Of the two parameters.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The picture.

    Examples
    --------
    >>> grid = np.linspace(-1, 1, 5)
    >>> ax = parameter_path(grid, grid, -np.add.outer(grid**2, grid**2), {"em": [[1.0, 1.0], [0.2, 0.1]]})
    >>> [line.get_label() for line in ax.lines]
    ['em']
    """
    surface = np.asarray(surface, float)
    if surface.shape != (len(y), len(x)):
        raise ValueError(f"got a surface of shape {surface.shape}; expected {(len(y), len(x))}")
    ax = new_axes(ax, 6.0, 4.5)
    depth = np.nanmax(surface) - np.nanmin(surface[np.isfinite(surface)])
    levels = np.nanmax(surface) - depth * np.linspace(1.0, 0.02, _CONTOURS) ** 3
    ax.contour(x, y, surface, levels=levels, colors=INK, linewidths=0.6, linestyles="solid", alpha=0.5)
    for (name, path), colour in zip(paths.items(), colours(len(paths)), strict=True):
        way = np.asarray(path, float)
        ax.plot(*way.T, "o-", color=colour, markersize=3.5, linewidth=1.4, label=name)
    ax.set(xlabel=names[0], ylabel=names[1], xlim=(np.min(x), np.max(x)), ylim=(np.min(y), np.max(y)))
    legend_beside(ax)
    return ax


def touching_bounds(
    grid: Any, objective: Any, bounds: Mapping[float, Any], name: str = "parameter", ax: Axes | None = None
) -> Axes:
    """Draw the objective along one parameter and, below it, the free energies of E-steps, which touch it where they were taken.

    Parameters
    ----------
    grid : array, shape (G,)
        Values of the parameter.
    objective : array, shape (G,)
        Log-likelihood at each.
    bounds : mapping of float to array, shape (G,)
        Where an E-step was taken, and its free energy at each value.
    name : str
        Of the parameter.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The picture.

    Examples
    --------
    >>> ax = touching_bounds([0.0, 1.0, 2.0], [-3.0, -1.0, -2.0], {1.0: [-4.0, -1.0, -3.0]})
    >>> [line.get_label() for line in ax.lines][:2]
    ['log-likelihood', 'bound at 1']
    """
    grid, objective = np.asarray(grid, float), np.asarray(objective, float)
    ax = new_axes(ax, 6.0, 4.0)
    ax.plot(grid, objective, color=INK, linewidth=2.0, label="log-likelihood")
    for (place, bound), colour in zip(bounds.items(), colours(len(bounds)), strict=True):
        ax.plot(grid, np.asarray(bound, float), color=colour, linewidth=1.4, label=f"bound at {place:.3g}")
        ax.plot(place, np.interp(place, grid, objective), "o", color=colour, markersize=5)
    low, high = objective.min(), objective.max()
    ax.set(xlabel=name, ylabel="log-likelihood", ylim=(low - 0.05 * (high - low), high + 0.05 * (high - low)))
    legend_beside(ax)
    return ax
