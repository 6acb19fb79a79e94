"""Restarts: the best is taken, failures are counted, workers do not matter."""

import functools
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import seqem
from seqem import Gaussian, Mixture, PoissonHMM
from seqem.core.tree import tree_equal
from seqem.em.driver import fit
from seqem.em.restarts import Climb, Restarts, _spread, best_of, run_starts
from seqem.em.stop import StopRule
from seqem.errors import ConvergenceWarning, DegenerateWarning, NumericalError, ParameterError
from seqem.io.models import load, save
from tests.em.models import Bells, GaussianMixture, two_bells

DATA = np.concatenate((two_bells(60), [9.0]))


def random_bells(rng, smallest=0.5):
    variances = np.full(3, smallest)
    start = Bells(np.full(3, 1 / 3), rng.choice(DATA, 3, replace=False), variances)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit(GaussianMixture(), start, [DATA], stop=StopRule(max_iter=80, abs_tol=1e-6))


def sometimes(rng):
    if rng.random() < 0.5:
        raise NumericalError("an unlucky start")
    start = Bells(np.full(2, 0.5), rng.normal(0.0, 1.0, 2), np.ones(2))
    return fit(GaussianMixture(), start, [DATA], stop=StopRule(max_iter=20))


def never(rng):
    raise NumericalError("an unlucky start")


def test_the_best_sound_start_is_taken():
    best, starts = best_of(random_bells, 8, np.random.default_rng(1))
    assert len(starts) == 8
    assert len(set(starts.objective)) > 1
    assert best.objective == starts.objective[starts.best]
    assert starts.n_failed == 0


def test_a_collapsed_start_is_counted_and_never_the_best():
    with np.errstate(all="ignore"):
        best, starts = best_of(functools.partial(random_bells, smallest=1e-3), 12, np.random.default_rng(0))
    assert 0 < starts.n_collapsed < 12
    assert starts[starts.best].stop_reason != "not_finite"
    collapsed = [start.objective for start in starts if start.stop_reason == "not_finite"]
    assert max(collapsed) > best.objective, "else the exclusion would not be seen"


def test_failed_starts_are_recorded_and_the_rest_go_on():
    best, starts = best_of(sometimes, 10, np.random.default_rng(2))
    assert 0 < starts.n_failed < 10
    assert np.isnan(starts.objective).sum() == starts.n_failed
    assert best.objective == np.nanmax(starts.objective)
    assert {start.error for start in starts} == {None, "an unlucky start"}


def test_all_failed_raises():
    with pytest.raises(NumericalError, match=r"3 failed, 0 collapsed.*unlucky"):
        best_of(never, 3, np.random.default_rng(0))
    with pytest.raises(ParameterError, match="n_init"):
        best_of(never, 0, np.random.default_rng(0))


def same(a, b):
    return tree_equal(a[0].params, b[0].params) and [s[:3] for s in a[1]] == [s[:3] for s in b[1]]


@pytest.mark.parametrize("n_workers", [1, 3])
def test_threads_do_not_matter(n_workers):
    serial = best_of(random_bells, 6, np.random.default_rng(5))
    with ThreadPoolExecutor(n_workers) as executor:
        assert same(best_of(random_bells, 6, np.random.default_rng(5), executor), serial)


@pytest.mark.slow
def test_processes_do_not_matter():
    serial = best_of(sometimes, 6, np.random.default_rng(2))
    with ProcessPoolExecutor(2) as executor:
        parallel = best_of(sometimes, 6, np.random.default_rng(2), executor)
    assert serial[1].n_failed == parallel[1].n_failed > 0
    assert tree_equal(serial[0].params, parallel[0].params)


# -- whole estimators ------------------------------------------------------------------------------

GROUPS = np.concatenate([np.random.default_rng(0).normal(m, 0.6, 30) for m in (0, 3, 8, 12, 20)])[:, None]


def mixture(n_init, **options):
    return Mixture(Gaussian("diag"), 5, n_init=n_init, random_state=0, tol=1e-8, **options)


