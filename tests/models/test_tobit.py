"""Censored regression against survreg and AER, brute force, and the laws of EM."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqem.core.rows import Rows
from seqem.em.point import EMMap
from seqem.em.score import score
from seqem.errors import DataError, DegenerateWarning, ParameterError
from seqem.models.tobit import Tobit
from seqem.models.tobit_model import TobitEM, TobitNewton, TobitParams, latent, row_scores
from seqem.models.truncated import above, between, within

AFFAIRS = ["age", "yearsmarried", "religiousness", "occupation", "rating"]
METHODS = ("newton", "em", "squarem", "daarem", "incremental", "online", "lbfgs")


@pytest.fixture(scope="module")
def golden(shared_data):
    return json.loads((shared_data / "em" / "golden" / "tobit_affairs.json").read_text())


@pytest.fixture(scope="module")
def affairs(shared_data):
    return pd.read_csv(shared_data / "em" / "affairs_fair_1978.csv")


def draws(n=400, p=3, seed=0, left=0.0, right=None):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    y = 0.5 + x @ np.arange(1.0, p + 1) + 1.5 * rng.normal(size=n)
    return x, np.clip(y, left, right)


@parametrize_with_checks(
    [Tobit(left=None)],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": "27 rows of 30 features leave the likelihood without a maximum"
    },
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("key", "right"), [("left0", None), ("left0_right4", 4.0)])
@pytest.mark.parametrize("method", METHODS)
def test_affairs(golden, affairs, key, right, method):
    wanted = golden[key]
    model = Tobit(0.0, right, method=method, tol=1e-13, max_iter=5000).fit(affairs[AFFAIRS], affairs["affairs"])
    assert model.log_likelihood_ == pytest.approx(wanted["loglik"], abs=1e-6)
    exact = method in ("newton", "lbfgs")
    coef = [wanted["coef"][name] for name in ["(Intercept)", *AFFAIRS]]
    assert [model.intercept_, *model.coef_] == pytest.approx(coef, rel=1e-5 if exact else 1e-3)
    assert model.scale_ == pytest.approx(wanted["sigma"], rel=1e-5 if exact else 1e-3)
    errors = model.standard_errors()
    assert [errors.coef[-1], *errors.coef[:-1]] == pytest.approx(
        [wanted["se"][n] for n in ["(Intercept)", *AFFAIRS]], rel=1e-3
    )
    assert errors.scale / model.scale_ == pytest.approx(wanted["se"]["Log(scale)"], rel=1e-3)
    assert (np.diff(model.history_.objective) >= -1e-8).all()
    if method == "newton":
        assert model.n_iter_ <= 10


def test_tobins_own_data(shared_data):
    golden = json.loads((shared_data / "em" / "golden" / "tobit_tobin.json").read_text())
    table = pd.read_csv(shared_data / "em" / "tobin_survival.csv")
    model = Tobit(0.0).fit(table[["age", "quant"]], table["durable"])
    assert model.log_likelihood_ == pytest.approx(-28.940133, abs=1e-6)
    assert model.scale_ == pytest.approx(5.57254, abs=1e-4)
    assert [model.intercept_, *model.coef_] == pytest.approx([15.14487, -0.129059, -0.045542], rel=1e-4)
    assert golden


def test_a_formula_is_the_table(affairs):
    pytest.importorskip("formulaic")
    ours = Tobit.from_formula("affairs ~ age + yearsmarried + religiousness + occupation + rating", affairs, left=0.0)
    assert ours.log_likelihood_ == pytest.approx(-705.576223, abs=1e-6)
    assert list(ours.summary().index) == [*AFFAIRS, "intercept", "scale"]
    without = Tobit.from_formula("affairs ~ 0 + age", affairs, left=0.0)
    assert without.intercept_ == 0.0


def test_em_takes_the_published_number_of_iterations(affairs):
    model = Tobit(0.0, method="em", tol=1e-12).fit(affairs[AFFAIRS], affairs["affairs"])
    assert 100 < model.n_iter_ < 400


def moments_by_quadrature(t, w):
    """Return log-probability, mean less t, and variance over |z - t| < w, behind the largest factor of the density."""
    peak = np.clip(-t, -w, w)
    knots = sorted(
        {-w, peak, w, *np.clip(peak + np.outer([-1, 1], [0.1, 1, 9, 40]).ravel() / max(1.0, abs(t + peak)), -w, w)}
    )
    height = -t * peak - 0.5 * peak**2

    def moment(power):
        def value(s):
            return s**power * np.exp(-t * s - 0.5 * s * s - height)

        return sum(quad(value, *pair, epsabs=0, epsrel=1e-12, limit=200)[0] for pair in pairwise(knots))

    mass = moment(0)
    offset = moment(1) / mass
    log_probability = np.log(mass) + height - 0.5 * t * t - 0.5 * np.log(2 * np.pi)
    return log_probability, offset, moment(2) / mass - offset**2


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize("t", [0.0, 0.4, -3.0, 7.0, -9.0, 40.0, 300.0])
@pytest.mark.parametrize("w", [1e-9, 1e-3, 0.2, 0.99, 1.01, 4.0])
def test_moments_within_an_interval(t, w):
    found = within(np.array([t]), np.array([w]))
    log_probability, offset, variance = moments_by_quadrature(t, w)
    assert found.log_probability[0] == pytest.approx(log_probability, rel=1e-12, abs=1e-12)
    assert found.mean[0] == pytest.approx(t + offset, rel=1e-11, abs=1e-12)
    assert found.offset[0] == pytest.approx(offset, rel=1e-8, abs=1e-12 * w)
    assert found.variance[0] == pytest.approx(variance, rel=1e-7)


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize("a", [-50.0, -5.0, 0.0, 3.0, 5.99, 6.01, 40.0, 1e4, 1e8, 1e100])
def test_moments_above_a_bound(a):
    found = above(np.array([a]))
    if abs(a) < 30:
        assert found.log_probability[0] == pytest.approx(norm.logsf(a), rel=1e-13)
    if a >= 40:  # Mills' ratio as a series in 1 / a^2
        r = 1 / a / a
        assert (found.mean[0] - a) * a == pytest.approx(1 - 2 * r + 10 * r**2, rel=1e-7, abs=a * a * 1e-15)
        assert found.variance[0] * a * a == pytest.approx(1 - 6 * r + 50 * r**2, rel=1e-6)
    else:
        _, offset, variance = moments_by_quadrature(a + 45.0, 45.0)
        assert found.mean[0] == pytest.approx(a + 45.0 + offset, rel=1e-9, abs=1e-12)
        assert found.variance[0] == pytest.approx(variance, rel=1e-9)


def test_bounds_mirror():
    a, b = np.array([-np.inf, -3.0, 2.0, -np.inf]), np.array([-2.0, 1.0, np.inf, np.inf])
    here, there = between(a, b), between(-b, -a)
    assert here.mean == pytest.approx(-there.mean)
    assert here.variance == pytest.approx(there.variance)
    assert here.log_probability[3] == 0.0


def intervals(seed=1):
    """Return rows of all kinds: observed, open to either side, and between two bounds."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=(40, 2)), np.ones(40)])
    y = x @ [1.0, -2.0, 0.5] + rng.normal(size=40)
    bounds = np.column_stack([y, y])
    bounds[:10, 0] = -np.inf
    bounds[10:20, 1] = np.inf
    bounds[20:30] += [-0.7, 0.4]
    return Rows(x, bounds, rng.uniform(0.5, 2.0, 40))


