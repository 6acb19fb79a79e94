"""How a fit went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from seqem.plot.style import colours, legend_beside, new_axes


def training_curve(objectives: Sequence[Any] | Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Draw the objective of each iteration, one line a run, with a dot at the end of each.

    Parameters
    ----------
    objectives : sequence of float, sequence of sequences, or mapping of name to sequence
        The objective after each iteration of one run or of several.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The picture.

    Examples
    --------
    >>> training_curve([-30.0, -21.0, -20.5]).get_xlabel()
    'iteration'
    """
    runs = _runs(objectives)
    ax = new_axes(ax, 6.0, 3.5)
    for (name, values), colour in zip(runs.items(), colours(len(runs)), strict=True):
        steps = np.arange(1, len(values) + 1)
        ax.plot(steps, values, color=colour, linewidth=1.8, label=name)
        ax.plot(steps[-1:], values[-1:], "o", color=colour, markersize=5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="iteration", ylabel="objective")
    ax.grid(axis="y", alpha=0.25)
    if len(runs) > 1:
        legend_beside(ax)
    return ax


def _runs(objectives: Any) -> dict[str, Any]:
    if isinstance(objectives, Mapping):
        return {str(name): np.asarray(values, float) for name, values in objectives.items()}
    if len(objectives) and np.ndim(objectives[0]):
        return {f"run {r}": np.asarray(values, float) for r, values in enumerate(objectives)}
    return {"": np.asarray(objectives, float)}
