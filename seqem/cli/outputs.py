"""What verbs print: JSON lines, tables, rows with tabs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

PICTURES = (".png", ".svg", ".pdf")


def print_json(record: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    print(json_line(record))


def json_line(record: Mapping[str, Any]) -> str:
    """Return one JSON object; numbers that JSON does not have are null.

    Examples
    --------
    >>> json_line({"a": float("-inf"), "b": (1, 2)})
    '{"a": null, "b": [1, 2]}'
    """
    return json.dumps(_plain(record), allow_nan=False)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_rows(
    path: str, names: Sequence[str], rows: Iterable[Sequence[Any]], as_json: bool, separator: str = "\t"
) -> None:
    """Write rows under a line of names to a file, whole or not at all, or to the standard output.

    Parameters
    ----------
    path : str
        The file; "-" is the standard output, where ``as_json`` makes each row an object.
    names : sequence of str
        Name of each column.
    rows : iterable of sequences
        Cells, as numbers or texts.
    """
    from seqem.io.streams import atomic_write

    with atomic_write(path) as handle:
        if as_json and path == "-":
            handle.writelines(json_line(dict(zip(names, row, strict=True))) + "\n" for row in rows)
        else:
            handle.writelines(separator.join(row) + "\n" for row in _texts(names, rows))


def _texts(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[list[str]]:
    yield list(names)
    for row in rows:
        yield [_text(cell) for cell in row]


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return f"{cell:.10g}" if isinstance(cell, float) else str(cell)


def aligned(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table for the eye: numbers to the right under their names.

    Examples
    --------
    >>> print(aligned(["state", "rate"], [[0, 1.5], [1, 12.25]]))
    state   rate
        0    1.5
        1  12.25
    """
    lines = list(_texts(names, rows))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def picture(path: str) -> str:
    """Return the path of a picture that is to be written."""
    import typer

    if os.path.splitext(path)[1].lower() not in PICTURES:
        raise typer.BadParameter(f"{path}: not one of {', '.join(PICTURES)}")
    return path


def save_figure(figure: Any, path: str) -> None:
    """Write a figure, whole or not at all, in the format that the name says."""
    from seqem.io.streams import atomic_write

    with atomic_write(path, "wb") as handle:
        figure.savefig(handle, format=os.path.splitext(path)[1].lower()[1:], dpi=150)
