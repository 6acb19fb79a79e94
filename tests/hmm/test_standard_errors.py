"""Standard errors against the Hessian of the log-likelihood by differences, in the natural parameters."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from seqem import CategoricalHMM, GaussianHMM, PoissonHMM
from seqem.errors import ParameterError

LENGTHS = [150, 80, 1, 69]


def sampled_states(rng):
    states = np.zeros(sum(LENGTHS), dtype=int)
    for t in range(1, len(states)):
        states[t] = states[t - 1] if rng.random() < 0.85 else 1 - states[t - 1]
    return states


def hessian(function, at, step=2e-3):
    """Return second derivatives by central differences, Richardson-extrapolated once."""

    def plain(h):
        n = len(at)
        out, moves = np.empty((n, n)), np.eye(n) * h
        for i in range(n):
            for j in range(i, n):
                signs = ((1, 1), (1, -1), (-1, 1), (-1, -1))
                values = [a * b * function(at + a * moves[i] + b * moves[j]) for a, b in signs]
                out[i, j] = out[j, i] = sum(values) / (4 * h * h)
        return out

    return (4 * plain(step / 2) - plain(step)) / 3


def errors_by_hessian(model, x, names, build):
    """Return standard errors of the coordinates that ``build`` turns into learned attributes."""

    def log_likelihood(vector):
        for name, value in build(vector).items():
            setattr(model, name, value)
        return model.score(x, LENGTHS)

    return np.sqrt(np.diag(np.linalg.inv(-hessian(log_likelihood, np.asarray(names)))))


def rows(p, q):
    return np.array([[1 - p, p], [q, 1 - q]])


def test_standard_errors_of_counts():
    rng = np.random.default_rng(0)
    x = rng.poisson(np.array([3.0, 9.0])[sampled_states(rng)])[:, None]
    # The start's maximum lies on its edge, where there is no standard error, so it is held.
    model = PoissonHMM(2, n_iter=3000, tol=1e-12, params="tl", init_params="tl", random_state=0)
    model.startprob_ = np.array([0.5, 0.5])
    model.fit(x, LENGTHS)
    errors = model.standard_errors(x, lengths=LENGTHS)
    at = [model.transmat_[0, 1], model.transmat_[1, 0], *model.lambdas_.ravel()]
    expected = errors_by_hessian(
        PoissonHMM(2, init_params=""), x, at,
        lambda v: {"startprob_": np.full(2, 0.5), "transmat_": rows(*v[:2]), "lambdas_": v[2:, None]},
    )  # fmt: skip
    assert_allclose(errors.trans, np.tile(expected[:2, None], 2), rtol=1e-3)
    assert_allclose(errors.emission.rate.ravel(), expected[2:], rtol=1e-3)
    assert_allclose(errors.start, 0.0)
    # Near the truth they are of the size that the number of visits says.
    visits = model.predict_proba(x, LENGTHS).sum(0)
    assert (errors.emission.rate.ravel() > np.sqrt(model.lambdas_.ravel() / visits)).all()


def test_standard_errors_of_gaussians():
    rng = np.random.default_rng(1)
    states = sampled_states(rng)
    x = rng.normal(np.array([-1.0, 2.0])[states], np.array([1.0, 1.5])[states])[:, None]
    model = GaussianHMM(
        2, n_iter=3000, tol=1e-12, params="tmc", init_params="tmc", random_state=0, covars_prior=0, covars_weight=0
    )
    model.startprob_ = np.array([0.5, 0.5])
    model.fit(x, LENGTHS)
    errors = model.standard_errors(x, lengths=LENGTHS)
    at = [model.transmat_[0, 1], model.transmat_[1, 0], *model.means_.ravel(), *model._covars_.ravel()]
    expected = errors_by_hessian(
        GaussianHMM(2, init_params=""), x, at,
        lambda v: {"startprob_": np.full(2, 0.5), "transmat_": rows(*v[:2]), "means_": v[2:4, None],
                   "covars_": v[4:, None]},
    )  # fmt: skip
    assert_allclose(errors.trans, np.tile(expected[:2, None], 2), rtol=1e-3)
    assert_allclose(errors.emission.mean.ravel(), expected[2:4], rtol=1e-3)
    assert_allclose(errors.emission.covariance.ravel(), expected[4:], rtol=1e-3)


def test_standard_errors_take_weights_and_ends():
    rng = np.random.default_rng(2)
    x = rng.integers(0, 3, sum(LENGTHS))
    model = CategoricalHMM(1, ends=True, n_iter=100, tol=1e-12, random_state=0)
    model.fit(x, LENGTHS, sample_weight=np.full(4, 4.0))
    errors = model.standard_errors(x, lengths=LENGTHS, sample_weight=np.full(4, 4.0))
    n, p = 4 * len(x), model.emissionprob_
    assert_allclose(errors.emission.probs, np.sqrt(p * (1 - p) / n), rtol=1e-5)
    assert_allclose(model.endprob_, 4 / len(x), rtol=1e-6)
    assert_allclose(errors.end, np.sqrt(model.endprob_ * (1 - model.endprob_) / n), rtol=1e-5)


@pytest.mark.parametrize("ties", [{"tied_states": [0, 0]}, {"tied_transitions": [[1, 2], [1, 2]]}])
def test_tied_parameters_are_refused(ties):
    x = np.random.default_rng(0).poisson(4, 30)
    model = PoissonHMM(2, random_state=0, n_iter=2, **ties).fit(x)
    with pytest.raises(ParameterError, match="tied"):
        model.standard_errors(x)
