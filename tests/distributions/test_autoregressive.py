import numpy as np
import pytest
from numpy.testing import assert_allclose

from seqem.core.batch import SequenceBatch
from seqem.distributions._linear_gaussian import RegressionParams
from seqem.distributions.autoregressive import AutoregressiveGaussian
from seqem.errors import DataError

RNG = np.random.default_rng(4)


def test_design_rows_do_not_cross_sequences():
    batch = SequenceBatch.of([np.arange(4.0), np.array([]), np.arange(10.0, 12.0), np.arange(20.0, 23.0)])
    model = AutoregressiveGaussian(2)
    design = model.prepare(batch)
    nothing = [np.nan] * 3
    want = [nothing, nothing, [2, 1, 0], [3, 2, 1], nothing, nothing, nothing, nothing, [22, 21, 20]]
    assert_allclose(design.values, want)
    assert design.offsets is batch.offsets
    assert_allclose(model.prepare(batch.between(2, 4)).values, design.between(2, 4).values)
    assert_allclose(model.log_likelihood(model.initial(design.values, 2, RNG), design.values)[:2], 0.0)


def test_one_component_is_least_squares():
    x = np.cumsum(RNG.normal(size=(80, 2)), axis=0)
    model = AutoregressiveGaussian(1)
    rows = model.check(model.prepare(SequenceBatch.from_lengths(x)).values)
    start = RegressionParams(np.zeros((1, 2, 3)), np.ones((1, 2)))
    got = model.maximise(model.accumulate(start, rows, np.ones((80, 1))), start)
    z = np.column_stack([np.ones(79), x[:-1]])
    slope, rest, *_ = np.linalg.lstsq(z, x[1:], rcond=None)
    assert_allclose(got.coefficients[0], slope.T, atol=1e-10)
    assert_allclose(got.variance[0], rest / 79)


def test_single_coefficients_can_be_fixed():
    x = np.cumsum(RNG.normal(size=(80, 1)), axis=0)
    mask = np.array([[[True, False, False]]])
    model = AutoregressiveGaussian(2, fixed={"coefficients": mask})
    rows = model.prepare(SequenceBatch.from_lengths(x)).values
    start = RegressionParams(np.array([[[0.5, 0.0, 0.0]]]), np.ones((1, 1)))
    got = model.maximise(model.accumulate(start, rows, np.ones((80, 1))), start).coefficients[0, 0]
    want = np.linalg.lstsq(rows[2:, 1:], rows[2:, 0] - 0.5, rcond=None)[0]
    assert_allclose(got, [0.5, *want], atol=1e-10)


def test_too_short_and_raw_rows_are_refused():
    model = AutoregressiveGaussian(2)
    with pytest.raises(DataError, match="call prepare"):
        model.check(np.zeros((3, 2)))
    with pytest.raises(DataError, match="no row has all its lags"):
        model.initial(model.prepare(SequenceBatch.of([[1.0, 2.0]])).values, 1, RNG)
