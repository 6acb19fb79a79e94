"""Counts of M symbols in a number of trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from seqem.core.checks import counts, refuse
from seqem.distributions._start import centres
from seqem.distributions.dirichlet import check_alpha, dirichlet_log_density, dirichlet_map
from seqem.distributions.linear import LinearFamily, LinearStats, log_factorial, log_or_never
from seqem.distributions.transforms import SIMPLEX, Transform
from seqem.errors import ParameterError
from seqem.shapes import AnyArray, Array


class MultinomialParams(NamedTuple):
    """Symbol probabilities (K, M)."""

    probs: Array


@dataclass(frozen=True, eq=False)
class Multinomial(LinearFamily):
    """Model rows (N, M) of symbol counts; a row of NaN is missing.

    Attributes
    ----------
    n_trials : int, optional
        Number of trials of every row; None takes any. Needed to sample.
    prior : array-like
        Dirichlet parameter >= 1, broadcast to (K, M).

    Examples
    --------
    >>> params = MultinomialParams(np.array([[0.5, 0.5]]))
    >>> Multinomial().log_likelihood(params, np.array([[1.0, 1.0]])).round(4).tolist()
    [[-0.6931]]
    """

    fields: ClassVar[tuple[str, ...]] = MultinomialParams._fields
    n_trials: int | None = None
    prior: Any = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_alpha(self.prior)

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (SIMPLEX,)

    def check(self, x: Any) -> Array:
        """Return ``x`` as counts (N, M) with the right sums."""
        array = counts(x)
        lost = np.isnan(array)
        partial = np.asarray(lost.any(axis=1) & ~lost.all(axis=1))
        refuse(partial, array, "some counts are missing", expected="whole rows of NaN where missing")
        if self.n_trials is not None:
            wrong = (array.sum(axis=1) != self.n_trials) & ~lost[:, 0]
            refuse(wrong, array, "counts do not add up", expected=f"a sum of n_trials = {self.n_trials}")
        return array

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> MultinomialParams:
        """Return k-means++ centres, smoothed and normalised."""
        middle = np.maximum(centres(x, n_components, rng), 0.0)
        smooth = middle + 0.05 * middle.mean(axis=1, keepdims=True) + 1e-3
        return MultinomialParams(smooth / smooth.sum(axis=1, keepdims=True))

    def statistic(self, x: Array) -> Array:
        """Return the counts."""
        return x[None]

    def natural(self, params: MultinomialParams) -> Array:
        """Return log probabilities."""
        return log_or_never(params.probs)[:, None]

    def log_normaliser(self, params: MultinomialParams) -> Array:
        """Return zero."""
        return np.zeros_like(params.probs)

    def base(self, x: Array) -> Array:
        """Return the log of the multinomial coefficient, the trials' part in the first column."""
        terms = -log_factorial(x)
        terms[:, 0] += log_factorial(x.sum(axis=1))
        return terms

    def maximise(self, stats: LinearStats, params: MultinomialParams) -> MultinomialParams:
        """Return the mode of the probabilities."""
        probs = dirichlet_map(stats.total[:, 0], self.prior, params.probs, self.kept(params, "probs"))
        return self.settle(params, MultinomialParams(probs), stats.mass)

    def log_prior(self, params: MultinomialParams) -> float:
        """Return the log Dirichlet density of the probabilities, up to a constant."""
        return dirichlet_log_density(params.probs, self.prior)

    def sample(self, params: MultinomialParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, shape (N, M)."""
        if self.n_trials is None:
            raise ParameterError("cannot sample without n_trials", got=None, expected="Multinomial(n_trials=...)")
        return rng.multinomial(self.n_trials, params.probs[states]).astype(np.float64)
