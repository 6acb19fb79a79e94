"""Few Gaussians in few columns: the fused passes against plain numpy and against the general path."""

import re

import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features
from numba import njit, types
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from seqem.distributions._gaussian_few import suits, weigh
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.distributions.gaussian_shapes import GaussianShapes
from seqem.distributions.mixture import MixtureOf, MixtureParams
from seqem.kernels._jit import FLAGS
from seqem.kernels.few import few_joint, few_moments

RNG = np.random.default_rng(0)


def problem(N, K, D, full):
    mean = 3 * RNG.normal(size=(K, D))
    root = RNG.normal(size=(K, D, D)) + 2 * np.eye(D)
    covariance = root @ np.swapaxes(root, 1, 2) if full else RNG.uniform(0.5, 3.0, (K, D))
    return mean, covariance, RNG.dirichlet(np.ones(K)), 3 * RNG.normal(size=(N, D)) + 1e4, RNG.integers(0, 3, N) * 0.7


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(("N", "K", "D"), [(1, 1, 1), (7, 3, 2), (2048, 2, 3), (5000, 7, 6), (4097, 3, 2)])
def test_all_that_is_returned_is_what_it_is_by_definition(N, K, D, full):
    mean, covariance, share, x, weights = problem(N, K, D, full)
    mean = mean + 1e4
    matrices = covariance if full else covariance[:, :, None] * np.eye(D)
    joint = np.stack([multivariate_normal(m, v).logpdf(x).reshape(N) for m, v in zip(mean, matrices, strict=True)])
    joint = joint.T + np.log(share)
    resp = weights[:, None] * np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    away = x[:, None] - mean
    scores, mass, first, second = weigh(mean, covariance, np.log(share), x, weights)
    np.testing.assert_allclose(scores, logsumexp(joint, axis=1), rtol=1e-11, atol=1e-9)
    np.testing.assert_allclose(mass, resp.sum(axis=0), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(first, np.einsum("nk,nkd->kd", resp, away), rtol=1e-8, atol=1e-7)
    spread = np.einsum("nk,nkd,nke->kde", resp, away, away)
    np.testing.assert_allclose(second, spread if full else np.einsum("kdd->kd", spread), rtol=1e-8, atol=1e-7)


@pytest.mark.parametrize("family", [Gaussian("diag"), Gaussian("full"), Gaussian("spherical"), GaussianShapes("VVE")])
def test_it_is_the_general_path(family):
    x = RNG.normal(size=(3000, 3)) + 5.0
    weights = RNG.random(3000)
    mixture = MixtureOf(family, 3)
    params = mixture.initial(x, 1, np.random.default_rng(1))
    scores, stats = mixture.weigh(params, x, weights)
    joint = family.log_likelihood(params.component, x) + np.log(params.weights[0])
    np.testing.assert_allclose(scores, logsumexp(joint, axis=1), rtol=1e-12)
    resp = weights[:, None] * np.exp(joint - scores[:, None])
    general = family.accumulate(params.component, x, resp)
    np.testing.assert_allclose(stats.counts[0], resp.sum(axis=0), rtol=1e-11)
    for ours, theirs in zip(stats.component, general, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_a_component_without_weight_and_a_row_far_off():
    x = np.array([[0.0], [1e3], [1e200]])
    params = GaussianParams(np.array([[0.0], [1.0]]), np.ones((2, 1)))
    mixture = MixtureOf(Gaussian("diag"), 2)
    with np.errstate(over="ignore"):
        scores, stats = mixture.weigh(MixtureParams(np.array([[1.0, 0.0]]), params), x, np.ones(3))
    assert scores[1] == pytest.approx(-0.5e6 - 0.5 * np.log(2 * np.pi))
    assert scores[2] == -np.inf
    assert stats.counts.tolist() == [[2.0, 0.0]]


def test_it_is_for_few_and_whole_rows():
    mean = np.zeros((3, 2))
    assert suits(mean, np.zeros((4, 2)))
    assert not suits(mean, np.array([[np.nan, 0.0]]))
    assert not suits(np.zeros((8, 2)), np.zeros((4, 2)))
    assert not suits(np.zeros((3, 7)), np.zeros((4, 7)))


AXES = {few_joint: "2231221", few_moments: "2212b1123"}


@pytest.mark.skipif(not get_host_cpu_features().get("avx"), reason="no AVX on this machine")
@pytest.mark.parametrize("kernel", AXES)
def test_inner_loops_are_vector_code(kernel):
    # What comes from the cache cannot be inspected.
    fresh = njit(nogil=True, fastmath=FLAGS)(kernel.py_func)
    kinds = (types.boolean if axes == "b" else types.Array(types.float64, int(axes), "C") for axes in AXES[kernel])
    fresh.compile(tuple(kinds))
    assembly = "".join(fresh.inspect_asm().values())
    assert re.search(r"v(fmadd\d+|mul)pd.*[yz]mm", assembly)
