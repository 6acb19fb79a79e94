"""Slow and plain oracles of profiles: all paths through a small model one by one, and the integer filters in loops."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from seqem.bio.alphabet import DNA
from seqem.bio.background import background
from seqem.profile.plan7 import CoreModel

MM, MI, MD, IM, II, DM, DD = range(7)


def random_core(n_nodes, rng, *, alphabet=DNA, strength=1.0, sparse=False, gaps=1.0):
    """Return a random model: small ``strength`` makes sure matches, small ``gaps`` few gaps, ``sparse`` zeros in it."""
    letters = len(alphabet.letters)
    match = rng.dirichlet(np.full(letters, strength), n_nodes + 1)
    if sparse:
        match[1:][rng.random((n_nodes, letters)) < 0.3] = 0.0
        match[1:, 0] += 0.01
        match /= match.sum(1, keepdims=True)
    match[0] = np.eye(letters)[0]
    t = np.empty((n_nodes + 1, 7))
    t[:, MM : MD + 1] = rng.dirichlet([1 / gaps, 1, 1], n_nodes + 1)
    t[:, IM : II + 1] = rng.dirichlet([1, 1], n_nodes + 1)
    t[:, DM : DD + 1] = rng.dirichlet([1, 1], n_nodes + 1)
    if sparse:
        t[:, (MI, DD)] *= rng.random((n_nodes + 1, 2)) < 0.5
    t[-1, MD] = 0.0
    t[:, MM] = 1 - t[:, MI] - t[:, MD]
    t[:, DM] = 1 - t[:, DD]
    t[(0, -1), DM], t[(0, -1), DD] = 1.0, 0.0
    return CoreModel("random", alphabet, match, np.tile(background(alphabet), (n_nodes + 1, 1)), t)


def log_odds(core):
    """Return the score of each symbol at each node from the definition: a degenerate letter has a mean score."""
    q = background(core.alphabet)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.log(core.match[1:]) - np.log(q)
        rows = []
        for code in core.alphabet.codes:
            members = np.flatnonzero(code)
            rows.append((scores[:, members] * q[members]).sum(1) / q[members].sum())
    return np.array(rows)


def occupied(core):
    """Return the probability that each match node is used."""
    t, used = core.transitions, [1.0]
    for k in range(core.n_nodes):
        reach = used[k] * (t[k, MM] + t[k, MI])
        used.append(reach + ((1 - used[k]) * t[k, DM] if k else 0.0))
    return np.array(used[1:])


class WholePath(NamedTuple):
    """Log odds, where each residue is emitted, e.g. ("M", 2), and the steps, e.g. ("MD", 2) for M2 to D3."""

    weight: float
    places: tuple
    steps: tuple
    n_domains: int


class Graph:
    """The states of a search profile and the steps between them, from the definition."""

    def __init__(self, core, mode, multihit, length):
        self.t, self.n, self.mode, self.multihit = core.transitions, core.n_nodes, mode, multihit
        again = 1 if multihit else 0
        self.move = (2 + again) / (length + 2 + again)
        used = occupied(core)
        segments = sum(used[k] * (self.n - k) for k in range(self.n))
        self.entry = used / segments

    def after(self, state, k, entered):
        """Yield probability, name of the step, and state and node of what may follow; E is never entered unseen."""
        t, last = self.t, k == self.n
        if state in "NJC":
            yield 1 - self.move, state + state, state, 0
            yield self.move, state + "+", "T" if state == "C" else "B", 0
        elif state == "E":
            yield (0.5 if self.multihit else 1.0), "EC", "C", 0
            if self.multihit:
                yield 0.5, "EJ", "J", 0
        elif state == "B" and self.mode == "local":
            for node in range(1, self.n + 1):
                yield self.entry[node - 1], "BM", "M", node
        elif state == "B":
            yield 1 - t[0, MD], "BM", "M", 1
            yield t[0, MD], "BD", "D", 1
        if state in "MD" and entered and (last or self.mode == "local"):
            yield 1.0, "end", "E", 0
        if state == "M" and not last:
            yield t[k, MM], "MM", "M", k + 1
            yield t[k, MI], "MI", "I", k
            yield t[k, MD], "MD", "D", k + 1
        elif state == "I":
            yield t[k, IM], "IM", "M", k + 1
            yield t[k, II], "II", "I", k
        elif state == "D" and not last:
            yield t[k, DM], "DM", "M", k + 1
            yield t[k, DD], "DD", "D", k + 1


def all_paths(core, residues, mode, multihit):
    """Return every path of a sequence through a search profile whose probability is not zero."""
    graph, scores, L = Graph(core, mode, multihit, len(residues)), log_odds(core), len(residues)
    found = []

    def walk(state, k, i, weight, places, steps, entered, domains):
        for p, name, new, node in graph.after(state, k, entered):
            if p <= 0:
                continue
            gain = np.log(p)
            emits = new in "MI" or name in ("NN", "JJ", "CC")
            if new == "T":
                if i == L:
                    found.append(WholePath(weight + gain, places, steps, domains))
                continue
            if emits and i == L:
                continue
            if new == "M":
                gain += scores[residues[i], node - 1]
            if gain == -np.inf:
                continue
            # Deletes before the first match are part of the entry.
            step = ("BM", node) if new == "M" and not entered else (name, k)
            keep = entered or new == "M"
            walk(
                new, node, i + emits, weight + gain, (*places, (new, node)) if emits else places,
                (*steps, step) if keep else steps, keep and new != "E", domains + (new == "E"),
            )  # fmt: skip

    walk("N", 0, 0, 0.0, (), (), False, 0)
    return found


class Truth(NamedTuple):
    """What enumeration finds: scores, posteriors (L, M) and of N, J, C (L, 3), expected steps, and the paths."""

    forward: float
    viterbi: float
    match: np.ndarray
    insert: np.ndarray
    flanks: np.ndarray
    steps: Counter
    paths: list


def enumerate_all(core, residues, mode, multihit):
    """Return the truth about a sequence."""
    paths, L = all_paths(core, residues, mode, multihit), len(residues)
    weights = np.array([path.weight for path in paths])
    total = np.logaddexp.reduce(weights) if len(paths) else -np.inf
    match, insert, flanks, steps = np.zeros((L, core.n_nodes)), np.zeros((L, core.n_nodes)), np.zeros((L, 3)), Counter()
    for path in paths:
        p = np.exp(path.weight - total)
        for i, (state, k) in enumerate(path.places):
            if state in "NJC":
                flanks[i, "NJC".index(state)] += p
            else:
                (match if state == "M" else insert)[i, k - 1] += p
        for step in path.steps:
            steps[step] += p
    return Truth(total, weights.max(initial=-np.inf), match, insert, flanks, steps, paths)


# -- filters ----------------------------------------------------------------------------------------------------


def half_away(x):
    """Round in single precision, halves away from zero."""
    return float(np.copysign(np.floor(np.float32(abs(x)) + np.float32(0.5)), x)) if np.isfinite(x) else x


def byte_costs(core):
    """Return the costs (symbols, M) of bytes with the bias added, and the bias; 255 is impossible."""
    scale, scores = np.float32(3 / np.log(2)), log_odds(core).astype(np.float32)
    bias = half_away(scale * max(0.0, scores[: len(core.alphabet.letters)].max()))
    costs = np.vectorize(lambda s: min(255.0, -half_away(scale * s) + bias), otypes=[float])(scores)
    return costs.astype(int), int(bias)


def chain_of_segments(residues, costs, bias, base, leave, start):
    """Return MSV in saturated bytes above nothing, -1 where it saturates: loops over residues and nodes."""
    n = costs.shape[1]
    row, again, begin = [0] * (n + 1), 0, max(0, base - start)
    for x in residues:
        new = [0] * (n + 1)
        for k in range(1, n + 1):
            new[k] = max(0, min(255, max(row[k - 1], begin) + bias) - costs[x, k - 1])
        row = new
        if max(row) >= 255 - bias:
            return -1
        again = max(again, max(row) - leave, 0)
        begin = max(0, max(base, again) - start)
    return again


def best_segment(residues, costs):
    """Return the best sum along a diagonal, as a saturating byte from 0; ``costs`` are signed bytes."""
    L, n = len(residues), costs.shape[1]
    best = -128
    for diagonal in range(-(L - 1), n):
        value = -128
        for i in range(L):
            if 0 <= i + diagonal < n:
                value = max(-128, min(127, value - int(costs[residues[i], i + diagonal])))
                best = max(best, value)
    return best + 128


def word(x):
    """Return a log as a word."""
    return int(np.clip(half_away(np.float32(500 / np.log(2)) * np.float32(x)), -32768, 32767))


def _saturated(*terms):
    total = terms[0]
    for term in terms[1:]:
        total = min(32767, max(-32768, total + term))
    return total


def best_path_in_words(core, residues):
    """Return the Viterbi filter's score in nats of the local, multihit profile."""
    t, n, base, low = core.transitions, core.n_nodes, 12000, -32768
    with np.errstate(divide="ignore"):
        logs = np.log(t)
    used = occupied(core)
    entry = used / sum(used[k] * (n - k) for k in range(n))
    emit = [[word(s) for s in row] for row in log_odds(core)] + [[low] * n] * 2
    step = [[min(0, word(x)) for x in row] for row in logs]
    start, leave = word(np.log(3 / (len(residues) + 3))), word(np.log(0.5))
    m, ins, d = ([low] * (n + 1) for _ in range(3))
    c, begin = low, base + start
    for x in residues:
        m2, i2, d2 = ([low] * (n + 1) for _ in range(3))
        for k in range(1, n + 1):
            best = _saturated(begin, min(0, word(np.log(entry[k - 1]))))
            if k > 1:
                best = max(
                    best,
                    _saturated(m[k - 1], step[k - 1][MM]),
                    _saturated(ins[k - 1], step[k - 1][IM]),
                    _saturated(d[k - 1], step[k - 1][DM]),
                )
                d2[k] = max(_saturated(m2[k - 1], step[k - 1][MD]), _saturated(d2[k - 1], step[k - 1][DD]))
            m2[k] = _saturated(best, emit[x][k - 1])
            if k < n:
                i2[k] = max(_saturated(m[k], step[k][MI]), _saturated(ins[k], min(-1, step[k][II])))
        m, ins, d = m2, i2, d2
        if max(m) >= 32767:
            return np.inf
        c = max(c, _saturated(max(m), leave))
        begin = _saturated(max(base, c), start)
    return -np.inf if c == low else (c + start - base) / (500 / np.log(2)) - 3.0


def segments_in_bytes(core, residues):
    """Return the MSV filter's score in nats, +inf where it saturates; where nothing scores above 0, that of an empty segment."""
    costs, bias = byte_costs(core)
    scale = np.float32(3 / np.log(2))
    n, L = core.n_nodes, len(residues)
    move = int(-half_away(scale * np.float32(np.log(3 / (L + 3)))))
    enter = int(-half_away(scale * np.float32(np.log(2 / (n * (n + 1))))))
    leave = int(-half_away(scale * np.float32(np.log(0.5))))
    value = chain_of_segments(residues, costs, bias, 190, leave, move + enter)
    empty = 190 - move - enter - leave
    return np.inf if value < 0 else (max(value, empty) - move - 190) / (3 / np.log(2)) - 3.0
