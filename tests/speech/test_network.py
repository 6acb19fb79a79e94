"""Word networks: the sentences of each kind, enumerated, and what they weigh."""

import itertools
import math
from collections import defaultdict

import pytest

from seqem.errors import ParameterError
from seqem.speech.network import one_of, transcript, word_loop


def sentences(network, length):
    """Return the weight of the best path of each sentence of at most so many words."""
    leaving = defaultdict(list)
    for arc in network.arcs:
        leaving[arc.source].append(arc)
    best, todo = {}, {((), network.start): 0.0}
    while todo:
        ahead = {}
        for (words, node), weight in todo.items():
            if node == network.final:
                best[words] = max(weight, best.get(words, -math.inf))
            for arc in leaving[node]:
                said = words if arc.word is None else (*words, arc.word)
                if len(said) <= length:
                    key = said, arc.target
                    ahead[key] = max(weight + arc.log_weight, ahead.get(key, -math.inf))
        todo = ahead
    return best


def has_silent_cycle(network):
    """Return whether arcs without a word are left after taking away, again and again, those that lead to where none begins."""
    edges = {(arc.source, arc.target) for arc in network.arcs if arc.word is None}
    for _ in range(network.n_nodes):
        sources = {source for source, _ in edges}
        edges = {(source, target) for source, target in edges if target in sources}
    return bool(edges)


def test_a_transcript_says_itself_only():
    assert sentences(transcript(["a", "b", "a"]), 5) == {("a", "b", "a"): 0.0}
    assert sentences(transcript([]), 5) == {(): 0.0}


def test_one_of_weighs_words_by_their_shares():
    found = sentences(one_of({"a": 3.0, "b": 1.0}), 5)
    assert found == {("a",): pytest.approx(math.log(0.75)), ("b",): pytest.approx(math.log(0.25))}


def test_a_loop_says_all_sentences_but_the_empty_one():
    found = sentences(word_loop(["a", "b"]), 3)
    wanted = {words: n * math.log(0.5) for n in (1, 2, 3) for words in itertools.product("ab", repeat=n)}
    assert found == pytest.approx(wanted)


@pytest.mark.parametrize("words", [[], {"a": 0.0}, {"a": -1.0, "b": 2.0}, {"a": math.nan}])
@pytest.mark.parametrize("make", [one_of, word_loop])
def test_words_need_probabilities(make, words):
    with pytest.raises(ParameterError, match="words are off"):
        make(words)


def test_words_of_a_network():
    assert word_loop(["no", "yes", "no"]).words == ("no", "yes")
