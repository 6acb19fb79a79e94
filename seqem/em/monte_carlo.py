"""Monte-Carlo E-steps: statistics from draws of what is missing, where their expectation has no closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from seqem.core.checks import at_least
from seqem.core.tree import tree_add, tree_scale
from seqem.em.protocol import EStep

Draw = Callable[[Any, Any, np.random.Generator], tuple[Any, float]]


@dataclass(frozen=True)
class MonteCarlo:
    """An E-step that averages over draws of the latent variables, the same ones at every iteration.

    With the same random numbers each time the EM map is a smooth function of the parameters where the draws are: it has a fixed
    point, which is off the maximum by an error that falls as the root of ``n_draws`` grows. The objective is an average
    too and need not rise; let :func:`seqem.em.own.fit_em` know by ``monotone=False``.

    Parameters
    ----------
    draw : callable
        ``(params, shard, rng) -> (stats, log_likelihood)``: draws the latent variables of a shard given its data, or with
        importance weights, and returns complete-data statistics and an estimate of the log-likelihood, 0.0 where there is none.
    n_draws : int
        Draws of each shard.
    seed : int
        Of the draws.

    References
    ----------
    G. Wei and M. Tanner (1990). A Monte Carlo implementation of the EM algorithm and the poor man's data augmentation
    algorithms. Journal of the American Statistical Association 85, 699-704.

    Examples
    --------
    A mean of normal numbers of which some are only known to be positive:

    >>> from scipy.stats import truncnorm
    >>> from seqem.em.own import fit_em
    >>> x = np.array([-0.5, 0.2, 1.0])
    >>> def draw(mean, x, rng):
    ...     positive = truncnorm.ppf(rng.random(2), -mean, np.inf, mean)
    ...     return (len(x) + 2, x.sum() + positive.sum()), 0.0
    >>> steps = {"e_step": MonteCarlo(draw, 2000), "m_step": lambda stats, _: stats[1] / stats[0]}
    >>> result = fit_em(**steps, start=0.0, data=x, monotone=False, tol=1e-8)
    >>> round(float(result.params), 1)
    0.6
    """

    draw: Draw
    n_draws: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self.n_draws, 1, "n_draws")

    def __call__(self, params: Any, shard: Any) -> EStep:
        """Return mean statistics and mean log-likelihood of the draws."""
        rng = np.random.default_rng(self.seed)
        steps = [self.draw(params, shard, rng) for _ in range(self.n_draws)]
        stats = tree_scale(reduce(tree_add, (step[0] for step in steps)), 1.0 / self.n_draws)
        return EStep(stats, float(np.mean([step[1] for step in steps])))
