"""The scaled kernel against the log kernel where enumeration does not reach, and where it must give up."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from seqem.chain.semi_markov import SemiMarkovChain, decode, expected_counts

COUNTS = ("start", "trans", "complete", "cut")


def random_chain(K, D, rng):
    trans = rng.random((K, K)) * (1 - np.eye(K))
    return SemiMarkovChain(
        rng.dirichlet(np.ones(K)), trans / trans.sum(1, keepdims=True), rng.dirichlet(np.full(D, 0.5), K)
    )


def assert_same(one, two, tolerance):
    assert_allclose(one.log_likelihood, two.log_likelihood, rtol=tolerance)
    assert_allclose(one.smoothed, two.smoothed, atol=tolerance)
    for name in COUNTS:
        assert_allclose(getattr(one.stats, name), getattr(two.stats, name), atol=tolerance * 100)


@pytest.mark.parametrize(("T", "K", "D"), [(300, 2, 300), (900, 5, 7), (1500, 3, 40)])
def test_scaled_and_log_agree_on_long_sequences(T, K, D):
    rng = np.random.default_rng(T)
    chain, frames = random_chain(K, D, rng), rng.normal(-3, 4, (T, K))
    scaled, log = (expected_counts(chain, frames, [0, T], space=space) for space in ("scaled", "log"))
    assert_same(scaled, log, 1e-10)


def test_the_block_length_leaves_no_trace():
    rng = np.random.default_rng(1)
    chain, frames, offsets = random_chain(3, 12, rng), rng.normal(0, 2, (500, 3)), [0, 0, 130, 131, 500]
    whole = expected_counts(chain, frames, offsets)
    for block in (1, 7, 64, 369):
        other = expected_counts(chain, frames, offsets, block=block)
        assert_array_equal(other.smoothed, whole.smoothed)
        assert_array_equal(other.log_likelihood, whole.log_likelihood)
        for name in COUNTS:
            assert_array_equal(getattr(other.stats, name), getattr(whole.stats, name))


def test_a_path_that_seemed_lost_is_not():
    # State 0 for 40 rows falls 750 nats behind state 1 from row 10 on, below the range of doubles, and then wins by as much.
    table = np.zeros((2, 60))
    table[0, [9, 39]], table[1, 39] = 0.5, 1.0
    chain = SemiMarkovChain(np.array([1.0, 0.0]), 1 - np.eye(2), table)
    frames = np.zeros((45, 2))
    frames[10:35, 0], frames[35:40, 1] = -30.0, -300.0
    scaled, log = (expected_counts(chain, frames, [0, 45], space=space) for space in ("scaled", "log"))
    assert log.smoothed[39].argmax() == 0
    assert_same(scaled, log, 1e-12)
    assert_array_equal(decode(chain, frames).path, np.repeat([0, 1], [40, 5]))


def test_one_sequence_in_log_space_leaves_the_others_alone():
    rng = np.random.default_rng(2)
    table = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    chain = SemiMarkovChain(np.array([0.5, 0.5]), 1 - np.eye(2), table)
    frames = rng.normal(0, 1, (30, 2))
    frames[10:20, 0] -= 900.0  # only state 1 will do, but it cannot last
    offsets = [0, 10, 20, 30]
    together = expected_counts(chain, frames, offsets)
    alone = [
        expected_counts(chain, frames[lo:hi], [0, hi - lo], space="log") for lo, hi in ((0, 10), (10, 20), (20, 30))
    ]
    assert_allclose(together.log_likelihood, np.concatenate([a.log_likelihood for a in alone]), rtol=1e-12)
    assert_allclose(together.smoothed, np.concatenate([a.smoothed for a in alone]), atol=1e-12)
    for name in COUNTS:
        assert_allclose(getattr(together.stats, name), sum(getattr(a.stats, name) for a in alone), atol=1e-11)


@pytest.mark.parametrize("space", ["scaled", "log"])
def test_an_impossible_sequence_adds_nothing(space):
    table = np.array([[0.0, 1.0], [0.0, 1.0]])
    chain = SemiMarkovChain(np.array([1.0, 0.0]), 1 - np.eye(2), table)
    frames = np.zeros((4, 2))
    frames[0, 0] = -np.inf
    result = expected_counts(chain, frames, [0, 4], space=space)
    assert result.log_likelihood[0] == -np.inf
    assert not result.smoothed.any()
    assert not any(np.any(part) for part in result.stats)
    path, score = decode(chain, frames)
    assert score == -np.inf
    assert_array_equal(path, -1)


def test_ties_go_to_the_lower_state_and_the_shorter_segment():
    chain = SemiMarkovChain(np.array([0.5, 0.5]), 1 - np.eye(2), np.array([[0.5, 0.5], [0.5, 0.5]]))
    assert_array_equal(decode(chain, np.zeros((1, 2))).path, [0])
    assert_array_equal(decode(chain, np.zeros((2, 2))).path, [1, 0])  # as probable as 0 0 and 0 1
