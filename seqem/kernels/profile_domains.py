"""From Forward and Backward of one sequence to its domains: occupancy, sampled paths, posteriors, the most accurate alignment.

Cells are laid out as :mod:`seqem.kernels.profile_forward` fills them. Nodes and residues count from 1 in what comes out.
"""

import numpy as np

from seqem.kernels._jit import kernel
from seqem.kernels._lanes import (
    add,
    last_lane,
    load,
    maximum,
    multiply,
    reduce_max,
    scan_up_best,
    shift_up,
    splat,
    store,
)
from seqem.kernels.profile_forward import (
    AHEAD,
    AT_II,
    AT_MI,
    E_TO_C,
    E_TO_J,
    EXIT,
    IN_BM,
    IN_DM,
    IN_IM,
    IN_MD,
    IN_MM,
    LOOP,
)
from seqem.kernels.profile_forward import CHAIN as CHAIN_UP

N, B, E, J, C, SCALE = range(6)
MATCH, INSERT, DELETE = range(3)
# Rows of ``steps`` (STEPS, M): as the fields of seqem.profile.configure.Steps.
ENTRY, IN_M, IN_I, IN_D, OPEN, STAY, SKIP, CHAIN, LEAVE = range(9)
# States of a path.
P_B, P_M, P_I, P_D, P_E, P_N, P_J, P_C, P_S = range(9)
LCG, LCG_STEP, TWO32 = 69069, 1, 4294967296.0


@kernel
def occupancy(ahead, behind, special, begins, ends, occupied):
    """Fill the running expected numbers of B and E, (L + 1,), and the probability that each residue is in a domain."""
    scale = 1.0 / behind[0, N]
    begins[0] = ends[0] = occupied[0] = 0.0
    for i in range(1, occupied.shape[0]):
        begins[i] = begins[i - 1] + float(ahead[i - 1, B]) * behind[i - 1, B] * scale
        ends[i] = ends[i - 1] + float(ahead[i, E]) * behind[i, E] * scale
        flank = float(ahead[i - 1, N]) * behind[i, N]
        flank += float(ahead[i - 1, J]) * behind[i, J] + float(ahead[i - 1, C]) * behind[i, C]
        occupied[i] = 1.0 - flank * special[LOOP] * scale / ahead[i, SCALE]


@kernel
def find_regions(begins, ends, occupied, start_at, extend_to, several, regions):
    """Fill ``regions`` (n, 3) with first and last residue and whether several domains are likely; return their number."""
    found, first, triggered = 0, -1, False
    for j in range(1, occupied.shape[0]):
        if not triggered:
            if occupied[j] - (begins[j] - begins[j - 1]) < extend_to or first == -1:
                first = j
            triggered = occupied[j] >= start_at
        elif occupied[j] - (ends[j] - ends[j - 1]) < extend_to:
            most = -1.0
            for z in range(first, j + 1):
                most = max(most, min(ends[z] - ends[first - 1], begins[j] - begins[z - 1]))
            regions[found, 0], regions[found, 1], regions[found, 2] = first, j, most >= several
            found += 1
            first, triggered = -1, False
    return found


