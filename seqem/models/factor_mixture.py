"""MixtureOfFactorAnalyzers: clusters of rows whose covariances are those of a few factors and noise, missing values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from seqem.core.checks import at_least
from seqem.distributions._factors import echelon, pivots
from seqem.distributions.factor_gaussian import FactorGaussian
from seqem.distributions.mixture import MixtureParams
from seqem.em.driver import FitResult
from seqem.errors import DataError
from seqem.models.inputs import checked_rows
from seqem.models.mixture import BaseMixture
from seqem.models.rotation import Identified, canonical
from seqem.shapes import AnyArray, Array

# Standard deviation of a column of equal numbers, as a share of them: what summation leaves.
_ROUNDING = 1e-13


class MixtureOfFactorAnalyzers(BaseMixture):
    """Mixture of Gaussians with covariances ``loadings @ loadings.T + diag(noise)``, each with its own.

    A component has ``D (q + 2) - q (q - 1) / 2`` parameters where one with a full covariance has ``D (D + 3) / 2``, so
    that many columns can be clustered with few rows.

    Parameters
    ----------
    n_components : int
        K.
    n_factors : int
        q, of every component.
    tol : float
        Converged when the gain to come is no more than this share of the log-likelihood, see ``StopRule.rest_tol``.
    max_iter : int
        Evaluations of the EM map at most.
    n_init : int
        Starts, of which the best is kept; ``starts_`` tells of all.
    method : str
        How to climb; see ``seqem.catalog.METHODS``.
    min_uniqueness : float
        Smallest variance of the noise in any component, as a share of the variance of the column: keeps the likelihood
        finite (Heywood cases, components of few rows).
    training : {"posterior", "classification", "stochastic"}
        EM, or with hard assignment (CEM), or with drawn components (SEM), which goes on for ``max_iter`` iterations.
    annealing : sequence of float
        Powers of the posterior to begin at, such as (0.2, 0.5, 0.8).
    random_state : int, Generator or None
        Draws starts and samples.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
        Probability of each component.
    means_ : ndarray, shape (K, D)
    loadings_ : ndarray, shape (K, D, q)
        Canonical: ``loadings_[k].T @ diag(1 / noise_variance_[k]) @ loadings_[k]`` is diagonal and falls.
    noise_variance_ : ndarray, shape (K, D)
    covariances_ : ndarray, shape (K, D, D)

    Notes
    -----
    Ghahramani & Hinton (The EM algorithm for mixtures of factor analyzers, 1996, Toronto CRG-TR-96-1); McLachlan & Peel
    (Finite Mixture Models, 2000, ch. 8). Rows with NaN count by what is observed of them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 1)) * [1.0, 2.0, 3.0] + 0.1 * rng.normal(size=(200, 3))
    >>> x[100:] = -x[100:, ::-1] + 20.0
    >>> model = MixtureOfFactorAnalyzers(2, random_state=0).fit(x)
    >>> loadings = model.loadings_[model.predict(x[:1])[0], :, 0]
    >>> (loadings / loadings[0]).round(1).tolist()
    [1.0, 2.0, 3.0]
    """

    def __init__(
        self,
        n_components: int = 2,
        n_factors: int = 1,
        *,
        tol: float = 1e-8,
        max_iter: int = 5000,
        n_init: int = 1,
        method: str = "em",
        min_uniqueness: float = 1e-4,
        training: str = "posterior",
        annealing: Sequence[float] = (),
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.n_factors = n_factors
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.method = method
        self.min_uniqueness = min_uniqueness
        self.training = training
        self.annealing = annealing
        self.random_state = random_state

    def _family(self) -> FactorGaussian:
        return FactorGaussian(self.n_factors, self._smallest)

    def _rows(self, X: Any, *, reset: bool = False) -> AnyArray:
        if reset:
            at_least(self.min_uniqueness, np.finfo(float).tiny, "min_uniqueness")
            x = FactorGaussian(self.n_factors).check(checked_rows(self, X, reset=True))
            self._smallest = self.min_uniqueness * self._variances(x)
        return super()._rows(X)

    def _variances(self, x: Array) -> Array:
        """Return the variance of what is there of each column, (D,), or say which columns or rows do not do."""
        seen = ~np.isnan(x)
        least = max(self.n_components, self.n_factors + 1)
        if seen.any(axis=1).sum() < least:
            expected = f"{least} with values, for {self.n_components} components of {self.n_factors} factors"
            raise DataError("too few rows", got=f"n_samples = {len(x)}", expected=expected)
        count = seen.sum(axis=0)
        self._refuse_columns(count == 0, "no values")
        mean = np.where(seen, x, 0.0).sum(axis=0) / count
        variance = np.square(np.where(seen, x - mean, 0.0)).sum(axis=0) / count
        self._refuse_columns(np.sqrt(variance) <= _ROUNDING * np.abs(mean), "no variance")
        return variance

    def _refuse_columns(self, bad: Any, what: str) -> None:
        if bad.any():
            names = getattr(self, "feature_names_in_", range(len(bad)))
            named = ", ".join(str(names[c]) for c in np.flatnonzero(bad))
            raise DataError(f"{what} in column {named}", expected="columns that vary", hint="leave it out")

    # -- what was learned ------------------------------------------------------------------------------

    @property
    def _fitted(self) -> FitResult:
        """The result of the fit, with canonical loadings."""
        found = super()._fitted
        return replace(found, params=_canonical(found.params))

    @property
    def means_(self) -> Array:
        """Means, shape (K, D)."""
        return self.params_.mean

    @property
    def loadings_(self) -> Array:
        """Loadings, shape (K, D, q)."""
        return self.params_.loadings

    @property
    def noise_variance_(self) -> Array:
        """Variances of the noise, shape (K, D)."""
        return self.params_.noise

    @property
    def covariances_(self) -> Array:
        """Covariances of the components, shape (K, D, D)."""
        return self._family().covariances(self.params_)

    @property
    def n_parameters_(self) -> int:  # type: ignore[override]
        """Number of free parameters, rotations apart; variances of the noise count wherever they ended."""
        K, D, q = self.loadings_.shape
        return K - 1 + K * (D * (q + 2) - q * (q - 1) // 2)

    def factor_scores(self, X: Any) -> Array:
        """Return the expected factors of each row under each component, given what is there of it, shape (N, K, q).

        Weigh them with ``predict_proba``, or take those of ``predict``. They belong to ``loadings_``.
        """
        return self._family().factor_scores(self.params_, self._rows(X))

    def _identified(self, params: MixtureParams) -> Any:
        """Return the model in coordinates that no rotation moves along: errors are those of the canonical loadings."""
        return _IdentifiedMixture(self._model(), params)


@dataclass(frozen=True, eq=False)
class _IdentifiedMixture(Identified):
    """A mixture whose parameters of a vector have canonical loadings with the signs of the reference."""

    @cached_property
    def _echelon(self) -> MixtureParams:
        """The reference with loadings in the echelon form of the rows that say most."""
        part = self.reference.component
        scaled = part.loadings / np.sqrt(part.noise)[:, :, None]
        turned = [echelon(one, pivots(rows)) for one, rows in zip(part.loadings, scaled, strict=True)]
        return _with_loadings(self.reference, turned)

    def pack(self, params: Any) -> Array:
        """Return the coordinates of the reference, which is the only point that is asked for."""
        return self.model.pack(self._echelon)

    def unpack(self, vector: Array, like: Any) -> MixtureParams:
        """Return the canonical parameters of a vector."""
        params = _canonical(self.model.unpack(vector, self._echelon))
        loadings = params.component.loadings
        same = np.where((loadings * self.reference.component.loadings).sum(axis=1) < 0, -1.0, 1.0)
        return _with_loadings(params, loadings * same[:, None])


def _with_loadings(params: MixtureParams, loadings: Any) -> MixtureParams:
    """Return the parameters with other loadings (K, D, q)."""
    return params._replace(component=params.component._replace(loadings=np.asarray(loadings)))


def _canonical(params: MixtureParams) -> MixtureParams:
    """Return the parameters with canonical loadings."""
    _, loadings, noise = params.component
    return _with_loadings(params, [canonical(one, variances) for one, variances in zip(loadings, noise, strict=True)])
