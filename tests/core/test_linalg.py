import numpy as np
import pytest
from numpy.testing import assert_allclose

from seqem.core.linalg import floor_eigenvalues, inverse_cholesky, pack_spd, unpack_spd
from seqem.errors import NumericalError

RNG = np.random.default_rng(1)
SQUARE = RNG.normal(size=(5, 3, 3))
SPD = SQUARE @ SQUARE.transpose(0, 2, 1) + 0.1 * np.eye(3)


def test_inverse_factor_whitens():
    factor, log_det = inverse_cholesky(SPD)
    assert_allclose(factor @ SPD @ factor.transpose(0, 2, 1), np.broadcast_to(np.eye(3), SPD.shape), atol=1e-10)
    assert_allclose(log_det, np.linalg.slogdet(SPD)[1])


def test_floor_touches_only_what_is_below():
    assert_allclose(floor_eigenvalues(SPD, 1e-6), SPD)
    values = np.linalg.eigvalsh(SPD)
    assert_allclose(np.linalg.eigvalsh(floor_eigenvalues(SPD, 1.0)), np.maximum(values, 1.0))


def test_log_cholesky_round_trip():
    assert_allclose(unpack_spd(pack_spd(SPD), 3), SPD)
    vector = RNG.normal(size=(2, 6))
    assert_allclose(pack_spd(unpack_spd(vector, 3)), vector, atol=1e-12)


def test_indefinite_matrix_is_named():
    with pytest.raises(NumericalError, match="smallest eigenvalue -1"):
        inverse_cholesky(np.diag([1.0, -1.0]))
