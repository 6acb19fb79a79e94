"""Laws of every fit: EM never falls, sharing out the work leaves no trace, and what is fixed stays."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from seqem import HMM, CategoricalHMM, GaussianHMM, PoissonHMM
from seqem.chain import inference
from seqem.chain.blocks import chunk_rows
from seqem.chain.params import ChainParams, ChainStats
from seqem.core.tree import tree_equal
from seqem.distributions.autoregressive import AutoregressiveGaussian
from seqem.distributions.bernoulli import Bernoulli
from seqem.distributions.categorical import Categorical
from seqem.distributions.exponential import Exponential
from seqem.distributions.gamma import Gamma
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.independent import Independent
from seqem.distributions.mixture import MixtureOf
from seqem.distributions.multinomial import Multinomial
from seqem.distributions.poisson import Poisson
from seqem.distributions.student import StudentT
from seqem.distributions.vonmises import VonMises
from seqem.em.driver import fit
from seqem.em.stop import StopRule
from seqem.errors import DegenerateWarning, ParameterError
from seqem.hmm.model import HMMParams
from seqem.hmm.transitions import TransitionStep
from tests.hmm.cases import LENGTHS, PROBLEMS, problem

N = sum(LENGTHS)


def states_of_rows(rng, K=2):
    return np.repeat(rng.integers(0, K, N // 5 + 1), 5)[:N]


def mixed_rows(rng, states):
    return np.column_stack(
        [rng.normal(3.0 * states, 1.0), rng.poisson(2 + 6 * states), rng.random(N) < 0.2 + 0.6 * states]
    )


DISTRIBUTIONS = {
    "categorical": (Categorical(5, prior=1.2), lambda r, s: (r.integers(0, 3, N) + 2 * s).astype(np.uint8)),
    "exponential": (Exponential(), lambda r, s: r.exponential(1 + 6.0 * s)),
    "gamma": (Gamma(), lambda r, s: r.gamma(2 + 3.0 * s, 1 + s)),
    "student": (StudentT(), lambda r, s: r.standard_t(3, N) + 4 * s),
    "vonmises": (VonMises(), lambda r, s: r.vonmises(2.0 * s - 1, 2.0)),
    "bernoulli": (Bernoulli(), lambda r, s: (r.random((N, 3)) < 0.2 + 0.5 * s[:, None]).astype(float)),
    "multinomial": (
        Multinomial(), lambda r, s: np.array([r.multinomial(6, [[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]][k]) for k in s])
    ),
    "independent": (Independent([(Gaussian(), [0]), (Poisson(), [1]), (Bernoulli(), [2])]), mixed_rows),
    "autoregressive": (AutoregressiveGaussian(1), lambda r, s: np.cumsum(r.normal(0.4 * s - 0.2, 0.5))),
    "mixture of poisson": (MixtureOf(Poisson(), 2), lambda r, s: r.poisson(r.choice([1.0, 6.0], N) + 12.0 * s)),
    "mixture of gaussian": (MixtureOf(Gaussian("full"), 2), lambda r, s: r.normal(0, 1, (N, 2)) + 4.0 * s[:, None]),
    "mixture of student": (MixtureOf(StudentT(), 2), lambda r, s: r.standard_t(3, (N, 1)) + 4 * s[:, None]),
}  # fmt: skip


def data_of(name, seed=0):
    rng = np.random.default_rng(seed)
    distribution, draw = DISTRIBUTIONS[name]
    return distribution, draw(rng, states_of_rows(rng))


def assert_never_falls(model, least=1e-3):
    objective = np.array([record.objective for record in model.history_])
    assert np.isfinite(objective).all()
    assert np.diff(objective).min() >= -1e-9 * np.abs(objective).max(), np.diff(objective).min()
    assert objective[-1] - objective[0] > least
    assert model.stop_reason_ != "objective_fell"


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("training", ["posterior", "viterbi"])
def test_em_never_falls_for_any_distribution(name, training):
    distribution, x = data_of(name)
    model = HMM(distribution, 2, n_iter=25, tol=-1, random_state=1, training=training).fit(x, LENGTHS)
    assert_never_falls(model)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_em_never_falls_with_all_at_once(name):
    distribution, x = data_of(name)
    rng = np.random.default_rng(3)
    model = HMM(
        distribution, 3, n_iter=15, tol=-1, random_state=2, ends=True, topology="left-right", transmat_prior=1.5
    ).fit(x, LENGTHS, sample_weight=rng.uniform(0.5, 2.0, 4), state_prior=rng.uniform(0.2, 1.0, (N, 3)))  # fmt: skip
    assert_never_falls(model)
    assert_array_equal(np.tril(model.transmat_, -1), 0.0)
    assert_allclose(model.transmat_.sum(1) + model.endprob_, 1.0)


OPTIONS = {
    "plain": {},
    "viterbi": {"training": "viterbi"},
    "ends": {"ends": True},
    "left-right": {"topology": "left-right"},
    "cyclic": {"topology": "cyclic"},
    "bakis": {"topology": "bakis"},
    "mask": {"topology": [[1, 1, 0], [1, 1, 1], [0, 1, 1]]},
    "fixed": {"fixed": {"startprob_": True, "transmat_": np.eye(3, dtype=bool)}},
    "tied states": {"tied_states": [0, 1, 0]},
    "tied transitions": {"tied_transitions": [[1, 2, 0], [0, 1, 2], [2, 0, 1]]},
    "tied transitions and ends": {"tied_transitions": [[1, 2, 2], [2, 1, 2], [2, 2, 1]], "ends": True},
    "stationary": {"stationary": True},
    "stationary viterbi": {"stationary": True, "training": "viterbi"},
    "priors": {"startprob_prior": 2.0, "transmat_prior": 1.0 + np.eye(3) * 4},
    "squarem": {"method": "squarem"},
    "log": {"implementation": "log"},
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", ["categorical", "gaussian-diag", "gaussian-tied", "poisson", "gmm-diag", "gmm-tied"])
def test_em_never_falls_under_any_constraint(name, option):
    estimator, given, _, x = problem(name)
    model = estimator(**{**given, "n_components": 3}, n_iter=12, tol=-1, random_state=0, **OPTIONS[option])
    assert_never_falls(model.fit(x, LENGTHS))


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("known", ["labels", "state_prior", "sample_weight"])
def test_em_never_falls_with_something_known_beside(name, known):
    estimator, given, _, x = problem(name)
    K, rng = given["n_components"], np.random.default_rng(1)
    beside = {
        "labels": np.where(rng.random(N) < 0.3, rng.integers(0, K, N), -1),
        "state_prior": rng.uniform(0.1, 1.0, (N, K)),
        "sample_weight": np.array([0.5, 3.0, 0.0, 1.5]),
    }
    model = estimator(**given, n_iter=12, tol=-1, random_state=0)
    assert_never_falls(model.fit(x, LENGTHS, **{known: beside[known]}))


PRIORS = {
    "gaussian-diag": {"means_weight": 3.0, "means_prior": 1.0, "covars_prior": 2.0, "covars_weight": 4.0},
    "gaussian-full": {"means_weight": 3.0, "means_prior": 1.0, "covars_prior": np.eye(2), "covars_weight": 6.0},
    "gmm-diag": {"means_weight": 3.0, "covars_prior": 1.5, "covars_weight": 0.7, "weights_prior": 2.0},
    "gmm-full": {"means_weight": 3.0, "covars_prior": np.eye(2), "covars_weight": 3.0},
    "poisson": {"lambdas_prior": 3.0, "lambdas_weight": 1.0},
    "categorical": {"emissionprob_prior": 3.0},
}


@pytest.mark.parametrize("tied_states", [None, "first two"])
@pytest.mark.parametrize("name", PRIORS)
def test_em_never_falls_with_priors_of_the_emission(name, tied_states):
    estimator, given, _, x = problem(name)
    ties = {} if tied_states is None else {"tied_states": [0, 0, 1][: given["n_components"]]}
    model = estimator(**given, **PRIORS[name], n_iter=20, tol=-1, random_state=0, **ties)
    assert_never_falls(model.fit(x, LENGTHS))


# -- who computes it ----------------------------------------------------------------------------------


def long_problem(name):
    """Return an estimator and enough sequences for several shards."""
    rng = np.random.default_rng(0)
    estimator, given, _, _ = problem(name)
    lengths = rng.integers(0, 900, 60)
    n = lengths.sum()
    x = rng.integers(0, 4, n) if name == "categorical" else rng.poisson(1 + 4 * rng.integers(0, 3, (n, 2)))
    return estimator(**given, random_state=0, n_iter=3, tol=-1), x, lengths


@pytest.fixture(params=["categorical", "poisson", "gaussian-full", "gmm-diag"])
def alone(request):
    model, x, lengths = long_problem(request.param)
    assert len(model._shards(x, lengths)) > 2
    return request.param, model.fit(x, lengths).result_


def same_fit(name, executor):
    model, x, lengths = long_problem(name)
    return model.fit(x, lengths, executor=executor).result_


def assert_bit_equal(result, other):
    assert tree_equal(result.params, other.params)
    assert [r.objective for r in result.history] == [r.objective for r in other.history]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_threads_leave_no_trace(alone, workers):
    name, result = alone
    with ThreadPoolExecutor(workers) as executor:
        assert_bit_equal(same_fit(name, executor), result)


def test_processes_leave_no_trace():
    result = same_fit("poisson", None)
    with ProcessPoolExecutor(2) as executor:
        assert_bit_equal(same_fit("poisson", executor), result)


@pytest.mark.slow
def test_dask_leaves_no_trace():
    distributed = pytest.importorskip("distributed")
    result = same_fit("poisson", None)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert_bit_equal(same_fit("poisson", client.get_executor()), result)


@pytest.mark.parametrize("name", ["categorical", "poisson"])
def test_shards_agree_with_the_whole_to_rounding(name):
    model, x, lengths = long_problem(name)
    batch = model._batch(x, lengths)
    start = model._start(batch, np.random.default_rng(0))
    stop = StopRule(max_iter=4)
    whole = fit(model._model(), start, [batch], stop=stop)
    for rows in (1, 3000):
        parts = fit(model._model(), start, batch.shards(rows), stop=stop)
        assert_allclose(parts.params.trans, whole.params.trans, rtol=1e-9, atol=1e-12)
        assert_allclose(parts.objective, whole.objective, rtol=1e-12)


@pytest.mark.parametrize("K", [2, 5, 8, 17, 60, 65])
def test_blocks_of_a_long_sequence_leave_no_trace(K):
    rng = np.random.default_rng(K)
    rows = rng.dirichlet(np.ones(K + 1), K)
    chain = ChainParams(rng.dirichlet(np.ones(K)), rows[:, :K], rows[:, K])
    frames = rng.normal(0, 2, (2 * chunk_rows(K) + 77, K))
    whole = inference.smooth(chain, frames, block=8 * chunk_rows(K))
    parts = inference.smooth(chain, frames, block=chunk_rows(K))
    assert parts.log_likelihood == whole.log_likelihood
    assert_array_equal(parts.smoothed, whole.smoothed)
    assert tree_equal(parts.stats, whole.stats)


@pytest.mark.parametrize("name", PROBLEMS)
def test_scaled_equals_log(name):
    estimator, given, _, x = problem(name)
    scaled, logs = (
        estimator(**given, implementation=i, n_iter=6, tol=-1, random_state=0).fit(x, LENGTHS)
        for i in ("scaling", "log")
    )
    assert_allclose(scaled.log_likelihood_, logs.log_likelihood_, rtol=1e-11)
    for attribute in problem(name)[2]:
        assert_allclose(getattr(scaled, attribute), getattr(logs, attribute), rtol=1e-7, atol=1e-9)


# -- what is known or held ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROBLEMS)
def test_weight_two_is_the_sequence_twice(name):
    estimator, given, known, x = problem(name)
    parts = np.split(x, np.cumsum(LENGTHS)[:-1])

    def fitted(sequences, **beside):
        model = estimator(**given, n_iter=3, tol=-1, init_params="")
        for attribute, value in known.items():
            setattr(model, attribute, value)
        return model.fit(sequences, **beside)

    weighted = fitted(parts, sample_weight=[2.0, 1.0, 0.0, 1.0])
    repeated = fitted([parts[0], parts[0], parts[1], parts[3]])
    assert_allclose(weighted.log_likelihood_, repeated.log_likelihood_, rtol=1e-12)
    for attribute in known:
        assert_allclose(getattr(weighted, attribute), getattr(repeated, attribute), rtol=1e-9, atol=1e-12)


def test_structural_zeros_stay_zero():
    model = CategoricalHMM(3, n_iter=20, tol=-1, init_params="")
    model.startprob_ = np.array([1.0, 0.0, 0.0])
    model.transmat_ = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5]])
    model.emissionprob_ = np.array([[0.5, 0.5, 0.0], [0.2, 0.5, 0.3], [0.2, 0.4, 0.4]])
    zeros = [getattr(model, a) == 0 for a in ("startprob_", "transmat_", "emissionprob_")]
    start = model.transmat_.copy()
    model.fit([model.sample(30, random_state=seed)[0] for seed in range(5)])
    for attribute, zero in zip(("startprob_", "transmat_", "emissionprob_"), zeros, strict=True):
        assert not getattr(model, attribute)[zero].any()
    assert np.abs(model.transmat_ - start).max() > 0.01


def test_fixed_entries_stay_bit_equal_and_the_others_move():
    estimator, given, known, x = problem("gaussian-diag")
    keep = np.zeros((3, 3), dtype=bool)
    keep[0, 1] = keep[2] = True
    one_mean = np.zeros((3, 2), dtype=bool)
    one_mean[1, 0] = True
    model = estimator(
        **given, init_params="", n_iter=10, tol=-1,
        fixed={"transmat_": keep, "means_": one_mean, "covars_": True, "startprob_": [True, False, False]},
    )  # fmt: skip
    for attribute, value in known.items():
        setattr(model, attribute, value)
    assert_never_falls(model.fit(x, LENGTHS))
    assert_array_equal(model.transmat_[keep], known["transmat_"][keep])
    assert_allclose(model.transmat_.sum(1), 1.0, rtol=1e-12)
    assert_array_equal(model.means_[one_mean], known["means_"][one_mean])
    assert_array_equal(model._covars_, known["covars_"])
    assert model.startprob_[0] == known["startprob_"][0]
    assert np.abs(model.means_ - known["means_"])[~one_mean].min() > 0
    assert np.abs(model.transmat_ - known["transmat_"])[~keep].min() > 0


@pytest.mark.parametrize("ends", [False, True])
def test_tied_transitions_are_equal_and_the_best_of_their_kind(ends):
    rng = np.random.default_rng(0)
    x, tied = rng.poisson(1 + 5 * states_of_rows(rng, 3)), np.array([[1, 2, 2], [2, 1, 2], [2, 2, 1]])
    model = PoissonHMM(3, tied_transitions=tied, ends=ends, n_iter=200, tol=1e-10, random_state=0).fit(x, LENGTHS)
    trans = model.transmat_
    assert_allclose(trans[tied == 1], trans[0, 0], rtol=1e-9)
    assert_allclose(trans[tied == 2], trans[0, 1], rtol=1e-9)
    best, at = model.score(x, LENGTHS), trans[0, 0]
    for other in (at - 1e-3, at + 1e-3):
        rest = (1 - other - (0 if not ends else model.endprob_)) / 2
        model.transmat_ = np.where(tied == 1, other, np.broadcast_to(rest, 3)[:, None])
        assert model.score(x, LENGTHS) < best


@pytest.mark.parametrize("name", ["categorical", "gaussian-diag", "gaussian-tied", "gmm-diag", "gmm-tied", "poisson"])
def test_tied_states_share_their_emission(name):
    estimator, given, _, x = problem(name)
    model = estimator(**{**given, "n_components": 3}, tied_states=[4, 9, 4], n_iter=10, tol=-1, random_state=0)
    frames = model.fit(x, LENGTHS).score_rows(x)
    assert_allclose(frames[:, 0], frames[:, 2], rtol=1e-12)
    assert np.abs(frames[:, 0] - frames[:, 1]).max() > 0.1


def test_tied_states_of_one_kind_are_one_state():
    rng = np.random.default_rng(0)
    x = rng.poisson(3, (N, 1))
    model = PoissonHMM(2, tied_states=[0, 0], n_iter=5, tol=-1, random_state=0).fit(x)
    assert_allclose(model.lambdas_, x.mean(), rtol=1e-12)


def test_a_stationary_start_is_stationary():
    estimator, given, _, x = problem("poisson")
    model = estimator(**given, stationary=True, n_iter=30, tol=-1, random_state=0).fit(x, LENGTHS)
    assert_allclose(model.startprob_ @ model.transmat_, model.startprob_, atol=1e-12)
    assert_allclose(model.startprob_, model.get_stationary_distribution())


@pytest.mark.parametrize("name", ["categorical", "gaussian-full", "poisson", "multinomial"])
def test_a_fit_to_labels_counts(name):
    """With every row labelled one step ends at the frequencies, whatever the start."""
    estimator, given, _, x = problem(name)
    rng = np.random.default_rng(5)
    K = given["n_components"]
    labels = np.where(rng.random(N) < 0.7, np.repeat(rng.integers(0, K, N), 3)[:N], rng.integers(0, K, N))
    options = {"covars_prior": 0, "covars_weight": 0} if name.startswith("gaussian") else {}
    model = estimator(**given, **options, n_iter=50, tol=1e-9, random_state=0).fit(x, LENGTHS, labels=labels)
    assert model.n_iter_ <= 3
    pairs, starts = np.zeros((K, K)), np.zeros(K)
    for part in np.split(labels, np.cumsum(LENGTHS)[:-1]):
        np.add.at(pairs, (part[:-1], part[1:]), 1.0)
        starts[part[0]] += 1
    assert_allclose(model.transmat_, pairs / pairs.sum(1, keepdims=True), atol=1e-12)
    assert_allclose(model.startprob_, starts / starts.sum(), atol=1e-12)
    for k in range(K):
        rows = x[labels == k]
        if name == "categorical":
            assert_allclose(model.emissionprob_[k], np.bincount(rows[:, 0], minlength=4) / len(rows), atol=1e-12)
        elif name == "multinomial":
            assert_allclose(model.emissionprob_[k], rows.sum(0) / rows.sum(), atol=1e-12)
        elif name == "poisson":
            assert_allclose(model.lambdas_[k], rows.mean(0), rtol=1e-12)
        else:
            assert_allclose(model.means_[k], rows.mean(0), atol=1e-12)
            assert_allclose(model.covars_[k], np.cov(rows.T, bias=True), atol=1e-9)


def test_some_labels_lie_between_none_and_all():
    rng = np.random.default_rng(7)
    states = np.repeat(rng.integers(0, 2, 300), 5)
    x = rng.poisson(np.array([4.0, 7.0])[states])[:, None]
    few = np.where(rng.random(len(x)) < 0.1, states, -1)
    options = {"n_components": 2, "n_iter": 200, "tol": 1e-9, "random_state": 0}
    none, some, every = (
        PoissonHMM(**options).fit(x, labels=known) for known in (None, few, states)
    )  # fmt: skip
    # The more is known, the less likely the data together with it, and the better the decoding of the rest.
    likelihood = [m.log_likelihood_ for m in (none, some, every)]
    assert likelihood[0] > likelihood[1] > likelihood[2]
    assert_array_equal(some.predict(x, labels=few)[few >= 0], states[few >= 0])
    rest = few < 0
    accuracy = np.mean(some.predict(x, labels=few)[rest] == states[rest])
    assert accuracy > 0.8
    blind = np.mean(none.predict(x)[rest] == states[rest])
    assert accuracy > max(blind, 1 - blind)


def test_hard_state_priors_are_labels():
    estimator, given, _, x = problem("poisson")
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(N) < 0.5, rng.integers(0, 3, N), -1)
    prior = np.where(labels[:, None] < 0, 1.0, labels[:, None] == np.arange(3))
    model = estimator(**given, random_state=0, n_iter=5).fit(x, LENGTHS)
    assert model.score(x, LENGTHS, labels=labels) == model.score(x, LENGTHS, state_prior=prior)
    assert_array_equal(model.predict(x, LENGTHS, labels=labels), model.predict(x, LENGTHS, state_prior=prior))


# -- does it find the truth ---------------------------------------------------------------------------

TRUTHS = {
    "categorical": (
        CategoricalHMM, {}, {"emissionprob_": np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])}, 0.06
    ),
    "gaussian": (GaussianHMM, {}, {"means_": np.array([[0.0, 0.0], [2.0, 1.0]]), "covars_": np.ones((2, 2))}, 0.15),
    "poisson": (PoissonHMM, {}, {"lambdas_": np.array([[2.0], [7.0]])}, 0.25),
}  # fmt: skip


@pytest.mark.parametrize("name", TRUTHS)
def test_a_fit_recovers_the_truth_from_a_start_that_is_not_the_truth(name):
    estimator, options, emission, atol = TRUTHS[name]
    truth = {"startprob_": np.array([0.5, 0.5]), "transmat_": np.array([[0.9, 0.1], [0.2, 0.8]]), **emission}
    source = estimator(2, init_params="", random_state=1)
    for attribute, value in truth.items():
        setattr(source, attribute, value)
    x, _ = source.sample(6000)
    lengths = np.full(60, 100)
    model = estimator(2, n_iter=300, tol=1e-6, random_state=3, n_init=2, **options)
    first = estimator(2, n_iter=0, random_state=3, **options).fit(x, lengths)
    model.fit(x, lengths)
    lead = next(iter(emission))
    straight = np.abs(getattr(model, lead) - truth[lead]).max()
    order = [0, 1] if straight < np.abs(getattr(model, lead)[::-1] - truth[lead]).max() else [1, 0]
    assert_allclose(getattr(model, lead)[order], truth[lead], atol=atol)
    assert_allclose(model.transmat_[np.ix_(order, order)], truth["transmat_"], atol=0.06)
    for permuted in ([0, 1], [1, 0]):
        assert np.abs(first.transmat_[np.ix_(permuted, permuted)] - truth["transmat_"]).max() > 0.1
        assert np.abs(getattr(first, lead)[permuted] - truth[lead]).max() > atol
    assert model.log_likelihood_ > source.score(x, lengths)


def test_squarem_ends_where_em_does_in_fewer_evaluations():
    x = np.random.default_rng(0).poisson(3 + 3 * states_of_rows(np.random.default_rng(0)))
    plain, fast = (
        PoissonHMM(2, random_state=0, n_iter=5000, tol=1e-10, method=m).fit(x, LENGTHS) for m in ("em", "squarem")
    )
    assert_allclose(fast.log_likelihood_, plain.log_likelihood_, atol=1e-5)
    assert fast.n_iter_ < plain.n_iter_
    assert_never_falls(fast)


def test_squarem_survives_a_probability_that_reaches_zero():
    """One sequence: its start goes to a corner, and in floating-point numbers reaches it."""
    x = np.random.default_rng(0).poisson(3 + 3 * states_of_rows(np.random.default_rng(0)))
    plain, fast = (PoissonHMM(2, random_state=0, n_iter=5000, tol=1e-11, method=m).fit(x) for m in ("em", "squarem"))
    assert_allclose(fast.log_likelihood_, plain.log_likelihood_, atol=1e-6)
    assert_never_falls(fast)


def test_n_init_keeps_the_best_start():
    estimator, given, _, x = problem("gmm-diag")
    model = estimator(**given, random_state=0, n_init=5, n_iter=20).fit(x, LENGTHS)
    assert len(model.starts_) == 5
    assert model.result_.objective == max(s.objective for s in model.starts_)
    assert len({s.objective for s in model.starts_}) > 1
    again = estimator(**given, random_state=0, n_init=5, n_iter=20).fit(x, LENGTHS)
    assert again.log_likelihood_ == model.log_likelihood_


# -- the M-step of the chain alone --------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        TransitionStep(),
        TransitionStep(trans_prior=1.5, start_prior=2.0),
        TransitionStep(fixed={"trans": np.eye(3, dtype=bool)}),
        TransitionStep(stationary=True),
        TransitionStep(tied=np.array([[1, 2, 0], [0, 1, 2], [2, 0, 1]])),
        TransitionStep(stationary=True, fixed={"trans": np.eye(3, dtype=bool)}, trans_prior=1.5),
    ],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_chain_nearby_is_better_than_the_m_step(step, seed):
    rng = np.random.default_rng(seed)
    old = step.allowed(ChainParams(rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3), 3)))
    stats = ChainStats(rng.exponential(2, 3), rng.exponential(5, (3, 3)), np.zeros(3))
    new = step.maximise(stats, old)

    def objective(chain):
        return step.expected_log_likelihood(stats, chain) + step.log_prior(chain)

    best = objective(new)
    assert best >= objective(old)
    for _ in range(200):
        start = new.start + rng.normal(0, 1e-3, 3)
        trans = new.trans * np.exp(rng.normal(0, 1e-2, (3, 3)))
        nudged = ChainParams(np.abs(start) / np.abs(start).sum(), trans / trans.sum(1, keepdims=True))
        if "trans" in step.fixed:
            continue  # a nudge would leave the constraint
        assert objective(step.allowed(nudged)) <= best + 1e-9


def test_structured_starts_are_refused_where_they_do_not_fit():
    with pytest.raises(ParameterError, match="exclude each other"):
        TransitionStep(stationary=True, tied=np.ones((2, 2), dtype=int))
    chain = ChainParams(np.array([0.5, 0.5]), np.full((2, 2), 0.5))
    with pytest.raises(ParameterError, match="tied does not fit"):
        TransitionStep(tied=np.ones((3, 3), dtype=int)).allowed(chain)


def test_a_cut_off_state_is_reported_and_stays():
    x = np.array([0, 1, 1, 0, 1])
    model = CategoricalHMM(2, init_params="", n_iter=2, tol=-1)
    model.startprob_, model.transmat_ = np.array([1.0, 0.0]), np.array([[1.0, 0.0], [0.3, 0.7]])
    model.emissionprob_ = np.array([[0.5, 0.5], [0.1, 0.9]])
    with pytest.warns(DegenerateWarning):
        model.fit(x)
    assert_array_equal(model.transmat_, [[1.0, 0.0], [0.3, 0.7]])
    assert_array_equal(model.emissionprob_[1], [0.1, 0.9])
    assert isinstance(model.params_, HMMParams)
