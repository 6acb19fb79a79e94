import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp

from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.distributions.mixture import MixtureOf, MixtureParams, MixtureStats
from seqem.errors import ParameterError

RNG = np.random.default_rng(5)
K, M, D, N = 3, 4, 2, 50
X = RNG.normal(size=(N, D))
RESP = RNG.dirichlet(np.ones(K), N)
PARAMS = MixtureParams(
    RNG.dirichlet(np.ones(M), K), GaussianParams(RNG.normal(size=(K * M, D)), RNG.gamma(3.0, 0.5, (K * M, D)))
)
MODEL = MixtureOf(Gaussian(), M)


def joint():
    return MODEL.component.log_likelihood(PARAMS.component, X).reshape(N, K, M) + np.log(PARAMS.weights)


def test_density_is_the_log_of_the_sum():
    assert_allclose(MODEL.log_likelihood(PARAMS, X), logsumexp(joint(), axis=2), rtol=1e-12)


def test_responsibilities_share_out_the_state():
    want = np.exp(joint() - logsumexp(joint(), axis=2, keepdims=True)) * RESP[:, :, None]
    got = MODEL.responsibilities(PARAMS, X, RESP)
    assert_allclose(got.reshape(N, K, M), want, rtol=1e-10, atol=1e-300)
    assert_allclose(MODEL.accumulate(PARAMS, X, RESP).counts, want.sum(axis=0))


def test_far_rows_and_dead_weights_do_not_underflow_to_nan():
    far = X + 1e4
    assert np.isfinite(MODEL.log_likelihood(PARAMS, far)).all()
    assert_allclose(MODEL.responsibilities(PARAMS, far, RESP).reshape(N, K, M).sum(axis=2), RESP)
    weights = PARAMS.weights.copy()
    weights[0] = 0.0
    dead = PARAMS._replace(weights=weights)
    assert np.isneginf(MODEL.log_likelihood(dead, X)[:, 0]).all()
    assert_allclose(MODEL.responsibilities(dead, X, RESP)[:, :M], 0.0)


def test_weights_prior_and_mask():
    mask = np.zeros((K, M), dtype=bool)
    mask[0, 0] = True
    model = MixtureOf(Gaussian(), M, weight_prior=3.0, fixed={"weights": mask})
    stats = model.accumulate(PARAMS, X, RESP)
    got = model.maximise(stats, PARAMS).weights
    assert got[0, 0] == PARAMS.weights[0, 0]
    assert_allclose(got.sum(axis=1), 1.0)
    assert_allclose(got[1], (stats.counts[1] + 2) / (stats.counts[1] + 2).sum())
    assert model.n_free(PARAMS) == K * (M - 1) - 1 + 2 * K * M * D


def hmmlearn_terms(kind, post, lam, m0, scatter, new_mean):
    """Return the covariance formulas of hmmlearn's GMMHMM in the present letters, moments about ``new_mean``."""
    alpha, beta, nu = 2.0, 0.7, 3.0
    away = new_mean - m0
    outer = lam * away[:, :, None] * away[:, None, :]
    if kind == "diag":
        want = (lam * away**2 + 2 * beta + scatter.diagonal(axis1=1, axis2=2)) / (post[:, None] + 1 + 2 * (alpha + 1))
        return want, {"covariance_prior": 2 * beta, "covariance_weight": 2 * alpha + 4}
    if kind == "spherical":
        trace = scatter.trace(axis1=1, axis2=2) + lam * (away**2).sum(axis=1)
        want = (trace + 2 * beta) / (D * (post + 1) + 2 * (alpha + 1))
        return want, {"covariance_prior": 2 * beta / D, "covariance_weight": 2 + 2 * (alpha + 1) / D}
    psi = np.eye(D)
    if kind == "full":
        want = (psi + outer + scatter) / (post + 1 + nu + D + 1)[:, None, None]
        return want, {"covariance_prior": psi, "covariance_weight": nu + 2 * D + 2}
    total = post.reshape(K, M).sum(axis=1) + M + nu + D + 1
    want = (psi + (outer + scatter).reshape(K, M, D, D).sum(axis=1)) / total[:, None, None]
    return want, {"covariance_prior": psi, "covariance_weight": nu + M + 2 * D + 1, "groups": K}


@pytest.mark.parametrize("kind", ["diag", "spherical", "full", "tied"])
def test_priors_of_hmmlearns_gmm_fit_into_the_component(kind):
    lam, m0 = 1.5, 0.25
    resp = MODEL.responsibilities(PARAMS, X, RESP)
    post = resp.sum(axis=0)
    mean = (lam * m0 + resp.T @ X) / (post + lam)[:, None]
    away = X[:, None] - mean
    scatter = np.einsum("nc,ncd,nce->cde", resp, away, away)
    want, terms = hmmlearn_terms(kind, post, lam, m0, scatter, mean)
    component = Gaussian(kind, mean_prior=m0, mean_weight=lam, **terms)
    start = component.initial(X, K * M, RNG)._replace(mean=PARAMS.component.mean)
    got = component.maximise(component.accumulate(start, X, resp), start)
    assert_allclose(got.mean, mean)
    assert_allclose(got.covariance, want)


def test_start_splits_states_then_parts():
    centre = np.array([[0.0, 0.0], [0.0, 3.0], [50.0, 0.0], [50.0, 3.0]])
    x = np.repeat(centre, 30, axis=0) + 0.1 * RNG.normal(size=(120, 2))
    model = MixtureOf(Gaussian(), 2)
    mean = model.initial(x, 2, RNG).component.mean.reshape(2, 2, 2)
    assert (np.ptp(mean[:, :, 0], axis=1) < 10).all()
    assert np.abs(mean[0, :, 0] - mean[1, :, 0]).min() > 30


def test_row_without_any_density_gives_nothing():
    stats = MODEL.accumulate(PARAMS, np.full((1, D), np.nan), np.ones((1, K)))
    assert isinstance(stats, MixtureStats)
    assert stats.counts.sum() == 0.0
    assert stats.component.mass.sum() == 0.0


def test_only_weights_are_fixed_here():
    with pytest.raises(ParameterError, match="wrong shape"):
        MixtureOf(Gaussian(), M, fixed={"weights": [True]}).n_free(PARAMS)
    with pytest.raises(ParameterError, match="in the component"):
        MixtureOf(Gaussian(), 2, fixed={"component": True})
