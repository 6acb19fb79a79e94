"""From filterbank outputs to cepstra: the cosine transform, liftering, and perceptual linear prediction."""

from __future__ import annotations

import numpy as np

from seqem.shapes import Array

SPHINX_TRANSFORMS = ("legacy", "dct", "htk")


def cosine_matrix(n_channels: int, n_ceps: int) -> Array:
    """Return the matrix (n_channels, n_ceps + 1) that takes log energies to cepstra 0 to n_ceps, as HTK scales them.

    Examples
    --------
    >>> cosine_matrix(2, 1).round(4).tolist()
    [[1.0, 0.7071], [1.0, -0.7071]]
    """
    angle = np.pi * np.arange(n_ceps + 1) * (np.arange(1, n_channels + 1)[:, None] - 0.5) / n_channels
    return np.sqrt(2.0 / n_channels) * np.cos(angle)


def sphinx_matrix(n_channels: int, n_ceps: int, transform: str) -> Array:
    """Return the matrix (n_channels, n_ceps + 1) that takes log energies to cepstra 0 to n_ceps, in one of Sphinx's scales.

    "htk" is HTK's, "dct" the orthonormal one, "legacy" Sphinx's first, in which the lowest channel counts half.

    Examples
    --------
    >>> sphinx_matrix(2, 1, "legacy").round(4).tolist()
    [[0.25, 0.1768], [0.5, -0.3536]]
    """
    matrix = cosine_matrix(n_channels, n_ceps)
    if transform == "dct":
        matrix[:, 0] *= np.sqrt(0.5)
    elif transform == "legacy":
        matrix /= np.sqrt(2.0 * n_channels)
        matrix[0] *= 0.5
    return matrix


def lifter(n_ceps: int, length: float) -> Array:
    """Return weights (n_ceps + 1,) of cepstra 0 to n_ceps: 1 + L / 2 sin(pi n / L), 1 where the length is 0.

    Examples
    --------
    >>> lifter(2, 22).round(4).tolist()
    [1.0, 2.5655, 4.0991]
    """
    if not length:
        return np.ones(n_ceps + 1)
    return 1.0 + 0.5 * length * np.sin(np.pi * np.arange(n_ceps + 1) / length)


def equal_loudness(centres: Array) -> Array:
    """Return the sensitivity of hearing at frequencies in hertz (H. Hermansky 1990, equation 4, as HTK has it)."""
    square = np.square(centres)
    return (square / (square + 1.6e5)) ** 2 * (square + 1.44e6) / (square + 9.61e6)


def perceptual_cepstra(energies: Array, loudness: Array, n_ceps: int, order: int, power: float = 0.33) -> Array:
    """Return cepstra 0 to n_ceps (T, n_ceps + 1) of an all-pole model of the compressed spectrum.

    H. Hermansky (1990), Perceptual linear predictive analysis of speech, Journal of the Acoustical Society of America 87,
    1738-1752; the order of operations is HTK's.

    Parameters
    ----------
    energies : ndarray, shape (T, n_channels)
        Filterbank outputs.
    loudness : ndarray, shape (n_channels,)
        From :func:`equal_loudness`.
    n_ceps, order : int
        Cepstra and coefficients of linear prediction.
    power : float
        Compression of intensity to loudness.

    Examples
    --------
    >>> np.abs(perceptual_cepstra(np.ones((1, 4)), np.ones(4), 2, 2)).round(6).tolist()
    [[0.0, 0.0, 0.0]]
    """
    n = energies.shape[1]
    heard = (np.maximum(energies, 1.0) * loudness) ** power
    heard = np.concatenate([heard[:, :1], heard, heard[:, -1:]], axis=1)
    waves = 2.0 * np.cos(np.pi / (n + 1) * np.outer(np.arange(n + 2), np.arange(order + 1)))
    waves[[0, -1]] *= 0.5
    predictor, gain = _prediction(heard @ waves / (2 * (n + 1)))
    return np.column_stack([np.log(gain), _cepstra(predictor, n_ceps)])


def _prediction(r: Array) -> tuple[Array, Array]:
    """Return the coefficients (T, order + 1), the first 1, and the errors (T,) of linear prediction (Levinson and Durbin)."""
    order = r.shape[1] - 1
    a, error = np.zeros_like(r), r[:, 0].copy()
    a[:, 0] = 1.0
    for i in range(1, order + 1):
        reflection = -np.einsum("ti,ti->t", a[:, :i], r[:, i:0:-1]) / error
        a[:, : i + 1] += reflection[:, None] * a[:, i::-1]
        error *= 1.0 - reflection**2
    return a, error


def _cepstra(a: Array, n_ceps: int) -> Array:
    """Return cepstra 1 to n_ceps of 1 / A(z)."""
    order = a.shape[1] - 1
    c = np.zeros((len(a), n_ceps + 1))
    for n in range(1, n_ceps + 1):
        known = np.arange(max(1, n - order), n)
        echo = (known * c[:, known] * a[:, n - known]).sum(axis=1) / n
        c[:, n] = -(a[:, n] if n <= order else 0.0) - echo
    return c[:, 1:]
