"""The thin face: one result, read-only views, errors of both families when unfitted."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import sklearn.exceptions
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from seqem import FactorAnalysis, MultivariateNormal, PoissonHMM, ProbabilisticPCA
from seqem.core.tree import tree_equal
from seqem.em.estimator import EMEstimator
from seqem.em.stop import StopRule
from seqem.errors import DataError, NotFittedError
from tests.em.models import LONDON, LONDON_LOG_LIKELIHOOD, LONDON_STANDARD_ERRORS, LONDON_START, PoissonMixture


class TwoRates(EMEstimator):
    def __init__(self, tol=1e-10, method="squarem"):
        self.tol = tol
        self.method = method

    def _model(self):
        return PoissonMixture()

    def _stop_rule(self):
        return StopRule(max_iter=500, param_tol=self.tol)

    def _shards(self, X):
        return np.array_split(np.asarray(X, dtype=float), 2)

    def fit(self, X, y=None, *, executor=None, callbacks=()):
        return self._run(LONDON_START, self._shards(X), executor=executor, callbacks=callbacks)


def test_a_fitted_estimator_shows_its_result():
    estimator = TwoRates().fit(LONDON)
    check_is_fitted(estimator)
    assert estimator.log_likelihood_ == pytest.approx(LONDON_LOG_LIKELIHOOD, abs=1e-8)
    assert estimator.converged_
    assert estimator.stop_reason_ == "converged"
    assert estimator.n_iter_ == estimator.history_[-1].iteration
    errors = estimator.standard_errors()
    assert tree_equal(errors, estimator.standard_errors(LONDON))
    np.testing.assert_allclose([errors.p, *errors.rates], LONDON_STANDARD_ERRORS, rtol=1e-3)
    assert set(vars(estimator)) == {"tol", "method", "result_", "_training_shards"}
    with pytest.raises(AttributeError):
        estimator.n_iter_ = 3


def test_it_clones_and_pickles():
    estimator = TwoRates(tol=1e-6).fit(LONDON)
    assert pickle.loads(pickle.dumps(estimator)).n_iter_ == estimator.n_iter_
    with pytest.raises(DataError, match="pass them"):
        pickle.loads(pickle.dumps(estimator)).standard_errors()
    fresh = clone(estimator)
    assert fresh.tol == 1e-6
    assert not hasattr(fresh, "n_iter_")


@pytest.mark.parametrize("name", ["log_likelihood_", "n_iter_", "converged_", "stop_reason_", "history_"])
def test_unfitted_says_so(name):
    for family in (NotFittedError, sklearn.exceptions.NotFittedError):
        with pytest.raises(family, match="TwoRates is not fitted"):
            getattr(TwoRates(), name)
    with pytest.raises(NotFittedError):
        TwoRates().standard_errors(LONDON)


def test_importing_the_package_and_its_driver_stays_light():
    code = (
        "import sys, seqem, seqem.em.driver, seqem.em.accelerate, seqem.em.restarts, seqem.em.uncertainty\n"
        "heavy = {'numba', 'sklearn', 'matplotlib', 'pandas', 'rich', 'scipy', 'distributed'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# -- streams -------------------------------------------------------------------------------------------


def parts_of_a_chain(rng):
    states = np.cumsum(rng.random(300) < 0.1) % 2
    return rng.poisson(np.where(states == 0, 3, 15)), [100, 200]


def parts_of_factors(rng):
    return (rng.normal(size=(150, 1)) @ [[1.0, 0.8, 0.5]] + rng.normal(size=(150, 3)) + 100,)


STREAMS = {
    "hmm": (PoissonHMM(2, random_state=0), parts_of_a_chain, lambda m: np.sort(m.lambdas_.ravel()), [3, 15], 0.06),
    "factors": (FactorAnalysis(1), parts_of_factors, lambda m: m.loadings_.ravel(), [1.0, 0.8, 0.5], 0.15),
    "normal": (MultivariateNormal(), parts_of_factors, lambda m: np.diag(m.covariance_), [2.0, 1.64, 1.25], 0.15),
    "pca": (ProbabilisticPCA(1), parts_of_factors, lambda m: m.mean_, [100.0, 100.0, 100.0], 0.01),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_teaches_what_is_true(name):
    model, parts, found, truth, within = STREAMS[name]
    model, rng = clone(model), np.random.default_rng(0)
    first = parts(rng)
    model.partial_fit(*first)
    before = np.abs(found(model) / truth - 1).max()
    for _ in range(60):
        model.partial_fit(*parts(rng))
    np.testing.assert_allclose(found(model), truth, rtol=within)
    assert np.abs(found(model) / truth - 1).max() < before
    assert len(model.history_) == 61
    assert model.history_[0].kind == "online"
    assert not model.converged_


def test_a_stream_goes_on_from_a_fit():
    rng = np.random.default_rng(1)
    model = MultivariateNormal().fit(*parts_of_factors(rng))
    mean = model.mean_
    model.partial_fit(np.tile(mean + 1, (3, 1)))
    # 150 rows are 50 parts of 3: the next one takes the share 51 ** -0.6.
    np.testing.assert_allclose(model.mean_, mean + 51**-0.6, rtol=1e-9)
    with pytest.raises(DataError):
        model.partial_fit([[1.0, 2.0]])
    chain = PoissonHMM(2, random_state=0).fit(*parts_of_a_chain(rng))
    with pytest.raises(DataError, match="number of features"):
        chain.partial_fit([[1, 2], [3, 4]])
