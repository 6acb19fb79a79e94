"""Search a database with a model: parts of it through the pipeline, then E-values and thresholds over all."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import Any, TypeVar

from seqem.core.batch import SequenceBatch
from seqem.profile.hits import QueryInfo, SearchStatistics, TopHits
from seqem.profile.judge import Limits, draft, judged
from seqem.profile.options import SearchOptions
from seqem.profile.pipeline import PartResult, Passed, Pipeline, RawHit
from seqem.profile.plan7 import CoreModel

Result = TypeVar("Result")

# Residues of a part: large enough that the filters run over many targets at once, small enough to share out.
PART_ROWS = 1 << 21
_IN_FLIGHT = 32


def search(
    core: CoreModel,
    database: SequenceBatch | Iterable[SequenceBatch],
    options: SearchOptions | None = None,
    *,
    executor: Executor | None = None,
) -> TopHits:
    """Search targets with a calibrated model.

    Parameters
    ----------
    core : CoreModel
        With calibration.
    database : SequenceBatch or iterable of SequenceBatch
        The targets; of an iterable, such as one that reads a file in parts, only a few parts are held at a time.
    options : SearchOptions, optional
        Thresholds.
    executor : concurrent.futures.Executor, optional
        Threads, processes or a cluster; the result does not depend on it.

    Returns
    -------
    TopHits
        The reported targets.

    Raises
    ------
    DataError
        Where the targets are in another alphabet.
    ParameterError
        Where the model has no calibration, or not the cutoffs that are asked for.
    """
    started = time.perf_counter()
    options = options or SearchOptions()
    limits = Limits(options, options.cutoff_of(core))
    pipeline = Pipeline(core, options)
    hits: list[RawHit] = []
    passed = Passed()
    tasks = ((pipeline, first, part) for first, part in parts_of(database))
    for part in in_order(_run, tasks, executor):
        hits += part.hits
        passed = passed + part.passed
    return _judge(pipeline, hits, passed, limits, started)


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


def _run(pipeline: Pipeline, first: int, part: SequenceBatch) -> PartResult:
    return pipeline.run(part, first_index=first)


def _judge(pipeline: Pipeline, hits: list[RawHit], passed: Passed, limits: Limits, started: float) -> TopHits:
    """Return the reported hits with their E-values, best first."""
    o, core = pipeline.options, pipeline.core
    z = o.z if o.z is not None else float(passed.n_targets)
    ordered = sorted(hits, key=lambda hit: (hit.log_p, hit.name, hit.place))
    reported = [hit for hit in ordered if limits.reports(hit.score, hit.log_p, z)]
    domain_z = o.domain_z if o.domain_z is not None else float(len(reported))
    found = tuple(judged(draft(pipeline, hit), limits, z, domain_z) for hit in reported)
    query = QueryInfo(core.name, core.accession or "", core.description or "", core.n_nodes)
    statistics = SearchStatistics(
        1, core.n_nodes, passed.n_targets, passed.n_residues, passed.msv, passed.bias, passed.viterbi, passed.forward,
        z, domain_z, time.perf_counter() - started,
    )  # fmt: skip
    return TopHits(query, found, statistics)
