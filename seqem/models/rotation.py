"""Rotation of loadings: the canonical one, coordinates that no rotation moves along, and rotations to simple structure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from seqem.em.protocol import EStep
from seqem.errors import ParameterError
from seqem.models.normal import NormalEstimator
from seqem.shapes import Array

_METHODS = ("varimax", "promax", "oblimin")
_TOLERANCE = 1e-9
_MOST_TRIES = 5000
_POWER = 4


class HasLoadings(Protocol):
    """Parameters with a matrix of loadings that a rotation from the right leaves as good as before."""

    @property
    def mean(self) -> Array:
        """Mean, shape (D,)."""
        ...

    @property
    def loadings(self) -> Array:
        """Loadings, shape (D, q)."""
        ...

    @property
    def noise(self) -> Array:
        """Variances of the noise, shape (D,) or ()."""
        ...

    def _replace(self, **fields: Any) -> Any: ...


def canonical(loadings: Array, noise: Array) -> Array:
    """Return loadings (D, q) rotated so that ``loadings.T @ diag(1 / noise) @ loadings`` is diagonal and falls.

    The sum of every column is not negative. R's factanal and Lawley and Maxwell (Factor Analysis as a Statistical Method,
    1971) take the same.

    Examples
    --------
    >>> canonical(np.array([[0.0, -2.0], [1.0, 0.0]]), np.ones(2)).round(6).tolist()
    [[2.0, 0.0], [0.0, 1.0]]
    """
    root = np.sqrt(np.broadcast_to(noise, len(loadings)))[:, None]
    turned = loadings @ np.linalg.svd(loadings / root, full_matrices=False)[2].T
    return turned * np.where(turned.sum(axis=0) < 0, -1.0, 1.0) + 0.0


def _signed_like(loadings: Array, reference: Array) -> Array:
    """Return loadings with the signs of columns that bring them nearer to the reference."""
    return loadings * np.where((loadings * reference).sum(axis=0) < 0, -1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Identified:
    """A model with loadings in fewer coordinates: those of its own that no rotation moves along, about ``reference``.

    The parameters of a vector have canonical loadings, with the signs of the reference, so that standard errors by the delta
    method are those of the canonical loadings (R. Jennrich 1974, Psychometrika 39, 261-271).

    Attributes
    ----------
    model : EMModel
        Its ``pack`` holds the mean, then the loadings, row after row, both in units of ``scale``.
    reference : NamedTuple
        Canonical parameters.
    """

    model: Any
    reference: Any

    @cached_property
    def basis(self) -> Array:
        """Orthonormal directions in packed coordinates, shape (all, identified)."""
        D, q = self.reference.loadings.shape
        loadings = self.reference.loadings / self.model.scale[:, None]
        pairs = [(a, b) for a in range(q) for b in range(a)]
        size = len(self.model.pack(self.reference))
        turns = np.zeros((size, len(pairs)))
        for k, (a, b) in enumerate(pairs):
            turn = np.zeros((D, q))
            turn[:, a], turn[:, b] = loadings[:, b], -loadings[:, a]
            turns[D : D + D * q, k] = turn.ravel()
        return np.linalg.qr(turns, mode="complete")[0][:, len(pairs) :]

    def pack(self, params: HasLoadings) -> Array:
        """Return how far the parameters are from the reference, rotations apart."""
        return self.basis.T @ (self.model.pack(params) - self.model.pack(self.reference))

    def unpack(self, vector: Array, like: HasLoadings) -> Any:
        """Return the canonical parameters of a vector."""
        params = self.model.unpack(self.model.pack(self.reference) + self.basis @ vector, self.reference)
        loadings = canonical(params.loadings, params.noise)
        return params._replace(loadings=_signed_like(loadings, self.reference.loadings))

    def e_step(self, params: HasLoadings, shard: Any) -> EStep:
        """Return what the model returns."""
        return self.model.e_step(params, shard)

    def m_step(self, stats: Any, params: HasLoadings) -> Any:
        """Return what the model returns."""
        return self.model.m_step(stats, params)

    def log_prior(self, params: HasLoadings) -> float:
        """Return what the model returns."""
        return self.model.log_prior(params)

    def expected_log_likelihood(self, stats: Any, params: HasLoadings, reference: HasLoadings) -> float:
        """Return what the model returns."""
        return self.model.expected_log_likelihood(stats, params, reference)


class LoadingsEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NormalEstimator):
    """What estimators of models with loadings share."""

    @property
    def noise_variance_(self) -> Array:
        """Variance of the noise."""
        return self._fitted.params.noise

    @property
    def n_parameters_(self) -> int:  # type: ignore[override]
        """Number of free parameters, rotations apart."""
        mean, loadings, noise = self._fitted.params
        q = loadings.shape[1]
        return mean.size + loadings.size - q * (q - 1) // 2 + noise.size

    def _replicate(self, rng: np.random.Generator) -> Any:
        """Return the estimate from drawn data, with canonical loadings whose signs are those of the estimate."""
        found, reference = super()._replicate(rng), self._fitted.params
        return found._replace(loadings=_signed_like(canonical(found.loadings, found.noise), reference.loadings))

    def _identified(self, params: Any) -> Any:
        """Return the model in coordinates that no rotation moves along: errors are those of the canonical loadings."""
        return Identified(self._model(), params)


def rotation(loadings: Array, method: str) -> Array:
    """Return the matrix (q, q) that takes loadings to simple structure when multiplied from the right.

    Rows are scaled to length one meanwhile (Kaiser); the factor with the largest loadings comes first. Factors that were
    uncorrelated have correlations ``inv(M) @ inv(M).T``.

    Parameters
    ----------
    loadings : ndarray, shape (D, q)
        Loadings on uncorrelated factors.
    method : {"varimax", "promax", "oblimin"}
        Varimax and oblimin (quartimin) are those of statsmodels; promax goes from varimax to its fourth power as R's does.

    Raises
    ------
    ParameterError
        For another method, or where statsmodels is not installed.

    Examples
    --------
    >>> tilted = np.array([[0.6, 0.6], [0.5, 0.5], [0.6, -0.6], [0.5, -0.5]])
    >>> np.abs(tilted @ rotation(tilted, "varimax")).round(3).tolist()
    [[0.849, 0.0], [0.707, 0.0], [0.0, 0.849], [0.0, 0.707]]
    """
    if method not in _METHODS:
        raise ParameterError("unknown rotation", got=repr(method), expected=f"one of {', '.join(_METHODS)}")
    if loadings.shape[1] == 1:
        return np.eye(1)
    lengths = np.maximum(np.linalg.norm(loadings, axis=1, keepdims=True), np.finfo(float).tiny)
    matrix = _varimax(loadings / lengths)
    if method == "promax":
        matrix = matrix @ _to_powers(loadings @ matrix)
    elif method == "oblimin":
        matrix = _oblimin(loadings / lengths, matrix)
    matrix = matrix[:, np.argsort(-np.square(loadings @ matrix).sum(axis=0), kind="stable")]
    return matrix * np.where((loadings @ matrix).sum(axis=0) < 0, -1.0, 1.0)


def _varimax(rows: Array) -> Array:
    # From anywhere but the identity, where symmetric loadings may be stationary without being best.
    start = np.linalg.qr(np.random.default_rng(0).normal(size=(rows.shape[1],) * 2))[0]
    return _library()(rows, "varimax", T=start, tol=_TOLERANCE, max_tries=_MOST_TRIES)[1]


def _oblimin(rows: Array, start: Array) -> Array:
    turn = _library()(rows, "oblimin", 0.0, "oblique", T=start, tol=_TOLERANCE, max_tries=_MOST_TRIES)[1]
    return np.linalg.inv(turn).T


def _to_powers(loadings: Array) -> Array:
    """Return the oblique matrix that takes loadings towards their fourth powers (A. Hendrickson and P. White, 1964)."""
    target = loadings * np.abs(loadings) ** (_POWER - 1)
    matrix = np.linalg.lstsq(loadings, target)[0]
    return matrix * np.sqrt(np.diagonal(np.linalg.inv(matrix.T @ matrix)))


def _library() -> Any:
    try:
        from statsmodels.multivariate.factor_rotation import rotate_factors
    except ImportError:
        raise ParameterError("rotations need statsmodels, which is not here", hint="pip install statsmodels") from None
    return rotate_factors
