"""The vector kernels against plain loops, and what keeps them fast and safe."""

import re

import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features
from numba import njit, types
from numba.core.errors import TypingError
from numpy.testing import assert_allclose

from seqem.kernels.gaussian import FRAMES, LANES, density, density_full, moments, moments_full

RNG = np.random.default_rng(9)


def diagonal_arguments(N, D, K):
    P = -(-K // LANES) * LANES
    x = RNG.normal(size=(N, D))
    scratch = np.zeros((FRAMES, D)), np.zeros((FRAMES, P))
    return x, P, scratch


@pytest.mark.parametrize("N", [1, 4, 6])
@pytest.mark.parametrize("K", [3, 8, 11])
def test_density_leaves_missing_coordinates_out(N, K):
    x, P, scratch = diagonal_arguments(N, 5, K)
    x[0, 1] = np.nan
    x[-1, :3] = np.nan
    scale, shift, norm = RNG.random((3, 5, P))
    out = np.empty((N, K))
    density(x, scale, shift, norm.sum(axis=0, keepdims=True), norm, *scratch, out)
    terms = norm - np.square(x[:, :, None] * scale + shift)
    assert_allclose(out, np.nansum(terms, axis=1)[:, :K])


@pytest.mark.parametrize("N", [1, 4, 6])
@pytest.mark.parametrize("K", [3, 8, 11])
def test_moments_leave_missing_coordinates_out(N, K):
    x, P, scratch = diagonal_arguments(N, 5, K)
    x[0, 1] = np.nan
    resp, mean = RNG.random((N, K)), RNG.random((5, P))
    mass, sums = np.zeros(K), np.zeros((3, 5, P))
    moments(x, resp, mean, *scratch, mass, *sums)
    away = x[:, :, None] - mean[:, :K]
    assert_allclose(mass, resp[1:].sum(axis=0))
    assert_allclose(sums[0, :, :K], np.outer(~np.isnan(x[0]), resp[0]))
    assert_allclose(sums[1, :, :K], np.nansum(resp[:, None] * away, axis=0))
    assert_allclose(sums[2, :, :K], np.nansum(resp[:, None] * away**2, axis=0))


@pytest.mark.parametrize("N", [1, 4, 6])
@pytest.mark.parametrize("K", [3, 11])
def test_triangles(N, K):
    D, B = 4, -(-K // LANES)
    i, j = np.tril_indices(D)
    x = RNG.normal(size=(N, D))
    factor = np.tril(RNG.normal(size=(B, LANES, D, D)))
    shift = RNG.normal(size=(B, D, LANES))
    constant = RNG.normal(size=(B, 1, LANES))
    rows, block, out = np.zeros((FRAMES, D)), np.zeros((FRAMES, LANES)), np.empty((N, K))
    packed = np.ascontiguousarray(factor[:, :, i, j].transpose(0, 2, 1))
    density_full(x, packed, shift, constant, rows, block, out)
    z = np.einsum("blij,nj->nbil", factor, x) + shift
    assert_allclose(out, (constant[:, 0] - np.square(z).sum(axis=2)).reshape(N, -1)[:, :K])

    resp = RNG.random((N, K))
    first, second = np.zeros((B, D, LANES)), np.zeros((B, len(i), LANES))
    moments_full(x, resp, shift, rows, block, np.empty((FRAMES * D, LANES)), first, second)
    mean = shift.transpose(0, 2, 1).reshape(-1, D)[:K]
    away = x[:, None] - mean
    got = second.transpose(0, 2, 1).reshape(-1, len(i))[:K]
    assert_allclose(first.transpose(0, 2, 1).reshape(-1, D)[:K], np.einsum("nk,nkd->kd", resp, away), atol=1e-12)
    assert_allclose(got, np.einsum("nk,nkd,nke->kde", resp, away, away)[:, i, j], atol=1e-12)


def test_other_layouts_do_not_compile():
    x, P, scratch = diagonal_arguments(4, 5, 8)
    scale = np.asfortranarray(RNG.random((5, P)))
    with pytest.raises(TypingError, match="C order"):
        density(x, scale, scale, scale[:1], scale, *scratch, np.empty((4, 8)))


AXES = {density: "22222222", moments: "222221222", density_full: "2333222", moments_full: "22322233"}


@pytest.mark.skipif(not get_host_cpu_features().get("avx"), reason="no AVX on this machine")
@pytest.mark.parametrize("kernel", AXES)
def test_inner_loops_are_vector_code(kernel):
    fresh = njit(nogil=True)(kernel.py_func)  # what comes from the cache cannot be inspected
    fresh.compile(tuple(types.Array(types.float64, int(axes), "C") for axes in AXES[kernel]))
    assembly = "".join(fresh.inspect_asm().values())
    assert re.search(r"v(fmadd\d+|mul)pd.*[yz]mm", assembly)
