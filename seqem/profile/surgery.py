"""Model surgery: nodes that few sequences use go, inserts that many use become nodes (Krogh et al. 1994; SAM)."""

from __future__ import annotations

import numpy as np

from seqem.profile.family import FamilyCounts, FamilyParams
from seqem.profile.plan7 import DD, II, MD, MI
from seqem.shapes import Array, IntArray

# Of MM MI MD IM II DM DD before any data: what families of domains look like.
FIRST_STEPS = (0.95, 0.03, 0.02, 0.6, 0.4, 0.7, 0.3)


def first_transitions(n_nodes: int) -> Array:
    """Return transitions to begin with, (M + 1, 7)."""
    t = np.tile(np.array(FIRST_STEPS), (n_nodes + 1, 1))
    t[0, 5:] = t[-1, 5:] = 1.0, 0.0
    t[-1, :3] = 1.0, 0.0, 0.0
    return t


def operate(
    params: FamilyParams,
    counts: FamilyCounts,
    unknown: Array,
    *,
    cut_match: float = 0.5,
    cut_insert: float = 0.5,
    least: float = 0.1,
) -> FamilyParams | None:
    """Return parameters with the nodes that the counts ask for, None where they ask for no change.

    Parameters
    ----------
    params : FamilyParams
        With M nodes.
    counts : FamilyCounts
        Expected counts at the parameters.
    unknown : ndarray, shape (A,)
        Emissions of a new node.
    cut_match, cut_insert : float
        A node goes where a smaller share of the sequences that reach it uses it; an insert becomes as many nodes as it is
        long on the average where a larger share of all uses it.
    least : float
        A node goes where a smaller share of all sequences uses it.
    """
    weight = float(counts.weight)
    used = counts.match.sum(axis=1) / weight
    opened = counts.transitions[:-1, MI] / weight
    length = 1 + counts.transitions[:-1, II] / np.maximum(counts.transitions[:-1, MI], 1e-9)
    keep = (used >= cut_match * _reached(counts) / weight) & (used >= least)
    more = np.where(opened > cut_insert, np.rint(length), 0).astype(np.int64)
    before, after = np.rint(counts.flanks / weight).astype(np.int64)
    more[0] = before
    more = np.append(more, after)
    if (keep.all() and not more.any()) or not keep.any():
        return None
    return _rebuilt(params, keep, more, unknown)


def _reached(counts: FamilyCounts) -> Array:
    """Return how many sequences have residues at or on both sides of each node: fragments say nothing beyond their ends.

    Deletes that open or close a path are told from others by following the expected steps as a Markov chain.
    """
    t = counts.transitions
    into = t[:-1, MD] + t[:-1, DD]  # deletes at nodes 1 to M
    on = np.divide(t[1:-1, DD], into[:-1], out=np.zeros(len(into) - 1), where=into[:-1] > 0)
    back = np.divide(t[1:-1, DD], into[1:], out=np.zeros(len(into) - 1), where=into[1:] > 0)
    opening = into[0] * np.concatenate([[1.0], np.cumprod(on)])
    closing = into[-1] * np.concatenate([np.cumprod(back[::-1])[::-1], [1.0]])
    return np.asarray(counts.weight - np.minimum(opening + closing, into))


def _rebuilt(params: FamilyParams, keep: Array, more: IntArray, unknown: Array) -> FamilyParams:
    fresh = np.array(FIRST_STEPS)
    rows, steps = [unknown] * int(more[0]), [fresh] * int(more[0])
    for k in range(len(keep)):
        if keep[k]:
            rows.append(params.match[k])
            steps.append(fresh if more[k + 1] or (k + 1 < len(keep) and not keep[k + 1]) else params.transitions[k + 1])
        rows += [unknown] * int(more[k + 1])
        steps += [fresh] * int(more[k + 1])
    t = first_transitions(len(rows))
    t[1:-1] = steps[:-1]
    t[0] = params.transitions[0] if keep[0] and not more[0] else t[0]
    return FamilyParams(np.array(rows), t)
