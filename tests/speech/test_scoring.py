"""Word errors against a plain edit distance, jiwer where it is installed, and counts known by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqem.errors import DataError
from seqem.speech.scoring import word_errors

SENTENCE = st.lists(st.sampled_from("abc"), max_size=7)


def distance(said, heard):
    """Return the edit distance by its definition."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            last, row[j] = row[j], min(last + (a != b), row[j] + 1, row[j - 1] + 1)
    return row[-1]


@given(st.lists(st.tuples(SENTENCE, SENTENCE), max_size=4))
def test_alignments_keep_the_words_and_have_the_fewest_errors(pairs):
    said, heard = [a for a, _ in pairs], [b for _, b in pairs]
    errors = word_errors(said, heard)
    for a, b, aligned in zip(said, heard, errors.alignments, strict=True):
        assert [left for left, _ in aligned if left is not None] == a
        assert [right for _, right in aligned if right is not None] == b
        assert (None, None) not in aligned
        assert sum(left != right for left, right in aligned) == distance(a, b)
    wrong = errors.substitutions + errors.deletions + errors.insertions
    assert wrong == sum(map(distance, said, heard))
    assert errors.n_words == errors.hits + errors.substitutions + errors.deletions == sum(map(len, said))
    assert sum(errors.confusions.values()) == errors.n_words + errors.insertions


@given(st.lists(st.tuples(SENTENCE.filter(bool), SENTENCE), min_size=1, max_size=4))
def test_as_jiwer_counts(pairs):
    jiwer = pytest.importorskip("jiwer")
    said, heard = ([" ".join(words) for words in column] for column in zip(*pairs, strict=True))
    wanted, found = jiwer.process_words(said, heard), word_errors(said, heard)
    assert found.rate == pytest.approx(wanted.wer)
    assert (found.hits, found.substitutions, found.deletions, found.insertions) == (
        wanted.hits, wanted.substitutions, wanted.deletions, wanted.insertions,
    )  # fmt: skip


def test_counts_by_hand():
    errors = word_errors(["one two three", "four", ""], ["one too three", "", "five six"])
    assert (errors.hits, errors.substitutions, errors.deletions, errors.insertions) == (2, 1, 1, 2)
    assert errors.rate == 1.0
    assert errors.sentence_rate == 1.0
    assert errors.confusions == {
        ("one", "one"): 1, ("two", "too"): 1, ("three", "three"): 1, ("four", None): 1, (None, "five"): 1, (None, "six"): 1,
    }  # fmt: skip


def test_nothing_said_or_heard():
    assert word_errors([], []).rate == word_errors([], []).sentence_rate == 0.0
    assert word_errors([""], [""]).rate == 0.0
    assert word_errors([""], ["a"]).rate == math.inf
    assert word_errors(["a"], [""]).rate == 1.0


def test_a_word_may_have_blanks_in_lists():
    assert word_errors([["New York"]], [["New York"]]).n_words == 1


def test_sentences_must_pair():
    with pytest.raises(DataError, match="2 references and 1 hypotheses"):
        word_errors(["a", "b"], ["a"])
