"""SemiMarkovModel: an explicit-duration hidden Markov model as an EM model, for any distribution."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from seqem.chain.params import ChainParams, ChainStats
from seqem.chain.semi_markov import SemiMarkovChain, SemiMarkovPosterior, duration_counts, expected_counts
from seqem.core.batch import SequenceBatch
from seqem.em.protocol import EStep
from seqem.errors import ParameterError
from seqem.hmm.durations import Duration
from seqem.hmm.model import HMMParams, HMMStats, MarkovModel, _total
from seqem.shapes import Array


class SemiMarkovParams(NamedTuple):
    """Start (K,), transitions (K, K) and the parameters of emission and durations."""

    start: Array
    trans: Array
    emission: Any
    duration: Any

    @property
    def chain(self) -> ChainParams:
        """Starts and transitions, which are those of an ordinary chain over segments."""
        return ChainParams(self.start, self.trans)


class SemiMarkovStats(NamedTuple):
    """Expected counts of starts (K,), transitions (K, K), durations (K, D) and statistics of the emission."""

    start: Array
    trans: Array
    emission: Any
    durations: Array

    @property
    def chain(self) -> ChainStats:
        """The counts of the chain over segments."""
        return ChainStats(self.start, self.trans, np.zeros_like(self.start))


@dataclass(frozen=True, eq=False)
class SemiMarkovModel(MarkovModel):
    """Train an explicit-duration hidden Markov model by EM.

    Attributes
    ----------
    durations : Duration
        How long states last.

    Notes
    -----
    Levinson 1986; the length that a segment would have reached beyond the end of its sequence is latent, so that the
    statistics are counts of whole durations (Guedon 2003).
    """

    durations: Duration = field(kw_only=True)

    def __post_init__(self) -> None:
        if self.training != "posterior":
            raise ParameterError("unknown training", got=repr(self.training), expected='"posterior"')

    def segments(self, params: SemiMarkovParams) -> SemiMarkovChain:
        """Return the chain that inference needs."""
        return SemiMarkovChain(params.start, params.trans, self.durations.table(params.duration))

    def posterior(self, params: SemiMarkovParams, shard: SequenceBatch) -> SemiMarkovPosterior:
        """Return posteriors and expected counts of a shard."""
        frames = self.frames(_plain(params), shard)(0, shard.n_rows)
        return expected_counts(self.segments(params), frames, shard.offsets, weights=shard.weights, space=self.space)

    def e_step(self, params: SemiMarkovParams, shard: SequenceBatch) -> EStep:  # type: ignore[override]
        """Return expected counts and emission statistics of a shard, and its log-likelihood."""
        smoothed, stats, per_sequence = self.posterior(params, shard)
        log_likelihood = _total(per_sequence, shard)
        emission = self.distribution.accumulate(params.emission, shard.values, smoothed)
        durations = duration_counts(stats, self.durations.table(params.duration))
        return EStep(SemiMarkovStats(stats.start, stats.trans, emission, durations), log_likelihood)

    def m_step(self, stats: SemiMarkovStats, params: SemiMarkovParams) -> SemiMarkovParams:  # type: ignore[override]
        """Return the parameters that maximise expected log-likelihood plus log prior."""
        rest = super().m_step(_plain_stats(stats), _plain(params))
        duration = self.durations.maximise(stats.durations, params.duration)
        return SemiMarkovParams(rest.start, rest.trans, rest.emission, duration)

    def log_prior(self, params: SemiMarkovParams) -> float:  # type: ignore[override]
        """Return the log density of all priors up to a constant."""
        return super().log_prior(_plain(params)) + self.durations.log_prior(params.duration)

    def expected_log_likelihood(  # type: ignore[override]
        self, stats: SemiMarkovStats, params: SemiMarkovParams, reference: SemiMarkovParams
    ) -> float:
        """Return Q(params | reference)."""
        rest = super().expected_log_likelihood(_plain_stats(stats), _plain(params), _plain(reference))
        return rest + self.durations.expected_log_likelihood(stats.durations, params.duration)

    def pack(self, params: SemiMarkovParams) -> Array:  # type: ignore[override]
        """Return the free parameters as an unconstrained vector: durations, chain, emission."""
        return np.concatenate([self.durations.pack(params.duration), super().pack(_plain(params))])

    def unpack(self, vector: Array, like: SemiMarkovParams) -> SemiMarkovParams:  # type: ignore[override]
        """Return the parameters of an unconstrained vector."""
        n = self.durations.n_free(like.duration)
        rest = super().unpack(vector[n:], _plain(like))
        duration = self.durations.unpack(vector[:n], like.duration)
        return SemiMarkovParams(rest.start, rest.trans, rest.emission, duration)

    def n_free(self, params: SemiMarkovParams) -> int:  # type: ignore[override]
        """Return the number of free parameters."""
        return super().n_free(_plain(params)) + self.durations.n_free(params.duration)


def _plain(params: SemiMarkovParams) -> HMMParams:
    return HMMParams(params.start, params.trans, None, params.emission)


def _plain_stats(stats: SemiMarkovStats) -> HMMStats:
    return HMMStats(*stats.chain, stats.emission)
