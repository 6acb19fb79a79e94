"""The EM model of a kernel mixture: responsibilities, and Fourier series of the components' densities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqem.core.rows import Rows
from seqem.distributions.fieldwise import EMPTY, warn_empty
from seqem.em.protocol import EStep
from seqem.models.mixture_model import responsibilities
from seqem.shapes import Array

BAND = 8.5
"""A kernel's transform is rounding beyond this frequency, a kernel beyond this distance, in bandwidths."""

_FLOOR = 1e-15
"""Rounding of a density: lower ones are not told apart."""


class KernelMixtureParams(NamedTuple):
    """Weights (K,), means (K, D) and Fourier coefficients of the densities (K, D, 2 F), cosines first, in bandwidths."""

    weights: Array
    means: Array
    waves: Array


class KernelMixtureStats(NamedTuple):
    """Sums of r (K,), r x (K, D), and r cos w x, r sin w x (K, D, 2 F)."""

    mass: Array
    total: Array
    waves: Array


@dataclass(frozen=True)
class KernelModel:
    """Estimate a mixture of products of kernel densities, for rows about 0 in units of the bandwidths.

    A Gaussian kernel estimate is a short Fourier series. Its coefficients are sums over the rows, so that it is additive over
    shards and exact to rounding, without a grid.

    Attributes
    ----------
    period : float
        Of the series; densities are those of the kernels for rows up to half of it.
    symmetric : bool
        Whether, in each column, components are one symmetric density about their means.
    log_unit : float
        Sum of the logarithms of the bandwidths.
    """

    period: float
    symmetric: bool
    log_unit: float

    def frequencies(self) -> Array:
        """Return the frequencies of the series, shape (F,)."""
        return 2 * np.pi / self.period * np.arange(1, np.ceil(BAND * self.period / (2 * np.pi)) + 1)

    def _turns(self, x: Array) -> Array:
        """Return cosines and sines of numbers (...), shape (..., 2 F)."""
        angle = x[..., None] * self.frequencies()
        return np.concatenate([np.cos(angle), np.sin(angle)], axis=-1)

    def joint(self, params: KernelMixtureParams, x: Array, turns: Array) -> Array:
        """Return log weight plus log density of each component, shape (N, K)."""
        series = np.stack([turns[:, d] @ params.waves[:, d].T for d in range(x.shape[1])])
        density = np.maximum((1 + 2 * series) / self.period, _FLOOR)
        density[np.abs(x.T) > self.period / 2] = _FLOOR
        with np.errstate(divide="ignore"):
            return np.log(density).sum(axis=0) + np.log(params.weights) - self.log_unit

    def posterior(self, params: KernelMixtureParams, x: Array) -> tuple[Array, Array]:
        """Return log-densities (N,) and posterior probabilities of the components (N, K)."""
        return responsibilities(self.joint(params, x, self._turns(x)))

    def e_step(self, params: KernelMixtureParams, shard: Rows) -> EStep:
        """Return the statistics and the log-likelihood of a shard."""
        turns = self._turns(shard.x)
        scores, resp = responsibilities(self.joint(params, shard.x, turns))
        return EStep(self._statistics(shard.x, turns, resp), shard.total(scores))

    def statistics(self, x: Array, resp: Array) -> KernelMixtureStats:
        """Return the statistics of rows with shares (N, K)."""
        return self._statistics(x, self._turns(x), resp)

    def _statistics(self, x: Array, turns: Array, resp: Array) -> KernelMixtureStats:
        waves = np.stack([resp.T @ turns[:, d] for d in range(x.shape[1])], axis=1)
        return KernelMixtureStats(resp.sum(axis=0), resp.T @ x, waves)

    def m_step(self, stats: KernelMixtureStats, params: KernelMixtureParams | None) -> KernelMixtureParams:
        """Return weights, means and kernel densities."""
        empty = stats.mass <= EMPTY
        warn_empty(empty)
        mass = np.where(empty, 1.0, stats.mass)
        weights, means = stats.mass / stats.mass.sum(), stats.total / mass[:, None]
        if params is not None:
            means = np.where(empty[:, None], params.means, means)
        smooth = np.exp(-0.5 * np.tile(self.frequencies(), 2) ** 2)
        waves = smooth * stats.waves / mass[:, None, None]
        return KernelMixtureParams(weights, means, self._shared(weights, means, waves) if self.symmetric else waves)

    def _shared(self, weights: Array, means: Array, waves: Array) -> Array:
        """Return the waves of the symmetric density of all components about their means."""
        turns = self._turns(means)
        cosine, sine = np.split(turns * waves, 2, axis=-1)
        shape = np.tensordot(weights, cosine + sine, axes=1)
        return turns * np.concatenate([shape, shape], axis=-1)

    def log_prior(self, params: KernelMixtureParams) -> float:
        """Return 0: there is no prior."""
        return 0.0
