"""Independent yes-or-no features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from seqem.core.checks import at_least, refuse, rows, spread
from seqem.distributions._start import centres
from seqem.distributions.linear import LinearFamily, LinearStats, log_or_never
from seqem.distributions.transforms import LOGIT, Transform
from seqem.shapes import AnyArray, Array


class BernoulliParams(NamedTuple):
    """Probabilities of 1, shape (K, D)."""

    prob: Array


@dataclass(frozen=True, eq=False)
class Bernoulli(LinearFamily):
    """Model rows (N, D) of zeros and ones as independent; NaN is missing.

    Attributes
    ----------
    prior_ones, prior_zeros : array-like
        Beta prior of the probabilities, broadcast to (K, D); 1 and 1 are flat.

    Examples
    --------
    >>> Bernoulli().log_likelihood(BernoulliParams(np.array([[0.5]])), np.array([[1.0]])).round(4).tolist()
    [[-0.6931]]
    """

    fields: ClassVar[tuple[str, ...]] = BernoulliParams._fields
    prior_ones: Any = 1.0
    prior_zeros: Any = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.prior_ones, 1.0, "prior_ones")
        at_least(self.prior_zeros, 1.0, "prior_zeros")

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (LOGIT,)

    def check(self, x: Any) -> Array:
        """Return ``x`` as rows (N, D) of zeros and ones."""
        array = rows(x)
        bad = (array != 0) & (array != 1) & ~np.isnan(array)
        refuse(bad, array, "observation is not binary", expected="0, 1, or NaN where missing")
        return array

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> BernoulliParams:
        """Return k-means++ centres drawn toward one half."""
        return BernoulliParams(0.1 + 0.8 * np.clip(centres(x, n_components, rng), 0.0, 1.0))

    def statistic(self, x: Array) -> Array:
        """Return ones and zeros apart, so that either may be impossible."""
        return np.stack([x, 1.0 - x])

    def natural(self, params: BernoulliParams) -> Array:
        """Return the log probabilities of one and zero."""
        return np.stack([log_or_never(params.prob), log_or_never(1.0 - params.prob)], axis=1)

    def log_normaliser(self, params: BernoulliParams) -> Array:
        """Return zero."""
        return np.zeros_like(params.prob)

    def base(self, x: Array) -> Array:
        """Return zero."""
        return np.zeros_like(x)

    def _excess(self, shape: tuple[int, ...]) -> Array:
        return np.stack([spread(p, shape, "prior") - 1.0 for p in (self.prior_ones, self.prior_zeros)], axis=1)

    def maximise(self, stats: LinearStats, params: BernoulliParams) -> BernoulliParams:
        """Return the mode of the probabilities."""
        ones, zeros = np.swapaxes(stats.total + self._excess(params.prob.shape), 0, 1)
        total = ones + zeros
        return self.settle(params, BernoulliParams(ones / np.where(total > 0, total, 1.0)), stats.mass)

    def log_prior(self, params: BernoulliParams) -> float:
        """Return the log Beta density of the probabilities, up to a constant."""
        return float((self._excess(params.prob.shape) * self.natural(params)).sum())

    def sample(self, params: BernoulliParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, shape (N, D)."""
        prob = params.prob[states]
        return (rng.random(prob.shape) < prob).astype(np.float64)