PARAMS = TobitParams(np.array([0.8, -1.5, 0.2]), np.asarray(1.3))


def test_derivatives_are_those_of_the_likelihood():
    shard = intervals()
    step = TobitNewton().e_step(PARAMS, shard)
    at = np.append(PARAMS.coef, 1.0) / PARAMS.scale

    def log_likelihood(free):
        return shard.weights @ latent(TobitParams(free[:-1] / free[-1], 1.0 / free[-1]), shard).log_likelihood

    h = 1e-4
    for i, e in enumerate(h * np.eye(4)):
        slope = (log_likelihood(at + e) - log_likelihood(at - e)) / (2 * h)
        assert step.stats.gradient[i] == pytest.approx(slope, rel=1e-5, abs=1e-5)
        for j, f in enumerate(h * np.eye(4)):
            corners = (log_likelihood(at + s * e + t * f) * s * t for s in (1, -1) for t in (1, -1))
            bend = sum(corners) / (4 * h * h)
            assert step.stats.hessian[i, j] == pytest.approx(bend, rel=1e-4, abs=1e-3)
    assert shard.weights @ row_scores(PARAMS, shard) == pytest.approx(step.stats.gradient)
    assert np.linalg.eigvalsh(step.stats.hessian).max() < 0


@pytest.mark.parametrize("model", [TobitEM(), TobitNewton()])
def test_fishers_identity(model):
    em = EMMap(model, [intervals()])
    vector = model.pack(PARAMS)
    found = score(model, em.evaluate(PARAMS), vector)
    for i, e in enumerate(1e-5 * np.eye(4)):
        up, down = (em.evaluate(model.unpack(vector + s, PARAMS)).objective for s in (e, -e))
        assert found[i] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-6)


