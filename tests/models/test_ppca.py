"""Probabilistic PCA: the closed form, scikit-learn's PCA, and iris with holes."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqem.em.driver import fit
from seqem.em.stop import StopRule
from seqem.errors import DataError, NumericalError, ParameterError, SeqemWarning
from seqem.models.normal import MultivariateNormal
from seqem.models.patterns import Rows, shards_of
from seqem.models.ppca import PPCAModel, PPCAParams, ProbabilisticPCA


@parametrize_with_checks([ProbabilisticPCA()])
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def iris():
    from sklearn.datasets import load_iris

    return load_iris().data


def test_iris_is_as_tipping_and_bishop_have_it(shared_data):
    x = pd.read_csv(shared_data / "em" / "iris.csv").iloc[:, :4].to_numpy(float)
    found = ProbabilisticPCA(2).fit(x)
    assert found.log_likelihood_ == pytest.approx(-404.962780156, abs=1e-6)
    assert found.noise_variance_ == pytest.approx(0.0506821478648, abs=1e-10)


def test_iris_with_holes(shared_data):
    x = pd.read_csv(shared_data / "em" / "iris_missing10.csv").to_numpy(float)
    golden = json.loads((shared_data / "em" / "golden" / "ppca_iris_missing_em.json").read_text())
    found = ProbabilisticPCA(2, tol=1e-14).fit(x)
    assert found.log_likelihood_ == pytest.approx(-388.095473, abs=1e-6)
    assert found.log_likelihood_ >= golden["loglik"]
    assert found.noise_variance_ == pytest.approx(golden["sigma2"], abs=1e-5)
    # The golden run stopped 3e-8 below our log-likelihood, hence the last digits.
    np.testing.assert_allclose(found.mean_, golden["mu"], atol=5e-5)
    np.testing.assert_allclose(found.loadings_ @ found.loadings_.T, golden["WWt"], atol=1e-4)


@pytest.mark.parametrize("q", [1, 2, 3])
def test_agrees_with_pca(iris, q):
    # scikit-learn's covariance has divisor N - 1, ours N.
    x = iris
    found, peer = ProbabilisticPCA(q).fit(x), PCA(q).fit(x)
    assert found.noise_variance_ == pytest.approx(peer.noise_variance_ * (len(x) - 1) / len(x))
    np.testing.assert_allclose(np.abs(found.components_), np.abs(peer.components_), atol=1e-9)
    back = found.inverse_transform(found.transform(x))
    np.testing.assert_allclose(back, peer.inverse_transform(peer.transform(x)), atol=1e-9)
    assert found.score(x) > peer.score(x)
    assert found.score(x) == pytest.approx(peer.score(x), abs=1e-4)


def test_em_from_anywhere_reaches_the_closed_form(iris):
    rng = np.random.default_rng(0)
    first = PPCAParams(rng.normal(size=4), rng.normal(size=(4, 2)), np.float64(2.0))
    found = fit(PPCAModel(np.ones(4)), first, shards_of(Rows(iris)), stop=StopRule(rel_tol=1e-13))
    closed = ProbabilisticPCA(2).fit(iris)
    assert found.log_likelihood == pytest.approx(closed.log_likelihood_)
    np.testing.assert_allclose(found.params.noise, closed.noise_variance_)


def test_all_but_one_component_are_a_normal_distribution(iris):
    # With q = D - 1 nothing is tied: the noise is the smallest eigenvalue.
    assert ProbabilisticPCA(3).fit(iris).log_likelihood_ == pytest.approx(
        MultivariateNormal().fit(iris).log_likelihood_
    )


def test_the_error_of_the_noise_is_that_of_its_squares(iris):
    found = ProbabilisticPCA(2).fit(iris)
    # sigma2 rests on N (D - q) squares, but for what the axes take.
    assert found.standard_errors().noise == pytest.approx(found.noise_variance_ * np.sqrt(2 / (150 * 2)), rel=0.05)


def test_expected_factors_of_rows_with_holes(iris):
    found = ProbabilisticPCA(2).fit(iris)
    row, at = iris[:1].copy(), np.array([True, False, True, True])
    row[0, ~at] = np.nan
    W = found.loadings_[at]
    want = W.T @ np.linalg.solve(found.covariance_[np.ix_(at, at)], (row[0] - found.mean_)[at])
    np.testing.assert_allclose(found.transform(row)[0], want)


def test_a_constant_column_is_named_and_kept(iris):
    x = np.column_stack([iris, np.ones(150)])
    with pytest.warns(SeqemWarning, match="no variance in column 4"):
        found = ProbabilisticPCA(2).fit(x)
    assert found.components_[:, 4] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_refusals(iris):
    with pytest.raises(ParameterError, match="n_components"):
        ProbabilisticPCA(4).fit(iris)
    with pytest.raises(DataError, match="too few features"):
        ProbabilisticPCA(1).fit(iris[:, :1])
    with pytest.raises(NumericalError, match="no noise is left"):
        ProbabilisticPCA(2).fit(iris[:, :2] @ np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 1.0]]))
