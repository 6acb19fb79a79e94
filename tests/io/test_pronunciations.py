"""Pronouncing dictionaries: each kind, how it is told, round trips, what is refused, and mutated files."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqem.errors import DataError, FormatError, SeqemError
from seqem.io.pronunciations import read_lexicon, write_lexicon
from seqem.speech.lexicon import Lexicon, Pronunciation
from tests.io.mutations import mutate, survives

WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"], exclude_characters="#;()\ufffd"), min_size=1)
WAY = st.builds(Pronunciation, st.lists(WORD, min_size=1, max_size=3).map(tuple), st.floats(1e-6, 1.0))
CMU = ";;; of CMU\n## more\nthe DH AH0  # as in theta\nTHE(2) DH IY0\nthe(2) DH IY0\n:) S M AY1 L\n(2) T UW1\n\n"
TABS = "'d\t0.03\t0.07\t0.9\t1.04\tɪ d\n'd\t0.99\t0.03\t0.29\t1.06\tt\nspeech\tspn\nhalf\t0.5\th æ f\n"


def ways(lexicon):
    """Return each word's pronunciations and weights in short."""
    return {word: {" ".join(way.units): way.weight for way in found} for word, found in lexicon.entries.items()}


def read(tmp_path, text):
    (tmp_path / "a.dict").write_text(text, encoding="utf-8")
    return ways(read_lexicon(tmp_path / "a.dict"))


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        WORD, st.lists(WAY, min_size=1, max_size=3, unique_by=lambda way: way.units), min_size=1, max_size=4
    )
)
def test_round_trip(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("dict") / "a.dict.gz"
    lexicon = Lexicon({word: tuple(found) for word, found in entries.items()})
    write_lexicon(path, lexicon)
    assert read_lexicon(path) == lexicon


def test_weights_of_one_are_not_written(tmp_path):
    write_lexicon(tmp_path / "a.dict", Lexicon({"one": (Pronunciation(("1", "2")),)}))
    assert (tmp_path / "a.dict").read_text() == "one\t1 2\n"
    assert read(tmp_path, "one\t1 2\n") == {"one": {"1 2": 1.0}}


def test_variants_and_comments_of_cmu(tmp_path):
    assert read(tmp_path, CMU) == {
        "the": {"DH AH0": 1.0, "DH IY0": 1.0}, "THE(2)": {"DH IY0": 1.0}, ":)": {"S M AY1 L": 1.0}, "(2)": {"T UW1": 1.0},
    }  # fmt: skip


def test_numbers_between_tabs(tmp_path):
    assert read(tmp_path, TABS) == {
        "'d": {"ɪ d": 0.03, "t": 0.99}, "speech": {"spn": 1.0}, "half": {"h æ f": 0.5},
    }  # fmt: skip
    assert read(tmp_path, "two\t1\t2\n") == {"two": {"2": 1.0}}
    assert read(tmp_path, "two\tt\tu\n") == {"two": {"t u": 1.0}}


def test_numbers_in_every_line(tmp_path):
    assert read(tmp_path, "the 1.0 dh ah\nthe 0.4 dh iy\n") == {"the": {"dh ah": 1.0, "dh iy": 0.4}}
    assert read(tmp_path, "the 1.0\tdh ah\nthe 0.4\tdh iy\n") == {"the": {"dh ah": 1.0, "dh iy": 0.4}}
    assert read(tmp_path, "the 0.9 0.2 1.5 0.5 dh ah\n") == {"the": {"dh ah": 0.9}}
    assert read(tmp_path, "one 1 7\ntwo 2\n") == {"one": {"1 7": 1.0}, "two": {"2": 1.0}}
    assert read(tmp_path, "one 12 7\ntwo 2 5\n") == {"one": {"12 7": 1.0}, "two": {"2 5": 1.0}}


def test_a_pronunciation_twice_is_one(tmp_path):
    assert read(tmp_path, "the 0.5 dh ah\nthe 0.7 dh ah\n") == {"the": {"dh ah": 0.7}}


def test_dictionaries_of_others(shared_data):
    speech = shared_data / "speech"
    found = ways(read_lexicon(speech / "mfa" / "english_us_mfa_reduced.dict"))
    assert found["'d"] == {"ɪ d": 0.03, "t": 0.99, "d": 0.43, "ɪ ɾ": 0.14}
    assert found["acoustic"] == {"ə kʰ ʉː s tʲ ɪ k": 0.99}
    assert ways(read_lexicon(speech / "mfa" / "test_acoustic.txt"))["corpus"] == {"k ao r p us": 1.0}
    digits = ways(read_lexicon(speech / "pocketsphinx" / "tidigits" / "lm" / "tidigits.dic"))
    assert len(digits) == 11
    assert digits["five"] == {"F_five AY_five V_five": 1.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no words"),
        (";;; nothing\n", "no words"),
        ("a ah\nb\n", "line 2: 'b' has no units"),
        ("a ah\nb # later\n", "line 2: 'b' has no units"),
        ("a\t0.5\tah\nb\t0.0\tb\n", "line 2: probability is off"),
        ("a\t1e999\tah\n", "line 1: probability is off"),
    ],
)
def test_what_is_refused_is_placed(tmp_path, text, message):
    with pytest.raises(FormatError, match=r"a\.dict.*" + message):
        read(tmp_path, text)


def test_latin_letters_are_refused(tmp_path):
    (tmp_path / "a.dict").write_bytes("a ah\nDÉJÀ D EY ZH AA\n".encode("latin-1"))
    with pytest.raises(FormatError, match="line 2: is no text in UTF-8"):
        read_lexicon(tmp_path / "a.dict")


@pytest.mark.parametrize("word", ["New York", "", "#", ";;;a", "##", "the(2)"])
def test_what_cannot_be_written(tmp_path, word):
    with pytest.raises(DataError, match="cannot be kept in a dictionary"):
        write_lexicon(tmp_path / "a.dict", Lexicon.of_words(["the", word]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", [CMU, TABS, "the 1.0 dh ah\nthe 0.4 dh iy\n"])
def test_mutated_files_are_refused_or_read(tmp_path, text):
    for seed in range(150):
        survives(tmp_path / "a.dict", mutate(text.encode(), random.Random(seed)), read_lexicon, SeqemError)
