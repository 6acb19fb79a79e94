"""Mixtures of shared parts against sums by hand, against mixtures whose parts are equal, and in HMMs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from scipy.stats import norm

from seqem import HMM
from seqem.core.tree import tree_add, tree_leaves
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.distributions.independent import Independent, IndependentParams
from seqem.distributions.mixture import MixtureOf, MixtureParams
from seqem.distributions.poisson import Poisson
from seqem.distributions.shared_mixture import SharedMixture, SharedMixtureParams
from seqem.errors import ParameterError

K, M, D, N = 3, 5, 2, 40


def case(seed=0):
    rng = np.random.default_rng(seed)
    parts = GaussianParams(rng.normal(0, 3, (M, D)), rng.gamma(2.0, 1.0, (M, D)))
    return (
        SharedMixtureParams(rng.dirichlet(np.ones(M), K), parts),
        rng.normal(0, 3, (N, D)),
        rng.dirichlet(np.ones(K), N),
    )


MODEL = SharedMixture(Gaussian("diag"), M)


def joint(params, x):
    """log w_km + log N(x | m), by hand, (N, K, M)."""
    mean, variance = params.component
    density = norm.logpdf(x[:, None], mean, np.sqrt(variance)).sum(axis=2)
    with np.errstate(divide="ignore"):
        return density[:, None] + np.log(params.weights)


def test_densities_and_statistics_by_hand():
    params, x, resp = case()
    each = joint(params, x)
    assert_allclose(MODEL.log_likelihood(params, x), logsumexp(each, axis=2), rtol=1e-12)
    shares = resp[:, :, None] * np.exp(each - logsumexp(each, axis=2, keepdims=True))
    stats = MODEL.accumulate(params, x, resp)
    assert_allclose(stats.counts, shares.sum(axis=0), rtol=1e-11)
    assert_allclose(MODEL.responsibilities(params, x, resp), shares.sum(axis=1), rtol=1e-11)
    part = np.einsum("nkm,nd->md", shares, x) - shares.sum(axis=(0, 1))[:, None] * params.component.mean
    assert_allclose(stats.component.first, part, rtol=1e-9, atol=1e-11)


def test_rows_far_from_all_that_a_state_is_made_of():
    # The second state is 60 000 nats from the first row, and has parts that the first state has not.
    params = SharedMixtureParams(
        np.array([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75], [0.0, 0.0, 1.0]]),
        GaussianParams(np.array([[0.0], [300.0], [350.0]]), np.ones((3, 1))),
    )
    x, resp = np.array([[0.0], [349.0], [0.1]]), np.full((3, 3), 1 / 3)
    each, model = joint(params, x), SharedMixture(Gaussian("diag"), 3)
    assert_allclose(model.log_likelihood(params, x), logsumexp(each, axis=2), rtol=1e-12)
    shares = np.exp(each - logsumexp(each, axis=2, keepdims=True)) / 3
    stats = model.accumulate(params, x, resp)
    assert_allclose(stats.counts, shares.sum(axis=0), rtol=1e-11)
    assert_allclose(stats.component.mass[:, 0], shares.sum(axis=(0, 1)), rtol=1e-11)


def test_rows_that_cannot_be_and_rows_that_are_missing():
    params = SharedMixtureParams(
        np.array([[1.0, 0.0], [0.5, 0.5]]), Poisson().initial(np.ones((4, 1)), 2, np.random.default_rng(0))
    )
    x = np.array([[1.0], [np.nan], [2.0]])
    model = SharedMixture(Poisson(), 2)
    assert_array_equal(model.log_likelihood(params, x)[1], 0.0)
    whole = model.accumulate(params, x, np.ones((3, 2)))
    for (_, a), (_, b) in zip(
        tree_leaves(whole), tree_leaves(model.accumulate(params, x[[0, 2]], np.ones((2, 2)))), strict=True
    ):
        assert_allclose(a, b)


def test_a_mixture_with_its_parts_tied_by_hand_is_the_same():
    params, x, resp = case(1)
    wide = MixtureParams(params.weights, GaussianParams(*(np.tile(leaf, (K, 1)) for leaf in params.component)))
    mixture = MixtureOf(Gaussian("diag"), M)
    assert_allclose(MODEL.log_likelihood(params, x), mixture.log_likelihood(wide, x), rtol=1e-12)
    ours, theirs = MODEL.accumulate(params, x, resp), mixture.accumulate(wide, x, resp)
    assert_allclose(ours.counts, theirs.counts, rtol=1e-11)
    for (_, a), (_, b) in zip(tree_leaves(ours.component), tree_leaves(theirs.component), strict=True):
        assert_allclose(a, b.reshape(K, M, D).sum(axis=0), rtol=1e-9, atol=1e-11)


def test_some_states_alone():
    params, x, resp = case(2)
    states = np.array([2, 0])
    some = MODEL.of_states(params, states)
    scores, parts = MODEL.log_likelihood_and_parts(some, x)
    assert_allclose(scores, MODEL.log_likelihood(params, x)[:, states], rtol=1e-13)
    total = MODEL.accumulate(params, x[:0], resp[:0])
    MODEL.add_states(total, MODEL.accumulate_parts(some, x, parts, resp[:, states]), states)
    one = MODEL.accumulate(params, x[:0], resp[:0])
    MODEL.add_states(one, MODEL.accumulate(MODEL.of_states(params, np.array([1])), x, resp[:, [1]]), np.array([1]))
    both, whole = tree_add(total, one), MODEL.accumulate(params, x, resp)
    for (_, a), (_, b) in zip(tree_leaves(both), tree_leaves(whole), strict=True):
        assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_streams_of_shared_mixtures():
    rng = np.random.default_rng(3)
    params, x, resp = case(3)
    family = Independent([(MODEL, [0, 1]), (SharedMixture(Poisson(), 2), 2)])
    rows = family.check(np.column_stack([x, rng.poisson(3.0, N)]))
    counts = SharedMixture(Poisson(), 2).initial(rows[:, 2:], K, rng)
    both = IndependentParams((params, counts))
    expected = MODEL.log_likelihood(params, x) + SharedMixture(Poisson(), 2).log_likelihood(counts, rows[:, 2:])
    scores, parts = family.log_likelihood_and_parts(both, rows)
    assert_allclose(scores, expected, rtol=1e-12)
    assert_allclose(family.log_likelihood(both, rows), expected, rtol=1e-12)
    stats = family.accumulate_parts(both, rows, parts, resp)
    for (_, a), (_, b) in zip(tree_leaves(stats), tree_leaves(family.accumulate(both, rows, resp)), strict=True):
        assert_allclose(a, b, rtol=1e-11, atol=1e-12)
    states = np.array([2, 1])
    some = family.of_states(both, states)
    assert_allclose(family.log_likelihood(some, rows), expected[:, states], rtol=1e-12)
    total = family.accumulate(both, rows[:0], resp[:0])
    family.add_states(total, family.accumulate(some, rows, resp[:, states]), states)
    assert_allclose(total.parts[0].counts[states], stats.parts[0].counts[states], rtol=1e-11)
    assert_array_equal(total.parts[0].counts[0], 0.0)
    assert family.responsibilities(both, rows, resp).shape == (N, M + 2)
    assert_allclose(family.responsibilities(both, rows, resp).sum(), 2 * N)


def test_em_never_falls_in_an_hmm_and_finds_the_weights():
    rng = np.random.default_rng(4)
    truth = SharedMixtureParams(
        np.array([[0.8, 0.2, 0.0], [0.0, 0.3, 0.7]]), GaussianParams(np.array([[-6.0], [0.0], [6.0]]), np.ones((3, 1)))
    )
    states = (np.arange(4000) // 8) % 2
    x = SharedMixture(Gaussian("diag"), 3).sample(truth, states, rng)
    model = HMM(SharedMixture(Gaussian("diag"), 3), 2, random_state=0, n_iter=40).fit(x)
    objective = model.history_.objective
    assert (np.diff(objective) >= -1e-9 * np.abs(objective[1:])).all()
    part = np.argsort(model.params_.emission.component.mean[:, 0])
    found = model.params_.emission.weights[:, part]
    found = found[np.argsort(-found[:, 0])]
    assert_allclose(found, truth.weights, atol=0.06)
    assert_allclose(np.sort(model.params_.emission.component.mean[:, 0]), [-6.0, 0.0, 6.0], atol=0.2)


def test_arguments_that_cannot_be():
    with pytest.raises(ParameterError, match="fixed"):
        SharedMixture(Poisson(), 2, fixed={"rate": True})
    with pytest.raises(ParameterError):
        SharedMixture(Poisson(), 0)
    with pytest.raises(ParameterError):
        SharedMixture(Poisson(), 2, weight_prior=0.5)
