"""Semi-Markov inference against enumeration of all segmentations, and the law that ties it to ordinary chains."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from seqem.chain import inference
from seqem.chain.params import ChainParams
from seqem.chain.semi_markov import (
    SemiMarkovChain,
    SemiMarkovStats,
    check_semi_markov,
    decode,
    duration_counts,
    expected_counts,
    sample_prior,
    survivor,
)
from seqem.errors import DataError, ParameterError
from tests import reference

KINDS = ("plain", "zeros", "final", "labels")


def problem(kind, K, T, D, seed):
    rng = np.random.default_rng(seed)
    trans = rng.random((K, K)) * (1 - np.eye(K))
    durations, start = rng.dirichlet(np.ones(D), K), rng.dirichlet(np.ones(K))
    frames = rng.normal(0, 2, (T, K))
    if kind == "zeros":
        durations[0, 0] = 0.0
        trans[0, 1:-1] = 0.0
    if kind == "final":
        trans = np.triu(trans)
    if kind == "labels":
        frames = frames + inference.label_frames(K, labels=rng.integers(-1, K, T))
    rows = trans.sum(1, keepdims=True)
    trans = np.divide(trans, rows, out=np.zeros_like(trans), where=rows > 0)
    return SemiMarkovChain(start, trans, durations / durations.sum(1, keepdims=True)), frames


@pytest.mark.parametrize("space", ["scaled", "log"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("K", "T", "D"), [(2, 1, 3), (2, 6, 4), (3, 6, 2), (3, 5, 7)])
def test_everything_equals_enumeration(kind, K, T, D, space):
    chain, frames = problem(kind, K, T, D, seed=100 * K + 10 * T + D)
    with np.errstate(invalid="ignore"):
        truth = reference.semi_markov_everything(*chain, frames)
    result = expected_counts(chain, frames, [0, T], space=space, block=2)
    if truth["log_likelihood"] == -np.inf:
        assert result.log_likelihood[0] == -np.inf
        return
    assert_allclose(result.log_likelihood, truth["log_likelihood"], rtol=1e-12)
    assert_allclose(result.smoothed, truth["smoothed"], atol=1e-12)
    for name in SemiMarkovStats._fields:
        assert_allclose(getattr(result.stats, name), truth[name], atol=1e-12)
    path, score = decode(chain, frames)
    assert_allclose(score, truth["scores"][0], rtol=1e-12)
    assert_array_equal(path, truth["paths"][0])


@pytest.mark.parametrize("space", ["scaled", "log"])
def test_geometric_durations_are_an_ordinary_chain(space):
    rng = np.random.default_rng(5)
    K, T = 3, 60
    plain, frames = rng.dirichlet(np.ones(K), K), rng.normal(0, 2, (T, K))
    leave = 1 - np.diag(plain)
    d = np.arange(T)
    table = leave[:, None] * np.diag(plain)[:, None] ** d
    table[:, -1] /= leave  # the last entry holds the tail: no segment is longer than the sequence
    trans = plain * (1 - np.eye(K)) / leave[:, None]
    start = rng.dirichlet(np.ones(K))
    ordinary = inference.smooth(ChainParams(start, plain), frames)
    result = expected_counts(SemiMarkovChain(start, trans, table), frames, [0, T], space=space)
    assert_allclose(result.log_likelihood[0], ordinary.log_likelihood, rtol=1e-13)
    assert_allclose(result.smoothed, ordinary.smoothed, atol=1e-12)
    assert_allclose(result.stats.trans, ordinary.stats.trans * (1 - np.eye(K)), atol=1e-12)


def test_weights_scale_counts_and_sequences_add_up():
    chain, frames = problem("plain", 3, 40, 6, seed=8)
    weights = np.array([2.0, 0.0, 0.5])
    together = expected_counts(chain, frames, [0, 15, 15, 40], weights=weights)
    first, last = (expected_counts(chain, part, [0, len(part)]) for part in np.split(frames, [15]))
    assert_allclose(together.log_likelihood, [first.log_likelihood[0], 0.0, last.log_likelihood[0]], rtol=1e-14)
    for name in SemiMarkovStats._fields:
        expected = 2.0 * getattr(first.stats, name) + 0.5 * getattr(last.stats, name)
        assert_allclose(getattr(together.stats, name), expected, atol=1e-13)
    assert_allclose(together.smoothed, np.concatenate([2.0 * first.smoothed, 0.5 * last.smoothed]), atol=1e-13)


def test_cut_segments_are_spread_over_what_they_may_have_become():
    durations = np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
    stats = SemiMarkovStats(
        np.zeros(2), np.zeros((2, 2)), np.array([[1.0, 0, 0], [0, 0, 2]]), np.array([[0, 1.0, 0], [3, 0, 0]])
    )
    assert_allclose(duration_counts(stats, durations), [[1.0, 0.6, 0.4], [0, 0, 5.0]], atol=1e-15)
    assert_allclose(survivor(durations), [[1.0, 0.5, 0.2], [1.0, 1.0, 1.0]])


def test_samples_have_the_durations_of_the_chain():
    chain, _ = problem("plain", 3, 1, 5, seed=3)
    path = sample_prior(chain, 30_000, np.random.default_rng(0))
    edges = np.flatnonzero(np.diff(path)) + 1
    states, lengths = path[edges[:-1]], np.diff(edges)
    for k in range(3):
        seen = np.bincount(lengths[states == k], minlength=6)[1:] / (states == k).sum()
        assert_allclose(seen, chain.durations[k], atol=0.025)


def test_a_state_that_is_not_left_ends_the_sample():
    chain = SemiMarkovChain(np.array([1.0, 0]), np.array([[0, 1.0], [0, 0]]), np.array([[0, 1.0], [0, 1.0]]))
    assert_array_equal(sample_prior(chain, 9, np.random.default_rng(0)), [0, 0, 1, 1])


@pytest.mark.parametrize(
    ("start", "trans", "durations", "match"),
    [
        ([0.5, 0.5], [[0.5, 0.5], [1, 0]], [[1.0], [1.0]], "follows itself"),
        ([0.5, 0.5], [[0, 0.5], [1, 0]], [[1.0], [1.0]], "transmat does not sum"),
        ([0.5, 0.6], [[0, 1], [1, 0]], [[1.0], [1.0]], "startprob does not sum"),
        ([0.5, 0.5], [[0, 1], [1, 0]], [[1.0]], "durations have the wrong shape"),
        ([0.5, 0.5], [[0, 1], [1, 0]], [[1.0], [0.9]], "durations are not rows"),
        ([0.5, 0.5], [[0, 1, 0], [1, 0, 0]], [[1.0], [1.0]], "transmat has the wrong shape"),
        ([0.5, 0.5], [0, 1], [[1.0], [1.0]], "transmat has the wrong shape"),
    ],
)
def test_parameter_errors_say_what(start, trans, durations, match):
    with pytest.raises(ParameterError, match=match):
        check_semi_markov(start, trans, durations)


def test_data_errors_say_what():
    chain, frames = problem("plain", 2, 6, 4, seed=0)
    for bad, offsets, match in (
        (frames[:, :1], [0, 6], "wrong shape"),
        (np.where(frames == frames[2, 1], np.nan, frames), [0, 6], "NaN"),
        (frames, [0, 7], "beyond the frames"),
    ):
        with pytest.raises(DataError, match=match):
            expected_counts(chain, bad, offsets)
