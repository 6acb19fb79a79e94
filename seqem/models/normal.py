"""Normal models: their common E-step and face, and the multivariate normal distribution itself."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from seqem.core.linalg import pack_spd, unpack_spd
from seqem.core.rng import generator
from seqem.core.rows import Rows
from seqem.em.callbacks import Callback
from seqem.em.checkpoint import Resume
from seqem.em.criteria import InformationCriteria
from seqem.em.estimator import EMEstimator
from seqem.em.stop import StopRule
from seqem.errors import DataError, ParameterError
from seqem.models.inputs import checked_rows, checked_weights
from seqem.models.patterns import (
    ColumnSummary,
    Moments,
    MomentStats,
    NormalModel,
    column_summary,
    completed,
    mixed_shards_of,
    shards_of,
)
from seqem.shapes import Array, Mask

# Methods that learn from one shard at a time, and the number of shards that they get.
_SHARD_BY_SHARD = ("online", "incremental")
_N_SHARDS = 32

# Standard deviation of a column of equal numbers, as a share of them: what summation leaves.
_ROUNDING = 1e-13


class NormalParams(NamedTuple):
    """Mean (D,) and covariance (D, D)."""

    mean: Array
    covariance: Array


@dataclass(frozen=True, eq=False)
class UnstructuredModel(NormalModel):
    """Any mean, any covariance."""

    def covariance(self, params: NormalParams) -> Array:
        """Return the covariance (D, D) of the rows."""
        return params.covariance

    def m_step(self, stats: MomentStats, params: NormalParams) -> NormalParams:
        """Return mean and covariance of the expected rows."""
        return NormalParams(*stats.estimate(params.mean))

    def pack(self, params: NormalParams) -> Array:
        """Return the mean and the log-Cholesky coordinates of the covariance, in units of the columns."""
        matrix = params.covariance / np.outer(self.scale, self.scale)
        return np.concatenate([params.mean / self.scale, pack_spd(matrix)])

    def unpack(self, vector: Array, like: NormalParams) -> NormalParams:
        """Return the parameters of a packed vector."""
        D = len(self.scale)
        matrix = unpack_spd(vector[D:], D) * np.outer(self.scale, self.scale)
        return NormalParams(vector[:D] * self.scale, matrix)


class NormalEstimator(InformationCriteria, EMEstimator):
    """Fit, score and sample normal models; a subclass answers ``_model``, ``_start`` and ``_check``."""

    tol: float
    max_iter: int
    method: str

    def _start(self, mean: Array, covariance: Array) -> Any:
        """Return parameters to begin with, from the moments of the data; what is missing counts as independent."""
        raise NotImplementedError

    def _check(self, n_rows: int, columns: ColumnSummary) -> None:
        """Raise where the model cannot be fitted to ``n_rows`` rows that say something."""
        raise NotImplementedError

    def _stop_rule(self) -> StopRule:
        return StopRule(max_iter=self.max_iter, rest_tol=self.tol)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(
        self,
        X: Any,
        y: None = None,
        sample_weight: Any = None,
        *,
        executor: Executor | None = None,
        callbacks: Sequence[Callback] = (),
        resume: Resume | None = None,
    ) -> Self:
        """Fit by maximum likelihood.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Observations; NaN is missing, at random. Rows without any value are ignored.
        y : None
            Not used.
        sample_weight : array-like, shape (N,), optional
            Weights of the rows, not negative.
        executor : concurrent.futures.Executor, optional
            Maps the E-step over the shards; the result does not depend on it.
        callbacks : sequence of callables
            Told of every step.
        resume : Resume, optional
            From ``Checkpoint.load``: the fit goes on from there.

        Raises
        ------
        DataError
            For infinite values, a column without any value or without variance, too few rows.
        ParameterError
            For hyper-parameters that are out of range.
        """
        rows = self._rows(X, sample_weight, reset=True)
        shards = mixed_shards_of(rows, _N_SHARDS) if self.method in _SHARD_BY_SHARD else shards_of(rows)
        return self._fit_shards(shards, len(rows), executor=executor, callbacks=callbacks, resume=resume)

    def partial_fit(self, X: Any, y: None = None, sample_weight: Any = None) -> Self:
        """Learn from one more part of a stream, after a fit or from the beginning; then the first has to do for a fit.

        Parameters
        ----------
        X, y, sample_weight
            As for ``fit``. Statistics forget what is long past (Cappe & Moulines 2009). ``history_`` has the log-likelihood of
            each part before it was learnt from.

        Raises
        ------
        DataError
            Where the rows do not fit those before.
        """
        first = "result_" not in vars(self)
        rows = self._rows(X, sample_weight, reset=first)
        begin = self._begin([rows], len(rows)) if first else None
        return self._learn(self._model(), rows, lambda: begin)

    def _fit_shards(self, shards: Sequence[Moments | Rows], n_rows: int, **options: Any) -> Self:
        return self._run(self._begin(shards, n_rows), shards, **options)

    def _begin(self, shards: Sequence[Moments | Rows], n_rows: int) -> Any:
        """Return parameters to begin with, once the data have been found fit for the model."""
        columns = column_summary(shards)
        self._refuse_empty(columns)
        self._check(n_rows, columns)
        self._scale = np.sqrt(columns.variance)
        self._scale[self._constant(columns)] = 1.0
        apart = UnstructuredModel(self._scale), NormalParams(columns.mean, np.diag(np.square(self._scale)))
        stats = [apart[0].e_step(apart[1], shard).stats for shard in shards]
        whole = MomentStats(*(sum(parts) for parts in zip(*stats, strict=True)))
        return self._start(*whole.estimate(columns.mean))

    def _shards(self, X: Any, **known: Any) -> list[Moments | Rows]:
        return shards_of(self._rows(X, known.get("sample_weight"), reset=False))

    def _rows(self, X: Any, sample_weight: Any, *, reset: bool) -> Rows:
        """Return the checked rows that count: those with a value and a weight."""
        x = checked_rows(self, X, reset=reset)
        weights = checked_weights(sample_weight, len(x))
        counts = ~np.isnan(x).all(axis=1)
        if weights is None:
            return Rows(x if counts.all() else x[counts])
        counts &= weights > 0
        if not counts.any():
            raise DataError("sample weights are zero for all rows with values", expected="a positive weight")
        return Rows(x[counts], weights=weights[counts])

    def _named(self, columns: Any) -> str:
        """Return the names of columns, their numbers where they have none."""
        names = getattr(self, "feature_names_in_", None)
        return ", ".join(str(c) if names is None else f"{c} ({names[c]})" for c in np.flatnonzero(columns))

    def _refuse_empty(self, columns: ColumnSummary) -> None:
        empty = columns.weight == 0
        if empty.any():
            raise DataError(
                f"no values in column {self._named(empty)}", expected="a value in every column", hint="leave it out"
            )

    def _constant(self, columns: ColumnSummary) -> Any:
        """Return which columns have no variance beyond rounding."""
        return np.sqrt(columns.variance) <= _ROUNDING * np.abs(columns.mean)

    def _refuse_constant(self, columns: ColumnSummary) -> None:
        constant = self._constant(columns)
        if constant.any():
            raise DataError(
                f"no variance in column {self._named(constant)}", expected="columns that vary", hint="leave it out"
            )

    # -- what was learned ------------------------------------------------------------------------------

    @property
    def mean_(self) -> Array:
        """Mean, shape (D,)."""
        return self._fitted.params.mean

    @property
    def covariance_(self) -> Array:
        """Covariance that the parameters imply, shape (D, D)."""
        model: Any = self._model()
        return model.covariance(self._fitted.params)

    # -- using it --------------------------------------------------------------------------------------

    def _completed(self, X: Any) -> tuple[Array, Array]:
        params = self._fitted.params
        return completed(params.mean, self.covariance_, checked_rows(self, X, reset=False))

    def score_samples(self, X: Any) -> Array:
        """Return the log-density of what is there of each row, shape (N,)."""
        return self._completed(X)[1]

    def score(self, X: Any, y: None = None) -> float:
        """Return the mean log-density of the rows."""
        return float(self.score_samples(X).mean())

    def impute(self, X: Any) -> Array:
        """Return the rows with what is missing replaced by its expectation given what is there, shape (N, D)."""
        return self._completed(X)[0]

    def _drawn_like(self, shards: Sequence[Moments | Rows], rng: np.random.Generator) -> list[Moments | Rows]:
        holes = np.concatenate([_holes(shard) for shard in shards])
        x = self.sample(len(holes), rng)
        return shards_of(Rows(np.where(holes, np.nan, x)))

    def _evidence(self, X: Any) -> tuple[float, int]:  # type: ignore[override]
        scores = self.score_samples(X)
        return float(scores.sum()), len(scores)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Array:
        """Return rows drawn from the fitted distribution, shape (n_samples, D)."""
        mean, covariance = self.mean_, self.covariance_
        if n_samples < 1:
            raise ParameterError("n_samples is off", got=n_samples, expected="a positive integer")
        return generator(random_state).multivariate_normal(mean, covariance, size=n_samples, method="cholesky")


def _holes(shard: Moments | Rows) -> Mask:
    """Return what is missing of each row of a shard, shape (N, D)."""
    if isinstance(shard, Rows):
        return np.isnan(shard.x)
    return np.repeat(~shard.seen, np.rint(shard.weights).astype(int), axis=0)


class MultivariateNormal(NormalEstimator):
    """Multivariate normal distribution, with missing values.

    Without them the estimate is mean and covariance (divisor N) of the rows, in one step; with them EM finds it, pattern of
    missingness by pattern (E. Beale and R. Little 1975, Journal of the Royal Statistical Society B 37, 129-145).

    Parameters
    ----------
    tol : float
        Converged when the gain to come is no more than this share of the log-likelihood, see ``StopRule.rest_tol``.
    max_iter : int
        Evaluations of the EM map at most.
    method : str
        How to climb; see ``seqem.catalog.METHODS``.

    Attributes
    ----------
    mean_ : ndarray, shape (D,)
    covariance_ : ndarray, shape (D, D)
    log_likelihood_ : float
        Of the values that are there.

    Examples
    --------
    >>> x = [[1.0, 2.0], [2.0, 1.0], [3.0, 5.0], [4.0, np.nan]]
    >>> MultivariateNormal().fit(x).mean_.round(3).tolist()
    [2.5, 3.417]
    """

    def __init__(self, *, tol: float = 1e-13, max_iter: int = 10_000, method: str = "squarem") -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.method = method

    def _model(self) -> UnstructuredModel:
        return UnstructuredModel(self._scale)

    def _start(self, mean: Array, covariance: Array) -> NormalParams:
        return NormalParams(mean, covariance)

    @property
    def n_parameters_(self) -> int:  # type: ignore[override]
        """Number of free parameters."""
        D = len(self.mean_)
        return D + D * (D + 1) // 2

    def _check(self, n_rows: int, columns: ColumnSummary) -> None:
        if n_rows <= len(columns.mean):
            raise DataError(
                "too few rows for a covariance", got=f"n_samples = {n_rows}, n_features = {len(columns.mean)}",
                expected="more rows with values than features", hint="factor analysis and probabilistic PCA need fewer",
            )  # fmt: skip
        self._refuse_constant(columns)
