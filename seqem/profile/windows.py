"""Windows of a long target: where the filters see something, and how far around it the rest of a domain may reach.

The rules are those of nhmmer (Wheeler & Eddy 2013, Bioinformatics 29:2487): segments above the score of the first filter
are extended by the share of the model's greatest length that the nodes before and behind them account for.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seqem.bio.alphabet import Alphabet
from seqem.kernels import profile_viterbi as kv
from seqem.kernels import profile_windows as kernel
from seqem.profile.configure import SearchProfile
from seqem.profile.evalue import null_score
from seqem.profile.filters import (
    BYTE_BASE,
    BYTE_SCALE,
    LOOP_COSTS,
    WORD_BASE,
    WORD_SCALE,
    Filters,
    byte_cost,
    move_score,
    word_score,
)
from seqem.profile.tables import aligned
from seqem.shapes import AnyArray, Array, IntArray

_TAIL = 1e-7
# Windows reach further than the model's nodes ask for, by this share of the greatest length.
_MARGIN = 0.1
_LN2 = np.log(2.0)
_SEEDS = 1 << 12


def complement(alphabet: Alphabet) -> NDArray[np.uint8]:
    """Return the complement of each symbol of a nucleic acid; gap and nonresidue are their own.

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> DNA.decode(complement(DNA)[DNA.encode("GATTRCAN")])
    'CTAAYGTN'
    """
    codes = alphabet.codes
    other = [int(np.flatnonzero((codes == row[::-1]).all(axis=1))[0]) for row in codes]
    return np.array([*other, len(codes), len(codes) + 1], np.uint8)


def gumbel_quantile(p: float, location: float, scale: float) -> float:
    """Return the score that random scores exceed with probability ``p``.

    Examples
    --------
    >>> round(gumbel_quantile(0.02, -8.0, 0.7), 3)
    -2.426
    """
    with np.errstate(divide="ignore"):
        return float(location - np.log(-np.log1p(-p)) / scale)


class Reach:
    """How far a domain may extend before and behind each node, as shares of the model's greatest length."""

    def __init__(self, profile: SearchProfile, max_length: int) -> None:
        self.max_length = max_length
        spans = _spans(profile)
        shares = np.concatenate([[0.0], spans / (spans.sum() or 1.0)])
        # As in HMMER, nothing lies before the last node, and a node and the one before it count as behind it.
        self._before = np.append(shares.cumsum(), 0.0)
        self._behind = np.append(0.0, shares[::-1].cumsum()[::-1])

    def windows(self, seeds: IntArray, length: int) -> IntArray:
        """Return first and last residue, from 1, of the windows around segments (first place, last node, residues)."""
        first, node, n = seeds[:, 0] + 1, seeds[:, 1], seeds[:, 2]
        low = first - self.max_length * (_MARGIN + self._before[node - n + 1])
        high = first + n + self.max_length * (_MARGIN + self._behind[node])
        return np.stack([np.maximum(low, 1), np.minimum(high, length)], axis=1).astype(np.int64)


def _spans(profile: SearchProfile) -> Array:
    """Return the residues that nodes 1 to M - 1 emit, match and inserts, but for a tail of small probability."""
    opened, stay = profile.steps.open[:-1], profile.steps.stay[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        inserts = np.log(_TAIL / opened) / np.log(stay)
    return 1.0 + np.where(opened > 0, np.trunc(inserts), 0.0)


def merge(windows: IntArray, share: float) -> IntArray:
    """Join neighbours that overlap by more than a share of the shorter one.

    Examples
    --------
    >>> merge(np.array([[1, 10], [5, 20], [21, 30]]), 0.0).tolist()
    [[1, 20], [21, 30]]
    """
    merged: list[list[int]] = []
    for low, high in windows.tolist():
        if merged:
            a, b = merged[-1]
            common = min(b, high) - max(a, low) + 1
            if common > share * min(b - a + 1, high - low + 1):
                merged[-1] = [min(a, low), max(b, high)]
                continue
        merged.append([low, high])
    return np.array(merged, np.int64).reshape(-1, 2)


class WindowFilters(Filters):
    """The filters of a model over long targets, which tell where they see something."""

    def segment_limit(self, bits: float, max_length: int) -> int:
        """Return the byte of a segment that reaches a score in bits on a target of that length."""
        nats = null_score(max_length) + bits * _LN2 + LOOP_COSTS
        limit = (
            np.ceil(nats * BYTE_SCALE)
            + BYTE_BASE
            + byte_cost(np.log(0.5))
            + byte_cost(move_score(np.array(max_length)))
        )
        return int(np.clip(limit, 1, 255))

    @cached_property
    def _strand_costs(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        forward = self._unsigned_costs
        return forward, aligned(forward[complement(self.profile.core.alphabet)])

    def segment_seeds(self, residues: AnyArray, limit: int, max_length: int, *, reverse: bool) -> IntArray:
        """Return first place on the strand, last node and length of the segments that reach the limit, shape (n, 3)."""
        L, costs = len(residues), self._strand_costs[int(reverse)]
        start, step = (L - 1, -1) if reverse else (0, 1)
        begin = max(0, BYTE_BASE - int(byte_cost(move_score(np.array(max_length)))) - self._enter)
        row = aligned(np.zeros(costs.shape[1], np.uint8))
        found, at, dim = [np.empty((0, 3), np.int64)], 0, (0,) * self.width
        while at < L:
            seeds = np.empty((_SEEDS, 3), np.int64)
            count, at = kernel.segment_places(
                residues, start, step, L, at, costs, self._bias, begin, limit, self._n, row, seeds, dim
            )
            found.append(seeds[:count])
        return np.concatenate(found)

    def viterbi_seeds(self, residues: AnyArray, nats: float, length: int) -> IntArray:
        """Return place, node and 1 where a path reaches a score in nats; ``length`` is that of the length model."""
        move, leave = int(word_score(move_score(np.array(length)))), int(word_score(np.log(0.5)))
        limit = int(np.clip(np.ceil((nats + LOOP_COSTS) * WORD_SCALE - leave - move + WORD_BASE), 0, 32767))
        words, scores = self._words, self._word_scores
        row = aligned(np.zeros(3 * scores.shape[1], np.int16))
        room, count = 16, -1
        while count < 0:
            room *= 16
            places = np.empty((room, 2), np.int64)
            count = kv.viterbi_places(
                residues, scores, words, WORD_BASE, leave, move, limit, self._n, row, places, (0,) * self._word_width
            )
        return np.insert(places[:count], 2, 1, axis=1)
