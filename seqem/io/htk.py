"""HTK parameter files: feature frames with their period and kind."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from seqem.errors import FormatError
from seqem.io.streams import FilePath, atomic_write, open_binary
from seqem.shapes import AnyArray, Array

_HEADER = ">iihH"
_HEADER_BYTES = 12
_UNIT = 1e-7  # seconds
_KINDS = (
    "WAVEFORM",
    "LPC",
    "LPREFC",
    "LPCEPSTRA",
    "LPDELCEP",
    "IREFC",
    "MFCC",
    "FBANK",
    "MELSPEC",
    "USER",
    "DISCRETE",
    "PLP",
)
_QUALIFIERS = {
    "E": 0o100, "N": 0o200, "D": 0o400, "A": 0o1000, "C": 0o2000, "Z": 0o4000, "K": 0o10000, "0": 0o20000, "T": 0o100000,
}  # fmt: skip
_PACKED = _QUALIFIERS["C"]
_CHECKSUM = _QUALIFIERS["K"]


class Parameters(NamedTuple):
    """Frames (T, D), the time from one to the next in seconds, and their kind, such as "MFCC_0_D_A"."""

    frames: Array
    shift: float
    kind: str


def read_htk(path: FilePath) -> Parameters:
    """Read a parameter file of HTK, compressed or not.

    Raises
    ------
    FormatError
        Where the file is no parameter file, or holds more or fewer bytes than it says.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.mfc"
    >>> write_htk(path, np.zeros((3, 13)), 0.01, "MFCC_0")
    >>> found = read_htk(path)
    >>> found.frames.shape, found.shift, found.kind
    ((3, 13), 0.01, 'MFCC_0')
    """
    with open_binary(path) as handle:
        data = handle.read()
    if len(data) < _HEADER_BYTES:
        raise FormatError(
            "is no HTK parameter file", got=f"{len(data)} bytes", expected="a header of 12", path=str(path)
        )
    n, period, size, code = struct.unpack(_HEADER, data[:_HEADER_BYTES])
    body = len(data) - _HEADER_BYTES - (2 if code & _CHECKSUM else 0)
    if n < 0 or size <= 0 or code & 0o77 >= len(_KINDS) or body != n * size:
        expected = f"{n} frames of {size} bytes"
        raise FormatError("is no whole HTK parameter file", got=f"{body} bytes", expected=expected, path=str(path))
    packed = bool(code & _PACKED)
    values = np.frombuffer(
        data, ">i2" if packed else ">f4", offset=_HEADER_BYTES, count=n * size // (2 if packed else 4)
    )
    frames = _unpacked(data, values, size) if packed else values.reshape(n, -1).astype(np.float64)
    return Parameters(frames, period * _UNIT, _name(code))


def _unpacked(data: bytes, values: AnyArray, size: int) -> Array:
    """Return frames that are kept as x = (i + B) / A with A and B before them, which take the place of four frames."""
    width = size // 2
    scale = np.frombuffer(data, ">f4", offset=_HEADER_BYTES, count=2 * width).reshape(2, width).astype(np.float64)
    return np.asarray((values.reshape(-1, width)[4:] + scale[1]) / scale[0])


def write_htk(path: FilePath, frames: AnyArray, shift: float, kind: str) -> None:
    """Write frames (T, D), ``shift`` seconds apart, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file.
    frames : array, shape (T, D)
        Features, kept as float32.
    shift : float
        Seconds from one frame to the next.
    kind : str
        Such as "MFCC_0_D_A", "PLP_0", "FBANK" or "USER".

    Raises
    ------
    FormatError
        For a kind that HTK does not have.
    """
    array = np.asarray(frames, dtype=">f4")
    header = struct.pack(_HEADER, len(array), round(shift / _UNIT), 4 * array.shape[1], _code(kind, path))
    with atomic_write(path, "wb") as handle:
        handle.write(header + array.tobytes())


def _name(code: int) -> str:
    marks = [mark for mark, bit in _QUALIFIERS.items() if code & bit and bit not in (_PACKED, _CHECKSUM)]
    return "_".join([_KINDS[code & 0o77], *marks])


def _code(kind: str, path: FilePath) -> int:
    base, *marks = kind.upper().split("_")
    if base not in _KINDS or not set(marks) <= set(_QUALIFIERS) - {"C", "K"}:
        raise FormatError("unknown kind of HTK parameters", got=repr(kind), expected=f"one of {_KINDS}", path=str(path))
    return _KINDS.index(base) | sum(_QUALIFIERS[mark] for mark in marks)
