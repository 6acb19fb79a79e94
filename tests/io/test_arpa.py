"""ARPA files: round trips, scores that KenLM gives, what is refused, and mutated files."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqem.errors import DataError, FormatError, SeqemError
from seqem.io.arpa import read_arpa, write_arpa
from seqem.speech.ngram import NGram
from tests.io.mutations import mutate, survives

SMALL = """made by hand

\\data\\
ngram 1=5
ngram 2=4
ngram 3=1

\\1-grams:
-1.2\t<unk>
-99\t<s>\t-0.4
-0.8\t</s>
-0.5\tgo\t-0.3
-0.7\tleft\t-0.2

\\2-grams:
-0.2\t<s> go\t-0.1
-0.6 go left -0.15
-0.9\tgo go
-0.3\tleft </s>

\\3-grams:
-0.05\t<s> go left

\\end\\
"""
# log10 of whole sentences, begin and end included, from KenLM 0.3.0.
KENLM = {
    "": -1.2,
    "go": -1.4,
    "go left": -0.7,
    "left go": -2.9,
    "go go left": -2.25,
    "zoo left": -2.6,
    "go zoo left left go": -5.2,
}


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.arpa"
    path.write_text(SMALL)
    return path


def test_scores_of_kenlm(small):
    model = read_arpa(small)
    for sentence, wanted in KENLM.items():
        assert model.log_probability(sentence.split()) / math.log(10) == pytest.approx(wanted, abs=1e-5), sentence


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "ø"]), max_size=4), min_size=1, max_size=5), st.integers(1, 4))
def test_round_trip(tmp_path_factory, corpus, order):
    path = tmp_path_factory.mktemp("arpa") / "a.arpa.gz"
    model = NGram.of(corpus, order)
    write_arpa(path, model)
    again = read_arpa(path)
    assert again.order == order
    assert dict(again.log_probabilities) == pytest.approx(dict(model.log_probabilities))
    assert {key: weight for key, weight in again.backoffs.items() if weight} == pytest.approx(dict(model.backoffs))


def test_other_readers_agree(tmp_path):
    arpa = pytest.importorskip("arpa")
    model = NGram.of([["go", "left"], ["go", "right", "now"], ["stop"]], 3)
    write_arpa(tmp_path / "a.arpa", model)
    peer = arpa.loadf(tmp_path / "a.arpa")[0]
    for said in ("go left", "left stop", "go right now go", "stop stop"):
        assert model.log_probability(said.split()) == pytest.approx(math.log(10) * peer.log_s(said), abs=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\\data\\", "data", "is no whole ARPA file"),
        ("ngram 2=4", "ngram 3=4", "line 5: orders are off"),
        ("ngram 2=4", "ngram 2=3", "line 19: number of n-grams is off"),
        ("ngram 2=4", "ngram 2=5", "line 21: n-gram is off"),
        ("-0.9\tgo go", "-0.9\tgo left", "line 18: n-gram is there twice"),
        ("-0.9", "nan", "line 18: number is off"),
        ("-0.9", "0.9", "line 18: log-probability is off"),
        ("-0.05\t<s> go left", "-0.05\t<s> go left\t0.1", "line 22: n-gram is off"),
        ("\\end\\", "", "is no whole ARPA file"),
    ],
)
def test_what_is_refused_is_placed(small, old, new, message):
    small.write_text(SMALL.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        read_arpa(small)


def test_a_model_of_nothing_and_words_with_blanks(small):
    small.write_text("\\data\\\nngram 1=1\n\n\\1-grams:\n-99\t<s>\n\n\\end\\\n")
    with pytest.raises(FormatError, match="no n-grams"):
        read_arpa(small)
    before = small.read_text()
    with pytest.raises(DataError, match="cannot be kept in an ARPA file; got 'New York'"):
        write_arpa(small, NGram.of([["New York"]]))
    assert small.read_text() == before


def test_mutated_files_are_refused_or_read(small):
    for seed in range(400):
        survives(small, mutate(SMALL.encode(), random.Random(seed)), read_arpa, SeqemError)
