"""Maximisers of the small families: closed forms, bounds, masks and what they refuse."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from seqem.distributions.bernoulli import Bernoulli, BernoulliParams
from seqem.distributions.exponential import Exponential
from seqem.distributions.gamma import Gamma, GammaParams
from seqem.distributions.multinomial import Multinomial, MultinomialParams
from seqem.distributions.poisson import Poisson, PoissonParams
from seqem.distributions.student import StudentT, StudentTParams
from seqem.distributions.vonmises import VonMises, VonMisesParams
from seqem.errors import DataError, ParameterError

RNG = np.random.default_rng(8)
ONE = np.ones((400, 1))


def fitted(model, x, params, steps=1):
    x = model.check(x)
    for _ in range(steps):
        params = model.maximise(model.accumulate(params, x, ONE[: len(x)]), params)
    return params


def test_poisson_rate_is_the_mode_of_its_gamma_posterior():
    x = RNG.poisson(4.0, (50, 1))
    got = fitted(Poisson(prior_shape=3.0, prior_rate=2.0), x, PoissonParams(np.ones((1, 1)))).rate
    assert_allclose(got, (2.0 + x.sum()) / (2.0 + 50))


def test_bernoulli_probability_is_the_mode_of_its_beta_posterior():
    x = [0, 1, 1, np.nan, 1]
    got = fitted(Bernoulli(2.0, 3.0), x, BernoulliParams(np.full((1, 1), 0.5))).prob
    assert_allclose(got, (3 + 1) / (4 + 3))


def test_gamma_fit_is_scipys():
    x = RNG.gamma(3.0, 2.0, (400, 1))
    shape, _, scale = stats.gamma.fit(x, floc=0)
    got = fitted(Gamma(), x, GammaParams(np.ones((1, 1)), np.ones((1, 1))))
    assert_allclose([got.shape[0, 0], 1 / got.rate[0, 0]], [shape, scale], rtol=1e-6)


def test_gamma_of_equal_rows_ends_at_its_bound():
    got = fitted(Gamma(), np.full((9, 1), 2.0), GammaParams(np.ones((1, 1)), np.ones((1, 1))))
    assert_allclose(got.shape / got.rate, 2.0)
    assert got.shape[0, 0] > 1e6


def test_von_mises_fit_is_scipys():
    x = RNG.vonmises(3.0, 2.5, (400, 1))
    kappa, mean, _ = stats.vonmises.fit(x.ravel(), fscale=1)
    got = fitted(VonMises(), x, VonMisesParams(np.zeros((1, 1)), np.ones((1, 1))))
    assert_allclose(got.concentration, kappa, rtol=1e-6)
    assert_allclose(np.cos(got.mean - mean), 1.0)


def test_student_fit_is_scipys():
    x = stats.t(4.0, loc=2.0, scale=3.0).rvs((400, 1), random_state=np.random.default_rng(1))
    start = StudentTParams(np.zeros((1, 1)), np.ones((1, 1)), np.full((1, 1), 10.0))
    got = fitted(StudentT(), x, start, steps=400)
    df, location, scale = stats.t.fit(x.ravel())
    assert_allclose([got.df[0, 0], got.location[0, 0], got.scale[0, 0]], [df, location, scale], rtol=2e-3)


def test_student_degrees_of_freedom_stay_in_bounds():
    x = RNG.uniform(-1, 1, (400, 1))
    start = StudentTParams(np.zeros((1, 1)), np.ones((1, 1)), np.full((1, 1), 10.0))
    assert fitted(StudentT(df_bounds=(1.0, 30.0)), x, start, steps=60).df[0, 0] == pytest.approx(30.0)


def test_exponential_of_zeros_stays_finite():
    model = Exponential()
    params = model.initial(np.zeros((5, 1)), 2, RNG)
    params = fitted(model, np.zeros((5, 1)), type(params)(params.rate[:1]))
    assert np.isfinite(params.rate).all()


def test_multinomial_is_hmmlearns_without_prior():
    x = RNG.multinomial(5, [0.2, 0.5, 0.3], 60)
    start = MultinomialParams(np.full((1, 3), 1 / 3))
    assert_allclose(fitted(Multinomial(5), x, start).probs, [x.sum(axis=0) / x.sum()])


@pytest.mark.parametrize(
    ("model", "x", "message"),
    [
        (Poisson(), [1.0, -2.0], "row 1, column 0; got -2.0; expected whole numbers"),
        (Poisson(), [1.5], "not a count in row 0"),
        (Bernoulli(), [0, 2], "row 1, column 0; got 2.0"),
        (Exponential(), [-1.0], "numbers >= 0"),
        (Gamma(), [0.0], "numbers > 0"),
        (Multinomial(3), [[1, 1], [1, 2]], "do not add up in row 0"),
        (Multinomial(3), [[1, np.nan]], "some counts are missing"),
        (VonMises(), ["north"], "not numbers"),
    ],
)
def test_data_out_of_the_support(model, x, message):
    with pytest.raises(DataError, match=message):
        model.check(x)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Poisson(prior_shape=0.5),
        lambda: Bernoulli(prior_ones=0.0),
        lambda: Gamma(prior_mean=1.0, prior_log_mean=0.1),
        lambda: VonMises(prior_length=1.0),
        lambda: StudentT(df_bounds=(3.0, 2.0)),
        lambda: Multinomial(prior=np.nan),
    ],
)
def test_parameters_out_of_range(make):
    with pytest.raises(ParameterError):
        make()


def test_multinomial_samples_need_the_number_of_trials():
    with pytest.raises(ParameterError, match="n_trials"):
        Multinomial().sample(MultinomialParams(np.ones((1, 1))), np.zeros(2, int), RNG)
