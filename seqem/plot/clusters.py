"""Rows in two columns and the components that explain them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse

from seqem.plot.style import INK, colours, legend_beside, new_axes

_LEVELS = (0.5, 0.95)


def cluster_ellipses(
    means: Any,
    covariances: Any,
    points: Any = None,
    labels: Any = None,
    columns: Sequence[str] = ("x0", "x1"),
    ax: Axes | None = None,
) -> Axes:
    """Draw the components of a two-dimensional Gaussian mixture as ellipses that hold half and 95 % of each.

    Parameters
    ----------
    means : array, shape (K, 2)
        Centres.
    covariances : array, shape (K, 2, 2)
        Covariances.
    points : array, shape (N, 2), optional
        Rows of the data; those with NaN are left out.
    labels : array of int, shape (N,), optional
        Component of each row, which gives it its colour.
    columns : sequence of str
        Names of the two columns.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The picture.

    Examples
    --------
    >>> ax = cluster_ellipses([[0.0, 0.0], [5.0, 5.0]], [np.eye(2), np.eye(2)], points=[[0.1, 0.2]], labels=[0])
    >>> len(ax.patches)
    4
    """
    means, covariances = np.asarray(means, float), np.asarray(covariances, float)
    K = len(means)
    if means.shape != (K, 2) or covariances.shape != (K, 2, 2):
        raise ValueError(f"got shapes {means.shape} and {covariances.shape}; expected (K, 2) and (K, 2, 2)")
    ax = new_axes(ax, 6.0, 4.5)
    palette = colours(K)
    if points is not None:
        points = np.asarray(points, float)
        shades = INK if labels is None else [palette[k] for k in np.asarray(labels)]
        ax.scatter(points[:, 0], points[:, 1], s=9, c=shades, alpha=0.45, linewidths=0)
    for k, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        for ellipse in _ellipses(mean, covariance, palette[k]):
            ax.add_patch(ellipse)
        ax.plot(mean[0], mean[1], "+", color=palette[k], markersize=9, markeredgewidth=2, label=f"component {k}")
    ax.autoscale_view()
    ax.set(xlabel=columns[0], ylabel=columns[1])
    legend_beside(ax)
    return ax


def _ellipses(mean: Any, covariance: Any, colour: str) -> list[Ellipse]:
    """Return the ellipses that hold the shares ``_LEVELS`` of a normal distribution: radius squared -2 log(1 - share)."""
    values, vectors = np.linalg.eigh(covariance)
    angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
    radii = [np.sqrt(-2 * np.log1p(-level)) for level in _LEVELS]
    sizes = [2 * radius * np.sqrt(values) for radius in radii]
    return [Ellipse(mean, size[1], size[0], angle=angle, fill=False, color=colour, linewidth=1.6) for size in sizes]
