"""Variational Bayes against published numbers, scikit-learn, and the evidence where it is known."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import multigammaln
from sklearn.mixture import BayesianGaussianMixture as Peer
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqem.errors import DataError, ParameterError
from seqem.models.variational_mixture import BayesianGaussianMixture

KINDS = ("full", "tied", "diag", "spherical")


@pytest.fixture(scope="module")
def faithful(shared_data):
    x = pd.read_csv(shared_data / "em" / "faithful.csv")[["eruptions", "waiting"]].to_numpy()
    return (x - x.mean(axis=0)) / x.std(axis=0)


def blobs(seed=0, n=200):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(0, 1, (n, 2)), rng.normal(6, 1, (n, 2))])


@parametrize_with_checks([BayesianGaussianMixture()])
def test_scikit_learns_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check(estimator)


@pytest.mark.parametrize("seed", range(10))
def test_old_faithful_keeps_two_of_six_components(faithful, seed):
    model = BayesianGaussianMixture(
        6, weight_concentration_prior=1e-3, weight_concentration_prior_type="dirichlet_distribution", random_state=seed,
        tol=1e-11,
    ).fit(faithful)  # fmt: skip
    weights = np.sort(model.weights_)[::-1]
    assert weights[:2] == pytest.approx([0.642739, 0.357247], abs=2e-6)
    assert weights[2] < 1e-5
    assert 40 <= model.n_iter_ <= 100
    assert (np.diff(model.history_.objective) >= -1e-8).all()


@pytest.mark.parametrize("kind", KINDS)
def test_scikit_learn_ends_at_the_same_point(kind):
    x = blobs()
    options = {"covariance_type": kind, "weight_concentration_prior_type": "dirichlet_distribution", "random_state": 0}
    ours = BayesianGaussianMixture(2, tol=1e-13, **options).fit(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Peer(n_components=2, tol=1e-10, max_iter=3000, reg_covar=0, **options).fit(x)
    order, other = np.argsort(ours.means_[:, 0]), np.argsort(theirs.means_[:, 0])
    assert ours.weights_[order] == pytest.approx(theirs.weights_[other], abs=1e-6)
    assert ours.means_[order] == pytest.approx(theirs.means_[other], abs=1e-5)
    if (
        kind == "full"
    ):  # for the others scikit-learn takes products of Gamma distributions, or D degrees for one variance
        assert ours.covariances_[order] == pytest.approx(theirs.covariances_[other], rel=1e-5)


@pytest.mark.parametrize("process", [False, True])
def test_the_bound_of_one_component_is_the_evidence(process):
    """With one component the posterior is exact, and the evidence of a normal-Wishart prior is known in closed form."""
    x = np.random.default_rng(3).normal([1.0, -2.0], [1.0, 3.0], (40, 2))
    beta, dof, centre, scale = 2.0, 5.0, np.array([0.5, 0.0]), np.array([[2.0, 0.3], [0.3, 1.0]])
    model = BayesianGaussianMixture(
        1, mean_precision_prior=beta, degrees_of_freedom_prior=dof, mean_prior=centre, covariance_prior=scale, tol=1e-14,
        weight_concentration_prior_type="dirichlet_process" if process else "dirichlet_distribution",
        random_state=0,
    ).fit(x)  # fmt: skip
    n, d = x.shape
    mean = x.mean(axis=0)
    after = scale + (x - mean).T @ (x - mean) + beta * n / (beta + n) * np.outer(mean - centre, mean - centre)
    evidence = (
        -0.5 * n * d * np.log(np.pi) + multigammaln((dof + n) / 2, d) - multigammaln(dof / 2, d)
        + 0.5 * dof * np.linalg.slogdet(scale)[1] - 0.5 * (dof + n) * np.linalg.slogdet(after)[1]
        + 0.5 * d * np.log(beta / (beta + n))
    )  # fmt: skip
    # One stick of a process has a length of its own, which costs the divergence of its posterior.
    if process:
        assert model.lower_bound_ <= evidence
    else:
        assert model.lower_bound_ == pytest.approx(evidence, abs=1e-9)


def test_the_process_empties_what_is_not_needed():
    model = BayesianGaussianMixture(8, random_state=0, weight_concentration_prior=1e-2).fit(blobs())
    assert (model.weights_ > 0.05).sum() == 2
    assert model.weight_concentration_.shape == (2, 8)
    assert model.weights_.sum() == pytest.approx(1.0)


def test_weights_are_repetitions():
    x = blobs(n=30)
    times = np.random.default_rng(0).integers(1, 4, len(x))
    # Sticks of a process have an order, which starts give by chance.
    kind = {"weight_concentration_prior_type": "dirichlet_distribution"}
    prior = {"covariance_prior": np.eye(2), "mean_prior": [3.0, 3.0], "random_state": 0, "tol": 1e-13, **kind}
    weighted = BayesianGaussianMixture(2, **prior).fit(x, sample_weight=times.astype(float))
    repeated = BayesianGaussianMixture(2, **prior).fit(np.repeat(x, times, axis=0))
    assert weighted.lower_bound_ == pytest.approx(repeated.lower_bound_, abs=1e-6)


def test_samples_and_errors():
    model = BayesianGaussianMixture(2, random_state=0).fit(blobs())
    x, which = model.sample(5000, random_state=1)
    assert x[which == 0].mean(axis=0) == pytest.approx(model.means_[0], abs=0.15)
    assert model.predict(blobs()).shape == (400,)
    with pytest.raises(ParameterError, match="weight_concentration_prior_type"):
        BayesianGaussianMixture(2, weight_concentration_prior_type="beta").fit(blobs())
    with pytest.raises(DataError, match="NaN"):
        BayesianGaussianMixture(2).fit([[np.nan, 1.0], [2.0, 3.0]])
