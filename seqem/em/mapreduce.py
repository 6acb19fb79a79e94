"""The E-step over shards: mapped by any executor, added in the order of the shards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from itertools import islice
from typing import Any

from seqem.core.tree import tree_add
from seqem.em.protocol import EStep
from seqem.errors import DataError, ParameterError

MOST_TASKS = 256
MOST_SHARDS_PER_TASK = 16
TASKS_IN_FLIGHT = 64

EStepFunction = Callable[[Any, Any], EStep]


def map_reduce(e_step: EStepFunction, params: Any, shards: Sequence[Any], executor: Executor | None = None) -> EStep:
    """Return the sum of ``e_step(params, shard)`` over the shards.

    Parameters
    ----------
    e_step : callable
        ``(params, shard) -> EStep``; for an executor of processes it must be picklable, as a bound
        method of a frozen dataclass is.
    params : tree of arrays
        Passed on as they are.
    shards : sequence
        Data, or callables without arguments that return data; a callable is called by the worker, so
        that only its pickle travels.
    executor : concurrent.futures.Executor, optional
        Threads, processes, Dask's ``client.get_executor()``, MPI's; None computes here.

    Returns
    -------
    EStep
        Bit-equal whatever the executor and the number of its workers: a task returns one EStep for each of
        its shards, and they are added here from the first shard to the last.

    Examples
    --------
    >>> def e_step(scale, shard):
    ...     return EStep({"n": len(shard), "x": scale * sum(shard)}, -1.0)
    >>> map_reduce(e_step, 2.0, [[1, 2], lambda: [3]])
    EStep(stats={'n': np.int64(3), 'x': np.float64(12.0)}, log_likelihood=-2.0)
    """
    if not len(shards):
        raise DataError("no shards to take the E-step over", expected="at least one shard")
    if executor is None:
        return _add(_e_step_of(e_step, params, shard) for shard in shards)
    if not isinstance(executor, Executor):
        raise ParameterError("executor is off", got=repr(executor), expected="a concurrent.futures.Executor or None")
    return _add(_ordered_results(e_step, params, shards, executor))


def _add(steps: Iterator[EStep]) -> EStep:
    stats, log_likelihood = next(steps)
    for step in steps:
        stats, log_likelihood = tree_add(stats, step.stats), log_likelihood + step.log_likelihood
    return EStep(stats, float(log_likelihood))


def data_of(shard: Any) -> Any:
    """Return the data of a shard, read now where it is a loader."""
    return shard() if callable(shard) else shard


def _e_step_of(e_step: EStepFunction, params: Any, shard: Any) -> EStep:
    return e_step(params, data_of(shard))


def _e_steps_of(e_step: EStepFunction, params: Any, group: Sequence[Any]) -> list[EStep]:
    """Return the E-step of each shard of a group; the body of a task."""
    return [_e_step_of(e_step, params, shard) for shard in group]


def _groups(shards: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield lists of consecutive shards, one a task."""
    size = min(MOST_SHARDS_PER_TASK, -(-len(shards) // MOST_TASKS))
    remaining = iter(shards)
    while group := list(islice(remaining, size)):
        yield group


def _ordered_results(e_step: EStepFunction, params: Any, shards: Sequence[Any], executor: Executor) -> Iterator[EStep]:
    """Yield E-steps in shard order, holding no more than ``TASKS_IN_FLIGHT`` tasks and their results."""
    groups = _groups(shards)
    futures: deque[Future[list[EStep]]] = deque()

    def submit(count: int) -> None:
        futures.extend(executor.submit(_e_steps_of, e_step, params, group) for group in islice(groups, count))

    try:
        submit(TASKS_IN_FLIGHT)
        while futures:
            yield from futures.popleft().result()
            submit(1)
    finally:
        for future in futures:
            future.cancel()
