"""Sphinx's finite-state grammars (.fsg) as networks of words."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

from seqem.errors import FormatError
from seqem.io.streams import FilePath, open_text
from seqem.speech.network import WordArc, WordNetwork

_BEGIN, _END = "FSG_BEGIN", "FSG_END"
_HEAD = (("NUM_STATES", "N"), ("START_STATE", "S"), ("FINAL_STATE", "F"))
_TRANSITION = ("TRANSITION", "T")
_MOST_STATES = 10_000_000

Line = tuple[int, list[str]]


def read_fsg(path: FilePath) -> WordNetwork:
    """Read a grammar of states and transitions, each with a probability and perhaps a word.

    Parameters
    ----------
    path : path-like
        The file, packed or not. A ``#`` begins a comment.

    Returns
    -------
    WordNetwork
        States are its nodes; weights are logarithms of the probabilities.

    Raises
    ------
    FormatError
        With the line, where something is missing or out of range.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.fsg"
    >>> text = "FSG_BEGIN a\\nNUM_STATES 2\\nSTART_STATE 0\\nFINAL_STATE 1\\nTRANSITION 0 1 1.0 yes\\nFSG_END\\n"
    >>> _ = path.write_text(text)
    >>> read_fsg(path).arcs
    (WordArc(source=0, target=1, word='yes', log_weight=0.0),)
    """
    with open_text(path) as handle:
        rows = _rows(list(handle))
    try:
        next(row for row in rows if row[1][0] == _BEGIN)
        n_nodes, start, final = [_head(path, next(rows), names) for names in _HEAD]
        if not 0 < n_nodes <= _MOST_STATES or max(start, final) >= n_nodes:
            raise _error(path, "states are off", (n_nodes, start, final), "start and end among the states")
        arcs = []
        while (row := next(rows))[1][0] != _END:
            arcs.append(_arc(path, row, n_nodes))
    except StopIteration:
        raise _error(path, "grammar is not whole", None, f"{_BEGIN} ... {_END}") from None
    return WordNetwork(n_nodes, tuple(arcs), start, final)


def _rows(lines: list[str]) -> Iterator[Line]:
    """Yield number and fields of lines that say something."""
    for number, line in enumerate(lines, 1):
        fields = line.partition("#")[0].split()
        if fields:
            yield number, fields


def _head(path: FilePath, row: Line, names: tuple[str, ...]) -> int:
    number, fields = row
    if len(fields) != 2 or fields[0] not in names or not _whole(fields[1]):
        raise _error(path, "line is off", " ".join(fields), f"{names[0]} and a number", number)
    return int(fields[1])


def _arc(path: FilePath, row: Line, n_nodes: int) -> WordArc:
    number, fields = row
    nodes = fields[1:3]
    if (
        fields[0] not in _TRANSITION
        or len(fields) not in (4, 5)
        or not all(_whole(n) and int(n) < n_nodes for n in nodes)
    ):
        expected = "TRANSITION, from, to, probability, perhaps a word"
        raise _error(path, "transition is off", " ".join(fields)[:80], expected, number)
    try:
        probability = float(fields[3])
    except ValueError:
        probability = math.nan
    if not 0.0 < probability <= 1.0:
        raise _error(path, "probability is off", fields[3], "above 0, at most 1", number)
    return WordArc(int(nodes[0]), int(nodes[1]), fields[4] if len(fields) == 5 else None, math.log(probability))


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _error(path: FilePath, what: str, got: object, expected: str, line: int | None = None) -> FormatError:
    return FormatError(what, got=got, expected=expected, path=os.fspath(path), line=line)
