"""Scoring: how well recognised words agree with those that were said."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from seqem.errors import DataError

Pair = tuple[str | None, str | None]


@dataclass(frozen=True)
class WordErrors:
    """Hold which word was taken for which in each sentence, and what follows from it.

    Attributes
    ----------
    alignments : tuple of tuple of (str or None, str or None)
        For each sentence the pairs of word said and word recognised with the fewest errors; None stands for no word: a
        word left out has None on the right, a word too many None on the left.

    Examples
    --------
    >>> errors = word_errors(["one two three"], ["one too three four"])
    >>> errors.substitutions, errors.deletions, errors.insertions, errors.hits
    (1, 0, 1, 2)
    >>> round(errors.rate, 3)
    0.667
    """

    alignments: tuple[tuple[Pair, ...], ...]

    @cached_property
    def confusions(self) -> Mapping[Pair, int]:
        """How often each word said was taken for each word recognised, right ones included."""
        return Counter(pair for sentence in self.alignments for pair in sentence)

    @property
    def hits(self) -> int:
        """Words that are right."""
        return sum(count for (said, heard), count in self.confusions.items() if said == heard)

    @property
    def substitutions(self) -> int:
        """Words taken for others."""
        return self.n_words - self.hits - self.deletions

    @property
    def deletions(self) -> int:
        """Words left out."""
        return sum(count for (_, heard), count in self.confusions.items() if heard is None)

    @property
    def insertions(self) -> int:
        """Words too many."""
        return sum(count for (said, _), count in self.confusions.items() if said is None)

    @property
    def n_words(self) -> int:
        """Words said."""
        return sum(count for (said, _), count in self.confusions.items() if said is not None)

    @property
    def rate(self) -> float:
        """Word error rate: errors of all kinds over words said; infinite where words are heard and none was said."""
        return _share(self.substitutions + self.deletions + self.insertions, self.n_words)

    @property
    def sentence_rate(self) -> float:
        """Share of the sentences that have an error."""
        return _share(sum(any(a != b for a, b in pairs) for pairs in self.alignments), len(self.alignments))


def word_errors(references: Sequence[str | Sequence[str]], hypotheses: Sequence[str | Sequence[str]]) -> WordErrors:
    """Return the errors of recognised sentences.

    Parameters
    ----------
    references : sequence of str or of sequences of str
        What was said: sentences, which are split at blanks, or their words. A sentence may be empty.
    hypotheses : sequence of str or of sequences of str
        What was recognised, in the same order.

    Raises
    ------
    DataError
        Where there are not as many of one as of the other.

    Examples
    --------
    >>> word_errors(["yes no", ""], [["yes"], []]).alignments
    ((('yes', 'yes'), ('no', None)), ())
    """
    if len(references) != len(hypotheses):
        got = f"{len(references)} references and {len(hypotheses)} hypotheses"
        raise DataError("sentences do not pair", got=got, expected="as many of each")
    pairs = zip(map(_words, references), map(_words, hypotheses), strict=True)
    return WordErrors(tuple(_aligned(said, heard) for said, heard in pairs))


def _words(sentence: str | Sequence[str]) -> list[str]:
    return sentence.split() if isinstance(sentence, str) else list(sentence)


def _aligned(said: list[str], heard: list[str]) -> tuple[Pair, ...]:
    from rapidfuzz.distance import Levenshtein

    pairs: list[Pair] = []
    for step in Levenshtein.opcodes(said, heard):
        left: list[str | None] = [*said[step.src_start : step.src_end]]
        right: list[str | None] = [*heard[step.dest_start : step.dest_end]]
        width = max(len(left), len(right))
        pairs += zip(left + [None] * (width - len(left)), right + [None] * (width - len(right)), strict=True)
    return tuple(pairs)


def _share(part: int, whole: int) -> float:
    if whole:
        return part / whole
    return math.inf if part else 0.0
