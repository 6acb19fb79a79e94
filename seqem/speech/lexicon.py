"""Lexicon: how words are pronounced."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from seqem.errors import DataError


class Pronunciation(NamedTuple):
    """The units of one way to say a word, and the probability of that way relative to the others."""

    units: tuple[str, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class Lexicon:
    """Map words to their pronunciations.

    Attributes
    ----------
    entries : mapping
        Word -> its pronunciations, one at least, none of them empty.

    Examples
    --------
    >>> lexicon = Lexicon({"the": (Pronunciation(("dh", "ah"), 0.7), Pronunciation(("dh", "iy"), 0.3))})
    >>> lexicon.units
    ('ah', 'dh', 'iy')
    """

    entries: Mapping[str, tuple[Pronunciation, ...]]

    def __post_init__(self) -> None:
        for word, ways in self.entries.items():
            if not ways or not all(way.units and way.weight > 0 for way in ways):
                raise DataError(f"pronunciations of {word!r} are off", got=ways, expected="units and a weight > 0 each")

    @classmethod
    def of_words(cls, words: Iterable[str]) -> Lexicon:
        """Return the lexicon in which each word is a unit of its own, for whole-word models."""
        return cls({word: (Pronunciation((word,)),) for word in words})

    @property
    def units(self) -> tuple[str, ...]:
        """All units in alphabetical order."""
        return tuple(sorted({unit for ways in self.entries.values() for way in ways for unit in way.units}))

    def __getitem__(self, word: str) -> tuple[Pronunciation, ...]:
        """Return the pronunciations of a word; DataError where it has none."""
        try:
            return self.entries[word]
        except KeyError:
            raise DataError(
                f"{word!r} is not in the lexicon", hint="add it, or take it out of the transcript"
            ) from None

    def only(self, words: Iterable[str]) -> Lexicon:
        """Return the lexicon of some of its words."""
        return Lexicon({word: self[word] for word in words})

    def spoken_with(self, units: Container[str]) -> Lexicon:
        """Return the lexicon of the words that can be said with ``units``, in the ways that can."""
        known = {
            word: tuple(way for way in ways if all(unit in units for unit in way.units))
            for word, ways in self.entries.items()
        }
        return Lexicon({word: ways for word, ways in known.items() if ways})

    def missing(self, words: Iterable[str]) -> tuple[str, ...]:
        """Return which of the words have no pronunciation, in alphabetical order."""
        return tuple(sorted({word for word in words if word not in self.entries}))
