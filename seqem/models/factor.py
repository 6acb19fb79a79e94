"""FactorAnalysis: maximum likelihood by EM on the covariance, missing values, standard errors, rotations."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.stats import chi2

from seqem.core.checks import at_least
from seqem.distributions._factors import conditional_loadings, improved, misfit, posterior
from seqem.em.protocol import EStep
from seqem.errors import DataError, ParameterError, SeqemWarning
from seqem.models.factor_patterns import expected_factor_moments
from seqem.models.patterns import ColumnSummary, Moments, MomentStats, NormalModel, whole_moments
from seqem.models.rotation import LoadingsEstimator, canonical, rotation
from seqem.shapes import Array, Mask


class FactorParams(NamedTuple):
    """Mean (D,), loadings (D, q) and variances of the noise (D,)."""

    mean: Array
    loadings: Array
    noise: Array


@dataclass(frozen=True, eq=False)
class FactorModel(NormalModel):
    """Rows ``mean + loadings @ z + e`` with q factors ``z ~ N(0, I)`` and noise ``e ~ N(0, diag(noise))``.

    Attributes
    ----------
    floor : float
        Smallest variance of the noise, as a share of the variance of the column.
    """

    floor: float

    @property
    def smallest(self) -> Array:
        """Smallest variances of the noise, shape (D,)."""
        return self.floor * np.square(self.scale)

    def covariance(self, params: FactorParams) -> Array:
        """Return the covariance (D, D) of the rows."""
        return params.loadings @ params.loadings.T + np.diag(params.noise)

    def expected(self, params: FactorParams, moments: Moments) -> EStep:
        """Return expected moments and the log-likelihood of rows with holes."""
        return expected_factor_moments(*params, moments)

    def misfit(self, params: FactorParams, second: Array) -> tuple[float, float]:
        """Return the log-determinant of the covariance V and the trace of ``V^-1 second``, in O(D^2 q)."""
        log_det, trace = misfit(params.loadings, params.noise, second)
        return float(log_det), float(trace)

    def m_step(self, stats: MomentStats, params: FactorParams) -> FactorParams:
        """Return the parameters after an EM step on the covariance of the expected rows.

        The mean is that of the expected rows. Given it, loadings and noise take the step of D. Rubin and D. Thayer (EM
        algorithms for ML factor analysis, 1982, Psychometrika 47, 69-76), which needs no rows and never lowers Q.
        """
        mean, S = stats.estimate(params.mean)
        return FactorParams(mean, *improved(S, params.loadings, params.noise, self.smallest))

    def _free(self, params: FactorParams) -> Mask:
        """Return which variances of the noise are above the floor."""
        return params.noise > self.smallest * (1 + 1e-9)

    def pack(self, params: FactorParams) -> Array:
        """Return means, loadings and logarithms of noise variances above the floor, in units of the columns."""
        units = self.scale[:, None]
        logs = np.log(params.noise / np.square(self.scale))[self._free(params)]
        return np.concatenate([params.mean / self.scale, (params.loadings / units).ravel(), logs])

    def unpack(self, vector: Array, like: FactorParams) -> FactorParams:
        """Return the parameters of a packed vector; variances at the floor stay there."""
        D, q = like.loadings.shape
        mean, loadings, logs = np.split(vector, [D, D + D * q])
        noise = like.noise.copy()
        free = self._free(like)
        noise[free] = np.exp(logs) * np.square(self.scale[free])
        loadings = loadings.reshape(D, q) * self.scale[:, None]
        return FactorParams(mean * self.scale, loadings, np.maximum(noise, self.smallest))


class ChiSquareTest(NamedTuple):
    """Bartlett's test of q factors against any covariance."""

    statistic: float
    dof: int
    p_value: float


