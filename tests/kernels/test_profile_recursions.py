"""The recursions of a search profile against all paths of small models, one by one, and against log space beyond them."""

from functools import cache
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from seqem.bio.alphabet import PROTEIN
from seqem.kernels import profile_domains as kd
from seqem.kernels import profile_forward as kf
from seqem.kernels import profile_log
from seqem.profile.configure import configure
from seqem.profile.exact import _Problem, forward_score, posteriors, viterbi_path
from seqem.profile.tables import aligned, forward_tables
from tests.profile import brute

MODES = [(mode, multihit) for mode in ("local", "glocal") for multihit in (False, True)]
# Floats, lanes and the agreement to expect; three nodes fill none of these vectors but the narrowest.
MACHINES = [(np.float64, 8, 1e-9), (np.float64, 1, 1e-9), *((np.float32, width, 1e-4) for width in (16, 8, 1))]
LETTERS = dict(zip("MIDNBEJC", (kd.P_M, kd.P_I, kd.P_D, kd.P_N, kd.P_B, kd.P_E, kd.P_J, kd.P_C), strict=True))
SMALL = [(M, L, sparse, *mode) for M, L, sparse, mode in product((1, 2, 3), (1, 2, 3, 4), (False, True), MODES)]
vector = pytest.mark.parametrize(("dtype", "width", "tolerance"), MACHINES)


@cache
def small(M, L, sparse, mode, multihit):
    """Return a profile, a sequence with a degenerate letter in it, and the truth about them."""
    rng = np.random.default_rng([M, L, sparse])
    core = brute.random_core(M, rng, sparse=sparse)
    residues = rng.integers(0, 4, L).astype(np.uint8)
    if L == 3:
        residues[1] = len(core.alphabet.codes) - 1
    profile = configure(core, mode=mode, multihit=multihit)
    return profile, residues, brute.enumerate_all(core, residues, mode, multihit)


