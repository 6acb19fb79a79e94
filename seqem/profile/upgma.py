"""UPGMA trees (average linkage), ties included as HMMER 3 has them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqem.kernels import profile_build as kb
from seqem.shapes import Array, IntArray


class Tree(NamedTuple):
    """Inner nodes of a rooted tree of S leaves, the root last: children (S - 1, 2) and heights (S - 1,).

    Leaves are numbered 0 to S - 1, inner nodes from S on.
    """

    children: IntArray
    heights: Array


def upgma(distances: Array) -> Tree:
    """Return the UPGMA tree of distances (S, S), which are used up.

    Of equally near pairs the first in the order of rows is joined; the row that was last takes the place of the second
    of a pair, and the pair comes last.

    References
    ----------
    Sokal and Michener, Univ Kansas Sci Bull 38:1409 (1958).

    Examples
    --------
    >>> upgma(np.array([[0.0, 0.2, 0.6], [0.2, 0.0, 0.8], [0.6, 0.8, 0.0]])).heights.tolist()
    [0.1, 0.35]
    """
    S = len(distances)
    tree = Tree(np.empty((S - 1, 2), np.int64), np.empty(S - 1))
    at, size, nearest = np.arange(S), np.ones(S), np.empty(S, np.int64)
    kb.nearest_rows(distances, nearest)
    for n in range(S, 1, -1):
        i = kb.nearest_pair(distances, nearest, n)
        j = nearest[i]
        tree.children[S - n] = at[i], at[j]
        tree.heights[S - n] = distances[i, j] / 2
        for old, new in ((j, n - 1), (i, n - 2)):
            kb.swap(distances, n, old, new)
            at[[old, new]], size[[old, new]] = at[[new, old]], size[[new, old]]
        # Not in a kernel: a fused multiply-add would break ties in another way.
        pair, weight = distances[n - 2 : n, : n - 2], size[n - 2 : n]
        mean = (weight[0] * pair[0] + weight[1] * pair[1]) / weight.sum()
        distances[n - 2, : n - 2] = distances[: n - 2, n - 2] = mean
        at[n - 2], size[n - 2] = 2 * S - n, weight.sum()
        kb.renew_nearest(distances, n - 1, i, j, nearest)
    return tree
