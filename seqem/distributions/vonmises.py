"""Independent angles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import i0e, i1e

from seqem.core.checks import at_least, rows, spread
from seqem.distributions._roots import newton_log
from seqem.distributions._start import centres
from seqem.distributions.linear import LinearFamily, LinearStats
from seqem.distributions.transforms import IDENTITY, LOG, Transform
from seqem.errors import ParameterError
from seqem.shapes import AnyArray, Array

_CONCENTRATIONS = 1e-8, 1e8
"""Bounds of the concentration: equal angles would send it to infinity."""


class VonMisesParams(NamedTuple):
    """Mean angles and concentrations (K, D)."""

    mean: Array
    concentration: Array


@dataclass(frozen=True, eq=False)
class VonMises(LinearFamily):
    """Model rows (N, D) of angles in radians as independent von Mises variables; NaN is missing.

    Attributes
    ----------
    prior_weight : array-like
        Number of pseudo-observations (the conjugate prior), broadcast to (K, D).
    prior_mean, prior_length : array-like
        Mean angle and mean resultant length (0 to 1) of the pseudo-observations.

    Examples
    --------
    >>> params = VonMisesParams(np.array([[0.0]]), np.array([[1e-8]]))
    >>> VonMises().log_likelihood(params, np.array([[1.0]])).round(4).tolist()
    [[-1.8379]]
    """

    fields: ClassVar[tuple[str, ...]] = VonMisesParams._fields
    prior_weight: Any = 0.0
    prior_mean: Any = 0.0
    prior_length: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.prior_weight, 0.0, "prior_weight")
        at_least(self.prior_length, 0.0, "prior_length")
        if (np.asarray(self.prior_length) >= 1).any():
            raise ParameterError("prior_length is out of range", got=self.prior_length, expected="0 <= length < 1")

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (IDENTITY, LOG)

    def check(self, x: Any) -> Array:
        """Return ``x`` as float64 rows (N, D)."""
        return rows(x)

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> VonMisesParams:
        """Return the directions of k-means++ centres on the circle, concentration 2."""
        D = x.shape[1]
        middle = centres(np.hstack([np.cos(x), np.sin(x)]), n_components, rng)
        mean = np.arctan2(middle[:, D:], middle[:, :D])
        return VonMisesParams(mean, np.full_like(mean, 2.0))

    def statistic(self, x: Array) -> Array:
        """Return cosines and sines."""
        return np.stack([np.cos(x), np.sin(x)])

    def natural(self, params: VonMisesParams) -> Array:
        """Return the concentration times cosine and sine of the mean."""
        return params.concentration[:, None] * np.stack([np.cos(params.mean), np.sin(params.mean)], axis=1)

    def log_normaliser(self, params: VonMisesParams) -> Array:
        """Return log(2 pi I0(concentration))."""
        return np.log(2.0 * np.pi * i0e(params.concentration)) + params.concentration

    def base(self, x: Array) -> Array:
        """Return zero."""
        return np.zeros_like(x)

    def _pseudo(self, shape: tuple[int, ...]) -> LinearStats:
        weight = spread(self.prior_weight, shape, "prior_weight")
        pull = weight * self.prior_length
        total = np.stack([pull * np.cos(self.prior_mean), pull * np.sin(self.prior_mean)], axis=1)
        return LinearStats(weight, total, np.zeros(shape[0]))

    def maximise(self, stats: LinearStats, params: VonMisesParams) -> VonMisesParams:
        """Return the direction of the resultant, and the concentration whose I1/I0 is its length.

        Source: Mardia & Jupp, Directional Statistics (2000), section 5.3.
        """
        pseudo = self._pseudo(params.mean.shape)
        mass = stats.mass + pseudo.mass
        cosine, sine = np.swapaxes(stats.total + pseudo.total, 0, 1) / np.where(mass > 0, mass, 1.0)
        mean = np.where(self.kept(params, "mean"), params.mean, np.arctan2(sine, cosine))
        length = cosine * np.cos(mean) + sine * np.sin(mean)

        def slope(kappa: Array) -> Array:
            ratio = i1e(kappa) / i0e(kappa)
            return -kappa * (1.0 - ratio / kappa - ratio**2)

        excess = newton_log(lambda k: length - i1e(k) / i0e(k), slope, params.concentration, _CONCENTRATIONS)
        return self.settle(params, VonMisesParams(mean, excess), stats.mass)

    def log_prior(self, params: VonMisesParams) -> float:
        """Return the log-likelihood of the pseudo-observations."""
        return self.expected_log_likelihood(self._pseudo(params.mean.shape), params, params)

    def sample(self, params: VonMisesParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, shape (N, D), angles in [-pi, pi]."""
        return rng.vonmises(params.mean[states], params.concentration[states])
