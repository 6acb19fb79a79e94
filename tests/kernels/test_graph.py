"""Recursions on graphs against the list of all paths."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from seqem.speech.decoder import Decoder, Search
from seqem.speech.graph import compile_graph
from seqem.speech.inference import best_path, forward, smooth
from seqem.speech.lexicon import Lexicon, Pronunciation
from seqem.speech.network import one_of, transcript, word_loop
from seqem.speech.unit_network import Pauses, spell
from seqem.speech.units import Inventory, left_right, short_pause, silence

INVENTORY = Inventory(
    {"a": left_right([0, 1], skips=True), "b": left_right([2]), "sil": silence([3, 4, 5, 6]), "sp": short_pause(4)}
)
LEXICON = Lexicon({"x": (Pronunciation(("a", "b")), Pronunciation(("b",), 0.5)), "y": (Pronunciation(("a", "sp")),)})
NETWORKS = {"loop": word_loop(["x", "y"]), "one": one_of({"x": 0.2, "y": 0.8}), "line": transcript(["x", "y"])}


def paths(graph, weights, frames):
    """Every path: its score, the states of its frames, its arcs."""
    into = np.repeat(np.arange(graph.n_nodes), np.diff(graph.first))
    arcs = [[(int(into[a]), a) for a in np.flatnonzero(graph.source == i)] for i in range(graph.n_nodes)]
    found = []

    def walk(node, t, score, states, taken):
        if node == graph.final and t == len(frames):
            found.append((score, states, taken))
        for j, a in arcs[node]:
            if j >= graph.n_states:
                walk(j, t, score + weights[a], states, (*taken, a))
            elif t < len(frames):
                walk(j, t + 1, score + weights[a] + frames[t, graph.column[j]], (*states, j), (*taken, a))

    walk(graph.start, 0, 0.0, (), ())
    return found


def case(name, pauses, T, seed=0):
    rng = np.random.default_rng(seed)
    graph = compile_graph(spell(NETWORKS[name], LEXICON, pauses), INVENTORY)
    transitions = INVENTORY.normalised(rng.random(INVENTORY.n_arcs), np.zeros(INVENTORY.n_arcs))
    return graph, graph.weights(transitions), rng.normal(0, 2, (T, len(graph.emissions)))


@pytest.mark.parametrize("pauses", [None, Pauses("sil", 0.4), Pauses("sp", 0.9)])
@pytest.mark.parametrize("name", NETWORKS)
def test_all_paths(name, pauses):
    graph, weights, frames = case(name, pauses, 5)
    every = paths(graph, weights, frames)
    scores = np.array([p[0] for p in every])
    total = np.logaddexp.reduce(scores)
    trellis = forward(graph, weights, frames)
    assert_allclose(trellis.log_likelihood, total, rtol=1e-13)
    expected_counts, expected_resp = np.zeros(len(weights)), np.zeros((5, graph.n_states))
    for score, states, taken in every:
        np.add.at(expected_counts, list(taken), np.exp(score - total))
        expected_resp[np.arange(5), list(states)] += np.exp(score - total)
    counts, resp = np.zeros(len(weights)), np.zeros((5, graph.n_states))
    smooth(graph, weights, frames, trellis.alpha, np.arange(graph.n_states, dtype=np.int32), counts, resp)
    assert_allclose(counts, expected_counts, atol=1e-13)
    assert_allclose(resp, expected_resp, atol=1e-13)
    best = best_path(graph, weights, frames)
    top = every[int(scores.argmax())]
    assert_allclose(best.log_probability, top[0], rtol=1e-13)
    assert_array_equal(best.states, top[1])
    assert_array_equal(best.counts, np.bincount(top[2], minlength=len(weights)))


@pytest.mark.parametrize("pauses", [None, Pauses("sil", 0.4)])
@pytest.mark.parametrize("n_best", [1, 2, 5])
def test_tokens_find_the_best_sequences_of_words(pauses, n_best):
    graph, weights, frames = case("loop", pauses, 6, seed=n_best)
    into = np.repeat(np.arange(graph.n_nodes), np.diff(graph.first))
    best = {}
    for score, _, taken in paths(graph, weights, frames):
        words = tuple(m for m in graph.mark[into[list(taken)]] if 0 <= m < graph.n_words)
        best[words] = max(score, best.get(words, -np.inf))
    expected = sorted(best.items(), key=lambda item: -item[1])[:n_best]
    decoder = Decoder(Search(graph, weights, np.inf, n_best))
    for frame in frames:
        decoder.feed(frame[None])
    found = decoder.finish()
    assert [tuple(w.mark for w in h.spotted if w.mark < graph.n_words) for h in found] == [
        words for words, _ in expected
    ]
    assert_allclose([h.score for h in found], [score for _, score in expected], rtol=1e-13)
    for reading in found:
        ends = [w.end for w in reading.spotted]
        assert [w.begin for w in reading.spotted] == [0, *ends[:-1]]
        assert ends[-1] == 6
        if pauses is None:  # with pauses the path may end with the weight of making none
            assert_allclose(sum(w.score for w in reading.spotted), reading.score, rtol=1e-12)


def test_a_stream_gives_what_the_whole_gives():
    graph, weights, frames = case("loop", Pauses("sil", 0.4), 300, seed=9)
    whole = Decoder(Search(graph, weights, 30.0, 3))
    whole.feed(frames)
    parts = Decoder(Search(graph, weights, 30.0, 3))
    assert parts.partial is None
    for part in np.split(frames, [1, 70, 71, 200]):
        parts.feed(part)
        assert parts.partial is not None
    assert parts.finish() == whole.finish()


def test_a_beam_cuts_and_no_beam_does_not():
    graph, weights, frames = case("line", None, 12)
    assert forward(graph, weights, frames, 1e-9).log_likelihood < forward(graph, weights, frames).log_likelihood
    assert_allclose(forward(graph, weights, frames, 1e3).log_likelihood, forward(graph, weights, frames).log_likelihood)


def test_an_hour_of_one_transcript_stays_in_range():
    # Scaled numbers leave their range long before the last node of a chain is reached.
    graph = compile_graph(spell(transcript(["x"] * 400), LEXICON), INVENTORY)
    weights = graph.weights(INVENTORY.transitions(0.5))
    frames = np.zeros((6000, len(graph.emissions)))
    trellis = forward(graph, weights, frames)
    assert np.isfinite(trellis.log_likelihood)
    counts, resp = np.zeros(len(weights)), np.zeros((6000, 1))
    smooth(graph, weights, frames, trellis.alpha, np.zeros(graph.n_states, dtype=np.int32), counts, resp)
    assert_allclose(resp, 1.0, rtol=1e-8)


def test_too_few_frames_leave_no_path():
    graph, weights, frames = case("line", None, 1)
    assert graph.shortest == 3
    assert forward(graph, weights, frames).log_likelihood == -np.inf
    assert best_path(graph, weights, frames) is None
    decoder = Decoder(Search(graph, weights))
    decoder.feed(frames)
    assert decoder.finish() == []