def test_bounds_of_every_kind_are_the_likelihood_of_their_kind():
    x = np.random.default_rng(0).normal(size=(60, 1))
    y = x[:, 0] + np.random.default_rng(1).normal(size=60)
    plain = Tobit(left=None).fit(x, np.column_stack([y, y]))
    ols = LinearRegression().fit(x, y)
    assert plain.coef_ == pytest.approx(ols.coef_, rel=1e-8)
    assert plain.scale_ == pytest.approx(np.sqrt(np.mean((y - ols.predict(x)) ** 2)), rel=1e-8)
    censored = np.column_stack([np.where(y <= 0, -np.inf, y), np.maximum(y, 0)])
    assert Tobit(left=None).fit(x, censored).log_likelihood_ == pytest.approx(Tobit(0.0).fit(x, y).log_likelihood_)


def test_weights_are_repetitions_and_blocks_change_nothing(monkeypatch):
    x, y = draws()
    times = np.random.default_rng(0).integers(0, 3, len(x))
    weighted = Tobit().fit(x, y, sample_weight=times)
    repeated = Tobit().fit(np.repeat(x, times, axis=0), np.repeat(y, times))
    assert weighted.coef_ == pytest.approx(repeated.coef_, rel=1e-7)
    assert weighted.log_likelihood_ == pytest.approx(repeated.log_likelihood_, rel=1e-10)
    monkeypatch.setattr("seqem.models.tobit._BLOCK", 37)
    assert Tobit().fit(x, y).coef_ == pytest.approx(Tobit().fit(x, y).coef_)


def test_predictions_are_those_of_a_simulation():
    x, y = draws(n=2000, right=4.0)
    model = Tobit(0.0, 4.0).fit(x, y)
    row = x[:3]
    latent = model.predict(row, "latent")[:, None] + model.scale_ * np.random.default_rng(3).normal(size=(3, 400_000))
    assert model.predict(row) == pytest.approx(np.clip(latent, 0, 4).mean(axis=1), abs=0.01)
    inside = (latent > 0) & (latent < 4)
    assert model.predict(row, "truncated") == pytest.approx(
        [z[i].mean() for z, i in zip(latent, inside, strict=True)], abs=0.01
    )
    wanted = np.column_stack([(latent <= 0).mean(1), inside.mean(1), (latent >= 4).mean(1)])
    assert model.predict_censoring(row) == pytest.approx(wanted, abs=0.005)
    moved = x + np.array([1e-5, 0, 0])
    effects = model.marginal_effects(x).iloc[0]
    for kind in ("latent", "censored"):
        slope = (model.predict(moved, kind) - model.predict(x, kind)).mean() / 1e-5
        assert effects[kind] == pytest.approx(slope, rel=1e-4)
    slope = (model.predict_censoring(moved) - model.predict_censoring(x))[:, 1].mean() / 1e-5
    assert effects["probability"] == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_robust_errors_hold_where_the_spread_changes():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4000, 1))
    y = np.maximum(1.0 + x[:, 0] + rng.normal(size=4000), 0.0)
    model = Tobit().fit(x, y)
    assert model.standard_errors(robust=True).coef == pytest.approx(model.standard_errors().coef, rel=0.1)
    table = model.summary()
    assert (table["low"] < [1.0, 1.0, 1.0]).all()
    assert (table["high"] > [1.0, 1.0, 1.0]).all()


