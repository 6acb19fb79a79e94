"""Heavy-tailed rows: multivariate t with scale matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from seqem.core.checks import refuse, rows
from seqem.core.linalg import cholesky, floor_eigenvalues, inverse_cholesky
from seqem.distributions._gaussian_diagonal import LOG_2PI
from seqem.distributions._roots import newton_log
from seqem.distributions._start import centres, column_variance
from seqem.distributions.fieldwise import Fieldwise
from seqem.distributions.transforms import COVARIANCE, IDENTITY, LOG, Transform
from seqem.errors import ParameterError
from seqem.shapes import AnyArray, Array


class MultivariateTParams(NamedTuple):
    """Locations (K, D), scale matrices (K, D, D) and degrees of freedom (K,)."""

    location: Array
    scale: Array
    df: Array


class MultivariateTStats(NamedTuple):
    """Sums, u the latent precision: r (K,), r u, r log u, r u (x - m) (K, D), r u (x - m) (x - m)' (K, D, D)."""

    mass: Array
    precision: Array
    log_precision: Array
    first: Array
    second: Array


@dataclass(frozen=True, eq=False)
class MultivariateT(Fieldwise):
    """Model rows (N, D) as K multivariate t variables; whole rows may be missing.

    Attributes
    ----------
    floor : float
        Smallest eigenvalue of the scale matrices allowed.
    df : float
        Degrees of freedom to begin with, or to stay with under ``fixed={"df": True}``.
    df_bounds : (float, float)
        Range of the degrees of freedom.

    Notes
    -----
    x is normal with covariance scale / u and u is Gamma(df / 2, df / 2) (Liu & Rubin 1995; Peel & McLachlan 2000).

    Examples
    --------
    >>> params = MultivariateTParams(np.zeros((1, 2)), np.eye(2)[None], np.array([1.0]))
    >>> MultivariateT().log_likelihood(params, np.zeros((1, 2))).round(4).tolist()
    [[-1.8379]]
    """

    fields: ClassVar[tuple[str, ...]] = MultivariateTParams._fields
    floor: float = 1e-6
    df: float = 10.0
    df_bounds: tuple[float, float] = (0.5, 200.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.df_bounds
        if not (self.floor > 0 and 0 < low < high < np.inf and self.df > 0):
            expected = "a positive floor, positive df and 0 < low < high"
            raise ParameterError(
                "floor, df or df_bounds out of range", got=(self.floor, self.df, self.df_bounds), expected=expected
            )

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (IDENTITY, COVARIANCE, LOG)

    def check(self, x: Any) -> Array:
        """Return ``x`` as float64 rows (N, D), whole or missing."""
        array = rows(x)
        holes = np.isnan(array)
        part = holes & ~holes.all(axis=1, keepdims=True)
        refuse(part, array, "missing value", expected="whole rows", hint="StudentT takes rows with holes")
        return array

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> MultivariateTParams:
        """Return k-means++ centres and the variances of the whole data."""
        location = centres(x, n_components, rng)
        scale = np.diag(np.maximum(column_variance(x), self.floor))
        return MultivariateTParams(location, np.tile(scale, (n_components, 1, 1)), np.full(n_components, self.df))

    def _distances(self, params: MultivariateTParams, x: AnyArray) -> tuple[Array, Array]:
        """Return squared distances (N, K) in units of the scale, and log-determinants (K,)."""
        factor, log_det = inverse_cholesky(params.scale)
        squares = [np.square((x - m) @ f.T).sum(axis=1) for m, f in zip(params.location, factor, strict=True)]
        return np.stack(squares, axis=1), log_det

    def log_likelihood(self, params: MultivariateTParams, x: AnyArray) -> Array:
        """Return log p(x_n | k), shape (N, K)."""
        D = x.shape[1]
        squares, log_det = self._distances(params, x)
        half = 0.5 * params.df
        norm = gammaln(half + 0.5 * D) - gammaln(half) - 0.5 * (D * np.log(np.pi * params.df) + log_det)
        out = norm - (half + 0.5 * D) * np.log1p(squares / params.df)
        out[self.missing(x)] = 0.0
        return out

    def accumulate(self, params: MultivariateTParams, x: AnyArray, resp: Array) -> MultivariateTStats:
        """Return expected statistics about the current locations."""
        seen = np.flatnonzero(~self.missing(x))
        x, resp = x[seen], resp[seen]
        half = 0.5 * (params.df + x.shape[1])
        rest = 0.5 * (params.df + self._distances(params, x)[0])
        pull = resp * half / rest
        logs = resp * (digamma(half) - np.log(rest))
        away = [x - m for m in params.location]
        first = np.stack([pull[:, k] @ away[k] for k in range(len(away))])
        second = np.stack([(away[k] * pull[:, k, None]).T @ away[k] for k in range(len(away))])
        return MultivariateTStats(resp.sum(axis=0), pull.sum(axis=0), logs.sum(axis=0), first, second)

    def _moved(self, stats: MultivariateTStats, step: Array) -> Array:
        """Return second moments about locations moved by ``step``."""
        cross = stats.first[:, :, None] * step[:, None, :]
        square = stats.precision[:, None, None] * step[:, :, None] * step[:, None, :]
        return stats.second - cross - np.swapaxes(cross, 1, 2) + square

    def recentre(
        self, stats: MultivariateTStats, old: MultivariateTParams, new: MultivariateTParams
    ) -> MultivariateTStats:
        """Return moments about the locations of ``old`` as moments about those of ``new``."""
        step = new.location - old.location
        return stats._replace(first=stats.first - stats.precision[:, None] * step, second=self._moved(stats, step))

    def maximise(self, stats: MultivariateTStats, params: MultivariateTParams) -> MultivariateTParams:
        """Return the maximum of location and scale, and the root in the degrees of freedom."""
        mass, precision = (np.where(total > 0, total, 1.0) for total in (stats.mass, stats.precision))
        step = np.where(self.kept(params, "location"), 0.0, stats.first / precision[:, None])
        scale = floor_eigenvalues(self._moved(stats, step) / mass[:, None, None], self.floor)
        mean = (stats.log_precision - stats.precision) / mass
        df = newton_log(
            lambda v: np.log(0.5 * v) + 1.0 - digamma(0.5 * v) + mean,
            lambda v: 1.0 - 0.5 * v * polygamma(1, 0.5 * v),
            params.df,
            self.df_bounds,
        )
        return self.settle(params, MultivariateTParams(params.location + step, scale, df), stats.mass)

    def expected_log_likelihood(
        self, stats: MultivariateTStats, params: MultivariateTParams, reference: MultivariateTParams
    ) -> float:
        """Return Q(params | reference), the expectation over the latent precisions too."""
        D = params.location.shape[1]
        half = 0.5 * params.df
        factor, log_det = inverse_cholesky(params.scale)
        moved = self._moved(stats, params.location - reference.location)
        distance = np.einsum("kij,kjl,kil->k", factor, moved, factor)
        norm = half * np.log(half) - gammaln(half) - 0.5 * (D * LOG_2PI + log_det)
        latent = (half + 0.5 * D - 1.0) * stats.log_precision - half * stats.precision
        return float((stats.mass * norm - 0.5 * distance + latent).sum())

    def log_prior(self, params: MultivariateTParams) -> float:
        """Return 0: there are no priors."""
        return 0.0

    def sample(self, params: MultivariateTParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, shape (N, D)."""
        df = params.df[states]
        noise = rng.standard_normal((len(states), params.location.shape[1]))
        noise /= np.sqrt(rng.chisquare(df) / df)[:, None]
        return params.location[states] + np.einsum("nij,nj->ni", cholesky(params.scale)[states], noise)
