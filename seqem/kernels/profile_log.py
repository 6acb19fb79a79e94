"""Recursions of a search profile in log space, 64 bits, one cell after the other: Forward, Backward and Viterbi.

``odds`` (symbols, M) are log odds, ``steps`` (STEPS, M) logs of :class:`seqem.profile.configure.Steps` in its order, ``special``
logs of loop, move, E to C and E to J. ``cells`` (L + 1, 3, M) gets match, insert and delete, ``states`` (L + 1, 5) gets
N B E J C, after each number of residues. The graph is that of :mod:`seqem.kernels.profile_forward`.

Range: nothing underflows; -inf is a sum of nothing. Some two hundred times slower than vectors, Viterbi twenty-five.
"""

import numpy as np

from seqem.kernels._jit import kernel
from seqem.kernels.profile_domains import (
    CHAIN,
    DELETE,
    ENTRY,
    IN_D,
    IN_I,
    IN_M,
    INSERT,
    LEAVE,
    MATCH,
    OPEN,
    P_B,
    P_C,
    P_D,
    P_E,
    P_I,
    P_J,
    P_M,
    P_N,
    SKIP,
    STAY,
)
from seqem.kernels.profile_forward import E_TO_C, E_TO_J, LOOP, MOVE, B, C, E, J, N

IMPOSSIBLE = -np.inf


@kernel
def _log_add(a, b):
    if a < b:
        a, b = b, a
    return a if b == IMPOSSIBLE else a + np.log1p(np.exp(b - a))


@kernel
def _join(a, b, best):
    return max(a, b) if best else _log_add(a, b)


@kernel
def _fill(residues, odds, steps, special, cells, states, best):
    """Fill ``cells`` and ``states`` with the sums over all paths to each, or with the ``best`` of them; return the score."""
    L, n_nodes = residues.shape[0], odds.shape[1]
    cells[0], states[0] = IMPOSSIBLE, IMPOSSIBLE
    states[0, N], states[0, B] = 0.0, special[MOVE]
    for i in range(1, L + 1):
        old, new, emit = cells[i - 1], cells[i], odds[residues[i - 1]]
        end = IMPOSSIBLE
        for k in range(n_nodes):
            into = states[i - 1, B] + steps[ENTRY, k]
            new[DELETE, k] = IMPOSSIBLE
            if k > 0:
                into = _join(into, old[MATCH, k - 1] + steps[IN_M, k], best)
                into = _join(into, old[INSERT, k - 1] + steps[IN_I, k], best)
                into = _join(into, old[DELETE, k - 1] + steps[IN_D, k], best)
                new[DELETE, k] = _join(new[MATCH, k - 1] + steps[SKIP, k], new[DELETE, k - 1] + steps[CHAIN, k], best)
            new[MATCH, k] = into + emit[k]
            new[INSERT, k] = _join(old[MATCH, k] + steps[OPEN, k], old[INSERT, k] + steps[STAY, k], best)
            end = _join(end, _join(new[MATCH, k], new[DELETE, k], best) + steps[LEAVE, k], best)
        states[i, E] = end
        states[i, N] = states[i - 1, N] + special[LOOP]
        states[i, J] = _join(states[i - 1, J] + special[LOOP], end + special[E_TO_J], best)
        states[i, C] = _join(states[i - 1, C] + special[LOOP], end + special[E_TO_C], best)
        states[i, B] = _join(states[i, N], states[i, J], best) + special[MOVE]
    return states[L, C] + special[MOVE]


@kernel
def forward(residues, odds, steps, special, cells, states):
    """Fill ``cells`` and ``states`` with the log odds of all that leads to each; return the log odds of the sequence."""
    return _fill(residues, odds, steps, special, cells, states, False)


