"""The only validation code: turn what a user passes into arrays, or say what is wrong and in which row."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqem.errors import DataError, ParameterError
from seqem.shapes import AnyArray, Array, Mask


def refuse(bad: Mask, x: AnyArray, what: str, *, expected: str, hint: str | None = None) -> None:
    """Raise DataError for the first row of ``x`` where ``bad`` (N,) or (N, D) holds, if any does."""
    if not bad.any():
        return
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    value = x[place]
    got = value.tolist() if isinstance(value, np.ndarray) else value
    where = f"row {place[0]}" + (f", column {place[1]}" if len(place) > 1 else "")
    raise DataError(f"{what} in {where}", got=got, expected=expected, hint=hint)


def numbers(x: Any) -> AnyArray:
    """Return ``x`` as an array of real numbers."""
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise DataError("observations are not numbers", got=f"dtype {array.dtype}", expected="numbers") from None
    return array


def rows(x: Any) -> Array:
    """Return ``x`` as float64 rows (N, D), C order; (N,) means one column; NaN is missing, inf refused.

    Examples
    --------
    >>> rows([1, 2]).tolist()
    [[1.0], [2.0]]
    """
    array = numbers(x)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise DataError(
            "observations have the wrong shape", got=f"shape {array.shape}", expected="(N,) or (N, n_features)"
        )
    array = np.ascontiguousarray(array[:, None] if array.ndim == 1 else array, dtype=np.float64)
    refuse(np.isinf(array), array, "infinite observation", expected="finite numbers, or NaN where missing")
    return array


def positive_rows(x: Any, *, zero: bool = False) -> Array:
    """Return rows (N, D) of positive numbers (``zero``: zero too) or NaN."""
    array = rows(x)
    bad = array < 0 if zero else array <= 0
    expected = "numbers >= 0" if zero else "numbers > 0"
    refuse(bad, array, "observation out of range", expected=expected + ", or NaN where missing")
    return array


def counts(x: Any) -> Array:
    """Return rows (N, D) of whole numbers >= 0 or NaN."""
    array = rows(x)
    bad = (array < 0) | (array != np.floor(array)) & ~np.isnan(array)
    refuse(bad, array, "observation is not a count", expected="whole numbers >= 0, or NaN where missing")
    return array


def spread(value: Any, shape: tuple[int, ...], name: str) -> Array:
    """Return ``value`` broadcast to ``shape``; ParameterError where it does not fit."""
    array = np.asarray(value, dtype=np.float64)
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ParameterError(f"{name} has the wrong shape", got=array.shape, expected=f"to fit {shape}") from None


def at_least(value: Any, minimum: float, name: str) -> None:
    """Raise ParameterError unless every entry of ``value`` is a finite number >= ``minimum``."""
    array = np.asarray(value, dtype=np.float64)
    if not (np.isfinite(array).all() and (array >= minimum).all()):
        raise ParameterError(f"{name} is out of range", got=value, expected=f"finite and >= {minimum:g}")


def probabilities(value: Any, name: str) -> Array:
    """Return ``value`` as float64 probabilities whose last axis sums to one.

    Examples
    --------
    >>> probabilities([0.25, 0.75], "startprob").sum()
    np.float64(1.0)
    """
    array = np.array(value, dtype=np.float64)
    if array.ndim == 0 or not (array >= 0).all() or not np.allclose(array.sum(axis=-1), 1.0, rtol=0, atol=1e-6):
        raise ParameterError(f"{name} is not a distribution", got=value, expected="entries >= 0 that sum to one")
    return array
