"""Residuals of a regression of a censored variable."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from seqem.plot.style import INK, PALETTE, legend_beside, new_axes


def censored_residuals(fitted: Any, residuals: Any, censored: Any, ax: Axes | None = None) -> Axes:
    """Draw standardised residuals over fitted values, those of censored rows as open circles at their expectation.

    Parameters
    ----------
    fitted : array, shape (N,)
        Means of the latent variable.
    residuals : array, shape (N,)
        Residuals in standard deviations; of a censored row, expected given that it is.
    censored : array of bool, shape (N,)
        Which rows are censored.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The picture.

    Examples
    --------
    >>> ax = censored_residuals([0.0, 1.0, 2.0], [-0.5, 0.3, 1.1], [True, False, False])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['observed', 'censored']
    """
    fitted, residuals, censored = np.asarray(fitted, float), np.asarray(residuals, float), np.asarray(censored, bool)
    if not fitted.shape == residuals.shape == censored.shape or fitted.ndim != 1:
        raise ValueError(f"got shapes {fitted.shape}, {residuals.shape}, {censored.shape}; expected (N,) of each")
    ax = new_axes(ax, 6.0, 4.0)
    ax.axhline(0.0, color=INK, linewidth=0.8)
    for reach in (-1.96, 1.96):
        ax.axhline(reach, color=INK, linewidth=0.8, linestyle=":")
    ax.plot(fitted[~censored], residuals[~censored], "o", color=PALETTE[0], markersize=4, alpha=0.6, label="observed")
    ax.plot(fitted[censored], residuals[censored], "o", color=PALETTE[5], mfc="none", markersize=4, label="censored")
    ax.set(xlabel="fitted latent mean", ylabel="residual in standard deviations")
    legend_beside(ax)
    return ax
