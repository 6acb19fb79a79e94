"""The free energy against its definition: expected complete log-likelihood plus entropy."""

import numpy as np
import pytest
from scipy.special import xlogy
from scipy.stats import norm, poisson

from seqem.core.rows import Rows
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.distributions.mixture import MixtureOf, MixtureParams
from seqem.distributions.poisson import Poisson, PoissonParams
from seqem.em.bound import free_energy
from seqem.models.mixture_model import MixtureModel

RNG = np.random.default_rng(0)
X = RNG.poisson([[3.0]] * 60 + [[9.0]] * 40).astype(float)
POISSON = MixtureModel(MixtureOf(Poisson(), 2))
NORMAL = MixtureModel(MixtureOf(Gaussian("diag"), 2))


def poissons(weight, low, high):
    return MixtureParams(np.array([[weight, 1 - weight]]), PoissonParams(np.array([[low], [high]])))


def normals(weight, low, high):
    params = GaussianParams(np.array([[low], [high]]), np.array([[4.0], [2.5]]))
    return MixtureParams(np.array([[weight, 1 - weight]]), params)


def poisson_densities(params):
    return params.weights[0] * poisson.pmf(X, params.component.rate[:, 0])


def normal_densities(params):
    return params.weights[0] * norm.pdf(X, params.component.mean[:, 0], np.sqrt(params.component.covariance[:, 0]))


@pytest.mark.parametrize(
    ("model", "make", "joint"), [(POISSON, poissons, poisson_densities), (NORMAL, normals, normal_densities)]
)
def test_free_energy_is_what_it_is_by_definition(model, make, joint):
    at = make(0.5, 2.0, 8.0)
    step = model.e_step(at, Rows(X))
    resp = joint(at) / joint(at).sum(axis=1, keepdims=True)
    for params in (at, make(0.3, 2.5, 7.0), make(0.9, 4.0, 12.0), model.m_step(step.stats, at)):
        defined = (resp * np.log(joint(params))).sum() - xlogy(resp, resp).sum()
        ours = free_energy(model, step, at, params)
        assert ours == pytest.approx(defined, rel=1e-12)
        assert ours <= np.log(joint(params).sum(axis=1)).sum() + 1e-9
    assert free_energy(model, step, at, at) == pytest.approx(np.log(joint(at).sum(axis=1)).sum(), rel=1e-12)
