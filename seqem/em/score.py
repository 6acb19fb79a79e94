"""The score: the gradient of the log-likelihood, read off the statistics of an E-step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqem.em.point import Point
from seqem.em.protocol import EMModel
from seqem.shapes import Array

STEP = 1e-3


def steps(vector: Array, step: float) -> Array:
    """Return the step of the differences in each coordinate."""
    return step * np.maximum(1.0, np.abs(vector))


def derivative(function: Callable[[Array], Array], vector: Array, step: float) -> Array:
    """Return the Jacobian (outputs, coordinates) by central differences of fourth order."""
    columns = []
    for i, size in enumerate(steps(vector, step)):
        shift = np.zeros_like(vector)
        shift[i] = size
        near = _difference(function(vector + shift), function(vector - shift))
        far = _difference(function(vector + 2 * shift), function(vector - 2 * shift))
        columns.append((8 * near - far) / (12 * size))
    return np.stack(columns, axis=-1)


def _difference(a: Array, b: Array) -> Array:
    """Return ``a - b``, 0 where both are the same infinity."""
    return np.subtract(a, b, out=np.zeros_like(a), where=a != b)


def score(model: EMModel, point: Point, vector: Array, step: float = STEP, *, include_prior: bool = True) -> Array:
    """Return the gradient of the objective, or of the log-likelihood, at a point with the packed parameters ``vector``.

    By Fisher's identity it is the gradient of Q at the point that the statistics belong to: no pass over the data.

    Examples
    --------
    >>> from seqem.em.protocol import EStep
    >>> class Poisson:
    ...     def expected_log_likelihood(self, stats, rate, reference):
    ...         return float(stats[1] * np.log(rate) - stats[0] * rate)
    ...     def log_prior(self, rate):
    ...         return 0.0
    ...     def unpack(self, vector, like):
    ...         return float(np.exp(vector[0]))
    >>> score(Poisson(), Point(2.0, (3, 9.0), 0.0, 0.0), np.log([2.0])).round(6)
    array([3.])
    """

    def climbed(at: Array) -> Array:
        params = model.unpack(at, point.params)
        value = model.expected_log_likelihood(point.stats, params, point.params)
        return np.array([value + model.log_prior(params) if include_prior else value])

    return derivative(climbed, vector, step)[0]
