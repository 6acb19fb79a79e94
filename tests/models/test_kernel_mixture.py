"""Kernel mixtures: mixtools' numbers, plain sums over all pairs of rows as the oracle, and what they find."""

import json
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqem.errors import DataError, ParameterError
from seqem.models.gaussian_mixture import GaussianMixture
from seqem.models.kernel_mixture import KernelMixture


@pytest.fixture(scope="module")
def faithful(shared_data):
    return pd.read_csv(shared_data / "em" / "faithful.csv")


@pytest.fixture(scope="module")
def golden(shared_data):
    folder = shared_data / "em" / "golden"
    numbers = json.loads((folder / "mixtools_waiting.json").read_text())
    return {**numbers, "two_sigmas": json.loads((folder / "mixtools_waiting_unequal.json").read_text())}


@parametrize_with_checks([KernelMixture(2, random_state=0), KernelMixture(2, symmetric=False, random_state=0)])
def test_scikit_learns_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check(estimator)


# -- mixtools ----------------------------------------------------------------------------------------


def test_waiting_times_are_those_of_mixtools(faithful, golden):
    """spEMsymloc of bandwidth 4, which stops when no weight or mean moves by 1e-8."""
    expected = golden["spEMsymloc_bw4"]
    model = KernelMixture(2, bandwidth=4.0, tol=1e-12, random_state=0).fit(faithful[["waiting"]])
    order = np.argsort(model.means_[:, 0])
    assert model.converged_
    assert model.weights_[order] == pytest.approx(expected["lambda"], abs=1e-8)
    assert model.means_[order, 0] == pytest.approx(expected["mu"], abs=1e-7)


@pytest.mark.parametrize(
    ("name", "kind", "tolerance"),
    [("waiting_equal", "tied", 1e-7), ("waiting_unequal", "tied", 1e-7), ("two_sigmas", "full", 1e-6)],
)
def test_gaussian_mixtures_of_waiting_times_are_those_of_mixtools(faithful, golden, name, kind, tolerance):
    """Both fits of the first file have one sigma, whatever their names; the second file's has two."""
    expected = golden[name]
    model = GaussianMixture(2, covariance_type=kind, method="squarem", tol=1e-15, random_state=0)
    model.fit(faithful[["waiting"]])
    order = np.argsort(model.means_[:, 0])
    sigma = np.sqrt(np.ravel(model.covariances_)) * np.ones(2)
    assert model.log_likelihood_ == pytest.approx(expected["ll"], abs=1e-9)
    assert model.weights_[order] == pytest.approx(expected["lambda"], abs=tolerance)
    assert model.means_[order, 0] == pytest.approx(expected["mu"], abs=tolerance)
    assert sigma[order] == pytest.approx(expected["sigma"], abs=tolerance)


@pytest.mark.parametrize(("column", "bandwidth"), [("waiting", 3.988), ("eruptions", 0.3348)])
def test_default_bandwidth_is_that_of_r(faithful, column, bandwidth):
    """What R prints for density(faithful$waiting) and density(faithful$eruptions)."""
    model = KernelMixture(2, random_state=0).fit(faithful[[column]])
    assert model.bandwidth_[0] == pytest.approx(bandwidth, rel=2e-4)


# -- the oracle --------------------------------------------------------------------------------------


def kernel_densities(x, resp, h, symmetric):
    """Return the density of each row under each component, by sums over all pairs of rows."""
    weights, means = resp.mean(axis=0), resp.T @ x / resp.sum(axis=0)[:, None]
    density = np.ones(resp.shape)
    for d in range(x.shape[1]):
        rest = (x[:, None, d] - means[:, d]).ravel()
        for k in range(resp.shape[1]):
            if symmetric:
                at = (x[:, d] - means[k, d])[:, None]
                kernels = 0.5 * (norm.pdf(at - rest, scale=h[d]) + norm.pdf(at + rest, scale=h[d]))
                density[:, k] *= kernels @ resp.ravel() / len(x)
            else:
                kernels = norm.pdf(x[:, d][:, None] - x[:, d], scale=h[d])
                density[:, k] *= kernels @ resp[:, k] / resp[:, k].sum()
    return weights, means, density


