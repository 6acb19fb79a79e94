"""What is known of a censored variable: lower and upper bounds of each row."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import column_or_1d

from seqem.errors import DataError, ParameterError
from seqem.shapes import Array


def bounds_of(y: Any, left: float, right: float, n_rows: int) -> Array:
    """Return bounds (N, 2) from values censored at limits, or from bounds as they are.

    Raises
    ------
    DataError, ParameterError
        Where y does not fit the rows, holds NaN, or bounds are out of order.

    Examples
    --------
    >>> bounds_of([0.0, 2.0], 0.0, np.inf, 2).tolist()
    [[-inf, 0.0], [2.0, 2.0]]
    """
    if y is None:
        raise DataError("this estimator requires y to be passed, but the target y is None")
    if not left < right:
        raise ParameterError("limits are out of order", got=(left, right), expected="left < right")
    values = np.asarray(y)
    bounds = values.astype(np.float64) if values.ndim == 2 and values.shape[1] == 2 else _censored(values, left, right)
    if len(bounds) != n_rows:
        raise DataError("X and y have inconsistent numbers of samples", got=f"{n_rows} and {len(bounds)}")
    low, high = bounds.T
    bad = np.flatnonzero(np.isnan(bounds).any(axis=1) | ~(low <= high) | (low == np.inf) | (high == -np.inf))
    if len(bad):
        raise DataError(
            f"bounds of row {bad[0]} are out of order", got=bounds[bad[0]].tolist(), expected="lower <= upper"
        )
    return bounds


def _censored(values: Any, left: float, right: float) -> Array:
    try:
        column = column_or_1d(values, warn=True).astype(np.float64)
    except ValueError as error:
        raise DataError(str(error)) from error
    if not np.isfinite(column).all():
        raise DataError("y holds NaN or infinity", hint="give bounds of shape (N, 2) for open intervals")
    low = np.where(column <= left, -np.inf, np.minimum(column, right))
    high = np.where(column >= right, np.inf, np.maximum(column, left))
    return np.column_stack([low, high])


def refuse_open(design: Array, bounds: Array, names: list[str]) -> None:
    """Refuse data that leave parameters open: all rows censored, or collinear regressors, by name."""
    if not np.isfinite(bounds).all(axis=1).any():
        raise DataError(
            "every row is censored", got=f"{len(bounds)} rows beyond the limits", expected="some observed values",
            hint="change left and right",
        )  # fmt: skip
    N, P = design.shape
    if N < P:
        raise DataError("fewer rows than coefficients", got=f"n_samples = {N}", expected=f"at least {P}")
    size = np.sqrt(np.square(design).sum(axis=0))
    diagonal = np.diag(np.linalg.qr(design / np.where(size > 0, size, 1.0), mode="r"))
    lost = np.flatnonzero(np.abs(diagonal) < 1e-10)
    if len(lost):
        columns = [names[c] if c < len(names) else f"column {c}" for c in lost.tolist()]
        raise DataError(
            "regressors are collinear", got=f"{', '.join(columns)} given the columns before",
            hint="leave them out; the intercept is the last column",
        )  # fmt: skip
