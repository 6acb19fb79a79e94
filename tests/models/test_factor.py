"""Factor analysis against R's factanal, lavaan, SQUAREM and scikit-learn, and its laws."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal
from sklearn.decomposition import FactorAnalysis as Peer
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqem.core.tree import tree_vector
from seqem.em.driver import fit
from seqem.em.methods import accelerator
from seqem.em.stop import StopRule
from seqem.em.uncertainty import standard_errors
from seqem.errors import DataError, ParameterError, SeqemWarning
from seqem.models.factor import FactorAnalysis, FactorModel, FactorParams
from seqem.models.patterns import Moments
from seqem.models.rotation import Identified, canonical


@parametrize_with_checks([FactorAnalysis()])
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


def tight(q, **options):
    return FactorAnalysis(q, method="squarem", tol=1e-14, max_iter=20_000, **options)


def made(n=500, d=7, q=2, seed=9):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, q)) @ rng.normal(size=(q, d)) + rng.normal(size=(n, d)) * np.sqrt(rng.uniform(0.3, 1, d))


@pytest.fixture(scope="module")
def em_data(shared_data):
    return shared_data / "em"


@pytest.fixture(scope="module")
def factanal(em_data):
    return json.loads((em_data / "golden" / "factor_analysis_factanal.json").read_text())


@pytest.fixture(scope="module")
def ability(em_data):
    return pd.read_csv(em_data / "ability_cov.csv", index_col=0).to_numpy(float)


@pytest.fixture(scope="module")
def tests_of_pupils(em_data):
    return pd.read_csv(em_data / "holzinger_swineford1939.csv")[[f"x{i}" for i in range(1, 10)]]


# -- numbers of other programs ------------------------------------------------------------------------


@pytest.mark.parametrize("q", [1, 2])
def test_ability_tests(factanal, ability, q):
    golden = factanal[f"ability{q}"]
    found = tight(q).fit_covariance(ability, 112)
    np.testing.assert_allclose(found.uniquenesses_, list(golden["uniquenesses"].values()), atol=1e-5)
    loadings = found.loadings_ / np.sqrt(np.diag(ability))[:, None]
    # Our criterion is 1e-9 below that of factanal, whose last digit of the loadings is off.
    np.testing.assert_allclose(loadings, golden["loadings"], atol=2e-5)
    test = found.goodness_of_fit_
    assert (test.statistic, test.dof) == (pytest.approx(golden["chisq"], abs=1e-5), golden["dof"])
    assert test.p_value == pytest.approx(golden["pval"], rel=1e-5)


def test_holzinger_and_swineford(factanal, tests_of_pupils):
    golden = factanal["hs3"]
    found = tight(3).fit(tests_of_pupils)
    assert found.log_likelihood_ == pytest.approx(factanal["hs3_raw"]["loglik"], abs=1e-6)
    np.testing.assert_allclose(found.noise_variance_, factanal["hs3_raw"]["uniquenesses"], atol=1e-5)
    loadings = found.loadings_ / np.sqrt(np.diag(found.covariance_))[:, None]
    np.testing.assert_allclose(loadings, golden["loadings"], atol=1e-5)
    assert found.goodness_of_fit_.statistic == pytest.approx(golden["chisq"], abs=1e-5)
    assert found.goodness_of_fit_.p_value == pytest.approx(golden["pval"], rel=1e-5)


def test_holzinger_and_swineford_with_holes(em_data):
    x = pd.read_csv(em_data / "hs1939_missing15.csv").to_numpy(float)
    golden = json.loads((em_data / "golden" / "fa_missing_lavaan_fiml.json").read_text())
    found = tight(3).fit(x)
    assert found.log_likelihood_ == pytest.approx(golden["loglik"], abs=1e-6)
    np.testing.assert_allclose(found.noise_variance_, [row["est"] for row in golden["uniq"]], atol=1e-5)
    np.testing.assert_allclose(found.mean_, [row["est"] for row in golden["mean"]], atol=1e-5)
    np.testing.assert_allclose(found.covariance_, golden["implied"], atol=1e-5)
    assert found.goodness_of_fit_ is None


@pytest.mark.parametrize(("method", "most"), [("em", 867), ("squarem", 111)])
def test_maxwells_patients(em_data, method, most):
    golden = json.loads((em_data / "golden" / "fa_maxwell_acceleration.json").read_text())
    R = pd.read_csv(em_data / "maxwell_psychfactors.csv", index_col=0).to_numpy(float)
    shard = Moments(np.ones((1, 10), dtype=bool), np.array([145.0]), np.zeros((1, 10)), 145 * R[None])
    first = FactorParams(np.zeros(10), np.reshape(golden["start"][:40], (10, 4)), np.array(golden["start"][40:]))
    stop = StopRule(param_tol=1e-8, max_iter=2000)
    found = fit(FactorModel(np.ones(10), 1e-6), first, [shard], stop=stop, accelerate=accelerator(method))
    constant = 145 * 5 * np.log(2 * np.pi)
    assert -found.log_likelihood - constant == pytest.approx(498.180933343774, abs=1e-6)
    assert found.n_iter <= most
    np.testing.assert_allclose(found.params.noise, golden["factanal_uniq"], atol=1e-4)


def test_agrees_with_scikit_learn():
    x = made()
    found, peer = tight(2).fit(x), Peer(2, tol=1e-10, max_iter=10_000, svd_method="lapack").fit(x)
    np.testing.assert_allclose(found.covariance_, peer.get_covariance(), atol=1e-4)
    assert found.score(x) == pytest.approx(peer.score(x), abs=1e-7)
    np.testing.assert_allclose(found.noise_variance_, peer.noise_variance_, atol=1e-4)
    turn = np.linalg.lstsq(found.loadings_, peer.components_.T)[0]
    np.testing.assert_allclose(found.transform(x) @ turn, peer.transform(x), atol=1e-3)


# -- laws ---------------------------------------------------------------------------------------------


def test_rows_and_their_covariance_say_the_same():
    x = made()
    rows, covariance = tight(2).fit(x), tight(2).fit_covariance(np.cov(x.T, bias=True), len(x))
    assert rows.log_likelihood_ == pytest.approx(covariance.log_likelihood_)
    np.testing.assert_allclose(rows.loadings_, covariance.loadings_, atol=1e-6)
    assert rows.goodness_of_fit_.statistic == pytest.approx(covariance.goodness_of_fit_.statistic)
    np.testing.assert_allclose(rows.standard_errors().noise, covariance.standard_errors().noise, rtol=1e-4)


def test_the_estimate_is_near_the_truth():
    rng = np.random.default_rng(0)
    loadings, noise = rng.normal(size=(10, 3)), rng.uniform(0.2, 1.0, 10)
    x = rng.normal(size=(50_000, 3)) @ loadings.T + rng.normal(size=(50_000, 10)) * np.sqrt(noise)
    found = FactorAnalysis(3).fit(x)
    np.testing.assert_allclose(found.loadings_, canonical(loadings, noise), atol=0.05)
    np.testing.assert_allclose(found.noise_variance_, noise, atol=0.03)
    np.testing.assert_allclose(found.communalities_, 1 - found.noise_variance_ / np.var(x, axis=0), atol=1e-3)


def test_expected_factors_of_rows_with_holes():
    found = FactorAnalysis(2).fit(made())
    row, at = made(1, seed=5), np.array([1, 0, 1, 1, 0, 1, 1], dtype=bool)
    row[0, ~at] = np.nan
    want = found.loadings_[at].T @ np.linalg.solve(found.covariance_[np.ix_(at, at)], (row[0] - found.mean_)[at])
    np.testing.assert_allclose(found.transform(row)[0], want)
    np.testing.assert_allclose(found.transform(np.full((1, 7), np.nan)), 0.0, atol=1e-12)


def direct(x, mean, loadings, noise):
    return multivariate_normal(mean, loadings @ loadings.T + np.diag(noise)).logpdf(x).sum()


def test_errors_of_one_factor_are_those_of_the_curvature():
    x = made(200, 5, 1)
    found = tight(1).fit(x)
    params = found.result_.params
    at = tree_vector(params)

    def value(v):
        return direct(x, v[:5], v[5:10, None], v[10:])

    h, size = 1e-3, len(at)
    eye = h * np.eye(size)
    hessian = np.array(
        [[value(at + a + b) - value(at + a - b) - value(at - a + b) + value(at - a - b) for b in eye] for a in eye]
    )
    want = np.sqrt(np.diag(np.linalg.inv(-hessian / (4 * h * h))))
    np.testing.assert_allclose(tree_vector(found.standard_errors()), want, rtol=1e-3)


def test_errors_of_canonical_loadings_are_those_of_many_samples():
    loadings = np.array([[0.8, 0.3], [0.7, -0.4], [0.6, 0.5], [0.7, -0.3], [0.5, 0.4], [0.6, -0.5]])
    implied = loadings @ loadings.T
    truth = tight(2).fit_covariance(implied + np.diag(1 - np.diag(implied)), 2000)
    np.testing.assert_allclose(np.diag(truth.covariance_), 1.0, atol=1e-6)
    errors = truth.standard_errors()
    draws = []
    for seed in range(150):
        again = FactorAnalysis(2, method="squarem").fit(truth.sample(2000, random_state=seed)).loadings_
        draws.append(again * np.where((again * truth.loadings_).sum(axis=0) < 0, -1.0, 1.0))
    np.testing.assert_allclose(np.std(draws, axis=0), errors.loadings, rtol=0.25)


def test_errors_do_not_depend_on_the_side_constraints_for_what_has_none():
    found = tight(2).fit(made())
    model, params = found._model(), found.result_.params
    identified = found.standard_errors()
    with pytest.warns(SeqemWarning, match="say nothing about 1 of"):
        full = standard_errors(model, params, found._training_shards)
    np.testing.assert_allclose(identified.noise, full.noise, rtol=1e-3)
    assert np.isfinite(identified.loadings).all()
    wrapped = Identified(model, params)
    np.testing.assert_allclose(
        tree_vector(wrapped.unpack(wrapped.pack(params), params)), tree_vector(params), atol=1e-12
    )


# -- rotations ----------------------------------------------------------------------------------------

# As printed in the examples of R's help page of factanal; blanks there are below 0.1.
ROTATED = {
    "varimax": [[0.499, 0.543], [0.156, 0.622], [0.206, 0.860], [0.109, 0.468], [0.956, 0.182], [0.785, 0.225]],
    "promax": [[0.364, 0.470], [0, 0.671], [0, 0.932], [0, 0.508], [1.023, 0], [0.811, 0]],
}


@pytest.mark.parametrize("method", ROTATED)
def test_rotations_are_those_of_r(ability, method):
    pytest.importorskip("statsmodels")
    turned = tight(2).fit_covariance(ability, 112).rotate(method)
    loadings = turned.loadings_ / np.sqrt(np.diag(ability))[:, None]
    want = np.array(ROTATED[method])
    np.testing.assert_allclose(loadings[want != 0], want[want != 0], atol=0.005)
    assert (np.abs(loadings[want == 0]) < 0.1).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["varimax", "promax", "oblimin"])
def test_rotation_keeps_what_the_model_says_of_rows(method):
    pytest.importorskip("statsmodels")
    x = made(q=3)
    found = FactorAnalysis(3).fit(x)
    before = found.loadings_.copy()
    turned = found.rotate(method)
    implied = turned.loadings_ @ turned.factor_correlations_ @ turned.loadings_.T + np.diag(turned.noise_variance_)
    np.testing.assert_allclose(implied, found.covariance_, atol=1e-10)
    np.testing.assert_allclose(np.diag(turned.factor_correlations_), 1.0)
    np.testing.assert_array_equal(found.loadings_, before)
    assert np.abs(turned.loadings_ - before).max() > 0.1
    assert turned.log_likelihood_ == found.log_likelihood_
    np.testing.assert_allclose(
        turned.transform(x) @ turned.loadings_.T, found.transform(x) @ found.loadings_.T, atol=1e-9
    )
    if method == "varimax":
        np.testing.assert_allclose(turned.factor_correlations_, np.eye(3), atol=1e-9)
        np.testing.assert_allclose(turned.standard_errors().noise, found.standard_errors().noise)


def test_varimax_finds_simple_structure():
    pytest.importorskip("statsmodels")
    simple = np.kron(np.eye(2), [[0.9], [0.8], [0.7], [0.6]])
    found = tight(2).fit_covariance(simple @ simple.T + np.diag(1 - np.square(simple).sum(axis=1)), 500)
    np.testing.assert_allclose(found.rotate("varimax").loadings_.max(axis=1), simple.max(axis=1), atol=1e-4)


# -- edges --------------------------------------------------------------------------------------------


def test_a_heywood_case_is_named_and_kept_from_zero():
    x = pd.DataFrame(made(300, 4, 1), columns=list("abcd"))
    x["twin"] = x["b"] + 1e-6 * np.random.default_rng(0).normal(size=300)
    with pytest.warns(SeqemWarning, match=r"Heywood case.*\(b\).*\(twin\)"):
        found = FactorAnalysis(2).fit(x)
    np.testing.assert_allclose(found.noise_variance_[[1, 4]], 0.005 * x[["b", "twin"]].var(ddof=0))
    errors = found.standard_errors().noise
    assert (errors[[1, 4]] == 0).all()
    assert (errors[[0, 2, 3]] > 0).all()


def test_more_features_than_rows():
    x = made(20, 40, 2)
    found = FactorAnalysis(2, min_uniqueness=0.01).fit(x)
    assert found.goodness_of_fit_ is None
    assert np.isfinite(found.score(x))


def test_refusals(ability):
    with pytest.raises(ParameterError, match="n_factors"):
        FactorAnalysis(8).fit(made())
    with pytest.raises(ParameterError, match="min_uniqueness"):
        FactorAnalysis(1, min_uniqueness=0.0).fit(made())
    with pytest.raises(ParameterError, match="unknown rotation"):
        FactorAnalysis(2).fit(made()).rotate("simplimax")
    with pytest.raises(DataError, match="not a matrix"):
        FactorAnalysis(1).fit_covariance(ability[:3], 112)
    with pytest.raises(DataError, match="not a covariance"):
        FactorAnalysis(1).fit_covariance(-ability, 112)
