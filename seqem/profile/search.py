"""Search a database with a model: parts of it through the pipeline, then E-values and thresholds over all."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.profile.hits import Domain, Hit, QueryInfo, SearchStatistics, TopHits
from seqem.profile.options import SearchOptions
from seqem.profile.pipeline import PartResult, Passed, Pipeline, RawDomain, RawHit
from seqem.profile.plan7 import CoreModel, Cutoffs
from seqem.profile.render import render

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
    cutoff = options.cutoff_of(core)
    pipeline = Pipeline(core, options)
    hits: list[RawHit] = []
    passed = Passed()
    for part in _results(pipeline, _parts(database), executor):
        hits += part.hits
        passed = passed + part.passed
    return _judge(pipeline, hits, passed, cutoff, started)


def _parts(database: SequenceBatch | Iterable[SequenceBatch]) -> Iterator[tuple[int, SequenceBatch]]:
    batches = [database] if isinstance(database, SequenceBatch) else database
    first = 0
    for batch in batches:
        for part in batch.shards(PART_ROWS) if len(batch) else []:
            yield first, part
            first += len(part)


def _run(pipeline: Pipeline, first: int, part: SequenceBatch) -> PartResult:
    return pipeline.run(part, first_index=first)


def _results(
    pipeline: Pipeline, parts: Iterator[tuple[int, SequenceBatch]], executor: Executor | None
) -> Iterator[PartResult]:
    """Yield results in the order of the parts, holding few of them."""
    if executor is None:
        yield from (_run(pipeline, first, part) for first, part in parts)
        return
    futures: deque[Future[PartResult]] = deque()

    def submit(count: int) -> None:
        futures.extend(executor.submit(_run, pipeline, first, part) for first, part in islice(parts, count))

    try:
        submit(_IN_FLIGHT)
        while futures:
            yield futures.popleft().result()
            submit(1)
    finally:
        for future in futures:
            future.cancel()


def _judge(pipeline: Pipeline, hits: list[RawHit], passed: Passed, cutoff: Cutoffs | None, started: float) -> TopHits:
    """Return the reported hits with their E-values, best first."""
    o, core = pipeline.options, pipeline.core
    z = o.z if o.z is not None else float(passed.n_targets)
    limits = _Limits(o, cutoff)
    ordered = sorted(hits, key=lambda hit: (hit.log_p, hit.name, hit.place))
    reported = [hit for hit in ordered if limits.reports(hit.score, hit.log_p, z)]
    domain_z = o.domain_z if o.domain_z is not None else float(len(reported))
    found = tuple(_hit(pipeline, hit, z, domain_z, limits) for hit in reported)
    query = QueryInfo(core.name, core.accession or "", core.description or "", core.n_nodes)
    statistics = SearchStatistics(
        1, core.n_nodes, passed.n_targets, passed.n_residues, passed.msv, passed.bias, passed.viterbi, passed.forward,
        z, domain_z, time.perf_counter() - started,
    )  # fmt: skip
    return TopHits(query, found, statistics)


class _Limits:
    """The four thresholds of a search: by score where one is given, else by E-value."""

    def __init__(self, o: SearchOptions, cutoff: Cutoffs | None) -> None:
        sequence = cutoff.sequence if cutoff else None
        domain = cutoff.domain if cutoff and cutoff.domain is not None else sequence
        self._report = (sequence if cutoff else o.score, o.evalue)
        self._report_domain = (domain if cutoff else o.domain_score, o.domain_evalue)
        self._include = (sequence if cutoff else o.include_score, o.include_evalue)
        self._include_domain = (domain if cutoff else o.include_domain_score, o.include_domain_evalue)

    @staticmethod
    def _meets(limit: tuple[float | None, float], score: float, log_p: float, z: float) -> bool:
        lowest, evalue = limit
        return score >= lowest if lowest is not None else bool(np.exp(log_p) * z <= evalue)

    def reports(self, score: float, log_p: float, z: float) -> bool:
        """Return whether a target is reported."""
        return self._meets(self._report, score, log_p, z)

    def includes(self, score: float, log_p: float, z: float) -> bool:
        """Return whether a target is significant."""
        return self._meets(self._include, score, log_p, z)

    def reports_domain(self, score: float, log_p: float, domain_z: float) -> bool:
        """Return whether a domain is reported."""
        return self._meets(self._report_domain, score, log_p, domain_z)

    def includes_domain(self, score: float, log_p: float, domain_z: float) -> bool:
        """Return whether a domain is significant."""
        return self._meets(self._include_domain, score, log_p, domain_z)


def _hit(pipeline: Pipeline, raw: RawHit, z: float, domain_z: float, limits: _Limits) -> Hit:
    included = limits.includes(raw.score, raw.log_p, z)
    domains = tuple(_domain(pipeline, domain, z, domain_z, limits, included) for domain in raw.domains)
    return Hit(
        raw.name, "", raw.description, raw.length, raw.score, raw.bias, raw.log_p, float(np.exp(raw.log_p) * z), included,
        domains, raw.expected, raw.n_regions, raw.n_clustered, raw.n_overlaps, len(domains),
        int(np.argmax([domain.score for domain in domains])),
    )  # fmt: skip


def _domain(
    pipeline: Pipeline, raw: RawDomain, z: float, domain_z: float, limits: _Limits, hit_included: bool
) -> Domain:
    log_p = pipeline.log_p(raw.score)
    envelope, trace = raw.envelope, raw.envelope.trace
    return Domain(
        raw.score, raw.bias, envelope.first, envelope.last, int(trace.residues[0]), int(trace.residues[-1]),
        int(trace.nodes[0]), int(trace.nodes[-1]), log_p, float(np.exp(log_p) * domain_z), float(np.exp(log_p) * z),
        envelope.accuracy / (envelope.last - envelope.first + 1),
        limits.reports_domain(raw.score, log_p, domain_z),
        hit_included and limits.includes_domain(raw.score, log_p, domain_z),
        render(pipeline.finder.profile, trace, raw.residues),
    )  # fmt: skip
