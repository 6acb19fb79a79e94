"""Tobit: regression where the dependent variable is censored."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.stats import norm
from sklearn.base import RegressorMixin

from seqem.core.rows import Rows
from seqem.em.callbacks import Callback
from seqem.em.checkpoint import Resume
from seqem.em.driver import fit
from seqem.em.estimator import EMEstimator
from seqem.em.mapreduce import map_reduce
from seqem.em.methods import accelerator
from seqem.em.stop import StopRule
from seqem.errors import DataError, ParameterError
from seqem.models.bounds import bounds_of, refuse_open
from seqem.models.inputs import checked_rows, checked_weights
from seqem.models.tobit_model import TobitEM, TobitNewton, TobitParams, covariance, newton, row_scores, solved
from seqem.models.truncated import between, times
from seqem.shapes import Array

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 1 << 14
_KINDS = ("censored", "latent", "truncated")


class Tobit(RegressorMixin, EMEstimator):
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
    def from_formula(cls, formula: str, data: pd.DataFrame, **options: Any) -> Self:
        """Return a model fitted to columns of a table, such as ``"affairs ~ age + rating"``.

        ``options`` are those of the class. The formula's own intercept is used; terms give ``feature_names_in_``.

        Raises
        ------
        ParameterError
            Where the library that reads formulas is not installed.
        """
        try:
            from formulaic import model_matrix
        except ImportError as error:
            raise ParameterError("formulas need the package formulaic", hint="pip install formulaic") from error
        sides = model_matrix(formula, data)
        design = sides.rhs.drop(columns="Intercept", errors="ignore")
        intercept = design.shape[1] < sides.rhs.shape[1]
        return cls(fit_intercept=intercept, **options).fit(design, sides.lhs.iloc[:, 0])

    @property
    def _low(self) -> float:
        return -np.inf if self.left is None else self.left

    @property
    def _high(self) -> float:
        return np.inf if self.right is None else self.right

    def _model(self) -> TobitEM:
        return TobitNewton() if self.method == "newton" else TobitEM()

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
        shards = self._shards(X, y=y, sample_weight=sample_weight)
        self.result_ = fit(
            self._model(), _start(shards), shards, stop=self._stop_rule(), executor=executor, callbacks=callbacks,
            accelerate=step, resume=resume,
        )  # fmt: skip
        self._training_shards = shards
        return self

    def _shards(self, X: Any, **known: Any) -> list[Rows]:
        x = self._design(X, reset=True)
        bounds = bounds_of(known["y"], self._low, self._high, len(x))
        weights = checked_weights(known.get("sample_weight"), len(x))
        refuse_open(x, bounds, list(getattr(self, "feature_names_in_", [])))
        return Rows(x, bounds, weights).blocks(_BLOCK)

    def _design(self, X: Any, *, reset: bool = False) -> Array:
        x = checked_rows(self, X, reset=reset, allow_nan=False)
        return np.column_stack([x, np.ones(len(x))]) if self.fit_intercept else x

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
    def n_parameters_(self) -> int:
        """Number of free parameters."""
        return len(self._fitted.params.coef) + 1

    def covariance(self, *, robust: bool = False) -> Array:
        """Return the covariance of coefficients, intercept and scale, from the observed information or the sandwich."""
        params, shards = self._fitted.params, vars(self).get("_training_shards")
        if shards is None:
            raise DataError("the data of the fit are not at hand", hint="fit again: a pickle does not hold them")
        hessian = map_reduce(TobitNewton().e_step, params, shards).stats.hessian
        if not robust:
            return covariance(params, hessian)
        scores = [row_scores(params, s) * (1.0 if s.weights is None else s.weights[:, None]) for s in shards]
        return covariance(params, hessian, np.add.reduce([s.T @ s for s in scores]))

    def standard_errors(self, X: Any = None, *, robust: bool = False, **known: Any) -> TobitParams:
        """Return the standard errors of coefficients, the intercept last, and scale."""
        errors = np.sqrt(np.diag(self.covariance(robust=robust)))
        return TobitParams(errors[:-1], errors[-1])

    def summary(self, *, robust: bool = False, level: float = 0.95) -> pd.DataFrame:
        """Return a table of coefficients with standard errors, z values, p-values and confidence intervals."""
        import pandas as pd

        names = list(getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)]))
        values = np.append(self._fitted.params.coef, self.scale_)
        errors = np.sqrt(np.diag(self.covariance(robust=robust)))
        reach = norm.ppf(0.5 + level / 2) * errors
        table = {"coef": values, "se": errors, "z": values / errors, "p": 2 * norm.sf(np.abs(values / errors))}
        index = [*names, *(["intercept"] if self.fit_intercept else []), "scale"]
        return pd.DataFrame({**table, "low": values - reach, "high": values + reach}, index=index)

    # -- using it --------------------------------------------------------------------------------------

    def _standard(self, X: Any) -> tuple[Array, Array, Array]:
        """Return latent means, and the limits in standard deviations from them."""
        mean = self._design(X) @ self._fitted.params.coef
        return mean, (self._low - mean) / self.scale_, (self._high - mean) / self.scale_

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
        mean, a, b = self._standard(X)
        if kind == "latent":
            return mean
        inside = between(a, b)
        truncated = mean + self.scale_ * (inside.at_low - inside.at_high)
        if kind == "truncated":
            return truncated
        left, middle, right = self.predict_censoring(X).T
        at_left, at_right = (
            times(np.full(len(mean), limit), p) for limit, p in ((self._low, left), (self._high, right))
        )
        return middle * truncated + at_left + at_right

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of the variance of observed values, censored ones at their limits, that predictions explain."""
        return float(super().score(X, y, sample_weight))

    def predict_censoring(self, X: Any) -> Array:
        """Return the probabilities to be censored on the left, observed, and censored on the right, shape (N, 3)."""
        _, a, b = self._standard(X)
        return np.column_stack([norm.cdf(a), np.exp(between(a, b).log_probability), norm.sf(b)])

    def marginal_effects(self, X: Any) -> pd.DataFrame:
        """Return mean effects of each regressor on the latent and the observed mean, and on the probability to be observed."""
        import pandas as pd

        _, a, b = self._standard(X)
        observed_share = self.predict_censoring(X)[:, 1].mean()
        slope = (norm.pdf(a) - norm.pdf(b)).mean() / self.scale_
        names = list(getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)]))
        return pd.DataFrame(
            {"latent": self.coef_, "censored": self.coef_ * observed_share, "probability": self.coef_ * slope},
            index=names,
        )


def _start(shards: Sequence[Rows]) -> TobitParams:
    """Return least squares on the nearest bounds."""
    P = shards[0].x.shape[1]
    gram, cross, total = np.zeros((P, P)), np.zeros(P), np.zeros(3)
    for shard in shards:
        assert shard.y is not None
        low, high = shard.y.T
        value = np.where(np.isfinite(low), np.where(np.isfinite(high), 0.5 * (low + high), low), high)
        weights = np.ones(len(shard)) if shard.weights is None else shard.weights
        gram += shard.x.T @ (shard.x * weights[:, None])
        cross += shard.x.T @ (weights * value)
        total += weights.sum(), weights @ value, weights @ value**2
    coef = solved(gram, cross)
    rest = (total[2] - coef @ cross) / total[0]
    spread = total[2] / total[0] - (total[1] / total[0]) ** 2
    return TobitParams(coef, np.asarray(np.sqrt(max(rest, 1e-6 * spread, 1e-12))))
