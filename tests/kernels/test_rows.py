"""Row operations: the vector form against the plain one, and what is refused."""

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError
from numpy.testing import assert_allclose, assert_array_equal

from seqem.kernels import _rows as rows


@njit
def everything(dim, a, b, matrix, pairs, out, pointers):
    rows.advance(dim, a, 1, matrix, 1, 0.5, out, 0)
    rows.advance_times(dim, a, 1, matrix, 0, b, 2, 2.0, out, 1)
    rows.times_advance(dim, a, 0, b, 1, matrix, 1, 3.0, out, 2, out, 3)
    rows.times(dim, a, 2, b, 0, 0.25, out, 4)
    rows.add_outer(dim, a, 0, b, 2, 1.5, pairs, 1)
    rows.best(dim, a, 2, matrix, 0, b, 1, out, 5, pointers, 1)
    return rows.inner(dim, a, 1, b, 1), rows.total(dim, a, 0)


def operands(K):
    rng = np.random.default_rng(K)
    return rng.normal(size=(3, K)), rng.normal(size=(3, K)), rng.normal(size=(2, K, K))


def results(dim, K):
    out, pairs, pointers = np.zeros((6, K)), np.ones((2, K, K)), np.zeros((2, K), dtype=np.uint8)
    sums = everything(dim, *operands(K), pairs, out, pointers)
    return sums, out, pairs, pointers


@pytest.mark.parametrize(
    "K", [1, 2, 3, 4, 7, 8, 9, 16, 17, *(pytest.param(K, marks=pytest.mark.slow) for K in (40, 64))]
)
def test_vectors_do_what_loops_do(K):
    vector, plain = results((0,) * K, K), results(np.zeros(K, dtype=np.int8), K)
    for left, right in zip(vector[:3], plain[:3], strict=True):
        assert_allclose(left, right, rtol=1e-12, atol=1e-12)
    assert_array_equal(vector[3], plain[3])


@pytest.mark.parametrize("K", [3, 20])
def test_loops_do_what_numpy_does(K):
    a, b, matrix = operands(K)
    (inner, total), out, pairs, pointers = results(np.zeros(K, dtype=np.int8), K)
    assert_allclose([inner, total], [a[1] @ b[1], a[0].sum()])
    assert_allclose(out[0], 0.5 * a[1] @ matrix[1])
    assert_allclose(out[1], 2 * b[2] * (a[1] @ matrix[0]))
    assert_allclose(out[2], a[0] * b[1])
    assert_allclose(out[3], 3 * (a[0] * b[1]) @ matrix[1])
    assert_allclose(out[4], 0.25 * a[2] * b[0])
    assert_allclose(pairs[1], 1 + 1.5 * np.outer(a[0], b[2]))
    scores = a[2][:, None] + matrix[0]
    assert_allclose(out[5], scores.max(0) + b[1])
    assert_array_equal(pointers[1], scores.argmax(0))


@pytest.mark.parametrize("dim", [(0,) * 5, np.zeros(5, dtype=np.int8)], ids=["vector", "loop"])
def test_the_first_of_equal_scores_wins(dim):
    out, pointers = np.zeros((6, 5)), np.ones((2, 5), dtype=np.uint8)
    everything(dim, np.zeros((3, 5)), np.zeros((3, 5)), np.zeros((2, 5, 5)), np.zeros((2, 5, 5)), out, pointers)
    assert not pointers[1].any()


def test_vectors_refuse_other_layouts():
    a, b, matrix = operands(4)
    out, pairs, pointers = np.zeros((6, 4)), np.ones((2, 4, 4)), np.zeros((2, 4), dtype=np.uint8)
    with pytest.raises(TypingError, match="C order"):
        everything((0,) * 4, np.asfortranarray(a), b, matrix, pairs, out, pointers)
