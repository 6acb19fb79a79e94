import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqem.errors import DataError, ParameterError
from seqem.io.segments import Segment, runs, segments, write_bed, write_gff3


@given(st.lists(st.integers(0, 2)))
def test_runs_cover_the_path(path):
    starts, ends = runs(path)
    assert [v for a, b in zip(starts, ends, strict=True) for v in [path[a]] * (b - a)] == path
    assert all(path[a] != path[a - 1] for a in starts[1:])


def test_segments_with_names_and_scores():
    posterior = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6]])
    found = list(segments([0, 0, 1], "s", states=["poor", "rich"], posterior=posterior))
    assert [row[:4] for row in found] == [("s", 0, 2, "poor"), ("s", 2, 3, "rich")]
    assert [row.score for row in found] == pytest.approx([0.8, 0.6])


def test_segments_by_number():
    assert list(segments(np.array([2, 2], np.int32), "s")) == [Segment("s", 0, 2, "2")]


def test_empty_path():
    assert list(segments([], "s", states=["a"], posterior=np.zeros((0, 1)))) == []


def test_tables(tmp_path):
    rows = [*segments([0, 1, 1], "chr 1", states=["a;b", "c\td"]), Segment("x", 5, 9, "e f", 0.1234567)]
    write_bed(tmp_path / "x.bed", rows)
    assert (tmp_path / "x.bed").read_text() == "chr_1\t0\t1\ta;b\t0\nchr_1\t1\t3\tc_d\t0\nx\t5\t9\te_f\t123\n"
    write_gff3(tmp_path / "x.gff3.gz", rows)
    lines = gzip.decompress((tmp_path / "x.gff3.gz").read_bytes()).decode().splitlines()
    assert lines == [
        "##gff-version 3",
        "chr%201\tseqem\tregion\t1\t1\t.\t.\t.\tName=a%3Bb",
        "chr%201\tseqem\tregion\t2\t3\t.\t.\t.\tName=c%09d",
        "x\tseqem\tregion\t6\t9\t0.123457\t.\t.\tName=e f",
    ]


@pytest.mark.parametrize("path", [[0.5], [[0, 1]]])
def test_not_a_path(path):
    with pytest.raises(DataError, match="not a path"):
        segments(path, "s")


def test_too_few_names():
    with pytest.raises(ParameterError, match="got 2 names; expected 3"):
        segments([0, 2], "s", states=["a", "b"])


@pytest.mark.parametrize("shape", [(2,), (3, 2), (2, 1)])
def test_posterior_of_another_path(shape):
    with pytest.raises(DataError, match="posterior does not fit"):
        segments([0, 1], "s", posterior=np.ones(shape))
