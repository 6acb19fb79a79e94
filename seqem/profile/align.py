"""Align sequences to a model: one trace a sequence, and the traces as one alignment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqem.bio.alignment import Alignment
from seqem.core.batch import SequenceBatch
from seqem.kernels.profile_domains import P_D, P_I, P_M
from seqem.profile.configure import Mode, SearchProfile, configure
from seqem.profile.decode import Decoded, Decoder
from seqem.profile.plan7 import CoreModel
from seqem.profile.render import posterior_letters
from seqem.shapes import AnyArray, Array, IntArray

_GAP = ord(".")


class AlignedFamily(NamedTuple):
    """An alignment with the posterior of each residue's place.

    ``posteriors`` holds one text a row, and ``consensus`` one letter for each column of the model, "." elsewhere.
    """

    alignment: Alignment
    posteriors: tuple[str, ...]
    consensus: str


class Row(NamedTuple):
    """A row of an alignment to be; ``decoded`` is None where there is nothing to align."""

    name: str
    residues: AnyArray
    decoded: Decoded | None


def align(core: CoreModel, batch: SequenceBatch, *, mode: Mode = "local", trim: bool = False) -> AlignedFamily:
    """Align each sequence of a batch to a model, by the greatest expected accuracy.

    Parameters
    ----------
    core : CoreModel
        The model.
    batch : SequenceBatch
        Unaligned sequences.
    mode : {"local", "glocal"}
        Whether sequences may hold a part of the model, as hmmalign has it, or hold all of it.
    trim : bool
        Leave out what lies before and after the model.

    Returns
    -------
    AlignedFamily
        Columns of the model have the reference "x"; a sequence without any domain is an insert.
    """
    rows = rows_of(configure(core, mode=mode, multihit=False), batch)
    return assemble(core, rows, trim=trim)


def rows_of(profile: SearchProfile, batch: SequenceBatch) -> list[Row]:
    """Return the sequences with their traces."""
    decoder = Decoder(profile)
    names = batch.names or tuple(str(s + 1) for s in range(len(batch)))
    rows = []
    for name, residues in zip(names, batch, strict=True):
        rows.append(Row(name, residues, decoder(residues, len(residues))))
    return rows


def assemble(core: CoreModel, rows: Iterable[Row], *, trim: bool = False) -> AlignedFamily:
    """Return rows as one alignment: a column for each node, and between them as many as the longest insert needs.

    Residues before the model are flush right, those after it flush left, inserts are split between both sides.
    """
    rows = list(rows)
    M, gap = core.n_nodes, core.alphabet.gap
    places = [_place(row, M) for row in rows]
    widths = np.zeros(M + 1, np.int64)
    for slot, _ in places:
        np.maximum(widths, np.bincount(slot[slot >= 0], minlength=M + 1), out=widths)
    if trim:
        widths[0] = widths[M] = 0
    node_column = np.cumsum(widths[:-1] + 1) - 1
    total = int(widths.sum()) + M
    symbols = np.full((len(rows), total), gap, np.uint8)
    letters = np.full((len(rows), total), _GAP, np.uint8)
    sums, counts = np.zeros(total), np.zeros(total)
    for r, (row, (slot, node)) in enumerate(zip(rows, places, strict=True)):
        columns = _columns(slot, node, node_column, widths)
        posteriors = _posteriors(row)
        kept = columns >= 0
        symbols[r, columns[kept]] = row.residues[kept]
        letters[r, columns[kept]] = posterior_letters(posteriors[kept])
        sums[columns[kept]] += posteriors[kept]
        counts[columns[kept]] += 1
    is_node = np.zeros(total, bool)
    is_node[node_column] = True
    alignment = Alignment(
        symbols, core.alphabet, tuple(row.name for row in rows), name=core.name, reference=_marked(is_node, "x")
    )
    alignment = replace(alignment, structure=_spread(core.structure, is_node), mask=_spread(core.mask, is_node))
    mean = np.divide(sums, counts, out=np.zeros(total), where=counts > 0)
    consensus = np.where(is_node & (counts > 0), posterior_letters(mean), _GAP).astype(np.uint8)
    return AlignedFamily(alignment, tuple(line.tobytes().decode() for line in letters), consensus.tobytes().decode())


def _place(row: Row, n_nodes: int) -> tuple[IntArray, IntArray]:
    """Return for each residue the node that its insert follows, else -1, and the node that it matches, else 0."""
    slot, node = np.full(len(row.residues), -1), np.zeros(len(row.residues), np.int64)
    if row.decoded is None:
        slot[:] = 0
        return slot, node
    trace = row.decoded.trace
    slot[: trace.residues[0] - 1] = 0
    slot[trace.residues[-1] :] = n_nodes
    inserted, matched = trace.states == P_I, trace.states == P_M
    slot[trace.residues[inserted] - 1] = trace.nodes[inserted]
    node[trace.residues[matched] - 1] = trace.nodes[matched]
    return slot, node


def _columns(slot: IntArray, node: IntArray, node_column: IntArray, widths: IntArray) -> IntArray:
    """Return the column of each residue, -1 where it is left out."""
    columns = np.where(node > 0, node_column[node - 1], -1)
    for k in np.unique(slot[slot >= 0]).tolist():
        here = np.flatnonzero(slot == k)
        n, width = len(here), int(widths[k])
        if not width:
            continue
        begin = 0 if k == 0 else int(node_column[k - 1]) + 1
        left = 0 if k == 0 else (n if k == len(node_column) else n // 2)
        columns[here[:left]] = begin + np.arange(left)
        columns[here[left:]] = begin + width - (n - left) + np.arange(n - left)
    return columns


def _posteriors(row: Row) -> Array:
    """Return the posterior of each residue's place."""
    if row.decoded is None:
        return np.ones(len(row.residues))
    values, trace = row.decoded.flanks.astype(np.float64), row.decoded.trace
    placed = trace.states != P_D
    values[trace.residues[placed] - 1] = trace.posteriors[placed]
    return values


def _marked(is_node: NDArray[np.bool_], mark: str) -> str:
    return np.where(is_node, ord(mark), _GAP).astype(np.uint8).tobytes().decode()


def _spread(line: str | None, is_node: NDArray[np.bool_]) -> str | None:
    if line is None:
        return None
    letters = np.full(len(is_node), _GAP, np.uint8)
    letters[is_node] = np.frombuffer(line.encode("ascii"), np.uint8)
    return letters.tobytes().decode()
