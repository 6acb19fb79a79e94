"""Loadings and noise: the algebra of Gaussians with covariance ``loadings @ loadings.T + diag(noise)``.

Every function takes one matrix of loadings (D, q), or a stack of them with stacks of all else, unless it says one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.linalg import qr

from seqem.shapes import AnyArray, Array, IntArray, Mask


def posterior(loadings: Array, noise: Array) -> tuple[Array, Array]:
    """Return ``noise^-1 loadings`` (D, q) and the factors' posterior precision, ``I + loadings' noise^-1 loadings``."""
    weighted = loadings / noise[..., None]
    return weighted, np.eye(loadings.shape[-1]) + _transposed(loadings) @ weighted


def misfit(loadings: Array, noise: Array, second: Array) -> tuple[Array, Array]:
    """Return the log-determinant of the covariance V and the trace of ``V^-1 second``, in O(D^2 q)."""
    weighted, inner = posterior(loadings, noise)
    scores: AnyArray = np.linalg.solve(inner, _transposed(weighted))
    trace = (_diagonal(second) / noise).sum(axis=-1) - (weighted * (second @ _transposed(scores))).sum(axis=(-2, -1))
    return np.log(noise).sum(axis=-1) + np.linalg.slogdet(inner)[1], trace


def improved(covariance: Array, loadings: Array, noise: Array, smallest: Any, held: Any = False) -> tuple[Array, Array]:
    """Return loadings and noise after one EM step on a covariance of rows, which raises their likelihood.

    D. Rubin and D. Thayer (1982), EM algorithms for ML factor analysis, Psychometrika 47, 69-76. No variance of the
    noise ends below ``smallest``; where ``held``, loadings stay.

    Examples
    --------
    >>> loadings, noise = improved(np.array([[2.0, 1.0], [1.0, 2.0]]), np.ones((2, 1)), np.ones(2), 0.01)
    >>> loadings.round(6).tolist(), noise.round(6).tolist()
    ([[1.0], [1.0]], [1.0, 1.0])
    """
    weighted, inner = posterior(loadings, noise)
    scores: AnyArray = np.linalg.solve(inner, _transposed(weighted))
    cross = covariance @ _transposed(scores)
    squares: AnyArray = np.linalg.inv(inner) + scores @ cross
    free: AnyArray = np.linalg.solve(squares, _transposed(cross))
    loadings = np.where(held, loadings, _transposed(free))
    noise = _diagonal(covariance) - (loadings * (2.0 * cross - loadings @ squares)).sum(axis=-1)
    return loadings, np.maximum(noise, smallest)


def conditional_loadings(covariance: Array, noise: Array, n_factors: int) -> Array:
    """Return the loadings (D, q) that are best for given variances of the noise, up to rotation.

    K. Joreskog (1967), Some contributions to maximum likelihood factor analysis, Psychometrika 32, 443-482.

    Examples
    --------
    >>> np.abs(conditional_loadings(np.array([[2.0, 1.0], [1.0, 2.0]]), np.ones(2), 1)).round(6).tolist()
    [[1.0], [1.0]]
    """
    root = np.sqrt(noise)
    values, vectors = np.linalg.eigh(covariance / np.outer(root, root))
    top = slice(-1, -n_factors - 1, -1)
    # Not quite zero: a column of zeros would stay so under EM.
    sizes = np.sqrt(np.maximum(values[top] - 1.0, 1e-3))
    return root[:, None] * vectors[:, top] * sizes


def pivots(loadings: Array) -> IntArray:
    """Return the q - 1 rows whose zeros pin one matrix of loadings (D, q) down: row j has only zeros beyond column j.

    Those of the matrix itself where it has such rows; else rows that span most, as a stable choice of coordinates.

    Examples
    --------
    >>> pivots(np.array([[0.1, 0.2], [3.0, 1.0]])).tolist(), pivots(np.array([[0.1, 0.0], [3.0, 1.0]])).tolist()
    ([1], [0])
    """
    q = loadings.shape[1]
    trailing = np.logical_and.accumulate(loadings[:, ::-1] == 0.0, axis=1).sum(axis=1)
    trailing[trailing == q] = 0  # a row of zeros pins nothing down
    order = np.argsort(-trailing, kind="stable")
    if (trailing[order[: q - 1]] < np.arange(q - 1, 0, -1)).any():
        order = qr(loadings.T, mode="r", pivoting=True)[1]
    return np.asarray(order[: q - 1])


def echelon(loadings: Array, rows: IntArray) -> Array:
    """Return one matrix of loadings (D, q) rotated so that ``rows[j]`` has zeros beyond column j; signs change least.

    Examples
    --------
    >>> echelon(np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([0])).round(6).tolist()
    [[5.0, 0.0], [0.6, 0.8]]
    """
    turned = loadings @ np.linalg.qr(loadings[rows].T, mode="complete")[0]
    turned *= np.where((turned * loadings).sum(axis=0) < 0, -1.0, 1.0)
    turned[_pinned(loadings.shape, rows)] = 0.0
    return turned


def _pinned(shape: tuple[int, ...], rows: IntArray) -> Mask:
    """Return where loadings in echelon form are zero."""
    pinned = np.zeros(shape, dtype=bool)
    pinned[rows] = np.arange(shape[1]) > np.arange(len(rows))[:, None]
    return pinned


class Echelon:
    """Entries of the echelon form of every matrix of loadings (K, D, q) not kept: coordinates without rotations."""

    def _forms(self, value: Array, kept: Mask) -> Iterator[tuple[int, Array, Mask]]:
        """Yield each free component with its echelon form and where that is free."""
        for k in np.flatnonzero(~kept.all(axis=(1, 2))):
            rows = pivots(value[k])
            yield int(k), echelon(value[k], rows), ~_pinned(value[k].shape, rows)

    def pack(self, value: Array, kept: Mask) -> Array:
        """Return the free entries, component after component."""
        return np.concatenate([form[free] for _, form, free in self._forms(value, kept)] or [np.zeros(0)])

    def unpack(self, vector: Array, like: Array, kept: Mask) -> Array:
        """Return ``like`` in echelon form with its free entries replaced."""
        out, at = like.copy(), 0
        for k, form, free in self._forms(like, kept):
            n = int(free.sum())
            form[free] = vector[at : at + n]
            out[k], at = form, at + n
        return out

    def size(self, like: Array, kept: Mask) -> int:
        """Return the number of free entries."""
        D, q = like.shape[1:]
        return int((~kept.all(axis=(1, 2))).sum()) * (D * q - q * (q - 1) // 2)


def _transposed(matrix: AnyArray) -> AnyArray:
    return np.swapaxes(matrix, -1, -2)


def _diagonal(matrix: AnyArray) -> AnyArray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)
