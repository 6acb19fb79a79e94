"""Alignments as JSON: bit-exact round trips, what is refused, and mutated files."""

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqem.errors import DataError, FormatError, SeqemError
from seqem.io.alignment_json import read_alignment_json, write_alignment_json
from seqem.speech.alignment import Alignment, Segment
from tests.io.mutations import mutate, survives

NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False)
ONE = Alignment(1.5, {"words": (Segment(0.25, 0.5, "ja", -3.5, 0.75), Segment(0.5, 1.5, "nø")), "phones": ()}, -20.5)


@st.composite
def tiers(draw):
    cuts = sorted(draw(st.lists(st.floats(0, 9.5), max_size=8)))
    spans = zip(cuts[::2], cuts[1::2], strict=False)
    return tuple(Segment(a, b, draw(st.text()), draw(NUMBER), draw(NUMBER)) for a, b in spans)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), tiers(), max_size=3), NUMBER)
def test_round_trip(tmp_path_factory, found, log_likelihood):
    path = tmp_path_factory.mktemp("json") / "a.json.gz"
    alignment = Alignment(9.5, found, log_likelihood)
    write_alignment_json(path, alignment)
    assert read_alignment_json(path) == alignment


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seqem alignment 1", "other", "is no alignment"),
        ("-3.5", '"-3.5"', "log_likelihood is off"),
        ("-3.5", "NaN", "log_likelihood is off"),
        ("0.25,", "true,", "start is off"),
        ("0.25,", "1e999,", "start is off"),
        ("0.25,", "9" * 400 + ",", "start is off"),
        ("0.25,", "9" * 5000 + ",", "is no JSON"),
        ("0.25,", "0.6,", "segments of tier 'words' are out of order"),
        ('"ja"', "3", "is no alignment"),
        ("[]", "3", "is no alignment"),
        ("[]", "[[]]", "is no alignment"),
        ("[]", "[" * 100_000, "is no JSON"),
        ("{", "", "is no JSON"),
    ],
)
def test_what_is_refused(tmp_path, old, new, message):
    path = tmp_path / "a.json"
    write_alignment_json(path, ONE)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        read_alignment_json(path)


def test_other_programs_read_it(tmp_path):
    write_alignment_json(tmp_path / "a.json", ONE)
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["tiers"]["words"][1] == {
        "start": 0.5, "end": 1.5, "label": "nø", "log_likelihood": None, "posterior": None,
    }  # fmt: skip


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(DataError, match="is not finite"):
        write_alignment_json(tmp_path / "a.json", Alignment(1.0, {}, -math.inf))
    assert not list(tmp_path.iterdir())


def test_mutated_files_are_refused_or_read(tmp_path):
    path = tmp_path / "a.json"
    write_alignment_json(path, ONE)
    text = path.read_bytes()
    for seed in range(300):
        survives(path, mutate(text, random.Random(seed)), read_alignment_json, SeqemError)
