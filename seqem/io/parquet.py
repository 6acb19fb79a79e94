"""Parquet: columns of numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pandas as pd

from seqem.core.batch import SequenceBatch
from seqem.errors import FormatError
from seqem.io.format import Format
from seqem.io.streams import FilePath, open_binary
from seqem.io.table import Column, Table, batch_of_table


def read_parquet(
    path: FilePath,
    *,
    columns: Sequence[Column] | None = None,
    sequence_column: Column | None = None,
    label_column: Column | None = None,
) -> SequenceBatch:
    """Read rows of numbers from a Parquet file; needs the package pyarrow.

    Parameters and result are those of :func:`read_csv`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "day.parquet"
    >>> pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0]}).to_parquet(path)
    >>> read_parquet(path, columns=["y"]).values.tolist()
    [[3.0], [4.0]]
    """
    return batch_of_table(parquet_table(path), columns, sequence_column, label_column)


def parquet_table(path: FilePath) -> Table:
    """Return the columns of a Parquet file."""
    with open_binary(path) as handle:
        data = io.BytesIO(handle.read())
    try:
        frame = pd.read_parquet(data, engine="pyarrow")
    except ImportError as error:
        hint = "pip install 'seqem[parquet]'"
        raise FormatError("Parquet needs the package pyarrow", hint=hint, path=str(path)) from error
    except (ValueError, OSError) as error:
        raise FormatError("is not Parquet", got=str(error), path=str(path)) from error
    return Table(frame, str(path), None)


PARQUET = Format((".parquet",), lambda head: head.startswith(b"PAR1"), read_parquet, parquet_table)
