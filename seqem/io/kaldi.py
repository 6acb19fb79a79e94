"""Kaldi's tables of features: archives (ark) and the lists (scp) that say where in them each utterance is."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO, NoReturn

import numpy as np

from seqem.errors import DataError, FormatError
from seqem.io.streams import FilePath, atomic_write, open_binary, open_text
from seqem.shapes import AnyArray, Array

_BINARY = b"\0B"
_BLOCK = 1 << 20
_LONGEST_NAME = 4096
_PLACE = re.compile(r"(?P<ark>.*?)(?::(?P<offset>\d{1,18}))?(?:\[(?P<first>\d{1,9}):(?P<last>\d{1,9})\])?")


def read_ark(path: FilePath) -> Iterator[tuple[str, Array]]:
    """Yield name and frames (T, D) of each utterance of an archive; a vector is (T,).

    Binary matrices and vectors of float or double, Kaldi's compressed matrices, and text are read. Nothing else that an archive
    may hold is, least of all pickled objects, which would run code.

    Parameters
    ----------
    path : path-like
        The file, packed or not.

    Raises
    ------
    FormatError
        Where the archive is damaged, cut short, or holds something else; with the utterance.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.ark"
    >>> write_ark(path, [("first", np.zeros((3, 13))), ("second", np.ones((2, 13)))])
    >>> [(name, frames.shape) for name, frames in read_ark(path)]
    [('first', (3, 13)), ('second', (2, 13))]
    """
    with open_binary(path) as handle:
        source = _Source(handle, str(path))
        while name := source.name():
            yield name, source.frames()


def read_scp(path: FilePath) -> Iterator[tuple[str, Array]]:
    """Yield name and frames (T, D) of each utterance that a list names, from the archives where they are.

    A line is ``name archive:offset``, with the rows ``[first:last]`` where only some are wanted. As in Kaldi, archives
    are looked for from the working directory. A line with a pipe is a command, which is refused: no file may run one.

    Parameters
    ----------
    path : path-like
        The list.

    Raises
    ------
    FormatError
        With the line, where there is no archive or a command in it; and as :func:`read_ark`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> write_ark(folder / "a.ark", [("first", np.zeros((3, 13)))], folder / "a.scp")
    >>> [(name, frames.shape) for name, frames in read_scp(folder / "a.scp")]
    [('first', (3, 13))]
    """
    with open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _listed(line.strip(), str(path), number)


def write_ark(path: FilePath, items: Iterable[tuple[str, AnyArray]], scp: FilePath | None = None) -> None:
    """Write a binary archive, and the list of what is where in it if asked for, each whole or not at all.

    Parameters
    ----------
    path : path-like
        The archive.
    items : iterable of (str, array)
        Names without blanks, and frames (T, D). Arrays of float32 are kept as such, all others as float64.
    scp : path-like, optional
        The list, which names the archive by its full path.

    Raises
    ------
    DataError
        Where a name is empty or has a blank, or frames are not of shape (T, D) or (T,).
    """
    with ExitStack() as stack:
        ark = stack.enter_context(atomic_write(path, "wb"))
        places = None if scp is None else stack.enter_context(atomic_write(scp))
        at = 0
        for name, values in items:
            label, body = _key(name), _packed(name, values)
            if places:
                places.write(f"{name} {os.path.abspath(path)}:{at + len(label)}\n")
            ark.write(label + body)
            at += len(label) + len(body)


class _Source:
    """An archive from which exactly as much is read as it says it holds."""

    def __init__(self, handle: BinaryIO, path: str) -> None:
        self._handle, self._path, self._name = handle, path, ""

    def refuse(self, what: str, **facts: Any) -> NoReturn:
        raise FormatError(f"{self._name or 'the beginning'}: {what}", path=self._path, **facts)

    def name(self) -> str:
        """Return the next name, empty at the end."""
        letters = bytearray()
        while (byte := self._handle.read(1)) not in (b" ", b"\t", b""):
            letters += byte
            if len(letters) > _LONGEST_NAME:
                self.refuse("is no archive", got=repr(bytes(letters[:20])), expected="a name and a blank")
        if not byte and letters.strip():
            self.refuse("is cut short", got=repr(bytes(letters[:20])), expected="frames after a name")
        try:
            self._name = letters.decode().strip()
        except UnicodeDecodeError:
            self.refuse("is no archive", got=repr(bytes(letters[:20])), expected="a name in UTF-8")
        if byte and not self._name:
            self.refuse("has no name", expected="a name and a blank")
        return self._name

    def frames(self, name: str | None = None) -> Array:
        """Return the frames that come next."""
        self._name = name or self._name
        mark = self._handle.read(2)
        values = self._binary() if mark == _BINARY else self._text(mark)
        return np.asarray(values, dtype=np.float64)

    def read(self, n: int) -> bytes:
        """Return n bytes, piece by piece: a damaged size asks for more than there is memory."""
        if n < 0:
            raise ValueError(f"a size of {n}")
        pieces = []
        while n:
            piece = self._handle.read(min(n, _BLOCK))
            if not piece:
                raise ValueError("its end comes too early")
            pieces.append(piece)
            n -= len(piece)
        return b"".join(pieces)

    def _binary(self) -> AnyArray:
        from kaldiio.matio import read_matrix_or_vector

        try:
            return read_matrix_or_vector(_Replay(_BINARY, self))
        except (ValueError, AssertionError, struct.error, UnicodeDecodeError) as error:
            self.refuse("is damaged or holds no frames", got=str(error) or "other marks")

    def _text(self, mark: bytes) -> AnyArray:
        if not b"[".startswith(mark.strip()[:1]):
            self.refuse("holds no frames", got=repr(mark), expected="a binary matrix, or numbers within [ ]")
        text = mark + self._handle.readline()
        while b"]" not in text and (line := self._handle.readline()):
            text += line
        found = re.fullmatch(rb"\s*\[([^][]*)\]\s*", text)
        if not found:
            self.refuse("is damaged", got=repr(text[:40]), expected="numbers within [ ]")
        try:
            rows = [[float(cell) for cell in row.split()] for row in found[1].split(b"\n") if row.strip()]
            values = np.array(rows, dtype=np.float64)
        except ValueError as error:
            self.refuse("is damaged", got=str(error), expected="numbers, as many in each row")
        return values[0] if b"\n" not in found[1] and rows else values


class _Replay:
    """A source with the bytes put back that were read to look at them."""

    def __init__(self, before: bytes, source: _Source) -> None:
        self._before, self._source = before, source

    def read(self, n: int) -> bytes:
        if n < 0:
            return self._source.read(n)
        first, self._before = self._before[:n], self._before[n:]
        return first + self._source.read(n - len(first))


def _listed(line: str, path: str, number: int) -> tuple[str, Array]:
    """Return name and frames of a line of a list."""
    name, place = (*line.split(None, 1), "")[:2]
    if "|" in place:
        hint = "run it yourself and read what it writes"
        raise FormatError("holds a command", got=repr(place), hint=hint, path=path, line=number)
    found = _PLACE.fullmatch(place)
    if not found or not found["ark"] or "\0" in place:
        expected = "name archive:offset"
        raise FormatError("is no line of an scp", got=repr(line), expected=expected, path=path, line=number)
    with open_binary(found["ark"]) as handle:
        _go(handle, int(found["offset"] or 0), path, number)
        frames = _Source(handle, found["ark"]).frames(name)
    if found["first"] is None:
        return name, frames
    first, last = int(found["first"]), int(found["last"])
    if not first <= last < len(frames):
        got, expected = f"{first} to {last}", f"rows of 0 to {len(frames) - 1}"
        raise FormatError("there are no such rows", got=got, expected=expected, path=path, line=number)
    return name, frames[first : last + 1]


def _go(handle: BinaryIO, offset: int, path: str, number: int) -> None:
    try:
        handle.seek(offset)
    except OSError as error:
        raise FormatError("no archive is so long", got=f"offset {offset}", path=path, line=number) from error


def _key(name: str) -> bytes:
    if name.split() != [name]:
        raise DataError("name of an utterance is off", got=repr(name), expected="a word without blanks")
    return name.encode() + b" "


def _packed(name: str, values: AnyArray) -> bytes:
    """Return Kaldi's binary form of a matrix or vector."""
    array = np.asarray(values)
    if array.ndim not in (1, 2):
        raise DataError(f"frames of {name!r} are off", got=f"shape {array.shape}", expected="(T, D) or (T,)")
    single = array.dtype == np.float32
    mark = ("F" if single else "D") + ("M" if array.ndim == 2 else "V")
    sizes = b"".join(b"\4" + struct.pack("<i", size) for size in array.shape)
    return _BINARY + mark.encode() + b" " + sizes + array.astype("<f4" if single else "<f8").tobytes()
