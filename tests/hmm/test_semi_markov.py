"""SemiMarkovHMM: laws of EM for every family of durations, truth recovered, the face of the other estimators."""

import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.base import clone

from seqem import HMM
from seqem.core.tree import tree_equal
from seqem.distributions.categorical import Categorical, CategoricalParams
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.errors import NotFittedError, NumericalError, ParameterError
from seqem.hmm.durations import (
    FAMILIES,
    FreeDuration,
    NegativeBinomialDuration,
    NegativeBinomialParams,
    PoissonDuration,
    PoissonParams,
)
from seqem.hmm.semi_markov import SemiMarkovHMM

TRANS = np.array([[0, 0.7, 0.3], [0.4, 0, 0.6], [0.5, 0.5, 0]])
TRUE = NegativeBinomialParams(np.array([2.0, 5.0, 8.0]), np.array([0.3, 0.3, 0.6]))


def truth(D=60):
    model = SemiMarkovHMM(Gaussian(), 3, max_duration=D, init_params="")
    model.startprob_, model.transmat_, model.duration_params_ = np.array([0.5, 0.3, 0.2]), TRANS, TRUE
    model.emission_ = GaussianParams(np.array([[0.0], [2.5], [5.0]]), np.ones((3, 1)))
    return model


@pytest.fixture(scope="module")
def sample():
    X, states = truth().sample(6000, random_state=1)
    return X, [1500] * 4, states


def objectives(model):
    return np.array([record.objective for record in model.history_])


@pytest.mark.parametrize("duration", FAMILIES)
@pytest.mark.parametrize(("D", "prior"), [(60, 1.0), (6, 1.5)])
def test_the_objective_never_falls(duration, D, prior, sample):
    X, _, _ = sample
    model = SemiMarkovHMM(
        Gaussian(), 3, duration, D, duration_prior=prior, transmat_prior=prior, random_state=3, n_iter=40, tol=-1
    ).fit(X[:800], [300, 1, 499])
    rises = np.diff(objectives(model))
    assert len(rises) == 40
    assert rises.min() > -1e-9
    assert objectives(model)[-1] > objectives(model)[0] + 10


@pytest.mark.parametrize("duration", ["negative-binomial", "free"])
def test_truth_is_found_and_was_not_the_start(duration, sample):
    X, lengths, states = sample
    fitted = SemiMarkovHMM(Gaussian(), 3, duration, 60, random_state=0).fit(X, lengths)
    order = np.argsort(fitted.emission_.mean.ravel())
    d = np.arange(1, 61)
    true = truth().durations_ @ d
    assert_allclose(fitted.emission_.mean[order].ravel(), [0, 2.5, 5], atol=0.12)
    assert_allclose(fitted.durations_[order] @ d, true, rtol=0.08)
    assert_allclose(fitted.transmat_[np.ix_(order, order)], TRANS, atol=0.12)
    assert np.abs(FAMILIES[duration](60).initial(3)[0] - fitted.duration_params_[0]).max() > 0.05
    rank = np.argsort(order)
    assert (rank[fitted.predict(X, lengths)] == states).mean() > 0.95
    assert fitted.score(X, lengths) > truth().score(X, lengths)


def test_a_geometric_law_is_an_ordinary_hmm(sample):
    X, lengths, _ = sample
    X, lengths = X[:300], [100, 200]
    stay = np.array([0.9, 0.8, 0.5])
    emission = truth().emission_
    plain = HMM(Gaussian(), 3, init_params="")
    plain.startprob_, plain.emission_ = np.array([0.2, 0.3, 0.5]), emission
    plain.transmat_ = np.diag(stay) + (1 - stay)[:, None] * TRANS
    model = SemiMarkovHMM(Gaussian(), 3, "negative-binomial", 2000, init_params="")
    model.startprob_, model.transmat_, model.emission_ = plain.startprob_, TRANS, emission
    model.duration_params_ = {"r": np.ones(3), "p": 1 - stay}
    assert_allclose(model.score(X, lengths), plain.score(X, lengths), rtol=1e-12)
    assert_allclose(model.predict_proba(X, lengths), plain.predict_proba(X, lengths), atol=1e-10)
    best, path = model.decode(X, lengths)
    assert_allclose(best, plain.decode(X, lengths)[0], rtol=1e-12)
    assert_array_equal(path, plain.predict(X, lengths))
    assert_allclose(model.get_stationary_distribution(), plain.get_stationary_distribution(), rtol=1e-10)


