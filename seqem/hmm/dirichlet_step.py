"""Posterior of starts and transitions, for variational Bayes."""

from __future__ import annotations

from seqem.chain.params import ChainParams, ChainStats
from seqem.distributions.posteriors import dirichlet_divergence, positive
from seqem.hmm.transitions import TransitionStep


class DirichletStep(TransitionStep):
    """Posterior of starts and rows of transitions; ``start_prior`` and ``trans_prior`` are full arrays above zero."""

    def __post_init__(self) -> None:
        """Take any prior above zero: there is no mode to find."""
        positive(self.start_prior, "startprob_prior_")
        positive(self.trans_prior, "transmat_prior_")

    def maximise(self, stats: ChainStats, old: ChainParams) -> ChainParams:
        """Return the Dirichlet parameters of the posterior."""
        start = old.start if self.fixed["start"] else self.start_prior + stats.start
        return ChainParams(start, old.trans if self.fixed["trans"] else self.trans_prior + stats.trans)

    def log_prior(self, chain: ChainParams) -> float:
        """Return minus the divergence from the prior."""
        start, trans = ((chain.start, self.start_prior), (chain.trans, self.trans_prior))
        return -dirichlet_divergence(*start) - dirichlet_divergence(*trans)
