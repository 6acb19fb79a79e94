"""Tables of numbers into batches: one row a time step, columns are features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from seqem.core.batch import SequenceBatch
from seqem.errors import FormatError, ParameterError
from seqem.shapes import AnyArray

Column = str | int


class Table(NamedTuple):
    """A table with the file's line of each row, where rows have lines."""

    frame: pd.DataFrame
    path: str
    lines: list[int] | None

    def numbers(self, columns: Sequence[Column]) -> pd.DataFrame:
        """Return columns, given by name or place, as float64; NaN where a cell is empty.

        Raises
        ------
        FormatError
            With the line, where a cell is not a number.
        """
        names = self.frame.columns.tolist()
        places = [position(names, column, self.path) for column in columns]
        return pd.DataFrame({names[place]: _numbers(self, place) for place in places})

    def error(self, what: str, row: int, **facts: Any) -> FormatError:
        """Return the error of a row, with its line where there is one."""
        if self.lines is None:
            return FormatError(f"row {row + 1}, {what}", path=self.path, **facts)
        return FormatError(what, path=self.path, line=self.lines[row], **facts)


def batch_of_table(
    table: Table, columns: Sequence[Column] | None, sequence_column: Column | None, label_column: Column | None
) -> SequenceBatch:
    """Return the columns of a table as values, the rows grouped into sequences and labelled where asked.

    Parameters
    ----------
    table : Table
        What a reader got from the file.
    columns, sequence_column, label_column
        As users give them, see :func:`seqem.io.delimited.read_csv`.
    """
    if not len(table.frame):
        raise FormatError("no rows", path=table.path)
    names = table.frame.columns.tolist()
    keys, state = (None if c is None else position(names, c, table.path) for c in (sequence_column, label_column))
    if columns is None:
        features = [c for c in range(len(names)) if c not in (keys, state)]
    else:
        features = [position(names, c, table.path) for c in columns]
    if not features:
        raise ParameterError(f"{table.path}: no column is left for the values")
    values = np.column_stack([_numbers(table, c) for c in features])
    labels = None if state is None else _labels(table, state)
    if keys is None:
        return SequenceBatch(values, np.array([0, len(values)], np.int64), labels=labels)
    order, offsets, sequences = _grouped(table, keys)
    return SequenceBatch(values[order], offsets, sequences, labels=None if labels is None else labels[order])


def position(names: list[Any], column: Column, path: str) -> int:
    """Return the place of a column that is given by name or by place.

    Examples
    --------
    >>> position(["x", "y"], "y", "day.csv"), position(["x", "y"], 0, "day.csv")
    (1, 0)
    """
    if column in names:
        return names.index(column)
    if isinstance(column, int) and 0 <= column < len(names):
        return column
    raise ParameterError(f"{path}: no such column", got=repr(column), expected=f"one of {names}")


def _named(table: Table, column: int) -> str:
    return f"column {table.frame.columns.tolist()[column]!r}"


def _numbers(table: Table, column: int) -> AnyArray:
    cells = table.frame.iloc[:, column]
    # A date would turn into nanoseconds, a list would not turn at all.
    numbers = pd.to_numeric(cells.astype(str) if cells.dtype.kind in "mMO" else cells, errors="coerce")
    bad = np.flatnonzero(numbers.isna() & cells.notna())
    if bad.size:
        hint = "choose columns=, sequence_column= or label_column="
        raise table.error(f"{_named(table, column)} is not a number", bad[0], got=repr(cells.iloc[bad[0]]), hint=hint)
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan)


def _labels(table: Table, column: int) -> AnyArray:
    numbers = np.nan_to_num(_numbers(table, column), nan=-1.0)
    bad = np.flatnonzero((numbers != np.floor(numbers)) | (numbers < -1) | (numbers > np.iinfo(np.int32).max))
    if bad.size:
        raise table.error(
            f"{_named(table, column)} is no label",
            bad[0],
            got=numbers[bad[0]],
            expected="an integer from 0, or nothing",
        )
    return numbers.astype(np.int32)


def _grouped(table: Table, column: int) -> tuple[AnyArray, AnyArray, tuple[str, ...]]:
    codes, names = pd.factorize(table.frame.iloc[:, column])
    if codes.min() < 0:
        raise table.error(f"{_named(table, column)} is empty", int(codes.argmin()), expected="a sequence name")
    offsets = np.concatenate(([0], np.cumsum(np.bincount(codes))))
    return np.argsort(codes, kind="stable"), offsets, tuple(map(str, names))
