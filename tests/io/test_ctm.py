"""CTM: round trips, channels, rounding, what is refused, and mutated files."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqem.errors import DataError, FormatError, SeqemError
from seqem.io.ctm import read_ctm, write_ctm
from seqem.speech.alignment import Alignment, Segment
from tests.io.mutations import mutate, survives

WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"], exclude_characters=";\ufffd"), min_size=1)
TEXT = ";; made by hand\na A 0.20 0.30 yes 0.9\na A 0.50 0.31 no\n\nb 1 0.10 0.20 go 1\n"


@st.composite
def alignments(draw):
    cuts = sorted(draw(st.sets(st.integers(0, 9000), min_size=2, max_size=8)))
    posterior = st.none() | st.integers(0, 100).map(lambda share: share / 100)
    words = [Segment(a / 1000, b / 1000, draw(WORD), None, draw(posterior)) for a, b in pairwise(cuts)]
    return Alignment(words[-1].end, {"words": tuple(words)})


def numbers(alignment):
    return [number for word in alignment.words for number in (word.start, word.end)]


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(WORD, alignments(), max_size=3))
def test_round_trip(tmp_path_factory, found):
    path = tmp_path_factory.mktemp("ctm") / "a.ctm"
    write_ctm(path, found)
    again = read_ctm(path)
    assert again.keys() == found.keys()
    for name, alignment in found.items():
        assert numbers(again[name]) == pytest.approx(numbers(alignment), abs=1e-9)
        assert [(w.label, w.posterior) for w in again[name].words] == [(w.label, w.posterior) for w in alignment.words]


def test_what_a_line_says(tmp_path):
    path = tmp_path / "a.ctm"
    path.write_text(TEXT)
    found = read_ctm(path)
    assert found["a"].words == (Segment(0.2, 0.5, "yes", None, 0.9), Segment(0.5, 0.81, "no"))
    assert found["b"] == Alignment(0.1 + 0.2, {"words": (Segment(0.1, 0.1 + 0.2, "go", None, 1.0),)})


def test_silence_is_not_written_and_another_tier_is(tmp_path):
    path = tmp_path / "a.ctm"
    phones = (Segment(0.0, 0.12345, ""), Segment(0.12345, 0.2, "s"))
    write_ctm(path, {"a": Alignment(1.0, {"phones": phones})}, tier="phones", channel="B")
    assert path.read_text() == "a B 0.123 0.077 s\n"


def test_a_conversation_needs_its_channel(tmp_path):
    path = tmp_path / "a.ctm"
    path.write_text("call A 0.0 0.5 hello\ncall B 0.2 0.5 who\n")
    with pytest.raises(FormatError, match="line 2: call has two channels"):
        read_ctm(path)
    assert [word.label for word in read_ctm(path, channel="B")["call"].words] == ["who"]


def test_rounding_makes_no_overlap_but_an_overlap_is_one(tmp_path):
    path = tmp_path / "a.ctm"
    path.write_text("a 1 0.50 0.31 no\na 1 0.20 0.31 yes\n")
    assert read_ctm(path)["a"].words == (Segment(0.2, 0.5, "yes"), Segment(0.5, 0.81, "no"))
    path.write_text("a 1 0.2 0.5 yes\na 1 0.5 0.5 no\n")
    with pytest.raises(FormatError, match="line 2: words overlap"):
        read_ctm(path)


@pytest.mark.parametrize(
    "line",
    [
        "a 1 0.2 0.3",
        "a 1 x 0.3 yes",
        "a 1 0.2 -0.3 yes",
        "a 1 nan 0.3 yes",
        "a 1 0.2 0.3 yes 0.5 more",
        "a 1 * * <ALT>",
    ],
)
def test_what_is_refused_is_placed(tmp_path, line):
    path = tmp_path / "a.ctm"
    path.write_text(f"a 1 0.0 0.1 go\n{line}\n")
    with pytest.raises(FormatError, match=r"a\.ctm, line 2"):
        read_ctm(path)


def test_what_cannot_be_written(tmp_path):
    path = tmp_path / "a.ctm"
    one = Alignment(1.0, {"words": (Segment(0.0, 0.5, "New York"),)})
    with pytest.raises(DataError, match="cannot be kept in a CTM; got 'New York'"):
        write_ctm(path, {"a": one})
    with pytest.raises(DataError, match="a has no such tier"):
        write_ctm(path, {"a": one}, tier="phones")
    assert not list(tmp_path.iterdir())


def test_mutated_files_are_refused_or_read(tmp_path):
    for seed in range(300):
        survives(tmp_path / "a.ctm", mutate(TEXT.encode(), random.Random(seed)), read_ctm, SeqemError)