def test_short_runs_choose_the_start():
    model = mixture(Restarts(8, short=3)).fit(GROUPS)
    assert len(model.starts_) >= 8
    assert all(start.n_iter <= 3 for start in model.starts_)
    assert model.log_likelihood_ >= model.starts_.objective[model.starts_.best]
    assert model.converged_


def test_spread_starts_are_farther_apart_than_drawn_ones():
    rng = np.random.default_rng(4)
    climb = Climb(lambda rng: rng.normal(size=2), fit=None, describe=lambda params: params)
    plain, spread = (np.array([p for p, _ in _spread(climb, Restarts(6, spread=s), rng)]) for s in (1, 20))

    def gap(points):
        return (np.linalg.norm(points[:, None] - points, axis=2) + 1e9 * np.eye(len(points))).min()

    assert len(plain) == len(spread) == 6
    assert gap(spread) > 2 * gap(plain)


@pytest.mark.parametrize("policy", [3, Restarts(3, spread=4), Restarts(4, short=5)])
def test_starts_of_an_estimator_do_not_depend_on_workers(policy):
    x = np.random.default_rng(3).poisson(np.repeat([2, 12, 40, 2, 40, 12], 30))
    for model, data in ((mixture(policy), GROUPS), (PoissonHMM(3, n_init=policy, random_state=0), x)):
        alone = model.fit(data).result_.params
        with ThreadPoolExecutor(2) as pool:
            assert tree_equal(model.fit(data, executor=pool).result_.params, alone)


def test_processes_run_starts():
    model = mixture(4)
    alone = model.fit(GROUPS).result_.params
    with ProcessPoolExecutor(2) as pool:
        assert tree_equal(model.fit(GROUPS, executor=pool).result_.params, alone)


def test_a_policy_is_saved_with_the_estimator(tmp_path):
    model = mixture(Restarts(2, short=4)).fit(GROUPS)
    save(tmp_path / "m", model)
    assert load(tmp_path / "m").n_init == Restarts(2, short=4)


def lonely(n_init=1):
    """A start with a component of its own on one datum, where the likelihood has no bound but the floor."""
    x = np.append(GROUPS, [[40.0]], axis=0)
    return seqem.GaussianMixture(3, n_init=n_init, random_state=0, init_params="random_from_data", reg_covar=1e-9), x


def test_collapsed_components_are_counted_and_replaced():
    model, x = lonely(30)
    model.fit(x)
    assert 0 < model.starts_.n_collapsed < len(model.starts_)
    assert len(model.starts_) == 30 + sum(start.collapsed for start in model.starts_[:30])
    assert model.covariances_.min() > 1e-3
    collapsed = max(start.objective for start in model.starts_ if start.collapsed)
    assert collapsed > model.log_likelihood_, "else it would not have been chosen anyway"


def test_one_start_that_collapses_is_replaced():
    x = np.append(GROUPS, [[40.0]], axis=0)
    for seed in range(40):
        model = seqem.GaussianMixture(4, random_state=seed, init_params="random_from_data", reg_covar=1e-9)
        model.fit(x)
        if model.starts_[0].collapsed:
            break
    assert len(model.starts_) > 1
    assert not model.starts_[-1].collapsed
    assert model.covariances_.min() > 1e-3


def test_where_all_collapse_it_is_said():
    x = np.repeat([[0.0], [1.0], [5.0]], [40, 1, 40], axis=0) + np.r_[np.zeros(41), np.linspace(0, 3, 40)][:, None]
    with pytest.warns(DegenerateWarning, match="collapsed"):
        seqem.GaussianMixture(3, random_state=0).fit(x)


def test_policies_that_cannot_be():
    for policy in (0, -1, Restarts(2, short=0), Restarts(1, spread=0), 1.5):
        with pytest.raises(ParameterError, match="n_init"):
            mixture(policy).fit(GROUPS)
    climb = Climb(lambda rng: rng.normal(), fit=None)
    with pytest.raises(ParameterError, match="cannot be spread"):
        run_starts(climb, Restarts(2, spread=2), np.random.default_rng(0))
