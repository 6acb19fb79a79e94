"""WordNetwork: which sequences of words may be said, and at what cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from seqem.errors import ParameterError


class WordArc(NamedTuple):
    """An arc from node to node that says ``word``, or nothing where that is None; a natural logarithm weighs it."""

    source: int
    target: int
    word: str | None
    log_weight: float


@dataclass(frozen=True)
class WordNetwork:
    """Say which sequences of words may be heard: those along the paths from ``start`` to ``final``.

    Attributes
    ----------
    n_nodes : int
        Nodes 0 to n_nodes - 1.
    arcs : tuple of WordArc
        Arcs without a word make no cycle.
    start, final : int
        Where every path begins and ends.

    Examples
    --------
    >>> network = transcript(["yes", "no"])
    >>> network.words
    ('no', 'yes')
    """

    n_nodes: int
    arcs: tuple[WordArc, ...]
    start: int
    final: int

    @property
    def words(self) -> tuple[str, ...]:
        """All words of the network in alphabetical order."""
        return tuple(sorted({arc.word for arc in self.arcs if arc.word is not None}))


def transcript(words: Sequence[str]) -> WordNetwork:
    """Return the network that says just these words, one after another."""
    arcs = tuple(WordArc(i, i + 1, word, 0.0) for i, word in enumerate(words))
    return WordNetwork(len(words) + 1, arcs, 0, len(words))


def one_of(words: Iterable[str] | Mapping[str, float]) -> WordNetwork:
    """Return the network that says a single word; a mapping gives the words' probabilities."""
    return WordNetwork(2, tuple(WordArc(0, 1, word, weight) for word, weight in _weighed(words)), 0, 1)


def word_loop(words: Iterable[str] | Mapping[str, float]) -> WordNetwork:
    """Return the network that says one word or more in any order; a mapping gives the words' probabilities.

    Examples
    --------
    >>> len(word_loop(["yes", "no"]).arcs)
    4
    """
    spoken = (WordArc(0, 1, word, weight) for word, weight in _weighed(words))
    return WordNetwork(3, (*spoken, WordArc(1, 0, None, 0.0), WordArc(1, 2, None, 0.0)), 0, 2)


def weighed(network: WordNetwork, factor: float, penalty: float) -> WordNetwork:
    """Return the network with its logarithms times ``factor``, and ``penalty`` added for each word."""
    arcs = (
        arc._replace(log_weight=factor * arc.log_weight + (0.0 if arc.word is None else penalty))
        for arc in network.arcs
    )
    return replace(network, arcs=tuple(arcs))


def _weighed(words: Iterable[str] | Mapping[str, float]) -> list[tuple[str, float]]:
    """Return each word with the logarithm of its probability."""
    shares = words if isinstance(words, Mapping) else dict.fromkeys(words, 1.0)
    total = sum(shares.values())
    if not shares or not (total > 0 and min(shares.values()) > 0):
        raise ParameterError("words are off", got=dict(shares), expected="at least one word, probabilities > 0")
    return [(word, float(np.log(share / total))) for word, share in shares.items()]
