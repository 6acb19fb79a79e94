"""Forward and Backward of a search profile against one sequence, in odds, one vector of neighbouring nodes at a time.

Tables come from :mod:`seqem.profile.tables`: ``ahead`` (B, AHEAD + log2 W, W) and ``back`` (B, BACK + log2 W, W) hold, for
each block of W nodes, the rows named below; ``odds`` (symbols, B * W) the odds of each residue; padding is zero. The
delete chain within a block is a linear recurrence with known factors, solved in log2(W) steps. ``special`` holds
loop, move, E to C, E to J. A row of cells is (B, 3, W): match, insert, delete; ``stride`` is its size, or 0 to keep one row
only. ``states`` (L + 1, 6) gets N B E J C and the factor its row was divided by.

Range: rows are divided by their sum where that passes 1e4, as floats of 32 bits allow; cells that fall below 1e-38 of
the best become zero. Where all do, Forward is zero; where those do that would have won later, as of a second domain in
a unihit profile, or of a glocal one with a poor start, it is too low: :func:`agree` tells. Then take 64 bits, or
:mod:`seqem.kernels.profile_log`.
"""

import numpy as np

from seqem.kernels._jit import kernel
from seqem.kernels._lanes import (
    FLUSH,
    add,
    first_lane,
    get_float_mode,
    last_lane,
    load,
    multiply,
    multiply_add,
    reduce_add,
    scan_down,
    scan_up,
    set_float_mode,
    shift_down,
    shift_up,
    splat,
    store,
)

# Rows of ``ahead``: into match from match, insert, delete and begin; into insert; into delete; the
# weight with which E follows a match, deletes on the way included, so that E need not wait for them; delete chain.
IN_MM, IN_IM, IN_DM, IN_BM, AT_MI, AT_II, IN_MD, EXIT, CHAIN, AHEAD = range(10)
# Rows of ``back``: out of each node to the next; begin; inserts; weights with which E enters match and delete; chain.
OUT_MM, OUT_IM, OUT_DM, TO_BM, BACK_MI, BACK_II, OUT_MD, EXIT_M, EXIT_D, BACK_CHAIN, BACK = range(11)
LOOP, MOVE, E_TO_C, E_TO_J = range(4)
N, B, E, J, C, SCALE, STATES = range(7)
TOO_LARGE = 1.0e4
# Rows are looked at for scaling where these bits of their number are zero: a few rows cannot grow beyond the range.
RARELY = 3
# Rows of the sums of expected counts: steps out of each node, the entry, and residues in N and in C.
C_MM, C_IM, C_DM, C_BM, C_MI, C_II, C_MD, C_DD, C_N, C_C, COUNTS = range(11)
FEW = 16
# How far apart Forward and Backward may be, as a share: rounding of 32 bits stays below it.
APART = 0.01


@kernel
def forward(residues, odds, ahead, special, cells, stride, states, dim):
    """Fill ``states`` and ``cells`` (whose first row is zero); return the log odds, -inf where the sequence is impossible."""
    mode = get_float_mode()
    set_float_mode(mode | FLUSH)
    W, L = len(dim), residues.shape[0]
    blocks, table = odds.shape[1] // W, ahead.shape[1] * W
    loop, move, to_c, to_j = special[LOOP], special[MOVE], special[E_TO_C], special[E_TO_J]
    n, j, c = special[LOOP] * 0 + 1, special[LOOP] * 0, special[LOOP] * 0
    b = move
    states[0, N], states[0, B], states[0, E], states[0, J], states[0, C], states[0, SCALE] = n, b, 0, j, c, 1
    log_scale, zero_size = 0.0, n * 0
    zero = splat(cells, 0.0, dim)
    for i in range(1, L + 1):
        old, new = (i - 1) * stride, i * stride
        row = residues[i - 1] * odds.shape[1]
        begin = splat(cells, b, dim)
        m_before, i_before, d_before = zero, zero, zero
        m_last, d_last = zero, zero
        ends, mass = zero, zero
        for q in range(blocks):
            at, t = q * 3 * W, q * table
            m_old = load(cells, old + at, dim)
            i_old = load(cells, old + at + W, dim)
            d_old = load(cells, old + at + 2 * W, dim)
            enter = multiply(shift_up(m_old, m_before), load(ahead, t + IN_MM * W, dim))
            enter = multiply_add(shift_up(i_old, i_before), load(ahead, t + IN_IM * W, dim), enter)
            enter = multiply_add(shift_up(d_old, d_before), load(ahead, t + IN_DM * W, dim), enter)
            enter = multiply_add(begin, load(ahead, t + IN_BM * W, dim), enter)
            m_new = multiply(enter, load(odds, row + q * W, dim))
            i_new = multiply(m_old, load(ahead, t + AT_MI * W, dim))
            i_new = multiply_add(i_old, load(ahead, t + AT_II * W, dim), i_new)
            d_new = multiply(shift_up(m_new, m_last), load(ahead, t + IN_MD * W, dim))
            d_new = scan_up(d_new, ahead, t + AHEAD * W)
            d_new = multiply_add(last_lane(d_last), load(ahead, t + CHAIN * W, dim), d_new)
            store(cells, new + at, m_new)
            store(cells, new + at + W, i_new)
            store(cells, new + at + 2 * W, d_new)
            mass = add(mass, m_new)
            ends = multiply_add(m_new, load(ahead, t + EXIT * W, dim), ends)
            m_before, i_before, d_before = m_old, i_old, d_old
            m_last, d_last = m_new, d_new
        e = reduce_add(ends)
        n, j, c = n * loop, j * loop + e * to_j, c * loop + e * to_c
        b = (n + j) * move
        states[i, SCALE] = 1
        size = reduce_add(mass) if i & RARELY == 0 else zero_size
        if size > TOO_LARGE:
            states[i, SCALE] = size
            log_scale += np.log(size)
            down = 1 / size
            n, j, c, b, e = n * down, j * down, c * down, b * down, e * down
            factor = splat(cells, down, dim)
            for p in range(3 * blocks):
                store(cells, new + p * W, multiply(load(cells, new + p * W, dim), factor))
        states[i, N], states[i, B], states[i, E], states[i, J], states[i, C] = n, b, e, j, c
    set_float_mode(mode)
    return log_scale + np.log(c * move)


