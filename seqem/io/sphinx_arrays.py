"""The arrays of Sphinx's acoustic models: Gaussians, weights of mixtures, transitions, and files of cepstra."""

from __future__ import annotations

import os
import re
import struct
from math import prod
from typing import Any

import numpy as np

from seqem.errors import FormatError
from seqem.io.streams import FilePath, open_binary
from seqem.shapes import AnyArray, Array

_MAGIC = 0x11223344
_END = b"endhdr\n"
_MASK = 0xFFFFFFFF
# A header of a dump of weights is a few lines.
_MOST_LINES, _LONGEST_LINE = 100, 999
_FACT = re.compile(r"(logbase|mixw_shift|\w+_count|cluster_bits) (\d{1,9}(?:\.\d{1,9})?)")
_CLUSTERS = 16
_N_CEPSTRA = 13


def read_gaussians(path: FilePath) -> tuple[Array, ...]:
    """Return the means, or the variances, of each stream, (codebooks, parts, D).

    Parameters
    ----------
    path : path-like
        The file ``means`` or ``variances``.

    Raises
    ------
    FormatError
        Where the file is damaged or holds something else.
    """
    words = _words(path)
    _, n_streams = _sizes(path, words, 2)
    n_books, _, n_parts, *widths, total = _sizes(path, words, 4 + n_streams)
    values = _values(path, words, 4 + n_streams, total, (n_books, n_parts * sum(widths)))
    ends = np.cumsum([n_parts * width for width in widths])[:-1]
    parts = np.split(values, ends, axis=1)
    return tuple(part.reshape(n_books, n_parts, width) for part, width in zip(parts, widths, strict=True))


def read_weights(path: FilePath) -> Array:
    """Return the weights of ``mixture_weights`` as they are kept, counts for the most part, (states, streams, parts).

    Raises
    ------
    FormatError
        As :func:`read_gaussians`.
    """
    return _cube(path)


def read_transitions(path: FilePath) -> Array:
    """Return the matrices of ``transition_matrices`` as they are kept, (matrices, states, states + 1), the exit last.

    Raises
    ------
    FormatError
        As :func:`read_gaussians`.
    """
    found = _cube(path)
    if found.shape[2] != found.shape[1] + 1:
        raise FormatError(
            "transitions are off", got=found.shape, expected="one more column than rows", path=_name(path)
        )
    return found


def read_sendump(path: FilePath) -> Array:
    """Return the weights of a ``sendump``, (states, streams, parts): logarithms of 8 bits, or of 4 that number 16 of them.

    Raises
    ------
    FormatError
        As :func:`read_gaussians`.
    """
    with open_binary(path) as handle:
        data = handle.read()
    order = "<" if len(data) >= 4 and 1 <= struct.unpack("<i", data[:4])[0] <= _LONGEST_LINE else ">"
    facts, at = _facts(path, data, order)
    n_streams, n_parts, n_states = (facts[name] for name in ("feature_count", "mixture_count", "model_count"))
    bits, columns = facts.get("cluster_bits", 8), n_states
    if facts.get("cluster_count", 0):
        book, at = np.frombuffer(data[at : at + _CLUSTERS], np.uint8), at + _CLUSTERS
    else:
        book, n_parts, columns, at = np.arange(256, dtype=np.uint8), *_dimensions(path, data, at, order)
    if bits not in (4, 8) or columns < n_states or n_parts != facts["mixture_count"]:
        raise FormatError("weights are off", got=facts, expected="4 or 8 bits for each", path=_name(path))
    step = (columns + 1) // 2 if bits == 4 else columns
    if len(data) - at != n_streams * n_parts * step or (bits == 4 and len(book) != _CLUSTERS):
        raise _cut_short(path, len(data) - at, n_streams * n_parts * step)
    codes = np.frombuffer(data, np.uint8, offset=at).reshape(n_streams, n_parts, step)
    if bits == 4:  # the lower half of a byte comes first
        codes = np.stack([codes & 15, codes >> 4], axis=3).reshape(n_streams, n_parts, -1)
    elif codes.max() >= len(book):
        raise FormatError("weights are off", got=int(codes.max()), expected=f"below {len(book)}", path=_name(path))
    logs = book[codes[:, :, :n_states]].astype(np.float64) * 2.0 ** facts["mixw_shift"]
    return np.ascontiguousarray(np.exp(-np.log(facts["logbase"]) * logs).transpose(2, 0, 1))


def read_cepstra(path: FilePath, n_ceps: int = _N_CEPSTRA) -> Array:
    """Read a file of cepstra (``.mfc``), of either order of bytes.

    Parameters
    ----------
    path : path-like
        The file.
    n_ceps : int
        Numbers of each frame; the file does not say.

    Returns
    -------
    ndarray, shape (T, n_ceps)

    Raises
    ------
    FormatError
        Where the file does not hold as many numbers as it says, or no whole frames.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.mfc"
    >>> _ = path.write_bytes(struct.pack(">i", 26) + np.ones(26, ">f4").tobytes())
    >>> read_cepstra(path).shape
    (2, 13)
    """
    with open_binary(path) as handle:
        data = handle.read()
    for order in "<>" if len(data) >= 4 else "":
        if struct.unpack(f"{order}i", data[:4])[0] == len(data) // 4 - 1 and len(data) % 4 == 0:
            with np.errstate(invalid="ignore"):
                values = np.frombuffer(data, f"{order}f4", offset=4).astype(np.float64)
            if len(values) % n_ceps == 0 and np.isfinite(values).all():
                return values.reshape(-1, n_ceps)
    expected = f"a count, then whole frames of {n_ceps} numbers"
    raise FormatError("is no file of cepstra", got=f"{len(data)} bytes", expected=expected, path=_name(path))


