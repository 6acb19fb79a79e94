"""The layout of a prepared database: a header, then residues, offsets and texts, each from a multiple of 64 bytes."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple, cast, overload

import numpy as np

from seqem.bio.alphabet import Alphabet, alphabet_of
from seqem.core.batch import SequenceBatch
from seqem.errors import FormatError
from seqem.shapes import AnyArray, IntArray

MAGIC = b"SEQEM-DB"
_VERSION = 1
# Magic, version, name of the alphabet, residues, sequences, bytes of names, bytes of descriptions; then their checksum.
_HEADER = struct.Struct("<8sI20sQQQQ")
_CHECKSUM = struct.Struct("<I")
_START, _ALIGNED = 128, 64
_IN_MEMORY = 1 << 26
_CHECKED = 1 << 22


class Texts(Sequence[str]):
    """Texts in one piece of UTF-8, each decoded when it is asked for; pickled as a tuple.

    Parameters
    ----------
    blob : ndarray of uint8
        The texts one after another.
    offsets : ndarray of int64, shape (n + 1,)
        Text i is ``blob[offsets[i]:offsets[i + 1]]``.

    Examples
    --------
    >>> texts = Texts(np.frombuffer(b"abc", np.uint8), np.array([0, 1, 3]))
    >>> len(texts), texts[1], list(texts[:1])
    (2, 'bc', ['a'])
    """

    def __init__(self, blob: AnyArray, offsets: IntArray) -> None:
        self._blob, self._offsets = blob, offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        where = range(len(self))[index]
        if isinstance(where, int):
            return self._blob[self._offsets[where] : self._offsets[where + 1]].tobytes().decode("utf-8", "replace")
        if where.step != 1:
            return tuple(self[i] for i in where)
        return Texts(self._blob, self._offsets[where.start : where.stop + 1])

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (tuple(self),)


class _Counts(NamedTuple):
    residues: int
    sequences: int
    name_bytes: int
    description_bytes: int


class Writer:
    """Write a database batch by batch; what comes behind the residues waits in temporary files.

    Parameters
    ----------
    handle : binary file
        At its beginning; must be able to go back there.
    """

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        # Offsets, names and their offsets, descriptions and their offsets.
        self._stack = ExitStack()
        self._files = [self._stack.enter_context(_scratch()) for _ in range(5)]
        self._counts = [0, 0, 0, 0]
        handle.write(bytes(_START))

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, batch: SequenceBatch) -> None:
        """Add the sequences of a batch of symbols; those without names are numbered."""
        residues, sequences, *_ = self._counts
        self._handle.write(np.ascontiguousarray(batch.values).data)
        self._files[0].write((batch.offsets[:-1] - batch.offsets[0] + residues).astype("<i8").tobytes())
        numbers = range(sequences + 1, sequences + len(batch) + 1)
        self._add_texts(0, batch.names or [str(number) for number in numbers])
        self._add_texts(1, batch.descriptions or [""] * len(batch))
        self._counts[:2] = residues + batch.n_rows, sequences + len(batch)

    def _add_texts(self, column: int, texts: Sequence[str]) -> None:
        encoded = [text.encode("utf-8", "replace") for text in texts]
        ends = np.cumsum([0, *map(len, encoded)]) + self._counts[2 + column]
        self._files[1 + 2 * column].write(b"".join(encoded))
        self._files[2 + 2 * column].write(ends[:-1].astype("<i8").tobytes())
        self._counts[2 + column] = int(ends[-1])

    def finish(self, letters: Alphabet) -> None:
        """Write all that waits, then the header."""
        residues, _, *text_bytes = self._counts
        for file, end in zip(self._files[::2], [residues, *text_bytes], strict=True):
            file.write(struct.pack("<q", end))
        for file in self._files:
            self._handle.write(bytes(-self._handle.tell() % _ALIGNED))
            file.seek(0)
            shutil.copyfileobj(file, self._handle)
        self._handle.seek(0)
        packed = _HEADER.pack(MAGIC, _VERSION, letters.name.encode().ljust(20), *self._counts)
        self._handle.write(packed + _CHECKSUM.pack(zlib.crc32(packed)))


def _scratch() -> IO[bytes]:
    return cast(IO[bytes], SpooledTemporaryFile(_IN_MEMORY))


def open_batch(path: str) -> SequenceBatch:
    """Return the sequences of a database as pages of its file, after looking for damage.

    Raises
    ------
    FormatError
        Where the file is no database, of another version, cut short or damaged.
    """
    letters, counts = _header(path)
    symbols, offsets, *texts = _sections(path, counts)
    names, descriptions = _texts(texts[0], texts[1], path), _texts(texts[2], texts[3], path)
    _check_offsets(offsets, len(symbols), path)
    # A symbol out of range would lead a search out of its tables.
    if not all(letters.reads(symbols[at : at + _CHECKED]) for at in range(0, len(symbols), _CHECKED)):
        raise _damaged(path)
    return SequenceBatch(symbols, offsets, names, alphabet=letters.letters, descriptions=descriptions)


def _header(path: str) -> tuple[Alphabet, _Counts]:
    try:
        with open(path, "rb") as handle:
            packed, checksum = handle.read(_HEADER.size), handle.read(_CHECKSUM.size)
    except OSError as error:
        raise FormatError(f"cannot be opened: {error.strerror or error}", path=path) from error
    if not packed.startswith(MAGIC):
        raise FormatError("is no prepared database", got=repr(packed[:8]), expected=repr(MAGIC), path=path)
    if len(checksum) < _CHECKSUM.size:
        raise _damaged(path)
    _, version, name, *counts = _HEADER.unpack(packed)
    if version != _VERSION:
        raise FormatError("is of another version", got=version, expected=_VERSION, hint="prepare it again", path=path)
    if _CHECKSUM.pack(zlib.crc32(packed)) != checksum:
        raise _damaged(path)
    return alphabet_of(name.decode().strip()), _Counts(*counts)


def _sections(path: str, counts: _Counts) -> list[AnyArray]:
    """Return symbols, offsets, names, their offsets, descriptions, their offsets: pages of the file."""
    n_offsets = counts.sequences + 1
    layout: list[tuple[type, int]] = [
        (np.uint8, counts.residues), (np.int64, n_offsets),
        (np.uint8, counts.name_bytes), (np.int64, n_offsets),
        (np.uint8, counts.description_bytes), (np.int64, n_offsets),
    ]  # fmt: skip
    # Private pages that may be written, as any other batch may; the file itself never is.
    whole = np.memmap(path, np.uint8, "c").view(np.ndarray)
    sections: list[AnyArray] = []
    at = _START
    for dtype, count in layout:
        end = at + count * np.dtype(dtype).itemsize
        if end > len(whole):
            raise FormatError("is cut short", got=f"{len(whole)} bytes", hint="prepare it again", path=path)
        sections.append(whole[at:end].view(dtype))
        at = end + -end % _ALIGNED
    return sections


def _texts(blob: AnyArray, offsets: IntArray, path: str) -> tuple[str, ...]:
    _check_offsets(offsets, len(blob), path)
    return cast(tuple[str, ...], Texts(blob, offsets))


def _check_offsets(offsets: IntArray, end: int, path: str) -> None:
    if offsets[0] != 0 or offsets[-1] != end or (offsets[1:] < offsets[:-1]).any():
        raise _damaged(path)


def _damaged(path: str) -> FormatError:
    return FormatError("is damaged", hint="prepare it again", path=path)
