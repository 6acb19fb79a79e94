"""Covariances with parts in common: maximum likelihood of volume, shape and orientation (Celeux & Govaert 1995).

Each covariance is ``volume * D diag(shape) D'`` with ``prod(shape) = 1``. A name says of volume, shape and orientation whether
they are equal (E), vary (V) or, for shape and orientation, are those of the identity (I). ``scatter`` (K, D, D) are sums of
weighted squares about the means, ``mass`` (K,) the sums of weights.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqem.shapes import Array

_ROUNDS, _TOLERANCE = 200, 1e-12
_TINY = 1e-300


def _unit(positive: Array) -> Array:
    """Return numbers scaled, over the last axis, to the product 1."""
    logs = np.log(np.maximum(positive, _TINY))
    return np.exp(logs - logs.mean(axis=-1, keepdims=True))


def _geometric(positive: Array) -> Array:
    return np.exp(np.log(np.maximum(positive, _TINY)).mean(axis=-1))


def _diagonals(scatter: Array) -> Array:
    return np.diagonal(scatter, axis1=1, axis2=2)


def _as_matrices(variances: Array) -> Array:
    """Return diagonal matrices (K, D, D) of variances (K, D)."""
    return variances[:, :, None] * np.eye(variances.shape[1])


def _turned(variances: Array, axes: Array) -> Array:
    """Return matrices with eigenvalues (K, D) and eigenvectors in the columns of ``axes`` (K, D, D) or (D, D)."""
    return (axes * variances[:, None, :]) @ np.swapaxes(axes, -1, -2)


def _volumes_and_shape(spread: Array, mass: Array) -> Array:
    """Return variances (K, D) of volumes of one each and one shape, from sums of squares (K, D) along common axes."""
    D = spread.shape[1]
    volume = spread.sum(axis=1) / (D * mass)
    for _ in range(_ROUNDS):
        shape = _unit((spread / volume[:, None]).sum(axis=0))
        before, volume = volume, (spread / shape).sum(axis=1) / (D * mass)
        if np.abs(volume - before).max() <= _TOLERANCE * volume.max():
            break
    return volume[:, None] * shape


def _one_volume(spread: Array, mass: Array) -> Array:
    """Return variances (K, D) of one volume and a shape each."""
    return _geometric(spread).sum() / mass.sum() * _unit(spread)


def _eii(scatter: Array, mass: Array) -> Array:
    D = scatter.shape[1]
    variance = _diagonals(scatter).sum() / (D * mass.sum())
    return np.tile(variance * np.eye(D), (len(mass), 1, 1))


def _eei(scatter: Array, mass: Array) -> Array:
    variances = _diagonals(scatter).sum(axis=0) / mass.sum()
    return _as_matrices(np.tile(variances, (len(mass), 1)))


def _vei(scatter: Array, mass: Array) -> Array:
    return _as_matrices(_volumes_and_shape(_diagonals(scatter), mass))


def _evi(scatter: Array, mass: Array) -> Array:
    return _as_matrices(_one_volume(_diagonals(scatter), mass))


def _vee(scatter: Array, mass: Array) -> Array:
    D = scatter.shape[1]
    volume = _diagonals(scatter).sum(axis=1) / (D * mass)
    for _ in range(_ROUNDS):
        pooled = (scatter / volume[:, None, None]).sum(axis=0)
        pooled = pooled / _geometric(np.linalg.eigvalsh(pooled))
        traces = np.trace(np.linalg.solve(pooled, scatter), axis1=1, axis2=2)
        before, volume = volume, traces / (D * mass)
        if np.abs(volume - before).max() <= _TOLERANCE * volume.max():
            break
    return volume[:, None, None] * pooled


def _common_axes(scatter: Array, mass: Array, variances: Callable[[Array, Array], Array]) -> Array:
    """Return covariances with one orientation, found by majorisation (Browne & McNicholas 2014)."""
    axes = np.linalg.eigh(scatter.sum(axis=0))[1]
    largest = np.linalg.eigvalsh(scatter)[:, -1]
    bent = scatter - largest[:, None, None] * np.eye(scatter.shape[1])
    before = np.inf
    for _ in range(_ROUNDS):
        spread = np.einsum("di,kde,ei->ki", axes, scatter, axes)
        values = variances(np.maximum(spread, _TINY), mass)
        loss = float((spread / values).sum() + (mass[:, None] * np.log(values)).sum())
        if before - loss <= _TOLERANCE * abs(loss):
            break
        before = loss
        for _ in range(_ROUNDS):
            left, _, right = np.linalg.svd((bent @ (axes / values[:, None, :])).sum(axis=0))
            turned = -left @ right
            moved, axes = np.abs(turned - axes).max(), turned
            if moved <= 1e-10:
                break
    return _turned(values, axes)


def _eve(scatter: Array, mass: Array) -> Array:
    return _common_axes(scatter, mass, _one_volume)


def _vve(scatter: Array, mass: Array) -> Array:
    return _common_axes(scatter, mass, lambda spread, mass: spread / mass[:, None])


def _eev(scatter: Array, mass: Array) -> Array:
    values, axes = np.linalg.eigh(scatter)
    return _turned(np.tile(values.sum(axis=0) / mass.sum(), (len(mass), 1)), axes)


def _vev(scatter: Array, mass: Array) -> Array:
    values, axes = np.linalg.eigh(scatter)
    return _turned(_volumes_and_shape(np.maximum(values, _TINY), mass), axes)


def _evv(scatter: Array, mass: Array) -> Array:
    values, axes = np.linalg.eigh(scatter)
    return _turned(_one_volume(values, mass), axes)


MAXIMISERS: dict[str, Callable[[Array, Array], Array]] = {
    "EII": _eii, "EEI": _eei, "VEI": _vei, "EVI": _evi, "VEE": _vee, "EVE": _eve, "VVE": _vve, "EEV": _eev, "VEV": _vev,
    "EVV": _evv,
}  # fmt: skip


def n_free(name: str, n_components: int, n_columns: int) -> int:
    """Return the number of free parameters of the covariances.

    Examples
    --------
    >>> [n_free(name, 3, 4) for name in ("EII", "VEI", "VVE", "EEV")]
    [1, 6, 18, 22]
    """
    K, D = n_components, n_columns
    volume, shape, axes = ({"E": 1, "V": K, "I": 0}[letter] for letter in name)
    return volume + shape * (D - 1) + axes * (D * (D - 1) // 2)