def rows(n=80):
    rng = np.random.default_rng(1)
    second = (rng.random(n) < 0.4)[:, None]
    first, other = rng.uniform(0, 3, (n, 3)), rng.gamma(2.0, size=(n, 3))
    return np.where(second, other + np.array([3.0, 50.0, 5.0]), first + np.array([0.0, 45.0, 1.0]))


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_fit_rests_where_plain_sums_over_all_pairs_do(symmetric):
    x = rows()
    model = KernelMixture(2, symmetric=symmetric, tol=1e-12, random_state=0).fit(x)
    assert model.converged_
    resp = model.predict_proba(x)
    weights, means, density = kernel_densities(x, resp, model.bandwidth_, symmetric)
    assert model.weights_ == pytest.approx(weights, abs=1e-10)
    assert model.means_ == pytest.approx(means, abs=1e-9)
    assert np.exp(model.score_samples(x)) == pytest.approx(density @ weights, rel=1e-9)
    assert resp == pytest.approx(density * weights / (density @ weights)[:, None], abs=1e-9)
    assert model.log_likelihood_ == pytest.approx(model.score_samples(x).sum(), rel=1e-12)


@pytest.mark.parametrize("symmetric", [True, False])
def test_densities_integrate_to_one_beyond_the_data_too(symmetric):
    x = rows()[:, :1]
    model = KernelMixture(2, symmetric=symmetric, random_state=0).fit(x)
    grid = np.linspace(x.min() - 40, x.max() + 40, 20_001)
    assert np.trapezoid(np.exp(model.score_samples(grid[:, None])), grid) == pytest.approx(1.0, abs=1e-6)
    far = model.score_samples([[x.min() - 1e3], [x.max() + 1e3]])
    assert np.isfinite(far).all()
    assert (far < model.score_samples(x).min() - 10).all()


def test_neither_scale_nor_origin_nor_workers_change_a_fit(monkeypatch):
    monkeypatch.setattr("seqem.models.kernel_mixture._BLOCK", 4096)
    x = rows(200)
    make = KernelMixture(2, random_state=0)
    plain = make.fit(x)
    resp, scores, alone = plain.predict_proba(x), plain.score_samples(x), plain.result_
    with ThreadPoolExecutor(2) as pool:
        assert make.fit(x, executor=pool).result_.objective == alone.objective
    moved = make.fit(1000.0 * x + 1e6)
    assert moved.predict_proba(1000.0 * x + 1e6) == pytest.approx(resp, abs=1e-6)
    assert moved.score_samples(1000.0 * x + 1e6) == pytest.approx(scores - 3 * np.log(1000.0), abs=1e-6)


# -- what it finds -----------------------------------------------------------------------------------


def test_shapes_that_gaussians_miss_are_found():
    """Uniform components that touch: a Gaussian mixture shares rows near the border out wrongly."""
    rng = np.random.default_rng(0)
    second = rng.random(4000) < 0.3
    x = np.where(second, rng.uniform(2.2, 4.2, 4000), rng.uniform(0, 2, 4000))[:, None]
    model = KernelMixture(2, random_state=0).fit(x)
    order = np.argsort(model.means_[:, 0])
    assert model.weights_[order] == pytest.approx([0.7, 0.3], abs=0.02)
    assert model.means_[order, 0] == pytest.approx([1.0, 3.2], abs=0.03)
    assert (order[second.astype(int)] == model.predict(x)).mean() > 0.99


def test_components_of_different_shapes_need_several_columns():
    rng = np.random.default_rng(0)
    second = rng.random(2000) < 0.35
    x = np.where(second[:, None], rng.exponential(1.0, (2000, 4)) + 1.0, rng.normal(0.0, 0.5, (2000, 4)))
    model = KernelMixture(2, symmetric=False, random_state=0).fit(x)
    order = np.argsort(model.means_[:, 0])
    assert model.weights_[order] == pytest.approx([0.65, 0.35], abs=0.02)
    assert model.means_[order] == pytest.approx(np.array([[0.0] * 4, [2.0] * 4]), abs=0.1)
    assert (order[second.astype(int)] == model.predict(x)).mean() > 0.98


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, np.nan, [1.0, 2.0]])
def test_bandwidths_that_cannot_be_are_refused(bandwidth):
    with pytest.raises(ParameterError, match="bandwidth"):
        KernelMixture(2, bandwidth=bandwidth).fit(rows())


def test_data_and_numbers_that_cannot_be_are_refused():
    with pytest.raises(DataError, match="fewer rows"):
        KernelMixture(3).fit(rows(2))
    with pytest.raises(DataError, match="too far apart"):
        KernelMixture(2).fit(np.append(rows()[:, 0], 1e8)[:, None])
    with pytest.raises(ParameterError, match="n_components"):
        KernelMixture(0).fit(rows())
