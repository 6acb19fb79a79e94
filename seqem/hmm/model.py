"""MarkovModel: a hidden Markov model as an EM model, for any distribution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from seqem.chain.blocks import Source, chunk_rows, expected_counts
from seqem.chain.inference import decode, label_frames
from seqem.chain.params import ChainParams, ChainStats
from seqem.core.batch import SequenceBatch
from seqem.core.tree import tree_add, tree_map
from seqem.distributions.protocol import Distribution
from seqem.em.protocol import EStep
from seqem.errors import NumericalError, ParameterError
from seqem.hmm import coded
from seqem.hmm.transitions import TransitionStep
from seqem.shapes import AnyArray, Array


class HMMParams(NamedTuple):
    """Start (K,), transitions (K, K), ends (K,) or None, and the parameters of the emission."""

    start: Array
    trans: Array
    end: Array | None
    emission: Any

    @property
    def chain(self) -> ChainParams:
        """The part that inference in the chain needs."""
        return ChainParams(self.start, self.trans, self.end)


class HMMStats(NamedTuple):
    """Expected counts of the chain and statistics of the emission."""

    start: Array
    trans: Array
    end: Array
    emission: Any

    @property
    def chain(self) -> ChainStats:
        """The counts of the chain."""
        return ChainStats(self.start, self.trans, self.end)


@dataclass(frozen=True, eq=False)
class MarkovModel:
    """Train a hidden Markov model by Baum-Welch, or on best paths.

    Attributes
    ----------
    distribution : Distribution
        The emission.
    transitions : TransitionStep
        M-step of the chain, with its priors and constraints.
    tied_states : ndarray of int, shape (K,), optional
        States with the same number share one emission.
    training : {"posterior", "viterbi"}
        Whether the E-step takes expected counts or those of the best path.
    space : {"scaled", "log"}
        Space of the recursions.
    beta : float
        Power of the posterior over paths, below 1 for annealing; the objective is then the free energy.

    Notes
    -----
    Baum, Petrie, Soules & Weiss 1970. A shard is a SequenceBatch; its weights scale everything, also the log-likelihood.
    """

    distribution: Distribution
    transitions: TransitionStep
    tied_states: AnyArray | None = None
    training: str = "posterior"
    space: str = "scaled"
    beta: float = 1.0

    def __post_init__(self) -> None:
        if self.training not in ("posterior", "viterbi"):
            raise ParameterError("unknown training", got=repr(self.training), expected='"posterior" or "viterbi"')

    def e_step(self, params: HMMParams, shard: SequenceBatch) -> EStep:
        """Return expected counts and emission statistics of a shard, and its log-likelihood."""
        if self.training == "viterbi":
            return self._best_path_step(params, shard)
        if self.beta != 1.0:
            return self._tempered_step(params, shard)
        step = coded.e_step(self.distribution, params, shard) if self._walks_symbols(params, shard) else None
        if step is None:
            step = self._posterior_step(params, shard)
        stats, per_sequence = step
        return EStep(HMMStats(*stats), _total(per_sequence, shard))

    def m_step(self, stats: HMMStats, params: HMMParams) -> HMMParams:
        """Return the parameters that maximise expected log-likelihood plus log prior."""
        chain = self.transitions.maximise(stats.chain, params.chain)
        emission = self.distribution.maximise(self._pooled(stats.emission), params.emission)
        return HMMParams(*chain, emission)

    def log_prior(self, params: HMMParams) -> float:
        """Return the log density of all priors up to a constant."""
        return self.transitions.log_prior(params.chain) + self.distribution.log_prior(params.emission)

    def recentre(self, stats: HMMStats, old: HMMParams, new: HMMParams) -> HMMStats:
        """Return statistics taken at ``old`` as if about ``new``."""
        return stats._replace(emission=self.distribution.recentre(stats.emission, old.emission, new.emission))

    def expected_log_likelihood(self, stats: HMMStats, params: HMMParams, reference: HMMParams) -> float:
        """Return Q(params | reference)."""
        return self.transitions.expected_log_likelihood(
            stats.chain, params.chain
        ) + self.distribution.expected_log_likelihood(stats.emission, params.emission, reference.emission)

    def pack(self, params: HMMParams) -> Array:
        """Return the free parameters as an unconstrained vector: chain, then emission."""
        self._refuse_ties()
        return np.concatenate([self.transitions.pack(params.chain), self.distribution.pack(params.emission)])

    def unpack(self, vector: Array, like: HMMParams) -> HMMParams:
        """Return the parameters of an unconstrained vector."""
        self._refuse_ties()
        n = len(self.transitions.pack(like.chain))
        return HMMParams(
            *self.transitions.unpack(vector[:n], like.chain), self.distribution.unpack(vector[n:], like.emission)
        )

    def n_free(self, params: HMMParams) -> int:
        """Return the number of free parameters."""
        emission = self.distribution.n_free(params.emission)
        if self.tied_states is not None:
            emission = round(emission * len(np.unique(self.tied_states)) / len(self.tied_states))
        return self.transitions.n_free(params.chain) + emission

    def frames(self, params: HMMParams, shard: SequenceBatch) -> Source:
        """Return the source of log-likelihoods of the rows of a shard, labels and state priors included."""
        return self._frames(params, shard, _Memo(self.distribution, params.emission, shard.values))

    def _frames(self, params: HMMParams, shard: SequenceBatch, memo: _Memo) -> Source:
        K = len(params.start)

        def source(lo: int, hi: int) -> Array:
            frames = memo.log_likelihood(K, lo, hi)
            if shard.labels is not None or shard.state_prior is not None:
                frames = frames + label_frames(
                    K,
                    None if shard.labels is None else shard.labels[lo:hi],
                    None if shard.state_prior is None else shard.state_prior[lo:hi],
                )
            return frames

        return source

    def _refuse_ties(self) -> None:
        if self.tied_states is not None:
            raise ParameterError("tied states have no unconstrained coordinates", hint="fit with method='em'")

    def _walks_symbols(self, params: HMMParams, shard: SequenceBatch) -> bool:
        observed = shard.labels is not None or shard.state_prior is not None
        return self.space == "scaled" and not observed and coded.suits(self.distribution, params)

    def _posterior_step(self, params: HMMParams, shard: SequenceBatch) -> tuple[tuple[Any, ...], Array]:
        memo = _Memo(self.distribution, params.emission, shard.values)
        result = expected_counts(
            params.chain,
            self._frames(params, shard, memo),
            shard.offsets,
            memo.accumulate,
            weights=shard.weights,
            space=self.space,
        )
        return (*result.chain, result.sunk), result.log_likelihood

    def _tempered_step(self, params: HMMParams, shard: SequenceBatch) -> EStep:
        beta = self.beta
        memo = _Memo(self.distribution, params.emission, shard.values)
        frames = self._frames(params, shard, memo)
        end = None if params.end is None else params.end**beta
        result = expected_counts(
            ChainParams(params.start**beta, params.trans**beta, end),
            lambda lo, hi: beta * frames(lo, hi),
            shard.offsets,
            memo.accumulate,
            weights=shard.weights,
            space=self.space,
        )
        return EStep(HMMStats(*result.chain, result.sunk), _total(result.log_likelihood, shard) / beta)

    def _best_path_step(self, params: HMMParams, shard: SequenceBatch) -> EStep:
        source, K = self.frames(params, shard), len(params.start)
        weights = np.ones(len(shard)) if shard.weights is None else shard.weights
        total, scores = None, np.zeros(len(shard))
        for s, (lo, hi) in enumerate(zip(shard.offsets[:-1], shard.offsets[1:], strict=True)):
            path, scores[s] = decode(params.chain, source(lo, hi))
            if scores[s] == -np.inf:
                break
            resp = np.zeros((hi - lo, K))
            resp[np.arange(hi - lo), path] = weights[s]
            trans = np.zeros((K, K))
            np.add.at(trans, (path[:-1], path[1:]), weights[s])
            stats = HMMStats(
                resp[:1].sum(0),
                trans,
                resp[-1:].sum(0),
                self.distribution.accumulate(params.emission, shard.values[lo:hi], resp),
            )
            total = stats if total is None else tree_add(total, stats)
        return EStep(total, _total(scores, shard))

    def _pooled(self, stats: Any) -> Any:
        """Return the statistics with those of tied states averaged: the mean has the mode of the sum, priors counted each."""
        if self.tied_states is None:
            return stats
        same = np.equal.outer(self.tied_states, self.tied_states)
        return tree_map(partial(_by_state, same / same.sum(1, keepdims=True)), stats)

    def tied_start(self, emission: Any, rows: AnyArray) -> Any:
        """Return emission parameters for a fit to begin with: each tied state takes those of the first of its kind."""
        if self.tied_states is None:
            return emission
        first = np.equal.outer(self.tied_states, self.tied_states).argmax(1)
        expected = self.distribution.log_likelihood(emission, rows)[:, first]
        picks = np.eye(len(first))[first]
        # A square matrix that all states share looks like one row a state: the likelihood tells.
        for shared in (False, True):
            tied = tree_map(lambda leaf, s=shared: leaf if s and _is_square(leaf) else _by_state(picks, leaf), emission)
            try:
                if np.allclose(self.distribution.log_likelihood(tied, rows), expected, rtol=1e-9, atol=1e-9):
                    return tied
            except (ArithmeticError, ValueError):
                continue
        raise ParameterError("states of this distribution cannot be tied", got=type(self.distribution).__name__)


def _is_square(leaf: Array) -> bool:
    return np.ndim(leaf) == 2 and leaf.shape[0] == leaf.shape[1]


def _by_state(weights: Array, leaf: Array) -> Array:
    """Return ``weights @ leaf`` over the states of a leaf (K, ...) or (K * M, ...); a leaf that states share stays."""
    K = len(weights)
    if np.ndim(leaf) == 0 or len(leaf) % K:
        return leaf
    return np.tensordot(weights, leaf.reshape(K, len(leaf) // K, *leaf.shape[1:]), axes=1).reshape(leaf.shape)


class _Memo:
    """The emission at fixed parameters; remembers a mixture's shares between likelihood and statistics of the same rows.

    Only a chunk of short sequences comes back as it went; those of long ones are computed again.
    """

    def __init__(self, distribution: Any, emission: Any, values: AnyArray) -> None:
        self.distribution, self.emission, self.values = distribution, emission, values
        self.kept: tuple[int, int, Array] | None = None

    def log_likelihood(self, n_states: int, lo: int, hi: int) -> Array:
        """Return the log-likelihoods of rows, computed a chunk at a time so that temporaries stay in cache."""
        rows = chunk_rows(n_states)
        if hi - lo <= rows:
            return self._chunk(lo, hi)
        out = np.empty((hi - lo, n_states))
        for first in range(lo, hi, rows):
            last = min(first + rows, hi)
            out[first - lo : last - lo] = self._chunk(first, last)
        return out

    def _chunk(self, lo: int, hi: int) -> Array:
        if not hasattr(self.distribution, "log_likelihood_and_parts"):
            return self.distribution.log_likelihood(self.emission, self.values[lo:hi])
        frames, parts = self.distribution.log_likelihood_and_parts(self.emission, self.values[lo:hi])
        self.kept = lo, hi, parts
        return frames

    def accumulate(self, lo: int, hi: int, resp: Array) -> Any:
        kept, self.kept = self.kept, None
        if kept is not None and kept[:2] == (lo, hi):
            return self.distribution.accumulate_parts(self.emission, self.values[lo:hi], kept[2], resp)
        return self.distribution.accumulate(self.emission, self.values[lo:hi], resp)


def _total(log_likelihood: Array, shard: SequenceBatch) -> float:
    """Return the weighted sum; an impossible sequence is an error that names it."""
    impossible = np.flatnonzero(log_likelihood == -np.inf)
    if len(impossible):
        s = int(impossible[0])
        name = f"sequence {s} of its shard" if shard.names is None else f"sequence {shard.names[s]!r}"
        raise NumericalError(
            f"{name} has probability zero under the model",
            hint="check zeros in startprob_, transmat_ and the emission, and observed labels",
        )
    return float(log_likelihood.sum() if shard.weights is None else log_likelihood @ shard.weights)
