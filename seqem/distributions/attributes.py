"""Parameters as users set and read them: their shapes, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqem.errors import ParameterError
from seqem.shapes import Array


def probability_rows(name: str, value: Any) -> Array:
    """Return rows of probabilities (K, M), or refuse them by name."""
    rows = np.asarray(value, dtype=float)
    if rows.ndim != 2 or not (rows >= 0).all() or not np.allclose(rows.sum(1), 1.0, atol=1e-6):
        raise ParameterError(f"{name} is not made of rows of probabilities", got=f"shape {rows.shape}")
    return rows


def finite(name: str, value: Any, ndim: int, lowest: float = -np.inf) -> Array:
    """Return finite numbers that are not below ``lowest``, with ``ndim`` axes, or refuse them by name."""
    array = np.asarray(value, dtype=float)
    if array.ndim != ndim:
        raise ParameterError(f"{name} has the wrong shape", got=array.shape, expected=f"{ndim} axes")
    if not (np.isfinite(array).all() and (array >= lowest).all()):
        expected = "finite numbers" if lowest == -np.inf else f"finite numbers >= {lowest:g}"
        raise ParameterError(f"{name} is out of range", expected=expected)
    return array


def covariance_shape(covariance_type: str, means: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the covariances of means (K, D)."""
    K, D = means
    return {"spherical": (K,), "diag": (K, D), "full": (K, D, D), "tied": (D, D)}[covariance_type]


def covariances(name: str, value: Any, covariance_type: str, shape: tuple[int, ...]) -> Array:
    """Return positive (definite) covariances of the given shape; full matrices are cut to their diagonals where it has those."""
    array = np.asarray(value, dtype=float)
    if array.shape != shape and array.shape == (*shape, shape[-1]) and len(shape) == 2:
        array = np.diagonal(array, axis1=-2, axis2=-1)
    if array.shape != shape:
        raise ParameterError(f"{name} has the wrong shape", got=array.shape, expected=shape)
    matrices = covariance_type in ("full", "tied")
    if not np.isfinite(array).all() or not _is_positive(array, matrices):
        raise ParameterError(f"{name} is out of range", expected="symmetric, positive definite" if matrices else "> 0")
    return np.ascontiguousarray(array)


def _is_positive(array: Array, matrices: bool) -> bool:
    if not matrices:
        return bool((array > 0).all())
    transposed = np.swapaxes(array, -1, -2)
    return np.allclose(array, transposed, rtol=1e-6) and bool((np.linalg.eigvalsh(array) > 0).all())


def full_covariances(value: Any, covariance_type: str, means: tuple[int, ...]) -> Array:
    """Return covariances as full matrices (K, D, D)."""
    K, D = means
    array = np.asarray(value, dtype=float)
    if covariance_type == "full":
        return array
    if covariance_type == "tied":
        return np.broadcast_to(array, (K, D, D)).copy()
    variances = array[:, None] if covariance_type == "spherical" else array
    return np.eye(D) * variances[:, :, None]


def regularised(value: Array, covariance_type: str, amount: float) -> Array:
    """Return covariances with ``amount`` added to every variance."""
    return value + (np.eye(value.shape[-1]) * amount if covariance_type in ("full", "tied") else amount)
