"""The core model: Plan 7 probabilities of a family, with its annotation; the first of the three nouns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from seqem.bio.alphabet import Alphabet
from seqem.shapes import Array, IntArray

MM, MI, MD, IM, II, DM, DD = range(7)


class Calibration(NamedTuple):
    """Location and scale, in bits, of the scores of random sequences: what turns scores into P-values.

    ``msv`` and ``viterbi`` are Gumbel locations, ``forward`` is the start of an exponential tail.
    """

    msv: float
    viterbi: float
    forward: float
    msv_lambda: float
    viterbi_lambda: float
    forward_lambda: float


class Cutoffs(NamedTuple):
    """Curated score thresholds of a family in bits: of the sequence and of the domain (None for DNA models)."""

    sequence: float
    domain: float | None = None


@dataclass(frozen=True, eq=False)
class CoreModel:
    """Probabilities of a Plan 7 profile HMM with M nodes; node 0 stands for Begin, node M leads to End.

    Attributes
    ----------
    name : str
        Name of the family.
    alphabet : Alphabet
        DNA, RNA or PROTEIN, with A canonical letters.
    match, insert : ndarray, shape (M + 1, A)
        Emission probabilities; ``match[0]`` is not used and holds 1 for the first letter.
    transitions : ndarray, shape (M + 1, 7)
        Columns MM MI MD IM II DM DD: from node k to k + 1, or into and out of its insert state. Row 0 is
        begin to M1, I0 and D1, row M holds the way to the end in MM.
    accession, description : str, optional
        As in the file of the family.
    consensus, reference, mask, structure : str, optional
        One letter a node: CONS, RF, MM and CS lines of the HMMER3 format.
    columns : ndarray of int64, shape (M,), optional
        Column of the alignment, from 1, of each node (MAP).
    composition : ndarray, shape (A,), optional
        Mean residue composition of the model (COMPO).
    calibration : Calibration, optional
        Statistics of random scores.
    gathering, trusted, noise : Cutoffs, optional
        GA, TC and NC thresholds.
    n_sequences : int, optional
        Sequences of the alignment.
    effective_number : float, optional
        The number of sequences that the counts were scaled to.
    checksum : int, optional
        Checksum of the alignment, for ``mapali``.
    max_length : int, optional
        Length that nearly no sequence of the family exceeds (MAXL).
    date : str, optional
        When it was built.
    commands : tuple of str
        How it was built.
    """

    name: str
    alphabet: Alphabet
    match: Array
    insert: Array
    transitions: Array
    accession: str | None = None
    description: str | None = None
    consensus: str | None = None
    reference: str | None = None
    mask: str | None = None
    structure: str | None = None
    columns: IntArray | None = None
    composition: Array | None = None
    calibration: Calibration | None = None
    gathering: Cutoffs | None = None
    trusted: Cutoffs | None = None
    noise: Cutoffs | None = None
    n_sequences: int | None = None
    effective_number: float | None = None
    checksum: int | None = None
    max_length: int | None = None
    date: str | None = None
    commands: tuple[str, ...] = field(default=())

    @property
    def n_nodes(self) -> int:
        """Number of match nodes, M."""
        return len(self.match) - 1
