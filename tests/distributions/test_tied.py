"""Tied single parameters against closed forms, and the laws of EM."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import seqem
from seqem.distributions.gaussian import GaussianParams
from seqem.errors import ParameterError

RNG = np.random.default_rng(0)
X = np.concatenate([RNG.normal(1, 1, (80, 2)), RNG.normal(3, 4, (60, 2)), RNG.normal(-2, 2, (50, 2))])
RESP = np.repeat(np.eye(3), [80, 60, 50], axis=0)


def fitted(groups):
    model = seqem.Tied(seqem.Gaussian(), groups)
    start = model.initial(X, 3, np.random.default_rng(1))
    return model, model.maximise(model.accumulate(start, X, RESP), start), start


def test_tied_variances_are_pooled():
    _, params, _ = fitted({"covariance": [[1, 2], [1, 2], [0, 0]]})
    means = np.stack([X[:80].mean(0), X[80:140].mean(0), X[140:].mean(0)])
    assert_allclose(params.mean, means, rtol=1e-5)
    pooled = (((X[:80] - means[0]) ** 2).sum(0) + ((X[80:140] - means[1]) ** 2).sum(0)) / 140
    assert_allclose(params.covariance[:2], [pooled, pooled], rtol=1e-5)
    assert_allclose(params.covariance[2], X[140:].var(0), rtol=1e-5)


def test_a_tied_mean_is_weighted_by_precision():
    _, params, _ = fitted({"mean": [[1, 0], [1, 0], [0, 0]]})
    assert params.mean[0, 0] == params.mean[1, 0]
    weights = np.array([80, 60]) / params.covariance[:2, 0]
    expected = weights @ [X[:80, 0].mean(), X[80:140, 0].mean()] / weights.sum()
    assert_allclose(params.mean[0, 0], expected, rtol=1e-5)
    assert_allclose(params.covariance[0, 0], ((X[:80, 0] - expected) ** 2).mean(), rtol=1e-5)


def test_coordinates_hold_a_group_once():
    model, params, start = fitted({"mean": [[1, 2], [1, 2], [1, 0]]})
    assert model.n_free(params) == 12 - 3
    back = model.unpack(model.pack(params), start)
    assert_allclose(back.mean, params.mean)
    assert_allclose(back.covariance, params.covariance)


def test_em_never_falls_and_ties_hold():
    x = np.concatenate([RNG.poisson(2, 60), RNG.poisson(15, 60), RNG.poisson(2, 40), RNG.poisson(40, 40)])
    tied = seqem.Tied(seqem.Poisson(), {"rate": [[1], [1], [0]]})
    model = seqem.HMM(tied, 3, n_iter=40, random_state=0).fit(x)
    assert model.emission_.rate[0, 0] == model.emission_.rate[1, 0]
    assert np.diff(model.history_.objective).min() >= -1e-9 * abs(model.log_likelihood_)
    assert model.n_parameters_ == 2 + 6 + 2
    assert np.isfinite(model.standard_errors().emission.rate).all()


def test_a_tied_model_comes_back_from_its_file(tmp_path):
    model = seqem.HMM(seqem.Tied(seqem.Gaussian(), {"mean": [[1], [1]]}), 2, n_iter=5, random_state=0).fit(X[:, :1])
    seqem.save(tmp_path / "m", model)
    assert seqem.load(tmp_path / "m").score(X[:, :1]) == model.score(X[:, :1])


def test_what_cannot_be_tied_is_refused():
    with pytest.raises(ParameterError, match="cannot be tied"):
        seqem.Tied(seqem.Gaussian("full"), {"covariance": np.ones((2, 1, 1))})
    with pytest.raises(ParameterError, match="cannot be tied"):
        seqem.Tied(seqem.Poisson(), {"probs": [[1]]})
    with pytest.raises(ParameterError, match="no single parameters"):
        seqem.Tied(seqem.MixtureOf(seqem.Poisson(), 2), {"rate": [[1]]})


def test_it_scores_as_the_distribution_inside():
    params = GaussianParams(np.zeros((2, 2)), np.ones((2, 2)))
    inside = seqem.Gaussian()
    tied = seqem.Tied(inside, {"mean": np.ones((2, 2))})
    assert_allclose(tied.log_likelihood(params, X), inside.log_likelihood(params, X))
    assert tied.sample(params, np.array([0, 1]), np.random.default_rng(0)).shape == (2, 2)
