"""The E-step of the whole model against enumeration of all paths, and its fast paths against each other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from seqem import GaussianHMM, PoissonHMM
from seqem.core.batch import SequenceBatch
from seqem.core.tree import tree_leaves
from seqem.distributions.categorical import Categorical, CategoricalParams
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.hmm import coded
from seqem.hmm.model import HMMParams, MarkovModel
from seqem.hmm.transitions import TransitionStep
from tests import reference

DNA = np.vstack([np.eye(4), [1, 0, 1, 0], [0, 1, 1, 1], [1, 1, 1, 1]])
"""Four letters, two sets of letters, and nothing known."""


def random_chain(K, ends, rng):
    rows = rng.dirichlet(np.ones(K + ends), K)
    return rng.dirichlet(np.ones(K)), rows[:, :K], rows[:, K] if ends else None


def symbol_model(K, ends, space="scaled"):
    model = MarkovModel(Categorical(codes=DNA), TransitionStep(), space=space)
    rng = np.random.default_rng(K)
    return model, HMMParams(*random_chain(K, ends, rng), CategoricalParams(rng.dirichlet(np.ones(4), K)))


def symbols(lengths, weighted, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, len(DNA), sum(lengths)).astype(np.uint8)
    weights = rng.uniform(0.5, 2.0, len(lengths)) if weighted else None
    return SequenceBatch.from_lengths(x, lengths, weights=weights)


def enumerated(model, params, batch, frames=None):
    """Return the log-likelihood, counts and responsibilities of a batch by enumeration."""
    K, total = len(params.start), 0.0
    start, trans, end, resp = np.zeros(K), np.zeros((K, K)), np.zeros(K), np.zeros((batch.n_rows, K))
    frames = model.distribution.log_likelihood(params.emission, batch.values) if frames is None else frames
    for s, (lo, hi) in enumerate(zip(batch.offsets[:-1], batch.offsets[1:], strict=True)):
        if lo == hi:
            continue
        weight = 1.0 if batch.weights is None else batch.weights[s]
        known = reference.everything(params.start, params.trans, params.end, frames[lo:hi])
        total += weight * known["log_likelihood"]
        resp[lo:hi] = weight * known["smoothed"]
        trans += weight * known["pairs"]
        start += resp[lo]
        end += resp[hi - 1]
    return total, start, trans, end, resp


def assert_step(step, model, params, batch, frames=None):
    total, start, trans, end, resp = enumerated(model, params, batch, frames)
    assert_allclose(step.log_likelihood, total, rtol=1e-12)
    assert_allclose(step.stats.start, start, atol=1e-12)
    assert_allclose(step.stats.trans, trans, atol=1e-12)
    assert_allclose(step.stats.end, end, atol=1e-12)
    expected = model.distribution.accumulate(params.emission, batch.values, resp)
    assert_same_tree(step.stats.emission, expected, atol=1e-11)


def assert_same_tree(tree, other, **close):
    for (name, a), (_, b) in zip(tree_leaves(tree), tree_leaves(other), strict=True):
        assert_allclose(a, b, err_msg=name, **close)


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("K", [1, 2, 3, 4])
def test_e_step_of_symbols(K, weighted, ends):
    model, params = symbol_model(K, ends)
    batch = symbols([6, 1, 0, 5, 2], weighted, seed=K)
    assert coded.suits(model.distribution, params)
    assert_step(model.e_step(params, batch), model, params, batch)
    dense = MarkovModel(model.distribution, model.transitions, space="log")
    assert_step(dense.e_step(params, batch), model, params, batch)


def test_expected_counts_of_ambiguous_symbols_are_shared_by_their_letters():
    """Enumerate the letters too: code 4 may be letter 0 or 2, code 6 any."""
    model, params = symbol_model(2, ends=True)
    x = np.array([4, 1, 6, 5], dtype=np.uint8)
    counts, total = np.zeros((2, 4)), 0.0
    for letters in np.array(np.meshgrid(*[np.flatnonzero(DNA[c]) for c in x])).reshape(4, -1).T:
        known = reference.everything(
            params.start, params.trans, params.end, np.log(params.emission.probs[:, letters]).T
        )  # fmt: skip
        p = np.exp(known["log_likelihood"])
        total += p
        for t, letter in enumerate(letters):
            if x[t] != 6:  # a missing symbol gives no counts: its letters would add what is believed already
                counts[:, letter] += p * known["smoothed"][t]
    step = model.e_step(params, SequenceBatch.of([x]))
    assert_allclose(step.log_likelihood, np.log(total), rtol=1e-12)
    assert_allclose(step.stats.emission.counts, counts / total, atol=1e-12)


@pytest.mark.parametrize("observed", ["nothing", "labels", "soft"])
@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("space", ["scaled", "log"])
@pytest.mark.parametrize("K", [2, 4])
def test_e_step_of_rows(K, space, ends, observed):
    rng = np.random.default_rng(K)
    model = MarkovModel(Gaussian("diag"), TransitionStep(), space=space)
    emission = GaussianParams(rng.normal(0, 2, (K, 2)), rng.uniform(0.5, 2, (K, 2)))
    params = HMMParams(*random_chain(K, ends, rng), emission)
    x = rng.normal(0, 2, (14, 2))
    x[3, 0] = x[8] = np.nan
    known = {
        "nothing": {},
        "labels": {"labels": np.where(rng.random(14) < 0.4, rng.integers(0, K, 14), -1)},
        "soft": {"state_prior": rng.uniform(0.1, 1.0, (14, K))},
    }[observed]
    weights = rng.uniform(0.5, 2.0, 5)
    batch = SequenceBatch.from_lengths(x, [6, 1, 0, 5, 2], weights=weights, **known)
    frames = model.distribution.log_likelihood(emission, x)
    if observed == "labels":
        frames = frames + np.where((batch.labels[:, None] >= 0) & (batch.labels[:, None] != np.arange(K)), -np.inf, 0)
    if observed == "soft":
        frames = frames + np.log(batch.state_prior)
    assert_step(model.e_step(params, batch), model, params, batch, frames)


@pytest.mark.parametrize("ends", [False, True])
def test_e_step_on_best_paths(ends):
    rng = np.random.default_rng(1)
    model = MarkovModel(Gaussian("diag"), TransitionStep(), training="viterbi")
    emission = GaussianParams(rng.normal(0, 2, (3, 1)), np.ones((3, 1)))
    params = HMMParams(*random_chain(3, ends, rng), emission)
    batch = SequenceBatch.from_lengths(rng.normal(0, 2, (12, 1)), [6, 1, 0, 5], weights=np.array([1.0, 2.0, 3.0, 0.5]))
    frames = model.distribution.log_likelihood(emission, batch.values)
    total, resp, trans = 0.0, np.zeros((12, 3)), np.zeros((3, 3))
    for s, (lo, hi) in enumerate(zip(batch.offsets[:-1], batch.offsets[1:], strict=True)):
        if hi > lo:
            known = reference.everything(params.start, params.trans, params.end, frames[lo:hi])
            path, weight = known["paths"][0], batch.weights[s]
            total += weight * known["scores"][0]
            resp[np.arange(lo, hi), path] = weight
            np.add.at(trans, (path[:-1], path[1:]), weight)
    step = model.e_step(params, batch)
    assert_allclose(step.log_likelihood, total, rtol=1e-12)
    assert_allclose(step.stats.trans, trans)
    assert_allclose(step.stats.start, resp[[0, 6, 7]].sum(0))
    assert_allclose(step.stats.end, resp[[5, 6, 11]].sum(0))
    assert_same_tree(step.stats.emission, model.distribution.accumulate(emission, batch.values, resp), atol=1e-12)


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("K", [1, 2, 5, 8])
def test_symbol_walk_dense_walk_and_log_walk_agree_on_long_sequences(K, ends):
    model, params = symbol_model(K, ends)
    batch = symbols([30_011, 1, 7, 0, 4096, 4097], weighted=True, seed=K)
    fast = model.e_step(params, batch)
    assert coded.suits(model.distribution, params)
    stats, per_sequence = model._posterior_step(params, batch)
    assert_allclose(fast.log_likelihood, per_sequence @ batch.weights, rtol=1e-12)
    assert_same_tree(tuple(fast.stats), tuple(stats), rtol=1e-9, atol=1e-9)
    logs = MarkovModel(model.distribution, model.transitions, space="log").e_step(params, batch)
    assert_allclose(fast.log_likelihood, logs.log_likelihood, rtol=1e-11)
    assert_same_tree(tuple(fast.stats), tuple(logs.stats), rtol=1e-8, atol=1e-8)


def underflowing():
    """Return symbols of which each of a run is all but impossible in the only state that can be reached."""
    tiny = 1e-90
    probs = np.array([[1.0 - tiny, tiny], [0.5, 0.5]])
    params = HMMParams(np.array([1.0, 0.0]), np.array([[1.0, 0.0], [0.5, 0.5]]), None, CategoricalParams(probs))
    return params, SequenceBatch.of([np.array([0] * 5 + [1] * 20 + [0] * 5, dtype=np.uint8), np.zeros(9, np.uint8)])


def test_symbol_walk_that_underflows_gives_the_answer_of_log_space():
    params, batch = underflowing()
    model = MarkovModel(Categorical(2), TransitionStep())
    assert coded.e_step(model.distribution, params, batch) is None
    fast = model.e_step(params, batch)
    logs = MarkovModel(Categorical(2), TransitionStep(), space="log").e_step(params, batch)
    assert_allclose(fast.log_likelihood, 20 * np.log(1e-90), rtol=1e-12)
    assert_allclose(fast.log_likelihood, logs.log_likelihood, rtol=1e-12)
    assert_same_tree(tuple(fast.stats), tuple(logs.stats), rtol=1e-9)


@pytest.mark.parametrize("name", ["gaussian", "poisson"])
def test_k_best_paths_and_sampled_paths_of_an_estimator(name):
    rng = np.random.default_rng(0)
    if name == "gaussian":
        model, x = GaussianHMM(3, init_params=""), rng.normal(0, 2, (5, 1))
        model.means_, model.covars_ = np.array([[-2.0], [0.0], [2.0]]), np.ones((3, 1))
    else:
        model, x = PoissonHMM(3, init_params=""), rng.poisson(4, (5, 1))
        model.lambdas_ = np.array([[1.0], [4.0], [9.0]])
    model.startprob_, model.transmat_, _ = random_chain(3, False, rng)
    known = reference.everything(model.startprob_, model.transmat_, None, model.score_rows(x))
    best = model.decode_k_best(x, 6)
    assert_allclose([b.score for b in best], known["scores"][:6], rtol=1e-12)
    assert [b.path.tolist() for b in best] == known["paths"][:6].tolist()
    assert_allclose(model.filter_proba(x), known["filtered"], atol=1e-12)
    paths = model.sample_paths(x, 20_000, random_state=0)
    frequency = np.mean((paths == known["paths"][0]).all(1))
    assert abs(frequency - known["probabilities"][0]) < 5 * np.sqrt(0.25 / 20_000)
    assert_allclose((paths[:, 2, None] == np.arange(3)).mean(0), known["smoothed"][2], atol=0.02)
