import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqem.errors import FormatError, ParameterError
from seqem.io.delimited import read_csv
from seqem.io.parquet import read_parquet

DATA = Path(__file__).parents[2] / "data"


def _write(tmp_path, text, name="x.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_earthquakes():
    counts = read_csv(DATA / "earthquakes.csv", columns=["count"]).values[:, 0]
    assert len(counts) == 107
    assert counts.mean() == pytest.approx(19.3645, abs=5e-5)
    assert counts.var(ddof=1) == pytest.approx(51.5734, abs=5e-5)


def test_casino_rolls_are_the_published_ones():
    batch = read_csv(DATA / "casino_rolls.csv", label_column="loaded")
    rolls = batch.values[:, 0].astype(int) - 1
    assert np.bincount(rolls).tolist() == [40, 43, 49, 37, 42, 89]
    assert np.bincount(batch.labels).tolist() == [204, 96]
    trans = np.array([[0.95, 0.05], [0.10, 0.90]])
    emission = np.array([[1 / 6] * 6, [0.1] * 5 + [0.5]])
    forward, log_likelihood = np.array([0.5, 0.5]), 0.0
    for t, roll in enumerate(rolls):
        forward = (forward if t == 0 else forward @ trans) * emission[:, roll]
        log_likelihood += np.log(forward.sum())
        forward /= forward.sum()
    assert log_likelihood == pytest.approx(-516.9277122794, abs=1e-9)


def test_ice_cream():
    cones = read_csv(DATA / "ice_cream.csv", columns=["cones"]).values[:, 0].astype(int)
    assert "".join(map(str, cones)) == "233232322313311121113121112332322"


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_header_or_none(tmp_path, separator, end):
    rows = [["1", "2.5"], ["3", "-4e3"]]
    for header in ([], [["x", "y"]]):
        batch = read_csv(_write(tmp_path, end.join(separator.join(row) for row in header + rows)))
        assert batch.values.tolist() == [[1, 2.5], [3, -4000]]
        assert batch.values.dtype == np.float64
        assert batch.offsets.tolist() == [0, 2]


@settings(max_examples=50)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20))
def test_numbers_come_back_exactly(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_text("".join(f"{x!r},1\n" for x in numbers))
    np.testing.assert_array_equal(read_csv(path).values[:, 0], numbers)


def test_missing_cells_are_nan(tmp_path):
    batch = read_csv(_write(tmp_path, "x,y\nNA,1\n2,\n,nan\n"))
    np.testing.assert_array_equal(batch.values, [[np.nan, 1], [2, np.nan], [np.nan, np.nan]])
    assert read_csv(_write(tmp_path, "NA,1\n2,3\n")).n_rows == 2


def test_columns_by_name_or_place(tmp_path):
    path = _write(tmp_path, '"x",note,"a, b"\n1,hm,3\n4,"well, so",6\n')
    assert read_csv(path, columns=["a, b", 0]).values.tolist() == [[3, 1], [6, 4]]


def test_columns_of_equal_names_go_by_place(tmp_path):
    assert read_csv(_write(tmp_path, "x,x\n1,2\n"), columns=[1]).values.tolist() == [[2]]


def test_rows_are_grouped_in_file_order(tmp_path):
    path = _write(tmp_path, "who,x,state\n02,1,0\n01,2,1\n02,3,\n01,4,0\n")
    batch = read_csv(path, sequence_column="who", label_column="state")
    assert batch.names == ("02", "01")
    assert [s[:, 0].tolist() for s in batch] == [[1, 3], [2, 4]]
    assert batch.labels.tolist() == [0, -1, 1, 0]
    assert batch.labels.dtype == np.int32


def test_grouping_without_header(tmp_path):
    batch = read_csv(_write(tmp_path, "a,1\na,2\nb,3\n"), sequence_column=0)
    assert batch.names == ("a", "b")
    assert batch.values.tolist() == [[1], [2], [3]]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x,y\n1,2\n\n3,oops\n", 4, r"line 4: column 'y' is not a number; got 'oops'"),
        ("\n1,2\n3,1.2.3\n", 3, r"line 3: column 1 is not a number; got '1\.2\.3'"),
        ("x,y\n1,2\n3\n", 3, "line 3: uneven row; got 1 cells; expected 2"),
        ("x\n1\n2,3\n", 3, "line 3: uneven row; got 2 cells; expected 1"),
        ("x,y\n1,2,3\n", 2, "line 2: uneven row"),
        ("1,5;2,5\n3,5;4,5\n", 2, "line 2: column '1,5' is not a number; got '3,5'"),
    ],
)
def test_bad_cell_has_line_and_column(tmp_path, text, line, message):
    with pytest.raises(FormatError, match=message) as caught:
        read_csv(_write(tmp_path, text))
    assert caught.value.line == line


@pytest.mark.parametrize("label", ["1.5", "-2", "F"])
def test_bad_label(tmp_path, label):
    with pytest.raises(FormatError, match="line 3: column 's'"):
        read_csv(_write(tmp_path, f"x,s\n1,0\n2,{label}\n"), label_column="s")


def test_row_without_a_sequence(tmp_path):
    with pytest.raises(FormatError, match="line 3: column 'who' is empty"):
        read_csv(_write(tmp_path, "who,x\na,1\n,2\n"), sequence_column="who")


@pytest.mark.parametrize("text", ["", "\n\n", "x,y\n"])
def test_no_rows(tmp_path, text):
    with pytest.raises(FormatError, match=r"x\.csv: no rows"):
        read_csv(_write(tmp_path, text))


@pytest.mark.parametrize("options", [{"columns": ["z"]}, {"sequence_column": 2}, {"label_column": "z"}])
def test_unknown_column(tmp_path, options):
    with pytest.raises(ParameterError, match=r"no such column; got .*; expected one of \['x', 'y'\]"):
        read_csv(_write(tmp_path, "x,y\n1,2\n"), **options)


def test_no_column_left(tmp_path):
    with pytest.raises(ParameterError, match="no column is left"):
        read_csv(_write(tmp_path, "x\n1\n"), label_column="x")


def test_parquet(tmp_path):
    frame = pd.DataFrame({"who": ["a", "a", "b"], "x": [1, None, 3], "s": pd.array([0, 1, None], "Int64")})
    frame.to_parquet(tmp_path / "x.parquet")
    batch = read_parquet(tmp_path / "x.parquet", sequence_column="who", label_column="s")
    np.testing.assert_array_equal(batch.values, [[1], [np.nan], [3]])
    assert batch.names == ("a", "b")
    assert batch.labels.tolist() == [0, 1, -1]


@pytest.mark.parametrize("cells", [["1", "x"], [[1], [2]], pd.to_datetime(["2000-01-01", None])])
def test_parquet_with_cells_that_are_no_numbers(tmp_path, cells):
    pd.DataFrame({"x": cells}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(FormatError, match=r"row [12], column 'x' is not a number"):
        read_parquet(tmp_path / "x.parquet")


def test_not_parquet(tmp_path):
    with pytest.raises(FormatError, match="is not Parquet"):
        read_parquet(_write(tmp_path, "PAR1 no", "x.parquet"))


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    pd.DataFrame({"x": [1.0]}).to_parquet(tmp_path / "x.parquet")

    def missing(*_, **__):
        raise ImportError

    monkeypatch.setattr(sys.modules["seqem.io.parquet"].pd, "read_parquet", missing)
    with pytest.raises(FormatError, match=r"needs the package pyarrow\. Hint: pip install 'seqem\[parquet\]'"):
        read_parquet(tmp_path / "x.parquet")
