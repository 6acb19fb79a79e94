"""Every row of the catalog passes the battery, with and without priors."""

import numpy as np
import pytest

from seqem.catalog import DISTRIBUTIONS
from seqem.distributions.bernoulli import Bernoulli
from seqem.distributions.categorical import Categorical
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.poisson import Poisson
from seqem.testing.conformance import check_distribution

RNG = np.random.default_rng(20)
N = 90
REAL = np.concatenate([RNG.normal(-1.5, 1.0, (N // 2, 3)), RNG.normal(2.0, 0.7, (N // 2, 3))])
POSITIVE = RNG.gamma([[2.0, 5.0]], 1.0, (N, 2)) + 0.01
COUNTS = RNG.poisson(np.repeat([[2.0, 9.0]], N, axis=0))
BITS = (RNG.random((N, 3)) < 0.4).astype(int)
SYMBOLS = RNG.integers(0, 4, N)
SETS = np.vstack([np.eye(4), [[1, 0, 1, 0], [1, 1, 1, 1]]])
FACTOR_RNG = np.random.default_rng(3)
FACTORS = np.repeat(FACTOR_RNG.normal(size=(N, 2)), 4, axis=1) + FACTOR_RNG.normal(size=(N, 8))
NORMAL = {"mean_prior": 0.5, "mean_weight": 2.0, "covariance_prior": 0.3, "covariance_weight": 5.0}
MATRIX = {**NORMAL, "covariance_prior": 0.3 * np.eye(3)}

CASES = {
    "categorical": [({"n_symbols": 4}, SYMBOLS), ({"codes": SETS, "prior": 2.0}, RNG.integers(0, 5, N))],
    "gaussian": [
        ({}, REAL),
        (NORMAL, REAL),
        ({"covariance_type": "spherical", **NORMAL}, REAL),
        ({"covariance_type": "full"}, REAL),
        ({"covariance_type": "full", **MATRIX}, REAL),
        ({"covariance_type": "tied", **MATRIX}, REAL),
        ({"covariance_type": "tied", "groups": 2}, REAL),
    ],
    "mixture": [
        ({"component": Gaussian(), "n_components": 2}, REAL),
        ({"component": Gaussian("full", **MATRIX), "n_components": 2, "weight_prior": 3.0}, REAL),
        ({"component": Gaussian("tied", groups=2), "n_components": 2}, REAL),
    ],
    "shared-mixture": [
        ({"component": Gaussian(), "n_components": 3}, REAL),
        ({"component": Gaussian("full", **MATRIX), "n_components": 2, "weight_prior": 3.0}, REAL),
        ({"component": Poisson(), "n_components": 2}, COUNTS),
    ],
    "poisson": [({}, COUNTS), ({"prior_shape": 3.0, "prior_rate": 2.0}, COUNTS)],
    "bernoulli": [({}, BITS), ({"prior_ones": 2.0, "prior_zeros": 3.0}, BITS)],
    "multinomial": [
        ({"n_trials": 12}, RNG.multinomial(12, [0.2, 0.3, 0.5], N)),
        ({"n_trials": 12, "prior": [2.0, 1.0, 4.0]}, RNG.multinomial(12, [0.2, 0.3, 0.5], N)),
    ],
    "student": [({}, RNG.standard_t(3.0, (N, 2))), (NORMAL, RNG.standard_t(3.0, (N, 2)))],
    "exponential": [({}, POSITIVE), ({"prior_shape": 3.0, "prior_rate": 2.0}, POSITIVE)],
    "gamma": [({}, POSITIVE), ({"prior_weight": 4.0, "prior_mean": 2.0, "prior_log_mean": 0.5}, POSITIVE)],
    "vonmises": [
        ({}, RNG.vonmises(0.5, 2.0, (N, 2))),
        ({"prior_weight": 4.0, "prior_mean": 1.0, "prior_length": 0.5}, RNG.vonmises(0.5, 2.0, (N, 2))),
    ],
    "independent": [
        (
            {"parts": [(Gaussian(), [0, 2]), (Poisson(), 1), (Categorical(4), 3), (Bernoulli(), [4])]},
            np.column_stack([REAL[:, 0], COUNTS[:, 0], REAL[:, 1], SYMBOLS, BITS[:, 0]]),
        )
    ],
    "tied": [
        ({"distribution": Gaussian(), "groups": {"covariance": [[1, 2, 0], [1, 2, 0]]}}, REAL),
        ({"distribution": Poisson(prior_shape=3.0, prior_rate=2.0), "groups": {"rate": [[1, 0], [0, 1]]}}, COUNTS),
    ],
    "multivariate-t": [({}, REAL), ({"floor": 1e-3, "df": 4.0}, REAL[:, :1])],
    # Much noise: with little, an M-step ends short of the top of Q.
    "factor-gaussian": [({}, FACTORS[:, :4]), ({"n_factors": 2, "floor": np.full(8, 1e-3)}, FACTORS)],
    "regression": [
        ({}, REAL),
        (
            {"n_targets": 2, "coefficient_weight": 3.0, "variance_prior": 0.5, "variance_weight": 2.0},
            np.hstack([REAL, COUNTS]),
        ),
    ],
    # Starts near the maximum: from far off these families take a shorter step than to the top of Q.
    "poisson-regression": [
        ({}, np.hstack([COUNTS[:, 1:], BITS])),
        ({"coefficient_weight": 3.0}, np.hstack([COUNTS[:, 1:], BITS])),
    ],
    "logistic-regression": [
        ({}, BITS),
        ({"coefficient_weight": 3.0}, BITS),
    ],
    "autoregressive": [
        ({"lags": 2}, REAL[:, :2]),
        ({"coefficient_weight": 3.0, "variance_prior": 0.5, "variance_weight": 2.0}, REAL[:, :2]),
    ],
}


@pytest.mark.parametrize(
    ("key", "case"), [(key, i) for key in DISTRIBUTIONS for i in range(len(CASES.get(key, [None])))]
)
def test_catalog_row_passes_the_battery(key, case):
    options, x = CASES[key][case]
    check_distribution(DISTRIBUTIONS[key].load()(**options), x, n_components=2, rng=np.random.default_rng(case))


class Broken(Poisson):
    def maximise(self, stats, params):
        return type(params)(1.01 * super().maximise(stats, params).rate)


def test_battery_finds_a_wrong_m_step():
    with pytest.raises(AssertionError, match=r"maximise"):
        check_distribution(Broken(), COUNTS, rng=np.random.default_rng(0))
