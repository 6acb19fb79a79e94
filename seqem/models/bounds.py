"""What is known of a censored variable: lower and upper bounds of each row, and whether they tell the parameters."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import linprog
from sklearn.utils.validation import column_or_1d

from seqem.errors import DataError, DegenerateWarning, ParameterError
from seqem.shapes import Array

_SURE = 1e-6  # smallest eigenvalue of a correlation matrix that needs no closer look
_NULL = 1e-9
_GROWS = 1e-7


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
    bad = np.flatnonzero(~np.isfinite(column))
    if len(bad):
        raise DataError(
            f"y holds NaN or infinity in row {bad[0]}", got=column[bad[0]], expected="finite numbers",
            hint="give bounds of shape (N, 2) for open intervals",
        )  # fmt: skip
    low = np.where(column <= left, -np.inf, np.minimum(column, right))
    high = np.where(column >= right, np.inf, np.maximum(column, left))
    return np.column_stack([low, high])


def values_of(bounds: Array) -> Array:
    """Return one number for each row: what was observed, the middle of an interval, the finite bound, or 0."""
    low, high = bounds.T
    has_low, has_high = np.isfinite(low), np.isfinite(high)
    low, high = np.where(has_low, low, 0.0), np.where(has_high, high, 0.0)
    return np.where(has_low & has_high, low + 0.5 * (high - low), low + high)


def refuse_open(design: Array, bounds: Array, names: Sequence[str]) -> None:
    """Refuse data whose likelihood has no maximum, or no single one, and warn of a perfect fit; ``names`` are those of the columns.

    Beyond collinear columns: the likelihood is concave in ``coef / scale`` and ``1 / scale`` (Olsen 1978), so that it has a maximum
    unless it never falls along some direction. Observed rows fall along all directions that move their residuals; what is left is
    a linear programme over the censored ones.

    Raises
    ------
    DataError
        Where every row is censored on one side, columns are collinear, or separate censored rows from observed ones.
    """
    low, high = bounds.T
    if not np.isfinite(bounds).all(axis=1).any():
        raise DataError(
            "every row is censored", got=f"{len(bounds)} rows beyond the limits", expected="some observed values",
            hint="change left and right",
        )  # fmt: skip
    N, P = design.shape
    if N < P:
        raise DataError("fewer rows than coefficients", got=f"n_samples = {N}", expected=f"at least {P}")
    kept = np.flatnonzero(design.any(axis=0))  # a column of zeros keeps the coefficient 0
    design, names = design[:, kept], [names[c] for c in kept.tolist()]
    lost = _null_space(design)
    if lost.size:
        raise DataError(
            "regressors are collinear",
            got=_named(lost[:, 0], names),
            hint="leave one of them out; tell no column twice",
        )
    seen = low == high
    free = _null_space(np.column_stack([design[seen], low[seen]]))
    direction = _growing(free, design[~seen], bounds[~seen]) if free.size else None
    if direction is None:
        return
    if direction[-1] < -_GROWS:
        text = (
            f"the {seen.sum()} observed rows lie on the regression exactly; scale_ is not told and falls to its floor"
        )
        warnings.warn(text, DegenerateWarning, stacklevel=3)
        return
    raise DataError(
        "regressors separate censored from observed rows", got=_named(direction[:-1], names),
        expected="columns that vary among observed rows", hint="their coefficients would be infinite; leave them out",
    )  # fmt: skip


def _named(direction: Array, names: Sequence[str]) -> str:
    large = np.flatnonzero(np.abs(direction) > 1e-6 * np.abs(direction).max())
    return ", ".join(names[c] for c in large.tolist())


def _null_space(matrix: Array) -> Array:
    """Return a basis (columns, k) of what the columns, each brought to length one, map to zero."""
    size = np.sqrt(np.einsum("np,np->p", matrix, matrix))
    size = np.where(size > 0, size, 1.0)
    gram = matrix.T @ matrix / np.outer(size, size)
    if len(matrix) and np.linalg.eigvalsh(gram)[0] > _SURE:
        return np.zeros((matrix.shape[1], 0))
    triangle = np.linalg.qr(matrix / size, mode="r") if len(matrix) else np.zeros((0, len(size)))
    rows = np.vstack([triangle, np.zeros((len(size), len(size)))])
    _, values, vectors = np.linalg.svd(rows, full_matrices=False)
    return vectors[values <= _NULL].T / size[:, None]


def _growing(free: Array, design: Array, bounds: Array) -> Array | None:
    """Return a direction (delta, -gamma) within the basis ``free`` along which no censored row becomes less likely."""
    low, high = bounds.T
    has_low, has_high = np.isfinite(low), np.isfinite(high)
    # These must not fall: gamma high - x delta where there is an upper bound, x delta - gamma low where there is a lower one.
    below = -np.column_stack([design[has_high], high[has_high]])
    above = np.column_stack([design[has_low], low[has_low]])
    rows = np.vstack([below, above, [[0.0] * design.shape[1] + [-1.0]]])
    longest = np.linalg.norm(rows, axis=1) * np.linalg.norm(free)
    rows = rows @ free
    length = np.linalg.norm(rows, axis=1)
    moves = length > _NULL * longest
    if not moves.any():
        return None
    rows = rows[moves] / length[moves, None]
    answer = linprog(-rows.mean(axis=0), A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1.0, 1.0))
    return free @ answer.x if answer.status == 0 and -answer.fun > _GROWS else None
