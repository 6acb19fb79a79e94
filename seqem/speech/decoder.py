"""Decoder: what was said, by token passing through a graph, also while it is being said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqem.core.checks import at_least
from seqem.kernels.tokens import pass_tokens
from seqem.shapes import Array
from seqem.speech.graph import StateGraph
from seqem.speech.inference import NO_BEAM

_BLOCK = 64


class Spotted(NamedTuple):
    """A word or pause between two frames, and what the best path gained over it."""

    mark: int
    begin: int
    end: int
    score: float


class Hypothesis(NamedTuple):
    """A way to read a recording: its words and pauses, and the score of its path."""

    spotted: tuple[Spotted, ...]
    score: float


@dataclass(frozen=True, eq=False)
class Search:
    """Say how a graph is searched.

    Attributes
    ----------
    graph : StateGraph
        What may be said.
    weights : ndarray, shape (A,)
        Of the graph's arcs: transitions, language, penalties.
    beam : float
        Tokens further below the best of a frame end, in natural logarithms.
    n_best : int
        Different sequences of words that are followed.
    """

    graph: StateGraph
    weights: Array
    beam: float = NO_BEAM
    n_best: int = 1

    def __post_init__(self) -> None:
        at_least(self.n_best, 1, "n_best")


class Decoder:
    """Take log-likelihoods frame by frame and say what they may be.

    Parameters
    ----------
    search : Search
        What to look for.

    Notes
    -----
    Exact but for the beam: each node follows the ``n_best`` best paths that differ in their words.
    """

    def __init__(self, search: Search) -> None:
        graph, K = search.graph, search.n_best
        self._search, shape = search, (2, graph.n_nodes, K)
        # Of even and odd frames in turn.
        self._score = np.full(shape, -np.inf)
        self._record, self._history = np.full(shape, -1, dtype=np.int32), np.zeros(shape, dtype=np.int64)
        self._records, self._scores = np.empty((0, 3), dtype=np.int32), np.empty(0)
        self._used = self._clock = 0
        self._most = int((graph.mark >= 0).sum()) * K

    def feed(self, frames: Array) -> None:
        """Go on over log-likelihoods (T, P) of the graph's emissions."""
        graph = self._search.graph
        for start in range(0, max(len(frames), 1), _BLOCK):
            block = frames[start : start + _BLOCK]
            self._make_room((len(block) + 1) * self._most)
            self._used = pass_tokens(
                graph.first, graph.source, self._search.weights, graph.column, graph.start, graph.mark, graph.n_words,
                block, self._clock, self._search.beam, self._score, self._record, self._history,
                self._records, self._scores, self._used,
            )  # fmt: skip
            self._clock += len(block)

    def _make_room(self, more: int) -> None:
        if self._used + more > len(self._records):
            spare = max(more, len(self._records))
            self._records = np.concatenate([self._records, np.empty((spare, 3), dtype=np.int32)])
            self._scores = np.concatenate([self._scores, np.empty(spare)])

    @property
    def partial(self) -> Hypothesis | None:
        """What the best token so far has passed; None before the first frame."""
        if self._clock == 0:
            return None
        row = self._clock % 2
        node = int(self._score[row, :, 0].argmax())
        return self._read(float(self._score[row, node, 0]), int(self._record[row, node, 0]))

    def finish(self) -> list[Hypothesis]:
        """Return the readings of all frames, best first; none where the beam left no way to the end."""
        if self._clock == 0:
            self.feed(np.empty((0, len(self._search.graph.emissions))))
        score, record = (part[self._clock % 2, self._search.graph.final] for part in (self._score, self._record))
        alive = np.flatnonzero(score > -np.inf)
        return [self._read(float(score[k]), int(record[k])) for k in alive]

    def _read(self, score: float, record: int) -> Hypothesis:
        chain = []
        while record >= 0:
            chain.append(record)
            record = int(self._records[record, 0])
        begin, before, spotted = 0, 0.0, []
        for r in reversed(chain):
            _, mark, end = (int(v) for v in self._records[r])
            spotted.append(Spotted(mark, begin, end, float(self._scores[r]) - before))
            begin, before = end, float(self._scores[r])
        return Hypothesis(tuple(spotted), score)


def confidences(hypothesis: Hypothesis, posterior: Array) -> Array:
    """Return the mean posterior of each word and pause of a reading over its frames, from those of all marks (T, marks).

    Wessel, Schlueter, Macherey & Ney (2001), Confidence measures for large vocabulary continuous speech recognition.
    """
    return np.array([posterior[w.begin : w.end, w.mark].mean() if w.end > w.begin else 1.0 for w in hypothesis.spotted])
