"""Symmetric positive definite matrices: factors, floors and free coordinates."""

from __future__ import annotations

import numpy as np

from seqem.errors import NumericalError
from seqem.shapes import Array

# Rows that column_sums adds side by side.
_TOGETHER = 64


def cholesky(matrix: Array) -> Array:
    """Return lower Cholesky factors of (..., D, D); NumericalError where one is not positive definite."""
    try:
        return np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise NumericalError(
            "covariance is not positive definite",
            got=f"smallest eigenvalue {np.linalg.eigvalsh(matrix).min():.3g}",
            expected="positive eigenvalues",
            hint="raise the floor of the covariance",
        ) from None


def inverse_cholesky(matrix: Array) -> tuple[Array, Array]:
    """Return inverse lower Cholesky factors (..., D, D) and log-determinants (...) of SPD matrices.

    Examples
    --------
    >>> factor, log_det = inverse_cholesky(np.diag([4.0, 1.0]))
    >>> factor[0, 0], round(float(np.exp(log_det)), 6)
    (np.float64(0.5), 4.0)
    """
    lower = cholesky(matrix)
    log_det = 2.0 * np.log(np.diagonal(lower, axis1=-2, axis2=-1)).sum(axis=-1)
    return np.asarray(np.linalg.inv(lower), dtype=np.float64), log_det


def floor_eigenvalues(matrix: Array, floor: float) -> Array:
    """Return symmetric (..., D, D) with eigenvalues below ``floor`` raised to it.

    This is the constrained maximum of the Gaussian likelihood under "every eigenvalue >= floor".
    """
    matrix = 0.5 * (matrix + np.swapaxes(matrix, -1, -2))
    values, vectors = np.linalg.eigh(matrix)
    if (values >= floor).all():
        return matrix
    return (vectors * np.maximum(values, floor)[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def pack_spd(matrix: Array) -> Array:
    """Return the log-Cholesky coordinates (..., D (D + 1) / 2): rows of the factor, logs on its diagonal."""
    lower = cholesky(matrix)
    D = lower.shape[-1]
    diagonal = np.arange(D)
    lower[..., diagonal, diagonal] = np.log(lower[..., diagonal, diagonal])
    i, j = np.tril_indices(D)
    return lower[..., i, j]


def unpack_spd(vector: Array, size: int) -> Array:
    """Return the SPD matrices (..., size, size) of log-Cholesky coordinates."""
    lower = np.zeros((*vector.shape[:-1], size, size))
    i, j = np.tril_indices(size)
    lower[..., i, j] = vector
    diagonal = np.arange(size)
    lower[..., diagonal, diagonal] = np.exp(lower[..., diagonal, diagonal])
    return lower @ np.swapaxes(lower, -1, -2)


def column_sums(block: Array) -> Array:
    """Return the sums of the columns of ``block`` (N, K); numpy's own sum is slow where K is small.

    Examples
    --------
    >>> column_sums(np.arange(6.0).reshape(3, 2)).tolist()
    [6.0, 9.0]
    """
    K = block.shape[1]
    whole = len(block) // _TOGETHER * _TOGETHER
    wide = np.ascontiguousarray(block[:whole]).reshape(-1, _TOGETHER * K)
    return np.asarray(wide.sum(axis=0).reshape(_TOGETHER, K).sum(axis=0) + block[whole:].sum(axis=0))
