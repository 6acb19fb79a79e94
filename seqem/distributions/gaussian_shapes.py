"""Gaussians whose covariances share volume, shape or orientation: the models of mclust."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqem.core.linalg import floor_eigenvalues
from seqem.distributions import _gaussian_full as full
from seqem.distributions._gaussian_shapes import MAXIMISERS, n_free
from seqem.distributions.fieldwise import EMPTY
from seqem.distributions.gaussian import Gaussian, GaussianParams, GaussianStats
from seqem.errors import ParameterError
from seqem.shapes import AnyArray, Array


@dataclass(frozen=True, eq=False)
class GaussianShapes(Gaussian):
    """Model rows (N, D) as K Gaussians with covariances ``volume * D diag(shape) D'`` that share some of the parts.

    Attributes
    ----------
    covariance_type : str
        Three letters for volume, shape and orientation: E for equal, V for one each, I for that of the identity. One of EII,
        EEI, VEI, EVI, VEE, EVE, VVE, EEV, VEV, EVV; the others of mclust are ``Gaussian``'s own: VII is spherical, VVI diag,
        EEE tied and VVV full.

    Notes
    -----
    Celeux & Govaert 1995 (Pattern Recognition 28, 781-793). There are no priors, and no free coordinates: methods that need
    them are refused.

    Examples
    --------
    >>> params = GaussianParams(np.zeros((2, 2)), np.tile(np.eye(2), (2, 1, 1)))
    >>> GaussianShapes("EEV").n_free(params)
    8
    """

    covariance_type: str = "EEV"

    def __post_init__(self) -> None:
        if self.covariance_type not in MAXIMISERS:
            raise ParameterError("unknown covariance_type", got=self.covariance_type, expected=list(MAXIMISERS))
        if self.covariance_prior is not None or self.mean_prior is not None or "covariance" in self.fixed:
            raise ParameterError(
                "covariances with common parts take no priors and stay free", hint='use "full" or "diag"'
            )

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> GaussianParams:
        """Return k-means++ centres and the variances of the whole data."""
        return Gaussian("full", floor=self.floor).initial(x, n_components, rng)

    def maximise(self, stats: GaussianStats, params: GaussianParams) -> GaussianParams:
        """Return the maximum of means and covariances; components without mass keep theirs."""
        mass = np.maximum(stats.mass, EMPTY)
        kept = self.kept(params, "mean")
        step = np.where(kept, 0.0, stats.first / mass[:, None])
        matrices = MAXIMISERS[self.covariance_type](full.scatter(stats, step), mass)
        return self.settle(
            params, GaussianParams(params.mean + step, floor_eigenvalues(matrices, self.floor)), stats.mass
        )

    def n_free(self, params: GaussianParams) -> int:
        """Return the number of free parameters of all K components."""
        K, D = params.mean.shape
        return int((~self.kept(params, "mean")).sum()) + n_free(self.covariance_type, K, D)

    def pack(self, params: GaussianParams) -> Array:
        """Refuse: the constraints leave no free coordinates that are used here."""
        raise ParameterError(
            f"{self.covariance_type} covariances have no unconstrained coordinates",
            hint="fit with method='em' or 'incremental'",
        )