class FactorAnalysis(LoadingsEstimator):
    """Factor analysis by maximum likelihood.

    Rows enter through their mean and covariance alone, so that an iteration costs the same for any number of rows; with
    missing values, through those of each pattern of missingness.

    Parameters
    ----------
    n_factors : int
        q.
    min_uniqueness : float
        Smallest variance of the noise, as a share of the variance of the column (a Heywood case). A column that ends there is
        named in a warning.
    tol : float
        Converged when the gain to come is no more than this share of the log-likelihood, see ``StopRule.rest_tol``.
    max_iter : int
        Evaluations of the EM map at most.
    method : str
        How to climb; see ``seqem.catalog.METHODS``.

    Attributes
    ----------
    mean_ : ndarray, shape (D,)
    loadings_ : ndarray, shape (D, q)
        Canonical: ``loadings_.T @ diag(1 / noise_variance_) @ loadings_`` is diagonal and falls; or rotated, see ``rotate``.
    noise_variance_ : ndarray, shape (D,)
    communalities_, uniquenesses_ : ndarray, shape (D,)
        Shares of the variance of each column that the factors explain, and the rest.
    factor_correlations_ : ndarray, shape (q, q)
    goodness_of_fit_ : ChiSquareTest or None
        None for data with missing values, fewer rows than features, or without degrees of freedom.

    Examples
    --------
    >>> correlations = [[1, 0.48, 0.40], [0.48, 1, 0.30], [0.40, 0.30, 1]]
    >>> FactorAnalysis(1, tol=1e-12).fit_covariance(correlations, 100).loadings_.round(3).ravel().tolist()
    [0.8, 0.6, 0.5]
    """

    def __init__(
        self,
        n_factors: int = 1,
        *,
        min_uniqueness: float = 0.005,
        tol: float = 1e-13,
        max_iter: int = 10_000,
        method: str = "squarem",
    ) -> None:
        self.n_factors = n_factors
        self.min_uniqueness = min_uniqueness
        self.tol = tol
        self.max_iter = max_iter
        self.method = method

    def _model(self) -> FactorModel:
        return FactorModel(self._scale, self.min_uniqueness)

    def _start(self, mean: Array, covariance: Array) -> FactorParams:
        noise = np.maximum(0.5 * np.square(self._scale), self._model().smallest)
        return FactorParams(mean, canonical(conditional_loadings(covariance, noise, self.n_factors), noise), noise)

    def _check(self, n_rows: int, columns: ColumnSummary) -> None:
        D = len(columns.mean)
        if not (isinstance(self.n_factors, int | np.integer) and 1 <= self.n_factors <= D):
            raise ParameterError("n_factors is off", got=self.n_factors, expected=f"1 to n_features = {D}")
        at_least(self.min_uniqueness, np.finfo(float).tiny, "min_uniqueness")
        if n_rows <= self.n_factors:
            raise DataError("too few rows", got=f"n_samples = {n_rows}", expected=f"more than {self.n_factors} factors")
        self._refuse_constant(columns)

    def fit_covariance(
        self, S: Any, n: float, *, executor: Executor | None = None, callbacks: Sequence[Any] = (), resume: Any = None
    ) -> Self:
        """Fit to a covariance or correlation matrix.

        Parameters
        ----------
        S : array-like, shape (D, D)
            Covariance, with divisor ``n``.
        n : float
            Number of rows it was computed from. ``mean_`` is 0.
        executor, callbacks, resume
            As for ``fit``.

        Raises
        ------
        DataError
            Where ``S`` is not a covariance matrix.
        """
        matrix = np.array(S, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
            raise DataError("S is not a matrix", got=f"shape {matrix.shape}", expected="(D, D), finite")
        smallest, size = float(np.linalg.eigvalsh(matrix)[0]), float(np.abs(matrix).max())
        if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12 * size) or smallest < -1e-8 * size:
            raise DataError(
                "S is not a covariance", got=f"smallest eigenvalue {smallest:.3g}", expected="symmetric, none < 0"
            )
        D = len(matrix)
        self.n_features_in_ = D
        self.__dict__.pop("feature_names_in_", None)  # of another fit
        matrix = 0.5 * (matrix + matrix.T)
        shard = Moments(np.ones((1, D), dtype=bool), np.array([float(n)]), np.zeros((1, D)), n * matrix[None])
        return self._fit_shards([shard], int(n), executor=executor, callbacks=callbacks, resume=resume)

    def _fit_shards(self, shards: Sequence[Any], n_rows: int, **options: Any) -> Self:
        super()._fit_shards(shards, n_rows, **options)
        params = self.result_.params
        turned = params._replace(loadings=canonical(params.loadings, params.noise))
        self.result_ = replace(self.result_, params=turned)
        self._rotation = np.eye(self.n_factors)
        self.goodness_of_fit_ = self._tested(shards)
        heywood = ~self._model()._free(turned)
        if heywood.any():
            warnings.warn(
                f"Heywood case: almost no noise is left in column {self._named(heywood)}; its variance is kept at "
                f"{self.min_uniqueness:g} of the column's. Hint: fewer factors, or a smaller min_uniqueness",
                SeqemWarning,
                stacklevel=3,
            )
        return self

    def partial_fit(self, X: Any, y: None = None, sample_weight: Any = None) -> Self:
        """Learn from one more part of a stream; see ``MultivariateNormal.partial_fit``. Loadings are not made canonical."""
        super().partial_fit(X, y, sample_weight)
        self._rotation = np.eye(self.n_factors)
        self.goodness_of_fit_ = None
        return self

    def _tested(self, shards: Sequence[Any]) -> ChiSquareTest | None:
        """Return the test of M. Bartlett (1950), British Journal of Psychology 3, 77-85, as R's factanal has it."""
        D, q, params = len(self._scale), self.n_factors, self.result_.params
        dof = ((D - q) ** 2 - (D + q)) // 2
        if dof <= 0 or not all(isinstance(s, Moments) and s.seen.all() for s in shards):
            return None
        total = [whole_moments(params.mean, shard) for shard in shards]
        n = float(sum(stats.weight for stats in total))
        S = np.sum([stats.second for stats in total], axis=0) / n
        sign, log_det_S = np.linalg.slogdet(S)
        if sign <= 0 or n <= D:
            return None
        log_det, trace = self._model().misfit(params, S)
        statistic = (n - 1 - (2 * D + 5) / 6 - 2 * q / 3) * (log_det + trace - log_det_S - D)
        return ChiSquareTest(float(statistic), dof, float(chi2.sf(statistic, dof)))

    # -- what was learned ------------------------------------------------------------------------------

    @property
    def loadings_(self) -> Array:
        """Loadings, shape (D, q)."""
        return self._fitted.params.loadings @ self._rotation

    @property
    def communalities_(self) -> Array:
        """Share of the variance of each column that the factors explain, shape (D,)."""
        return 1.0 - self.uniquenesses_

    @property
    def uniquenesses_(self) -> Array:
        """Share of the variance of each column that is noise, shape (D,)."""
        return self.noise_variance_ / np.diagonal(self.covariance_)

    @property
    def factor_correlations_(self) -> Array:
        """Correlations of the factors, shape (q, q): the identity unless rotated obliquely."""
        turn = np.linalg.inv(self._rotation)
        return turn @ turn.T

    @property
    def _n_features_out(self) -> int:
        return self.n_factors

    # -- using it --------------------------------------------------------------------------------------

    def transform(self, X: Any) -> Array:
        """Return the expected factors of each row given what is there of it, shape (N, q): Thomson's regression scores."""
        params = self._fitted.params
        weighted, inner = posterior(params.loadings, params.noise)
        scores = (self._completed(X)[0] - params.mean) @ np.linalg.solve(inner, weighted.T).T
        return scores @ np.linalg.inv(self._rotation).T

    def rotate(self, method: str) -> Self:
        """Return a copy with loadings rotated to simple structure; likelihood and covariance stay as they are.

        Parameters
        ----------
        method : {"varimax", "promax", "oblimin"}
            Factors stay uncorrelated under varimax only.

        Raises
        ------
        ParameterError
            For another method, or where statsmodels is not installed.
        """
        sizes = np.sqrt(np.diagonal(self.covariance_))
        turned = type(self).__new__(type(self))
        turned.__dict__.update(self.__dict__)
        turned._rotation = rotation(self._fitted.params.loadings / sizes[:, None], method)
        return turned