@kernel
def _at(row, width, i, k, state):
    """Return the flat index of a state of node k, from 0, after residue i."""
    return i * row + (k // width) * 3 * width + state * width + k % width


@kernel
def _draw(seed):
    return (seed * LCG + LCG_STEP) & 0xFFFFFFFF


@kernel
def _choose(weights, count, roll):
    total = 0.0
    for w in range(count):
        total += weights[w]
    reached = 0.0
    for w in range(count):
        reached += weights[w]
        if roll < reached / total:
            return w
    return count - 1


@kernel
def _choose_end(cells, row, dim, leave, i, whole, roll):
    """Return match k as k and delete k as -k - 1, from 0, in the order of HMMER's striped vectors of four floats."""
    n_nodes, width = leave.shape[0], len(dim)
    stripes = max(2, (n_nodes - 1) // 4 + 1)
    reached, last = 0.0, 0
    for q in range(stripes):
        for state in (MATCH, DELETE):
            for k in range(q, n_nodes, stripes):
                share = leave[k] * cells[_at(row, width, i, k, state)] / whole
                reached += share
                if share > 0:
                    last = k if state == MATCH else -k - 1
                if roll < reached:
                    return last
    return last


@kernel
def sample_path(cells, row, states, steps, special, seed, path, dim):
    """Fill ``path`` (n, 3) backwards with state, node and residue of a path drawn from Forward; return its length and seed."""
    width = len(dim)
    i, k = states.shape[0] - 1, 0
    loop, to_c, to_j = special[LOOP], special[E_TO_C], special[E_TO_J]
    weights = np.empty(4)
    state, count = P_C, 0
    path[0, 0], path[0, 1], path[0, 2] = P_C, 0, 0
    count = 1
    while state != P_S:
        if state == P_N:
            new = P_S if i == 0 else P_N
        else:
            seed = _draw(seed)
            roll = seed / TWO32
            if state == P_M:
                weights[0] = states[i - 1, B] * steps[ENTRY, k]
                weights[1] = weights[2] = weights[3] = 0.0
                if k > 0:
                    at = _at(row, width, i - 1, k - 1, MATCH)
                    weights[1] = cells[at] * steps[IN_M, k]
                    weights[2] = cells[at + width] * steps[IN_I, k]
                    weights[3] = cells[at + 2 * width] * steps[IN_D, k]
                pick = _choose(weights, 4, roll)
                new = P_B if pick == 0 else (P_M if pick == 1 else (P_I if pick == 2 else P_D))
                i, k = i - 1, k - 1
            elif state == P_D:
                at = _at(row, width, i, k - 1, MATCH)
                weights[0], weights[1] = cells[at] * steps[SKIP, k], cells[at + 2 * width] * steps[CHAIN, k]
                new = P_M if _choose(weights, 2, roll) == 0 else P_D
                k -= 1
            elif state == P_I:
                at = _at(row, width, i - 1, k, MATCH)
                weights[0], weights[1] = cells[at] * steps[OPEN, k], cells[at + width] * steps[STAY, k]
                new = P_M if _choose(weights, 2, roll) == 0 else P_I
                i -= 1
            elif state == P_E:
                k = _choose_end(cells, row, dim, steps[LEAVE], i, states[i, E], roll)
                new = P_M if k >= 0 else P_D
                k = k if k >= 0 else -k - 1
            elif state == P_B:
                weights[0], weights[1] = states[i, N], states[i, J]
                new = P_N if _choose(weights, 2, roll) == 0 else P_J
            else:
                flank, enter = (C, to_c) if state == P_C else (J, to_j)
                weights[0] = states[i - 1, flank] * loop if i > 0 else 0.0
                weights[1] = states[i, E] * enter * states[i, SCALE]
                new = state if _choose(weights, 2, roll) == 0 else P_E
        path[count, 0], path[count, 1], path[count, 2] = new, k + 1, i
        count += 1
        if new == state and new in (P_N, P_J, P_C):
            i -= 1
        state = new
    return count, seed


@kernel
def sample_segments(cells, states, steps, odds, special, residues, seed, n_samples, ratios, segments, path, dim):
    """Draw paths; fill ``segments`` (n, 5) with sample, first and last residue, first and last node of each domain in them.

    ``odds`` (M, symbols) are emission odds, ``ratios`` (L + 1,) gets the mean of the null2 odds of each residue (HMMER's
    bookkeeping: a domain counts from behind its first residue). Return the number of segments, negative where they do not fit.
    """
    row = cells.shape[0] // states.shape[0]
    n_symbols = odds.shape[1]
    composition = np.empty(n_symbols)
    found = 0
    L = residues.shape[0]
    ratios[:] = 0.0
    for sample in range(n_samples):
        count, seed = sample_path(cells, row, states, steps, special, seed, path, dim)
        position, z = 1, count - 1
        while z >= 0:
            if path[z, 0] != P_B:
                z -= 1
                continue
            if found == segments.shape[0]:
                return -1
            composition[:] = 0.0
            first, last, first_node, last_node, emitted = 0, 0, 0, 0, 0
            z -= 1
            while path[z, 0] != P_E:
                k, i = path[z, 1], path[z, 2]
                if path[z, 0] == P_M:
                    if first == 0:
                        first, first_node = i, k
                    last, last_node = i, k
                if path[z, 0] != P_D:  # an insert counts with the odds of its node
                    for a in range(n_symbols):
                        composition[a] += odds[k - 1, a]
                    emitted += 1
                z -= 1
            segments[found, 0], segments[found, 1], segments[found, 2] = sample, first, last
            segments[found, 3], segments[found, 4] = first_node, last_node
            found += 1
            while position <= first:
                ratios[position] += 1.0
                position += 1
            while position <= last:
                ratios[position] += composition[residues[position - 1]] / emitted
                position += 1
        while position <= L:
            ratios[position] += 1.0
            position += 1
    for i in range(1, L + 1):
        ratios[i] /= n_samples
    return found


@kernel
def _linked(a, b, overlap, diagonals):
    common = min(a[2], b[2]) - max(a[1], b[1]) + 1
    if common < overlap * min(a[2] - a[1] + 1, b[2] - b[1] + 1):
        return False
    common = min(a[4], b[4]) - max(a[3], b[3])
    if common < overlap * min(a[4] - a[3] + 1, b[4] - b[3] + 1):
        return False
    return abs((a[1] - a[3]) - (b[1] - b[3])) <= diagonals or abs((a[2] - a[4]) - (b[2] - b[4])) <= diagonals


@kernel
def link_segments(segments, overlap, diagonals, cluster):
    """Fill ``cluster`` with a number for each segment, equal where a chain of overlaps joins them; return how many."""
    n = segments.shape[0]
    stack = np.empty(n, np.int64)
    cluster[:] = -1
    found = 0
    for seed in range(n):
        if cluster[seed] >= 0:
            continue
        cluster[seed] = found
        stack[0], depth = seed, 1
        while depth:
            depth -= 1
            a = stack[depth]
            for b in range(n):
                if cluster[b] < 0 and _linked(segments[a], segments[b], overlap, diagonals):
                    cluster[b] = found
                    stack[depth] = b
                    depth += 1
        found += 1
    return found


@kernel
def decode(ahead, behind, special, cells, later, states, usage, dim):
    """Turn ``cells`` from Forward into posteriors, given Backward's ``later``; fill those of N, J, C in ``states`` (L + 1, 3).

    ``usage`` (3, padded M) gets the expected numbers of uses of match and insert states, and of flanks in [2, 0].
    """
    W, L = len(dim), ahead.shape[0] - 1
    row, padded = cells.shape[0] // (L + 1), usage.shape[1]
    scale = 1 / behind[0, N]
    factor = splat(cells, scale, dim)
    usage[:] = 0
    cells[:row] = 0
    states[0, 0] = states[0, 1] = states[0, 2] = 0
    flanks = 0.0
    for i in range(1, L + 1):
        for q in range(padded // W):
            for state in range(2):
                at, to = i * row + (q * 3 + state) * W, state * padded + q * W
                value = multiply(multiply(load(cells, at, dim), load(later, at, dim)), factor)
                store(cells, at, value)
                store(usage, to, add(load(usage, to, dim), value))
        leave = special[LOOP] * scale / ahead[i, SCALE]
        states[i, 0] = ahead[i - 1, N] * behind[i, N] * leave
        states[i, 1] = ahead[i - 1, J] * behind[i, J] * leave
        states[i, 2] = ahead[i - 1, C] * behind[i, C] * leave
        flanks += states[i, 0] + states[i, 1] + states[i, 2]
    usage[2, 0] = flanks


@kernel
def align(posterior, flanks, gates, steps, cells, path, dim):
    """Fill ``path`` (n, 3) backwards with state, node and residue of the alignment of the greatest expected accuracy.

    ``posterior`` as :func:`decode` leaves it, ``cells`` is scratch of the same shape, ``gates`` like Forward's table: 0
    where a step is possible, else -inf (Kall et al. 2005). One domain only. Return the length of the path and the
    expected number of residues placed rightly.
    """
    W, L = len(dim), flanks.shape[0] - 1
    row, table = posterior.shape[0] // (L + 1), gates.shape[1] * W
    never = splat(cells, -np.inf, dim)
    for p in range(row // W):
        store(cells, p * W, never)
    before, best_c, exit_row = 0.0, -np.inf, 0
    for i in range(1, L + 1):
        old, new = (i - 1) * row, i * row
        enter = splat(cells, before, dim)
        m_before, i_before, d_before, m_last, d_last, ends = never, never, never, never, never, never
        for q in range(row // (3 * W)):
            at, t = q * 3 * W, q * table
            m_old, i_old, d_old = (
                load(cells, old + at, dim),
                load(cells, old + at + W, dim),
                load(cells, old + at + 2 * W, dim),
            )
            best = add(enter, load(gates, t + IN_BM * W, dim))
            best = maximum(best, add(shift_up(m_old, m_before), load(gates, t + IN_MM * W, dim)))
            best = maximum(best, add(shift_up(i_old, i_before), load(gates, t + IN_IM * W, dim)))
            best = maximum(best, add(shift_up(d_old, d_before), load(gates, t + IN_DM * W, dim)))
            m_new = add(best, load(posterior, new + at, dim))
            stay = maximum(add(m_old, load(gates, t + AT_MI * W, dim)), add(i_old, load(gates, t + AT_II * W, dim)))
            i_new = add(stay, load(posterior, new + at + W, dim))
            d_new = scan_up_best(add(shift_up(m_new, m_last), load(gates, t + IN_MD * W, dim)), gates, t + AHEAD * W)
            d_new = maximum(d_new, add(last_lane(d_last), load(gates, t + CHAIN_UP * W, dim)))
            store(cells, new + at, m_new)
            store(cells, new + at + W, i_new)
            store(cells, new + at + 2 * W, d_new)
            ends = maximum(ends, add(maximum(m_new, d_new), load(gates, t + EXIT * W, dim)))
            m_before, i_before, d_before, m_last, d_last = m_old, i_old, d_old, m_new, d_new
        e = float(reduce_max(ends))
        best_c += flanks[i, 2]
        if e >= best_c:
            best_c, exit_row = e, i
        before += flanks[i, 0]
    if exit_row == 0:
        return 0, 0.0
    return _trace_back(cells, row, W, steps, flanks, exit_row, path), best_c


@kernel
def _last_state(cells, row, width, steps, i):
    """Return the state and node, from 0, that the best path leaves the model from."""
    n_nodes = steps.shape[1]
    best, state, node = -np.inf, P_M, 0
    for k in range(n_nodes):
        if steps[LEAVE, k] > 0 and cells[_at(row, width, i, k, MATCH)] > best:
            best, node = cells[_at(row, width, i, k, MATCH)], k
    if steps[LEAVE, n_nodes - 1] > 0 and cells[_at(row, width, i, n_nodes - 1, DELETE)] > best:
        state, node = P_D, n_nodes - 1
    return state, node


@kernel
def _trace_back(cells, row, width, steps, flanks, i, path):
    count = 0
    state, k = _last_state(cells, row, width, steps, i)
    before = np.zeros(i + 1)
    for t in range(1, i + 1):
        before[t] = before[t - 1] + flanks[t, 0]
    while state != P_B:
        path[count, 0], path[count, 1], path[count, 2] = state, k + 1, i
        count += 1
        if state == P_M:
            best, new = -np.inf, P_B
            if k > 0:
                left = _at(row, width, i - 1, k - 1, MATCH)
                if steps[IN_M, k] > 0 and cells[left] > best:
                    best, new = cells[left], P_M
                if steps[IN_I, k] > 0 and cells[left + width] > best:
                    best, new = cells[left + width], P_I
                if steps[IN_D, k] > 0 and cells[left + 2 * width] > best:
                    best, new = cells[left + 2 * width], P_D
            if steps[ENTRY, k] > 0 and before[i - 1] > best:
                new = P_B
            state, i, k = new, i - 1, k - 1
        elif state == P_I:
            up = _at(row, width, i - 1, k, MATCH)
            from_match = steps[OPEN, k] > 0 and (steps[STAY, k] <= 0 or cells[up] >= cells[up + width])
            state, i = (P_M if from_match else P_I), i - 1
        else:
            left = _at(row, width, i, k - 1, MATCH)
            from_match = steps[SKIP, k] > 0 and (steps[CHAIN, k] <= 0 or cells[left] >= cells[left + 2 * width])
            state, k = (P_M if from_match else P_D), k - 1
    return count