def test_far_tails_keep_their_digits():
    x = np.linspace(-1, 1, 200)[:, None]
    y = np.maximum(60.0 * x[:, 0] + np.random.default_rng(0).normal(size=200), 0.0)
    model = Tobit().fit(x, y)
    assert model.coef_[0] == pytest.approx(60.0, rel=0.02)
    assert np.isfinite(model.standard_errors().coef).all()


def test_what_cannot_be_is_refused():
    x, y = draws(n=50)
    with pytest.raises(DataError, match="every row is censored"):
        Tobit(left=1e6).fit(x, y)
    with pytest.raises(DataError, match=r"collinear.*x2"):
        Tobit().fit(np.column_stack([x[:, :2], x[:, 0] + x[:, 1]]), y)
    with pytest.raises(DataError, match=r"collinear.*twice"):
        Tobit().fit(pd.DataFrame({"once": x[:, 0], "twice": 2 * x[:, 0]}), y)
    with pytest.raises(DataError, match="fewer rows"):
        Tobit().fit(x[:2], [1.0, 2.0])
    with pytest.raises(ParameterError, match="out of order"):
        Tobit(left=3.0, right=1.0).fit(x, y)
    with pytest.raises(DataError, match="row 1 are out of order"):
        Tobit().fit(x[:5], [[1, 1], [3, 2], [1, 1], [2, 2], [3, 3.0]])
    with pytest.raises(DataError, match="NaN"):
        Tobit().fit(x, np.where(y > 1, np.nan, y))
    with pytest.raises(DataError, match="row 3, column x1"):
        Tobit().fit(np.where(x == x[3, 1], np.inf, x), y)
    with pytest.raises(DataError, match="row 3, column twice"):
        Tobit().fit(pd.DataFrame({"once": x[:, 0], "twice": np.where(x[:, 1] == x[3, 1], np.nan, x[:, 1])}), y)
    with pytest.raises(ParameterError, match=r"not one number.*bounds"):
        Tobit(left=np.zeros(50)).fit(x, y)
    with pytest.raises(ParameterError, match="kind"):
        Tobit().fit(x, y).predict(x, "mean")


def test_coefficients_without_a_maximum_are_refused():
    x, y = draws(n=200)
    only_censored = (y <= 0) & (x[:, 0] > -1)
    with pytest.raises(DataError, match=r"separate.*x3"):
        Tobit().fit(np.column_stack([x, only_censored]), y)
    both_ways = only_censored.astype(float)
    both_ways[np.flatnonzero(only_censored)[0]] = -1.0
    assert np.isfinite(Tobit().fit(np.column_stack([x, both_ways]), y).coef_).all()
    with pytest.warns(DegenerateWarning, match="exactly"):
        model = Tobit().fit(x, np.maximum(x @ [1.0, 2.0, 3.0], 0.0))
    assert model.coef_ == pytest.approx([1.0, 2.0, 3.0])
    assert model.scale_ < 1e-5


def test_a_constant_column_beside_the_intercept_has_no_say():
    x, y = draws()
    plain, model = Tobit().fit(x, y), Tobit().fit(np.column_stack([x, np.full(len(x), 7.0)]), y)
    assert model.coef_ == pytest.approx([*plain.coef_, 0.0])
    assert model.intercept_ == pytest.approx(plain.intercept_)
    errors = model.standard_errors().coef
    assert np.isnan(errors[3])
    assert errors[[0, 1, 2, 4]] == pytest.approx(plain.standard_errors().coef)


