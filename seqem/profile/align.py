"""Align sequences to a model: one trace a sequence, and the traces as one alignment."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqem.bio.alignment import Alignment
from seqem.bio.checksum import alignment_checksum
from seqem.core.batch import SequenceBatch
from seqem.errors import DataError
from seqem.kernels.profile_domains import P_D, P_I, P_M
from seqem.profile.configure import Mode, SearchProfile, configure
from seqem.profile.decode import Decoded, Decoder, Trace
from seqem.profile.domains import DomainFinder, Envelope
from seqem.profile.evalue import null_score
from seqem.profile.plan7 import CoreModel
from seqem.profile.render import posterior_letters
from seqem.shapes import AnyArray, Array, IntArray

_GAP = ord(".")
# Bits from which a domain is a domain: about one in a hundred random sequences reaches it.
_GOOD = 5.0


class AlignedFamily(NamedTuple):
    """An alignment with the posterior of each residue's place.

    ``posteriors`` holds one text a row, and ``consensus`` one letter for each column of the model, "." elsewhere.
    """

    alignment: Alignment
    posteriors: tuple[str, ...]
    consensus: str


class Row(NamedTuple):
    """A row of an alignment to be: a sequence with the traces of its domains in order, each of other residues.

    ``flanks`` is the probability of each residue to lie outside of the model.
    """

    name: str
    residues: AnyArray
    flanks: Array
    traces: tuple[Trace, ...]


def align(
    core: CoreModel,
    batch: SequenceBatch,
    *,
    mode: Mode = "local",
    trim: bool = False,
    all_domains: bool = False,
    first: Alignment | None = None,
) -> AlignedFamily:
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
    all_domains : bool
        Align every domain of a sequence, not only the best: the columns repeat the model as often as the sequence with
        the most domains needs, first domains under each other, then second ones.
    first : Alignment, optional
        The alignment that the model was built from; its rows come first (``--mapali``).

    Returns
    -------
    AlignedFamily
        Columns of the model have the reference "x"; a sequence without any domain is an insert.
    """
    one = configure(core, mode=mode, multihit=False)
    rows = rows_of_domains(core, batch, mode) if all_domains else rows_of(one, batch)
    return assemble(core, [*(() if first is None else rows_of_alignment(core, first)), *rows], trim=trim)


def rows_of(profile: SearchProfile, batch: SequenceBatch) -> list[Row]:
    """Return the sequences, each with the trace of one domain."""
    decoder = Decoder(profile)
    return [_row(name, residues, decoder(residues, len(residues))) for name, residues in _named(batch)]


def _row(name: str, residues: AnyArray, found: Decoded | None) -> Row:
    if found is None:
        return Row(name, residues, np.ones(len(residues)), ())
    return Row(name, residues, found.flanks.astype(np.float64), (found.trace,))


def _named(batch: SequenceBatch) -> Iterator[tuple[str, AnyArray]]:
    return zip(batch.names or tuple(str(s + 1) for s in range(len(batch))), batch, strict=True)


def rows_of_domains(core: CoreModel, batch: SequenceBatch, mode: Mode = "local") -> list[Row]:
    """Return the sequences, each with the traces of all its domains.

    Domains are found in the local mode; each is then aligned in ``mode`` to all that lies nearer to it than to another.
    """
    finder = DomainFinder(core)
    decoder = Decoder(configure(core, mode=mode, multihit=False))
    rows = []
    for name, residues in _named(batch):
        found = [decoder(residues[lo:hi], len(residues), first=lo + 1) for lo, hi in _territories(finder, residues)]
        domains = [domain for domain in found if domain is not None]
        flanks = (
            np.concatenate([domain.flanks for domain in domains])
            if found and len(domains) == len(found)
            else np.ones(len(residues))
        )
        rows.append(Row(name, residues, flanks.astype(np.float64), tuple(domain.trace for domain in domains)))
    return rows


