import numpy as np
import pytest

from seqem import FactorAnalysis, GaussianMixture, MultivariateNormal, PoissonHMM, ProbabilisticPCA, Tobit
from seqem.em.criteria import aicc

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(40, 5)) + RNG.normal(size=(40, 1))


@pytest.mark.parametrize(
    ("model", "data", "n_free"),
    [
        (GaussianMixture(2, random_state=0), (ROWS[:, :2],), 11),
        (FactorAnalysis(2), (ROWS,), 5 + 10 - 1 + 5),
        (ProbabilisticPCA(2), (ROWS,), 5 + 10 - 1 + 1),
        (MultivariateNormal(), (ROWS,), 20),
        (Tobit(0.0), (ROWS[:, :2], ROWS[:, 3]), 4),
        (PoissonHMM(2, random_state=0), (RNG.poisson(4, 40),), 1 + 2 + 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_criteria_are_the_likelihood_less_a_price(model, data, n_free):
    model.fit(*data)
    assert model.n_parameters_ == n_free
    assert model.aic(*data) == pytest.approx(-2 * model.log_likelihood_ + 2 * n_free)
    assert model.bic(*data) == pytest.approx(-2 * model.log_likelihood_ + n_free * np.log(40))
    more = 2 * n_free * (n_free + 1) / (40 - n_free - 1)
    assert model.aicc(*data) == pytest.approx(model.aic(*data) + more)


def test_aicc_needs_more_rows_than_parameters():
    assert aicc(-1.0, 5, 6) == np.inf
    assert aicc(-1.0, 5, 7) == 2 + 10 + 60