@kernel
def backward(residues, odds, steps, special, cells, states):
    """Fill ``cells`` and ``states`` with the log odds of all that follows each; return the log odds of the sequence."""
    L, n_nodes = residues.shape[0], odds.shape[1]
    for i in range(L, -1, -1):
        begin = IMPOSSIBLE
        if i < L:
            for k in range(n_nodes):
                begin = _log_add(begin, steps[ENTRY, k] + odds[residues[i], k] + cells[i + 1, MATCH, k])
        states[i, B] = begin
        states[i, C] = special[LOOP] + states[i + 1, C] if i < L else special[MOVE]
        states[i, J] = _log_add(begin + special[MOVE], special[LOOP] + states[i + 1, J] if i < L else IMPOSSIBLE)
        states[i, N] = _log_add(begin + special[MOVE], special[LOOP] + states[i + 1, N] if i < L else IMPOSSIBLE)
        end = _log_add(special[E_TO_C] + states[i, C], special[E_TO_J] + states[i, J])
        states[i, E] = end
        for k in range(n_nodes - 1, -1, -1):
            match, delete, insert = steps[LEAVE, k] + end, steps[LEAVE, k] + end, IMPOSSIBLE
            if k + 1 < n_nodes:
                match = _log_add(match, steps[SKIP, k + 1] + cells[i, DELETE, k + 1])
                delete = _log_add(delete, steps[CHAIN, k + 1] + cells[i, DELETE, k + 1])
            if i < L:
                match = _log_add(match, steps[OPEN, k] + cells[i + 1, INSERT, k])
                insert = _log_add(insert, steps[STAY, k] + cells[i + 1, INSERT, k])
            if i < L and k + 1 < n_nodes:
                follow = odds[residues[i], k + 1] + cells[i + 1, MATCH, k + 1]
                match = _log_add(match, steps[IN_M, k + 1] + follow)
                insert = _log_add(insert, steps[IN_I, k + 1] + follow)
                delete = _log_add(delete, steps[IN_D, k + 1] + follow)
            cells[i, MATCH, k], cells[i, INSERT, k], cells[i, DELETE, k] = match, insert, delete
    return states[0, N]


@kernel
def viterbi(residues, odds, steps, special, cells, states):
    """Fill ``cells`` and ``states`` with the log odds of the best path to each; return those of the best path."""
    return _fill(residues, odds, steps, special, cells, states, True)


@kernel
def _best_end(cells, steps, i):
    """Return the state and node, from 0, that the best path enters E from."""
    best, state, node = IMPOSSIBLE, P_M, 0
    for k in range(cells.shape[2]):
        if cells[i, MATCH, k] + steps[LEAVE, k] > best:
            best, state, node = cells[i, MATCH, k] + steps[LEAVE, k], P_M, k
        if cells[i, DELETE, k] + steps[LEAVE, k] > best:
            best, state, node = cells[i, DELETE, k] + steps[LEAVE, k], P_D, k
    return state, node


@kernel
def _before_match(cells, states, steps, i, k):
    best, state = states[i - 1, B] + steps[ENTRY, k], P_B
    if k > 0:
        old = cells[i - 1, :, k - 1]
        if old[MATCH] + steps[IN_M, k] > best:
            best, state = old[MATCH] + steps[IN_M, k], P_M
        if old[INSERT] + steps[IN_I, k] > best:
            best, state = old[INSERT] + steps[IN_I, k], P_I
        if old[DELETE] + steps[IN_D, k] > best:
            best, state = old[DELETE] + steps[IN_D, k], P_D
    return state


@kernel
def trace_back(cells, states, steps, special, path):
    """Fill ``path`` (n, 3) backwards with state, node and residue of the best path that Viterbi found; return its length.

    Nodes count from 1 and are 0 outside of the model; a residue, from 1, is the last one that was passed. The path goes
    from N before the first residue to C behind the last one. Where there is no path, its length is 0.
    """
    i, k, count = states.shape[0] - 1, 0, 0
    if states[i, C] == IMPOSSIBLE:
        return 0
    state = P_C
    while True:
        inside = state in (P_M, P_I, P_D)
        path[count, 0], path[count, 1], path[count, 2] = state, k + 1 if inside else 0, i
        count += 1
        if state == P_N:
            if i == 0:
                return count
            i -= 1
        elif state == P_B:
            state = P_N if states[i, N] >= states[i, J] else P_J
        elif state == P_E:
            state, k = _best_end(cells, steps, i)
        elif state in (P_C, P_J):
            flank, enter = (C, E_TO_C) if state == P_C else (J, E_TO_J)
            if i > 0 and states[i - 1, flank] + special[LOOP] > states[i, E] + special[enter]:
                i -= 1
            else:
                state = P_E
        elif state == P_M:
            state, i, k = _before_match(cells, states, steps, i, k), i - 1, k - 1
        elif state == P_I:
            opened = cells[i - 1, MATCH, k] + steps[OPEN, k] >= cells[i - 1, INSERT, k] + steps[STAY, k]
            state, i = P_M if opened else P_I, i - 1
        else:
            left = cells[i, MATCH, k - 1] + steps[SKIP, k] >= cells[i, DELETE, k - 1] + steps[CHAIN, k]
            state, k = P_M if left else P_D, k - 1