@pytest.mark.parametrize("duration", FAMILIES)
def test_the_gradient_of_q_is_that_of_the_likelihood(duration, sample):
    model = SemiMarkovHMM(Gaussian(), 3, duration, 9, random_state=0, n_iter=2, tol=-1).fit(sample[0][:60], [40, 20])
    core, params = model._model(), model.result_.params
    (shard,) = model._shards(sample[0][:60], [40, 20])
    stats, _ = core.e_step(params, shard)
    vector = core.pack(params)
    for i in range(len(vector)):
        ends = [core.unpack(vector + h * np.eye(len(vector))[i], params) for h in (-1e-5, 1e-5)]
        score = np.subtract(*[core.e_step(p, shard).log_likelihood for p in ends])
        q = np.subtract(*[core.expected_log_likelihood(stats, p, params) for p in ends])
        assert_allclose(q, score, atol=2e-9)
    assert len(vector) == model.n_parameters_


@pytest.mark.parametrize("family", [PoissonDuration, NegativeBinomialDuration])
@pytest.mark.parametrize("D", [4, 30])
def test_the_m_step_of_durations_is_the_maximum(family, D):
    rng = np.random.default_rng(D)
    law = family(D)
    counts = rng.poisson(200 * law.table(law.initial(1)) * rng.uniform(0.5, 1.5, D)).astype(float)
    best = law.maximise(counts, law.initial(1))
    found = minimize(
        lambda v: -law.expected_log_likelihood(counts, law.unpack(v, best)),
        law.pack(law.initial(1)), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-10, "maxiter": 2000},
    )  # fmt: skip
    assert law.expected_log_likelihood(counts, best) >= -found.fun - 1e-7


def test_durations_at_the_edge_of_the_families():
    law = NegativeBinomialDuration(20)
    even = np.zeros((2, 20))
    even[0, 4], even[1, 0] = 50.0, 50.0  # no spread at all: the Poisson limit, and nothing but single rows
    best = law.maximise(even, law.initial(2))
    assert best.r[0] > 1e5
    assert_allclose(law.table(best)[1, 0], 1.0, atol=1e-9)
    longest = np.eye(20)[[19]]
    assert PoissonDuration(20).table(PoissonDuration(20).maximise(longest, PoissonParams(np.ones(1))))[0, 19] > 0.99


def test_executors_give_the_same_bits(sample):
    X = np.tile(sample[0], (4, 1))
    lengths = [1000] * 24
    alone = SemiMarkovHMM(Gaussian(), 3, max_duration=20, random_state=0, n_iter=2, tol=-1)
    others = [clone(alone) for _ in range(2)]
    alone.fit(X, lengths)
    assert len(alone._shards(X, lengths)) > 1
    for other, pool in zip(others, (ThreadPoolExecutor(2), ProcessPoolExecutor(2)), strict=True):
        with pool as executor:
            other.fit(X, lengths, executor=executor)
        assert tree_equal(other.result_.params, alone.result_.params)


def test_labels_weights_and_spaces(sample):
    X, _, states = sample
    X, states, lengths = X[:400], states[:400], [150, 250]
    labels = np.where(np.arange(400) % 3 == 0, states, -1)
    model = truth()
    proba = model.predict_proba(X, lengths, labels=labels)
    assert_allclose(proba[labels >= 0, labels[labels >= 0]], 1.0)
    assert_allclose(proba.sum(1), 1.0)
    assert (model.predict(X, lengths, labels=labels)[labels >= 0] == labels[labels >= 0]).all()
    both = [
        SemiMarkovHMM(Gaussian(), 3, max_duration=30, random_state=0, n_iter=5, tol=-1, implementation=space).fit(
            X, lengths, sample_weight=[2.0, 1.0]
        )
        for space in ("scaling", "log")
    ]
    assert_allclose(both[0].durations_, both[1].durations_, atol=1e-9)
    repeated = SemiMarkovHMM(Gaussian(), 3, max_duration=30, random_state=0, n_iter=5, tol=-1, init_params="")
    weighted = clone(repeated)
    for m in (repeated, weighted):
        m.startprob_, m.transmat_, m.emission_, m.duration_params_ = truth().params_
    repeated.fit(np.concatenate([X[:150], X]), [150, *lengths])
    weighted.fit(X, lengths, sample_weight=[2.0, 1.0])
    assert_allclose(weighted.durations_, repeated.durations_, atol=1e-10)


