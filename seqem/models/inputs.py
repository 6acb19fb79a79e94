"""What users pass as a table of numbers, checked as scikit-learn checks it, with errors of the family."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from seqem.errors import DataError
from seqem.shapes import Array, Mask


def checked_rows(estimator: Any, X: Any, *, reset: bool, least: int = 1, allow_nan: bool = True) -> Array:
    """Return ``X`` as float64 rows (N, D); with ``reset`` the estimator learns names and number of the columns.

    Raises
    ------
    DataError
        Where X is no table of numbers, is too small, holds infinite numbers, or does not fit what was learned.
    """
    _refuse_infinite(X)
    finite = "allow-nan" if allow_nan else True
    try:
        rows: Array = validate_data(
            estimator, X, reset=reset, dtype=np.float64, order="C", ensure_all_finite=finite, ensure_min_samples=least
        )
    except ValueError as error:
        raise DataError(str(error)) from error
    return rows


def _refuse_infinite(X: Any) -> None:
    """Refuse infinite numbers by name of their column; what is no table of numbers is for others to refuse."""
    names = [str(c) for c in getattr(X, "columns", [])]
    table = X if isinstance(X, np.ndarray) else np.asarray(X) if names else None
    if table is None or table.ndim != 2 or table.dtype.kind != "f":
        return
    bad = np.argwhere(np.isinf(table))
    if len(bad):
        row, column = bad[0].tolist()
        raise DataError(f"X holds infinity in row {row}, column {names[column] if names else f'x{column}'}")


def silent_columns(x: Array) -> tuple[Mask, Mask]:
    """Return which columns of rows (N, D) hold no value, and which hold one only.

    Examples
    --------
    >>> empty, constant = silent_columns(np.array([[1.0, np.nan, 2.0], [1.0, np.nan, np.nan], [1.0, np.nan, 3.0]]))
    >>> empty.tolist(), constant.tolist()
    ([False, True, False], [True, False, False])
    """
    seen = ~np.isnan(x)
    empty = ~np.asarray(seen.any(axis=0))
    first = np.take_along_axis(x, seen.argmax(axis=0)[None], axis=0)
    return empty, ~empty & (np.where(seen, x, first) == first).all(axis=0)


def checked_weights(weights: Any, n_rows: int) -> Array | None:
    """Return sample weights as float64 (N,), None where there are none.

    Raises
    ------
    DataError
        Where they do not fit the rows, are negative, not finite, or all zero.
    """
    if weights is None:
        return None
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (n_rows,) or not np.isfinite(array).all() or (array < 0).any():
        raise DataError(
            "sample_weight does not fit", got=f"shape {array.shape}", expected=f"{n_rows} finite numbers >= 0"
        )
    if not array.any():
        raise DataError("sample_weight is zero for every row", expected="a positive weight")
    return array
