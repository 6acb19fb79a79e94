"""The E-step's sum does not depend on who computes it."""

from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from seqem.core.tree import tree_equal
from seqem.em import mapreduce
from seqem.em.accelerate import squarem
from seqem.em.driver import fit
from seqem.em.mapreduce import map_reduce
from seqem.em.protocol import EStep
from seqem.em.stop import StopRule
from seqem.errors import NumericalError, ParameterError
from tests.em.models import BELLS_START, LONDON_START, GaussianMixture, PoissonMixture, in_shards, two_bells

MODEL = GaussianMixture()
SHARDS = in_shards(two_bells(997), 13)


def same(a, b):
    return tree_equal(a, b) and a.log_likelihood == b.log_likelihood


def load(data, start, stop):
    return data[start:stop]


class Recorder(Executor):
    """Runs a task when its result is asked for, and counts the tasks that wait."""

    def __init__(self):
        self.sizes, self.waiting, self.most_waiting = [], 0, 0

    def submit(self, fn, /, *args, **kwargs):
        self.sizes.append(len(args[-1]))
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        return _Lazy(self, partial(fn, *args, **kwargs))


class _Lazy(Future):
    def __init__(self, recorder, task):
        super().__init__()
        self.recorder, self.task = recorder, task

    def result(self, timeout=None):
        self.recorder.waiting -= 1
        return self.task()


def test_the_sum_is_the_sum():
    whole = MODEL.e_step(BELLS_START, two_bells(997))
    total = map_reduce(MODEL.e_step, BELLS_START, SHARDS)
    assert total.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-13)
    for ours, theirs in zip(total.stats, whole.stats, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)


@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_threads_give_the_same_bits(n_workers):
    serial = map_reduce(MODEL.e_step, BELLS_START, SHARDS)
    with ThreadPoolExecutor(n_workers) as executor:
        assert same(map_reduce(MODEL.e_step, BELLS_START, SHARDS, executor), serial)


def test_order_matters_in_this_data():
    forth = map_reduce(MODEL.e_step, BELLS_START, SHARDS)
    back = map_reduce(MODEL.e_step, BELLS_START, SHARDS[::-1])
    assert not same(forth, back), "else bit-equality would prove nothing"


@pytest.mark.slow
def test_processes_give_the_same_bits():
    options = {"stop": StopRule(max_iter=12), "accelerate": squarem}
    serial = fit(MODEL, BELLS_START, SHARDS, **options)
    with ProcessPoolExecutor(2) as executor:
        result = fit(MODEL, BELLS_START, SHARDS, executor=executor, **options)
    assert tree_equal(result.params, serial.params)
    assert result.history.objective.tolist() == serial.history.objective.tolist()


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_bits():
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client:
        total = map_reduce(MODEL.e_step, BELLS_START, SHARDS, client.get_executor())
        with pytest.raises(NumericalError, match="shard 7"):
            map_reduce(fails_on_seven, None, list(range(9)), client.get_executor())
    assert same(total, map_reduce(MODEL.e_step, BELLS_START, SHARDS))


@pytest.mark.parametrize("grouping", [(1, 1), (3, 2), (16, 64), (1000, 3)])
def test_grouping_does_not_change_the_bits(monkeypatch, grouping):
    serial = map_reduce(MODEL.e_step, BELLS_START, SHARDS)
    monkeypatch.setattr(mapreduce, "MOST_TASKS", 1)
    monkeypatch.setattr(mapreduce, "MOST_SHARDS_PER_TASK", grouping[0])
    monkeypatch.setattr(mapreduce, "TASKS_IN_FLIGHT", grouping[1])
    recorder = Recorder()
    assert same(map_reduce(MODEL.e_step, BELLS_START, SHARDS, recorder), serial)
    assert sum(recorder.sizes) == len(SHARDS)


def count(params, shard):
    return EStep(np.array(shard), 0.0)


def test_many_shards_go_in_groups_and_few_results_wait():
    recorder = Recorder()
    n = 20_000
    assert int(map_reduce(count, None, range(n), recorder).stats) == n * (n - 1) // 2
    assert set(recorder.sizes) == {mapreduce.MOST_SHARDS_PER_TASK}
    assert recorder.most_waiting == mapreduce.TASKS_IN_FLIGHT


def test_loaders_are_called_where_the_work_is_done():
    data = two_bells(997)
    edges = np.cumsum([0, *(len(shard) for shard in SHARDS)])
    loaders = [partial(load, data, a, b) for a, b in pairwise(edges)]
    serial = map_reduce(MODEL.e_step, BELLS_START, SHARDS)
    assert same(map_reduce(MODEL.e_step, BELLS_START, loaders), serial)
    with ThreadPoolExecutor(2) as executor:
        assert same(map_reduce(MODEL.e_step, BELLS_START, loaders, executor), serial)


def fails_on_seven(params, shard):
    if shard == 7:
        raise NumericalError("shard 7 underflows")
    return EStep(np.array(1.0), 0.0)


@pytest.mark.parametrize("make", [None, ThreadPoolExecutor, pytest.param(ProcessPoolExecutor, marks=pytest.mark.slow)])
def test_an_exception_keeps_its_type(make):
    if make is None:
        with pytest.raises(NumericalError, match="shard 7"):
            map_reduce(fails_on_seven, None, range(400))
    else:
        with make(2) as executor, pytest.raises(NumericalError, match="shard 7"):
            map_reduce(fails_on_seven, None, range(400), executor)


def test_an_integer_is_no_executor():
    with pytest.raises(ParameterError, match="executor"):
        map_reduce(PoissonMixture().e_step, LONDON_START, [np.array([1.0])], 2)
