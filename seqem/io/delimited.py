"""Delimited text: comma, tab or semicolon between cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from seqem.core.batch import SequenceBatch
from seqem.errors import FormatError
from seqem.io.format import Format
from seqem.io.streams import FilePath, open_binary
from seqem.io.table import Column, Table, batch_of_table, position

_SEPARATORS = "\t;,"
_MISSING = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "<NA>", "n/a"]


def read_csv(
    path: FilePath,
    *,
    columns: Sequence[Column] | None = None,
    sequence_column: Column | None = None,
    label_column: Column | None = None,
) -> SequenceBatch:
    """Read rows of numbers from delimited text: comma, tab or semicolon, with or without a header.

    Parameters
    ----------
    path : path-like
        The file, packed or not, or "-" for the standard input. A first row without any number is the header.
    columns : sequence of str or int, optional
        Features by name or by position from 0; all columns that are not named below by default.
    sequence_column : str or int, optional
        Rows of one value here are one sequence, in the order of the file; without it all rows are one.
    label_column : str or int, optional
        Known state of each row, an integer from 0; empty where unknown.

    Returns
    -------
    SequenceBatch
        Values float64 of shape (N, D), NaN where a cell is empty.

    Raises
    ------
    FormatError
        With the line, where a cell is not a number or a row has too few or too many cells.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "day.csv"
    >>> _ = path.write_text("who,x,y\\na,1,2\\na,3,\\nb,5,6\\n")
    >>> batch = read_csv(path, sequence_column="who")
    >>> batch.names, batch[0].tolist()
    (('a', 'b'), [[1.0, 2.0], [3.0, nan]])
    """
    return batch_of_table(csv_table(path, sequence_column), columns, sequence_column, label_column)


def csv_table(path: FilePath, sequence_column: Column | None = None) -> Table:
    """Return the cells of delimited text, numbers where a column holds nothing else; ``sequence_column`` stays text."""
    with open_binary(path) as handle:
        text = handle.read().decode("utf-8-sig", errors="replace")
    start, first = next(_rows(text), (0, ""))
    if not start:
        raise FormatError("no rows", path=str(path))
    separator = next((mark for mark in _SEPARATORS if mark in first), ",")
    cells = _cells(first, separator)
    lines = _even_lines(text, separator, len(cells), str(path))
    header = _is_header(cells)
    names: list[Any] = cells if header and len(set(cells)) == len(cells) else list(range(len(cells)))
    frame = pd.read_csv(
        io.StringIO(text),
        sep=separator,
        header=None,
        names=names,
        dtype={} if sequence_column is None else {names[position(names, sequence_column, str(path))]: str},
        skiprows=start if header else 0,
        keep_default_na=False,
        na_values=_MISSING,
        low_memory=False,
        index_col=False,
    )
    return Table(frame, str(path), lines[1:] if header else lines)


def _rows(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that is not blank."""
    for number, line in enumerate(io.StringIO(text), 1):
        if line.strip(" \r\n"):
            yield number, line


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]


def _even_lines(text: str, separator: str, width: int, path: str) -> list[int]:
    """Return the number of each line that is not blank, all of which have ``width`` cells."""
    numbers = []
    for number, line in _rows(text):
        found = line.count(separator) + 1 if '"' not in line else len(_cells(line, separator))
        if found != width:
            raise FormatError("uneven row", got=f"{found} cells", expected=f"{width}, as above", path=path, line=number)
        numbers.append(number)
    return numbers


def _is_header(cells: list[str]) -> bool:
    """Return whether there is a text and no number among the cells."""
    texts = [cell for cell in cells if cell not in _MISSING]
    return bool(texts) and not any(map(_is_number, texts))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _sniff(head: bytes) -> bool:
    """Return whether the first line is text of which some cell is a number or the second line has as many cells."""
    if b"\0" in head:
        return False
    lines = [line for _, line in _rows(head.decode("utf-8-sig", errors="replace"))][:2]
    if not lines:
        return False
    separator = next((mark for mark in _SEPARATORS if mark in lines[0]), ",")
    widths = {len(_cells(line, separator)) for line in lines}
    return len(widths) == 1 and any(_is_number(cell) for cell in _cells(lines[-1], separator))


CSV = Format((".csv", ".tsv"), _sniff, read_csv, csv_table)
