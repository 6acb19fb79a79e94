"""Contexts: units that depend on what is said before and after them, also in the words beside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from seqem.speech.merging import merged
from seqem.speech.unit_network import UnitArc, UnitNetwork

POSITIONS = ("i", "b", "e", "s")
"""Where a unit is in its word: within, first, last, the only one."""
_WITHIN, _FIRST, _LAST, _ONLY = POSITIONS

Choose = Callable[[str, str, str, str], str]
"""Unit, unit before, unit after, position -> the name of the unit in the inventory."""


@dataclass(frozen=True, eq=False)
class Contexts:
    """Name the unit of an inventory that models a phone between two others.

    Attributes
    ----------
    units : mapping
        "phone before after position" -> name in the inventory.
    silence : str
        What stands for the pause, and for what is before and after a recording.

    Notes
    -----
    Where there is no such unit, one of another position serves; then one whose neighbour in the next word is the silence; then the
    phone by its own name. That is the order of Sphinx.

    Examples
    --------
    >>> contexts = Contexts({"AH B SIL e": "AH.1"}, "SIL")
    >>> contexts("AH", "B", "SIL", "i"), contexts("AH", "B", "K", "e"), contexts("AH", "D", "K", "e")
    ('AH.1', 'AH.1', 'AH')
    """

    units: Mapping[str, str]
    silence: str

    def __call__(self, unit: str, left: str, right: str, position: str) -> str:
        """Return the name of a unit in its context."""
        outer_left = self.silence if position in (_FIRST, _ONLY) else left
        outer_right = self.silence if position in (_LAST, _ONLY) else right
        for a, b in ((left, right), (outer_left, outer_right)):
            for place in (position, *POSITIONS):
                name = self.units.get(f"{unit} {a} {b} {place}")
                if name is not None:
                    return name
        return unit


def in_context(network: UnitNetwork, choose: Choose, silence: str) -> UnitNetwork:
    """Return the network with each unit in its context; sequences of words and their weights stay what they were.

    Parameters
    ----------
    network : UnitNetwork
        Words spelt out in units.
    choose : callable
        Unit, unit before, unit after and position in the word -> name in the inventory, such as :class:`Contexts`. A pause is a
        word of a single unit.
    silence : str
        What stands before the first unit and after the last.

    Notes
    -----
    A place becomes one for each pair of a unit that may come before it and a unit that may come after it, so that contexts are
    exact across words and pauses left out. Arcs whose contexts ask for the same unit are drawn together.
    """
    return merged(_Expansion(network, choose, silence).network())


class _Expansion:
    """Numbers the places of a network with contexts while its arcs are drawn."""

    def __init__(self, network: UnitNetwork, choose: Choose, silence: str) -> None:
        self.old, self.choose, self.silence = network, choose, silence
        self.before, self.after = _before(network, silence), _after(network, silence)
        self.places: dict[tuple[int, str, str], int] = {}
        self.arcs: list[UnitArc] = []
        self.n_places = 0

    def network(self) -> UnitNetwork:
        """Return the expanded network."""
        start, final = self.junction(), self.junction()
        for arc, position in zip(self.old.arcs, _positions(self.old), strict=True):
            if arc.unit is None:
                self.pass_on(arc)
            else:
                self.say(arc, arc.unit, position)
        self.join(start, (self.place(self.old.start, self.silence, right) for right in self.after[self.old.start]))
        self.join((self.place(self.old.final, left, self.silence) for left in self.before[self.old.final]), final)
        return UnitNetwork(self.n_places, tuple(self.arcs), start, final)

    def junction(self) -> int:
        """Return a new place."""
        self.n_places += 1
        return self.n_places - 1

    def place(self, old: int, left: str, right: str) -> int:
        """Return the place that an old one is between two units."""
        key = old, left, right
        if key not in self.places:
            self.places[key] = self.junction()
        return self.places[key]

    def join(self, sources: int | Iterable[int], targets: int | Iterable[int]) -> None:
        """Draw arcs that say nothing."""
        pairs = product(*((end,) if isinstance(end, int) else tuple(end) for end in (sources, targets)))
        self.arcs += [UnitArc(source, target, None, 0.0) for source, target in pairs]

    def pass_on(self, arc: UnitArc) -> None:
        """Draw an arc without a unit in each of its contexts."""
        for left, right in product(self.before[arc.source], self.after[arc.target]):
            source, target = self.place(arc.source, left, right), self.place(arc.target, left, right)
            self.arcs.append(arc._replace(source=source, target=target))

    def say(self, arc: UnitArc, unit: str, position: str) -> None:
        """Draw an arc with a unit, once for all contexts that ask for the same."""
        alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for left in self.before[arc.source]:
            rights: dict[str, list[str]] = {}
            for right in self.after[arc.target]:
                rights.setdefault(self.choose(unit, left, right, position), []).append(right)
            for name, asking in rights.items():
                alike.setdefault((name, tuple(asking)), []).append(left)
        for (name, group), lefts in alike.items():
            sources = [self.place(arc.source, left, unit) for left in lefts]
            targets = [self.place(arc.target, unit, right) for right in group]
            source = sources[0] if len(sources) == 1 else self.junction()
            target = targets[0] if len(targets) == 1 else self.junction()
            self.join((s for s in sources if s != source), source)
            self.arcs.append(arc._replace(source=source, target=target, unit=name))
            self.join(target, (t for t in targets if t != target))


def _before(network: UnitNetwork, silence: str) -> list[tuple[str, ...]]:
    """Return for each place the units that may be the last said there."""
    return _spread(network, network.start, silence, [(arc.source, arc.target, arc.unit) for arc in network.arcs])


def _after(network: UnitNetwork, silence: str) -> list[tuple[str, ...]]:
    """Return for each place the units that may be the next."""
    return _spread(network, network.final, silence, [(arc.target, arc.source, arc.unit) for arc in network.arcs])


def _spread(
    network: UnitNetwork, origin: int, silence: str, arcs: list[tuple[int, int, str | None]]
) -> list[tuple[str, ...]]:
    """Return for each place the units that arrive there: an arc brings its own, or where it has none what is at its begin."""
    leaving: list[list[tuple[int, str | None]]] = [[] for _ in range(network.n_places)]
    for begin, end, unit in arcs:
        leaving[begin].append((end, unit))
    found: list[dict[str, None]] = [{} for _ in range(network.n_places)]
    waiting = [(origin, silence)]
    while waiting:
        place, unit = waiting.pop()
        if unit not in found[place]:
            found[place][unit] = None
            waiting += [(end, own or unit) for end, own in leaving[place]]
    return [tuple(sorted(units)) for units in found]


def _positions(network: UnitNetwork) -> list[str]:
    """Return the position in its word of the unit of each arc."""
    inside = {arc.target for arc in network.arcs if arc.unit is not None}
    ended = {arc.source for arc in network.arcs if arc.ends}
    kinds = {(False, False): _FIRST, (False, True): _ONLY, (True, False): _WITHIN, (True, True): _LAST}
    return [kinds[arc.source in inside, arc.target in ended] for arc in network.arcs]
