"""What regressions with a link have in common: a response whose mean depends on a predictor linear in the other columns."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from seqem.core.checks import at_least, rows
from seqem.distributions._bounded_step import POWER, SAFE, Extent, bounded_step, excess, leading_column
from seqem.distributions._start import centres
from seqem.distributions.fieldwise import EMPTY, Fieldwise
from seqem.distributions.transforms import IDENTITY, Transform
from seqem.errors import DataError, DegenerateWarning
from seqem.shapes import AnyArray, Array, Mask

_STEPS_OF_THE_START = 15


class GeneralizedRegressionParams(NamedTuple):
    """Coefficients (K, Q) of the linear predictor, the intercept first."""

    coefficients: Array


class GeneralizedRegressionStats(NamedTuple):
    """What the rows say about the predictor at the current coefficients, r their weights and z their regressors.

    Sums of r (K,), r log p (K,), r (y - mean) z (K, Q) and 2 (e - 2) r var z z' (K, Q, Q); over the rows with any weight, of
    z z' (K, Q, Q) and of z^16 (K, Q).
    """

    mass: Array
    value: Array
    score: Array
    curvature: Array
    products: Array
    powers: Array


@dataclass(frozen=True, eq=False)
class GeneralizedRegression(Fieldwise):
    """Base of regressions with a canonical link: log p(y | z) = y eta - A(eta) + base(y) with eta linear in z.

    A subclass says what A is and which responses there are. Rows are ``[y, regressors]``, as for ``Regression``; a row with a
    missing number counts for nothing.

    Attributes
    ----------
    coefficient_weight : float
        Ridge: coefficients but for the intercept ~ N(0, 1 / weight), without its normaliser.

    Notes
    -----
    There is no maximum in closed form: ``maximise`` takes one step of Fisher scoring (the EM gradient algorithm, Lange 1995)
    that moves the predictor of no row by more than 1, with an information 1.44 times what it is: up to there the second order
    is then a lower bound of the expected log-likelihood, which therefore never falls. How far rows move is bounded by sums
    over them, most tightly for regressors about zero. ``expected_log_likelihood`` is that lower bound, bent down further out;
    at its reference value and gradient are exact, and so is the score of the likelihood. Only in incremental EM, which adds
    statistics of several places, may a sum of them fall while parameters still go far in one pass.

    References
    ----------
    K. Lange (1995). A gradient algorithm locally equivalent to the EM algorithm. Journal of the Royal Statistical Society B
    57(2), 425-437.
    """

    fields: ClassVar[tuple[str, ...]] = GeneralizedRegressionParams._fields
    coefficient_weight: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.coefficient_weight, 0.0, "coefficient_weight")

    # -- what a family is ------------------------------------------------------------------------------

    @abstractmethod
    def _refuse_responses(self, x: Array) -> None:
        """Raise DataError for rows whose response cannot be."""

    @abstractmethod
    def _base(self, y: Array) -> Array:
        """Return the part of log p free of parameters."""

    @abstractmethod
    def _cumulant(self, eta: Array) -> Array:
        """Return A."""

    @abstractmethod
    def _mean(self, eta: Array) -> Array:
        """Return A', the mean of the response."""

    @abstractmethod
    def _variance(self, mean: Array) -> Array:
        """Return A'', the variance of the response, from the mean."""

    @abstractmethod
    def _link(self, y: Any) -> Any:
        """Return responses on the scale of the predictor, drawn inside where the link is infinite."""

    @abstractmethod
    def _draw(self, mean: Array, rng: np.random.Generator) -> Array:
        """Return a response for each mean."""

    # -- the protocol ----------------------------------------------------------------------------------

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (IDENTITY,)

    def check(self, x: Any) -> Array:
        """Return ``x`` as rows of a response and regressors."""
        array = rows(x)
        if array.shape[1] < 2:
            raise DataError("no regressors", got=f"shape {array.shape}", expected="more than 1 column")
        self._refuse_responses(array)
        return array

    def missing(self, x: AnyArray) -> Mask:
        """Return which rows count for nothing."""
        return np.asarray(np.isnan(x).any(axis=1))

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> GeneralizedRegressionParams:
        """Return one regression of all rows, its intercepts moved to k-means++ centres of what it leaves."""
        x = x[~self.missing(x)]
        if len(x) == 0:
            raise DataError("no row is complete", expected="at least one without missing numbers")
        y, z = _split(x)
        _refuse_collinear(z)
        pooled = replace(self, fixed={})
        level = np.where(np.arange(z.shape[1]) == 0, self._link(y.mean()), 0.0)
        params = GeneralizedRegressionParams(level[None])
        for _ in range(_STEPS_OF_THE_START):
            params = pooled.maximise(pooled.accumulate(params, x, np.ones((len(x), 1))), params)
        fitted = self._link(self._mean(z @ params.coefficients[0]))
        coefficients = np.tile(params.coefficients, (n_components, 1))
        coefficients[:, 0] += centres((self._link(y) - fitted)[:, None], n_components, rng)[:, 0]
        return GeneralizedRegressionParams(coefficients)

    def log_likelihood(self, params: GeneralizedRegressionParams, x: AnyArray) -> Array:
        """Return log p(response | regressors, k), shape (N, K)."""
        out = np.zeros((len(x), len(params.coefficients)))
        complete = ~self.missing(x)
        y, z = _split(x[complete])
        out[complete] = self._log_density(y, z @ params.coefficients.T)
        return out

    def _log_density(self, y: Array, eta: Array) -> Array:
        with np.errstate(over="ignore"):
            return y[:, None] * eta - self._cumulant(eta) + self._base(y)[:, None]

    def accumulate(self, params: GeneralizedRegressionParams, x: AnyArray, resp: Array) -> GeneralizedRegressionStats:
        """Return score and curvature at the current coefficients."""
        complete = np.flatnonzero(~self.missing(x))
        (y, z), weights = _split(x[complete]), resp[complete]
        eta = z @ params.coefficients.T
        mean = self._mean(eta)
        used = (weights > 0).astype(np.float64)
        curvature = SAFE * weights * self._variance(mean)
        density = np.where(used > 0, self._log_density(y, eta), 0.0)
        return GeneralizedRegressionStats(
            weights.sum(axis=0),
            (weights * density).sum(axis=0),
            (weights * (y[:, None] - mean)).T @ z,
            np.stack([(z * c[:, None]).T @ z for c in curvature.T]),
            np.stack([(z * u[:, None]).T @ z for u in used.T]),
            used.T @ z**POWER,
        )

    def recentre(
        self, stats: GeneralizedRegressionStats, old: GeneralizedRegressionParams, new: GeneralizedRegressionParams
    ) -> GeneralizedRegressionStats:
        """Return score and value as the quadratic has them at ``new``."""
        step = new.coefficients - old.coefficients
        slope = np.einsum("kqr,kr->kq", stats.curvature, step)
        value = stats.value + ((stats.score - 0.5 * slope) * step).sum(axis=1)
        return stats._replace(value=value, score=stats.score - slope)

    def _ridge(self, n_regressors: int) -> Array:
        """Return the prior weight of each coefficient (Q,): none on the intercept."""
        return np.where(np.arange(n_regressors) > 0, self.coefficient_weight, 0.0)

    def maximise(
        self, stats: GeneralizedRegressionStats, params: GeneralizedRegressionParams
    ) -> GeneralizedRegressionParams:
        """Return the coefficients after one bounded step of Fisher scoring.

        Where nothing holds a coefficient back, as with a regressor that separates yes from no, it is let be, with a
        DegenerateWarning.
        """
        ridge = self._ridge(params.coefficients.shape[1])
        free = (~self.kept(params, "coefficients")).astype(np.float64)
        pull = (stats.score - ridge * params.coefficients) * free
        coefficients = params.coefficients.copy()
        for k in np.flatnonzero((stats.mass > EMPTY) & free.any(axis=1)):
            both = np.outer(free[k], free[k])
            extent = Extent(stats.products[k, 0, 0], stats.products[k] * both, stats.powers[k] * free[k])
            step, open_end = bounded_step(pull[k], (stats.curvature[k] + np.diag(ridge)) * both, extent)
            coefficients[k] += step
            if open_end is not None:
                _warn_open(int(k), leading_column(open_end, stats.products[k]))
        return self.settle(params, GeneralizedRegressionParams(coefficients), stats.mass)

    def expected_log_likelihood(
        self,
        stats: GeneralizedRegressionStats,
        params: GeneralizedRegressionParams,
        reference: GeneralizedRegressionParams,
    ) -> float:
        """Return a lower bound of the sum of resp * log p(x | params) that touches it, with its gradient, at ``reference``."""
        step = params.coefficients - reference.coefficients
        gain = (stats.score * step).sum(axis=1)
        bend = 0.5 * np.einsum("kq,kqr,kr->k", step, stats.curvature, step)
        parts = zip(stats.products, stats.powers, step, strict=True)
        factor = np.array([excess(Extent(z[0, 0], z, powers).furthest(d)) for z, powers, d in parts])
        return float((stats.value + gain - np.where(bend > 0, factor, 1.0) * bend).sum())

    def log_prior(self, params: GeneralizedRegressionParams) -> float:
        """Return the log prior density of the coefficients, up to a constant."""
        return float(-0.5 * (self._ridge(params.coefficients.shape[1]) * params.coefficients**2).sum())

    def sample(self, params: GeneralizedRegressionParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, with regressors from the standard normal distribution."""
        slope = params.coefficients[states]
        z = rng.standard_normal((len(states), slope.shape[1] - 1))
        mean = self._mean(slope[:, 0] + np.einsum("nq,nq->n", slope[:, 1:], z))
        return np.column_stack([self._draw(mean, rng), z])


def _split(x: AnyArray) -> tuple[Array, Array]:
    """Return responses (N,) and regressors (N, Q), a one first."""
    return x[:, 0], np.hstack([np.ones((len(x), 1)), x[:, 1:]])


def _refuse_collinear(z: Array) -> None:
    """Raise DataError that names a column which the intercept and the columns before it give."""
    known: list[int] = []
    size = np.sqrt(np.square(z).sum(axis=0))
    unit = z / np.where(size > 0, size, 1.0)
    for q in range(z.shape[1]):
        rest = unit[:, q] - unit[:, known] @ np.linalg.lstsq(unit[:, known], unit[:, q], rcond=None)[0]
        if np.square(rest).sum() < 1e-20:
            raise DataError(
                "regressors are collinear", got=f"column {q}, which is a sum of the intercept and columns {known[1:]}",
                expected="columns that do not give each other", hint="leave the column out",
            )  # fmt: skip
        known.append(q)


def _warn_open(component: int, column: int) -> None:
    """Say which column has a coefficient without a finite maximum."""
    name = f"column {column}" if column else "the intercept"
    warnings.warn(
        f"component {component}: the likelihood rises for ever with the coefficient of {name}, which separates the responses; "
        "it is let be. Hint: leave the column out or set coefficient_weight",
        DegenerateWarning,
        stacklevel=3,
    )
