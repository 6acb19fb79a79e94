"""Databases of sequences too large for memory: a file read in parts, and a prepared file that is mapped."""

from __future__ import annotations

import os
from collections.abc import Iterator

from seqem.bio.alphabet import alphabet_of
from seqem.core.batch import SequenceBatch
from seqem.errors import DataError, ParameterError
from seqem.io.database_file import MAGIC, Writer, open_batch
from seqem.io.fasta import fasta_parts
from seqem.io.format import Format
from seqem.io.registry import format_of, read
from seqem.io.streams import FilePath, atomic_write

_PART = 1 << 22


def stream(
    path: FilePath, *, alphabet: str = "auto", residues: int = _PART, format: str | None = None
) -> Iterator[SequenceBatch]:
    """Yield the sequences of a file in parts, so that a file of any size takes the memory of a part.

    Parameters
    ----------
    path : path-like
        FASTA, packed or not, or "-" for the standard input; a file of another format is one part.
    alphabet : {"auto", "dna", "rna", "protein"}
        What the letters are; "auto" looks at the first few thousand of the file.
    residues : int
        About so many a part; a sequence is never cut.
    format : str, optional
        Name of the format, where the file does not say.

    Yields
    ------
    SequenceBatch
        Symbols with names and descriptions.

    Raises
    ------
    FormatError
        As the reader of the format, when the place of the error is reached.
    ParameterError
        Where ``residues`` is below 1.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.fa"
    >>> _ = path.write_text(">a first\\nACGT\\n>b\\nGGN\\n")
    >>> [(part.names, part.descriptions) for part in stream(path, residues=3)]
    [(('a',), ('first',)), (('b',), ('',))]
    """
    if residues < 1:
        raise ParameterError("residues is off", got=residues, expected="a number from 1")
    name = format or format_of(path)
    if name == "fasta":
        yield from fasta_parts(path, alphabet=alphabet, residues=residues)
    else:
        yield read(path, format=name, **({} if alphabet == "auto" else {"alphabet": alphabet}))


def prepare(path: FilePath, database: FilePath, *, alphabet: str = "auto", format: str | None = None) -> None:
    """Write the sequences of a file as a prepared database, which opens at once whatever its size.

    Parameters
    ----------
    path : path-like
        What :func:`stream` reads.
    database : path-like
        The file to write, ``.sqdb``; it takes its name when all of it is written.
    alphabet, format : str, optional
        As for :func:`stream`.

    Raises
    ------
    FormatError
        As :func:`stream`.
    DataError
        Where the file holds no symbols.
    ParameterError
        Where the name of the database does not end in ``.sqdb``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "two.fa").write_text(">a first\\nACGT\\n>b\\nGGN\\n")
    >>> prepare(folder / "two.fa", folder / "two.sqdb")
    >>> batch = open_database(folder / "two.sqdb")
    >>> list(batch.names), batch[1].tolist()
    (['a', 'b'], [2, 2, 14])
    """
    if not os.fspath(database).lower().endswith(".sqdb"):
        raise ParameterError(f"{os.fspath(database)}: a database is named .sqdb")
    with atomic_write(database, "wb") as handle, Writer(handle) as writer:
        for batch in stream(path, alphabet=alphabet, format=format):
            if batch.alphabet is None:
                raise DataError(f"{os.fspath(path)}: holds no symbols of an alphabet", got=f"{batch.values.dtype}")
            letters = alphabet_of(batch.alphabet)
            writer.add(batch)
        writer.finish(letters)


def open_database(path: FilePath, *, alphabet: str = "auto") -> SequenceBatch:
    """Open a prepared database: its residues stay on disk until they are looked at.

    Parameters
    ----------
    path : path-like
        What :func:`prepare` wrote.
    alphabet : {"auto", "dna", "rna", "protein"}
        What it must be in, any unless given.

    Returns
    -------
    SequenceBatch
        Whose names and descriptions are read one at a time.

    Raises
    ------
    FormatError
        Where the file is no database, of a later version, cut short or damaged.
    DataError
        Where it is in another alphabet.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "one.fa").write_text(">a\\nACGT\\n")
    >>> prepare(folder / "one.fa", folder / "one.sqdb")
    >>> open_database(folder / "one.sqdb").n_rows
    4
    """
    batch = open_batch(os.fspath(path))
    if alphabet != "auto" and alphabet_of(alphabet).letters != batch.alphabet:
        raise DataError(f"{os.fspath(path)}: is in another alphabet", got=batch.alphabet, expected=alphabet)
    return batch


def _sniff(head: bytes) -> bool:
    return head.startswith(MAGIC)


DATABASE = Format((".sqdb",), _sniff, open_database)