def test_left_right_ends_in_its_last_state():
    model = SemiMarkovHMM(Categorical(3), 3, "free", 8, topology="left-right", random_state=0, n_iter=30)
    rows = [np.repeat([0, 1, 2], n) for n in ([3, 2, 4], [5, 2, 1], [4, 3, 3], [2, 2, 5])]
    model.fit(rows)
    assert_array_equal(model.transmat_[2], 0.0)
    assert_array_equal(np.tril(model.transmat_), 0.0)
    assert_array_equal(np.diff(model.predict(rows[0])) >= 0, True)
    X, states = model.sample(50, random_state=2)
    assert len(X) == len(states) < 50
    assert states[-1] == 2


def test_letters_hold_what_they_leave_out(sample):
    X = sample[0][:300]
    model = SemiMarkovHMM(Gaussian(), 3, max_duration=60, init_params="", params="st", n_iter=3)
    model.startprob_, model.transmat_, model.emission_, model.duration_params_ = truth().params_
    model.fit(X)
    assert tree_equal(model.duration_params_, TRUE)
    assert tree_equal(model.emission_, truth().emission_)
    assert not np.allclose(model.transmat_, TRANS)
    fixed = SemiMarkovHMM(Gaussian(), 3, random_state=0, n_iter=3, tied_states=[0, 0, 1], fixed={"startprob_": True})
    fixed.fit(X)
    assert_array_equal(fixed.emission_.mean[0], fixed.emission_.mean[1])


def test_the_face_of_an_estimator(sample):
    X = sample[0][:200]
    model = SemiMarkovHMM(Gaussian(), 2, "poisson", 40, random_state=0, n_iter=10)
    with pytest.raises((NotFittedError, AttributeError)):
        model.predict(X)
    model.fit(X)
    again = pickle.loads(pickle.dumps(model))
    assert again.score(X) == model.score(X) == model.score_samples(X)[0]
    assert_allclose(model.durations_.sum(1), 1.0)
    assert model.decode(X, algorithm="map")[1].shape == (200,)
    assert np.isfinite([model.aic(X), model.bic(X), model.icl(X)]).all()
    assert model.n_parameters_ == 1 + 0 + 2 + 4
    fast = clone(model).set_params(method="squarem", n_iter=200, tol=1e-8).fit(X)
    slow = clone(model).set_params(n_iter=400, tol=1e-8).fit(X)
    assert fast.score(X) >= slow.score(X) - 1e-4
    assert fast.standard_errors(X).duration.rate.shape == (2,)
    _, states = model.sample(30, random_state=0, currstate=1)
    assert states[0] == 1


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"duration": "gamma"}, "unknown duration"),
        ({"max_duration": 0}, "max_duration"),
        ({"n_components": 1}, "n_components"),
        ({"duration": "free", "duration_prior": 0.5}, "prior"),
    ],
)
def test_errors_say_what(given, match):
    with pytest.raises(ParameterError, match=match):
        SemiMarkovHMM(Gaussian(), **given).fit(np.arange(10.0))


def test_what_cannot_be_is_refused():
    model = SemiMarkovHMM(Categorical(2), 2, "free", 2, init_params="")
    model.startprob_, model.transmat_ = np.array([0.5, 0.5]), 1 - np.eye(2)
    model.emission_ = CategoricalParams(np.eye(2))
    model.duration_params_ = [np.full((2, 2), 0.5)]
    assert model.score([0, 0, 0]) == -np.inf
    for ask in (model.predict, model.predict_proba, model.fit):
        with pytest.raises(NumericalError, match="probability zero"):
            ask([0, 0, 0])
    for name in ("filter_proba", "decode_k_best", "sample_paths"):
        with pytest.raises(ParameterError, match="not available"):
            getattr(model, name)([0, 1])
    with pytest.raises(ParameterError, match="duration parameters"):
        FreeDuration(3).check({"probs": np.ones((2, 2))}, 2)
