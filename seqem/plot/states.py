"""Which state a sequence is in, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from seqem.plot.style import colours, legend_beside, new_axes, state_names

_MOST_BINS = 1500
_RIBBON = (1.04, 1.12)
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def state_posteriors(
    posterior: Any,
    path: Any = None,
    ax: Axes | None = None,
    x: Any = None,
    names: Sequence[str] | None = None,
) -> Axes:
    """Draw posterior probabilities as stacked areas, with a decoded path as a ribbon above them.

    Long sequences are drawn in bins of steps: the mean posterior and the commonest state of each.

    Parameters
    ----------
    posterior : array, shape (T, K)
        Probability of each state at each step.
    path : array of int, shape (T,), optional
        The decoded states.
    ax : Axes, optional
        Where to draw; a new figure by default.
    x : array, shape (T,), optional
        Increasing place of each step; its number by default.
    names : sequence of str, optional
        Name of each state.

    Returns
    -------
    Axes
        The picture.

    Examples
    --------
    >>> ax = state_posteriors(np.array([[0.9, 0.1], [0.2, 0.8]]), path=[0, 1])
    >>> ax.get_ylabel()
    'posterior probability'
    """
    posterior = np.asarray(posterior, float)
    if posterior.ndim != 2 or not posterior.size:
        raise ValueError(f"got a posterior of shape {posterior.shape}; expected (T, K) with T and K at least 1")
    n_steps, n_states = posterior.shape
    places = np.arange(n_steps, dtype=float) if x is None else np.asarray(x, float)
    starts = _bins(n_steps)
    ax = new_axes(ax, 9.0, 2.8)
    palette = colours(n_states)
    edges = _edges(places, starts)
    heights = np.vstack([np.zeros(len(starts)), np.cumsum(_means(posterior, starts), axis=0)])
    for k, name in enumerate(state_names(names, n_states)):
        area: dict[str, Any] = {"fill": True, "linewidth": 0, "antialiased": False, "color": palette[k]}
        ax.stairs(heights[k + 1], edges, baseline=heights[k], label=name, **area)
    ax.set_yticks(_TICKS)
    if path is not None:
        shares = _means(np.asarray(path)[:, None] == np.arange(n_states), starts)
        _ribbon(ax, edges, shares.argmax(axis=0), palette)
    ax.set(xlabel="step" if x is None else "", ylabel="posterior probability")
    ax.set(xlim=(edges[0], edges[-1]), ylim=(0, 1 if path is None else _RIBBON[1]))
    legend_beside(ax)
    return ax


def _bins(n_steps: int) -> Any:
    """Return the first step of each bin."""
    return np.unique(np.linspace(0, n_steps, min(n_steps, _MOST_BINS), endpoint=False).astype(int))


def _means(columns: Any, starts: Any) -> Any:
    """Return the mean of each column over each bin, shape (columns, bins)."""
    sizes = np.diff(np.append(starts, len(columns)))
    return (np.add.reduceat(columns.astype(float), starts, axis=0) / sizes[:, None]).T


def _edges(places: Any, starts: Any) -> Any:
    """Return the edges of the bins, half way between neighbouring steps."""
    if len(places) == 1:
        return places[0] + np.array([-0.5, 0.5])
    middles = (places[1:] + places[:-1]) / 2
    first, last = 2 * places[0] - middles[0], 2 * places[-1] - middles[-1]
    return np.concatenate(([first], middles[starts[1:] - 1], [last]))


def _ribbon(ax: Axes, edges: Any, states: Any, palette: list[str]) -> None:
    shades = ListedColormap(palette)
    ax.pcolormesh(edges, _RIBBON, states[None, :], cmap=shades, vmin=-0.5, vmax=len(palette) - 0.5, rasterized=True)
    ax.set_yticks([*_TICKS, sum(_RIBBON) / 2], [*map(str, _TICKS), "path"])
