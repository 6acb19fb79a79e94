"""Sphinx's model definitions (mdef): the states of phones, alone and between others; text or binary."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from seqem.errors import FormatError
from seqem.io.streams import FilePath, open_binary
from seqem.shapes import AnyArray
from seqem.speech.contexts import POSITIONS

_VERSION = "0.3"
_COUNTS = ("n_base", "n_tri", "n_state_map", "n_tied_state", "n_tied_ci_state", "n_tied_tmat")
_BINARY = {b"BMDF": "<", b"FDMB": ">"}
_NONE = "-"
_FILLER = "filler"


class Chain(NamedTuple):
    """The numbers of the states of a phone in their order, and of its matrix of transitions."""

    states: tuple[int, ...]
    transitions: int


class Phones(NamedTuple):
    """What a model has.

    Attributes
    ----------
    alone : mapping
        Phone -> its chain.
    fillers : tuple of str
        Those of them that stand for no speech.
    between : mapping
        Phone, phone before, phone after and position in the word ("i" within, "b" first, "e" last, "s" only) -> chain.
    n_states, n_transitions : int
        Different states and matrices.
    """

    alone: Mapping[str, Chain]
    fillers: tuple[str, ...]
    between: Mapping[tuple[str, str, str, str], Chain]
    n_states: int
    n_transitions: int


def read_phones(path: FilePath) -> Phones:
    """Read a model definition.

    Parameters
    ----------
    path : path-like
        The file ``mdef``.

    Raises
    ------
    FormatError
        Where the file is damaged or of another version, with the line where it has lines.
    """
    with open_binary(path) as handle:
        data = handle.read()
    order = _BINARY.get(data[:4])
    found = _text(path, data) if order is None else _Binary(path, data, order).phones()
    for chain in (*found.alone.values(), *found.between.values()):
        if not (min(chain.states) >= 0 and max(chain.states) < found.n_states):
            raise _error(path, "states are off", got=chain.states, expected=f"below {found.n_states}")
        if not 0 <= chain.transitions < found.n_transitions:
            raise _error(path, "transitions are off", got=chain.transitions, expected=f"below {found.n_transitions}")
    return found


def _error(path: FilePath, what: str, **facts: object) -> FormatError:
    return FormatError(what, path=os.fspath(path), **facts)  # type: ignore[arg-type]


# -- text --------------------------------------------------------------------------------------------


def _text(path: FilePath, data: bytes) -> Phones:
    lines = [
        (number, line.split())
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if len(lines) <= len(_COUNTS) or lines[0][1] != [_VERSION]:
        raise _error(path, "is no model definition", got=lines[0][1] if lines else None, expected=_VERSION)
    counts = {}
    for (number, fields), name in zip(lines[1:], _COUNTS, strict=False):
        if len(fields) != 2 or fields[1] != name or not fields[0].isdecimal():
            raise _error(path, "counts are off", got=" ".join(fields), expected=f"the number {name}", line=number)
        counts[name] = int(fields[0][:9])
    rows = lines[1 + len(_COUNTS) :]
    if len(rows) != counts["n_base"] + counts["n_tri"] or not counts["n_base"]:
        raise _error(path, "phones are missing", got=len(rows), expected=counts["n_base"] + counts["n_tri"])
    alone, fillers, between = dict[str, Chain](), list[str](), dict[tuple[str, str, str, str], Chain]()
    for number, fields in rows:
        key, chain = _row(path, number, fields)
        if key[1:] == (_NONE, _NONE, _NONE):
            alone[key[0]] = chain
            fillers += [key[0]] if fields[4] == _FILLER else []
        else:
            between[key] = chain
    if len(alone) != counts["n_base"] or any(
        not set(key[:3]) <= alone.keys() or key[3] not in POSITIONS for key in between
    ):
        raise _error(path, "phones do not fit together", got=f"{len(alone)} alone", expected=counts["n_base"])
    return Phones(alone, tuple(fillers), between, counts["n_tied_state"], counts["n_tied_tmat"])


def _row(path: FilePath, number: int, fields: list[str]) -> tuple[tuple[str, str, str, str], Chain]:
    """Return phone, contexts and position of a line, and the chain."""
    numbers = fields[5:-1]
    if len(numbers) < 2 or fields[-1] != "N" or not all(text.isdecimal() and len(text) < 10 for text in numbers):
        expected = "phone, left, right, position, attribute, transitions, states, N"
        raise _error(path, "phone is off", got=" ".join(fields)[:80], expected=expected, line=number)
    base, left, right, position = fields[:4]
    return (base, left, right, position), Chain(tuple(int(text) for text in numbers[1:]), int(numbers[0]))


# -- binary ------------------------------------------------------------------------------------------


class _Binary:
    """Walks through the bytes of a binary model definition."""

    def __init__(self, path: FilePath, data: bytes, order: str) -> None:
        self.path, self.data, self.order, self.at = path, data, order, 4

    def take(self, n: int, code: str) -> AnyArray:
        """Return the next ``n`` numbers of a kind."""
        kind = np.dtype(f"{self.order}{code}")
        if not 0 <= n * kind.itemsize <= len(self.data) - self.at:
            raise _error(self.path, "is cut short", got=f"{len(self.data)} bytes", expected=f"{n} numbers more")
        out = np.frombuffer(self.data, kind, n, self.at)
        self.at += n * kind.itemsize
        return out

    def phones(self) -> Phones:
        """Return what the file says."""
        version, size = self.take(2, "i4").tolist()
        if version != 1:
            raise _error(self.path, "unknown version of the model definition", got=version, expected=1)
        self.take(size, "i1")
        n_base, n_phones, length, _, n_states, n_matrices, n_chains, _, n_tree, _ = self.take(10, "i4").tolist()
        if not (0 < n_base <= 255 and n_phones >= n_base and length > 0 and n_chains > 0):
            got = {"phones": n_phones, "alone": n_base, "states each": length}
            raise _error(
                self.path, "counts are off", got=got, expected="phones that all have the same number of states"
            )
        start = self.at
        names = [self.name() for _ in range(n_base)]
        self.take(-(self.at - start) % 4, "i1")
        self.take(n_tree, "i8")  # how Sphinx finds phones; their own list says the same
        rows = self.take(12 * n_phones, "u1").reshape(n_phones, 12)
        chain, matrix = (np.ascontiguousarray(rows[:, a : a + 4]).view(f"{self.order}i4")[:, 0] for a in (0, 4))
        if self.take(1, "i4")[0] != n_chains * length:
            raise _error(self.path, "sequences of states are off", expected=n_chains * length)
        states = self.take(n_chains * length, "u2").reshape(n_chains, length).astype(np.int64)
        if not (chain.min() >= 0 and chain.max() < n_chains) or len(set(names)) != n_base:
            raise _error(self.path, "phones are off", got=int(chain.max()), expected=f"below {n_chains}")
        chains = [Chain(tuple(states[c].tolist()), int(m)) for c, m in zip(chain, matrix, strict=True)]
        attributes = rows[:, 8:].tolist()
        fillers = tuple(name for name, row in zip(names, attributes, strict=False) if row[0])
        between = self.between(names, attributes[n_base:], chains[n_base:])
        return Phones(dict(zip(names, chains, strict=False)), fillers, between, n_states, n_matrices)

    def name(self) -> str:
        """Return a text that ends in zero."""
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise _error(self.path, "is cut short", got="a name without end")
        name, self.at = self.data[self.at : end].decode("utf-8", "replace"), end + 1
        return name

    def between(
        self, names: list[str], attributes: list[list[int]], chains: list[Chain]
    ) -> dict[tuple[str, str, str, str], Chain]:
        """Return the phones that stand between others."""
        if any(row[0] >= len(POSITIONS) or max(row[1:]) >= len(names) for row in attributes):
            raise _error(self.path, "contexts are off", expected=f"numbers below {len(names)}")
        keys = ((names[b], names[left], names[right], POSITIONS[p]) for p, b, left, right in attributes)
        return dict(zip(keys, chains, strict=True))
