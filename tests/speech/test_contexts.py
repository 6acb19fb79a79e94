"""Units in context: networks with them against the list of all their paths."""

from collections import Counter

import numpy as np
import pytest

from seqem.speech.contexts import Contexts, in_context
from seqem.speech.graph import compile_graph
from seqem.speech.inference import forward
from seqem.speech.lexicon import Lexicon, Pronunciation
from seqem.speech.merging import merged
from seqem.speech.network import WordArc, WordNetwork, one_of, transcript, word_loop
from seqem.speech.unit_network import Pauses, UnitArc, UnitNetwork, spell
from seqem.speech.units import Inventory, left_right

LEXICON = Lexicon(
    {
        "x": (Pronunciation(("a", "b", "c")), Pronunciation(("b",), 0.5)),
        "y": (Pronunciation(("a", "c")),),
        "z": (Pronunciation(("c",)), Pronunciation(("c", "c"), 0.3)),
    }
)
SKIP = WordNetwork(
    4, (WordArc(0, 1, "x", -0.3), WordArc(0, 1, None, -1.2), WordArc(1, 2, "y", 0.0), WordArc(1, 2, "z", -0.1),
        WordArc(2, 3, "x", -2.0), WordArc(2, 3, None, -0.2)), 0, 3,
)  # fmt: skip
NETWORKS = {
    "line": transcript(["x", "z", "y"]),
    "one": one_of({"x": 0.2, "z": 0.8}),
    "loop": word_loop({"x": 0.5, "y": 0.3, "z": 0.2}),
    "skip": SKIP,
}
PAUSES = [None, Pauses("sil", 0.4)]


def spelled(unit, left, right, position):
    """Every context is a unit of its own, but for the pause."""
    return unit if unit == "sil" else f"{left}-{unit}+{right}/{position}"


def coarse(unit, left, right, position):
    """Many contexts share a unit."""
    return unit if unit == "sil" else f"{unit}.{left in 'ab'}{right == 'c'}"


def paths(network, most=4):
    """Every path of up to ``most`` words and pauses, as (label, number, units) each, and its weight; how often it is there."""
    leaving = [[arc for arc in network.arcs if arc.source == p] for p in range(network.n_places)]
    found = Counter()

    def walk(place, done, run, weight):
        if place == network.final and not run:
            found[done, round(weight, 9)] += 1
        for arc in leaving[place]:
            now = weight + arc.log_weight
            if arc.ends:
                walk(arc.target, (*done, (arc.label, arc.word, run)), (), now)
            elif arc.unit is None:
                walk(arc.target, done, run, now)
            elif len(done) < most:
                walk(arc.target, done, (*run, arc.unit), now)

    walk(network.start, (), (), 0.0)
    return found


def in_words(done, choose):
    """The same path with each unit named by those beside it and by its place in the word."""
    flat = ["sil", *(unit for _, _, run in done for unit in run), "sil"]
    at, out = 0, []
    for label, number, run in done:
        last = len(run) - 1
        places = "s" if last == 0 else "b" + "i" * (last - 1) + "e"
        names = tuple(choose(u, flat[at + i], flat[at + i + 2], places[i]) for i, u in enumerate(run))
        out.append((label, number, names))
        at += len(run)
    return tuple(out)


@pytest.mark.parametrize("choose", [spelled, coarse])
@pytest.mark.parametrize("pauses", PAUSES)
@pytest.mark.parametrize("name", NETWORKS)
def test_each_path_has_the_contexts_that_brute_force_gives_it(name, pauses, choose):
    plain = spell(NETWORKS[name], LEXICON, pauses)
    most = 3 if name == "loop" else 4
    expected = Counter()
    for (done, weight), n in paths(plain, most).items():
        expected[in_words(done, choose), weight] += n
    assert paths(in_context(plain, choose, "sil"), most) == expected


@pytest.mark.parametrize("pauses", PAUSES)
@pytest.mark.parametrize("name", NETWORKS)
def test_merging_keeps_every_path(name, pauses):
    plain = spell(NETWORKS[name], LEXICON, pauses)
    small = merged(plain)
    assert small.n_places <= plain.n_places
    assert paths(small, 3) == paths(plain, 3)


def test_merging_keeps_how_often_a_path_is_there():
    twice = (UnitArc(0, 1, "a", 0.0), UnitArc(0, 2, "a", 0.0), UnitArc(1, 3, "b", 0.0), UnitArc(2, 3, "b", 0.0))
    small = merged(UnitNetwork(5, (*twice, UnitArc(3, 4, None, 0.0, "w", 0)), 0, 4))
    assert small.n_places == 4
    assert sum(paths(small).values()) == 2


def test_likelihood_is_that_without_contexts_where_all_contexts_sound_alike():
    units = {"a": left_right([0, 1]), "b": left_right([2]), "c": left_right([3]), "sil": left_right([4])}
    alike = {name: unit for name, unit in units.items() if name != "c"} | {f"c.{i}": left_right([3]) for i in range(2)}

    def choose(unit, left, right, position):
        return f"c.{int(left == 'b')}" if unit == "c" else unit

    frames = np.random.default_rng(0).normal(0, 2, (9, 5))
    for network in NETWORKS.values():
        plain = spell(network, LEXICON, Pauses("sil", 0.4))
        graphs = (
            (compile_graph(plain, Inventory(units)), Inventory(units)),
            (compile_graph(in_context(plain, choose, "sil"), Inventory(alike)), Inventory(alike)),
        )
        scores = [
            forward(graph, graph.weights(inventory.transitions(0.5)), frames[:, graph.emissions]).log_likelihood
            for graph, inventory in graphs
        ]
        assert np.isfinite(scores[0])
        np.testing.assert_allclose(scores[1], scores[0], rtol=1e-12)


def test_where_there_is_no_unit_others_serve():
    exact = {
        f"p {left} {right} {place}": f"{left}{right}{place}"
        for left, right, place in ("lri", "lre", "lre", "Sre", "lSe")
    }
    contexts = Contexts({**exact, "q S S b": "q"}, "S")
    assert contexts("p", "l", "r", "i") == "lri"
    assert contexts("p", "l", "r", "e") == "lre"
    assert contexts("p", "l", "r", "b") == "lri"  # another position, in Sphinx's order
    assert contexts("p", "l", "x", "e") == "lSe"  # the silence for the word beside
    assert contexts("p", "x", "r", "s") == "p"  # for both words beside, or none
    assert contexts("p", "l", "x", "i") == "p"  # not within a word
    assert contexts("q", "x", "y", "s") == "q"
