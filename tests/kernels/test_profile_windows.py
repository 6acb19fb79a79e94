"""The filters that report places, against the filters that report scores and against each other at all widths."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from seqem.bio.alphabet import DNA
from seqem.profile.configure import configure
from seqem.profile.windows import WindowFilters, complement, merge
from tests.profile import brute

SIZES = [1, 2, 16, 33, 70]
WIDTHS = [64, 32, 16]
cases = pytest.mark.parametrize("M", SIZES)
widths = pytest.mark.parametrize("width", WIDTHS)
MAX_LENGTH = 300


def model(M):
    return brute.random_core(M, np.random.default_rng([M, 7]), alphabet=DNA, strength=0.05, gaps=0.05)


def target(core, rng, length=600):
    """Return noise with the best path of the model three times, once with a gap."""
    best = core.match[1:].argmax(1)
    M = len(best)
    x = rng.integers(0, 5, length)
    for at, piece in (
        (20, best),
        (200, np.concatenate([best[: M // 2], [3, 3], best[M // 2 :]])),
        (450, best[M // 3 :]),
    ):
        x[at : at + len(piece)] = piece
    return x.astype(np.uint8)


@cases
@widths
def test_segments_are_those_of_one_lane(M, width):
    core = model(M)
    x = target(core, np.random.default_rng(M))
    plain, wide = (WindowFilters(configure(core), w) for w in (1, width))
    for bits in (-5.0, 2.0, 8.0, 20.0):
        limit = plain.segment_limit(bits, MAX_LENGTH)
        for reverse in (False, True):
            wanted = plain.segment_seeds(x, limit, MAX_LENGTH, reverse=reverse)
            assert_array_equal(wide.segment_seeds(x, limit, MAX_LENGTH, reverse=reverse), wanted)


@cases
def test_the_reverse_strand_is_the_reversed_complement(M):
    core = model(M)
    x = target(core, np.random.default_rng(M))
    filters = WindowFilters(configure(core))
    other = complement(DNA)[x[::-1]]
    limit = filters.segment_limit(2.0, MAX_LENGTH)
    wanted = filters.segment_seeds(other, limit, MAX_LENGTH, reverse=False)
    assert_array_equal(filters.segment_seeds(x, limit, MAX_LENGTH, reverse=True), wanted)


def segments_of(costs, x, begin, bias, limit, stripes=16):
    """Return what the scan reports, one cell after another; as HMMER, it does not extend to the last node."""
    M = costs.shape[1]
    stripe = max(2, (M - 1) // stripes + 1)
    order = sorted(range(M), key=lambda k: (k % stripe, k))
    gain = bias - costs.astype(int)
    row, seeds, i = np.zeros(M, int), [], 0
    while i < len(x):
        before = np.concatenate([[0], row[:-1]])
        row = np.maximum(np.minimum(np.maximum(before, begin) + bias, 255) - costs[x[i]].astype(int), 0)
        if row.max() >= limit:
            k = max(order, key=lambda k: (row[k], -order.index(k)))
            first, node, rest, end = i, k, row[k], i
            while first == i or (rest > begin and node >= 0 and first >= 0):
                rest -= gain[x[first], node]
                first, node = first - 1, node - 1
            score = best = row[k]
            since, at, node = 0, i + 1, k + 1
            while node < M - 1 and at < len(x) and since < 5:
                score, since = score + gain[x[at], node], since + 1
                if score >= best:
                    best, end, since = score, at, 0
                at, node = at + 1, node + 1
            seeds.append((first + 1, k + 1 + end - i, end - first))
            row, i = np.zeros(M, int), end
        i += 1
    return np.array(seeds).reshape(-1, 3)


@cases
def test_segments_are_the_definition(M):
    core = model(M)
    x = target(core, np.random.default_rng(M))
    filters = WindowFilters(configure(core), 1)
    begin = max(0, 190 - round(3 / np.log(2) * -np.log(3 / (MAX_LENGTH + 3))) - filters._enter)
    for bits in (-5.0, 2.0, 8.0):
        limit = filters.segment_limit(bits, MAX_LENGTH)
        wanted = segments_of(filters._unsigned_costs[:, :M], x, begin, filters._bias, limit)
        assert_array_equal(filters.segment_seeds(x, limit, MAX_LENGTH, reverse=False), wanted)


@cases
@widths
def test_places_of_the_viterbi_filter_are_those_of_one_lane(M, width):
    core = model(M)
    x = target(core, np.random.default_rng(M))
    plain, wide = (WindowFilters(configure(core), w) for w in (1, width))
    for nats in (-3.0, 1.0, 4.0, 9.0):
        assert_array_equal(wide.viterbi_seeds(x, nats, len(x)), plain.viterbi_seeds(x, nats, len(x)))


@cases
def test_places_are_where_the_filter_of_scores_passes_the_limit(M):
    core = model(M)
    filters = WindowFilters(configure(core))
    rng = np.random.default_rng(M)
    for length in (5, 40, 150):
        x = target(core, rng)[:length]
        (score,) = filters.viterbi(x, np.array([0, length]), np.array([0]))
        assert len(filters.viterbi_seeds(x, score - 1e-3, length))
        if np.isfinite(score):  # not saturated
            assert not len(filters.viterbi_seeds(x, score + 1e-2, length))


def test_windows_join_where_they_overlap():
    windows = np.array([[1, 10], [8, 20], [18, 22], [30, 40]])
    assert merge(windows, 0.0).tolist() == [[1, 22], [30, 40]]
    assert merge(windows, 0.5).tolist() == [[1, 10], [8, 22], [30, 40]]
    assert merge(windows[:0], 0.0).shape == (0, 2)