# -- arrays with a checksum --------------------------------------------------------------------------


def _words(path: FilePath) -> AnyArray:
    """Return what follows the header in words of 32 bits, the checksum verified and taken away."""
    with open_binary(path) as handle:
        data = handle.read()
    end = data.find(_END)
    if not data.startswith(b"s3\n") or end < 0:
        raise FormatError(
            "is no array of Sphinx-3", got=data[:8], expected="a header from s3 to endhdr", path=_name(path)
        )
    at = end + len(_END)
    for order in "<>":
        if data[at : at + 4] == struct.pack(f"{order}I", _MAGIC):
            words = np.frombuffer(data[at + 4 : len(data) - (len(data) - at) % 4], f"{order}u4").astype(np.uint32)
            return _verified(path, words) if b"chksum0" in data[:end] else words
    raise FormatError("order of bytes is not told", got=data[at : at + 4], path=_name(path))


def _verified(path: FilePath, words: AnyArray) -> AnyArray:
    total = 0
    for word in words[:-1].tolist():
        total = ((total << 20 | total >> 12) + word) & _MASK
    if not len(words) or total != words[-1]:
        got = hex(int(words[-1])) if len(words) else "none"
        raise FormatError(
            "checksum is off", got=got, expected=hex(total), hint="fetch the file again", path=_name(path)
        )
    return words[:-1]


def _sizes(path: FilePath, words: AnyArray, n: int) -> list[int]:
    """Return the first ``n`` words as sizes, all positive."""
    sizes = words[:n].tolist()
    if len(sizes) < n or min(sizes) < 1 or max(sizes) > len(words):
        raise FormatError("sizes are off", got=sizes[:8], expected=f"{n} that fit the file", path=_name(path))
    return sizes


def _values(path: FilePath, words: AnyArray, at: int, total: int, shape: tuple[int, ...]) -> Array:
    with np.errstate(invalid="ignore"):  # what is no number is refused below
        values = words[at:].view(np.float32).astype(np.float64)
    if not len(values) == total == prod(shape):
        raise _cut_short(path, len(values), prod(shape))
    if not np.isfinite(values).all():
        raise FormatError("holds numbers that are not finite", path=_name(path))
    return values.reshape(shape)


def _cube(path: FilePath) -> Array:
    words = _words(path)
    a, b, c, total = _sizes(path, words, 4)
    values = _values(path, words, 4, total, (a, b, c))
    if (values < 0).any():
        raise FormatError("holds numbers below zero", got=values.min(), path=_name(path))
    return values


# -- dumps of weights --------------------------------------------------------------------------------


def _facts(path: FilePath, data: bytes, order: str) -> tuple[dict[str, Any], int]:
    """Return the numbers that the header of a dump names, and where it ends."""
    facts: dict[str, Any] = {"logbase": 1.0001, "mixw_shift": 10}
    at = 0
    for _ in range(_MOST_LINES):
        size = struct.unpack(f"{order}i", data[at : at + 4])[0] if at + 4 <= len(data) else -1
        line, at = data[at + 4 : at + 4 + max(size, 0)], at + 4 + max(size, 0)
        if size == 0:
            break
        if not 0 < size <= _LONGEST_LINE or line[-1:] != b"\0":
            raise FormatError("header of the dump is damaged", got=line[:40], path=_name(path))
        fact = _FACT.fullmatch(line[:-1].decode("latin-1"))
        if fact:
            facts[fact[1]] = float(fact[2]) if fact[1] == "logbase" else int(float(fact[2]))
    for name in ("feature_count", "mixture_count", "model_count"):
        if not 0 < facts.get(name, 0) <= len(data):
            raise FormatError(f"{name} is off", got=facts.get(name), expected="a positive number", path=_name(path))
    if not (1.0 < facts["logbase"] < 10.0 and 0 <= facts["mixw_shift"] <= 20):
        raise FormatError("scale of logarithms is off", got=facts, path=_name(path))
    return facts, at


def _dimensions(path: FilePath, data: bytes, at: int, order: str) -> tuple[int, int, int]:
    """Return the rows and columns that stand before weights without clusters, and where those begin."""
    if len(data) < at + 8:
        raise _cut_short(path, len(data) - at, 8)
    rows, columns = struct.unpack(f"{order}2i", data[at : at + 8])
    if not (0 < rows <= len(data) and 0 < columns <= len(data)):
        raise FormatError("sizes are off", got=(rows, columns), path=_name(path))
    return rows, columns, at + 8


def _cut_short(path: FilePath, got: int, expected: int) -> FormatError:
    return FormatError("is not of the size it says", got=got, expected=expected, path=_name(path))


def _name(path: FilePath) -> str:
    return os.fspath(path)
