"""Linear constraints: kept at every step, by every method, and the maximum along them is found."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from seqem.core.rows import Rows
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.mixture import MixtureOf
from seqem.distributions.poisson import Poisson
from seqem.em.constrained import LinearlyConstrained
from seqem.em.driver import fit
from seqem.em.methods import accelerator
from seqem.em.stop import StopRule
from seqem.em.uncertainty import standard_errors
from seqem.errors import ParameterError
from seqem.models.mixture_model import MixtureModel
from seqem.models.normal import NormalParams, UnstructuredModel
from tests.em.models import LONDON, LONDON_LOG_LIKELIHOOD

RNG = np.random.default_rng(0)
ROWS = [Rows(LONDON[:, None])]
POISSON = MixtureModel(MixtureOf(Poisson(), 2))
RULE = StopRule(max_iter=3000, rest_tol=1e-11)


def start(model, rows, seed=0):
    return model.mixture.initial(rows[0].x, 1, np.random.default_rng(seed))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["em", "squarem", "daarem", "lbfgs", "online", "incremental"])
def test_a_ratio_of_rates_is_kept_at_every_step(method):
    model = LinearlyConstrained(POISSON, [[0.0, -1.0, 1.0]], [np.log(1.7)])
    ratios = []
    result = fit(
        model, model.projected(start(POISSON, ROWS)), ROWS, stop=RULE, accelerate=accelerator(method),
        callbacks=[lambda event: ratios.append(np.divide(*event.point.params.component.rate[::-1, 0]))],
    )  # fmt: skip
    np.testing.assert_allclose(ratios, 1.7, rtol=1e-9)
    assert (np.diff(result.history.objective) >= -1e-8).all()
    assert result.objective < LONDON_LOG_LIKELIHOOD


def test_a_constraint_that_holds_anyway_changes_nothing():
    free = fit(POISSON, start(POISSON, ROWS), ROWS, stop=RULE, accelerate=accelerator("daarem"))
    ratio = np.diff(np.log(free.params.component.rate[:, 0]))
    model = LinearlyConstrained(POISSON, [[0.0, -1.0, 1.0]], ratio)
    held = fit(model, model.projected(start(POISSON, ROWS)), ROWS, stop=RULE, accelerate=accelerator("daarem"))
    assert held.objective == pytest.approx(LONDON_LOG_LIKELIHOOD, abs=1e-6)
    np.testing.assert_allclose(held.params.component.rate, free.params.component.rate, rtol=1e-3)


def test_the_maximum_along_a_line_is_found():
    """Equal means of two columns: the maximum is that of a search over one mean."""
    x = RNG.normal([1.0, 1.6], [1.0, 2.0], (40, 2))
    matrix = np.zeros((1, 5))
    matrix[0, :2] = 1.0, -1.0
    model = LinearlyConstrained(UnstructuredModel(np.ones(2)), matrix, [0.0])
    result = fit(model, NormalParams(np.zeros(2), np.eye(2)), [Rows(x)], stop=StopRule(max_iter=500, rest_tol=1e-13))

    def loss(mean):
        covariance = (x - mean).T @ (x - mean) / len(x)
        return np.linalg.slogdet(covariance)[1]

    best = minimize_scalar(loss, bracket=(0.0, 2.0))
    np.testing.assert_allclose(result.params.mean, best.x, atol=1e-5)


def test_errors_are_those_along_the_constraint():
    """Two columns of independent normal numbers with one common mean: the error of the weighted mean."""
    x = RNG.normal(2.0, 1.5, (200, 1))
    mixture = MixtureModel(MixtureOf(Gaussian("diag"), 2))
    first = mixture.mixture.initial(np.vstack([x, x + 0.5]), 1, RNG)
    vector = mixture.pack(first)
    means = np.flatnonzero(np.isin(vector, first.component.mean.ravel()))
    matrix = np.zeros((2, len(vector)))
    matrix[0, means[0]], matrix[0, means[1]] = 1.0, -1.0
    others = [i for i in range(1, len(vector)) if i not in means]
    matrix[1, others[0]], matrix[1, others[1]] = 1.0, -1.0
    model = LinearlyConstrained(mixture, matrix, [0.0, 0.0])
    result = fit(model, model.projected(first), [Rows(x)], stop=StopRule(max_iter=500, rest_tol=1e-13))
    np.testing.assert_allclose(result.params.component.mean, x.mean(), rtol=1e-4)
    assert result.log_likelihood == pytest.approx(norm(x.mean(), x.std()).logpdf(x).sum(), abs=1e-5)
    with pytest.warns(UserWarning, match="nothing about"):  # the share of two equal components
        errors = standard_errors(model, result.params, [Rows(x)])
    np.testing.assert_allclose(errors.component.mean, x.std() / np.sqrt(200), rtol=1e-3)


def test_what_cannot_be_kept_is_refused():
    with pytest.raises(ParameterError, match="contradict"):
        LinearlyConstrained(POISSON, [[0, 1, 0], [0, 2, 0]], [1.0, 1.0])
    with pytest.raises(ParameterError, match="do not fit"):
        LinearlyConstrained(POISSON, [[0, 1, 0]], [1.0, 1.0])
    with pytest.raises(ParameterError, match="do not fit the model"):
        LinearlyConstrained(POISSON, [[0, 1]], [1.0]).pack(start(POISSON, ROWS))
