"""n-gram models: sums to one, counts by hand, and the network against the log-probability."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqem.errors import DataError, ParameterError
from seqem.speech.ngram import NGram
from tests.speech.test_network import has_silent_cycle, sentences

CORPUS = st.lists(st.lists(st.sampled_from("abc"), max_size=5), min_size=1, max_size=6)
TEXT = [list("ab"), list("aab"), list("b"), []]


@settings(max_examples=40, deadline=None)
@given(CORPUS, st.integers(1, 4))
def test_after_every_history_the_words_sum_to_one(corpus, order):
    model = NGram.of(corpus, order)
    ways = [*model.words, "</s>"]
    for history in {(), *model.backoffs}:
        total = sum(math.exp(model._step(history, word)) for word in ways)
        assert total == pytest.approx(1.0)


@settings(max_examples=40, deadline=None)
@given(CORPUS, st.integers(1, 4))
def test_the_best_path_weighs_the_log_probability_at_least_and_without_long_histories_just_that(corpus, order):
    model = NGram.of(corpus, order)
    network = model.network()
    assert not has_silent_cycle(network)
    found = sentences(network, 3)
    wanted = {
        words: model.log_probability(words) for n in range(4) for words in itertools.product(model.words, repeat=n)
    }
    assert found.keys() == wanted.keys()
    assert all(found[words] > weight - 1e-9 for words, weight in wanted.items())
    assert order > 2 or found == pytest.approx(wanted)
    assert model.log_probability(["zoo"]) == -math.inf


def test_witten_and_bell_by_hand():
    model = NGram.of(TEXT, 2)
    # Of ten words and ends 3 are a, 3 are b and 4 are ends: with three kinds, each (count + 3 / 3) / (10 + 3).
    assert math.exp(model.log_probabilities["a",]) == pytest.approx(4 / 13)
    assert math.exp(model.log_probabilities["</s>",]) == pytest.approx(5 / 13)
    # After a came a once and b twice: two kinds.
    assert math.exp(model.log_probabilities["a", "b"]) == pytest.approx((2 + 2 * 4 / 13) / 5)
    assert math.exp(model.backoffs["a",]) == pytest.approx(2 / 5)
    assert math.exp(model.log_probability(["b"])) == pytest.approx(
        (1 + 3 * 4 / 13) / (4 + 3) * (3 + 1 * 5 / 13) / (3 + 1)
    )


def test_a_longer_history_learns_what_a_shorter_cannot():
    corpus = [["a", "x", "a"], ["b", "x", "b"]] * 20
    said = ["a", "x", "a"]
    assert NGram.of(corpus, 3).log_probability(said) > NGram.of(corpus, 2).log_probability(said) + 0.5


def test_the_best_path_is_never_below_where_backing_off_is_likelier():
    half, tenth = math.log(0.5), math.log(0.1)
    model = NGram(2, {("a",): half, ("</s>",): half, ("a", "a"): tenth}, {("a",): 0.0})
    assert model.log_probability(["a", "a"]) == pytest.approx(2 * half + tenth)
    assert sentences(model.network(), 2)["a", "a"] == pytest.approx(3 * half)


def test_unknown_words_count_but_are_not_heard():
    third = math.log(1 / 3)
    model = NGram(1, {("a",): third, ("</s>",): third, ("<unk>",): third}, {})
    assert model.log_probability(["zoo"]) == pytest.approx(2 * third)
    assert model.words == model.network().words == ("a",)


def test_what_is_refused():
    with pytest.raises(DataError, match="no sentences"):
        NGram.of([])
    with pytest.raises(DataError, match="holds a mark"):
        NGram.of([["a", "</s>"]])
    with pytest.raises(ParameterError, match="order is off"):
        NGram.of(TEXT, 0)
    with pytest.raises(DataError, match="n-grams are off"):
        NGram(1, {("a", "b"): -1.0}, {})