def rows_of_alignment(core: CoreModel, alignment: Alignment) -> list[Row]:
    """Return the rows of the alignment that a model was built from, with the traces that its columns say.

    Raises
    ------
    DataError
        Where the model has no map of columns, or was built from another alignment.
    """
    found = alignment_checksum(alignment)
    if core.columns is None or core.checksum != found:
        raise DataError(
            f"model {core.name!r} was not built from this alignment", got=f"checksum {found}", expected=core.checksum
        )
    node = np.zeros(alignment.n_columns + 1, np.int64)
    node[core.columns] = np.arange(1, core.n_nodes + 1)
    after = np.maximum.accumulate(node)[1:]
    is_node = node[1:] > 0
    rows = []
    for name, symbols, filled in zip(alignment.names, alignment.symbols, alignment.is_residue, strict=True):
        columns = np.flatnonzero(filled)
        inside = (after[columns] > 0) & (is_node[columns] | (after[columns] < core.n_nodes))
        states = np.where(is_node[columns], P_M, P_I)[inside]
        places = np.flatnonzero(inside) + 1
        trace = Trace(states, after[columns][inside], places, np.ones(len(places)))
        rows.append(Row(name, symbols[filled], np.ones(len(columns)), (trace,) if len(places) else ()))
    return rows


def _territories(finder: DomainFinder, residues: AnyArray) -> list[tuple[int, int]]:
    """Return where to look for each domain: the sequence, cut half way between good domains that do not overlap."""
    if not len(residues):
        return []
    cuts, last = [0], 0
    for envelope in finder.find(residues, finder.forward(residues)[1]).envelopes:
        nodes = envelope.trace.nodes
        short = 2 * (nodes[-1] - nodes[0] + 1) <= finder.core.n_nodes
        if short or envelope.first <= last or _bits(envelope, len(residues)) < _GOOD:
            continue
        if last:
            cuts.append((last + envelope.first) // 2)
        last = envelope.last
    return list(itertools.pairwise([*cuts, len(residues)]))


def _bits(envelope: Envelope, length: int) -> float:
    outside = length - (envelope.last - envelope.first + 1)
    return float(envelope.score + outside * np.log(length / (length + 3.0)) - null_score(length)) / np.log(2.0)


def assemble(core: CoreModel, rows: Iterable[Row], *, trim: bool = False) -> AlignedFamily:
    """Return rows as one alignment: a column for each node, and between them as many as the longest insert needs.

    Residues before the model are flush right, those after it flush left, inserts are split between both sides.
    """
    rows = list(rows)
    blocks = max((len(row.traces) for row in rows), default=0) or 1
    M, gap = core.n_nodes, core.alphabet.gap
    slots = blocks * M + 1
    places = [_place(row, M) for row in rows]
    widths = np.zeros(slots, np.int64)
    for slot, _ in places:
        np.maximum(widths, np.bincount(slot[slot >= 0], minlength=slots), out=widths)
    if trim:
        widths[0] = widths[-1] = 0
    node_column = np.cumsum(widths[:-1] + 1) - 1
    total = int(widths.sum()) + slots - 1
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
        symbols,
        core.alphabet,
        tuple(row.name for row in rows),
        name=core.name,
        reference=_spread("x" * M * blocks, is_node),
    )
    structure, mask = (line and _spread(line * blocks, is_node) for line in (core.structure, core.mask))
    alignment = replace(alignment, structure=structure, mask=mask)
    mean = np.divide(sums, counts, out=np.zeros(total), where=counts > 0)
    consensus = np.where(is_node & (counts > 0), posterior_letters(mean), _GAP).astype(np.uint8)
    return AlignedFamily(alignment, tuple(line.tobytes().decode() for line in letters), consensus.tobytes().decode())


def _place(row: Row, n_nodes: int) -> tuple[IntArray, IntArray]:
    """Return for each residue the node that its insert follows, else -1, and the node that it matches, else 0.

    Nodes of the second domain count on from those of the first.
    """
    slot, node = np.zeros(len(row.residues), np.int64), np.zeros(len(row.residues), np.int64)
    for block, trace in enumerate(row.traces):
        inserted, matched = trace.states == P_I, trace.states == P_M
        slot[trace.residues[0] - 1 : trace.residues[-1]] = -1
        slot[trace.residues[-1] :] = (block + 1) * n_nodes
        slot[trace.residues[inserted] - 1] = block * n_nodes + trace.nodes[inserted]
        node[trace.residues[matched] - 1] = block * n_nodes + trace.nodes[matched]
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
    values = row.flanks.copy()
    for trace in row.traces:
        placed = trace.states != P_D
        values[trace.residues[placed] - 1] = trace.posteriors[placed]
    return values


def _spread(line: str, is_node: NDArray[np.bool_]) -> str:
    letters = np.full(len(is_node), _GAP, np.uint8)
    letters[is_node] = np.frombuffer(line.encode("ascii"), np.uint8)
    return letters.tobytes().decode()
