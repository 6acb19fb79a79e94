"""The prior of a mean and a variance, in the form whose mode is the M-step of hmmlearn.

For one coordinate: mean | v ~ N(mean_prior, v / mean_weight) without its normaliser, and
v^(-w / 2) exp(-covariance_prior / (2 v)) with w = max(covariance_weight - 1, 0); for a full matrix
|V|^(-w / 2) exp(-tr(V^-1 covariance_prior) / 2) with w = max(covariance_weight - D, 0).
Source of the form: Huang, Acero & Hon, Spoken Language Processing (2001), p. 443-445.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqem.core.checks import spread
from seqem.shapes import Array


@dataclass(frozen=True)
class NormalPrior:
    """Prior terms of K components.

    ``mean`` and ``pull`` are (K, D); ``scatter`` and ``weight`` (K, D) each where coordinates are
    independent, else (groups, D, D) and (groups,).
    """

    mean: Array
    pull: Array
    scatter: Array
    weight: Array

    @classmethod
    def of(
        cls, means: Array, shape: tuple[int, ...], mean: Any, pull: Any, scatter: Any, weight: Any, degrees: int
    ) -> NormalPrior:
        """Return the terms for ``means`` (K, D) and scatter statistics of ``shape``."""
        weights = shape if len(shape) == 2 else shape[:1]
        return cls(
            spread(0.0 if mean is None else mean, means.shape, "mean_prior"),
            _by_component(pull, means.shape, "mean_weight"),
            spread(0.0 if scatter is None else scatter, shape, "covariance_prior"),
            np.maximum(_by_component(weight, weights, "covariance_weight") - degrees, 0.0),
        )

    def step(self, first: Array, mass: Array, current: Array) -> Array:
        """Return how far the means move from ``current`` to their mode; 0 where nothing pulls."""
        total = mass + self.pull
        return (first + self.pull * (self.mean - current)) / np.where(total > 0, total, 1.0)

    def mean_scatter(self, mean: Array) -> Array:
        """Return what the means' prior adds to the scatter, coordinate by coordinate (K, D)."""
        return self.pull * np.square(mean - self.mean)

    def log_density(self, mean: Array, variance: Array) -> float:
        """Return the log density for variances (K, D), up to a constant."""
        scatter = self.scatter + self.mean_scatter(mean)
        return float(-0.5 * (self.weight * np.log(variance) + scatter / variance).sum())


def _by_component(value: Any, shape: tuple[int, ...], name: str) -> Array:
    """Return ``value`` of shape (), (K,) or ``shape`` as ``shape``, whose first axis is K."""
    array = np.asarray(value, dtype=np.float64)
    return spread(array[:, None] if array.ndim == 1 < len(shape) else array, shape, name)


def about(second: Array, first: Array, mass: Array, step: Array) -> Array:
    """Return second moments about means moved by ``step`` from moments about the old ones."""
    return second - step * (2.0 * first - step * mass)
