"""Manifests: separators, paths, what is missing, and mutated files."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqem.errors import FormatError, SeqemError
from seqem.io.manifest import Recording, read_manifest
from tests.io.mutations import mutate, survives

TEXT = 'path,transcript,speaker,note\na.wav,yes no,ann,x\n\n/data/b.wav,"one, two",,\nc.wav,,bob,\n'
CELL = st.text(st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters="\ufffd"), max_size=8)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n"])
def test_what_a_table_says(tmp_path, separator, start):
    path = tmp_path / "all.csv"
    text = TEXT.replace("one, two", "one# two").replace(",", separator).replace("#", ",")
    path.write_text(start + text, encoding="utf-8")
    assert read_manifest(path) == [
        Recording(tmp_path / "a.wav", "yes no", "ann"),
        Recording(type(path)("/data/b.wav"), "one, two", None),
        Recording(tmp_path / "c.wav", "", "bob"),
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELL.filter(str.strip), CELL, CELL), min_size=1, max_size=4))
def test_cells_in_quotes_come_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("manifest") / "all.csv"
    quoted = (",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    path.write_text("path,speaker,transcript\n" + "\n".join(quoted) + "\n", encoding="utf-8")
    for (name, speaker, transcript), found in zip(rows, read_manifest(path), strict=True):
        assert found == Recording(path.parent / name.strip(), transcript.strip(), speaker.strip() or None)


def test_only_paths(tmp_path):
    (tmp_path / "all.csv").write_text("path\na.wav\n")
    assert read_manifest(tmp_path / "all.csv") == [Recording(tmp_path / "a.wav", None, None)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column 'path'"),
        ("file,transcript\na.wav,yes\n", "line 1: no column 'path'"),
        ("path,path\na.wav,b.wav\n", "line 1: two columns have one name"),
        ("path,transcript\n", "no recordings"),
        ("path,transcript\na.wav,yes\n ,no\n", "line 3: path is off"),
        ("path,transcript\na.wav,yes, no\n", "line 2: uneven row; got 3 cells; expected 2, as above. Hint: put"),
        ('path,transcript\na.wav,"yes\n', "line 2: is no table"),
    ],
)
def test_what_is_refused_is_placed(tmp_path, text, message):
    (tmp_path / "all.csv").write_text(text)
    with pytest.raises(FormatError, match=r"all\.csv.*" + message):
        read_manifest(tmp_path / "all.csv")


def test_latin_letters_are_refused(tmp_path):
    (tmp_path / "all.csv").write_bytes("path,speaker\na.wav,Bjørn\n".encode("latin-1"))
    with pytest.raises(FormatError, match="line 2: is no text in UTF-8"):
        read_manifest(tmp_path / "all.csv")


def test_mutated_files_are_refused_or_read(tmp_path):
    for seed in range(300):
        survives(tmp_path / "all.csv", mutate(TEXT.encode(), random.Random(seed)), read_manifest, SeqemError)
