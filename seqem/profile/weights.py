"""Relative weights of the rows of an alignment: close relatives together count less."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqem.bio.alignment import Alignment
from seqem.errors import DataError
from seqem.kernels import profile_build as kb
from seqem.profile.counts import column_counts, residue_share, residue_spans
from seqem.profile.upgma import Tree, upgma
from seqem.shapes import Array, IntArray, Mask

IDENTITY = 0.62
_CONSENSUS = 0.5


def uniform(alignment: Alignment) -> Array:
    """Return weight 1 for every row, shape (S,)."""
    return np.ones(len(alignment))


def given(alignment: Alignment) -> Array:
    """Return the weights that the alignment came with, shape (S,), scaled to sum to S.

    Raises
    ------
    DataError
        Where it has none.
    """
    if alignment.weights is None:
        raise DataError("the alignment gives no weights", hint="choose another weighting, such as 'pb'")
    return _scaled(alignment.weights)


def position_based(alignment: Alignment, *, columns: Mask | None = None) -> Array:
    """Return the position-based weights of the rows.

    Parameters
    ----------
    alignment : Alignment
        S rows.
    columns : ndarray of bool, shape (W,), optional
        Where to look; unless given those with residues in more than half of the rows, or all where there are none.

    Returns
    -------
    ndarray, shape (S,)
        For each row the mean over its residues of 1 / (kinds in the column x rows with that residue), scaled to
        sum to S. Degenerate letters do not count.

    References
    ----------
    Henikoff and Henikoff, J Mol Biol 243:574 (1994).

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> rows = np.array([DNA.encode_aligned(text) for text in ("GATT", "GATT", "CATT")])
    >>> position_based(Alignment(rows, DNA, ("a", "b", "c"))).round(3).tolist()
    [0.938, 0.938, 1.125]
    """
    spans = residue_spans(alignment)
    short = spans.last - spans.first < np.ceil(_CONSENSUS * alignment.n_columns)
    counts = column_counts(alignment, spans.where(short, alignment.n_columns), uniform(alignment))
    if columns is None:
        columns = residue_share(counts) > _CONSENSUS
    if not columns.any():
        columns = np.ones(len(counts), bool)
    total, met = np.empty(len(alignment)), np.empty(len(alignment), np.int64)
    kb.sum_rows(alignment.symbols, _rarity(counts, columns, len(alignment.alphabet.letters)), total, met)
    return _scaled(total / np.maximum(met, 1))


def _rarity(counts: Array, columns: Mask, n_letters: int) -> Array:
    """Return 1 / (kinds x rows) of each letter in ``columns`` and 0 elsewhere, (W, C + 1)."""
    values = np.zeros(counts.shape)
    letters = counts[:, :n_letters]
    share = (letters > 0).sum(axis=1, keepdims=True) * letters
    np.divide(1.0, share, out=values[:, :n_letters], where=columns[:, None] & (letters > 0))
    return values


def gsc(alignment: Alignment) -> Array:
    """Return the weights of Gerstein, Sonnhammer and Chothia, shape (S,): branch lengths of a tree shared among leaves.

    The tree is UPGMA's on fractional differences; memory grows with the square of the number of rows.

    References
    ----------
    Gerstein, Sonnhammer and Chothia, J Mol Biol 236:1067 (1994).

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> rows = np.array([DNA.encode_aligned(text) for text in ("GATT", "GATT", "CATT")])
    >>> gsc(Alignment(rows, DNA, ("a", "b", "c"))).round(3).tolist()
    [0.75, 0.75, 1.5]
    """
    S = len(alignment)
    distances = np.empty((S, S))
    kb.differences(alignment.symbols, residue_spans(alignment).length, alignment.alphabet.gap, distances)
    return _scaled(_shared_branches(upgma(distances)))


def _shared_branches(tree: Tree) -> Array:
    """Return the length of a tree shared among its leaves: at each node in proportion to the length below."""
    children, S = tree.children, len(tree.children) + 1
    height = np.concatenate([np.zeros(S), tree.heights])
    below, size = np.zeros(2 * S - 1), np.ones(2 * S - 1)
    for node, pair in enumerate(children, start=S):
        below[node] = (height[node] - height[pair] + below[pair]).sum()
        size[node] = size[pair].sum()
    share = np.ones(2 * S - 1)
    for node in range(2 * S - 2, S - 1, -1):
        pair = children[node - S]
        parts = height[node] - height[pair] + below[pair]
        parts = parts if parts.sum() > 0 else size[pair]
        share[pair] = share[node] * parts / parts.sum()
    return share[:S]


def blosum(alignment: Alignment, *, identity: float = IDENTITY) -> Array:
    """Return one over the size of the cluster of each row, shape (S,), scaled to sum to S.

    References
    ----------
    Henikoff and Henikoff, PNAS 89:10915 (1992).

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> rows = np.array([DNA.encode_aligned(text) for text in ("GATT", "GATT", "CCCC")])
    >>> blosum(Alignment(rows, DNA, ("a", "b", "c"))).tolist()
    [0.75, 0.75, 1.5]
    """
    root = clusters(alignment, identity)
    return _scaled(1 / np.bincount(root)[root])


def clusters(alignment: Alignment, identity: float = IDENTITY) -> IntArray:
    """Return the first row of the single-linkage cluster of each row, shape (S,).

    Two rows are linked where the columns with the same letter are at least ``identity`` of the shorter row.
    """
    root = np.arange(len(alignment))
    kb.link_rows(alignment.symbols, residue_spans(alignment).length, alignment.alphabet.gap, identity, root)
    return root


def _scaled(weights: Array) -> Array:
    total = weights.sum()
    return weights * (len(weights) / total) if total > 0 else np.ones(len(weights))


# Each takes the alignment, the identity of clusters, and the columns to look at where they were chosen by hand.
WEIGHTINGS: dict[str, Callable[[Alignment, float, Mask | None], Array]] = {
    "pb": lambda alignment, _, columns: position_based(alignment, columns=columns),
    "gsc": lambda alignment, *_: gsc(alignment),
    "blosum": lambda alignment, identity, _: blosum(alignment, identity=identity),
    "given": lambda alignment, *_: given(alignment),
    "none": lambda alignment, *_: uniform(alignment),
}