@kernel
def backward(residues, odds, back, special, scales, cells, stride, states, dim):
    """Fill ``states`` and ``cells`` with what follows each state, divided by the ``scales`` of the later rows.

    With ``stride`` 0 the one row of cells is scratch; return the log odds without the logs of ``scales``.
    """
    mode = get_float_mode()
    set_float_mode(mode | FLUSH)
    W, L = len(dim), residues.shape[0]
    blocks, table = odds.shape[1] // W, back.shape[1] * W
    loop, move, to_c, to_j = special[LOOP], special[MOVE], special[E_TO_C], special[E_TO_J]
    zero = splat(cells, 0.0, dim)
    c, j, n, b = move, move * 0, move * 0, move * 0
    e = c * to_c
    states[L, N], states[L, B], states[L, E], states[L, J], states[L, C], states[L, SCALE] = n, b, e, j, c, 1
    for q in range(blocks):
        at, t = L * stride + q * 3 * W, q * table
        end = splat(cells, e, dim)
        store(cells, at, multiply(end, load(back, t + EXIT_M * W, dim)))
        store(cells, at + W, zero)
        store(cells, at + 2 * W, multiply(end, load(back, t + EXIT_D * W, dim)))
    for i in range(L - 1, -1, -1):
        old, new = (i + 1) * stride, i * stride
        row = residues[i] * odds.shape[1]
        down = 1 / scales[i + 1, SCALE]
        factor = splat(cells, down, dim)
        begin, next_match, next_delete = zero, zero, zero
        for q in range(blocks - 1, -1, -1):
            at, t = q * 3 * W, q * table
            follow = multiply(multiply(load(cells, old + at, dim), factor), load(odds, row + q * W, dim))
            i_old = multiply(load(cells, old + at + W, dim), factor)
            begin = multiply_add(follow, load(back, t + TO_BM * W, dim), begin)
            later = shift_down(follow, next_match)
            d_new = scan_down(multiply(later, load(back, t + OUT_DM * W, dim)), back, t + BACK * W)
            d_new = multiply_add(first_lane(next_delete), load(back, t + BACK_CHAIN * W, dim), d_new)
            i_new = multiply(later, load(back, t + OUT_IM * W, dim))
            i_new = multiply_add(i_old, load(back, t + BACK_II * W, dim), i_new)
            m_new = multiply(later, load(back, t + OUT_MM * W, dim))
            m_new = multiply_add(i_old, load(back, t + BACK_MI * W, dim), m_new)
            m_new = multiply_add(shift_down(d_new, next_delete), load(back, t + OUT_MD * W, dim), m_new)
            store(cells, new + at, m_new)
            store(cells, new + at + W, i_new)
            store(cells, new + at + 2 * W, d_new)
            next_match, next_delete = follow, d_new
        b = reduce_add(begin)
        c, j, n = c * down * loop, b * move + j * down * loop, b * move + n * down * loop
        e = c * to_c + j * to_j
        end = splat(cells, e, dim)
        if e > 0:
            for q in range(blocks):
                at, t = new + q * 3 * W, q * table
                store(cells, at, multiply_add(end, load(back, t + EXIT_M * W, dim), load(cells, at, dim)))
                at += 2 * W
                store(cells, at, multiply_add(end, load(back, t + EXIT_D * W, dim), load(cells, at, dim)))
        states[i, N], states[i, B], states[i, E], states[i, J], states[i, C] = n, b, e, j, c
        states[i, SCALE] = scales[i + 1, SCALE]
    set_float_mode(mode)
    return np.log(states[0, N])


