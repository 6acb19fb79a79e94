"""One reader for all formats: the catalog says which there are, the file says which it is."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any

from seqem.catalog import FORMATS
from seqem.core.batch import SequenceBatch
from seqem.errors import FormatError, ParameterError
from seqem.io.format import Format
from seqem.io.streams import PACKED, STANDARD, FilePath, head

if TYPE_CHECKING:
    from seqem.io.table import Table


def read(path: FilePath, *, format: str | None = None, **options: Any) -> SequenceBatch:
    """Read sequences from a file of any known format.

    Parameters
    ----------
    path : path-like
        The file, packed with gzip or not, or "-" for the standard input.
    format : str, optional
        Name of the format; by default the file name's extension says it, or else the first bytes do.
    **options
        What the format's reader takes, such as ``alphabet=`` for "fasta" or ``columns=`` for "csv".

    Returns
    -------
    SequenceBatch
        The sequences of the file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "one.fa"
    >>> _ = path.write_text(">a\\nACGT\\n")
    >>> read(path, alphabet="dna").values.tolist()
    [0, 1, 2, 3]
    """
    name = format_of(path) if format is None else format
    if name not in FORMATS:
        raise ParameterError("unknown format", got=repr(name), expected=f"one of {', '.join(FORMATS)}")
    reader = _format(name).read
    _check_options(name, reader, options)
    return reader(path, **options)


def read_table(path: FilePath, *, format: str | None = None) -> Table:
    """Read the columns of a table: CSV, Parquet or NumPy.

    Parameters
    ----------
    path : path-like
        The file, or "-" for the standard input.
    format : str, optional
        Name of the format; by default the file says it.

    Raises
    ------
    FormatError
        Where the file is no table, or has no rows.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.csv"
    >>> _ = path.write_text("x,who\\n1,a\\n2,b\\n")
    >>> read_table(path).frame.columns.tolist()
    ['x', 'who']
    """
    name = format_of(path) if format is None else format
    reader = _format(name).table
    if reader is None:
        raise FormatError("is no table", got=name, expected="CSV, Parquet or NumPy", path=str(path))
    table = reader(path)
    if not len(table.frame):
        raise FormatError("no rows", path=str(path))
    return table


def _format(name: str) -> Format:
    return FORMATS[name].load()


def format_of(path: FilePath) -> str:
    """Return the format with the file's extension, or else the first whose sniffer takes the first bytes."""
    extension = _extension(path)
    for name in FORMATS:
        if extension in _format(name).extensions:
            return name
    start = head(path)
    for name in FORMATS:
        if _format(name).sniff(start):
            return name
    raise FormatError(
        "no known format",
        got=f"extension {extension!r}, first bytes {start[:12]!r}",
        expected=f"one of {', '.join(FORMATS)}",
        hint="name it: format=",
        path=str(path),
    )


def _extension(path: FilePath) -> str:
    if os.fspath(path) == STANDARD:
        return ""
    stem, extension = os.path.splitext(os.fspath(path).lower())
    return os.path.splitext(stem)[1] if extension in PACKED else extension


def _check_options(name: str, reader: Any, options: dict[str, Any]) -> None:
    known = [p.name for p in inspect.signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ParameterError(
            f"format {name!r} has no such option", got=", ".join(unknown), expected=f"{', '.join(known) or 'none'}"
        )
