"""The integer filters against loops over residues and nodes, at sizes about those of their vectors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from seqem.bio.alphabet import PROTEIN
from seqem.core.batch import SequenceBatch
from seqem.kernels import profile_filters as kernel
from seqem.profile.configure import configure
from seqem.profile.filters import Filters
from tests.profile import brute

SIZES = [1, 2, 31, 32, 33, 65]
WIDTHS = [64, 32, 16, 1]
cases = pytest.mark.parametrize("M", SIZES)
widths = pytest.mark.parametrize("width", WIDTHS)


def targets(core, rng):
    """Return sequences of many lengths: random ones, planted domains once and thrice, parts, degenerate letters."""
    best, M = core.match[1:].argmax(1), core.n_nodes
    drawn = [rng.choice(20, p=p) for p in core.match[1:]]
    planted = [best, np.tile(best, 3), best[len(best) // 3 :], drawn, [*drawn, 4, 5, *drawn], [25, *best[:5], 20, 22]]
    # Deletes across blocks of nodes, once and before other nodes, and an insert.
    planted += [[*best[:n], *best[-n:]] for n in (3, 8, 12)] + [[*best[:7], *best[M // 2 - 5 : M // 2 + 5], *best[-9:]]]
    planted += [[*best[: M // 2], *[4] * 12, *best[M // 2 :]]]
    noise = [rng.integers(0, 26, L) for L in (1, 1, 2, 15, 16, 17, 63, 64, 65, 130)]
    return SequenceBatch.of([np.asarray(x, np.uint8) for x in [*planted, *noise]], alphabet=PROTEIN)


def strong(M, seed=0):
    return brute.random_core(M, np.random.default_rng([M, seed]), alphabet=PROTEIN, strength=0.05, gaps=0.05)


def weak(M, seed=1):
    return brute.random_core(M, np.random.default_rng([M, seed]), alphabet=PROTEIN, strength=5.0, gaps=0.3)


def gappy(M):
    core = strong(M, 2)
    core.transitions[1:-1, 5:] = 0.04, 0.96  # deletes as long as the model cost next to nothing
    core.transitions[:-1, :3] = 0.6, 0.1, 0.3
    core.transitions[0, 5:] = 1.0, 0.0
    return core


@widths
@cases
@pytest.mark.parametrize("make", [strong, weak, gappy])
def test_segments_are_the_definition(make, M, width):
    core = make(M)
    batch = targets(core, np.random.default_rng(M))
    found = Filters(configure(core), width).segments(batch.values, batch.offsets)
    assert_array_equal(found, [brute.segments_in_bytes(core, residues) for residues in batch])


@pytest.mark.slow
@widths
@cases
@pytest.mark.parametrize("make", [strong, weak, gappy])
def test_the_viterbi_filter_is_the_definition(make, M, width):
    core = make(M)
    batch = targets(core, np.random.default_rng(M))
    found = Filters(configure(core), width).viterbi(batch.values, batch.offsets, np.arange(len(batch)))
    wanted = [brute.best_path_in_words(core, residues) for residues in batch]
    assert_allclose(found, wanted, rtol=0, atol=1e-12)


@widths
@cases
def test_bytes_saturate_where_the_definition_does(M, width):
    rng = np.random.default_rng(M)
    costs = rng.integers(-40, 60, (5, M))
    sequences = [rng.integers(0, 5, L).astype(np.uint8) for L in (1, 2, 16, 17, 64, 90)]
    batch = SequenceBatch.of(sequences)
    padded = np.pad(costs, ((0, 0), (width, 2 * width)), constant_values=127).astype(np.int8)
    best = np.empty(len(batch), np.int64)
    kernel.best_segments(batch.values, batch.offsets, padded, M, best, (0,) * width)
    assert_array_equal(best, [brute.best_segment(x, costs) for x in batch])
    bias, bytes_ = 40, np.pad(costs + 40, ((0, 0), (0, -M % width)), constant_values=255).astype(np.uint8)
    start = rng.integers(1, 150, len(batch))
    row, values = np.zeros(bytes_.shape[1], np.uint8), np.empty(len(batch), np.int64)
    which = np.arange(len(batch))
    kernel.msv_all(batch.values, batch.offsets, which, bytes_, bias, 190, 3, start, row, values, (0,) * width)
    wanted = [brute.chain_of_segments(x, costs + bias, bias, 190, 3, int(s)) for x, s in zip(batch, start, strict=True)]
    assert_array_equal(values, wanted)


def test_some_scores_saturate_and_some_do_not():
    core = strong(65)
    batch = targets(core, np.random.default_rng(65))
    everything = np.arange(len(batch))
    filters = Filters(configure(core))
    for scores in (
        filters.segments(batch.values, batch.offsets),
        filters.viterbi(batch.values, batch.offsets, everything),
    ):
        assert 0 < np.isinf(scores).sum() < len(scores)
