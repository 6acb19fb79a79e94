import numpy as np
import pytest
from numpy.testing import assert_allclose

from seqem.distributions.categorical import Categorical
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.independent import Independent
from seqem.errors import DataError, ParameterError

RNG = np.random.default_rng(6)
X = np.column_stack([RNG.normal(size=(30, 2)), RNG.integers(0, 3, 30)])
MODEL = Independent([(Gaussian("full"), [1, 0]), (Categorical(3), 2)])


def test_density_is_the_sum_of_the_parts():
    params = MODEL.initial(X, 2, RNG)
    want = Gaussian("full").log_likelihood(params.parts[0], X[:, [1, 0]])
    want = want + Categorical(3).log_likelihood(params.parts[1], X[:, 2].astype(np.uint8))
    assert_allclose(MODEL.log_likelihood(params, X), want)


def test_a_missing_symbol_leaves_the_other_columns():
    x = X[:4].copy()
    x[1, 2] = np.nan
    params = MODEL.initial(X, 2, RNG)
    want = Gaussian("full").log_likelihood(params.parts[0], x[:, [1, 0]])[1]
    assert_allclose(MODEL.log_likelihood(params, MODEL.check(x))[1], want)
    assert not MODEL.missing(x).any()


def test_errors_name_the_columns():
    bad = X.copy()
    bad[7, 2] = 8.0
    with pytest.raises(DataError, match=r"columns \[2\]: symbol out of range in row 7"):
        MODEL.check(bad)
    with pytest.raises(DataError, match="too few columns"):
        MODEL.check(X[:, :2])
    with pytest.raises(ParameterError, match="distinct"):
        Independent([(Gaussian(), [0, 1]), (Gaussian(), 1)])
    with pytest.raises(ParameterError, match="distinct"):
        Independent([])
