"""Mixtures of factor analysers: EMMIXmfa's numbers, factor analysis as one component, laws, missing values."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqem.core.tree import tree_vector
from seqem.distributions.factor_gaussian import FactorGaussian, FactorGaussianParams
from seqem.em.point import EMMap
from seqem.em.score import score
from seqem.errors import DataError, ParameterError
from seqem.models.factor import FactorAnalysis
from seqem.models.factor_mixture import MixtureOfFactorAnalyzers


@parametrize_with_checks(
    [MixtureOfFactorAnalyzers(2, max_iter=30)],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": "k-means starts draw among the rows: other rows, other draws"
    },
)
def test_is_a_scikit_learn_estimator(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check(estimator)


def made(n=400, d=6, q=2, seed=0):
    """Return rows of two groups that differ in loadings and a little in their means, and the groups."""
    rng = np.random.default_rng(seed)
    which = (rng.random(n) < 0.4).astype(int)
    loadings, noise = rng.normal(size=(2, d, q)), rng.uniform(0.2, 0.6, (2, d))
    x = np.einsum("ndq,nq->nd", loadings[which], rng.normal(size=(n, q)))
    return x + which[:, None] + np.sqrt(noise[which]) * rng.normal(size=(n, d)), which


def with_holes(x, share=0.15, seed=1):
    out = x.copy()
    out[np.random.default_rng(seed).random(x.shape) < share] = np.nan
    out[7] = np.nan
    return out


# -- numbers of other programs ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def iris(shared_data):
    return pd.read_csv(shared_data / "em" / "iris.csv").iloc[:, :4].to_numpy()


@pytest.fixture(scope="module")
def golden(shared_data):
    return json.loads((shared_data / "em" / "golden" / "mfa_emmixmfa_pgmm.json").read_text())


@pytest.mark.parametrize("name", ["iris_g2q1", "iris_g3q1"])
def test_log_likelihood_at_the_parameters_of_emmixmfa(golden, iris, name):
    theirs = golden[name]
    noise = np.diagonal(np.moveaxis(np.array(theirs["D"]), 2, 0), axis1=1, axis2=2)
    params = FactorGaussianParams(np.array(theirs["mu"]).T, np.moveaxis(np.array(theirs["B"]), 2, 0), noise)
    joint = FactorGaussian(1).log_likelihood(params, iris) + np.log(theirs["pivec"][0])
    assert np.logaddexp.reduce(joint, axis=1).sum() == pytest.approx(theirs["logL"], abs=1e-6)


def test_three_species_of_iris(golden, iris):
    found = MixtureOfFactorAnalyzers(3, 1, n_init=4, random_state=0, tol=1e-12, method="squarem").fit(iris)
    theirs = golden["iris_g3q1"]
    assert found.log_likelihood_ == pytest.approx(golden["iris_best_of_20_starts"]["g3q1"]["logL"], abs=1e-4)
    ours, order = np.argsort(found.means_[:, 0]), np.argsort(theirs["mu"][0])
    np.testing.assert_allclose(found.weights_[ours], np.array(theirs["pivec"][0])[order], atol=1e-3)
    np.testing.assert_allclose(found.means_[ours], np.array(theirs["mu"]).T[order], atol=1e-3)
    np.testing.assert_allclose(found.loadings_[ours, :, 0], np.abs(np.array(theirs["B"])[:, 0].T[order]), atol=2e-3)


def test_two_groups_of_iris_end_where_a_variance_is_at_its_floor(golden, iris):
    """A Heywood case: R stops on the way to it, a few thousandths below."""
    found = MixtureOfFactorAnalyzers(2, 1, n_init=2, random_state=0, method="squarem").fit(iris)
    best = golden["iris_best_of_20_starts"]["g2q1"]["logL"]
    assert best < found.log_likelihood_ < best + 0.01
    floor = 1e-4 * iris[:, 2].var()
    assert found.noise_variance_[:, 2].min() == pytest.approx(floor, rel=1e-12)
    assert found.n_parameters_ == 1 + 2 * (4 + 4 + 4)


# -- one component is factor analysis -----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("q", [1, 2])
def test_one_component_is_factor_analysis(q, holes):
    x = made()[0]
    x = with_holes(x) if holes else x
    one = MixtureOfFactorAnalyzers(1, q, tol=1e-14, method="squarem").fit(x)
    peer = FactorAnalysis(q, min_uniqueness=1e-4, tol=1e-15, method="squarem", max_iter=20_000).fit(x)
    assert one.log_likelihood_ == pytest.approx(peer.log_likelihood_, abs=1e-6)
    np.testing.assert_allclose(one.means_[0], peer.mean_, atol=1e-4)
    np.testing.assert_allclose(one.covariances_[0], peer.covariance_, atol=1e-4)
    np.testing.assert_allclose(one.loadings_[0], peer.loadings_, atol=1e-3)
    np.testing.assert_allclose(one.factor_scores(x)[:, 0], peer.transform(x), atol=2e-3)
    assert one.n_parameters_ == peer.n_parameters_
    # Both differ from the rotated coordinates of their fits: errors are those of the canonical loadings.
    ours, theirs = one.standard_errors().component, peer.standard_errors()
    for part, of_peer in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(part[0], of_peer, rtol=2e-3)


# -- laws ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("q", [1, 2, 4])
@pytest.mark.parametrize("holes", [False, True])
def test_em_never_falls(q, holes):
    x = made(n=120)[0]
    x = with_holes(x) if holes else x
    for seed in range(4):
        model = MixtureOfFactorAnalyzers(3, q, random_state=seed, tol=0.0, max_iter=60).fit(x)
        assert len(model.history_.objective) > 20
        assert (np.diff(model.history_.objective) >= -1e-8).all()


def test_groups_that_differ_by_their_loadings_are_found():
    x, which = made(n=600)
    fits = {k: MixtureOfFactorAnalyzers(k, 2, random_state=0, method="squarem").fit(x) for k in (1, 2, 3)}
    model = fits[2]
    agree = (model.predict(x) == which).mean()
    assert max(agree, 1 - agree) > 0.9
    assert model.bic(x) < min(fits[1].bic(x), fits[3].bic(x))
    assert sorted(model.weights_) == pytest.approx([0.4, 0.6], abs=0.05)


def test_likelihood_of_rows_with_holes_is_that_of_marginal_normals():
    x = with_holes(made(n=150)[0])
    model = MixtureOfFactorAnalyzers(2, 2, random_state=0, max_iter=30).fit(x)
    total = 0.0
    for row in x:
        seen = ~np.isnan(row)
        if seen.any():
            parts = zip(model.weights_, model.means_, model.covariances_, strict=True)
            densities = [w * multivariate_normal(m[seen], v[np.ix_(seen, seen)]).pdf(row[seen]) for w, m, v in parts]
            total += np.log(sum(densities))
    assert model.log_likelihood_ == pytest.approx(total, abs=1e-8)
    assert model.score_samples(x).sum() == pytest.approx(total, abs=1e-8)


@pytest.mark.parametrize("holes", [False, True])
def test_the_score_is_the_slope_of_the_log_likelihood(holes):
    x = made(n=100)[0]
    x = with_holes(x) if holes else x
    fitted = MixtureOfFactorAnalyzers(2, 2, random_state=0, max_iter=3).fit(x)
    model, shards = fitted._model(), fitted._training_shards
    em, params = EMMap(model, shards), fitted.result_.params
    at = model.pack(params)
    slopes = []
    for shift in 1e-5 * np.eye(len(at)):
        high, low = (em.evaluate(model.unpack(at + sign * shift, params)).log_likelihood for sign in (1, -1))
        slopes.append((high - low) / 2e-5)
    assert np.abs(slopes).max() > 0.1
    np.testing.assert_allclose(score(model, em.evaluate(params), at), slopes, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["squarem", "daarem", "incremental", "lbfgs"])
def test_other_methods_do_not_end_lower(method):
    x = made()[0]
    plain = MixtureOfFactorAnalyzers(2, 2, random_state=0).fit(x)
    other = MixtureOfFactorAnalyzers(2, 2, random_state=0, method=method).fit(x)
    assert other.log_likelihood_ >= plain.log_likelihood_ - 1e-3


@pytest.mark.slow
def test_standard_errors_are_near_the_scatter_of_estimates():
    options = {"random_state": 0, "method": "squarem"}
    truth = MixtureOfFactorAnalyzers(2, 2, **options).fit(made(n=1500)[0])
    errors = truth.standard_errors()
    drawn = []
    for seed in range(30):
        again = MixtureOfFactorAnalyzers(2, 2, **options).fit(truth.sample(1500, random_state=seed)[0])
        order = [int(np.square(again.means_ - mean).sum(axis=1).argmin()) for mean in truth.means_]
        signs = np.where((again.loadings_[order] * truth.loadings_).sum(axis=1) < 0, -1.0, 1.0)
        found = again.means_[order], again.loadings_[order] * signs[:, None], again.noise_variance_[order]
        drawn.append(tree_vector(FactorGaussianParams(*found)))
    ratio = np.std(drawn, axis=0) / tree_vector(errors.component)
    assert np.isfinite(ratio).all()
    assert np.median(ratio) == pytest.approx(1.0, abs=0.15)
    assert ((ratio > 0.5) & (ratio < 2.0)).all()


def test_a_stream_is_learnt_part_by_part():
    model = MixtureOfFactorAnalyzers(2, 1, random_state=0)
    for seed in range(30):
        x, _ = made(n=300, q=1)
        rng = np.random.default_rng(seed)
        model.partial_fit(x[rng.permutation(300)] + 1e4)
    batch = MixtureOfFactorAnalyzers(2, 1, random_state=0, method="squarem").fit(x + 1e4)
    assert model.score(x + 1e4) == pytest.approx(batch.score(x + 1e4), abs=0.02)


def test_the_start_does_not_depend_on_units():
    x = made()[0]
    units = np.array([1.0, 1e3, 1e-3, 1.0, 10.0, 0.1])
    plain = MixtureOfFactorAnalyzers(1, 2).fit(x)
    scaled = MixtureOfFactorAnalyzers(1, 2).fit(x * units)
    assert scaled.log_likelihood_ + len(x) * np.log(units).sum() == pytest.approx(plain.log_likelihood_, abs=1e-3)
    np.testing.assert_allclose(scaled.loadings_[0], plain.loadings_[0] * units[:, None], rtol=0.02, atol=1e-4)


# -- what cannot be -----------------------------------------------------------------------------------


def test_what_cannot_be_is_refused():
    x = made(n=30)[0]
    with pytest.raises(ParameterError, match="n_features = 6"):
        MixtureOfFactorAnalyzers(2, 7).fit(x)
    with pytest.raises(ParameterError, match="n_factors"):
        MixtureOfFactorAnalyzers(2, 0).fit(x)
    with pytest.raises(ParameterError, match="min_uniqueness"):
        MixtureOfFactorAnalyzers(2, min_uniqueness=0.0).fit(x)
    with pytest.raises(DataError, match=r"too few rows.*n_samples = 30.*31"):
        MixtureOfFactorAnalyzers(31).fit(x)
    with pytest.raises(DataError, match=r"too few rows.*n_samples = 4"):
        MixtureOfFactorAnalyzers(2, 4).fit(x[:4])


def test_columns_that_do_not_do_are_named():
    table = pd.DataFrame(made(n=30)[0], columns=list("abcdef"))
    with pytest.raises(DataError, match="no variance in column c"):
        MixtureOfFactorAnalyzers(2).fit(table.assign(c=1.1))
    with pytest.raises(DataError, match="no values in column e"):
        MixtureOfFactorAnalyzers(2).fit(table.assign(e=np.nan))
    with pytest.raises(DataError, match="no variance in column 2"):
        MixtureOfFactorAnalyzers(2).fit(table.assign(c=1.1).to_numpy())
