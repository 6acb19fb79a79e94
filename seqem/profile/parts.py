"""Parts of a database and of the work on it, in order, few at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import Any, TypeVar

from seqem.core.batch import SequenceBatch

Result = TypeVar("Result")

# Residues of a part: large enough that the filters run over many targets at once, small enough to share out.
PART_ROWS = 1 << 21
_IN_FLIGHT = 32


def parts_of(database: SequenceBatch | Iterable[SequenceBatch]) -> Iterator[tuple[int, SequenceBatch]]:
    """Yield parts of a size that suits the pipeline, each with the number of targets before it."""
    batches = [database] if isinstance(database, SequenceBatch) else database
    first = 0
    for batch in batches:
        for part in batch.shards(PART_ROWS) if len(batch) else []:
            yield first, part
            first += len(part)


def in_order(
    function: Callable[..., Result], tasks: Iterator[tuple[Any, ...]], executor: Executor | None
) -> Iterator[Result]:
    """Yield ``function(*task)`` in the order of the tasks, holding few of them."""
    if executor is None:
        yield from (function(*task) for task in tasks)
        return
    futures: deque[Future[Result]] = deque()

    def submit(count: int) -> None:
        futures.extend(executor.submit(function, *task) for task in islice(tasks, count))

    try:
        submit(_IN_FLIGHT)
        while futures:
            yield futures.popleft().result()
            submit(1)
    finally:
        for future in futures:
            future.cancel()
