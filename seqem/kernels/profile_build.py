"""Sums over the rows of an alignment: columns, pairs of rows, paths through a profile; Dirichlet mixtures of counts."""

from __future__ import annotations

import math

from seqem.kernels._jit import kernel

MATCH, INSERT, DELETE = 0, 1, 2
# Columns MM MI MD IM II DM DD by the states of both ends; a delete never meets an insert.
STEP = ((0, 1, 2), (3, 4, 4), (5, 6, 6))


@kernel
def spans(symbols, gap, first, last, length):  # type: ignore[no-untyped-def]
    """Fill the columns of the first residue and past the last one, and the number of residues of each row."""
    S, W = symbols.shape
    for s in range(S):
        first[s] = W
        last[s] = 0
        n = 0
        for w in range(W):
            if symbols[s, w] != gap:
                if n == 0:
                    first[s] = w
                last[s] = w + 1
                n += 1
        length[s] = n


@kernel
def count_columns(symbols, first, last, weights, out):  # type: ignore[no-untyped-def]
    """Add the weight of each row to ``out`` (W, C + 1) at its symbol in every column from ``first`` to ``last``."""
    for s in range(symbols.shape[0]):
        for w in range(first[s], last[s]):
            out[w, symbols[s, w]] += weights[s]


@kernel
def sum_rows(symbols, values, out, n):  # type: ignore[no-untyped-def]
    """Fill sum and number of the positive ``values`` (W, C + 1) that each row of symbols meets."""
    S, W = symbols.shape
    for s in range(S):
        total = 0.0
        met = 0
        for w in range(W):
            value = values[w, symbols[s, w]]
            total += value
            met += value > 0
        out[s] = total
        n[s] = met


@kernel
def differences(symbols, length, gap, out):  # type: ignore[no-untyped-def]
    """Fill the share of the shorter row that differs for all pairs of rows, (S, S)."""
    S, W = symbols.shape
    for s in range(S):
        out[s, s] = 0.0
        for r in range(s):
            n = 0
            for w in range(W):
                n += (symbols[r, w] == symbols[s, w]) & (symbols[s, w] != gap)
            shorter = min(length[r], length[s])
            out[r, s] = out[s, r] = 1.0 - n / shorter if shorter > 0 else 1.0


@kernel
def nearest_after(distances, row, n):  # type: ignore[no-untyped-def]
    """Return the first of the nearest columns past ``row``."""
    best = row + 1
    for col in range(row + 2, n):
        if distances[row, col] < distances[row, best]:
            best = col
    return best


@kernel
def swap(distances, n, a, b):  # type: ignore[no-untyped-def]
    """Exchange rows and columns a and b of the first n."""
    for col in range(n):
        distances[a, col], distances[b, col] = distances[b, col], distances[a, col]
    for row in range(n):
        distances[row, a], distances[row, b] = distances[row, b], distances[row, a]


@kernel
def nearest_rows(distances, nearest):  # type: ignore[no-untyped-def]
    """Fill the first of the nearest columns past each row."""
    S = distances.shape[0]
    for row in range(S - 1):
        nearest[row] = nearest_after(distances, row, S)


@kernel
def nearest_pair(distances, nearest, n):  # type: ignore[no-untyped-def]
    """Return the first row of the nearest pair of the first n."""
    best = 0
    for row in range(1, n - 1):
        if distances[row, nearest[row]] < distances[best, nearest[best]]:
            best = row
    return best


@kernel
def renew_nearest(distances, n, i, j, nearest):  # type: ignore[no-untyped-def]
    """Update the nearest columns of the first n rows after rows and columns i, j and n - 1 have changed."""
    last = n - 1
    for row in range(last):
        near = nearest[row]
        if row in (i, j) or near in (i, j) or near >= last:
            nearest[row] = nearest_after(distances, row, n)
            continue
        for col in (i, j, last):
            d = distances[row, col]
            if row < col < n and (d < distances[row, near] or (d == distances[row, near] and col < near)):
                near = col
        nearest[row] = near


@kernel
def link_rows(symbols, length, gap, identity, root):  # type: ignore[no-untyped-def]
    """Fill the first row of the single-linkage cluster of each row; ``root`` holds the numbers of the rows."""
    S, W = symbols.shape
    for s in range(S):
        for r in range(s):
            top, other = s, r
            while root[top] != top:
                top = root[top]
            while root[other] != other:
                other = root[other]
            if top == other:
                continue
            n = 0
            for w in range(W):
                n += (symbols[r, w] == symbols[s, w]) & (symbols[s, w] != gap)
            shorter = min(length[r], length[s])
            if shorter > 0 and n / shorter >= identity:
                root[max(top, other)] = min(top, other)
    for s in range(S):
        root[s] = root[root[s]]


