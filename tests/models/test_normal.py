"""The multivariate normal with holes: books' numbers, and what the normal models share."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqem.core.rows import Rows
from seqem.core.tree import tree_add, tree_leaves, tree_vector
from seqem.em.driver import fit
from seqem.em.point import EMMap
from seqem.em.score import derivative, score
from seqem.em.stop import StopRule
from seqem.errors import DataError, ParameterError
from seqem.models.factor import FactorAnalysis, FactorModel, FactorParams
from seqem.models.normal import MultivariateNormal, NormalParams, UnstructuredModel
from seqem.models.patterns import completed, gather, mixed_shards_of, shards_of
from seqem.models.ppca import PPCAModel, PPCAParams, ProbabilisticPCA

MODELS = [MultivariateNormal(), FactorAnalysis(2), ProbabilisticPCA(2)]
NO_COVARIANCE = {
    "check_sample_weight_equivalence_on_dense_data": "its 27 rows of 30 features have no normal distribution"
}


@parametrize_with_checks([MultivariateNormal()], expected_failed_checks=lambda _: NO_COVARIANCE)
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


def correlated(n=60, d=6, seed=4, missing=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) @ rng.normal(size=(2, d)) + 0.7 * rng.normal(size=(n, d)) + 3.0
    return np.where(rng.random(x.shape) < missing, np.nan, x)


def start(estimator, seed=1, d=6):
    rng = np.random.default_rng(seed)
    mean, loadings = rng.normal(size=d), rng.normal(size=(d, 2))
    scale = np.linspace(0.5, 2.0, d)
    if isinstance(estimator, FactorAnalysis):
        return FactorModel(scale, 1e-3), FactorParams(mean, loadings, 0.1 + rng.random(d))
    if isinstance(estimator, ProbabilisticPCA):
        return PPCAModel(scale), PPCAParams(mean, loadings, np.float64(0.7))
    return UnstructuredModel(scale), NormalParams(mean, loadings @ loadings.T + np.diag(0.1 + rng.random(d)))


# -- numbers of books and of other programs -----------------------------------------------------------


def test_hald_data_with_holes(shared_data):
    x = pd.read_csv(shared_data / "em" / "hald_little_rubin_monotone.csv").to_numpy(float)
    golden = json.loads((shared_data / "em" / "golden" / "mvn_missing_hald_little_rubin.json").read_text())
    found = MultivariateNormal(method="squarem", tol=1e-14).fit(x)
    np.testing.assert_allclose(found.mean_, [6.65517, 49.96526, 11.76923, 27.04709, 95.42308], atol=1e-5)
    np.testing.assert_allclose(found.covariance_, golden["sigma"], rtol=1e-5)
    assert found.log_likelihood_ == pytest.approx(golden["loglik"], abs=1e-6)


@pytest.mark.parametrize("rho", [-0.3, 0.3, 0.0])
def test_murrays_data_have_two_modes_and_a_saddle(shared_data, rho):
    x = pd.read_csv(shared_data / "em" / "murray1977_bivariate.csv").to_numpy(float)
    golden = json.loads((shared_data / "em" / "golden" / "mvn_missing_murray_two_modes.json").read_text())
    model, first = UnstructuredModel(np.ones(2)), NormalParams(np.zeros(2), np.array([[1, rho], [rho, 1.0]]))
    found = fit(model, first, shards_of(Rows(x)), stop=StopRule(max_iter=2000, param_tol=1e-10))
    np.testing.assert_allclose(found.params.covariance, golden[f"{rho:g}"]["sigma"], atol=1e-5)
    # The golden log-likelihoods leave out a constant.
    saddle = model.e_step(NormalParams(np.zeros(2), 2.5 * np.eye(2)), Rows(x)).log_likelihood
    assert found.log_likelihood - saddle == pytest.approx(golden[f"{rho:g}"]["ll"] + 8.0, abs=1e-6)


# -- laws ---------------------------------------------------------------------------------------------


def test_whole_data_take_one_step():
    x = correlated()
    found = MultivariateNormal(method="em").fit(x)
    np.testing.assert_allclose(found.mean_, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance_, np.cov(x.T, bias=True), rtol=1e-10)
    assert found.n_iter_ == 1
    assert found.score(x) == pytest.approx(multivariate_normal(found.mean_, found.covariance_).logpdf(x).mean())


def test_errors_of_the_mean_of_whole_data_are_known():
    found = MultivariateNormal().fit(correlated())
    errors = found.standard_errors()
    np.testing.assert_allclose(errors.mean, np.sqrt(np.diag(found.covariance_) / 60), rtol=1e-4)
    np.testing.assert_allclose(np.diag(errors.covariance), np.diag(found.covariance_) * np.sqrt(2 / 60), rtol=1e-3)


def test_what_is_missing_is_integrated_out():
    found = MultivariateNormal().fit(correlated())
    x = correlated(20, seed=3, missing=0.4)
    x[0] = np.nan
    for row, got in zip(x, found.score_samples(x), strict=True):
        at = ~np.isnan(row)
        want = (
            multivariate_normal(found.mean_[at], found.covariance_[np.ix_(at, at)]).logpdf(row[at]) if at.any() else 0.0
        )
        assert got == pytest.approx(want)


def test_holes_are_filled_by_regression():
    x = np.array([[1.0, np.nan, 2.0]])
    cov = np.array([[2.0, 0.5, 0.3], [0.5, 1.0, 0.2], [0.3, 0.2, 1.5]])
    want = cov[1, [0, 2]] @ np.linalg.solve(cov[np.ix_([0, 2], [0, 2])], [1.0, 2.0])
    np.testing.assert_allclose(completed(np.zeros(3), cov, x)[0], [[1.0, want, 2.0]])


@pytest.mark.parametrize("estimator", MODELS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("missing", [0.0, 0.3])
class TestEveryNormalModel:
    def test_em_never_falls(self, estimator, missing):
        model, params = start(estimator)
        found = fit(model, params, shards_of(Rows(correlated(missing=missing))), stop=StopRule(max_iter=50))
        objective = np.array([record.objective for record in found.history])
        assert (np.diff(objective) >= -1e-9 * np.abs(objective[:-1])).all()
        assert objective[-1] > objective[0] + 1.0

    def test_the_gradient_of_q_is_the_score(self, estimator, missing):
        model, params = start(estimator)
        em = EMMap(model, [Rows(correlated(missing=missing))])
        at = model.pack(params)
        np.testing.assert_allclose(tree_vector(model.unpack(at, params)), tree_vector(params), rtol=1e-12)
        slope = derivative(lambda v: np.array([em.evaluate(model.unpack(v, params)).objective]), at, 1e-3)[0]
        np.testing.assert_allclose(
            score(model, em.evaluate(params), at), slope, rtol=1e-6, atol=1e-6 * np.abs(slope).max()
        )

    def test_shards_and_rows_add_up(self, estimator, missing):
        model, params = start(estimator)
        rows = Rows(correlated(missing=missing), weights=np.linspace(0.1, 2.0, 60))
        whole = model.e_step(params, rows)
        for shards in (rows.blocks(7), shards_of(rows), mixed_shards_of(rows, 3), gather(rows).blocks()):
            steps = [model.e_step(params, shard) for shard in shards]
            total = steps[0]
            for step in steps[1:]:
                total = tree_add(total, step)
            for (_, got), (_, want) in zip(tree_leaves(total), tree_leaves(whole), strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)

    def test_the_likelihood_is_that_of_the_rows(self, estimator, missing):
        model, params = start(estimator)
        x = correlated(missing=missing)
        rows = completed(params.mean, model.covariance(params), x)[1]
        assert model.e_step(params, Rows(x)).log_likelihood == pytest.approx(rows.sum())

    def test_weights_are_repetitions(self, estimator, missing):
        x = correlated(missing=missing)
        times = np.arange(60) % 3
        weighted = estimator.fit(x, sample_weight=times)
        got = weighted.covariance_, weighted.log_likelihood_
        repeated = estimator.fit(np.repeat(x, times, axis=0))
        np.testing.assert_allclose(got[0], repeated.covariance_, rtol=1e-6)
        assert got[1] == pytest.approx(repeated.log_likelihood_)

    @pytest.mark.parametrize("method", ["squarem", "online", "incremental"])
    def test_all_methods_climb_to_the_same_place(self, estimator, missing, method):
        x = correlated(200, seed=0, missing=missing)
        plain = estimator.set_params(method="em", max_iter=2000).fit(x).log_likelihood_
        other = estimator.set_params(method=method, max_iter=50 if method == "online" else 500).fit(x).log_likelihood_
        estimator.set_params(method="em", max_iter=1000)
        assert other == pytest.approx(plain, abs=0.5 if method == "online" else 1e-4)

    def test_workers_leave_the_same_bits(self, estimator, missing):
        x = correlated(missing=missing)
        alone = estimator.fit(x).log_likelihood_
        with ThreadPoolExecutor(2) as pool:
            assert estimator.fit(x, executor=pool).log_likelihood_ == alone

    def test_units_and_origin_do_not_matter(self, estimator, missing):
        x = correlated(missing=missing)
        plain = estimator.fit(x).log_likelihood_
        shifted = estimator.fit(1e-3 * x + 1e4).log_likelihood_
        assert shifted == pytest.approx(plain + np.log(1e3) * (~np.isnan(x)).sum(), abs=1e-3)

    def test_draws_are_like_the_data(self, estimator, missing):
        found = estimator.fit(correlated(missing=missing))
        draws = found.sample(200_000, random_state=0)
        np.testing.assert_allclose(draws.mean(axis=0), found.mean_, atol=0.03)
        np.testing.assert_allclose(np.cov(draws.T), found.covariance_, atol=0.1)

    def test_empty_rows_change_nothing(self, estimator, missing):
        x = correlated(missing=missing)
        plain = estimator.fit(x).log_likelihood_
        assert estimator.fit(np.vstack([np.full((3, 6), np.nan), x])).log_likelihood_ == pytest.approx(plain, abs=1e-9)

    def test_errors_outlive_pickling_where_the_data_are_given(self, estimator, missing):
        x = correlated(missing=missing)
        found = estimator.fit(x)
        again = pickle.loads(pickle.dumps(found))
        with pytest.raises(DataError, match="not at hand"):
            again.standard_errors()
        np.testing.assert_allclose(again.standard_errors(x).mean, found.standard_errors().mean)


def test_rows_with_too_many_patterns_to_keep_are_gathered_in_each_step(monkeypatch):
    x = correlated(missing=0.3)
    kept = FactorAnalysis(2).fit(x).log_likelihood_
    monkeypatch.setattr("seqem.models.patterns._KEPT", 0)
    monkeypatch.setattr("seqem.models.patterns._STACK", 200)
    assert FactorAnalysis(2).fit(x).log_likelihood_ == pytest.approx(kept)


@pytest.mark.parametrize("estimator", MODELS, ids=lambda e: type(e).__name__)
class TestRefusals:
    def test_a_column_without_values_is_named(self, estimator):
        x = pd.DataFrame(correlated(), columns=list("abcdef")).assign(c=np.nan)
        with pytest.raises(DataError, match=r"no values in column 2 \(c\)"):
            estimator.fit(x)

    def test_infinite_values(self, estimator):
        x = correlated()
        x[3, 1] = np.inf
        with pytest.raises(DataError, match="infinity"):
            estimator.fit(x)

    def test_too_few_rows(self, estimator):
        with pytest.raises(DataError, match="too few rows"):
            estimator.fit(correlated(n=2))

    def test_weights_that_cannot_be(self, estimator):
        with pytest.raises(DataError, match="sample_weight"):
            estimator.fit(correlated(), sample_weight=-np.ones(60))

    def test_no_draws(self, estimator):
        with pytest.raises(ParameterError, match="n_samples"):
            estimator.fit(correlated()).sample(0)


@pytest.mark.parametrize("estimator", MODELS[:2], ids=lambda e: type(e).__name__)
def test_a_constant_column_is_named(estimator):
    x = correlated()
    x[:, 4] = 0.1
    with pytest.raises(DataError, match="no variance in column 4"):
        estimator.fit(x)
