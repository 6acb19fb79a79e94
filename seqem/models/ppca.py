"""ProbabilisticPCA: principal components as a model of normal rows, with missing values."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqem.em.protocol import EStep
from seqem.errors import DataError, NumericalError, ParameterError, SeqemWarning
from seqem.models.factor_patterns import expected_factor_moments
from seqem.models.patterns import ColumnSummary, Moments, MomentStats, NormalModel
from seqem.models.rotation import LoadingsEstimator
from seqem.shapes import Array

# Share of the mean variance below which what is left beside the components is rounding.
_ROUNDING = 1e-13


class PPCAParams(NamedTuple):
    """Mean (D,), loadings (D, q) and variance of the noise, a number."""

    mean: Array
    loadings: Array
    noise: Array


@dataclass(frozen=True, eq=False)
class PPCAModel(NormalModel):
    """Rows ``mean + loadings @ z + e`` with q factors ``z ~ N(0, I)`` and noise ``e ~ N(0, noise I)``.

    M. Tipping and C. Bishop (1999), Probabilistic principal component analysis, Journal of the Royal Statistical Society B 61,
    611-622. All coordinates are in one unit, the root of ``scale``'s mean square.
    """

    @property
    def unit(self) -> float:
        """Unit of means, loadings and the root of the noise in ``pack``."""
        return float(np.sqrt(np.square(self.scale).mean()))

    def covariance(self, params: PPCAParams) -> Array:
        """Return the covariance (D, D) of the rows."""
        return params.loadings @ params.loadings.T + params.noise * np.eye(len(params.mean))

    def expected(self, params: PPCAParams, moments: Moments) -> EStep:
        """Return expected moments and the log-likelihood of rows with holes."""
        noise = np.full(len(params.mean), params.noise)
        return expected_factor_moments(params.mean, params.loadings, noise, moments)

    def m_step(self, stats: MomentStats, params: PPCAParams) -> PPCAParams:
        """Return the parameters that maximise Q: the closed form of Tipping and Bishop for the expected rows."""
        return closed_form(*stats.estimate(params.mean), params.loadings.shape[1])

    def pack(self, params: PPCAParams) -> Array:
        """Return means, loadings and the logarithm of the noise variance."""
        parts = params.mean / self.unit, params.loadings.ravel() / self.unit, [np.log(params.noise / self.unit**2)]
        return np.concatenate(parts)

    def unpack(self, vector: Array, like: PPCAParams) -> PPCAParams:
        """Return the parameters of a packed vector."""
        D, q = like.loadings.shape
        mean, loadings = vector[:D] * self.unit, vector[D:-1].reshape(D, q) * self.unit
        return PPCAParams(mean, loadings, np.exp(vector[-1]) * self.unit**2)


def closed_form(mean: Array, covariance: Array, n_components: int) -> PPCAParams:
    """Return the maximum likelihood estimate for rows with this mean and covariance (Tipping and Bishop, equations 7 and 8).

    Raises
    ------
    NumericalError
        Where nothing is left beside the components.

    Examples
    --------
    >>> params = closed_form(np.zeros(3), np.diag([5.0, 2.0, 1.0]), 1)
    >>> params.loadings.round(4).ravel().tolist(), float(params.noise)
    ([1.8708, 0.0, 0.0], 1.5)
    """
    values, vectors = np.linalg.eigh(covariance)
    noise = values[:-n_components].mean()
    if not noise > _ROUNDING * values.mean():
        raise NumericalError(
            "no noise is left beside the components", got=f"variance {noise:.3g}", expected="more than rounding",
            hint="fewer components; with many values missing, more rows",
        )  # fmt: skip
    top = slice(-1, -n_components - 1, -1)
    loadings = vectors[:, top] * np.sqrt(values[top] - noise)
    return PPCAParams(mean, loadings * np.where(loadings.sum(axis=0) < 0, -1.0, 1.0), noise)


class ProbabilisticPCA(LoadingsEstimator):
    """Probabilistic principal component analysis.

    Without missing values the estimate is the closed form of Tipping and Bishop; with them EM finds it, pattern of missingness
    by pattern, by the same closed form for the expected rows.

    Parameters
    ----------
    n_components : int
        q, less than the number of features.
    tol : float
        Converged when the gain to come is no more than this share of the log-likelihood, see ``StopRule.rest_tol``.
    max_iter : int
        Evaluations of the EM map at most.
    method : str
        How to climb; see ``seqem.catalog.METHODS``.

    Attributes
    ----------
    mean_ : ndarray, shape (D,)
    components_ : ndarray, shape (q, D)
        Principal axes, orthonormal, the most important first.
    loadings_ : ndarray, shape (D, q)
        W of the model: the axes, each times the root of its variance without noise.
    noise_variance_ : float

    Examples
    --------
    >>> x = [[0.0, 0.0, 0.1], [1.0, 1.1, 0.0], [2.0, 1.9, 0.1], [3.0, 3.0, 0.0]]
    >>> model = ProbabilisticPCA(1).fit(x)
    >>> model.components_.round(2).tolist(), round(float(model.noise_variance_), 5)
    ([[0.71, 0.7, -0.02]], 0.00212)
    """

    def __init__(
        self, n_components: int = 1, *, tol: float = 1e-13, max_iter: int = 10_000, method: str = "squarem"
    ) -> None:
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.method = method

    def _model(self) -> PPCAModel:
        return PPCAModel(self._scale)

    def _start(self, mean: Array, covariance: Array) -> PPCAParams:
        return closed_form(mean, covariance, self.n_components)

    def _check(self, n_rows: int, columns: ColumnSummary) -> None:
        q, D = self.n_components, len(columns.mean)
        if D == 1:
            raise DataError("too few features", got="n_features = 1", expected="at least 2")
        if not (isinstance(q, int | np.integer) and 1 <= q < D):
            raise ParameterError("n_components is off", got=q, expected=f"1 to n_features - 1 = {D - 1}")
        if n_rows < q + 2:
            raise DataError(
                "too few rows", got=f"n_samples = {n_rows}", expected=f"at least n_components + 2 = {q + 2}"
            )
        constant = self._constant(columns)
        if constant.any():
            text = f"no variance in column {self._named(constant)}: it says nothing about components, and of the noise too much"
            warnings.warn(text, SeqemWarning, stacklevel=4)

    @property
    def loadings_(self) -> Array:
        """Loadings W, shape (D, q)."""
        return self._fitted.params.loadings

    @property
    def components_(self) -> Array:
        """Principal axes, shape (q, D)."""
        lengths = np.linalg.norm(self.loadings_, axis=0)
        return (self.loadings_ / np.maximum(lengths, np.finfo(float).tiny)).T

    @property
    def _n_features_out(self) -> int:
        return self.n_components

    def transform(self, X: Any) -> Array:
        """Return the expected factors of each row given what is there of it, shape (N, q)."""
        W, noise = self.loadings_, self.noise_variance_
        inner = W.T @ W + noise * np.eye(W.shape[1])
        return (self._completed(X)[0] - self.mean_) @ np.linalg.solve(inner, W.T).T

    def inverse_transform(self, Z: Any) -> Array:
        """Return the rows on the principal subspace whose expected factors are ``Z`` (N, q), shape (N, D).

        Of ``transform`` this makes the projection that ordinary PCA makes (Tipping and Bishop, section 3.3).
        """
        W, noise = self.loadings_, self.noise_variance_
        inner = W.T @ W + noise * np.eye(W.shape[1])
        return self.mean_ + np.asarray(Z, dtype=np.float64) @ inner @ np.linalg.pinv(W)
