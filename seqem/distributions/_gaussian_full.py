"""Gaussians with covariance matrices: density, moments with missing coordinates, covariances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from seqem.core.linalg import column_sums, floor_eigenvalues, inverse_cholesky
from seqem.distributions._gaussian_diagonal import LOG_2PI
from seqem.distributions._gaussian_diagonal import log_likelihood as log_likelihood_diagonal
from seqem.distributions._normal_prior import NormalPrior
from seqem.errors import NumericalError, ParameterError
from seqem.kernels.gaussian import FRAMES, LANES, density_full, moments_full
from seqem.shapes import Array, IntArray, Mask


def patterns(x: Array) -> Iterator[tuple[Mask, IntArray]]:
    """Yield each pattern of observed coordinates among incomplete rows, and these rows."""
    holes = np.isnan(x)
    if not holes.any():  # the whole is looked through faster than row after row
        return
    lost = np.flatnonzero(holes.any(axis=1))
    seen, which = np.unique(~np.isnan(x[lost]), axis=0, return_inverse=True)
    for p, pattern in enumerate(seen):
        yield pattern, lost[which.ravel() == p]


def _lanes(values: Array) -> Array:
    """Return (K, R) as (B, R, LANES): components in blocks of whole registers, padded with zeros."""
    K, R = values.shape
    out = np.zeros((-(-K // LANES), LANES, R))
    out.reshape(-1, R)[:K] = values
    return np.ascontiguousarray(out.transpose(0, 2, 1))


def _from_lanes(blocks: Array, n_components: int) -> Array:
    """Return (B, R, LANES) as (K, R)."""
    return blocks.transpose(0, 2, 1).reshape(-1, blocks.shape[1])[:n_components]


def log_likelihood(mean: Array, matrix: Array, x: Array) -> Array:
    """Return log-densities (N, K) for means (K, D) and covariances (K, D, D)."""
    K, D = mean.shape
    factor, log_det = inverse_cholesky(matrix)
    factor *= np.sqrt(0.5)
    middle = mean.mean(axis=0)
    shift = -(factor @ (mean - middle)[:, :, None])[:, :, 0]
    constant = -0.5 * (log_det + D * LOG_2PI)[:, None]
    i, j = np.tril_indices(D)
    out = np.empty((len(x), K))
    scratch = np.zeros((FRAMES, D)), np.empty((FRAMES, LANES))
    rows = np.ascontiguousarray(x - middle)
    density_full(rows, _lanes(factor[:, i, j]), _lanes(shift), _lanes(constant), *scratch, out)
    for seen, at in patterns(x):
        out[at] = _marginal(mean[:, seen], matrix[:, seen][:, :, seen], x[at][:, seen])
    return out


def _marginal(mean: Array, matrix: Array, x: Array) -> Array:
    """Return log-densities (N, K) over few coordinates, or none."""
    factor, log_det = inverse_cholesky(matrix)
    z = np.einsum("kde,nke->nkd", factor, x[:, None, :] - mean)
    return -0.5 * (np.square(z).sum(axis=2) + log_det + x.shape[1] * LOG_2PI)


def log_likelihood_tied(mean: Array, matrix: Array, x: Array) -> Array:
    """Return log-densities (N, K) under one covariance (D, D): whiten the rows once, then compare means."""
    if np.isnan(x).any():
        return log_likelihood(mean, np.broadcast_to(matrix, (len(mean), *matrix.shape)), x)
    factor, log_det = inverse_cholesky(matrix)
    middle = mean.mean(axis=0)
    white = (mean - middle) @ factor.T
    rows = np.ascontiguousarray((x - middle) @ factor.T)
    return log_likelihood_diagonal(white, np.ones_like(white), rows) - 0.5 * log_det


def moments(mean: Array, matrix: Array, x: Array, resp: Array) -> tuple[Array, Array, Array]:
    """Return mass (K,), first (K, D) and second (K, D, D) moments about ``mean``, missing ones expected."""
    holed = list(patterns(x))
    whole, weights = (np.ascontiguousarray(a, dtype=np.float64) for a in (x, resp))
    if holed:
        lost = np.concatenate([at for _, at in holed])
        whole, weights = whole.copy(), weights.copy()
        whole[lost] = weights[lost] = 0.0
    first, second = _complete_moments(mean, whole, weights)
    mass = column_sums(weights)
    for seen, at in holed:
        if seen.any():
            mass += resp[at].sum(axis=0)
            for k in range(len(mean)):
                _add_incomplete(x[at] - mean[k], resp[at, k], seen, matrix[k], first[k], second[k])
    return mass, first, second


def _complete_moments(mean: Array, x: Array, resp: Array) -> tuple[Array, Array]:
    K, D = mean.shape
    i, j = np.tril_indices(D)
    centre = _lanes(mean)
    first, triangle = np.zeros_like(centre), np.zeros((len(centre), len(i), LANES))
    scratch = np.zeros((FRAMES, D)), np.zeros((FRAMES, LANES)), np.empty((FRAMES * D, LANES))
    moments_full(x, resp, centre, *scratch, first, triangle)
    second = np.empty((K, D, D))
    second[:, i, j] = second[:, j, i] = _from_lanes(triangle, K)
    return np.ascontiguousarray(_from_lanes(first, K)), second


def _add_incomplete(y: Array, weights: Array, seen: Mask, matrix: Array, first: Array, second: Array) -> None:
    """Add the expected moments of centred rows ``y`` of one pattern, which are completed in place."""
    second += weights.sum() * _complete(y, seen, matrix)
    pull = y * weights[:, None]
    first += pull.sum(axis=0)
    second += pull.T @ y


def _complete(y: Array, seen: Mask, matrix: Array) -> Array:
    """Fill the missing coordinates of centred rows ``y`` in place; return their conditional covariance (D, D)."""
    lost = ~seen
    try:
        slope = np.linalg.solve(matrix[np.ix_(seen, seen)], matrix[np.ix_(seen, lost)])
    except np.linalg.LinAlgError:
        hint = "columns of very different size: rescale them, or raise the floor"
        raise NumericalError("a covariance matrix lost its rank", hint=hint) from None
    y[:, lost] = y[:, seen] @ slope
    rest = np.zeros_like(matrix)
    rest[np.ix_(lost, lost)] = matrix[np.ix_(lost, lost)] - matrix[np.ix_(lost, seen)] @ slope
    return rest


def _outer(a: Array, b: Array) -> Array:
    return a[:, :, None] * b[:, None, :]


def _grouped(matrices: Array, groups: int) -> Array:
    """Return sums (groups, D, D) over runs of consecutive components."""
    return matrices.reshape(groups, -1, *matrices.shape[1:]).sum(axis=1)


def scatter(stats: Any, step: Array) -> Array:
    """Return second moments about means moved by ``step``, in the groups of the statistics."""
    cross = _outer(stats.first, step)
    change = stats.mass[:, None, None] * _outer(step, step) - cross - np.swapaxes(cross, 1, 2)
    return stats.second + _grouped(change, len(stats.second))


def _mean_scatter(prior: NormalPrior, mean: Array, groups: int) -> Array:
    away = mean - prior.mean
    return _grouped(_outer(prior.pull * away, away), groups)


def covariance(prior: NormalPrior, stats: Any, step: Array, mean: Array, groups: int, floor: float) -> Array:
    """Return the mode of the covariances (groups, D, D) under "every eigenvalue >= floor"."""
    whole = prior.scatter + _mean_scatter(prior, mean, groups) + scatter(stats, step)
    total = prior.weight + stats.mass.reshape(groups, -1).sum(axis=1)
    return floor_eigenvalues(whole / np.where(total > 0, total, 1.0)[:, None, None], floor)


def _log_density(matrix: Array, weight: Array, scatter: Array) -> float:
    factor, log_det = inverse_cholesky(matrix)
    precision = np.swapaxes(factor, 1, 2) @ factor
    return float(-0.5 * ((weight * log_det).sum() + (precision * scatter).sum()))


def expected(stats: Any, step: Array, matrix: Array) -> float:
    """Return the expected log-likelihood at means moved by ``step`` and covariances (groups, D, D)."""
    mass = stats.mass.reshape(len(matrix), -1).sum(axis=1)
    constant = 0.5 * LOG_2PI * matrix.shape[-1] * mass.sum()
    return _log_density(matrix, mass, scatter(stats, step)) - float(constant)


def log_prior(prior: NormalPrior, mean: Array, matrix: Array) -> float:
    """Return the log prior density of means (K, D) and covariances (groups, D, D), up to a constant."""
    if not (prior.weight.any() or prior.scatter.any() or prior.pull.any()):
        return 0.0
    return _log_density(matrix, prior.weight, prior.scatter + _mean_scatter(prior, mean, len(matrix)))


def refuse_partial(kept: Mask, name: str) -> None:
    """Refuse masks that fix part of a vector or matrix: the rest would have no closed form."""
    blocks = kept.reshape(-1, *kept.shape[-1 - (name == "covariance") :])
    flat = blocks.reshape(len(blocks), -1)
    if (flat.any(axis=1) != flat.all(axis=1)).any():
        raise ParameterError(
            f"fixed[{name!r}] cuts through a component",
            expected="whole components under full and tied covariance",
            hint='covariance_type="diag" takes a mask for every entry',
        )
