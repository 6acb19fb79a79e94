"""From an alignment to weighted counts of the paths of its rows through a profile."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from seqem.bio.alignment import Alignment
from seqem.bio.alphabet import Alphabet
from seqem.errors import DataError
from seqem.kernels import profile_build as kb
from seqem.shapes import Array, IntArray, Mask


class ProfileCounts(NamedTuple):
    """Weighted counts: match and insert emissions (M + 1, A), transitions (M + 1, 7); row 0 of match is zero."""

    match: Array
    insert: Array
    transitions: Array

    def scaled(self, factor: float | Array) -> ProfileCounts:
        """Return the counts times one factor, or one for each node, shape (M + 1,)."""
        factor = np.asarray(factor).reshape(-1, 1)
        return ProfileCounts(self.match * factor, self.insert * factor, self.transitions * factor)


class Spans(NamedTuple):
    """First column, one past the last column, and number of residues of each row; shape (S,) each."""

    first: IntArray
    last: IntArray
    length: IntArray

    def where(self, short: Mask, n_columns: int) -> Spans:
        """Return the spans of the rows that are ``short``, and all columns for the others."""
        return Spans(np.where(short, self.first, 0), np.where(short, self.last, n_columns), self.length)


def residue_spans(alignment: Alignment) -> Spans:
    """Return where the residues of each row lie; a row of gaps begins past the end and ends at 0."""
    spans = Spans(*np.empty((3, len(alignment)), np.int64))
    kb.spans(alignment.symbols, alignment.alphabet.gap, *spans)
    return spans


def fragment_spans(alignment: Alignment, fragthresh: float = 0.5) -> Spans:
    """Return the columns in which each row is known.

    Those are all columns, but of a row with at most ``fragthresh`` residues a column, which is taken for a fragment,
    only those from its first to its last residue.
    """
    spans = residue_spans(alignment)
    return spans.where(spans.length <= fragthresh * alignment.n_columns, alignment.n_columns)


def column_counts(alignment: Alignment, spans: Spans, weights: Array) -> Array:
    """Return the weight of each symbol in each column, gap last, over the known part of the rows; (W, C + 1)."""
    counts = np.zeros((alignment.n_columns, alignment.alphabet.gap + 1))
    kb.count_columns(alignment.symbols, spans.first, spans.last, weights, counts)
    return counts


def residue_share(counts: Array) -> Array:
    """Return the share of residues in each column of weights of symbols (W, C + 1), gap last; 0 where nothing is.

    Examples
    --------
    >>> residue_share(np.array([[2.0, 0.0, 2.0], [0.0, 0.0, 0.0]])).tolist()
    [0.5, 0.0]
    """
    residues, total = counts[:, :-1].sum(axis=1), counts.sum(axis=1)
    return np.divide(residues, total, out=np.zeros(len(counts)), where=total > 0)


def hand_columns(alignment: Alignment) -> Mask:
    """Return the columns that the reference line (RF) marks, shape (W,).

    Raises
    ------
    DataError
        Where the alignment has no such line.
    """
    if alignment.reference is None:
        raise DataError("columns by hand want a reference line (RF)", hint="choose them by symfrac instead")
    return np.array([letter not in alignment.alphabet.gaps + "_~ " for letter in alignment.reference])


def masked(alignment: Alignment) -> Alignment:
    """Return the alignment with any residue instead of those in the columns that its mask line (MM) marks with m."""
    if alignment.mask is None:
        return alignment
    hidden = np.array([letter == "m" for letter in alignment.mask]) & alignment.is_residue
    return replace(alignment, symbols=np.where(hidden, np.uint8(alignment.alphabet.gap - 1), alignment.symbols))


def count_paths(alignment: Alignment, columns: Mask, spans: Spans, weights: Array) -> ProfileCounts:
    """Return the weighted counts of the path of every row.

    Parameters
    ----------
    alignment : Alignment
        S rows.
    columns : ndarray of bool, shape (W,)
        Which columns are match nodes.
    spans : Spans
        Where each row is known; what lies outside counts for nothing.
    weights : ndarray, shape (S,)
        Of the rows.

    Returns
    -------
    ProfileCounts
        A delete beside an insert is counted as a match with the residue of the insert, for Plan 7 has no such step.
    """
    M, alphabet = int(columns.sum()), alignment.alphabet
    match, insert = np.zeros((2, M + 1, alphabet.gap + 1))
    transitions = np.zeros((M + 1, 7))
    scratch = np.empty((3, alignment.n_columns), np.int64)
    kb.count_paths(
        alignment.symbols, columns, alphabet.gap, weights, spans.first, spans.last, scratch, match, insert, transitions
    )
    shares = letter_shares(alphabet)
    return ProfileCounts(match[:, :-1] @ shares, insert[:, :-1] @ shares, transitions)


def letter_shares(alphabet: Alphabet) -> Array:
    """Return what each symbol counts for each letter, (C, A): a degenerate one is spread evenly."""
    return alphabet.codes / alphabet.codes.sum(axis=1, keepdims=True)
