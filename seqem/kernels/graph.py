"""Hidden Markov models on sparse graphs with junctions: forward, smoothing, best path, token passing.

A graph has nodes that take a frame each (0 to E - 1) and junctions that take none (E to N - 1, in an order in which arcs
between junctions go up). Arcs lie by target: those into node j are ``first[j]`` to ``first[j + 1]``, from ``source`` with
natural logarithm ``weight``. Node e takes column ``pdf[e]`` of the log-likelihoods of a frame. Row t of a trellis is
after t frames; an arc into a node that takes a frame comes from the row before, an arc into a junction from its own row.

Logarithms throughout: composite models of minutes leave the range of scaled numbers long before their last node is reached.
What lies more than ``beam`` below the best of a row is cut off.
"""

from __future__ import annotations

import numpy as np

from seqem.kernels._jit import kernel

# Shares of a sequence too small to matter in any sum of ours.
_TINY = 1e-30


@kernel
def forward(first, source, weight, pdf, start, final, frames, beam, alpha):  # type: ignore[no-untyped-def]
    """Fill ``alpha`` (T + 1, N), log p(frames so far, node now), and return the log-likelihood.

    Parameters
    ----------
    frames : (T, P), log-likelihoods.
    """
    T, E, N = len(frames), len(pdf), len(first) - 1
    for t in range(T + 1):
        best = -np.inf
        for j in range(E):
            alpha[t, j] = -np.inf
            if t > 0:
                alpha[t, j] = _gathered(first, source, weight, alpha, t - 1, j) + frames[t - 1, pdf[j]]
                best = max(best, alpha[t, j])
        if t > 0:
            for j in range(E):
                if alpha[t, j] < best - beam:
                    alpha[t, j] = -np.inf
        for j in range(E, N):
            alpha[t, j] = 0.0 if t == 0 and j == start else _gathered(first, source, weight, alpha, t, j)
    return alpha[T, final]


@kernel
def _gathered(first, source, weight, alpha, t, j):  # type: ignore[no-untyped-def]
    """Return the logarithm of the sum over the arcs into node ``j`` of what row ``t`` brings along them."""
    top = -np.inf
    for a in range(first[j], first[j + 1]):
        top = max(top, alpha[t, source[a]] + weight[a])
    if top == -np.inf or first[j + 1] - first[j] == 1:
        return top
    total = 0.0
    for a in range(first[j], first[j + 1]):
        below = alpha[t, source[a]] + weight[a] - top
        if below > -40.0:
            total += np.exp(below)
    return top + np.log(total)


@kernel
def smooth(first, source, weight, pdf, final, frames, alpha, mass, column, here, before, counts, resp):  # type: ignore[no-untyped-def]
    """Add the posterior of arcs to ``counts`` (A,) and of nodes to columns ``column`` (E,) of ``resp`` (T, C), times ``mass``.

    From the last row back: given the node it led to, an arc's share is what it brought of that node's ``alpha``.
    No sum of logarithms is taken, and shares add to one whatever was rounded.

    Parameters
    ----------
    alpha : (T + 1, N), of :func:`forward`.
    here, before : (N,), scratch, zero.
    """
    T, E, N = len(frames), len(pdf), len(first) - 1
    here[final] = mass
    for t in range(T, -1, -1):
        for j in range(N - 1, E - 1, -1):
            if here[j] > _TINY:
                for a in range(first[j], first[j + 1]):
                    share = here[j] * np.exp(alpha[t, source[a]] + weight[a] - alpha[t, j])
                    counts[a] += share
                    here[source[a]] += share
            here[j] = 0.0
        if t == 0:
            break
        for j in range(E):
            if here[j] > _TINY:
                resp[t - 1, column[j]] += here[j]
                reached = alpha[t, j] - frames[t - 1, pdf[j]]
                for a in range(first[j], first[j + 1]):
                    share = here[j] * np.exp(alpha[t - 1, source[a]] + weight[a] - reached)
                    counts[a] += share
                    before[source[a]] += share
            here[j] = 0.0
        here, before = before, here
    here[:] = 0.0
    before[:] = 0.0


@kernel
def best_path(first, source, weight, pdf, start, final, frames, beam, row, last, back):  # type: ignore[no-untyped-def]
    """Fill ``back`` (T + 1, N) with the best arc into each node, -1 for none, and return the score of the best path.

    Parameters
    ----------
    row, last : (N,), scratch.
    """
    T, E, N = len(frames), len(pdf), len(first) - 1
    for t in range(T + 1):
        row, last = last, row
        best = -np.inf
        for j in range(E):
            row[j], back[t, j] = -np.inf, -1
            if t > 0:
                row[j], back[t, j] = _best_arc(first, source, weight, last, j)
                row[j] += frames[t - 1, pdf[j]]
                best = max(best, row[j])
        if t > 0:
            for j in range(E):
                if row[j] < best - beam:
                    row[j] = -np.inf
        for j in range(E, N):
            if t == 0 and j == start:
                row[j], back[t, j] = 0.0, -1
            else:
                row[j], back[t, j] = _best_arc(first, source, weight, row, j)
    return row[final]


@kernel
def _best_arc(first, source, weight, row, j):  # type: ignore[no-untyped-def]
    """Return the score of the best arc into node ``j``, and the arc."""
    top, arc = -np.inf, -1
    for a in range(first[j], first[j + 1]):
        score = row[source[a]] + weight[a]
        if score > top:
            top, arc = score, a
    return top, arc


@kernel
def trace(source, back, final, n_emitting, counts, path):  # type: ignore[no-untyped-def]
    """Fill ``path`` (T,), the node of each frame, from ``back``, and count its arcs in ``counts`` (A,)."""
    t, j = len(path), final
    while True:
        if j < n_emitting:
            path[t - 1] = j
        arc = back[t, j]
        if arc < 0:
            return
        counts[arc] += 1.0
        if j < n_emitting:
            t -= 1
        j = source[arc]
