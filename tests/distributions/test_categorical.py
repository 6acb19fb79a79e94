import numpy as np
import pytest
from numpy.testing import assert_allclose

from seqem.distributions.categorical import Categorical, CategoricalParams, CategoricalStats
from seqem.errors import DataError, ParameterError

RNG = np.random.default_rng(2)
PROBS = RNG.dirichlet(np.ones(4), 3)
PARAMS = CategoricalParams(PROBS)
# as DNA: four letters, R = A or G, N = any
CODES = np.vstack([np.eye(4), [[1, 0, 1, 0], [1, 1, 1, 1]]])


def test_table_adds_up_the_symbols_of_a_code():
    model = Categorical(codes=CODES)
    want = np.vstack([PROBS.T, PROBS[:, 0] + PROBS[:, 2], np.ones(3)])
    assert_allclose(model.table(PARAMS), want)
    x = model.check([0, 4, 5, 3])
    assert_allclose(model.log_likelihood(PARAMS, x), np.log(want)[[0, 4, 5, 3]], atol=1e-15)


def test_ambiguous_counts_are_split_in_proportion_and_missing_ones_dropped():
    model = Categorical(codes=CODES)
    x, resp = model.check([0, 4, 5]), RNG.random((3, 3))
    got = model.accumulate(PARAMS, x, resp).counts
    share = PROBS[:, 0] / (PROBS[:, 0] + PROBS[:, 2])
    assert_allclose(got[:, 0], resp[0] + share * resp[1])
    assert_allclose(got[:, 2], (1 - share) * resp[1])
    assert_allclose(got[:, [1, 3]], 0.0)


def test_nan_becomes_the_missing_code():
    assert Categorical(4).check([0.0, np.nan, 3.0]).tolist() == [0, 4, 3]
    assert Categorical(codes=CODES).check([[0.0], [np.nan]]).tolist() == [0, 5]


@pytest.mark.parametrize(("n_symbols", "dtype"), [(4, np.uint8), (255, np.uint8), (256, np.int32), (None, np.uint8)])
def test_codes_are_as_small_as_they_can_be(n_symbols, dtype):
    assert Categorical(n_symbols).check([0, 3]).dtype == dtype


def test_a_single_symbol_is_not_missing():
    model = Categorical(1)
    params = CategoricalParams(np.ones((2, 1)))
    assert model.accumulate(params, model.check([0, 0]), np.full((2, 2), 0.5)).counts.tolist() == [[1.0], [1.0]]


def test_impossible_symbol():
    params = CategoricalParams(np.array([[1.0, 0.0]]))
    assert Categorical(2).log_likelihood(params, np.array([1], np.uint8)).tolist() == [[-np.inf]]
    counts = Categorical(2).accumulate(params, np.array([1], np.uint8), np.ones((1, 1))).counts
    assert counts.tolist() == [[0.0, 0.0]]


def test_prior_and_fixed_entries_share_the_remainder():
    mask = np.zeros((3, 4), dtype=bool)
    mask[:, 1] = True
    model = Categorical(4, prior=[2.0, 1.0, 1.0, 3.0], fixed={"probs": mask})
    got = model.maximise(CategoricalStats(np.array([[4.0, 9.0, 5.0, 0.0]] * 3)), PARAMS).probs
    want = np.array([5.0, 0.0, 5.0, 2.0]) / 12 * (1 - PROBS[:, [1]])
    want[:, 1] = PROBS[:, 1]
    assert_allclose(got, want)
    assert model.n_free(PARAMS) == 3 * 2


def test_structural_zeros_stay_and_are_not_free():
    params = CategoricalParams(np.array([[0.5, 0.0, 0.5]]))
    model = Categorical(3, prior=2.0)
    got = model.maximise(CategoricalStats(np.array([[3.0, 0.0, 1.0]])), params)
    assert_allclose(got.probs, [[4 / 6, 0.0, 2 / 6]])
    assert model.n_free(params) == 1
    assert np.isfinite(model.log_prior(params))


def test_errors_say_what_and_where():
    with pytest.raises(DataError, match="row 2; got 9; expected whole numbers from 0 to 4"):
        Categorical(4).check([0, 1, 9])
    with pytest.raises(DataError, match="row 0; got -1"):
        Categorical().check([-1])
    with pytest.raises(DataError, match=r"row 1; got 0.5"):
        Categorical(4).check([1.0, 0.5])
    with pytest.raises(DataError, match="give n_symbols"):
        Categorical().check([0.0, np.nan])
    with pytest.raises(DataError, match="not numbers"):
        Categorical(4).check(["A", "C"])
    with pytest.raises(DataError, match="symbol out of range in row 0"):
        Categorical().log_likelihood(PARAMS, np.array([200], np.uint8))
    with pytest.raises(ParameterError, match="not sets"):
        Categorical(codes=[[1, 0], [0, 0]])
    with pytest.raises(ParameterError, match="Dirichlet"):
        Categorical(4, prior=0.5)
