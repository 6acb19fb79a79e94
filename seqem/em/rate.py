"""The rate of EM: the Jacobian of its map, the share of information that is missing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

from seqem.em.point import EMMap
from seqem.em.protocol import EMModel
from seqem.em.score import steps
from seqem.shapes import Array

_STEP = 1e-4


def rate_matrix(
    model: EMModel, params: Any, shards: Sequence[Any], *, executor: Executor | None = None, step: float = _STEP
) -> Array:
    """Return the Jacobian of the EM map at a fixed point, in the coordinates of ``pack(params)``.

    Its eigenvalues are the fractions of missing information in the directions of its eigenvectors; the largest is the rate
    at which EM converges. Two E-steps over the data for each coordinate.

    Parameters
    ----------
    model : EMModel
        The recipe, with ``pack`` and ``unpack``.
    params : tree of arrays
        A fixed point of EM, such as the end of a fit with a small tolerance.
    shards : sequence
        Data or loaders of it.
    executor : concurrent.futures.Executor, optional
        Maps the E-steps.
    step : float
        Step of the differences, times ``max(1, abs(coordinate))``.

    Returns
    -------
    ndarray, shape (d, d)
        Entry (i, j) is the change of coordinate i after a step of EM with coordinate j before it.

    References
    ----------
    X.-L. Meng and D. Rubin (1991). Using EM to obtain asymptotic variance-covariance matrices: the SEM algorithm. Journal of
    the American Statistical Association 86, 899-909.

    Examples
    --------
    >>> from seqem.em.protocol import EStep
    >>> class Half:
    ...     def e_step(self, x, shard):
    ...         return EStep(x, 0.0)
    ...     def m_step(self, stats, x):
    ...         return 0.5 * stats
    ...     def log_prior(self, x):
    ...         return 0.0
    ...     def pack(self, x):
    ...         return np.array([x])
    ...     def unpack(self, vector, like):
    ...         return float(vector[0])
    >>> rate_matrix(Half(), 0.0, [None]).round(6)
    array([[0.5]])
    """
    em = EMMap(model, shards, executor)
    vector = model.pack(params)

    def after(at: Array) -> Array:
        return model.pack(em.maximise(em.evaluate(model.unpack(at, params))))

    columns = []
    for i, size in enumerate(steps(vector, step)):
        shift = np.zeros_like(vector)
        shift[i] = size
        columns.append((after(vector + shift) - after(vector - shift)) / (2 * size))
    return np.stack(columns, axis=1)


def complete_information(model: EMModel, params: Any, stats: Any, *, step: float = 1e-3) -> Array:
    """Return the negative Hessian of Q at the parameters that the statistics were taken at: no pass over the data."""
    vector = model.pack(params)
    sizes = steps(vector, step)

    def expected(at: Array) -> float:
        return model.expected_log_likelihood(stats, model.unpack(at, params), params)

    d = len(vector)
    hessian, middle = np.empty((d, d)), expected(vector)
    ends = sizes * np.eye(d)
    for i in range(d):
        hessian[i, i] = (expected(vector + ends[i]) - 2 * middle + expected(vector - ends[i])) / sizes[i] ** 2
        for j in range(i):
            corners = (
                expected(vector + ends[i] + ends[j]) - expected(vector + ends[i] - ends[j])
                - expected(vector - ends[i] + ends[j]) + expected(vector - ends[i] - ends[j])
            )  # fmt: skip
            hessian[i, j] = hessian[j, i] = corners / (4 * sizes[i] * sizes[j])
    return -hessian


def information_by_rate(
    model: EMModel, params: Any, shards: Sequence[Any], *, executor: Executor | None = None
) -> Array:
    """Return the observed information by SEM: complete information times what is not missing of it.

    Parameters
    ----------
    model, params, shards, executor
        As of :func:`rate_matrix`.

    Returns
    -------
    ndarray, shape (d, d)
        In the coordinates of ``pack(params)``; :func:`seqem.em.uncertainty.observed_information` gives the same by scores.
    """
    point = EMMap(model, shards, executor).evaluate(params)
    whole = complete_information(model, params, point.stats)
    observed = whole @ (np.eye(len(whole)) - rate_matrix(model, params, shards, executor=executor))
    return 0.5 * (observed + observed.T)