@kernel
def agree(ahead, behind, special):
    """Return whether Backward found the probability that Forward did, from the states of both; else cells underflowed."""
    return abs(behind[0, N] / (ahead[ahead.shape[0] - 1, C] * special[MOVE]) - 1) < APART


@kernel
def _add_product(sums, offset, a, b, dim):
    store(sums, offset, multiply_add(a, b, load(sums, offset, dim)))


@kernel
def _pair_sums(residues, odds, loop, ahead, behind, cells, later, weight, sums, uses, dim):
    """Add to ``sums`` (COUNTS, padded M) what, times the steps, are expected counts; to ``uses`` those of match by residue."""
    W, L, padded = len(dim), residues.shape[0], odds.shape[1]
    row = 3 * padded
    zero = splat(cells, 0.0, dim)
    share = splat(cells, weight / behind[0, N], dim)
    for i in range(L + 1):
        here, there = i * row, (i + 1) * row
        use = residues[i - 1] * padded if i > 0 else 0
        emit = residues[i] * padded if i < L else 0
        down = splat(cells, weight / (behind[0, N] * ahead[i + 1, SCALE]), dim) if i < L else zero
        if i > 0:
            stay = weight * loop / (behind[0, N] * ahead[i, SCALE])
            sums[C_N, 0] += ahead[i - 1, N] * behind[i, N] * stay
            sums[C_C, 0] += ahead[i - 1, C] * behind[i, C] * stay
        begin = splat(cells, ahead[i, B], dim)
        next_follow, next_delete = zero, zero
        for q in range(padded // W - 1, -1, -1):
            at, to = q * 3 * W, q * W
            match, insert = load(cells, here + at, dim), load(cells, here + at + W, dim)
            delete = load(cells, here + at + 2 * W, dim)
            d_later = multiply(load(later, here + at + 2 * W, dim), share)
            into = shift_down(d_later, next_delete)
            next_delete = d_later
            _add_product(sums, C_MD * padded + to, match, into, dim)
            _add_product(sums, C_DD * padded + to, delete, into, dim)
            if i > 0:
                _add_product(uses, use + to, match, multiply(load(later, here + at, dim), share), dim)
            if i < L:
                follow = multiply(multiply(load(later, there + at, dim), down), load(odds, emit + to, dim))
                i_later = multiply(load(later, there + at + W, dim), down)
                step = shift_down(follow, next_follow)
                next_follow = follow
                _add_product(sums, C_MM * padded + to, match, step, dim)
                _add_product(sums, C_IM * padded + to, insert, step, dim)
                _add_product(sums, C_DM * padded + to, delete, step, dim)
                _add_product(sums, C_BM * padded + to, begin, follow, dim)
                _add_product(sums, C_MI * padded + to, match, i_later, dim)
                _add_product(sums, C_II * padded + to, insert, i_later, dim)


@kernel
def _move_into(part, total):
    """Add floats of a few sequences to the totals, of 64 bits, and clear them."""
    for a in range(part.shape[0]):
        for b in range(part.shape[1]):
            total[a, b] += part[a, b]
            part[a, b] = 0


@kernel
def expected_counts(
    residues,
    offsets,
    weights,
    again,
    odds,
    ahead,
    back,
    cells,
    later,
    states,
    behind,
    part_sums,
    part_uses,
    sums,
    uses,
    scores,
    dim,
):
    """Add expected counts of many sequences to ``sums`` and ``uses``, fill ``scores`` with their log odds.

    ``again`` is 1 where a sequence may hold several domains, else 0. Where a score is -inf nothing is added: the sequence
    is impossible, or out of the range of the floats.
    """
    row, few = 3 * odds.shape[1], 0
    special = np.empty(4, odds.dtype)
    cells[:row] = 0
    mode = get_float_mode()
    for s in range(offsets.shape[0] - 1):
        target = residues[offsets[s] : offsets[s + 1]]
        L = target.shape[0]
        special[MOVE] = (2.0 + again) / (L + 2.0 + again)
        special[LOOP] = 1 - special[MOVE]
        special[E_TO_C], special[E_TO_J] = 1 - 0.5 * again, 0.5 * again
        scores[s] = forward(target, odds, ahead, special, cells, row, states, dim)
        if scores[s] == -np.inf:
            continue
        backward(target, odds, back, special, states, later, row, behind, dim)
        if not agree(states[: L + 1], behind, special):
            scores[s] = -np.inf
            continue
        set_float_mode(mode | FLUSH)
        _pair_sums(target, odds, special[LOOP], states, behind, cells, later, weights[s], part_sums, part_uses, dim)
        set_float_mode(mode)
        few += 1
        if few == FEW:
            _move_into(part_sums, sums)
            _move_into(part_uses, uses)
            few = 0
    _move_into(part_sums, sums)
    _move_into(part_uses, uses)
