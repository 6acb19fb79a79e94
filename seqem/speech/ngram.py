"""NGram: the probability of a word after the words before it, with back-off."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seqem.errors import DataError, ParameterError
from seqem.speech.network import WordArc, WordNetwork

BEGIN, END = "<s>", "</s>"
_UNKNOWN = ("<unk>", "<UNK>")

Words = tuple[str, ...]


@dataclass(frozen=True)
class NGram:
    """A back-off model of sentences: what an ARPA file holds, in natural logarithms.

    S. M. Katz (1987), Estimation of probabilities from sparse data for the language model component of a speech recognizer,
    IEEE Transactions on Acoustics, Speech and Signal Processing 35, 400-401.

    Attributes
    ----------
    order : int
        Words of the longest n-gram.
    log_probabilities : mapping
        n-gram -> log-probability of its last word after the others. ``</s>`` ends a sentence, ``<s>`` begins one and is
        never a last word.
    backoffs : mapping
        Words before -> what the probability of a word that was not seen after them is weighed with; 0 where it is not there.

    Examples
    --------
    >>> model = NGram.of([["go", "left"], ["go", "right"]])
    >>> model.log_probability(["go", "left"]) > model.log_probability(["left", "go"])
    True
    """

    order: int
    log_probabilities: Mapping[Words, float]
    backoffs: Mapping[Words, float]

    def __post_init__(self) -> None:
        if not self.log_probabilities or any(not 1 <= len(key) <= self.order for key in self.log_probabilities):
            raise DataError("n-grams are off", expected=f"one at least, each of 1 to {self.order} words")

    @property
    def words(self) -> tuple[str, ...]:
        """All words in alphabetical order, without the marks of begin, end and the unknown."""
        return tuple(sorted({key[0] for key in self.log_probabilities if len(key) == 1} - {BEGIN, END, *_UNKNOWN}))

    def log_probability(self, words: Sequence[str]) -> float:
        """Return the log-probability of a sentence from its begin to its end; a word not in the model is ``<unk>``.

        It is minus infinity where the model has no ``<unk>`` either.
        """
        said = [BEGIN, *(self._known(word) for word in words), END]
        return sum(self._step(tuple(said[max(0, i - self.order + 1) : i]), said[i]) for i in range(1, len(said)))

    def network(self) -> WordNetwork:
        """Return the network of all sentences, a node for each history that the model tells apart.

        From a node lead the words seen after its history, and an arc without a word to the node of the shorter history. That arc
        is open to all words, also to those seen, so the best path of a sentence may weigh more than its log-probability:
        where a word is likelier after the shorter history, or where it pays later to have forgotten (C. Allauzen, M. Mohri and B.
        Roark 2003, Generalized algorithms for constructing statistical language models, ACL, 40-47, section 4). It never
        weighs less, and for models of order 2 that :meth:`of` makes it weighs the same. ``<unk>`` cannot be heard and is left
        out.
        """
        nodes = {history: i for i, history in enumerate(sorted(self._histories(), key=lambda key: (len(key), key)))}
        final = len(nodes)
        arcs = []
        for (*before, word), weight in self.log_probabilities.items():
            if word not in _UNKNOWN and weight > -math.inf:
                source = nodes[tuple(before)]
                target = final if word == END else nodes[_longest((*before, word), nodes)]
                arcs.append(WordArc(source, target, None if word == END else word, weight))
        for history, node in nodes.items():
            if history and self.backoffs.get(history, 0.0) > -math.inf:
                shorter = nodes[_longest(history[1:], nodes)]
                arcs.append(WordArc(node, shorter, None, self.backoffs.get(history, 0.0)))
        return WordNetwork(final + 1, tuple(arcs), nodes[_longest((BEGIN,), nodes)], final)

    @classmethod
    def of(cls, sentences: Iterable[Sequence[str]], order: int = 2) -> NGram:
        """Return the model of sentences, smoothed by Witten and Bell's method, each history mixed with the shorter one.

        I. H. Witten and T. C. Bell (1991), The zero-frequency problem, IEEE Transactions on Information Theory 37,
        1085-1094. After each history the probabilities of the words and of ``</s>`` sum to one; no other word can come.

        Parameters
        ----------
        sentences : iterable of sequence of str
            The words of each.
        order : int
            Words of the longest n-gram.

        Raises
        ------
        DataError
            Where there is no sentence, or a word is ``<s>`` or ``</s>``.
        ParameterError
            Where the order is not positive.
        """
        if order < 1:
            raise ParameterError("order is off", got=order, expected="1, 2, 3 ...")
        after = _followers(sentences, order)
        found: dict[Words, float] = {}
        backoffs: dict[Words, float] = {}
        # A uniform distribution stands below the shortest history, so that this too is mixed with one.
        uniform = 1.0 / len(after[()])
        for history in sorted(after, key=len):
            counts = after[history]
            total, kinds = sum(counts.values()), len(counts)
            for word, count in counts.items():
                shorter = found[(*history[1:], word)] if history else uniform
                found[*history, word] = (count + kinds * shorter) / (total + kinds)
            if history:
                backoffs[history] = math.log(kinds / (total + kinds))
        return cls(order, {key: math.log(share) for key, share in found.items()}, backoffs)

    def _known(self, word: str) -> str:
        unknown = next((mark for mark in _UNKNOWN if (mark,) in self.log_probabilities), word)
        return word if (word,) in self.log_probabilities else unknown

    def _step(self, history: Words, word: str) -> float:
        weight = 0.0
        while (*history, word) not in self.log_probabilities:
            if not history:
                return -math.inf
            weight += self.backoffs.get(history, 0.0)
            history = history[1:]
        return weight + self.log_probabilities[*history, word]

    def _histories(self) -> set[Words]:
        """Return what must be remembered: words that a longer n-gram begins with, or that have a back-off weight."""
        weighed = {key for key, weight in self.backoffs.items() if weight}
        return {(), *weighed, *(key[:-1] for key in self.log_probabilities)}


def _longest(words: Words, nodes: Mapping[Words, int]) -> Words:
    """Return the longest end of the words that has a node."""
    while words not in nodes:
        words = words[1:]
    return words


def _followers(sentences: Iterable[Sequence[str]], order: int) -> dict[Words, Counter[str]]:
    """Return how often each word comes after each history of fewer than ``order`` words."""
    after: dict[Words, Counter[str]] = defaultdict(Counter)
    for words in sentences:
        if BEGIN in words or END in words:
            raise DataError("sentence holds a mark", got=list(words), expected=f"words other than {BEGIN} and {END}")
        said = (BEGIN, *words, END)
        for i in range(1, len(said)):
            for n in range(min(i, order - 1) + 1):
                after[tuple(said[i - n : i])][said[i]] += 1
    if not after:
        raise DataError("no sentences", expected="one at least")
    return dict(after)
