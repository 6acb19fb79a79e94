"""StateGraph: a network of units as the states, junctions and arcs that the recursions walk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import numpy as np

from seqem.errors import ParameterError
from seqem.shapes import AnyArray, Array, IntArray
from seqem.speech.unit_network import UnitNetwork
from seqem.speech.units import ENTRY, Inventory


class _Arc(NamedTuple):
    source: int
    target: int
    log_weight: float
    transition: int


@dataclass(frozen=True, eq=False)
class StateGraph:
    """Hold a graph as ``seqem.kernels.graph`` takes it: E states that take a frame each, then junctions, N nodes in all.

    Attributes
    ----------
    first : ndarray of int32, shape (N + 1,)
        Where the arcs into each node begin.
    source : ndarray of int32, shape (A,)
        Node each arc comes from.
    log_weight : ndarray, shape (A,)
        What the network adds to an arc.
    transition : ndarray of int32, shape (A,)
        Place of the arc's transition probability in the model's vector, -1 for none.
    emissions : ndarray of int64, shape (P,)
        Numbers of the emissions in use, in ascending order.
    column : ndarray of int32, shape (E,)
        Which of them each state has.
    arc_of, state_of : ndarray of int32, shape (E,)
        Arc of the unit network each state belongs to, and its place in the unit, from 1.
    label_of : ndarray of int32, shape (E,)
        Number in ``labels`` of the word or pause each state belongs to.
    mark : ndarray of int32, shape (N,)
        Number in ``labels`` of the word or pause that ends at a junction, -1 for none.
    labels : tuple of str
        Words first, in alphabetical order, then pauses.
    n_words : int
        How many of the labels are words.
    start, final : int
        Junctions where paths begin and end.
    """

    first: AnyArray
    source: AnyArray
    log_weight: Array
    transition: AnyArray
    emissions: IntArray
    column: AnyArray
    arc_of: AnyArray
    state_of: AnyArray
    label_of: AnyArray
    mark: AnyArray
    labels: tuple[str, ...]
    n_words: int
    start: int
    final: int

    @property
    def n_states(self) -> int:
        """States E."""
        return len(self.column)

    @property
    def n_nodes(self) -> int:
        """Nodes N."""
        return len(self.first) - 1

    def weights(self, transitions: Array) -> Array:
        """Return the logarithm of each arc's weight under transition probabilities (n_arcs,)."""
        with np.errstate(divide="ignore"):
            known = np.append(np.log(transitions), 0.0)
        return self.log_weight + known[self.transition]

    @cached_property
    def shortest(self) -> int:
        """Fewest frames that a path from start to end takes."""
        distance = np.full(self.n_nodes, np.inf)
        distance[self.start] = 0.0
        for _ in range(self.n_nodes):
            brought = distance[self.source] + np.repeat(np.arange(self.n_nodes) < self.n_states, np.diff(self.first))
            new = distance.copy()
            np.minimum.at(new, np.repeat(np.arange(self.n_nodes), np.diff(self.first)), brought)
            if np.array_equal(new, distance):
                break
            distance = new
        return int(distance[self.final])


def compile_graph(network: UnitNetwork, inventory: Inventory) -> StateGraph:
    """Return the graph of a network with the units of a model.

    Raises
    ------
    ParameterError
        Where a unit has no model, or arcs that take no time make a circle.
    """
    place, n_states, states, arcs = _layout(network, inventory)
    count = np.bincount([arc.target for arc in arcs], minlength=n_states + len(place))
    order = sorted(range(len(arcs)), key=lambda a: arcs[a].target)
    labels, n_words = _labels(network)
    mark = np.full(n_states + len(place), -1, dtype=np.int32)
    for number, arc in enumerate(network.arcs):
        if arc.ends:
            mark[place[_middle(number)]] = labels[arc.label, arc.word < 0]
    owners = [network.arcs[state[1]] for state in states]
    emissions, column = np.unique([state[0] for state in states], return_inverse=True)
    return StateGraph(
        first=np.concatenate(([0], np.cumsum(count))).astype(np.int32),
        source=np.array([arcs[a].source for a in order], dtype=np.int32),
        log_weight=np.array([arcs[a].log_weight for a in order]),
        transition=np.array([arcs[a].transition for a in order], dtype=np.int32),
        emissions=emissions,
        column=column.astype(np.int32),
        arc_of=np.array([state[1] for state in states], dtype=np.int32),
        state_of=np.array([state[2] for state in states], dtype=np.int32),
        mark=mark,
        label_of=np.array([labels[arc.label, arc.word < 0] for arc in owners], dtype=np.int32),
        labels=tuple(str(label) for label, _ in labels),
        n_words=n_words,
        start=place[network.start],
        final=place[network.final],
    )


def _middle(arc: int) -> int:
    """Return the name of the junction that an arc with a mark passes; places have names from 0 up."""
    return -1 - arc


def _labels(network: UnitNetwork) -> tuple[dict[tuple[str | None, bool], int], int]:
    """Return a number for each word, then for each pause, which may be called the same, and how many are words."""
    found = sorted({(arc.word < 0, arc.label) for arc in network.arcs if arc.label is not None})
    return {(label, pause): i for i, (pause, label) in enumerate(found)}, sum(not pause for pause, _ in found)


def _layout(
    network: UnitNetwork, inventory: Inventory
) -> tuple[dict[int, int], int, list[tuple[int, int, int]], list[_Arc]]:
    """Return the node of each junction, the number of states, each state's emission, arc and place, and all arcs."""
    states: list[tuple[int, int, int]] = []
    begin = []
    for number, arc in enumerate(network.arcs):
        begin.append(len(states))
        if arc.unit is not None:
            states += [(e, number, i) for i, e in enumerate(inventory[arc.unit].emissions, 1)]
    place = {name: len(states) + i for i, name in enumerate(_ordered(network, inventory))}
    arcs: list[_Arc] = []
    for number, arc in enumerate(network.arcs):
        source, target = place[arc.source], place[arc.target]
        if arc.ends:
            middle = place[_middle(number)]
            arcs += [_Arc(source, middle, arc.log_weight, -1), _Arc(middle, target, 0.0, -1)]
        elif arc.unit is None:
            arcs.append(_Arc(source, target, arc.log_weight, -1))
        else:
            arcs += _unit_arcs(inventory, arc.unit, source, target, begin[number] - 1, arc.log_weight)
    return place, len(states), states, arcs


def _unit_arcs(inventory: Inventory, unit: str, source: int, target: int, base: int, log_weight: float) -> list[_Arc]:
    """Return the arcs of one unit between two junctions; state i of it is node ``base + i``."""
    leave = inventory[unit].exit
    return [
        _Arc(
            source if a == ENTRY else base + a,
            target if b == leave else base + b,
            log_weight if a == ENTRY else 0.0,
            transition,
        )
        for (a, b), transition in inventory.arcs(unit)
    ]


def _ordered(network: UnitNetwork, inventory: Inventory) -> Sequence[int]:
    """Return the junctions in an order in which arcs that take no time go up."""
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for place in range(network.n_places):
        sorter.add(place)
    for number, arc in enumerate(network.arcs):
        if arc.ends:
            sorter.add(_middle(number), arc.source)
            sorter.add(arc.target, _middle(number))
        elif arc.unit is None or (ENTRY, inventory[arc.unit].exit) in inventory[arc.unit].arcs:
            sorter.add(arc.target, arc.source)
    try:
        return list(sorter.static_order())
    except CycleError:
        raise ParameterError("arcs that take no time make a circle", hint="a loop has to say a word") from None
