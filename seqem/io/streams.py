"""Open files for reading, packed or not, and replace files whole or not at all."""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, Literal, TextIO, cast
from uuid import uuid4

from seqem.errors import FormatError, ParameterError

FilePath = str | os.PathLike[str]

STANDARD = "-"
PACKED = (".gz", ".bgz")
_GZIP_MAGIC = b"\x1f\x8b"
_HEAD = 4096


def _unreadable(path: FilePath, error: OSError) -> FormatError:
    return FormatError(f"cannot be opened: {error.strerror or error}", path=os.fspath(path))


@contextmanager
def _raw(path: FilePath) -> Iterator[io.BufferedReader]:
    if os.fspath(path) == STANDARD:
        yield cast(io.BufferedReader, sys.stdin.buffer)
        return
    try:
        handle = open(path, "rb")  # noqa: SIM115
    except OSError as error:
        raise _unreadable(path, error) from error
    with handle:
        yield handle


def _is_packed(raw: io.BufferedReader, path: FilePath) -> bool:
    packed = raw.peek(2)[:2] == _GZIP_MAGIC
    if not packed and os.fspath(path).lower().endswith(PACKED):
        raise FormatError("is named as gzip but does not begin as gzip", path=os.fspath(path))
    return packed


@contextmanager
def open_binary(path: FilePath) -> Iterator[BinaryIO]:
    """Open a file to read bytes; gzip (also bgzip) is unpacked, "-" is the standard input.

    Raises
    ------
    FormatError
        Where the file is missing, is a folder, cannot be read, or its packed data are damaged or cut short.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "note.gz"
    >>> with atomic_write(path) as handle:
    ...     _ = handle.write("hello")
    >>> with open_binary(path) as handle:
    ...     handle.read()
    b'hello'
    """
    with _raw(path) as raw:
        try:
            yield cast(BinaryIO, gzip.GzipFile(fileobj=raw) if _is_packed(raw, path) else raw)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FormatError(
                "gzip data are damaged or cut short", got=str(error), hint="fetch the file again", path=os.fspath(path)
            ) from error


@contextmanager
def open_text(path: FilePath) -> Iterator[TextIO]:
    """Open a file to read text as :func:`open_binary` does; any line ends, a byte-order mark is dropped.

    Bytes that are not UTF-8 read as U+FFFD, so that it is the format's reader that refuses them, with the line.
    """
    with open_binary(path) as binary:
        text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace")
        try:
            yield text
        finally:
            text.detach()


def head(path: FilePath) -> bytes:
    """Return the first few thousand bytes, unpacked, of a file or of what waits at the standard input.

    Raises
    ------
    FormatError
        As :func:`open_binary`, and for a pipe, which would lose the bytes.
    """
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise FormatError("is a pipe, at which one cannot look twice", hint="name the format", path=os.fspath(path))
    with _raw(path) as raw:
        packed = _is_packed(raw, path)
        start = raw.peek(_HEAD)[:_HEAD]
    if not packed:
        return start
    try:
        return zlib.decompressobj(wbits=31).decompress(start, _HEAD)
    except zlib.error as error:
        raise FormatError("gzip data are damaged", path=os.fspath(path)) from error


@contextmanager
def atomic_write(path: FilePath, mode: Literal["w", "wb"] = "w") -> Iterator[IO]:
    """Open a file that takes its name only when all of it is written; ``.gz`` is packed, "-" is the standard output.

    On any error the old file, or none, is there, and no other.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "note.txt"
    >>> with atomic_write(path) as handle:
    ...     _ = handle.write("all or nothing")
    >>> path.read_text()
    'all or nothing'
    """
    if os.fspath(path) == STANDARD:
        yield sys.stdout if mode == "w" else sys.stdout.buffer
        return
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    if name.lower().endswith(".bgz"):
        raise ParameterError(f"{os.fspath(path)}: bgzip is read only", hint="write .gz")
    if os.path.isdir(target):
        raise ParameterError(f"{os.fspath(path)}: cannot be written: it is a folder")
    temporary = os.path.join(folder, f".{uuid4().hex}.tmp")
    try:
        raw = open(temporary, "xb")  # noqa: SIM115
    except OSError as error:
        raise ParameterError(f"{os.fspath(path)}: cannot be written: {error.strerror or error}") from error
    try:
        with raw:
            with _packer(raw, name) as binary, _writer(binary, mode) as handle:
                yield handle
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


@contextmanager
def _packer(raw: BinaryIO, name: str) -> Iterator[BinaryIO]:
    if name.lower().endswith(".gz"):
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            yield cast(BinaryIO, packed)
    else:
        yield raw


@contextmanager
def _writer(binary: BinaryIO, mode: str) -> Iterator[IO]:
    if mode == "wb":
        yield binary
        return
    text = io.TextIOWrapper(binary, encoding="utf-8", newline="\n")
    try:
        yield text
    finally:
        text.detach()
