"""Manifests: tables that say which recordings there are, what is said in them, and by whom."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn, TextIO

from seqem.errors import FormatError
from seqem.io.streams import FilePath, open_text

_SEPARATORS = "\t;,"
_NOT_UTF8 = "\ufffd"


class Recording(NamedTuple):
    """A row: the recording's file, the words said in it, and who says them; None where the table does not tell."""

    path: Path
    transcript: str | None
    speaker: str | None


def read_manifest(path: FilePath) -> list[Recording]:
    """Read a table of recordings: a header with ``path`` and perhaps ``transcript`` and ``speaker``, then a row for each.

    Whether the recordings are there is not looked at. Other columns are passed over.

    Parameters
    ----------
    path : path-like
        A file with tabs, semicolons or commas between the cells; whichever of these, in this order, the header has. Paths in it
        are absolute or begin at the folder of this file.

    Returns
    -------
    list of Recording
        In the order of the file. An empty transcript is the text of one who says nothing, not an unknown one.

    Raises
    ------
    FormatError
        With the line, where there is no column ``path``, a path is empty, a row has more or fewer cells than the header,
        or there is no row.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "all.csv").write_text("path,transcript\\na.wav,yes no\\n")
    >>> [(row.path.name, row.transcript, row.speaker) for row in read_manifest(folder / "all.csv")]
    [('a.wav', 'yes no', None)]
    """
    folder = Path(path).parent
    with open_text(path) as handle:
        rows = _rows(handle, str(path))
        names = [name.strip() for name in next(rows, (0, []))[1]]
        if "path" not in names:
            _refuse("no column 'path'", str(path), 1, got=str(names), expected="a header with 'path'")
        if len(set(names)) < len(names):
            _refuse("two columns have one name", str(path), 1, got=str(names))
        found = [_recording(dict(zip(names, cells, strict=True)), folder, str(path), line) for line, cells in rows]
    if not found:
        raise FormatError("no recordings", expected="a row for each after the header", path=str(path))
    return found


def _rows(handle: TextIO, path: str) -> Iterator[tuple[int, list[str]]]:
    """Yield last line and cells of each row that is not blank, the header first."""
    lines = handle.readlines()
    header = next(filter(str.strip, lines), "")
    separator = next((mark for mark in _SEPARATORS if mark in header), ",")
    width = 0
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        for cells in reader:
            if not any(map(str.strip, cells)):
                continue
            width = width or len(cells)
            if len(cells) != width:
                hint = "put a cell that holds the separator in quotes"
                got = f"{len(cells)} cells"
                _refuse("uneven row", path, reader.line_num, got=got, expected=f"{width}, as above", hint=hint)
            if any(_NOT_UTF8 in cell for cell in cells):
                _refuse("is no text in UTF-8", path, reader.line_num, hint="save it as UTF-8")
            yield reader.line_num, cells
    except csv.Error as error:
        _refuse("is no table", path, reader.line_num, got=str(error))


def _recording(row: dict[str, str], folder: Path, path: str, line: int) -> Recording:
    name = row["path"].strip()
    if not name or "\0" in name:
        _refuse("path is off", path, line, got=repr(name), expected="the file of a recording")
    transcript = row.get("transcript")
    speaker = row.get("speaker", "").strip()
    return Recording(folder / name, None if transcript is None else transcript.strip(), speaker or None)


def _refuse(what: str, path: str, line: int, **facts: str) -> NoReturn:
    raise FormatError(what, path=path, line=line, **facts)
