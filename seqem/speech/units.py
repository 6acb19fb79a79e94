"""Units: what words are made of, each a small chain of states whose emissions it may share with others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from seqem.errors import ParameterError
from seqem.shapes import AnyArray, Array, IntArray

ENTRY = 0


class Unit(NamedTuple):
    """A chain of n states.

    ``emissions`` (n,) are numbers of emissions; ``arcs`` go from place to place: 0 is the entry, 1 to n the states,
    n + 1 the exit. An arc from entry to exit makes a tee: a unit that may take no time.
    """

    emissions: tuple[int, ...]
    arcs: tuple[tuple[int, int], ...]

    @property
    def exit(self) -> int:
        """Place of the exit."""
        return len(self.emissions) + 1


def left_right(emissions: Sequence[int], *, skips: bool = False) -> Unit:
    """Return a unit that goes through its states in order; with ``skips`` it may leave out one after another."""
    n = len(emissions)
    arcs = [(ENTRY, 1)]
    for state in range(1, n + 1):
        arcs += [(state, state), (state, state + 1)]
        if skips and state + 2 <= n:
            arcs.append((state, state + 2))
    return Unit(tuple(emissions), tuple(arcs))


def silence(emissions: Sequence[int]) -> Unit:
    """Return a left-right unit whose inner states also go back to the first of them, so that pauses may last."""
    unit = left_right(emissions)
    last = len(emissions) - 1
    back = ((last, 2), (2, last)) if last > 2 else ()
    return unit._replace(arcs=(*unit.arcs, *(arc for arc in back if arc not in unit.arcs)))


def short_pause(emission: int) -> Unit:
    """Return a tee of one state."""
    return Unit((emission,), ((ENTRY, 1), (1, 1), (1, 2), (ENTRY, 2)))


@dataclass(frozen=True, eq=False)
class Inventory:
    """Hold the units of a model by name.

    Attributes
    ----------
    units : mapping
        Name -> Unit.
    tied : mapping
        Name -> name of the unit whose transition probabilities it shares; both have the same arcs.

    Examples
    --------
    >>> inventory = Inventory({"yes": left_right([0, 1]), "sp": short_pause(2)})
    >>> inventory.n_emissions, inventory.n_arcs
    (3, 9)
    """

    units: Mapping[str, Unit]
    tied: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, model in self.tied.items():
            if model in self.tied or self[name].arcs != self[model].arcs:
                raise ParameterError(
                    f"unit {name!r} cannot share the transitions of {model!r}", expected="the same arcs"
                )

    def __getitem__(self, name: str) -> Unit:
        """Return a unit; ParameterError where there is none of that name."""
        try:
            return self.units[name]
        except KeyError:
            raise ParameterError(
                f"there is no model of the unit {name!r}", expected=f"one of {sorted(self.units)}"
            ) from None

    @property
    def n_emissions(self) -> int:
        """Number of emissions."""
        return 1 + max(e for unit in self.units.values() for e in unit.emissions)

    @cached_property
    def _first_arc(self) -> dict[str, int]:
        """Where each unit's arcs begin in the vector of transition probabilities."""
        at, n = {}, 0
        for name, unit in self.units.items():
            if name not in self.tied:
                at[name], n = n, n + len(unit.arcs)
        return at | {name: at[model] for name, model in self.tied.items()}

    def arcs(self, name: str) -> Iterable[tuple[tuple[int, int], int]]:
        """Return the arcs of a unit, each with its place in the vector of transition probabilities."""
        at = self._first_arc[name]
        return ((arc, at + i) for i, arc in enumerate(self[name].arcs))

    @property
    def n_arcs(self) -> int:
        """Length of the vector of transition probabilities."""
        return len(self.origins)

    @cached_property
    def origins(self) -> IntArray:
        """Number of the place that each arc leaves, shape (n_arcs,): probabilities sum to one over arcs with the same."""
        places: dict[tuple[str, int], int] = {}
        owned = ((name, arc[0]) for name, unit in self.units.items() if name not in self.tied for arc in unit.arcs)
        return np.array([places.setdefault(place, len(places)) for place in owned], dtype=np.int64)

    def normalised(self, weights: AnyArray, otherwise: Array) -> Array:
        """Return ``weights`` (n_arcs,) divided by their sum over each place; ``otherwise`` where that is zero."""
        total = np.bincount(self.origins, weights)[self.origins]
        return np.where(total > 0, weights / np.where(total > 0, total, 1.0), otherwise)

    def by_place(self, transitions: Array) -> Array:
        """Return a vector of transition probabilities as rows that sum to one (places, most arcs of a place), zeros behind."""
        out = np.zeros((int(self.origins.max()) + 1, int(self._rank.max()) + 1))
        out[self.origins, self._rank] = transitions
        return out

    def as_vector(self, rows: Array) -> Array:
        """Return what :meth:`by_place` was given."""
        return rows[self.origins, self._rank]

    @cached_property
    def _rank(self) -> IntArray:
        """Which arc of its place each arc is, from 0."""
        seen: dict[int, int] = {}
        rank = np.zeros(len(self.origins), dtype=np.int64)
        for i, origin in enumerate(self.origins.tolist()):
            rank[i] = seen.get(origin, 0)
            seen[origin] = int(rank[i]) + 1
        return rank

    def transitions(self, stay: float) -> Array:
        """Return transition probabilities for a start: ``stay`` in each state, the rest shared among its other arcs."""
        loops = np.concatenate(
            [[a == b for a, b in unit.arcs] for name, unit in self.units.items() if name not in self.tied]
        )
        others = np.bincount(self.origins, ~loops)[self.origins]
        looped = np.bincount(self.origins, loops)[self.origins] > 0
        return np.where(loops, stay, np.where(looped, 1.0 - stay, 1.0) / np.maximum(others, 1))
