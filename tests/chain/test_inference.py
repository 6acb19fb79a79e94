"""Inference against enumeration of all paths, and the laws that tie the routines together."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from seqem.chain import inference
from seqem.chain.blocks import chunk_rows, expected_counts
from seqem.chain.params import ChainParams
from seqem.chain.viterbi import best_paths
from seqem.errors import DataError, NumericalError
from tests import reference

KINDS = ("plain", "end", "varying", "zeros", "labels", "soft", "missing")


def problem(kind, K, T, seed):
    rng = np.random.default_rng(seed)
    start, trans, end = rng.dirichlet(np.ones(K)), rng.dirichlet(np.ones(K), K), None
    frames = rng.normal(0, 2, (T, K))
    if kind == "end":
        rows = rng.dirichlet(np.ones(K + 1), K)
        trans, end = rows[:, :K], rows[:, K]
    elif kind == "varying":
        trans = rng.dirichlet(np.ones(K), (max(T - 1, 1), K))
    elif kind == "zeros":
        trans = np.triu(trans)
        trans /= trans.sum(1, keepdims=True)
        start = np.eye(K)[0]
    elif kind == "labels":
        frames = frames + inference.label_frames(K, labels=rng.integers(-1, K, T))
    elif kind == "soft":
        frames = frames + inference.label_frames(K, state_prior=rng.random((T, K)))
    elif kind == "missing":
        frames[rng.random(T) < 0.5] = 0.0
    return ChainParams(start, trans, end), frames


@pytest.mark.parametrize("space", ["scaled", "log"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("K", "T"), [(1, 3), (2, 1), (2, 6), (3, 5), (4, 6)])
def test_everything_equals_enumeration(kind, K, T, space):
    chain, frames = problem(kind, K, T, seed=10 * K + T)
    truth = reference.everything(*chain, frames)
    result = inference.smooth(chain, frames, space=space)
    assert_allclose(result.log_likelihood, truth["log_likelihood"], rtol=1e-12, atol=1e-12)
    assert_allclose(inference.log_likelihood(chain, frames, space=space), truth["log_likelihood"], rtol=1e-12)
    assert_allclose(result.smoothed, truth["smoothed"], atol=1e-12)
    assert_allclose(result.stats.trans, truth["pairs"], atol=1e-12)
    assert_allclose(result.stats.start, truth["smoothed"][0], atol=1e-12)
    assert_allclose(result.stats.end, truth["smoothed"][-1], atol=1e-12)
    assert_allclose(inference.filtered(chain, frames, space=space), truth["filtered"], atol=1e-12)
    assert_array_equal(inference.posterior_decode(chain, frames, space=space), truth["smoothed"].argmax(1))
    path, score = inference.decode(chain, frames)
    assert_allclose(score, truth["scores"][0], rtol=1e-12)
    assert_array_equal(path, truth["paths"][0])
    n_best = min(7, int(np.isfinite(truth["scores"]).sum()))
    best = inference.decode_k_best(chain, frames, 7)
    assert len(best) == n_best
    assert_allclose([d.score for d in best], truth["scores"][:n_best], rtol=1e-12)
    assert len({tuple(d.path) for d in best}) == n_best
    for d in best:
        match = (truth["paths"] == d.path).all(1)
        assert_allclose(truth["scores"][match][0], d.score, rtol=1e-12)


@pytest.mark.parametrize("kind", ["plain", "end", "varying"])
def test_sampled_paths_have_the_posterior_frequencies(kind):
    chain, frames = problem(kind, 3, 4, seed=3)
    truth = reference.everything(*chain, frames)
    n = 40_000
    paths = inference.sample_posterior(chain, frames, n, np.random.default_rng(0))
    codes = paths @ 3 ** np.arange(4)
    observed = np.bincount(codes, minlength=81) / n
    expected = np.zeros(81)
    expected[truth["paths"] @ 3 ** np.arange(4)] = truth["probabilities"]
    assert np.abs(observed - expected).max() < 5 * np.sqrt(0.25 / n)


def test_prediction_is_one_step_of_the_filter():
    chain, frames = problem("plain", 3, 6, seed=1)
    filtered = inference.filtered(chain, frames)
    predicted = inference.predicted(chain, frames)
    assert predicted.shape == (7, 3)
    assert_allclose(predicted[0], chain.start)
    assert_allclose(predicted[1:], filtered @ chain.trans)


def test_prior_paths_follow_the_chain_and_stop_by_its_ends():
    chain = ChainParams(np.array([1.0, 0.0]), np.array([[0.0, 0.9], [0.9, 0.0]]), np.array([0.1, 0.1]))
    rng = np.random.default_rng(0)
    paths = [inference.sample_prior(chain, 10_000, rng) for _ in range(2000)]
    assert all((p[:20] == np.arange(len(p))[:20] % 2).all() for p in paths)
    assert abs(np.mean([len(p) for p in paths]) - 10) < 1.0


@pytest.mark.parametrize("space", ["scaled", "log"])
def test_empty_sequence_is_certain(space):
    chain, _ = problem("plain", 3, 2, seed=0)
    empty = np.empty((0, 3))
    assert inference.log_likelihood(chain, empty, space=space) == 0.0
    assert inference.smooth(chain, empty, space=space).smoothed.shape == (0, 3)
    assert inference.decode(chain, empty).path.shape == (0,)
    assert inference.sample_posterior(chain, empty, 2, np.random.default_rng(0)).shape == (2, 0)


@pytest.mark.parametrize("K", [2, 5, 16, 20])
def test_spaces_agree_on_long_sequences(K):
    chain, frames = problem("plain", K, 3000, seed=K)
    scaled, logs = (inference.smooth(chain, frames, space=space) for space in ("scaled", "log"))
    assert_allclose(scaled.log_likelihood, logs.log_likelihood, rtol=1e-12)
    assert_allclose(scaled.smoothed, logs.smoothed, atol=1e-10)
    assert_allclose(scaled.stats.trans, logs.stats.trans, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("K", [3, 20])
@pytest.mark.parametrize("space", ["scaled", "log"])
def test_block_length_leaves_no_trace(K, space):
    chunk = chunk_rows(K)
    chain, frames = problem("plain", K, 3 * chunk + 77, seed=K)
    one = inference.smooth(chain, frames, space=space, block=8 * chunk)
    for blocks in (1, 2):
        many = inference.smooth(chain, frames, space=space, block=blocks * chunk)
        assert many.log_likelihood == one.log_likelihood
        assert_array_equal(many.smoothed, one.smoothed)
        assert_array_equal(many.stats.trans, one.stats.trans)


def test_viterbi_blocks_leave_no_trace():
    chain, frames = problem("plain", 4, 1003, seed=5)
    whole = inference.decode(chain, frames)
    for block in (1, 10, 500):
        part = inference.decode(chain, frames, block=block)
        assert part.score == whole.score
        assert_array_equal(part.path, whole.path)


def test_viterbi_of_more_than_256_states():
    K = 300
    chain = ChainParams(np.eye(K)[299], np.roll(np.eye(K), 1, axis=1))
    path, score = inference.decode(chain, np.zeros((5, K)))
    assert path.tolist() == [299, 0, 1, 2, 3]
    assert score == 0.0


def test_underflow_in_one_step_falls_back_to_log_space():
    chain = ChainParams(np.array([1.0, 0.0]), np.array([[1 - 1e-9, 1e-9], [0.0, 1.0]]))
    frames = np.array([[0.0, -5.0], [-2000.0, 0.0], [0.0, -800.0], [-3000.0, 0.0]])
    scaled, logs = (inference.smooth(chain, frames, space=space) for space in ("scaled", "log"))
    assert np.isfinite(scaled.log_likelihood)
    assert scaled.log_likelihood == logs.log_likelihood
    assert_array_equal(scaled.smoothed, logs.smoothed)
    truth = reference.everything(*chain, frames)
    assert_allclose(scaled.log_likelihood, truth["log_likelihood"], rtol=1e-12)


@pytest.mark.parametrize("space", ["scaled", "log"])
def test_impossible_frames_are_minus_infinity_and_say_so(space):
    chain = ChainParams(np.array([1.0, 0.0]), np.eye(2))
    frames = np.array([[0.0, 0.0], [-np.inf, 0.0]])
    result = inference.smooth(chain, frames, space=space)
    assert result.log_likelihood == -np.inf
    assert not result.smoothed.any()
    path, score = inference.decode(chain, frames)
    assert score == -np.inf
    assert (path == -1).all()
    with pytest.raises(NumericalError, match="no path"):
        inference.sample_posterior(chain, frames, 1, np.random.default_rng(0))


def test_frames_that_do_not_fit_are_refused():
    chain, frames = problem("varying", 2, 4, seed=0)
    with pytest.raises(DataError, match="longer than its transitions"):
        inference.smooth(chain, np.vstack([frames, frames]))
    with pytest.raises(DataError, match="NaN"):
        inference.smooth(chain, frames * np.nan)
    with pytest.raises(DataError, match="expected"):
        inference.smooth(chain, frames[:, :1])


def test_published_umbrella_world():
    chain = ChainParams(np.array([0.5, 0.5]), np.array([[0.7, 0.3], [0.3, 0.7]]))
    frames = np.log([[0.9, 0.2], [0.9, 0.2], [0.1, 0.8], [0.9, 0.2], [0.9, 0.2]])
    result = inference.smooth(chain, frames)
    assert_allclose(result.log_likelihood, -3.3725020443, atol=5e-11)
    assert_allclose(result.smoothed[:, 0], [0.867339, 0.820419, 0.307484, 0.820419, 0.867339], atol=5e-7)
    assert_allclose(inference.filtered(chain, frames)[:, 0], [0.8182, 0.8834, 0.1907, 0.7308, 0.8673], atol=5e-5)
    path, score = inference.decode(chain, frames)
    assert path.tolist() == [0, 0, 1, 0, 0]
    assert_allclose(score, -4.4590282910, atol=5e-11)


def test_no_sequences_at_all_are_no_counts():
    chain, _ = problem("plain", 3, 2, seed=0)
    result = expected_counts(chain, lambda lo, hi: np.zeros((hi - lo, 3)), [0], lambda lo, hi, rows: None)
    assert not result.chain.trans.any()
    assert result.log_likelihood.shape == (0,)


def test_best_paths_of_a_sequence_longer_than_its_transitions_are_refused():
    chain, frames = problem("varying", 2, 4, seed=0)
    twice = np.vstack([frames, frames])
    with pytest.raises(DataError, match="longer than its transitions"):
        best_paths(chain, lambda lo, hi: (twice[lo:hi], None), np.array([0, 8]))