@pytest.mark.parametrize("method", ["newton", "em"])
def test_units_and_origins_do_not_matter(method):
    x, y = draws(right=5.0)
    plain = Tobit(0.0, 5.0, method=method).fit(x, y)
    moved = Tobit(1e6, 1e6 + 50.0, method=method).fit(1e4 * x + 1e8, 10.0 * y + 1e6)
    assert 1e3 * moved.coef_ == pytest.approx(plain.coef_, rel=1e-5)
    assert moved.scale_ == pytest.approx(10.0 * plain.scale_, rel=1e-5)
    assert 1e3 * moved.standard_errors().coef[:-1] == pytest.approx(plain.standard_errors().coef[:-1], rel=1e-5)
    if method == "newton":
        assert moved.n_iter_ == plain.n_iter_


def test_narrow_intervals_are_observations():
    x, y = draws(left=None)
    exact = Tobit(None).fit(x, y)
    for half in (1e-3, 1e-7, 1e-12):
        found = Tobit(None).fit(x, np.column_stack([y - half, y + half]))
        assert found.coef_ == pytest.approx(exact.coef_, rel=1e-5)
        assert found.standard_errors().coef == pytest.approx(exact.standard_errors().coef, rel=1e-4)
        assert found.standard_errors().scale == pytest.approx(exact.standard_errors().scale, rel=1e-3)


def test_limits_of_each_row_are_bounds_of_each_row():
    x, y = draws(n=3000, left=None)
    limit = np.random.default_rng(2).uniform(-2, 2, len(x))
    model = Tobit(None).fit(x, np.column_stack([np.where(y <= limit, -np.inf, y), np.maximum(y, limit)]))
    moved = Tobit(0.0).fit(np.column_stack([x, limit]), np.maximum(y - limit, 0.0))
    assert model.coef_ == pytest.approx([1.0, 2.0, 3.0], abs=0.15)
    assert moved.coef_[3] == pytest.approx(-1.0, abs=0.15)
    assert moved.log_likelihood_ >= model.log_likelihood_ - 1e-9


def test_errors_of_data_that_are_passed():
    x, y = draws()
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(x))
    model = Tobit().fit(x, y, weights)
    again = pickle.loads(pickle.dumps(model))
    with pytest.raises(DataError, match="not at hand"):
        again.standard_errors()
    for robust in (False, True):
        wanted = model.standard_errors(robust=robust).coef
        assert again.standard_errors(x, y=y, sample_weight=weights, robust=robust).coef == pytest.approx(wanted)
    assert again.standard_errors(x[:100], y=y[:100]).coef[0] > 1.5 * model.standard_errors().coef[0]


def test_the_sandwich_is_the_spread_of_estimates_where_the_noise_grows():
    rng = np.random.default_rng(11)
    found, plain, robust = [], [], []
    for _ in range(150):
        x = rng.normal(size=(400, 1))
        y = np.clip(x[:, 0] + np.sqrt(0.2 + 2 * x[:, 0] ** 2) * rng.normal(size=400), -4, 4)
        model = Tobit(-4.0, 4.0).fit(x, y)
        found.append(model.coef_[0])
        plain.append(model.standard_errors().coef[0])
        robust.append(model.standard_errors(robust=True).coef[0])
    assert np.mean(robust) == pytest.approx(np.std(found), rel=0.15)
    assert np.mean(plain) < 0.8 * np.std(found)


def test_workers_leave_the_bits(monkeypatch):
    monkeypatch.setattr("seqem.models.tobit._BLOCK", 64)
    x, y = draws()
    with ThreadPoolExecutor(3) as executor:
        assert np.array_equal(Tobit().fit(x, y, executor=executor).coef_, Tobit().fit(x, y).coef_)


def test_predictions_far_from_the_limits():
    x, y = draws(right=4.0)
    model = Tobit(0.0, 4.0).fit(x, y)
    far = np.array([[1e3, 1e3, 1e3], [-1e3, -1e3, -1e3], [1e200, 0, 0]])
    assert model.predict(far) == pytest.approx([4, 0, 4])
    assert model.predict(far, "truncated") == pytest.approx([4, 0, 4], abs=0.01)
