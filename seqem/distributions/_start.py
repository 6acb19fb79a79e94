"""Where a fit may start: k-means++ centres of the rows."""

from __future__ import annotations

import numpy as np

from seqem.errors import DataError
from seqem.shapes import Array, IntArray

_ENOUGH = 10_000
"""Rows that k-means is given at most; a start needs no more."""


def _filled(x: Array) -> Array:
    """Return the rows that are not missing, NaN coordinates replaced by their column's mean."""
    rows = x[~np.isnan(x).all(axis=1)]
    if len(rows) == 0:
        raise DataError("every row is missing", expected="at least one observed row")
    seen = ~np.isnan(rows)
    mean = np.where(seen, rows, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return np.where(seen, rows, mean)


def centres(x: Array, n_components: int, rng: np.random.Generator) -> Array:
    """Return ``n_components`` centres (K, D), also where the data have fewer distinct rows."""
    return _cluster(_filled(x), n_components, rng)[0]


def labels(x: Array, n_components: int, rng: np.random.Generator) -> IntArray:
    """Return the nearest of ``n_components`` centres for every row, shape (N,); rows may hold NaN."""
    centre, middle = _cluster(_filled(x), n_components, rng)
    away = np.where(np.isnan(x), middle, x)
    distance = np.stack([np.square(away - c).sum(axis=1) for c in centre], axis=1)
    return distance.argmin(axis=1)


def _cluster(rows: Array, n_components: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return centres (K, D) and the mean row (D,)."""
    from sklearn.cluster import KMeans  # slow to import, needed only here
    from threadpoolctl import threadpool_limits

    middle = rows.mean(axis=0)
    if len(rows) > _ENOUGH:
        rows = rows[rng.choice(len(rows), _ENOUGH, replace=False)]
    distinct = np.unique(rows, axis=0)
    if len(distinct) > n_components:
        # More threads would add in another order: the start must not depend on the machine's load.
        with threadpool_limits(1):
            means = KMeans(n_components, n_init=3, random_state=int(rng.integers(2**31))).fit(rows - middle)
        return means.cluster_centers_ + middle, middle
    spread = rows.std(axis=0) + 1e-3 * (1.0 + np.abs(middle))
    repeated = distinct[np.arange(n_components) % len(distinct)]
    return repeated + 0.01 * spread * rng.standard_normal(repeated.shape), middle


def column_variance(x: Array) -> Array:
    """Return the variance of each column (D,) over its observed entries; 1 where there is none."""
    rows = _filled(x)
    variance = rows.var(axis=0)
    return np.where(variance > 0, variance, 1.0)
