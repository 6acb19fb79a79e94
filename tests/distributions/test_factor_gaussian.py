"""Gaussians with loadings and noise: densities by scipy, moments with holes, coordinates without rotations, HMMs."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from seqem import HMM
from seqem.distributions._factors import echelon, improved, pivots
from seqem.distributions.factor_gaussian import FactorGaussian, FactorGaussianParams
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.errors import DegenerateWarning, ParameterError


def made(K=3, D=5, q=2, seed=0):
    rng = np.random.default_rng(seed)
    return FactorGaussianParams(rng.normal(size=(K, D)), rng.normal(size=(K, D, q)), rng.uniform(0.1, 1.0, (K, D)))


def holed(n=60, D=5, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, D))
    x[rng.random((n, D)) < 0.3] = np.nan
    x[4] = np.nan
    return x


@pytest.mark.parametrize("q", [1, 2, 5])
def test_density_is_scipys(q):
    params, family = made(q=q), FactorGaussian(q)
    x = np.random.default_rng(2).normal(size=(40, 5))
    peers = [multivariate_normal(m, v) for m, v in zip(params.mean, family.covariances(params), strict=True)]
    want = np.stack([peer.logpdf(x) for peer in peers], axis=1)
    np.testing.assert_allclose(family.log_likelihood(params, x), want, rtol=1e-11)


def test_little_noise_costs_no_digits():
    params = FactorGaussianParams(np.zeros((1, 2)), np.array([[[1e4], [1e4]]]), np.full((1, 2), 1e-6))
    x = np.array([[1e4, 1e4 + 1e-3]])  # common part 1e4, a millionth of a variance of noise between the columns
    common, apart = x.sum() / np.sqrt(2), (x[0, 1] - x[0, 0]) / np.sqrt(2)
    variances = 2e8 + 1e-6, 1e-6
    want = -0.5 * sum(np.log(2 * np.pi * v) + y**2 / v for y, v in zip((common, apart), variances, strict=True))
    assert FactorGaussian().log_likelihood(params, x)[0, 0] == pytest.approx(want, rel=1e-6)


def test_missing_entries_count_by_the_marginal_normal():
    params, family, x = made(), FactorGaussian(2), holed()
    covariances = family.covariances(params)
    want = np.zeros((len(x), 3))
    for n, row in enumerate(x):
        seen = ~np.isnan(row)
        if seen.any():
            for k in range(3):
                marginal = multivariate_normal(params.mean[k, seen], covariances[k][np.ix_(seen, seen)])
                want[n, k] = marginal.logpdf(row[seen])
    np.testing.assert_allclose(family.log_likelihood(params, x), want, rtol=1e-11, atol=1e-12)


def test_expected_factors_are_the_regression_on_what_is_seen():
    params, family, x = made(), FactorGaussian(2), holed()
    scores, covariances = family.factor_scores(params, x), family.covariances(params)
    for n in (0, 4, 7):
        seen = ~np.isnan(x[n])
        for k in range(3):
            slope = params.loadings[k, seen].T @ np.linalg.inv(covariances[k][np.ix_(seen, seen)])
            np.testing.assert_allclose(scores[n, k], slope @ (x[n, seen] - params.mean[k, seen]), atol=1e-11)


def test_moments_are_those_of_the_full_gaussian_and_add_up():
    params, family, x = made(), FactorGaussian(2), holed()
    resp = np.random.default_rng(3).dirichlet(np.ones(3), len(x))
    whole = family.accumulate(params, x, resp)
    peer = Gaussian("full").accumulate(GaussianParams(params.mean, family.covariances(params)), x, resp)
    parts = [family.accumulate(params, x[s], resp[s]) for s in (slice(0, 7), slice(7, 30), slice(30, None))]
    for total, of_peer, *pieces in zip(whole, peer, *parts, strict=True):
        np.testing.assert_allclose(total, of_peer, rtol=1e-12)
        np.testing.assert_allclose(sum(pieces), total, rtol=1e-11, atol=1e-11)


def test_one_step_is_em_on_the_factors():
    """Rubin and Thayer's step from the moments is plain EM on rows and factors."""
    params, rng = made(K=1), np.random.default_rng(4)
    x = rng.normal(size=(80, 5)) @ rng.normal(size=(5, 5))
    mean, (loadings, noise) = x.mean(axis=0), (params.loadings[0], params.noise[0])
    away = x - mean
    variance = np.linalg.inv(np.eye(2) + loadings.T / noise @ loadings)
    z = away / noise @ loadings @ variance
    want = away.T @ z @ np.linalg.inv(len(x) * variance + z.T @ z)
    left = np.square(away - z @ want.T).mean(axis=0) + np.einsum("da,ab,db->d", want, variance, want)
    got = improved(away.T @ away / len(x), loadings, noise, 1e-9)
    np.testing.assert_allclose(got[0], want, rtol=1e-10)
    np.testing.assert_allclose(got[1], left, rtol=1e-10)


