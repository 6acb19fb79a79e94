"""Search a database with a model: parts of it through the pipeline, then E-values and thresholds over all."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor

from seqem.bio.alphabet import PROTEIN
from seqem.core.batch import SequenceBatch
from seqem.profile.hits import QueryInfo, SearchStatistics, TopHits
from seqem.profile.judge import Limits, draft, judged
from seqem.profile.long_targets import STRANDS, Strand, search_long
from seqem.profile.options import SearchOptions
from seqem.profile.parts import in_order, parts_of
from seqem.profile.pipeline import PartResult, Passed, Pipeline, RawHit
from seqem.profile.plan7 import CoreModel


def search(
    core: CoreModel,
    database: SequenceBatch | Iterable[SequenceBatch],
    options: SearchOptions | None = None,
    *,
    strands: Sequence[Strand] = STRANDS,
    executor: Executor | None = None,
) -> TopHits:
    """Search targets with a calibrated model: proteins as wholes, DNA and RNA of any length by windows on both strands.

    Parameters
    ----------
    core : CoreModel
        With calibration.
    database : SequenceBatch or iterable of SequenceBatch
        The targets; of an iterable, such as one that reads a file in parts, only a few parts are held at a time.
    options : SearchOptions, optional
        Thresholds.
    strands : sequence of {"watson", "crick"}
        Of DNA and RNA: the strand as given, its reverse complement, or both.
    executor : concurrent.futures.Executor, optional
        Threads, processes or a cluster; the result does not depend on it.

    Returns
    -------
    TopHits
        The reported targets; of DNA and RNA each domain is a hit, see :func:`seqem.profile.long_targets.search_long`.

    Raises
    ------
    DataError
        Where the targets are in another alphabet.
    ParameterError
        Where the model has no calibration, or not the cutoffs that are asked for.
    """
    options = options or SearchOptions()
    if core.alphabet is not PROTEIN:
        return search_long(core, database, options, strands=strands, executor=executor)
    started = time.perf_counter()
    limits = Limits(options, options.cutoff_of(core))
    pipeline = Pipeline(core, options)
    hits: list[RawHit] = []
    passed = Passed()
    tasks = ((pipeline, first, part) for first, part in parts_of(database))
    for part in in_order(_run, tasks, executor):
        hits += part.hits
        passed = passed + part.passed
    return _judge(pipeline, hits, passed, limits, started)


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
        z, domain_z, time.perf_counter() - started, pipeline.gates,
    )  # fmt: skip
    return TopHits(query, found, statistics)
