"""FASTA: named sequences of letters."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import BinaryIO, TextIO

import numpy as np

from seqem.bio.alphabet import Alphabet, alphabet_of
from seqem.core.batch import SequenceBatch
from seqem.errors import DataError, FormatError
from seqem.io.format import Format
from seqem.io.records import ENOUGH_TO_GUESS, alphabet_in, located, name_and_description
from seqem.io.streams import FilePath, atomic_write, open_binary

_WIDTH = 70
_BLOCK = 1 << 20
_BLANKS = b" \t\n\v\f\r"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BAD = 255


def read_fasta(path: FilePath, *, alphabet: str = "auto") -> SequenceBatch:
    """Read the sequences of a FASTA file, packed or not.

    Parameters
    ----------
    path : path-like
        The file, or "-" for the standard input.
    alphabet : {"auto", "dna", "rna", "protein"}
        What the letters are; "auto" looks at the first few thousand.

    Returns
    -------
    SequenceBatch
        Symbols of the alphabet, one byte a residue; names are first words, kept where they repeat.

    Raises
    ------
    FormatError
        Where there is no sequence, or a letter is not in the alphabet: with line and column.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.fa"
    >>> _ = path.write_text(">a first\\nACGT\\n>b\\nggn\\n")
    >>> batch = read_fasta(path)
    >>> batch.names, batch.alphabet, batch[1].tolist()
    (('a', 'b'), 'ACGT', [2, 2, 14])
    """
    return next(fasta_parts(path, alphabet=alphabet))


def fasta_parts(path: FilePath, *, alphabet: str = "auto", residues: int | None = None) -> Iterator[SequenceBatch]:
    """Yield the sequences of a FASTA file in parts, as whole sequences.

    Parameters
    ----------
    path : path-like
        The file, packed or not, or "-" for the standard input.
    alphabet : {"auto", "dna", "rna", "protein"}
        What the letters are; "auto" looks at the first few thousand.
    residues : int, optional
        About so many a part; all in one part unless given.

    Yields
    ------
    SequenceBatch
        As :func:`read_fasta`.

    Raises
    ------
    FormatError
        As :func:`read_fasta`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.fa"
    >>> _ = path.write_text(">a first\\nACGT\\n>b\\nggn\\n")
    >>> [part.names for part in fasta_parts(path, residues=1)]
    [('a',), ('b',)]
    """
    with open_binary(path) as handle:
        blocks = _blocks(handle, path, _BLOCK if residues is None else min(_BLOCK, residues))
        letters, blocks = _begun(blocks, path, alphabet)
        reader = _Reader(path, letters, guessed=alphabet == "auto")
        for block in blocks:
            reader.read(block)
            if residues is not None and reader.complete >= residues:
                yield reader.take()
        yield reader.take(last=True)


def write_fasta(path: FilePath, batch: SequenceBatch) -> None:
    """Write a batch of symbols as FASTA; sequences without names are numbered from 1.

    Parameters
    ----------
    path : path-like
        The file; ``.gz`` is packed.
    batch : SequenceBatch
        Symbols with ``batch.alphabet``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "one.fa"
    >>> write_fasta(path, SequenceBatch.of([[0, 1, 2]], names=("a",), alphabet="ACGT"))
    >>> path.read_text()
    '>a\\nACG\\n'
    """
    if batch.alphabet is None:
        raise DataError("a batch without an alphabet has no letters", hint="give the batch alphabet='ACGT' or another")
    alphabet = alphabet_of(batch.alphabet)
    names = batch.names or [str(s + 1) for s in range(len(batch))]
    with atomic_write(path) as handle:
        for name, symbols in zip(names, batch, strict=True):
            text = alphabet.decode(symbols)
            lines = (text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH))
            handle.writelines(f"{line}\n" for line in chain([f">{name}"], lines))


def _blocks(handle: BinaryIO, path: FilePath, size: int) -> Iterator[bytes]:
    """Yield the file in blocks of whole lines that end in line feeds; the first block begins with a title."""
    skipped, begun = 0, False
    while block := handle.read(size):
        block = _with_line_feeds(block + handle.readline())
        if not begun:
            text = block.removeprefix(_BYTE_ORDER_MARK).lstrip(_BLANKS)
            skipped += block.count(b"\n", 0, len(block) - len(text))
            _check_begin(text, path, skipped + 1)
            block, begun = text, bool(text)
        if begun:
            yield block


def _begun(blocks: Iterator[bytes], path: FilePath, alphabet: str) -> tuple[Alphabet, Iterator[bytes]]:
    """Return the alphabet and all the blocks, of which a guess has read the first ones."""
    first: list[bytes] = []
    sample = bytearray()
    for block in blocks:
        first.append(block)
        sample += _sequences(block)[:ENOUGH_TO_GUESS]
        if alphabet != "auto" or len(sample) >= ENOUGH_TO_GUESS:
            break
    if not first:
        raise FormatError("no sequences", path=str(path))
    return alphabet_in(sample.decode("latin-1"), path, alphabet), chain(first, blocks)


def _check_begin(text: bytes, path: FilePath, line: int) -> None:
    if text and not text.startswith(b">"):
        start = text.partition(b"\n")[0][:20].decode("utf-8", "replace")
        raise FormatError("is not FASTA", got=repr(start), expected="'>'", path=str(path), line=line)


def _with_line_feeds(block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in block else block


class _Reader:
    """Take blocks in, give whole sequences out.

    Attributes
    ----------
    complete : int
        Residues of sequences that have ended.
    """

    def __init__(self, path: FilePath, letters: Alphabet, *, guessed: bool) -> None:
        self._path, self._letters, self._guessed = path, letters, guessed
        self._table = _reading_table(letters)
        self._symbols = bytearray()
        self._starts: list[int] = []
        self._titles: list[bytes] = []
        self._given = 0

    @property
    def complete(self) -> int:
        return self._starts[-1]

    def read(self, block: bytes) -> None:
        """Add a block; what lies before its first title belongs to the sequence before."""
        symbols, starts, titles, table = self._symbols, self._starts, self._titles, self._table
        known = len(symbols)
        rest, *records = (b"\n" + block).split(b"\n>")
        symbols += rest.translate(table, _BLANKS)
        for record in records:
            title, _, text = record.partition(b"\n")
            titles.append(title)
            starts.append(len(symbols))
            symbols += text.translate(table, _BLANKS)
        bad = symbols.find(_BAD, known)
        if bad >= 0:
            raise self._refusal(bad, _sequences(block)[bad - known : bad - known + 1])

    def take(self, *, last: bool = False) -> SequenceBatch:
        """Return the sequences that have ended, or all at the last."""
        n = len(self._starts) if last else len(self._starts) - 1
        offsets = np.array([*self._starts, len(self._symbols)][: n + 1], np.int64)
        pairs = [name_and_description(title.decode("utf-8", "replace")) for title in self._titles[:n]]
        symbols, self._symbols = self._symbols, self._symbols[offsets[-1] :]
        del symbols[offsets[-1] :]
        self._given += n
        self._starts, self._titles = [0] * (not last), self._titles[n:]
        return SequenceBatch(
            np.frombuffer(symbols, np.uint8),
            offsets,
            tuple(name for name, _ in pairs),
            alphabet=self._letters.letters,
            descriptions=tuple(description for _, description in pairs),
        )

    def _refusal(self, bad: int, letter: bytes) -> FormatError:
        """Return the error of the sequence that the bad symbol is in."""
        s = bisect_right(self._starts, bad) - 1
        name, _ = name_and_description(self._titles[s].decode("utf-8", "replace"))
        place = f"letter {letter.decode('latin-1')!r} at position {bad - self._starts[s] + 1}"
        what = f"{place} is not in the {self._letters.name} alphabet"
        record = self._given + s + 1
        return located(what, self._path, self._letters, _lines, record, name, guessed=self._guessed)


def _sequences(block: bytes) -> bytes:
    """Return the letters of a block without titles and blanks."""
    rest, *records = (b"\n" + block).split(b"\n>")
    return b"".join([rest, *(record.partition(b"\n")[2] for record in records)]).translate(None, _BLANKS)


@cache
def _reading_table(letters: Alphabet) -> bytes:
    """Return the symbol of each byte, 255 where there is none."""
    every = [bytes([byte]) for byte in range(256)]
    return bytes(_BAD if letters.find_bad(byte) is not None else int(letters.encode(byte)[0]) for byte in every)


def _lines(handle: TextIO, record: int) -> Iterator[tuple[int, str]]:
    """Yield the sequence lines of a record with their numbers."""
    current = 0
    for number, line in enumerate(handle, 1):
        if line.startswith(">"):
            current += 1
        elif current == record:
            yield number, line.rstrip()


def _sniff(head: bytes) -> bool:
    return head.lstrip(_BYTE_ORDER_MARK + _BLANKS).startswith(b">")


FASTA = Format((".fa", ".fasta", ".fas", ".fna", ".ffn", ".frn", ".faa"), _sniff, read_fasta)
