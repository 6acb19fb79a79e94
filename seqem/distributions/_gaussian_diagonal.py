"""Gaussians with independent coordinates: density, moments, variances, from arrays alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqem.distributions._normal_prior import NormalPrior, about
from seqem.kernels.gaussian import FRAMES, LANES, density
from seqem.kernels.gaussian import moments as moments_kernel
from seqem.shapes import Array

LOG_2PI = float(np.log(2.0 * np.pi))


def _lanes(matrix: Array) -> Array:
    """Return (K, D) as (D, P), padded with zeros to whole registers."""
    K, D = matrix.shape
    out = np.zeros((D, -(-K // LANES) * LANES))
    out[:, :K] = matrix.T
    return out


def log_likelihood(mean: Array, variance: Array, x: Array) -> Array:
    """Return log-densities (N, K) for means and variances (K, D)."""
    scale = np.sqrt(0.5 / variance)
    norm = _lanes(-0.5 * (LOG_2PI + np.log(variance)))
    x = np.ascontiguousarray(x, dtype=np.float64)  # the kernel's vector code counts on it
    out = np.empty((len(x), len(mean)))
    D, P = norm.shape
    scratch = np.zeros((FRAMES, D)), np.empty((FRAMES, P))
    density(x, _lanes(scale), _lanes(-mean * scale), norm.sum(axis=0, keepdims=True), norm, *scratch, out)
    return out


def moments(mean: Array, x: Array, resp: Array) -> tuple[Array, Array, Array]:
    """Return mass, first and second moments about ``mean``, each (K, D)."""
    K = len(mean)
    centre = _lanes(mean)
    whole = np.zeros(K)
    count, first, second = (np.zeros(centre.shape) for _ in range(3))
    scratch = np.zeros((FRAMES, mean.shape[1])), np.zeros((FRAMES, centre.shape[1]))
    x, resp = (np.ascontiguousarray(a, dtype=np.float64) for a in (x, resp))
    moments_kernel(x, resp, centre, *scratch, whole, count, first, second)
    back = [np.ascontiguousarray(a[:, :K].T) for a in (count, first, second)]
    return whole[:, None] + back[0], back[1], back[2]


def variance(prior: NormalPrior, stats: Any, step: Array, mean: Array, *, spherical: bool) -> Array:
    """Return the mode of the variances, (K, D) or (K,)."""
    scatter = prior.scatter + prior.mean_scatter(mean) + about(stats.second, stats.first, stats.mass, step)
    total = stats.mass + prior.weight
    if spherical:
        scatter, total = scatter.sum(axis=1), total.sum(axis=1)
    return scatter / np.where(total > 0, total, 1.0)


def expected(stats: Any, step: Array, variance: Array) -> float:
    """Return the expected log-likelihood at means moved by ``step`` and variances (K, D)."""
    scatter = about(stats.second, stats.first, stats.mass, step)
    return float(-0.5 * (stats.mass * (LOG_2PI + np.log(variance)) + scatter / variance).sum())
