"""AcousticModel: the units of speech as an EM model, trained on recordings of which only the words are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.distributions.transforms import SIMPLEX
from seqem.em.protocol import EStep
from seqem.errors import NumericalError, ParameterError
from seqem.shapes import Array
from seqem.speech.emission import Emission
from seqem.speech.graph import StateGraph
from seqem.speech.inference import NO_BEAM, best_path, forward, smooth
from seqem.speech.units import Inventory


class AcousticParams(NamedTuple):
    """Transition probabilities (n_arcs,) and the parameters of the emissions."""

    transitions: Array
    emission: Any


class AcousticStats(NamedTuple):
    """Expected counts of the transitions and statistics of the emissions."""

    transitions: Array
    emission: Any


class Spoken(NamedTuple):
    """Recordings in which the same was said: its graph, and their frames."""

    graph: StateGraph
    batch: SequenceBatch


class Walked(NamedTuple):
    """What a walk through recordings with one graph finds.

    Parameters of the graph's emissions, what they keep for their statistics, the posterior of each (N, P), expected counts of
    the graph's arcs (A,), and the log-likelihood.
    """

    emission: Any
    parts: Any
    resp: Array
    counts: Array
    log_likelihood: float


@dataclass(frozen=True, eq=False)
class AcousticModel:
    """Train units on what they were joined to: embedded Baum-Welch, or the best path.

    Attributes
    ----------
    inventory : Inventory
        The units.
    distribution : Emission
        Their emissions.
    training : {"posterior", "viterbi"}
        Whether the E-step takes expected counts or those of the best path.
    beam : float
        What is further below the best state of a frame is cut off, in natural logarithms. Where that leaves no path, a recording
        goes without.
    transition_prior : ndarray, shape (n_arcs,), optional
        Counts that come before those of the data.

    Notes
    -----
    A shard is a list of :class:`Spoken`. Young et al., The HTK Book, section 8.5, of which this is the recursion without its
    assumption of a single pronunciation.
    """

    inventory: Inventory
    distribution: Emission
    training: str = "posterior"
    beam: float = NO_BEAM
    transition_prior: Array | None = None

    def __post_init__(self) -> None:
        if self.training not in ("posterior", "viterbi"):
            raise ParameterError("unknown training", got=repr(self.training), expected='"posterior" or "viterbi"')

    def e_step(self, params: AcousticParams, shard: list[Spoken]) -> EStep:
        """Return expected counts and statistics of a shard, and its log-likelihood."""
        rows, n = shard[0].batch.values[:0], self.inventory.n_emissions
        total = AcousticStats(
            np.zeros(self.inventory.n_arcs), self.distribution.accumulate(params.emission, rows, np.zeros((0, n)))
        )
        return EStep(total, sum(self._add(params, total, *spoken) for spoken in shard))

    def _add(self, params: AcousticParams, total: AcousticStats, graph: StateGraph, batch: SequenceBatch) -> float:
        """Add the statistics of recordings with one graph to a total, and return their log-likelihood."""
        walked = self.walk(params, Spoken(graph, batch))
        stats = self.distribution.accumulate_parts(walked.emission, batch.values, walked.parts, walked.resp)
        self.distribution.add_states(total.emission, stats, graph.emissions)
        seen = graph.transition >= 0
        np.add.at(total.transitions, graph.transition[seen], walked.counts[seen])
        return walked.log_likelihood

    def walk(self, params: AcousticParams, spoken: Spoken) -> Walked:
        """Return the posterior of states and arcs of recordings with one graph.

        Raises
        ------
        NumericalError
            Where a recording is shorter than its transcript can be said in; it is named.
        """
        graph, batch = spoken
        emission = self.distribution.of_states(params.emission, graph.emissions)
        frames, parts = self.distribution.log_likelihood_and_parts(emission, batch.values)
        weights = graph.weights(params.transitions)
        counts, resp, score = np.zeros(len(weights)), np.zeros(frames.shape), 0.0
        step = _smoothed if self.training == "posterior" else _traced
        for s, (lo, hi) in enumerate(zip(batch.offsets[:-1], batch.offsets[1:], strict=True)):
            found = step(graph, weights, frames[lo:hi], self.beam, counts, resp[lo:hi])
            if found == -np.inf:
                found = step(graph, weights, frames[lo:hi], NO_BEAM, counts, resp[lo:hi])
            if found == -np.inf:
                raise NumericalError(_no_path(batch, s, graph), hint="is the transcript longer than the recording?")
            score += found
        return Walked(emission, parts, resp, counts, score)

    def m_step(self, stats: AcousticStats, params: AcousticParams) -> AcousticParams:
        """Return the parameters that maximise expected log-likelihood plus log prior; units without data keep theirs."""
        return AcousticParams(
            self.inventory.normalised(stats.transitions + self._prior, params.transitions),
            self.distribution.maximise(stats.emission, params.emission),
        )

    def log_prior(self, params: AcousticParams) -> float:
        """Return the log prior density of transitions and emissions, up to a constant."""
        return _weighed_log(self._prior, params.transitions) + self.distribution.log_prior(params.emission)

    @property
    def _prior(self) -> Array:
        return np.zeros(self.inventory.n_arcs) if self.transition_prior is None else self.transition_prior

    def recentre(self, stats: AcousticStats, old: AcousticParams, new: AcousticParams) -> AcousticStats:
        """Return statistics taken at ``old`` as if about ``new``."""
        return stats._replace(emission=self.distribution.recentre(stats.emission, old.emission, new.emission))

    def pack(self, params: AcousticParams) -> Array:
        """Return the free parameters as an unconstrained vector: transitions, then emissions."""
        rows = self.inventory.by_place(params.transitions)
        transitions = SIMPLEX.pack(rows, np.zeros(rows.shape, dtype=bool))
        return np.concatenate([transitions, self.distribution.pack(params.emission)])

    def unpack(self, vector: Array, like: AcousticParams) -> AcousticParams:
        """Return the parameters of an unconstrained vector."""
        rows = self.inventory.by_place(like.transitions)
        free = np.zeros(rows.shape, dtype=bool)
        n = SIMPLEX.size(rows, free)
        transitions = self.inventory.as_vector(SIMPLEX.unpack(vector[:n], rows, free))
        return AcousticParams(transitions, self.distribution.unpack(vector[n:], like.emission))

    def expected_log_likelihood(self, stats: AcousticStats, params: AcousticParams, reference: AcousticParams) -> float:
        """Return Q(params | reference)."""
        chain = _weighed_log(stats.transitions, params.transitions)
        return chain + self.distribution.expected_log_likelihood(stats.emission, params.emission, reference.emission)


def _weighed_log(counts: Array, probabilities: Array) -> float:
    """Return the sum of counts times log-probabilities, where there are counts."""
    seen = counts > 0
    with np.errstate(divide="ignore"):
        return float(counts[seen] @ np.log(probabilities[seen]))


def _smoothed(graph: StateGraph, weights: Array, frames: Array, beam: float, counts: Array, resp: Array) -> float:
    alpha, score = forward(graph, weights, frames, beam)
    if score > -np.inf:
        smooth(graph, weights, frames, alpha, graph.column, counts, resp)
    return score


def _traced(graph: StateGraph, weights: Array, frames: Array, beam: float, counts: Array, resp: Array) -> float:
    path = best_path(graph, weights, frames, beam)
    if path is None:
        return -np.inf
    counts += path.counts
    resp[np.arange(len(resp)), graph.column[path.states]] += 1.0
    return path.log_probability


def _no_path(batch: SequenceBatch, s: int, graph: StateGraph) -> str:
    name = f"sequence {s} of its shard" if batch.names is None else batch.names[s]
    return f"{name}: no path through its transcript: {batch.lengths[s]} frames, at least {graph.shortest} needed"
