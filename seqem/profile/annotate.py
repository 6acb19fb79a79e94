"""What a core model says about itself: consensus, composition, bound of its length, lines of its alignment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seqem.bio.alignment import Alignment
from seqem.bio.alphabet import PROTEIN, Alphabet
from seqem.bio.background import background
from seqem.bio.checksum import alignment_checksum
from seqem.kernels import profile_build as kb
from seqem.profile.configure import occupancy
from seqem.profile.plan7 import CoreModel, Cutoffs
from seqem.shapes import Array, IntArray, Mask

_LONGEST = 20  # residues a node


def consensus(match: Array, alphabet: Alphabet, symbols: IntArray | None = None) -> str:
    """Return one letter for each node, in upper case where its probability is high.

    Parameters
    ----------
    match : ndarray, shape (M, A)
        Emissions.
    alphabet : Alphabet
        Probabilities are high from 0.5 for proteins, from 0.9 for nucleotides.
    symbols : ndarray of int, shape (M,), optional
        The letters, degenerate ones in lower case; the most probable ones unless given.

    Examples
    --------
    >>> consensus(np.array([[0.9, 0.1, 0, 0], [0.1, 0.8, 0.1, 0]]), Alphabet("dna", "ACGT", {"N": "ACGT"}, {}))
    'Ac'
    """
    best = match.argmax(axis=1) if symbols is None else symbols
    canonical = best < match.shape[1]
    own = match[np.arange(len(best)), np.where(canonical, best, 0)]
    probable = canonical & (own >= (0.5 if alphabet is PROTEIN else 0.9))
    letters = alphabet.decode(best)
    return "".join(a if high else a.lower() for a, high in zip(letters, probable, strict=True))


def composition(core: CoreModel) -> Array:
    """Return the mean frequencies of letters in what the model emits, shape (A,)."""
    used, inserted = occupancy(core)
    total = used @ core.match[1:] + inserted @ core.insert
    return total / total.sum()


def length_bound(transitions: Array, tail: float = 1e-7) -> int:
    """Return the length, at most 20 M, that less than ``tail`` of what a model emits reaches.

    Parameters
    ----------
    transitions : ndarray, shape (M + 1, 7)
        Of the core model; paths begin at the first match.
    tail : float
        Probability.

    Examples
    --------
    >>> length_bound(np.array([[1, 0, 0, 0.5, 0.5, 1, 0], [0.9, 0.1, 0, 0.9, 0.1, 0.5, 0.5], [1.0] * 7]), tail=0.02)
    4
    """
    nodes = len(transitions) - 1
    if nodes == 1:
        return 1
    return int(kb.length_bound(transitions, tail, _LONGEST * nodes, *np.zeros((3, nodes + 1))))


def annotated(core: CoreModel, alignment: Alignment, columns: Mask) -> CoreModel:
    """Return the model with its own annotation and that of the alignment that it was built from."""
    at = np.flatnonzero(columns)
    return _masked(
        replace(
            described(core),
            accession=alignment.accession,
            description=alignment.description,
            reference=_at(alignment.reference, at),
            structure=_at(alignment.structure, at),
            mask=_at(alignment.mask, at),
            columns=at + 1,
            n_sequences=len(alignment),
            checksum=alignment_checksum(alignment),
            gathering=_cutoffs(alignment, "GA"),
            trusted=_cutoffs(alignment, "TC"),
            noise=_cutoffs(alignment, "NC"),
        )
    )


def _at(line: str | None, columns: IntArray) -> str | None:
    return None if line is None else "".join(line[w] for w in columns)


def _cutoffs(alignment: Alignment, tag: str) -> Cutoffs | None:
    return Cutoffs(*alignment.cutoffs[tag]) if tag in alignment.cutoffs else None


def _masked(core: CoreModel) -> CoreModel:
    """Return the model with background emissions and consensus x at the nodes that its mask marks with m."""
    if core.mask is None or core.consensus is None:
        return core
    match = core.match.copy()
    match[1:][[letter == "m" for letter in core.mask]] = background(core.alphabet)
    letters = ("x" if mark == "m" else letter for letter, mark in zip(core.consensus, core.mask, strict=True))
    return replace(core, match=match, consensus="".join(letters))


def described(core: CoreModel, symbols: IntArray | None = None) -> CoreModel:
    """Return the model with consensus and composition, and the bound of its length if it is of nucleotides."""
    return replace(
        core,
        consensus=consensus(core.match[1:], core.alphabet, symbols),
        composition=composition(core),
        max_length=None if core.alphabet is PROTEIN else length_bound(core.transitions),
    )
