"""Tobit: regression where the dependent variable is censored."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.stats import norm
from sklearn.base import RegressorMixin

from seqem.core.rows import Rows
from seqem.em.callbacks import Callback
from seqem.em.checkpoint import Resume
from seqem.em.criteria import InformationCriteria
from seqem.em.driver import fit
from seqem.em.estimator import EMEstimator
from seqem.em.mapreduce import map_reduce
from seqem.em.methods import accelerator
from seqem.em.stop import StopRule
from seqem.errors import DataError, ParameterError
from seqem.models.bounds import bounds_of, refuse_open, values_of
from seqem.models.formula import design, regressors_of
from seqem.models.inputs import checked_rows, checked_weights
from seqem.models.tobit_frame import Frame, start
from seqem.models.tobit_model import TobitEM, TobitNewton, TobitParams, covariance, latent, newton, score_squares
from seqem.models.tobit_predict import censored_mean, censoring, standard, truncated_mean
from seqem.shapes import Array

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 1 << 13
_SMALLEST = 1e-8  # of the scale, in spreads of the response
_KINDS = ("censored", "latent", "truncated")


class Tobit(RegressorMixin, InformationCriteria, EMEstimator):
    """Linear regression of a normal variable that is seen only between limits.

    Parameters
    ----------
    left, right : float, optional
        Limits: values at or beyond them are censored there. None is no limit.
    fit_intercept : bool
        Whether there is an intercept.
    method : str
        "newton", guarded Newton steps in Olsen's parameters; or "em" and the others of ``seqem.catalog.METHODS``.
    tol : float
        Converged when the log-likelihood changes by no more than this share.
    max_iter : int
        Iterations at most.

    Attributes
    ----------
    coef_, intercept_, scale_ : ndarray, float, float
        Coefficients, intercept and standard deviation of the latent variable.
    formula_ : str
        The formula, after ``from_formula``.

    Notes
    -----
    Tobin 1958; EM by truncated-normal moments (Amemiya 1984); Newton steps by Olsen 1978, whose likelihood is concave.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(500, 1))
    >>> y = np.maximum(1.0 + 2.0 * x[:, 0] + rng.normal(size=500), 0.0)
    >>> model = Tobit(left=0.0).fit(x, y)
    >>> model.coef_.round(1).tolist(), round(model.intercept_, 1), round(model.scale_, 1)
    ([2.0], 0.9, 0.9)
    """

    def __init__(
        self,
        left: float | None = 0.0,
        right: float | None = None,
        *,
        fit_intercept: bool = True,
        method: str = "newton",
        tol: float = 1e-12,
        max_iter: int = 1000,
    ) -> None:
        self.left = left
        self.right = right
        self.fit_intercept = fit_intercept
        self.method = method
        self.tol = tol
        self.max_iter = max_iter

    @classmethod
    def from_formula(cls, formula: str, data: pd.DataFrame, *, sample_weight: Any = None, **options: Any) -> Self:
        """Return a model fitted to columns of a table, such as ``"affairs ~ age + rating"``.

        ``options`` are those of the class. The formula's own intercept is used; its terms give ``feature_names_in_``. Rows with a
        missing cell are left out. New tables need the same columns; ``formula_`` is applied to them.

        Raises
        ------
        ParameterError
            For a formula that cannot be read, or where the library that reads formulas is not installed.
        """
        found = design(formula, data)
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight)[data.index.get_indexer(found.regressors.index)]
        model = cls(**{**options, "fit_intercept": found.intercept})
        model.fit(found.regressors, found.response, sample_weight)
        model.formula_, model._levels, model._learning = formula, found.levels, found.learning
        return model

    @property
    def _low(self) -> float:
        return -np.inf if self.left is None else self.left

    @property
    def _high(self) -> float:
        return np.inf if self.right is None else self.right

    def _model(self) -> TobitEM | TobitNewton:
        floor = _SMALLEST * self._frame.unit
        return TobitNewton(floor) if self.method == "newton" else TobitEM(floor)

    def _stop_rule(self) -> StopRule:
        return StopRule(max_iter=self.max_iter, rel_tol=self.tol)

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        executor: Executor | None = None,
        callbacks: Sequence[Callback] = (),
        resume: Resume | None = None,
    ) -> Self:
        """Fit by maximum likelihood.

        Parameters
        ----------
        X : array-like, shape (N, P)
            Regressors.
        y : array-like, shape (N,) or (N, 2)
            Observed values, or lower and upper bounds of each: equal where it is observed, infinite where it is open.
        sample_weight : array-like, shape (N,), optional
            Weights of the rows.
        executor : concurrent.futures.Executor, optional
            Maps the E-step over blocks of rows.
        callbacks : sequence of callables
            Told of every step.
        resume : Resume, optional
            From ``Checkpoint.load``.

        Raises
        ------
        DataError
            Where regressors are collinear, nothing is observed, or bounds are out of order.
        """
        step = newton if self.method == "newton" else accelerator(self.method)
        x, bounds, weights = self._checked(X, y, sample_weight, reset=True)
        self._frame = Frame.of(x, values_of(bounds), weights, self.fit_intercept)
        rows = self._framed(x, bounds, weights)
        told = slice(None) if weights is None else weights > 0
        refuse_open(rows.x[told], np.asarray(rows.y)[told], [*self._names, "intercept"])
        shards = rows.blocks(_BLOCK)
        found = fit(
            self._model(), start(shards, self._frame.unit), shards, stop=self._stop_rule(), executor=executor, callbacks=callbacks,
            accelerate=step, resume=resume,
        )  # fmt: skip
        self.result_ = replace(found, params=self._frame.natural(found.params))
        self._training_shards = shards
        return self

    def _shards(self, X: Any, **known: Any) -> list[Rows]:
        return self._framed(*self._checked(X, known.get("y"), known.get("sample_weight"))).blocks(_BLOCK)

    def _framed(self, x: Array, bounds: Array, weights: Array | None) -> Rows:
        """Return rows in the coordinates of the frame."""
        return Rows(self._frame.design(x), bounds - self._frame.level, weights)

    def _checked(self, X: Any, y: Any, weights: Any, *, reset: bool = False) -> tuple[Array, Array, Array | None]:
        x = self._regressors(X, reset=reset)
        shapes = [np.shape(np.asarray(limit)) for limit in (self.left, self.right)]
        if any(shapes):
            raise ParameterError(
                "a limit is not one number", got=f"shapes {shapes}", expected="numbers or None",
                hint="limits that differ between rows are bounds: y of shape (N, 2)",
            )  # fmt: skip
        return x, bounds_of(y, self._low, self._high, len(x)), checked_weights(weights, len(x))

    def _regressors(self, X: Any, *, reset: bool = False) -> Array:
        if reset:  # a new fit is by arrays until a formula says otherwise
            for name in ("formula_", "_levels", "_learning"):
                self.__dict__.pop(name, None)
        X = self._by_formula(X)
        x = checked_rows(self, X, reset=reset)
        bad = np.argwhere(np.isnan(x))
        if len(bad):
            raise DataError(
                f"X holds NaN in row {bad[0, 0]}, column {self._names[bad[0, 1]]}", expected="finite numbers"
            )
        return x

    def _by_formula(self, X: Any) -> Any:
        """Return the regressors of a table; others than tables of a formula's columns are returned as they are."""
        if not hasattr(self, "_levels") or not hasattr(X, "columns") or set(self._names) <= set(X.columns):
            return X
        if not hasattr(self, "formula_"):
            raise ParameterError(
                "the formula of the fit is not at hand", hint="a file's formula is not run; set formula_"
            )
        if self._learning:
            raise ParameterError(
                "terms of the formula learn from the data they are made of", got=", ".join(self._learning),
                expected="terms of single rows", hint="compute such columns before the fit",
            )  # fmt: skip
        return regressors_of(self.formula_, X, self._levels)

    @property
    def _names(self) -> list[str]:
        return list(getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)]))

    # -- what was learned ------------------------------------------------------------------------------

    @property
    def coef_(self) -> Array:
        """Coefficients of the regressors, shape (P,)."""
        coef = self._fitted.params.coef
        return coef[:-1] if self.fit_intercept else coef

    @property
    def intercept_(self) -> float:
        """Intercept, 0.0 without one."""
        return float(self._fitted.params.coef[-1]) if self.fit_intercept else 0.0

    @property
    def scale_(self) -> float:
        """Standard deviation of the latent variable about its mean."""
        return float(self._fitted.params.scale)

    @property
    def n_parameters_(self) -> int:  # type: ignore[override]
        """Number of free parameters."""
        return len(self._fitted.params.coef) + 1

    def covariance(
        self, X: Any = None, *, robust: bool = False, executor: Executor | None = None, **known: Any
    ) -> Array:
        """Return the covariance of coefficients, the intercept after them, and scale.

        Parameters
        ----------
        X : array-like, optional
            The data of the fit, with ``y`` and ``sample_weight`` among ``known``; by default those the estimator holds until it
            is pickled.
        robust : bool
            Whether it is the sandwich (White 1982) in place of the inverse observed information.
        executor : concurrent.futures.Executor, optional
            Maps the E-step over the blocks.
        **known
            What else ``fit`` takes about the data.

        Raises
        ------
        DataError
            Without ``X``, where the data of the fit are gone.
        """
        params = self._fitted.params
        shards = vars(self).get("_training_shards") if X is None else self._shards(X, **known)
        if shards is None:
            raise DataError("the data of the fit are not at hand", hint="pass them: standard_errors(X, y=y)")
        inner = self._frame.inner(params)
        hessian = map_reduce(TobitNewton().e_step, inner, shards, executor).stats.hessian
        meat = score_squares(inner, shards) if robust else None
        return covariance(inner, hessian, self._frame.slopes(), meat)

    def standard_errors(
        self, X: Any = None, *, executor: Executor | None = None, robust: bool = False, **known: Any
    ) -> TobitParams:
        """Return the standard errors of coefficients, the intercept last, and scale; arguments as in :meth:`covariance`.

        The coefficient of a constant column, which stays 0 beside an intercept, has none: NaN.
        """
        errors = np.sqrt(np.diag(self.covariance(X, robust=robust, executor=executor, **known)))
        return TobitParams(errors[:-1], errors[-1])

    def summary(self, *, robust: bool = False, level: float = 0.95) -> pd.DataFrame:
        """Return a table of coefficients with standard errors, z values, p-values and confidence intervals."""
        import pandas as pd

        values = np.append(self._fitted.params.coef, self.scale_)
        errors = np.sqrt(np.diag(self.covariance(robust=robust)))
        reach = norm.ppf(0.5 + level / 2) * errors
        table = {"coef": values, "se": errors, "z": values / errors, "p": 2 * norm.sf(np.abs(values / errors))}
        index = [*self._names, *(["intercept"] if self.fit_intercept else []), "scale"]
        return pd.DataFrame({**table, "low": values - reach, "high": values + reach}, index=index)

    # -- using it --------------------------------------------------------------------------------------

    def predict(self, X: Any, kind: str = "censored") -> Array:
        """Return predictions.

        Parameters
        ----------
        X : array-like, shape (N, P)
            Regressors.
        kind : {"censored", "latent", "truncated"}
            The mean of what is observed, limits included; of the latent variable; or of it given that it is within the limits.
        """
        if kind not in _KINDS:
            raise ParameterError("unknown kind", got=repr(kind), expected=f"one of {', '.join(_KINDS)}")
        mean = self._latent_mean(X)
        if kind == "latent":
            return mean
        expected = censored_mean if kind == "censored" else truncated_mean
        return expected(mean, self.scale_, self._low, self._high)

    def _latent_mean(self, X: Any) -> Array:
        return self._regressors(X) @ self.coef_ + self.intercept_

    def _standard(self, X: Any) -> tuple[Array, Array]:
        return standard(self._latent_mean(X), self.scale_, self._low, self._high)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of the variance of observed values, censored ones at their limits, that predictions explain."""
        return float(super().score(X, y, sample_weight))

    def row_log_likelihood(self, X: Any, y: Any) -> Array:
        """Return the log-likelihood of each row: a density where it is observed, a probability where it is censored."""
        rows = self._framed(*self._checked(X, y, None))
        return latent(self._frame.inner(self._fitted.params), rows).log_likelihood

    def bounds(self, y: Any) -> Array:
        """Return lower and upper bounds of the latent variable, shape (N, 2): equal where it is observed."""
        return bounds_of(y, self._low, self._high, len(y))

    def residuals(self, X: Any, y: Any) -> Array:
        """Return residuals in standard deviations; of a censored row, expected given that it is (Gourieroux et al. 1987)."""
        rows = self._framed(*self._checked(X, y, None))
        return latent(self._frame.inner(self._fitted.params), rows).mean

    def _replicate(self, rng: np.random.Generator) -> TobitParams:
        step = newton if self.method == "newton" else accelerator(self.method, rng)
        inner = self._frame.inner(self._fitted.params)
        found = fit(
            self._model(), inner, self._drawn_like(self._training_shards, rng), stop=self._stop_rule(), accelerate=step
        )  # fmt: skip
        return self._frame.natural(found.params)

    def _drawn_like(self, shards: Sequence[Rows], rng: np.random.Generator) -> list[Rows]:
        inner, low, high = self._frame.inner(self._fitted.params), self._low, self._high
        out = []
        for shard in shards:
            latent = shard.x @ inner.coef + float(inner.scale) * rng.normal(size=len(shard)) + self._frame.level
            bounds = bounds_of(latent, low, high, len(shard)) - self._frame.level
            out.append(Rows(shard.x, bounds, shard.weights))
        return out

    def _evidence(self, X: Any, y: Any) -> tuple[float, int]:  # type: ignore[override]
        scores = self.row_log_likelihood(X, y)
        return float(scores.sum()), len(scores)

    def predict_censoring(self, X: Any) -> Array:
        """Return the probabilities to be censored on the left, observed, and censored on the right, shape (N, 3)."""
        return censoring(*self._standard(X))

    def marginal_effects(self, X: Any) -> pd.DataFrame:
        """Return mean effects of each regressor on the latent and the observed mean, and on the probability to be observed."""
        import pandas as pd

        a, b = self._standard(X)
        observed_share = censoring(a, b)[:, 1].mean()
        slope = (norm.pdf(a) - norm.pdf(b)).mean() / self.scale_
        return pd.DataFrame(
            {"latent": self.coef_, "censored": self.coef_ * observed_share, "probability": self.coef_ * slope},
            index=self._names,
        )
