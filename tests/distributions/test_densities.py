"""Log-densities against scipy.stats, missing coordinates included."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from seqem.distributions.bernoulli import Bernoulli, BernoulliParams
from seqem.distributions.exponential import Exponential, ExponentialParams
from seqem.distributions.gamma import Gamma, GammaParams
from seqem.distributions.multinomial import Multinomial, MultinomialParams
from seqem.distributions.poisson import Poisson, PoissonParams
from seqem.distributions.student import StudentT, StudentTParams
from seqem.distributions.vonmises import VonMises, VonMisesParams

RNG = np.random.default_rng(3)
A, B, C = RNG.gamma(3.0, 1.0, (3, 4, 2))
PROB = RNG.random((4, 2))
COUNTS = RNG.poisson(3.0, (20, 2)).astype(float)
REAL = RNG.normal(0.0, 2.0, (20, 2))

CASES = {
    "poisson": (Poisson(), PoissonParams(A), stats.poisson(A).logpmf, COUNTS),
    "bernoulli": (Bernoulli(), BernoulliParams(PROB), stats.bernoulli(PROB).logpmf, np.minimum(COUNTS, 1.0)),
    "exponential": (Exponential(), ExponentialParams(A), stats.expon(scale=1 / A).logpdf, np.abs(REAL)),
    "gamma": (Gamma(), GammaParams(A, B), stats.gamma(A, scale=1 / B).logpdf, np.abs(REAL)),
    "vonmises": (VonMises(), VonMisesParams(REAL[:4], B), stats.vonmises(B, loc=REAL[:4]).logpdf, REAL),
    "student": (StudentT(), StudentTParams(REAL[:4], A, B), stats.t(B, loc=REAL[:4], scale=A).logpdf, REAL),
}


@pytest.mark.parametrize("name", CASES)
def test_density_is_scipys(name):
    model, params, reference, x = CASES[name]
    want = reference(x[:, None, :])
    assert_allclose(model.log_likelihood(params, model.check(x)), want.sum(axis=2), rtol=1e-10, atol=1e-12)
    x = x.copy()
    x[::3, 0] = x[4, :] = np.nan
    want = np.where(np.isnan(x)[:, None, :], 0.0, want).sum(axis=2)
    assert_allclose(model.log_likelihood(params, model.check(x)), want, rtol=1e-10, atol=1e-12)


def test_multinomial_density_is_scipys():
    probs = RNG.dirichlet(np.ones(3), 4)
    x = RNG.multinomial(9, probs[0], 10).astype(float)
    want = np.stack([stats.multinomial(9, p).logpmf(x) for p in probs], axis=1)
    assert_allclose(Multinomial(9).log_likelihood(MultinomialParams(probs), x), want)


def test_counts_too_large_for_a_table():
    x = np.array([[1e9], [3.0]])
    got = Poisson().log_likelihood(PoissonParams(np.array([[5e8]])), x)
    assert_allclose(got, stats.poisson(5e8).logpmf(x))


def test_impossible_is_minus_infinity_and_never_nan():
    poisson = Poisson().log_likelihood(PoissonParams(np.array([[0.0, 1.0]])), np.array([[0.0, 0.0], [2.0, 0.0]]))
    assert poisson.ravel().tolist() == [-1.0, -np.inf]
    coin = Bernoulli().log_likelihood(BernoulliParams(np.array([[1.0], [0.0]])), np.array([[1.0], [0.0]]))
    assert coin.tolist() == [[0.0, -np.inf], [-np.inf, 0.0]]
