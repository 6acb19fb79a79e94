"""The parametric bootstrap against theory and against standard errors from the information."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from seqem import FactorAnalysis, GaussianMixture, MultivariateNormal, PoissonHMM, Tobit
from seqem.core.tree import tree_equal
from seqem.em.bootstrap import bootstrap
from seqem.errors import DataError, NumericalError, ParameterError

RNG = np.random.default_rng(0)
GROUPS = np.concatenate([RNG.normal(0, 1, (100, 1)), RNG.normal(6, 1, (150, 1))])
HOLES = np.where(RNG.random((200, 3)) < 0.1, np.nan, RNG.normal(size=(200, 3)) + RNG.normal(size=(200, 1)))
X = RNG.normal(size=(300, 1))
Y = np.maximum(1 + X[:, 0] + RNG.normal(size=300), 0.0)

CASES = {
    "mixture": (GaussianMixture(2, random_state=0, tol=1e-8), (GROUPS,), lambda p: p.component.mean),
    "normal": (MultivariateNormal(tol=1e-8), (HOLES,), lambda p: p.mean),
    "factors": (FactorAnalysis(1, tol=1e-8), (HOLES,), lambda p: p.loadings),
    "tobit": (Tobit(0.0), (X, Y), lambda p: p.coef),
    "hmm": (PoissonHMM(2, random_state=0), (RNG.poisson(np.repeat([2, 20] * 12, 8)),), lambda p: p.emission.rate),
}


@pytest.mark.parametrize("name", CASES)
def test_scatter_is_that_of_theory(name):
    model, data, part = CASES[name]
    model.fit(*data)
    n = 150
    found = model.bootstrap(n, random_state=0)
    assert found.n_failed == 0
    # The standard deviation of n draws is known to 1 / sqrt(2 n) of itself; the information, by 200 rows, to some more.
    np.testing.assert_allclose(part(found.standard_errors()), part(model.standard_errors()), rtol=0.3)
    low, high = (part(ends) for ends in found.intervals(0.9))
    estimate = part(model.result_.params)
    assert (low < estimate).all()
    assert (estimate < high).all()


def test_wald_intervals_are_errors_to_both_sides():
    model = MultivariateNormal().fit(HOLES)
    low, high = model.confidence_intervals(0.95)
    errors = model.standard_errors()
    np.testing.assert_allclose(high.mean - low.mean, 2 * 1.959964 * errors.mean, rtol=1e-6)
    np.testing.assert_allclose(0.5 * (high.mean + low.mean), model.mean_, rtol=1e-9)


def test_workers_do_not_matter():
    model = MultivariateNormal().fit(HOLES)
    with ThreadPoolExecutor(3) as pool:
        shared = model.bootstrap(8, random_state=1, executor=pool)
    assert tree_equal(shared.replicates, model.bootstrap(8, random_state=1).replicates)


def test_failed_fits_are_counted():
    def replicate(rng):
        if rng.random() < 0.5:
            raise NumericalError("no")
        return rng.normal()

    found = bootstrap(replicate, 40, random_state=0)
    assert 0 < found.n_failed < 40
    assert len(found.replicates) == 40 - found.n_failed

    def never(rng):
        raise NumericalError("no")

    with pytest.raises(NumericalError, match="0 of 5"):
        bootstrap(never, 5)
    with pytest.raises(ParameterError, match="at least 2"):
        bootstrap(replicate, 1)


def test_data_must_be_at_hand():
    model = MultivariateNormal().fit(HOLES)
    del model._training_shards
    with pytest.raises(DataError, match="not at hand"):
        model.bootstrap(3)
