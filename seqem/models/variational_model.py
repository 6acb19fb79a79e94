"""The model of a mixture by variational Bayes: posteriors of the weights, and of whatever components there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import digamma

from seqem.core.rows import Rows
from seqem.distributions.conjugate import Posterior
from seqem.distributions.posteriors import dirichlet_divergence
from seqem.em.protocol import EStep
from seqem.models.mixture_model import responsibilities
from seqem.shapes import AnyArray, Array


class VariationalParams(NamedTuple):
    """Hyper-parameters: concentrations (K,), or Beta parameters of stick lengths (K, 2); the components' posteriors."""

    concentration: Array
    component: Any


class VariationalStats(NamedTuple):
    """Expected visits (K,) and the components' statistics."""

    counts: Array
    component: Any


@dataclass(frozen=True, eq=False)
class VariationalMixture:
    """Posteriors of a mixture by variational Bayes EM; the driver's objective is the lower bound.

    Attributes
    ----------
    component : Posterior
        The components with their priors.
    concentration : float
        Of the Dirichlet prior of the weights, or of the stick-breaking prior.
    process : bool
        Whether weights are sticks broken off one after another, a truncated Dirichlet process.

    Notes
    -----
    Attias 2000; Bishop 2006, section 10.2; Blei & Jordan 2006.
    """

    component: Posterior
    concentration: float
    process: bool

    def expected_log_weights(self, params: VariationalParams) -> Array:
        """Return E[log weight] of each component, shape (K,)."""
        if not self.process:
            return digamma(params.concentration) - digamma(params.concentration.sum())
        a, b = params.concentration.T
        rest = digamma(b) - digamma(a + b)
        return digamma(a) - digamma(a + b) + np.concatenate([[0.0], rest[:-1].cumsum()])

    def joint(self, params: VariationalParams, x: AnyArray) -> Array:
        """Return the expected log weight plus log density of each component, shape (N, K)."""
        return self.component.log_likelihood(params.component, x) + self.expected_log_weights(params)

    def e_step(self, params: VariationalParams, shard: Rows) -> EStep:
        """Return expected statistics and the part of the bound that the rows give."""
        scores, resp = responsibilities(self.joint(params, shard.x))
        if shard.weights is not None:
            resp *= shard.weights[:, None]
        return EStep(
            VariationalStats(resp.sum(axis=0), self.component.accumulate(params.component, shard.x, resp)),
            shard.total(scores),
        )

    def m_step(self, stats: VariationalStats, params: VariationalParams) -> VariationalParams:
        """Return the hyper-parameters of the posteriors."""
        if self.process:
            behind = stats.counts[::-1].cumsum()[::-1] - stats.counts
            concentration = np.stack([1.0 + stats.counts, self.concentration + behind], axis=1)
        else:
            concentration = self.concentration + stats.counts
        return VariationalParams(concentration, self.component.maximise(stats.component, params.component))

    def log_prior(self, params: VariationalParams) -> float:
        """Return minus the divergence of the posteriors from the priors."""
        prior = np.array([1.0, self.concentration]) if self.process else np.array(self.concentration)
        prior = np.broadcast_to(prior, params.concentration.shape)
        return self.component.log_prior(params.component) - dirichlet_divergence(params.concentration, prior)

    def weights(self, params: VariationalParams) -> Array:
        """Return the posterior means of the weights; the last stick is the rest."""
        if not self.process:
            return params.concentration / params.concentration.sum()
        share = params.concentration[:, 0] / params.concentration.sum(axis=1)
        weights = share * np.concatenate([[1.0], np.cumprod(1.0 - share[:-1])])
        return weights / weights.sum()
