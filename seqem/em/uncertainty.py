"""Uncertainty: observed information and standard errors from the score, by Fisher's identity."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

from seqem.core.tree import tree_map, tree_vector
from seqem.em.point import EMMap
from seqem.em.protocol import EMModel
from seqem.em.score import derivative, score, steps
from seqem.errors import SeqemWarning
from seqem.shapes import Array

SMALLEST_EIGENVALUE = 1e-6
LARGEST_SHARE = 1e-6


def observed_information(
    model: EMModel,
    params: Any,
    shards: Sequence[Any],
    *,
    executor: Executor | None = None,
    step: float = 1e-3,
    include_prior: bool = False,
) -> Array:
    """Return the negative Hessian of the log-likelihood in the coordinates of ``pack(params)``.

    The score at a point is the gradient there of the expected complete-data log-likelihood Q, whose
    statistics are taken at that point (Fisher's identity). It is read off the statistics without a
    pass over the data, and differenced: two passes for each coordinate.

    Parameters
    ----------
    model : EMModel
        The recipe, with ``pack``, ``unpack`` and ``expected_log_likelihood``.
    params : tree of arrays
        Where, usually the estimate.
    shards : sequence
        Data or loaders of it, see :func:`seqem.em.mapreduce.map_reduce`.
    executor : concurrent.futures.Executor, optional
        Maps the E-step over the shards.
    step : float
        Step of the differences, times ``max(1, abs(coordinate))``.
    include_prior : bool
        Whether the log prior counts: the curvature of the posterior instead of the likelihood's.

    Returns
    -------
    ndarray, shape (d, d)
        Symmetric.

    Examples
    --------
    Counts of a known mean; the information about the logarithm of a Poisson rate is their sum:

    >>> from seqem.em.protocol import EStep
    >>> class Poisson:
    ...     def e_step(self, rate, x):
    ...         return EStep((len(x), sum(x)), float(sum(x) * np.log(rate) - len(x) * rate))
    ...     def expected_log_likelihood(self, stats, rate, reference):
    ...         return float(stats[1] * np.log(rate) - stats[0] * rate)
    ...     def log_prior(self, rate):
    ...         return 0.0
    ...     def pack(self, rate):
    ...         return np.log([rate])
    ...     def unpack(self, vector, like):
    ...         return float(np.exp(vector[0]))
    >>> observed_information(Poisson(), 2.0, [[1, 2, 3]]).round(4)
    array([[6.]])
    """
    em = EMMap(model, shards, executor)
    vector = model.pack(params)

    def slope(at: Array) -> Array:
        return score(model, em.evaluate(model.unpack(at, params)), at, step, include_prior=include_prior)

    hessian = np.empty((len(vector), len(vector)))
    for i, size in enumerate(steps(vector, step)):
        shift = np.zeros_like(vector)
        shift[i] = size
        hessian[i] = (slope(vector + shift) - slope(vector - shift)) / (2 * size)
    return -0.5 * (hessian + hessian.T)


def standard_errors(
    model: EMModel,
    params: Any,
    shards: Sequence[Any],
    *,
    executor: Executor | None = None,
    step: float = 1e-3,
    include_prior: bool = False,
) -> Any:
    """Return the standard error of every entry of ``params``, as a tree of the same structure.

    The inverse of :func:`observed_information`, whose parameters these are, is carried through
    ``unpack`` by the delta method. Entries that depend on a direction about which the data say
    nothing are NaN, with a warning; entries that ``unpack`` does not change are 0.

    Examples
    --------
    >>> from seqem.em.protocol import EStep
    >>> class Poisson:
    ...     def e_step(self, rate, x):
    ...         return EStep((len(x), sum(x)), float(sum(x) * np.log(rate) - len(x) * rate))
    ...     def expected_log_likelihood(self, stats, rate, reference):
    ...         return float(stats[1] * np.log(rate) - stats[0] * rate)
    ...     def log_prior(self, rate):
    ...         return 0.0
    ...     def pack(self, rate):
    ...         return np.log([rate])
    ...     def unpack(self, vector, like):
    ...         return float(np.exp(vector[0]))
    >>> standard_errors(Poisson(), 2.0, [[1, 2, 3, 2]]).round(4)
    np.float64(0.7071)
    """
    information = observed_information(model, params, shards, executor=executor, step=step, include_prior=include_prior)
    vector = model.pack(params)
    jacobian = derivative(lambda at: tree_vector(model.unpack(at, params)), vector, step)
    return _unflat(np.sqrt(_variances(information, jacobian)), params)


def _unflat(values: Array, like: Any) -> Any:
    position = 0

    def take(leaf: Any) -> Any:
        nonlocal position
        size = np.size(leaf)
        part = values[position : position + size].reshape(np.shape(leaf))
        position += size
        return part[()]

    return tree_map(take, like)


def _variances(information: Array, jacobian: Array) -> Array:
    """Return the diagonal of J I^-1 J', NaN in rows that touch a direction without information."""
    if not np.isfinite(information).all():
        warnings.warn("the observed information is not finite; no standard errors", SeqemWarning, stacklevel=3)
        return np.full(len(jacobian), np.nan)
    diagonal = np.diag(information)
    scale = np.where(diagonal > 0, np.sqrt(np.abs(diagonal)), 1.0)
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    known = values > SMALLEST_EIGENVALUE
    shares = (jacobian / scale) @ vectors
    variances = np.square(shares[:, known]) @ (1 / values[known])
    length = np.linalg.norm(shares, axis=1, keepdims=True)
    unknown = (np.abs(shares[:, ~known]) > LARGEST_SHARE * length).any(axis=1)
    if unknown.any():
        warnings.warn(
            f"the data say nothing about {(~known).sum()} of {len(known)} directions; "
            f"{unknown.sum()} standard errors are NaN",
            SeqemWarning,
            stacklevel=3,
        )
    return np.where(unknown, np.nan, variances)
