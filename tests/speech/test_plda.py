"""PLDA against dense Gaussians over all vectors of a speaker, and the laws of EM."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.base import clone

from seqem.core.tree import tree_add, tree_equal
from seqem.em.driver import fit
from seqem.em.stop import StopRule
from seqem.errors import DataError, NotFittedError, ParameterError
from seqem.speech.plda import PLDA
from seqem.speech.two_covariance import PLDAModel, PLDAParams, SpeakerSums
from seqem.testing.conformance import gradient

D, Q = 3, 2
COUNTS = [1, 3, 2, 3]


def drawn_params(rng, rank=Q):
    root = rng.normal(size=(D, D))
    return PLDAParams(rng.normal(size=D), rng.normal(size=(D, rank)), root @ root.T + 0.3 * np.eye(D))


def drawn(params, counts, rng):
    """Return vectors and whose they are."""
    y = np.repeat(np.arange(len(counts)), counts)
    voices = rng.normal(size=(len(counts), params.loadings.shape[1])) @ params.loadings.T
    noise = rng.multivariate_normal(np.zeros(D), params.within, len(y))
    return params.mean + voices[y] + noise, y


def shard_of(sets):
    return SpeakerSums(
        np.array([float(len(x)) for x in sets]), np.stack([x.sum(axis=0) for x in sets]), sum(x.T @ x for x in sets)
    )


def dense(params, x):
    """Return the log density of all vectors of one speaker, from their joint covariance."""
    n = len(x)
    between = params.loadings @ params.loadings.T
    covariance = np.kron(np.eye(n), params.within) + np.kron(np.ones((n, n)), between)
    return multivariate_normal.logpdf(x.ravel(), np.tile(params.mean, n), covariance)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_log_likelihood_is_that_of_the_dense_covariance(rng, rank):
    params = drawn_params(rng, rank)
    sets = [rng.normal(size=(n, D)) for n in COUNTS]
    found = PLDAModel().e_step(params, shard_of(sets)).log_likelihood
    assert found == pytest.approx(sum(dense(params, x) for x in sets), abs=1e-9)


@pytest.mark.parametrize("rank", [1, 3])
def test_ratios_are_those_of_dense_densities(rng, rank):
    params = drawn_params(rng, rank)
    sets, x = [rng.normal(size=(n, D)) for n in COUNTS], rng.normal(size=(5, D))
    shard = shard_of(sets)
    found = PLDAModel().log_likelihood_ratios(params, shard.counts, shard.sums, x)
    wanted = [[dense(params, np.vstack([s, t])) - dense(params, s) - dense(params, t[None]) for s in sets] for t in x]
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_q_has_the_gradient_of_the_log_likelihood(rng):
    model, params = PLDAModel(), drawn_params(rng)
    shard = shard_of([rng.normal(size=(n, D)) for n in COUNTS])
    at, stats = model.pack(params), model.e_step(params, shard).stats
    found = gradient(lambda v: model.expected_log_likelihood(stats, model.unpack(v, params), params), at)
    wanted = gradient(lambda v: model.e_step(model.unpack(v, params), shard).log_likelihood, at)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_step_is_the_regression_on_factors_of_moments_that_are_free(rng):
    # Posterior moments from the joint covariance of vectors and factors, speaker by speaker.
    params = drawn_params(rng)
    sets = [rng.normal(size=(n, D)) for n in (1, 3, 2, 3, 6)]
    means, seconds, design, cross = [], [], 0.0, 0.0
    for x in sets:
        V = np.tile(params.loadings, (len(x), 1))
        gain = V.T @ np.linalg.inv(V @ V.T + np.kron(np.eye(len(x)), params.within))
        mean = gain @ (x - params.mean).ravel()
        second = np.outer(mean, mean) + np.eye(Q) - gain @ V
        means, seconds = [*means, mean], [*seconds, second]
        design = design + len(x) * np.block([[second, mean[:, None]], [mean[None], np.ones((1, 1))]])
        cross = cross + np.outer(x.sum(axis=0), np.append(mean, 1.0))
    slopes = cross @ np.linalg.inv(design)
    centre = np.mean(means, axis=0)
    spread = np.mean(seconds, axis=0) - np.outer(centre, centre)
    within = (sum(x.T @ x for x in sets) - slopes @ cross.T) / sum(map(len, sets))
    found = PLDAModel().m_step(PLDAModel().e_step(params, shard_of(sets)).stats, params)
    np.testing.assert_allclose(found.mean, slopes @ np.append(centre, 1.0), atol=1e-10)
    np.testing.assert_allclose(found.loadings @ found.loadings.T, slopes[:, :Q] @ spread @ slopes[:, :Q].T, atol=1e-10)
    np.testing.assert_allclose(found.within, within, atol=1e-10)


def test_statistics_add(rng):
    model, params = PLDAModel(), drawn_params(rng)
    sets = [rng.normal(size=(n, D)) for n in COUNTS]
    whole = model.e_step(params, shard_of(sets))
    parts = [model.e_step(params, shard_of(part)) for part in (sets[:1], sets[1:])]
    for found, wanted in zip(tree_add(*parts).stats, whole.stats, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-10)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_em_never_falls_and_ends_where_the_score_is_zero(rng, rank):
    truth = drawn_params(rng, rank)
    x, y = drawn(truth, rng.integers(1, 6, 40), rng)
    shard, model = shard_of([x[y == k] for k in range(40)]), PLDAModel()
    start = PLDAParams(np.ones(D), rng.normal(size=(D, rank)), 9.0 * np.eye(D))
    result = fit(model, start, [shard], stop=StopRule(max_iter=3000, rest_tol=1e-13))
    objective = np.array([record.objective for record in result.history])
    assert (np.diff(objective) >= -1e-9 * np.abs(objective[1:])).all()
    assert objective[-1] > objective[0] + 10
    at = model.pack(result.params)
    score = gradient(lambda v: model.e_step(model.unpack(v, start), shard).log_likelihood, at)
    assert np.abs(score).max() < 1e-2


def test_parameters_are_recovered(rng):
    truth = drawn_params(rng)
    x, y = drawn(truth, np.full(3000, 4), rng)
    found = PLDA(Q).fit(x, y)
    between = truth.loadings @ truth.loadings.T
    assert found.converged_
    np.testing.assert_allclose(found.mean_, truth.mean, atol=0.15)
    np.testing.assert_allclose(found.between_, between, atol=0.08 * np.abs(between).max())
    np.testing.assert_allclose(found.within_, truth.within, atol=0.05 * np.abs(truth.within).max())


def test_balanced_data_have_the_analysis_of_variance(rng):
    # With n vectors of every speaker and a between-speaker estimate inside its range, maximum likelihood is in closed form
    # (Searle, Casella & McCulloch 1992, section 4.7, of which this is the matrix form).
    K, n = 60, 5
    x, y = drawn(drawn_params(rng, 3), np.full(K, n), rng)
    means = x.reshape(K, n, D).mean(axis=1)
    within = (x - np.repeat(means, n, axis=0)).T @ (x - np.repeat(means, n, axis=0)) / (K * (n - 1))
    between = np.cov(means.T, ddof=0) - within / n
    assert np.linalg.eigvalsh(between).min() > 0
    found = PLDA(3, tol=1e-14, max_iter=5000).fit(x, y)
    np.testing.assert_allclose(found.mean_, x.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.within_, within, atol=1e-5)
    np.testing.assert_allclose(found.between_, between, atol=1e-5)


def test_does_not_depend_on_executor_order_or_names(rng):
    x, y = drawn(drawn_params(rng), rng.integers(1, 4, 300), rng)
    alone = PLDA(2).fit(x, y)
    with ThreadPoolExecutor(2) as executor:
        assert tree_equal(PLDA(2).fit(x, y, executor=executor).result_.params, alone.result_.params)
    order = rng.permutation(len(x))
    names = np.array([f"speaker {k}" for k in y])
    mixed = PLDA(2).fit(x[order], names[order])
    np.testing.assert_allclose(mixed.between_, alone.between_, atol=1e-6)


def test_scores_do_not_depend_on_the_origin(rng):
    x, y = drawn(drawn_params(rng), np.full(30, 4), rng)
    sets, new = [x[y == k][:3] for k in range(5)], x[:7]
    near = PLDA(2).fit(x, y).scores(sets, new)
    far = PLDA(2).fit(x + 1e6, y).scores([part + 1e6 for part in sets], new + 1e6)
    np.testing.assert_allclose(far, near, atol=1e-4)


def test_clones_and_pickles(rng):
    x, y = drawn(drawn_params(rng), np.full(30, 4), rng)
    model = PLDA(2, max_iter=7).fit(x, y)
    assert clone(model).get_params() == model.get_params()
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.scores([x[:2]], x), model.scores([x[:2]], x))


def test_what_cannot_be_is_refused(rng):
    x, y = drawn(drawn_params(rng), np.full(10, 3), rng)
    with pytest.raises(NotFittedError):
        PLDA().scores([x], x)
    with pytest.raises(DataError, match="at least 2"):
        PLDA().fit(x, np.zeros(len(x)))
    for flat in (x[:4], np.column_stack([x[:4, :2], np.ones(4)])):
        with pytest.raises(DataError, match=r"all directions within speakers; got rank [02]"):
            PLDA().fit(flat, [0, 0, 1, 1])
    with pytest.raises(DataError, match="got rank 2"):
        PLDA().fit(np.column_stack([x[:, :2], x[:, 0] - x[:, 1]]), y)
    with pytest.raises(DataError, match="y does not fit"):
        PLDA().fit(x, y[:-1])
    with pytest.raises(ParameterError, match="n_factors"):
        PLDA(4).fit(x, y)
    model = PLDA().fit(x, y)
    with pytest.raises(DataError, match="speaker 1 do not fit"):
        model.scores([x, x[:0]], x)
    with pytest.raises(DataError, match="nobody"):
        model.scores([], x)
    with pytest.raises(DataError):
        model.scores([x], x[:, :2])
