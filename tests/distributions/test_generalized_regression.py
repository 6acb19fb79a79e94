"""Poisson and logistic regression: one of them is a GLM, several are a monotone mixture, and open ends are named."""

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize

from seqem.catalog import METHODS
from seqem.core.rows import Rows
from seqem.distributions.generalized_regression import (
    GeneralizedRegressionParams,
    LogisticRegression,
    PoissonRegression,
)
from seqem.distributions.mixture import MixtureOf, MixtureParams
from seqem.distributions.tied import Tied
from seqem.em.point import EMMap
from seqem.em.score import score
from seqem.errors import DataError, DegenerateWarning
from seqem.hmm.generic import HMM
from seqem.models.mixture import Mixture
from seqem.models.mixture_model import MixtureModel
from seqem.testing.conformance import gradient

FAMILIES = {"poisson": PoissonRegression(), "logistic": LogisticRegression()}
PEERS = {"poisson": sm.families.Poisson(), "logistic": sm.families.Binomial()}
every_family = pytest.mark.parametrize("family", FAMILIES)
TRUTH = np.array([[0.5, 1.0], [3.0, -0.7]])


def responses(family, eta, rng):
    if family == "poisson":
        return rng.poisson(np.exp(eta)).astype(float)
    return (rng.random(eta.shape) < 1.0 / (1.0 + np.exp(-eta))).astype(float)


def two_lines(seed=0, n=600):
    """Return counts with one regressor, 30 % of them on the second line, and which these are."""
    rng = np.random.default_rng(seed)
    z, second = rng.uniform(-2, 2, n), rng.random(n) < 0.3
    at = TRUTH[second.astype(int)]
    return np.column_stack([responses("poisson", at[:, 0] + at[:, 1] * z, rng), z]), second


def peer(family, x):
    return sm.GLM(x[:, 0], sm.add_constant(x[:, 1:]), family=PEERS[family]).fit(tol=1e-13, maxiter=200)


@every_family
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_component_is_the_glm(family, seed):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(300, 3)) * [1.0, 0.01, 50.0] + [0.0, 1.0, 400.0]
    x = np.column_stack([responses(family, 0.3 + z @ [0.8, 30.0, 0.01] - 34.0, rng), z])
    model = Mixture(FAMILIES[family], 1, tol=1e-14).fit(x)
    expected = peer(family, x)
    assert model.params_.coefficients[0] == pytest.approx(expected.params, abs=1e-6, rel=1e-6)
    assert model.log_likelihood_ == pytest.approx(expected.llf, abs=1e-8)


@every_family
def test_standard_errors_are_the_glms(family):
    rng = np.random.default_rng(7)
    z = rng.normal(size=(300, 2))
    x = np.column_stack([responses(family, 0.3 + z @ [0.8, -0.4], rng), z])
    model = Mixture(FAMILIES[family], 1, tol=1e-14).fit(x)
    assert model.standard_errors().component.coefficients[0] == pytest.approx(peer(family, x).bse, rel=1e-5)


def test_a_steep_but_finite_logistic_fit_is_the_glm():
    z = np.linspace(-3, 3, 200)
    y = (z > 0).astype(float)
    y[[97, 102]] = 1.0 - y[[97, 102]]
    x = np.column_stack([y, z])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Mixture(LogisticRegression(), 1, tol=1e-14).fit(x)
    expected = peer("logistic", x)
    assert expected.params[1] > 15
    assert model.params_.coefficients[0] == pytest.approx(expected.params, rel=1e-6)
    assert model.log_likelihood_ == pytest.approx(expected.llf, abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_lines_come_back_by_every_method(method):
    x, second = two_lines()
    model = Mixture(PoissonRegression(), 2, random_state=0, tol=1e-9, method=method).fit(x)
    assert (np.diff(model.history_.objective) >= -1e-9 * abs(model.log_likelihood_)).all()
    order = np.argsort(model.params_.coefficients[:, 0])
    assert model.params_.coefficients[order] == pytest.approx(TRUTH, abs=0.1)
    assert model.weights_[order] == pytest.approx([0.7, 0.3], abs=0.04)
    assert (order[second.astype(int)] == model.predict(x)).mean() > 0.85


def test_direct_maximisation_ends_at_the_same_place():
    x, _ = two_lines(1)
    fitted = Mixture(PoissonRegression(), 2, random_state=0, method="squarem", tol=1e-14).fit(x)
    model, like = fitted._model(), fitted.result_.params

    def loss(vector):
        return -model.e_step(model.unpack(vector, like), Rows(x)).log_likelihood

    away = model.pack(like) + 0.05 * np.random.default_rng(0).normal(size=5)
    best = minimize(loss, away, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 20_000})
    assert loss(away) > loss(model.pack(like)) + 0.01
    assert fitted.log_likelihood_ == pytest.approx(-best.fun, abs=1e-6)


