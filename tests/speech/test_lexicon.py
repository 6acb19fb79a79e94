"""Lexicons: what they hold, and what they refuse."""

import pytest

from seqem.errors import DataError
from seqem.speech.lexicon import Lexicon, Pronunciation

THE = (Pronunciation(("dh", "ah"), 0.7), Pronunciation(("dh", "iy"), 0.3))


def test_words_units_and_what_is_missing():
    lexicon = Lexicon({"the": THE, "eye": (Pronunciation(("ay",)),)})
    assert lexicon["the"] == THE
    assert lexicon.units == ("ah", "ay", "dh", "iy")
    assert lexicon.missing(["the", "zoo", "a", "zoo"]) == ("a", "zoo")


def test_whole_words_are_their_own_units():
    lexicon = Lexicon.of_words(["yes", "no"])
    assert lexicon["no"] == (Pronunciation(("no",), 1.0),)
    assert lexicon.units == ("no", "yes")


@pytest.mark.parametrize(
    "ways", [(), (Pronunciation(()),), (Pronunciation(("a",), 0.0),), (Pronunciation(("a",), float("nan")),)]
)
def test_a_word_needs_units_and_weight(ways):
    with pytest.raises(DataError, match="pronunciations of 'a' are off"):
        Lexicon({"a": ways})


def test_an_unknown_word_is_named():
    with pytest.raises(DataError, match="'zoo' is not in the lexicon"):
        Lexicon({"the": THE})["zoo"]
