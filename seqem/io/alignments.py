"""One reader and one writer for all alignment formats; the file says which it is."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from itertools import chain

from seqem.bio.alignment import Alignment
from seqem.errors import FormatError, ParameterError
from seqem.io.a2m import is_a2m, is_ragged_a2m, parse_a2m, parse_fasta
from seqem.io.aligned import AlignedText, row_texts, to_alignment
from seqem.io.clustal import HEADER, parse_clustal
from seqem.io.phylip import parse_phylip
from seqem.io.selex import parse_psiblast, parse_selex
from seqem.io.stockholm import MAGIC, read_stockholm
from seqem.io.stockholm_write import write_stockholm
from seqem.io.streams import PACKED, FilePath, atomic_write, head, open_text

_EXTENSIONS = {".a2m": "a2m", ".a3m": "a3m", ".psi": "psiblast", ".psiblast": "psiblast", ".slx": "selex"}
_PHYLIP = re.compile(r"\s*\d+\s+\d+\s*$")
_WIDTH = 70


def read_alignment(path: FilePath, *, format: str = "auto", alphabet: str = "auto") -> Alignment:
    """Return the first alignment of a file.

    Parameters
    ----------
    path : path-like
        The file, packed or not.
    format : str
        "stockholm", "pfam", "afa", "a2m", "a3m", "clustal", "phylip", "selex", "psiblast", or "auto" to look at it.
    alphabet : {"auto", "dna", "rna", "protein"}
        What the letters are; "auto" guesses from all of them.

    Raises
    ------
    FormatError
        With the line where possible, where the file is not as its format says; sequences that are not aligned
        are refused.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.afa"
    >>> _ = path.write_text(">a\\nACG\\n>b\\nA-G\\n")
    >>> read_alignment(path).symbols.tolist()
    [[0, 1, 2], [0, 15, 2]]
    """
    return next(read_alignments(path, format=format, alphabet=alphabet))


def read_alignments(path: FilePath, *, format: str = "auto", alphabet: str = "auto") -> Iterator[Alignment]:
    """Yield the alignments of a file: one, or of Stockholm and PHYLIP any number.

    Parameters
    ----------
    path, format, alphabet
        As of :func:`read_alignment`.

    Raises
    ------
    FormatError
        As :func:`read_alignment`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.sto"
    >>> _ = path.write_text("# STOCKHOLM 1.0\\na AC\\nb AC\\n//\\n" * 2)
    >>> len(list(read_alignments(path)))
    2
    """
    name = format_of_alignment(path) if format == "auto" else format
    if name in ("stockholm", "pfam"):
        yield from read_stockholm(path, alphabet=alphabet)
        return
    if name not in _PARSERS:
        raise ParameterError(
            "unknown format", got=repr(name), expected=f"one of stockholm, pfam, {', '.join(_PARSERS)}"
        )
    place = os.fspath(path)
    with open_text(path) as handle:
        texts = _PARSERS[name](handle.read().split("\n"), place)
    if not texts:
        raise FormatError("no alignments", path=place)
    for text in texts:
        yield to_alignment(text, place, alphabet)


def format_of_alignment(path: FilePath) -> str:
    """Return the format that the first bytes of a file are of; its extension decides where they leave a choice.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "any"
    >>> _ = path.write_text("CLUSTAL W\\n\\na  ACG\\n")
    >>> format_of_alignment(path)
    'clustal'
    """
    start = head(path).decode("utf-8-sig", "replace").lstrip()
    if not start:
        raise FormatError("no aligned sequences", path=os.fspath(path))
    extension = _extension(path)
    if start.startswith(MAGIC):
        return "stockholm"
    if start.startswith(">"):
        return _EXTENSIONS.get(extension, "fasta") if extension in (".a2m", ".a3m") else "fasta"
    if HEADER.match(start):
        return "clustal"
    if _PHYLIP.match(start.splitlines()[0]):
        return "phylip"
    return "psiblast" if _EXTENSIONS.get(extension) == "psiblast" else "selex"


def _extension(path: FilePath) -> str:
    stem, extension = os.path.splitext(os.fspath(path).lower())
    return os.path.splitext(stem)[1] if extension in PACKED else extension


def _parse_any_fasta(lines: list[str], path: str) -> AlignedText:
    """Read as a2m or a3m what keeps their rules, and all else as afa."""
    found = parse_fasta(lines, path)
    one_length = len({len(row) for row in found.rows}) == 1
    by_case = is_a2m(found.rows) if one_length else is_ragged_a2m(found.rows)
    return parse_a2m(lines, path) if by_case else found


def _one(parse: Callable[[list[str], str], AlignedText]) -> Callable[[list[str], str], list[AlignedText]]:
    return lambda lines, path: [parse(lines, path)]


_PARSERS: dict[str, Callable[[list[str], str], list[AlignedText]]] = {
    "afa": _one(parse_fasta),
    "fasta": _one(_parse_any_fasta),
    "a2m": _one(parse_a2m),
    "a3m": _one(parse_a2m),
    "clustal": _one(parse_clustal),
    "phylip": parse_phylip,
    "selex": _one(parse_selex),
    "psiblast": _one(parse_psiblast),
}


def write_alignment(path: FilePath, alignment: Alignment, *, format: str = "stockholm") -> None:
    """Write an alignment, the whole file or nothing.

    Parameters
    ----------
    path : path-like
        The file; ``.gz`` is packed.
    alignment : Alignment
        In a2m, columns outside its reference are inserted: lower case and dots.
    format : {"stockholm", "pfam", "afa", "a2m"}
        What to write; afa and a2m hold names and row descriptions only.

    Raises
    ------
    DataError
        Where a name or an annotation does not fit the format.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from seqem.bio.alphabet import DNA
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "one.afa"
    >>> write_alignment(path, Alignment(np.array([[0, 1, 15]]), DNA, ("a",)), format="afa")
    >>> path.read_text()
    '>a\\nAC-\\n'
    """
    if format in ("stockholm", "pfam"):
        write_stockholm(path, alignment)
    elif format in ("afa", "a2m"):
        _write_fasta(path, alignment, by_case=format == "a2m")
    else:
        raise ParameterError("unknown format", got=repr(format), expected="stockholm, pfam, afa or a2m")


def _write_fasta(path: FilePath, alignment: Alignment, by_case: bool) -> None:
    rows = row_texts(alignment)
    if not by_case:
        rows = [row.upper().replace(".", "-") for row in rows]
    descriptions = alignment.row_descriptions or ("",) * len(rows)
    with atomic_write(path) as handle:
        for name, description, row in zip(alignment.names, descriptions, rows, strict=True):
            lines = (row[at : at + _WIDTH] for at in range(0, len(row), _WIDTH))
            handle.writelines(f"{line}\n" for line in chain([f">{name} {description}".rstrip()], lines))