@every_family
def test_the_score_is_the_slope(family):
    rng = np.random.default_rng(3)
    z = rng.normal(size=(80, 2))
    x = np.column_stack([responses(family, z[:, 0], rng), z])
    model = MixtureModel(MixtureOf(FAMILIES[family], 2))
    params = MixtureParams(np.array([[0.3, 0.7]]), GeneralizedRegressionParams(rng.normal(size=(2, 3))))
    em, at = EMMap(model, [Rows(x)]), model.pack(params)
    slope = gradient(lambda v: em.evaluate(model.unpack(v, params)).log_likelihood, at)
    assert score(model, em.evaluate(params), at) == pytest.approx(slope, abs=1e-6)


def hard(kind, seed):
    rng = np.random.default_rng(seed)
    z = rng.standard_t(2, (250, 2)) + np.array([0.0, 2000.0])
    if kind == "outliers":
        y = rng.poisson(np.exp(np.clip(1 + z[:, 0], -20, 9))).astype(float)
        y[:3] = 1e7
        return PoissonRegression(), np.column_stack([y, z])
    if kind == "large counts":
        return PoissonRegression(), np.column_stack([rng.poisson(rng.lognormal(12.0, 2.0, 250)), z])
    y = (z[:, 0] + 0.05 * rng.normal(size=250) > 0).astype(float)
    return LogisticRegression(), np.column_stack([y, z])


@pytest.mark.filterwarnings("ignore::seqem.errors.DegenerateWarning")
@pytest.mark.parametrize("kind", ["outliers", "large counts", "near separation"])
@pytest.mark.parametrize("seed", range(5))
def test_no_step_falls_on_hard_data(kind, seed):
    family, x = hard(kind, seed)
    model = Mixture(family, 3, random_state=seed, tol=1e-10, max_iter=150)
    start = MixtureParams(np.full((1, 3), 1 / 3), family.initial(x, 3, np.random.default_rng(seed)))
    # Far from anywhere, a step of Newton's own would overflow.
    start.component.coefficients[:] += np.array([[-6.0, 1.0, 0.001], [4.0, -1.0, 0.0], [0.0, 0.0, -0.002]])
    model._start = lambda x, rng: start
    model.fit(x)
    climb = model.history_.objective
    assert len(climb) > 5
    assert (np.diff(climb) >= -1e-11 * np.abs(climb[:-1])).all()
    assert climb[-1] > climb[0] + 1.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("method", "block", "outliers"),
    [("incremental", 1, 0), ("incremental", 1 << 18, 20), ("online", 1, 20), ("squarem", 1, 20)],
)
def test_shards_and_outliers_end_where_em_does(method, block, outliers, seed, monkeypatch):
    monkeypatch.setattr("seqem.models.mixture.BLOCK", block)
    x, _ = two_lines(seed, 5000)
    x[:outliers, 0] = 1e4
    K = 3 if outliers else 2
    plain = Mixture(PoissonRegression(), K, random_state=0, tol=1e-10).fit(x)
    other = Mixture(PoissonRegression(), K, random_state=0, tol=1e-10, method=method).fit(x)
    assert len(other._training_shards) == (5 if block == 1 else 1)
    assert other.converged_
    assert (np.diff(other.history_.objective) >= -1e-11 * abs(other.log_likelihood_)).all()
    assert other.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=1e-4)


@every_family
def test_q_is_a_lower_bound_and_steps_gain(family):
    rng = np.random.default_rng(6)
    z = 3.0 * rng.standard_t(3, (60, 2))
    x = np.column_stack([responses(family, 0.3 * rng.normal(size=60), rng), z])
    model, resp = FAMILIES[family], rng.dirichlet([1.0, 1.0], 60)

    def gains(new):
        truth = (resp * (model.log_likelihood(new, x) - model.log_likelihood(old, x))).sum()
        bound = model.expected_log_likelihood(stats, new, old) - model.expected_log_likelihood(stats, old, old)
        return bound, truth

    for _ in range(50):
        old = GeneralizedRegressionParams(0.5 * rng.normal(size=(2, 3)))
        stats = model.accumulate(old, x, resp)
        new = model.maximise(stats, old)
        moved = np.abs(np.hstack([np.ones((60, 1)), z]) @ (new.coefficients - old.coefficients).T).max()
        assert moved <= 1.0 + 1e-12
        bound, truth = gains(new)
        assert 0.0 < bound <= truth
        away = 10.0 ** rng.uniform(-2, 0.5)
        bound, truth = gains(GeneralizedRegressionParams(old.coefficients + away * rng.normal(size=(2, 3))))
        assert bound <= truth


