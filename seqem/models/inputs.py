"""What users pass as a table of numbers, checked as scikit-learn checks it, with errors of the family."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from seqem.errors import DataError
from seqem.shapes import Array


def checked_rows(estimator: Any, X: Any, *, reset: bool, least: int = 1, allow_nan: bool = True) -> Array:
    """Return ``X`` as float64 rows (N, D); with ``reset`` the estimator learns names and number of the columns.

    Raises
    ------
    DataError
        Where X is no table of numbers, is too small, holds infinite numbers, or does not fit what was learned.
    """
    finite = "allow-nan" if allow_nan else True
    try:
        rows: Array = validate_data(
            estimator, X, reset=reset, dtype=np.float64, order="C", ensure_all_finite=finite, ensure_min_samples=least
        )
    except ValueError as error:
        raise DataError(str(error)) from error
    return rows


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
