"""Variational Bayes against hmmlearn from the same start, against exact evidence where there is one, and its laws."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import gammaln, multigammaln
from sklearn.base import clone

from seqem.core.tree import tree_equal
from seqem.distributions.posteriors import dirichlet_divergence, wishart_divergence
from seqem.em.restarts import Restarts
from seqem.errors import DataError, NotFittedError, NumericalError, ParameterError
from seqem.hmm.variational import VariationalCategoricalHMM, VariationalGaussianHMM

COVARIANCES = ("full", "tied", "diag", "spherical")
LENGTHS = [100, 150, 50]
K, D, M = 3, 2, 4


def rows(seed=0, n=300):
    rng = np.random.default_rng(seed)
    states = np.repeat(rng.integers(0, 3, n // 10), 10)
    return np.array([[0, 0], [4, 1], [1, 6.0]])[states] + rng.normal(size=(n, D)), states


def chain_start(rng):
    return {
        "startprob_prior_": np.full(K, 0.7),
        "startprob_posterior_": np.array([1.0, 2.0, 1.0]),
        "transmat_prior_": np.full((K, K), 0.4),
        "transmat_posterior_": 1 + 30 * rng.random((K, K)),
    }


def gaussian_start(covariance_type, X):
    tied = covariance_type == "tied"
    eye = np.eye(D) + 0.2
    scale = {"full": np.tile(eye, (K, 1, 1)), "tied": eye, "diag": np.ones((K, D)), "spherical": np.ones(K)}
    return chain_start(np.random.default_rng(4)) | {
        "means_prior_": np.tile(X.mean(0), (K, 1)),
        "means_posterior_": X[[5, 150, 250]].copy(),
        "beta_prior_": np.array([1.0, 0.5, 2.0]),
        "beta_posterior_": np.array([50.0, 60.0, 70.0]),
        "dof_prior_": 4.0 if tied else np.full(K, 4.0),
        "dof_posterior_": 180.0 if tied else np.array([50.0, 60.0, 70.0]),
        "scale_prior_": 0.5 * scale[covariance_type],
        "scale_posterior_": 200 * scale[covariance_type],
    }


def fit_both(mine, theirs, start, X):
    for model in (mine, theirs):
        for name, value in start.items():
            setattr(model, name, value)
        model.fit(X, LENGTHS)
    return np.array(mine.monitor_.history), np.array(theirs.monitor_.history)


def posteriors(start):
    return [name for name in start if "posterior" in name]


@pytest.mark.parametrize("implementation", ["scaling", "log"])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_gaussian_equals_hmmlearn(covariance_type, implementation):
    vhmm = pytest.importorskip("hmmlearn.vhmm")
    X, _ = rows()
    start = gaussian_start(covariance_type, X)
    given = {"init_params": "", "n_iter": 15, "implementation": implementation}
    mine = VariationalGaussianHMM(K, covariance_type, tol=-1, **given)
    theirs = vhmm.VariationalGaussianHMM(K, covariance_type, tol=-np.inf, **given)
    theirs.n_features = D
    bound, reference = fit_both(mine, theirs, start, X)
    # hmmlearn leaves -D / 2 log(2 pi) of every row out of its bound.
    assert_allclose(bound[:-1], reference - len(X) * D / 2 * np.log(2 * np.pi), rtol=1e-10)
    for name in posteriors(start):
        assert_allclose(getattr(mine, name), getattr(theirs, name), rtol=1e-8, atol=1e-9)
    for name in ("startprob_", "transmat_", "means_", "covars_"):
        assert_allclose(getattr(mine, name), getattr(theirs, name), rtol=1e-8)
    assert_allclose(mine.score(X, LENGTHS), theirs.score(X, LENGTHS), rtol=1e-9)
    assert_array_equal(mine.predict(X, LENGTHS), theirs.predict(X, LENGTHS))


@pytest.mark.parametrize("implementation", ["scaling", "log"])
def test_categorical_equals_hmmlearn(implementation):
    vhmm = pytest.importorskip("hmmlearn.vhmm")
    rng = np.random.default_rng(2)
    X = rng.integers(0, M, (300, 1))
    start = chain_start(rng) | {
        "emissionprob_prior_": np.full((K, M), 0.3),
        "emissionprob_posterior_": 1 + 30 * rng.random((K, M)),
    }
    given = {"init_params": "", "n_iter": 15, "n_features": M, "implementation": implementation}
    mine = VariationalCategoricalHMM(K, tol=-1, **given)
    theirs = vhmm.VariationalCategoricalHMM(K, tol=-np.inf, **given)
    bound, reference = fit_both(mine, theirs, start, X)
    assert_allclose(bound[:-1], reference, rtol=1e-10)
    for name in posteriors(start):
        assert_allclose(getattr(mine, name), getattr(theirs, name), rtol=1e-8)
    assert_allclose(mine.emissionprob_, theirs.emissionprob_, rtol=1e-8)
    assert_allclose(mine.score(X, LENGTHS), theirs.score(X, LENGTHS), rtol=1e-9)


def test_one_state_gives_the_exact_evidence_of_symbols():
    x = np.array([0, 1, 1, 2, 1, 0, 2, 2, 2, 1])
    prior, counts = np.array([0.5, 1.5, 2.0]), np.bincount(x)
    model = VariationalCategoricalHMM(1, emissionprob_prior=prior, random_state=0).fit(x[:, None])
    after = prior + counts
    exact = gammaln(prior.sum()) - gammaln(after.sum()) + (gammaln(after) - gammaln(prior)).sum()
    assert_allclose(model.lower_bound_, exact, rtol=1e-12)
    assert_allclose(model.emissionprob_posterior_[0], after)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_one_state_gives_the_exact_evidence_of_rows(covariance_type):
    X, _ = rows()
    N, beta, dof = len(X), 0.7, 3.5
    centre, scale = np.array([1.0, -2.0]), np.array([[2.0, 0.3], [0.3, 1.0]])
    model = VariationalGaussianHMM(
        1, covariance_type, means_prior=centre, beta_prior=beta, dof_prior=dof, scale_prior=scale, random_state=0
    ).fit(X)
    away = X.mean(0) - centre
    after = scale + (X - X.mean(0)).T @ (X - X.mean(0)) + beta * N / (beta + N) * np.outer(away, away)
    exact = -N * D / 2 * np.log(np.pi) + multigammaln((dof + N) / 2, D) - multigammaln(dof / 2, D)
    exact += dof / 2 * np.linalg.slogdet(scale)[1] - (dof + N) / 2 * np.linalg.slogdet(after)[1]
    exact += D / 2 * np.log(beta / (beta + N))
    assert_allclose(model.lower_bound_, exact, rtol=1e-12)
    assert_allclose(np.squeeze(model.scale_posterior_), after, rtol=1e-12)


@pytest.mark.parametrize("params", ["stmc", "stm", "stc", "mc"])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_the_bound_of_rows_never_falls(covariance_type, params):
    X, _ = rows(1)
    X = X + 1e5  # an offset must not cost digits
    model = VariationalGaussianHMM(5, covariance_type, random_state=1, n_iter=40, tol=-1, params=params)
    bound = np.array(model.fit(X, LENGTHS).monitor_.history)
    assert len(bound) == 41
    assert np.diff(bound).min() > -1e-9 * abs(bound[0])
    assert bound[-1] > bound[0] + 5
    assert model.lower_bound_ == bound[-1]


def test_the_bound_of_symbols_never_falls_and_missing_symbols_count_nothing():
    rng = np.random.default_rng(3)
    x = rng.integers(0, M, 200).astype(float)
    x[20:40] = np.nan
    model = VariationalCategoricalHMM(4, n_features=M, random_state=1, n_iter=60, tol=-1).fit(x)
    assert np.diff(model.monitor_.history).min() > -1e-9
    assert_allclose((model.emissionprob_posterior_ - model.emissionprob_prior_).sum(), 180.0)


@pytest.mark.parametrize(("centres", "n_components"), [([0.0], 5), ([0.0, 3.0, 6.0], 6)])
def test_superfluous_states_are_pruned(centres, n_components):
    rng = np.random.default_rng(0)
    states = np.repeat([0, 1, 2, 1, 0, 2], 50) % len(centres)
    X = np.array(centres)[states][:, None] + rng.normal(size=(300, 1))
    many, exact = (
        VariationalGaussianHMM(n, random_state=0, n_init=3, n_iter=300).fit(X) for n in (n_components, len(centres))
    )
    mass = np.sort(many.beta_posterior_ - many.beta_prior_)[::-1]
    assert mass[: len(centres)].min() > 40
    assert mass[: len(centres)].sum() > 0.85 * len(X)
    assert mass[len(centres) + 1 :].max() < 1.1  # given back to the prior, but for the first row
    assert exact.lower_bound_ > many.lower_bound_  # the bound chooses the number of states


def test_truth_is_found():
    rng = np.random.default_rng(6)
    true = np.array([[0.8, 0.1, 0.1], [0.05, 0.15, 0.8]])
    path = np.repeat([0, 1] * 40, rng.integers(15, 25, 80))
    x = (rng.random(len(path))[:, None] > true[path].cumsum(1)).sum(1)
    model = VariationalCategoricalHMM(2, random_state=0, n_init=3).fit(x[:, None])
    order = np.argsort(-model.emissionprob_[:, 0])
    assert_allclose(model.emissionprob_[order], true, atol=0.05)
    assert_allclose(np.diag(model.transmat_), 0.95, atol=0.02)


def test_executors_give_the_same_bits():
    X = np.tile(rows()[0], (70, 1))
    model = VariationalGaussianHMM(3, random_state=0, n_iter=2, tol=-1)
    other = clone(model)
    model.fit(X, [300] * 70)
    with ThreadPoolExecutor(2) as executor:
        other.fit(X, [300] * 70, executor=executor)
    assert tree_equal(model.result_.params, other.result_.params)


def test_letters_keep_what_they_leave_out():
    X, _ = rows()
    start = gaussian_start("diag", X)
    model = VariationalGaussianHMM(K, "diag", init_params="", params="t", n_iter=3, tol=-1)
    for name, value in start.items():
        setattr(model, name, value)
    model.fit(X)
    for name in set(posteriors(start)) - {"transmat_posterior_"}:
        assert_array_equal(getattr(model, name), start[name])
    assert_allclose(model.transmat_posterior_.sum(), model.transmat_prior_.sum() + len(X) - 1)
    again = VariationalGaussianHMM(K, "diag", random_state=0, beta_prior=2.0).fit(X)
    assert_array_equal(again.beta_prior_, 2.0)
    assert_array_equal(again.set_params(beta_prior=3.0).fit(X).beta_prior_, 3.0)


def test_the_face_of_an_estimator():
    X, _ = rows()
    model = VariationalGaussianHMM(3, "tied", random_state=0)
    with pytest.raises((NotFittedError, AttributeError)):
        model.predict(X)
    model.fit(X, LENGTHS)
    again = pickle.loads(pickle.dumps(model))
    assert again.score(X, LENGTHS) == model.score(X, LENGTHS)
    assert_allclose(model.predict_proba(X).sum(1), 1.0)
    assert model.covars_.shape == (3, 2, 2)
    assert model.sample(7, random_state=0)[0].shape == (7, 2)
    assert model.converged_
    with pytest.raises(ParameterError, match="posteriors"):
        model.standard_errors(X)


def test_divergences_vanish_at_the_prior_only():
    rng = np.random.default_rng(0)
    alpha, scale, dof = 0.1 + rng.random((4, 5)), np.tile(np.eye(3) + 0.2, (2, 1, 1)), np.array([3.5, 8.0])
    assert abs(dirichlet_divergence(alpha, alpha)) < 1e-12
    assert dirichlet_divergence(alpha, alpha + 0.5) > 0.1
    assert abs(wishart_divergence(dof, scale, dof, scale)) < 1e-12
    assert wishart_divergence(dof, 2 * scale, dof + 1, scale) > 0.1


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"n_components": 0}, "n_components"),
        ({"startprob_prior": -1.0}, "startprob_prior_"),
        ({"transmat_prior": np.ones(2)}, "transmat_prior"),
        ({"beta_prior": 0.0}, "beta_prior_"),
        ({"dof_prior": 1.0}, "dof_prior_"),
        ({"covariance_type": "round"}, "covariance_type"),
    ],
)
def test_errors_say_what(given, match):
    with pytest.raises(ParameterError, match=match):
        VariationalGaussianHMM(**{"n_components": 3, "random_state": 0} | given).fit(rows()[0])


def test_more_errors():
    X, _ = rows()
    with pytest.raises(NumericalError, match="positive definite"):
        VariationalGaussianHMM(2, scale_prior=-np.eye(2)).fit(X)
    with pytest.raises(DataError, match="missing value in row 0"):
        VariationalGaussianHMM(2).fit(np.array([[np.nan, 1.0], [0.0, 1.0]]))
    model = VariationalCategoricalHMM(2, init_params="t")
    model.emissionprob_posterior_ = np.array([[1.0, -1.0], [1.0, 1.0]])
    with pytest.raises(ParameterError, match="emissionprob_posterior_"):
        model.fit([[0], [1]])


def test_a_stream_is_refused_and_starts_are_spread():
    x = np.random.default_rng(0).normal(np.repeat([0.0, 5.0, 0.0], 30))[:, None]
    with pytest.raises(ParameterError, match="all data at once"):
        VariationalGaussianHMM(2).partial_fit(x)
    model = VariationalGaussianHMM(2, n_init=Restarts(2, spread=3), random_state=0).fit(x)
    assert len(model.starts_) == 2
