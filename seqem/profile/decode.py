"""Decode one domain: posteriors and the alignment of the greatest expected accuracy, the trace; the third of the nouns."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqem.kernels import profile_domains as kd
from seqem.kernels import profile_forward as kf
from seqem.kernels import profile_render as kr
from seqem.profile.configure import SearchProfile
from seqem.profile.tables import ForwardTables, forward_tables, scratch
from seqem.shapes import AnyArray, Array

# Floats of 32 bits in a register of 512, which other machines take as two or four.
WIDTH = 16


class Trace(NamedTuple):
    """How a sequence passes through a model, from its first to its last match.

    ``states`` (see :mod:`seqem.kernels.profile_domains`), ``nodes`` and ``residues``, both from 1, of each step, and the
    posterior probability of each residue's place.
    """

    states: AnyArray
    nodes: AnyArray
    residues: AnyArray
    posteriors: Array


class Decoded(NamedTuple):
    """Score in nats, expected number of rightly placed residues, uses of the states, probability of flanks, the trace."""

    score: float
    accuracy: float
    usage: AnyArray
    flanks: Array
    trace: Trace


class Machine:
    """Run the recursions of one search profile with floats of one size."""

    def __init__(self, profile: SearchProfile, dtype: type, width: int) -> None:
        self.profile, self.dtype = profile, dtype
        self.tables: ForwardTables = forward_tables(profile, width=width, dtype=dtype)
        self.steps: AnyArray = np.ascontiguousarray(np.stack(profile.steps), dtype=dtype)

    @property
    def width(self) -> int:
        """Lanes of a vector."""
        return len(self.tables.dim)

    def specials(self, length: int) -> AnyArray:
        """Return the special steps for targets of a length."""
        return self.profile.specials(length).astype(self.dtype)

    def one_row(self) -> AnyArray:
        """Return cells of one row, zero."""
        cells = scratch("row", self.tables.row, self.dtype)
        cells[:] = 0
        return cells

    def all_rows(self, length: int, name: str) -> AnyArray:
        """Return cells of all rows, the first zero, the rest not set, in the scratch array of that name."""
        cells = scratch(name, (length + 1) * self.tables.row, self.dtype)
        cells[: self.tables.row] = 0
        return cells

    def forward(self, residues: AnyArray, specials: AnyArray, cells: AnyArray) -> tuple[float, AnyArray]:
        """Return the score in nats and the special states."""
        t = self.tables
        states: AnyArray = np.empty((len(residues) + 1, kf.STATES), self.dtype)
        return kf.forward(residues, t.odds, t.ahead, specials, cells, self._stride(cells), states, t.dim), states

    def backward(self, residues: AnyArray, specials: AnyArray, ahead: AnyArray, cells: AnyArray) -> AnyArray:
        """Return the special states, scaled as ``ahead`` of Forward."""
        t = self.tables
        states = np.empty_like(ahead)
        kf.backward(residues, t.odds, t.back, specials, ahead, cells, self._stride(cells), states, t.dim)
        return states

    def _stride(self, cells: AnyArray) -> int:
        return 0 if len(cells) == self.tables.row else self.tables.row


class Decoder:
    """Decode sequences, or parts of them, that hold one domain; where 32 bits do not reach, 64 do."""

    def __init__(self, profile: SearchProfile) -> None:
        self.profile = profile
        self._machine = Machine(profile, np.float32, WIDTH)

    @cached_property
    def _wide(self) -> Machine:
        return Machine(self.profile, np.float64, WIDTH // 2)

    def __call__(self, residues: AnyArray, length: int, *, first: int = 1) -> Decoded | None:
        """Return what is known of a part of a target, None where it has no alignment.

        Parameters
        ----------
        residues : ndarray of uint8
            The part.
        length : int
            Length of the whole target, for which flanks are expected.
        first : int
            Number of the first residue.
        """
        if not len(residues):
            return None
        found = self._decode(self._machine, residues, length, first)
        return self._decode(self._wide, residues, length, first) if found is None else found

    def _decode(self, m: Machine, residues: AnyArray, length: int, first: int) -> Decoded | None:
        L, row, dim = len(residues), m.tables.row, m.tables.dim
        specials = m.specials(length)
        cells, later = m.all_rows(L, "cells"), m.all_rows(L, "later")
        score, ahead = m.forward(residues, specials, cells)
        if not np.isfinite(score):
            return None
        behind = m.backward(residues, specials, ahead, later)
        if not kf.agree(ahead, behind, specials):
            return None
        flanks: AnyArray = np.empty((L + 1, 3), m.dtype)
        usage: AnyArray = np.empty((3, row // 3), m.dtype)
        kd.decode(ahead, behind, specials, cells, later, flanks, usage, dim)
        path = np.empty((L + m.steps.shape[1] + 2, 3), np.int32)
        count, accuracy = kd.align(cells, flanks, m.tables.gates, m.steps, later, path, dim)
        if count == 0:
            return None
        trace = _trace(m, path, count, cells, first)
        return Decoded(score, accuracy, usage, flanks[1:].sum(axis=1), trace)


def _trace(m: Machine, path: NDArray[np.int32], count: int, posterior: AnyArray, first: int) -> Trace:
    steps, values = np.empty((3, count), np.int32), np.empty(count)
    n = kr.unwind(path, count, posterior, m.tables.row, m.width, first - 1, steps, values)
    return Trace(steps[0, :n], steps[1, :n], steps[2, :n], values[:n])