def test_a_column_that_separates_is_named_and_a_ridge_holds_it():
    rng = np.random.default_rng(0)
    z = np.column_stack([rng.normal(size=100), np.linspace(-2, 2, 100) + 30.0])
    x = np.column_stack([z[:, 1] > 30.0, z]).astype(float)
    with pytest.warns(DegenerateWarning, match="coefficient of column 2, which separates"):
        model = Mixture(LogisticRegression(), 1).fit(x)
    assert model.converged_
    assert np.isfinite(model.params_.coefficients).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        held = Mixture(LogisticRegression(coefficient_weight=0.1), 1, tol=1e-13).fit(x)
    coefficients = held.params_.coefficients[0]
    residual = x[:, 0] - 1 / (1 + np.exp(-coefficients[0] - z @ coefficients[1:]))
    assert residual @ z == pytest.approx(0.1 * coefficients[1:], abs=1e-4)


def test_a_group_without_counts_is_named():
    rng = np.random.default_rng(1)
    group = np.repeat([0.0, 1.0], 50)
    x = np.column_stack([rng.poisson(np.where(group > 0, 0.0, 3.0)), rng.normal(size=100), group])
    with pytest.warns(DegenerateWarning, match="coefficient of column 2"):
        Mixture(PoissonRegression(), 1).fit(x)


def test_collinear_columns_are_named():
    z = np.random.default_rng(2).normal(size=(50, 2))
    x = np.column_stack([np.ones(50), z, z.sum(axis=1) - 3.0])
    with pytest.raises(DataError, match=r"collinear; got column 3, .* columns \[1, 2\]"):
        Mixture(PoissonRegression(), 2).fit(x)


@pytest.mark.parametrize(
    ("family", "row", "message"),
    [
        ("poisson", [1.5, 0.0], "not a count in row 0"),
        ("poisson", [-1.0, 0.0], "not a count"),
        ("logistic", [2.0, 0.0], "not binary"),
        ("logistic", [1.0], "no regressors"),
    ],
)
def test_rows_that_cannot_be_are_refused(family, row, message):
    with pytest.raises(DataError, match=message):
        FAMILIES[family].check([row])


@every_family
def test_a_chain_of_regressions_finds_its_states(family):
    rng = np.random.default_rng(4)
    truth = TRUTH if family == "poisson" else np.array([[0.5, 3.0], [-0.5, -3.0]])
    state = np.repeat(np.arange(60) % 2, 50)
    z = rng.uniform(-2, 2, 3000)
    x = np.column_stack([responses(family, truth[state, 0] + truth[state, 1] * z, rng), z])
    model = HMM(FAMILIES[family], 2, random_state=0, n_iter=200).fit(x)
    assert (np.diff(model.history_.objective) >= -1e-11 * abs(model.log_likelihood_)).all()
    order = np.argsort(-model.params_.emission.coefficients[:, 1])
    assert model.params_.emission.coefficients[order] == pytest.approx(truth, abs=0.1 if family == "poisson" else 0.5)
    assert (order[state] == model.predict(x)).mean() > 0.95


def test_slopes_may_be_tied():
    rng = np.random.default_rng(8)
    z, second = rng.uniform(-2, 2, 800), rng.random(800) < 0.3
    x = np.column_stack([rng.poisson(np.exp(np.where(second, 3.0, 0.5) - 0.6 * z)), z])
    family = Tied(PoissonRegression(), groups={"coefficients": [[0, 1], [0, 1]]})
    model = Mixture(family, 2, random_state=0).fit(x)
    assert (np.diff(model.history_.objective) >= -1e-11 * abs(model.log_likelihood_)).all()
    order = np.argsort(model.params_.coefficients[:, 0])
    assert model.params_.coefficients[0, 1] == model.params_.coefficients[1, 1]
    assert model.params_.coefficients[order] == pytest.approx(np.array([[0.5, -0.6], [3.0, -0.6]]), abs=0.06)


def test_a_fixed_intercept_stays_and_the_slope_is_the_glms():
    rng = np.random.default_rng(5)
    z = rng.normal(size=200)
    x = np.column_stack([rng.poisson(np.exp(0.7 * z)), z])
    family = PoissonRegression(fixed={"coefficients": np.array([[True, False]])})
    params = GeneralizedRegressionParams(np.zeros((1, 2)))
    for _ in range(20):
        params = family.maximise(family.accumulate(params, x, np.ones((200, 1))), params)
    expected = sm.GLM(x[:, 0], z[:, None], family=PEERS["poisson"]).fit(tol=1e-13)
    assert params.coefficients[0] == pytest.approx([0.0, expected.params[0]], abs=1e-8)
