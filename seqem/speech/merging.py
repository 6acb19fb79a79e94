"""Smaller networks of units that say the same: places that go on alike, or were come to alike, become one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable

from seqem.speech.unit_network import UnitArc, UnitNetwork


def merged(network: UnitNetwork) -> UnitNetwork:
    """Return a network with the same paths, each as often and with the same weight, on fewer places.

    Examples
    --------
    >>> arcs = (UnitArc(0, 1, "a", 0.0), UnitArc(0, 2, "b", 0.0), UnitArc(1, 3, "c", 0.0), UnitArc(2, 3, "c", 0.0))
    >>> small = merged(UnitNetwork(4, arcs, 0, 3))
    >>> small.n_places, len(small.arcs)
    (3, 3)
    """
    while True:
        small = _without_passages(_folded(_folded(network, forward=True), forward=False))
        if small.n_places == network.n_places:
            return small
        network = small


def _folded(network: UnitNetwork, *, forward: bool) -> UnitNetwork:
    """Return the network with places of equal arcs out of them (in to them where not ``forward``) made one."""
    kept = network.final if forward else network.start
    while True:
        sides: list[Counter[Hashable]] = [Counter() for _ in range(network.n_places)]
        for arc in network.arcs:
            here, there = (arc.source, arc.target) if forward else (arc.target, arc.source)
            sides[here][there, *arc[2:]] += 1
        first: dict[Hashable, int] = {}
        merged_into = [
            place if place == kept else first.setdefault(frozenset(side.items()), place)
            for place, side in enumerate(sides)
        ]
        if all(place == into for place, into in enumerate(merged_into)):
            return network
        # The arcs on the side on which they are equal are kept once, those on the other side all.
        arcs = [a for a in network.arcs if merged_into[here := a.source if forward else a.target] == here]
        network = _renumbered(
            (a._replace(source=merged_into[a.source], target=merged_into[a.target]) for a in arcs),
            merged_into[network.start],
            merged_into[network.final],
        )


def _without_passages(network: UnitNetwork) -> UnitNetwork:
    """Return the network without places that a single arc leaves, or comes to, which says nothing and ends nothing."""
    into, out = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
    arcs, ends = dict(enumerate(network.arcs)), (network.start, network.final)
    for number, arc in arcs.items():
        into[arc.target].add(number)
        out[arc.source].add(number)
    for number in list(arcs):
        arc = arcs[number]
        if arc.unit is not None or arc.label is not None or arc.source == arc.target:
            continue
        ahead = len(out[arc.source]) == 1 and arc.source not in ends
        if not ahead and (len(into[arc.target]) != 1 or arc.target in ends):
            continue
        del arcs[number]
        into[arc.target].discard(number)
        out[arc.source].discard(number)
        for other in into.pop(arc.source, ()) if ahead else out.pop(arc.target, ()):
            old = arcs[other]
            source, target = (old.source, arc.target) if ahead else (arc.source, old.target)
            arcs[other] = old._replace(source=source, target=target, log_weight=old.log_weight + arc.log_weight)
            (into[arc.target] if ahead else out[arc.source]).add(other)
    return _renumbered(arcs.values(), network.start, network.final)


def _renumbered(arcs: Iterable[UnitArc], start: int, final: int) -> UnitNetwork:
    """Return the network of arcs with its places numbered from 0 without gaps."""
    number: dict[int, int] = {start: 0}
    new = tuple(
        arc._replace(
            source=number.setdefault(arc.source, len(number)), target=number.setdefault(arc.target, len(number))
        )
        for arc in arcs
    )
    last = number.setdefault(final, len(number))
    return UnitNetwork(len(number), new, 0, last)