@kernel
def repaired_path(row, is_match, gap, first, last, states, nodes, symbols):  # type: ignore[no-untyped-def]
    """Fill the path of one row between two columns and return its length.

    A delete beside an insert becomes a match with its residue.
    """
    n = 0
    node = 0
    for w in range(last):
        symbol = row[w]
        node += is_match[w]
        if w < first:
            continue
        if is_match[w]:
            state = DELETE if symbol == gap else MATCH
        elif symbol == gap:
            continue
        else:
            state = INSERT
        if n > 0 and states[n - 1] + state == INSERT + DELETE and states[n - 1] != MATCH and state != MATCH:
            if state == INSERT:
                symbols[n - 1] = symbol
            else:
                nodes[n - 1] = node
            states[n - 1] = MATCH
            continue
        states[n] = state
        nodes[n] = node
        symbols[n] = symbol
        n += 1
    return n


@kernel
def count_paths(symbols, is_match, gap, weights, first, last, scratch, match, insert, transitions):  # type: ignore[no-untyped-def]
    """Add the weighted paths of all rows to match and insert (M + 1, C + 1) and transitions (M + 1, 7).

    What lies outside ``first`` to ``last`` is unknown. On such a side the path is counted from its first match, or up to
    its last one, the step into it included and its emission not; a path without a match is counted whole: this is what
    HMMER 3 does.
    ``scratch`` has 3 rows of W numbers.
    """
    S, W = symbols.shape
    states, nodes, emitted = scratch[0], scratch[1], scratch[2]
    M = match.shape[0] - 1
    for s in range(S):
        n = repaired_path(symbols[s], is_match, gap, first[s], last[s], states, nodes, emitted)
        weight = weights[s]
        start, final = 0, n - 1
        while start < n and states[start] != MATCH:
            start += 1
        while final >= 0 and states[final] != MATCH:
            final -= 1
        if first[s] == 0 or start == n:
            start = 0
        stop = final + 1 if last[s] < W and final >= 0 else n
        before = MATCH
        at = 0
        for z in range(start, stop):
            if z > start or first[s] == 0:
                transitions[at, STEP[before][states[z]]] += weight
            before = states[z]
            at = nodes[z]
            if z == final and last[s] < W:
                break
            if before == MATCH:
                match[at, emitted[z]] += weight
            elif before == INSERT:
                insert[at, emitted[z]] += weight
        if last[s] >= W and stop > start:
            transitions[M, STEP[before][MATCH]] += weight


@kernel
def mixture_terms(counts, alphas, totals, log_gamma, log_gamma_total, terms):  # type: ignore[no-untyped-def]
    """Fill ln P(counts | component), shape (K, J), without the multinomial coefficient.

    ``log_gamma`` (A, J) is that of the ``alphas`` (J, A), ``log_gamma_total`` (J,) that of their ``totals``.
    """
    K, A = counts.shape
    J = alphas.shape[0]
    for k in range(K):
        total = 0.0
        for j in range(J):
            terms[k, j] = 0.0
        for a in range(A):
            c = counts[k, a]
            total += c
            if c > 0:
                for j in range(J):
                    terms[k, j] += math.lgamma(c + alphas[j, a]) - log_gamma[a, j]
        if total > 0:
            for j in range(J):
                terms[k, j] += log_gamma_total[j] - math.lgamma(total + totals[j])


@kernel
def length_bound(transitions, tail, longest, match, insert, delete):  # type: ignore[no-untyped-def]
    """Return the first length that paths from M1 reach with a probability below ``tail``, at most ``longest``.

    ``match``, ``insert`` and ``delete`` (M + 1) hold the probabilities to be in a state at one length.
    """
    M = transitions.shape[0] - 1
    for length in range(1, longest):
        alive = 0.0
        before_match, before_insert, before_delete = 0.0, 0.0, 0.0
        for k in range(1, M + 1):
            t = transitions[k - 1]
            old_match, old_insert, old_delete = match[k], insert[k], delete[k]
            if length == 1:
                match[k] = k == 1
                insert[k] = 0.0
            else:
                match[k] = before_match * t[0] + before_insert * t[3] + before_delete * t[5]
                insert[k] = old_match * transitions[k, 1] + old_insert * transitions[k, 4] if k < M else 0.0
            delete[k] = match[k - 1] * t[2] + delete[k - 1] * t[6] if k > 1 else 0.0
            before_match, before_insert, before_delete = old_match, old_insert, old_delete
            alive += match[k] + insert[k]
        if alive < tail:
            return length
    return longest