@pytest.mark.parametrize("q", [1, 2, 3, 5])
def test_echelon_form_is_a_rotation_that_stays(q):
    loadings = made(K=1, q=q).loadings[0]
    rows = pivots(loadings)
    form = echelon(loadings, rows)
    np.testing.assert_allclose(form @ form.T, loadings @ loadings.T, atol=1e-12)
    assert (form == 0).sum() == q * (q - 1) // 2
    assert pivots(form).tolist() == rows.tolist()
    np.testing.assert_allclose(echelon(form, rows), form, atol=1e-14)


def test_rotations_are_not_counted_and_change_no_coordinate():
    family, params = FactorGaussian(2), made()
    assert family.n_free(params) == 3 * (5 + 10 - 1 + 5) == len(family.pack(params))
    again = family.unpack(family.pack(params), params)
    np.testing.assert_allclose(family.covariances(again), family.covariances(params), atol=1e-12)
    angle = np.array([[0.8, -0.6], [0.6, 0.8]])
    turned = params._replace(loadings=again.loadings @ angle)
    there = family.unpack(family.pack(turned), turned)
    np.testing.assert_allclose(family.covariances(there), family.covariances(params), atol=1e-12)


def test_noise_ends_at_the_floor_of_each_column_and_is_then_not_free():
    rng = np.random.default_rng(5)
    z = rng.normal(size=(100, 1))
    x = np.hstack([z, z + rng.normal(size=(100, 3))])  # the first column is the factor
    family = FactorGaussian(1, floor=[0.1, 0.2, 0.3, 0.4])
    params = family.initial(x, 1, rng)
    for _ in range(60):
        params = family.maximise(family.accumulate(params, x, np.ones((100, 1))), params)
    assert params.noise[0, 0] == 0.1
    assert (params.noise[0, 1:] > 0.5).all()
    assert family.n_free(params) == 4 + 4 + 3
    below = family.unpack(family.pack(params) - 50.0, params)
    assert (below.noise >= [0.1, 0.2, 0.3, 0.4]).all()


def test_a_component_on_one_row_stays_finite_and_an_empty_one_as_it_was():
    x = np.random.default_rng(6).normal(size=(30, 5))
    family, params = FactorGaussian(2, floor=1e-3), made()
    resp = np.zeros((30, 3))
    resp[0, 0], resp[1:, 1] = 1.0, 1.0
    with pytest.warns(DegenerateWarning, match=r"\[2\]"):
        after = family.maximise(family.accumulate(params, x, resp), params)
    np.testing.assert_allclose(after.mean[0], x[0])
    np.testing.assert_allclose(after.noise[0], 1e-3, rtol=1e-6)
    assert all(np.array_equal(new[2], old[2]) for new, old in zip(after, params, strict=True))


def test_single_variances_can_be_fixed_but_no_part_of_loadings():
    x = np.random.default_rng(7).normal(size=(50, 5))
    mask = np.zeros((3, 5), dtype=bool)
    mask[1, 2] = True
    resp = np.full((50, 3), 1 / 3)
    params = made()
    held = FactorGaussian(2, fixed={"noise": mask})
    after = held.maximise(held.accumulate(params, x, resp), params)
    assert (after.noise == params.noise).tolist() == mask.tolist()
    part = np.zeros((3, 5, 2), dtype=bool)
    part[0, 0] = True
    cut = FactorGaussian(2, fixed={"loadings": part})
    with pytest.raises(ParameterError, match="cuts through a component"):
        cut.maximise(cut.accumulate(params, x, resp), params)


def test_samples_have_the_moments():
    params, family = made(K=1), FactorGaussian(2)
    x = family.sample(params, np.zeros(200_000, dtype=int), np.random.default_rng(8))
    np.testing.assert_allclose(x.mean(axis=0), params.mean[0], atol=0.03)
    np.testing.assert_allclose(np.cov(x.T), family.covariances(params)[0], atol=0.08)


def test_an_hmm_of_factors_finds_its_states():
    rng = np.random.default_rng(9)
    states = np.repeat([0, 1, 0, 1, 0], 60)
    loadings = np.array([[1.5, 1.5, 0.0, 0.0], [0.0, 0.0, 1.5, 1.5]])[states]  # the means do not differ
    x = rng.normal(size=(300, 1)) * loadings + 0.4 * rng.normal(size=(300, 4))
    model = HMM(FactorGaussian(1), 2, random_state=0, n_iter=200).fit(x)
    assert (np.diff(model.history_.objective) >= -1e-7).all()
    found = model.predict(x)
    assert max((found == states).mean(), (found != states).mean()) > 0.97


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_factors": 0}, "n_factors"),
        ({"n_factors": 1.5}, "n_factors"),
        ({"floor": 0.0}, "floor"),
        ({"floor": [1.0, np.inf]}, "floor"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(ParameterError, match=message):
        FactorGaussian(**options)


def test_options_that_do_not_fit_the_columns():
    with pytest.raises(ParameterError, match="n_features = 2"):
        FactorGaussian(3).check(np.zeros((5, 2)))
    with pytest.raises(ParameterError, match="floor has the wrong shape"):
        FactorGaussian(1, floor=[0.1, 0.1, 0.1]).check(np.zeros((5, 2)))
