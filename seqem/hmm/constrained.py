"""Rows of transitions under constraints that have no closed form: equal entries, and a stationary start."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from seqem.chain.params import ChainParams, stationary_distribution
from seqem.shapes import AnyArray, Array, Mask

_STEPS, _HALVINGS, _SETTLED = 200, 30, 1e-13


def group_uses(free: Mask, index: AnyArray) -> Array:
    """Return how often each row (K) takes from each group (G), shape (K, G): the coefficients of the row sums."""
    used = np.zeros((len(free), index.max(initial=-1) + 1))
    np.add.at(used, (np.nonzero(free)[0], index), 1.0)
    return used


def tied_rows(counts: Array, old: Array, kept: Mask, groups: AnyArray) -> Array:
    """Return the rows that maximise sum counts * log rows where entries of a group are equal.

    With multipliers u of the row sums the maximiser is x_g = C_g / sum_i u_i m_ig (C_g the counts of group g, m_ig its
    entries in row i), so the dual in u is smooth and convex with one variable a row.
    """
    free = ~kept & (old > 0)
    share = np.where(free, old, 0.0).sum(1)
    _, index = np.unique(groups[free], return_inverse=True)
    total = np.bincount(index, np.maximum(counts[free], 0.0))
    used = group_uses(free, index)
    active = (total > 0) & (used.sum(0) > 0)
    rows = (used[:, active] > 0).any(1)
    if not rows.any():
        return old

    def dual(log_u: Array) -> tuple[float, Array]:
        u = np.exp(log_u)
        slope = u @ used[np.ix_(rows, active)]
        gradient = share[rows] - used[np.ix_(rows, active)] @ (total[active] / slope)
        return float(share[rows] @ u - total[active] @ np.log(slope)), gradient * u

    first = np.log((used[:, active] @ total[active])[rows] / share[rows])
    found = minimize(dual, first, jac=True, method="BFGS", options={"gtol": 1e-12 * max(total.sum(), 1.0)})
    values = np.zeros(len(total))
    values[active] = total[active] / (np.exp(found.x) @ used[np.ix_(rows, active)])
    new = old.copy()
    new[free] = values[index]
    moved = np.where(free, new, 0.0).sum(1)
    new[~rows] = old[~rows]
    # The multipliers are found to rounding; the last digits of the row sums are put right here.
    scale = np.where(rows & (moved > 0), share / np.where(moved > 0, moved, 1.0), 1.0)
    return np.where(free, new * scale[:, None], new)


def stationary_step(start_counts: Array, counts: Array, old: ChainParams, kept: Mask) -> ChainParams:
    """Return the chain that maximises counts * log trans + start counts * log stationary(trans).

    With G the derivative of the second term, a row's maximiser satisfies trans = (counts + trans * (G - its mean)) / sum of
    counts. The step from trans towards the right-hand side ascends; it is taken again and again, halved where it is too long.
    """
    trans, free = old.trans, ~kept & (old.trans > 0)
    value = _stationary_value(start_counts, counts, trans)
    for _ in range(_STEPS):
        step = _towards_stationary(start_counts, counts, trans, free) - trans
        for _ in range(_HALVINGS):
            new_value = _stationary_value(start_counts, counts, trans + step)
            if new_value >= value:
                break
            step = 0.5 * step
        else:
            break
        trans, value = trans + step, new_value
        if np.abs(step).max(initial=0.0) <= _SETTLED:
            break
    return old._replace(start=stationary_distribution(trans), trans=trans)


def _stationary_value(start_counts: Array, counts: Array, trans: Array) -> float:
    seen, begun = counts > 0, start_counts > 0
    with np.errstate(divide="ignore"):
        paths = (counts[seen] * np.log(trans[seen])).sum()
        return float(paths + (start_counts[begun] * np.log(stationary_distribution(trans)[begun])).sum())


def _towards_stationary(start_counts: Array, counts: Array, trans: Array, free: Mask) -> Array:
    """Return the right-hand side above; the derivative by trans[k, l] is d_k (Z s)_l, Z fundamental (Schweitzer 1968)."""
    delta = stationary_distribution(trans)
    # Where a chain falls apart its stationary distribution is that of least norm, and the inverse a pseudo-inverse.
    fundamental = np.linalg.pinv(np.eye(len(trans)) - trans + delta)
    share = np.divide(start_counts, delta, out=np.zeros_like(delta), where=delta > 0)
    pull = np.outer(delta, fundamental @ share)
    inside = np.where(free, trans, 0.0)
    room = inside.sum(1, keepdims=True)
    mean = (inside * pull).sum(1, keepdims=True) / np.where(room > 0, room, 1.0)
    weight = np.where(free, np.maximum(counts + inside * (pull - mean), 0.0), 0.0)
    total = weight.sum(1, keepdims=True)
    return np.where(free & (total > 0), weight / np.where(total > 0, total, 1.0) * room, trans)