class Run:
    """Forward and Backward of one sequence with vectors of one kind, all rows kept; ``one_row`` repeats them without."""

    def __init__(self, profile, residues, dtype, width):
        self.residues, self.dtype, self.M = residues, dtype, profile.odds.shape[1]
        self.tables = t = forward_tables(profile, width=width, dtype=dtype)
        self.steps = np.stack(profile.steps).astype(dtype)
        self.specials = profile.specials(len(residues)).astype(dtype)
        self.cells = self._room(t.row)
        self.later = self._room(t.row)
        self.score, self.ahead = self._forward(self.cells, t.row)

    def _room(self, stride):
        cells = aligned(np.full(len(self.residues) * stride + self.tables.row, np.nan, self.dtype))
        cells[: self.tables.row] = 0
        return cells

    def _forward(self, cells, stride):
        t, states = self.tables, np.empty((len(self.residues) + 1, kf.STATES), self.dtype)
        return kf.forward(self.residues, t.odds, t.ahead, self.specials, cells, stride, states, t.dim), states

    def _backward(self, cells, stride):
        t, states = self.tables, np.empty_like(self.ahead)
        kf.backward(self.residues, t.odds, t.back, self.specials, self.ahead, cells, stride, states, t.dim)
        return states

    def one_row(self):
        """Return score and states of both recursions that keep one row."""
        return *self._forward(self._room(0), 0), self._backward(self._room(0), 0)

    def decode(self):
        """Return posteriors of match, insert and flanks, and the usage; ``posterior`` holds the cells."""
        t, L = self.tables, len(self.residues)
        self.behind = self._backward(self.later, t.row)
        self.posterior, self.flanks = aligned(self.cells), np.empty((L + 1, 3), self.dtype)
        usage = np.empty((3, t.row // 3), self.dtype)
        kd.decode(self.ahead, self.behind, self.specials, self.posterior, self.later, self.flanks, usage, t.dim)
        nodes = self.posterior.reshape(L + 1, -1, 3, len(t.dim))
        match, insert = (nodes[1:, :, state].reshape(L, -1)[:, : self.M] for state in range(2))
        return match, insert, self.flanks[1:], usage


def assert_posteriors(found, wanted, tolerance):
    for ours, theirs in zip(found, wanted, strict=True):
        assert_allclose(ours, theirs, rtol=0, atol=tolerance)


def assert_one_row(run):
    score, ahead, behind = run.one_row()
    assert score == run.score
    assert_allclose(ahead, run.ahead, rtol=0)
    assert_allclose(behind, run.behind, rtol=0)


# -- enumeration ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_log_space_is_enumeration(case):
    profile, residues, truth = small(*case)
    assert forward_score(profile, residues) == pytest.approx(truth.forward, abs=1e-10)
    assert _Problem(profile, residues, None).run(profile_log.backward)[0] == pytest.approx(truth.forward, abs=1e-10)
    assert_posteriors(posteriors(profile, residues), (truth.match, truth.insert, truth.flanks), 1e-10)
    score, path = viterbi_path(profile, residues)
    assert score == pytest.approx(truth.viterbi, abs=1e-10)
    if not truth.paths:
        assert not len(path.states)
        return
    best = [p.places for p in truth.paths if p.weight > truth.viterbi - 1e-9]
    assert places_of(path) in best
    assert (path.states[0], path.states[-1], path.residues[-1]) == (kd.P_N, kd.P_C, len(residues))


def places_of(path):
    """Return where each residue is emitted: the state in which the count of residues rises."""
    rises = np.flatnonzero(np.diff(path.residues)) + 1
    letter = {code: name for name, code in LETTERS.items()}
    return tuple((letter[int(path.states[n])], int(path.nodes[n])) for n in rises)


@vector
@pytest.mark.parametrize("case", SMALL, ids=str)
def test_vectors_are_enumeration(case, dtype, width, tolerance):
    profile, residues, truth = small(*case)
    run = Run(profile, residues, dtype, width)
    if not truth.paths:
        assert run.score == -np.inf
        return
    assert run.score == pytest.approx(truth.forward, abs=tolerance)
    found = run.decode()
    L = len(residues)
    assert np.log(run.behind[0, kf.N]) == pytest.approx(truth.forward, abs=tolerance)
    assert_posteriors(found[:3], (truth.match, truth.insert, truth.flanks), tolerance)
    M = profile.odds.shape[1]
    usage = found[3]
    assert_allclose(usage[0, :M], truth.match.sum(0), atol=tolerance)
    assert_allclose(usage[1, :M], truth.insert.sum(0), atol=tolerance)
    assert not usage[:2, M:].any()
    assert usage[2, 0] == pytest.approx(truth.flanks.sum(), abs=tolerance)
    # One row of cells or all of them: the same.
    assert_one_row(run)
    begins, ends, occupied = np.empty((3, L + 1))
    kd.occupancy(run.ahead, run.behind, run.specials, begins, ends, occupied)
    assert_allclose(occupied[1:], (truth.match + truth.insert).sum(1), atol=tolerance)
    domains = sum(np.exp(path.weight - truth.forward) * path.n_domains for path in truth.paths)
    assert_allclose([begins[L], ends[L]], domains, atol=tolerance)


STEPS = {
    "MM": (kf.C_MM, "match", 1), "IM": (kf.C_IM, "insert", 1), "DM": (kf.C_DM, "delete", 1),
    "MD": (kf.C_MD, "skip", 1), "DD": (kf.C_DD, "chain", 1), "BM": (kf.C_BM, "entry", 0),
    "MI": (kf.C_MI, "open", 0), "II": (kf.C_II, "stay", 0),
}  # fmt: skip


def expected(profile, residues, weights, dtype, width):
    """Return sums, uses and scores of a sequence taken once with each weight."""
    t, L, n = forward_tables(profile, width=width, dtype=dtype), len(residues), len(weights)
    cells, later = (aligned(np.full((L + 1) * t.row, np.nan, dtype)) for _ in range(2))
    ahead, behind = np.empty((2, L + 1, kf.STATES), dtype)
    part, part_uses = np.zeros((kf.COUNTS, t.row // 3), dtype), np.zeros_like(t.odds)
    sums, uses, scores = np.zeros(part.shape), np.zeros(part_uses.shape), np.empty(n)
    kf.expected_counts(
        np.tile(residues, n), np.arange(n + 1) * L, weights.astype(dtype), int(profile.multihit), t.odds, t.ahead, t.back,
        cells, later, ahead, behind, part, part_uses, sums, uses, scores, t.dim,
    )  # fmt: skip
    return sums, uses, scores


@vector
@pytest.mark.parametrize("case", SMALL, ids=str)
def test_expected_steps_are_enumeration(case, dtype, width, tolerance):
    profile, residues, truth = small(*case)
    M = profile.odds.shape[1]
    # Three times, with different weights: what is left of one sequence must not reach the next.
    weights = np.array([1.0, 0.5, 2.0])
    sums, uses, scores = expected(profile, residues, weights, dtype, width)
    if not truth.paths:
        assert np.isneginf(scores).all()
        assert not sums.any()
        assert not uses.any()
        return
    assert_allclose(scores, truth.forward, atol=tolerance)
    for name, (row, field, shift) in STEPS.items():
        step = np.append(getattr(profile.steps, field)[shift:], np.zeros(shift))
        wanted = [truth.steps[name, k + 1] for k in range(M)]
        assert_allclose(sums[row, :M] * step / weights.sum(), wanted, atol=tolerance, err_msg=name)
        assert not sums[row, M:].any()
    assert_allclose(sums[[kf.C_N, kf.C_C], 0] / weights.sum(), truth.flanks[:, (0, 2)].sum(0), atol=tolerance)
    for symbol in range(len(profile.odds)):
        assert_allclose(uses[symbol, :M] / weights.sum(), truth.match[residues == symbol].sum(0), atol=tolerance)


@vector
@pytest.mark.parametrize("case", [c for c in SMALL if not c[-1] and not c[2]], ids=str)
def test_the_alignment_is_the_most_accurate_path(case, dtype, width, tolerance):
    profile, residues, truth = small(*case)
    if not truth.paths:
        return
    run = Run(profile, residues, dtype, width)
    run.decode()
    t, L = run.tables, len(residues)
    path = np.full((L + run.M + 2, 3), -1, np.int32)
    count, accuracy = kd.align(run.posterior, run.flanks, t.gates, run.steps, run.later, path, t.dim)

    def worth(places):
        tables = {"M": truth.match, "I": truth.insert}
        return sum(
            tables[state][i, k - 1] if k else truth.flanks[i, "NJC".index(state)] for i, (state, k) in enumerate(places)
        )

    best = max(worth(p.places) for p in truth.paths)
    assert accuracy == pytest.approx(best, abs=tolerance * 10)
    steps = path[:count][::-1]
    emitted = steps[steps[:, 0] != kd.P_D]
    assert_allclose(np.diff(emitted[:, 2]), 1)
    names = {kd.P_M: "M", kd.P_I: "I"}
    inner = [(names[int(state)], int(k)) for state, k, _ in emitted]
    places = (("N", 0),) * int(emitted[0, 2] - 1) + tuple(inner) + (("C", 0),) * int(L - emitted[-1, 2])
    assert places in {p.places for p in truth.paths}
    assert worth(places) == pytest.approx(best, abs=tolerance * 10)


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "multihit"), MODES)
@pytest.mark.parametrize(("M", "dtype", "width"), [(1, np.float32, 16), (3, np.float64, 1), (3, np.float32, 16)])
def test_sampled_paths_come_as_often_as_they_are_probable(M, dtype, width, mode, multihit):
    profile, residues, truth = small(M, 4, False, mode, multihit)
    if not truth.paths:
        return
    run = Run(profile, residues, dtype, width)
    L, n = len(residues), 20_000
    path, seed = np.empty((64, 3), np.int32), 7
    emitting = np.array([kd.P_M, kd.P_I, kd.P_N, kd.P_J, kd.P_C])
    counts = np.zeros((L, 9, M + 1))
    for _ in range(n):
        count, seed = kd.sample_path(
            run.cells, run.tables.row, run.ahead, run.steps, run.specials, seed, path, run.tables.dim
        )
        states, nodes, where = path[:count].T
        emits = np.isin(states, emitting[:2])
        emits[1:] |= (states[1:] == states[:-1]) & np.isin(states[1:], emitting[2:])
        assert emits.sum() == L
        inner = np.isin(states[emits], emitting[:2])
        counts[where[emits] - 1, states[emits], np.where(inner, nodes[emits], 0)] += 1
    share = counts / n
    found = (share[:, kd.P_M, 1:], share[:, kd.P_I, 1:], share[:, (kd.P_N, kd.P_J, kd.P_C), 0])
    for ours, p in zip(found, (truth.match, truth.insert, truth.flanks), strict=True):
        assert np.all(np.abs(ours - p) <= 4.5 * np.sqrt(p * (1 - p) / n) + 1e-6)


# -- beyond enumeration -----------------------------------------------------------------------------------------


def protein_like(M, rng):
    return brute.random_core(M, rng, alphabet=PROTEIN, strength=0.3, gaps=0.03)


@vector
@pytest.mark.parametrize(("mode", "multihit"), MODES)
def test_posteriors_are_those_of_log_space(mode, multihit, dtype, width, tolerance):
    rng = np.random.default_rng(40)
    core = protein_like(40, rng)
    inside = np.array([rng.choice(20, p=p) for p in core.match[1:]])
    residues = np.concatenate([rng.integers(0, 20, 10), inside, rng.integers(0, 26, 10)]).astype(np.uint8)
    profile = configure(core, mode=mode, multihit=multihit)
    run = Run(profile, residues, dtype, width)
    assert run.score == pytest.approx(forward_score(profile, residues), abs=tolerance)
    assert_posteriors(run.decode()[:3], posteriors(profile, residues), tolerance)


@vector
@pytest.mark.parametrize(("mode", "multihit"), MODES)
def test_rescaling_leaves_no_trace(mode, multihit, dtype, width, tolerance):
    rng = np.random.default_rng(60)
    core = brute.random_core(60, rng, alphabet=PROTEIN, strength=0.02, gaps=0.01)
    once = core.match[1:].argmax(1)
    flank = rng.integers(0, 20, 7)
    # One domain where one is allowed: 32 bits do not reach from the first to the second.
    parts = [flank, once, flank, once, once] if multihit else [flank, once, flank]
    residues = np.concatenate(parts).astype(np.uint8)
    profile = configure(core, mode=mode, multihit=multihit)
    run = Run(profile, residues, dtype, width)
    assert (run.ahead[:, kf.SCALE] > kf.TOO_LARGE).sum() >= (30 if multihit else 10)
    # Of a score in the hundreds, 32 bits hold less.
    assert run.score == pytest.approx(forward_score(profile, residues), rel=1e-6, abs=tolerance)
    found = run.decode()
    assert kf.agree(run.ahead, run.behind, run.specials)
    score = np.log(run.behind[0, kf.N]) + np.log(run.ahead[1:, kf.SCALE].astype(float)).sum()
    assert score == pytest.approx(run.score, rel=1e-6, abs=tolerance)
    assert_posteriors(found[:3], posteriors(profile, residues), 5 * tolerance)
    assert_one_row(run)


def test_the_best_path_of_a_planted_domain_is_the_domain():
    rng = np.random.default_rng(3)
    core = brute.random_core(30, rng, alphabet=PROTEIN, strength=0.02, gaps=0.01)
    once = core.match[1:].argmax(1)
    residues = np.concatenate([rng.integers(0, 20, 5), once, rng.integers(0, 20, 6), once]).astype(np.uint8)
    score, path = viterbi_path(configure(core), residues)
    assert score < forward_score(configure(core), residues) < score + 5
    matches = path.states == kd.P_M
    assert path.nodes[matches].tolist() == [*range(1, 31)] * 2
    assert path.residues[matches].tolist() == [*range(6, 36), *range(42, 72)]


def test_what_32_bits_lose_log_space_keeps():
    rng = np.random.default_rng(5)
    core = brute.random_core(80, rng, alphabet=PROTEIN, strength=0.3, gaps=0.001)
    core.transitions[1:-1, 5:] = 0.999, 0.001  # few long deletes
    core.transitions[:-1, :3] = 0.998, 0.001, 0.001
    profile = configure(core, mode="glocal", multihit=False)
    residues = core.match[1:].argmin(1).astype(np.uint8)
    score = forward_score(profile, residues)
    assert Run(profile, residues, np.float32, 16).score == -np.inf
    assert np.isfinite(score)
    p = posteriors(profile, residues)
    assert_allclose(p.match.sum(1) + p.insert.sum(1) + p.flanks.sum(1), 1.0)


@pytest.mark.parametrize("n_changed", [0, 2, 8])
@pytest.mark.parametrize("mode", ["local", "glocal"])
def test_a_second_domain_beyond_32_bits_is_noticed(mode, n_changed):
    rng = np.random.default_rng(60)
    core = brute.random_core(60, rng, alphabet=PROTEIN, strength=0.02, gaps=0.01)
    once = core.match[1:].argmax(1)
    weaker = once.copy()
    weaker[:n_changed] = 18
    residues = np.concatenate([weaker, rng.integers(0, 20, 7), once]).astype(np.uint8)
    profile = configure(core, mode=mode, multihit=False)
    score = forward_score(profile, residues)
    for dtype, width, reached in ((np.float32, 16, False), (np.float64, 8, True)):
        run = Run(profile, residues, dtype, width)
        run.decode()
        assert kf.agree(run.ahead, run.behind, run.specials) == reached
        assert (abs(run.score - score) < 1e-9) == reached
        sums, uses, scores = expected(profile, residues, np.ones(1), dtype, width)
        assert np.isfinite(scores[0]) == sums.any() == uses.any() == reached
        assert np.isfinite(sums).all()


@pytest.mark.parametrize(("mode", "multihit"), MODES)
def test_an_empty_sequence_is_impossible(mode, multihit):
    profile = configure(brute.random_core(3, np.random.default_rng(0)), mode=mode, multihit=multihit)
    nothing = np.zeros(0, np.uint8)
    assert forward_score(profile, nothing) == -np.inf
    assert posteriors(profile, nothing).match.shape == (0, 3)
    assert not len(viterbi_path(profile, nothing)[1].states)
    assert Run(profile, nothing, np.float32, 16).score == -np.inf
