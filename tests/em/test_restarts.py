"""Restarts: the best is taken, failures are counted, workers do not matter."""

import functools
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from seqem.core.tree import tree_equal
from seqem.em.driver import fit
from seqem.em.restarts import best_of
from seqem.em.stop import StopRule
from seqem.errors import ConvergenceWarning, NumericalError, ParameterError
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
