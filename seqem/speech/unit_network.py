"""UnitNetwork: a network of words spelt out in units, with pauses between words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from seqem.speech.lexicon import Lexicon
from seqem.speech.network import WordNetwork


class UnitArc(NamedTuple):
    """An arc between places.

    It says a unit, or nothing where that is None; ``label`` is the word or pause it belongs to, which ends where an arc with
    a label and without a unit is taken; ``word`` is the number of that word's arc in the network of words, -1 for a pause.
    """

    source: int
    target: int
    unit: str | None
    log_weight: float
    label: str | None = None
    word: int = -1

    @property
    def ends(self) -> bool:
        """Whether a word or pause ends here."""
        return self.unit is None and self.label is not None


@dataclass(frozen=True)
class UnitNetwork:
    """Places 0 to n_places - 1 and the arcs between them."""

    n_places: int
    arcs: tuple[UnitArc, ...]
    start: int
    final: int


class Pauses(NamedTuple):
    """Which unit stands for a pause, with what probability one is made at each place where it may be."""

    unit: str
    probability: float = 0.5

    @property
    def label(self) -> str:
        """What a pause is called beside words."""
        return f"<{self.unit}>"


class _Speller:
    """Numbers places while words are spelt out."""

    def __init__(self, n_places: int) -> None:
        self.n_places, self.arcs = n_places, list[UnitArc]()

    def place(self) -> int:
        self.n_places += 1
        return self.n_places - 1

    def chain(self, source: int, target: int, units: tuple[str, ...], log_weight: float, label: str, word: int) -> None:
        for unit in units[:-1]:
            between = self.place()
            self.arcs.append(UnitArc(source, between, unit, log_weight, label, word))
            source, log_weight = between, 0.0
        self.arcs.append(UnitArc(source, target, units[-1], log_weight, label, word))

    def pause(self, source: int, target: int, pauses: Pauses) -> None:
        ended = self.place()
        self.arcs += [
            UnitArc(source, ended, pauses.unit, math.log(pauses.probability), pauses.label),
            UnitArc(ended, target, None, 0.0, pauses.label),
            UnitArc(source, target, None, math.log1p(-pauses.probability)),
        ]


def spell(network: WordNetwork, lexicon: Lexicon, pauses: Pauses | None = None) -> UnitNetwork:
    """Return a network of units for one of words: all pronunciations, and pauses before and after each word that may be left out.

    Raises
    ------
    DataError
        Where a word has no pronunciation.

    Examples
    --------
    >>> from seqem.speech.network import transcript
    >>> from seqem.speech.lexicon import Pronunciation
    >>> len(spell(transcript(["a"]), Lexicon({"a": (Pronunciation(("ah",)), Pronunciation(("ey",)))})).arcs)
    3
    """
    speller = _Speller(network.n_nodes)
    for number, arc in enumerate(network.arcs):
        if arc.word is None:
            speller.arcs.append(UnitArc(arc.source, arc.target, None, arc.log_weight))
            continue
        said = speller.place()
        ways = lexicon[arc.word]
        total = sum(way.weight for way in ways)
        for way in ways:
            speller.chain(arc.source, said, way.units, arc.log_weight + math.log(way.weight / total), arc.word, number)
        after = arc.target if pauses is None else speller.place()
        speller.arcs.append(UnitArc(said, after, None, 0.0, arc.word, number))
        if pauses is not None:
            speller.pause(after, arc.target, pauses)
    start = network.start
    if pauses is not None:
        start = speller.place()
        speller.pause(start, network.start, pauses)
    return UnitNetwork(speller.n_places, tuple(speller.arcs), start, network.final)
