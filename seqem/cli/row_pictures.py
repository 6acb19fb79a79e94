"""Pictures of models of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from seqem.cli.options import listed, numbered

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from seqem.cli.rows import Rows


def clusters(estimator: Any, rows: Rows | None, columns: str | None) -> Axes:
    """Draw two columns of a Gaussian mixture, and its components in them."""
    import numpy as np

    from seqem.distributions.attributes import full_covariances
    from seqem.plot.clusters import cluster_ellipses

    if not hasattr(estimator, "means_") or not hasattr(estimator, "covariances_"):
        raise typer.BadParameter("--what clusters is of Gaussian mixtures")
    names, means, covariances = _names(estimator), estimator.means_, estimator.covariances_
    pair = [_place(name, names) for name in listed(columns) or ["0", "1"]]
    if len(pair) != 2 or len(names) < 2:
        raise typer.BadParameter("--what clusters wants two columns; choose them by --columns")
    if covariances.shape != (*means.shape, means.shape[1]):
        covariances = full_covariances(covariances, estimator.covariance_type, means.shape)
    points = None if rows is None else np.asarray(rows.X, float)[:, pair]
    labels = None if rows is None else estimator.predict(rows.X)
    across = covariances[:, pair][:, :, pair]
    return cluster_ellipses(means[:, pair], across, points, labels, [names[place] for place in pair])


def loadings(estimator: Any) -> Axes:
    """Draw the loadings of a factor model."""
    from seqem.plot.loadings import loadings_map

    if not hasattr(estimator, "loadings_") or estimator.loadings_.ndim != 2:
        raise typer.BadParameter("--what loadings is of factor-analysis and ppca")
    return loadings_map(estimator.loadings_, _names(estimator))


def residuals(estimator: Any, rows: Rows | None) -> Axes:
    """Draw the residuals of a censored regression."""
    import numpy as np

    from seqem.plot.residuals import censored_residuals

    if not hasattr(estimator, "residuals"):
        raise typer.BadParameter("--what residuals is of tobit")
    if rows is None:
        raise typer.BadParameter("--what residuals wants an INPUT")
    y = rows.of(estimator.residuals)["y"]
    bounds = estimator.bounds(y)
    return censored_residuals(
        estimator.predict(rows.X, "latent"), estimator.residuals(rows.X, y), np.not_equal(*bounds.T)
    )


def _names(estimator: Any) -> list[str]:
    return list(getattr(estimator, "feature_names_in_", map(str, range(estimator.n_features_in_))))


def _place(column: str, names: list[str]) -> int:
    place = column if column in names else numbered(column)
    if isinstance(place, str):
        if place not in names:
            raise typer.BadParameter(f"--columns: no column {place} among {', '.join(names)}")
        return names.index(place)
    if place >= len(names):
        raise typer.BadParameter(f"--columns: no column {place} among {len(names)}")
    return place
