"""Scan sequences with a library of models: each sequence is a query, the models that fit it are its hits."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import NamedTuple

from seqem.core.batch import SequenceBatch
from seqem.profile.hits import Hit, QueryInfo, SearchStatistics, TopHits
from seqem.profile.judge import Limits, draft, judged
from seqem.profile.options import SearchOptions
from seqem.profile.parts import in_order, parts_of
from seqem.profile.pipeline import Passed, Pipeline
from seqem.profile.plan7 import CoreModel


class _Candidate(NamedTuple):
    place: int
    model: int
    hit: Hit
    limits: Limits


class _Scanned(NamedTuple):
    """What one model gives."""

    candidates: list[_Candidate]
    passed: Passed
    n_nodes: int


def scan(
    batch: SequenceBatch,
    models: Iterable[CoreModel],
    options: SearchOptions | None = None,
    *,
    executor: Executor | None = None,
) -> list[TopHits]:
    """Scan each sequence of a batch with all models of a library.

    Parameters
    ----------
    batch : SequenceBatch
        The sequences.
    models : iterable of CoreModel
        With calibration; gone through once, a few models at a time, so that a library need not fit in memory.
    options : SearchOptions, optional
        Thresholds; Z is the number of models unless given, domZ the number of those reported for the sequence.
        Cutoffs are each model's own.
    executor : concurrent.futures.Executor, optional
        Threads, processes or a cluster; the result does not depend on it.

    Returns
    -------
    list of TopHits
        One a sequence, in order; the query is the sequence, each hit a model. Counts of targets that passed a filter
        are those of all sequences together.

    Raises
    ------
    DataError
        Where the sequences are in another alphabet than a model.
    ParameterError
        Where a model has no calibration, or not the cutoffs that are asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from seqem.bio.alphabet import PROTEIN
    >>> from seqem.profile.calibrate import calibrate
    >>> from seqem.profile.single_sequence import from_sequence
    >>> texts = {"a": "MKVLATWYCDEFGHIKLMNP", "b": "WWHHCCDDEEFFGGHHIIKK"}
    >>> library = (calibrate(from_sequence(PROTEIN.encode(text), PROTEIN, name=name)) for name, text in texts.items())
    >>> batch = SequenceBatch.of([PROTEIN.encode("GG" + texts["b"] + "AA")], names=("query",), alphabet=PROTEIN.letters)
    >>> [(result.query.name, [hit.name for hit in result]) for result in scan(batch, library)]
    [('query', ['b'])]
    """
    started = time.perf_counter()
    options = options or SearchOptions()
    candidates: list[list[_Candidate]] = [[] for _ in range(len(batch))]
    passed = Passed()
    n_models = n_nodes = 0
    tasks = ((core, batch, options, number) for number, core in enumerate(models, 1))
    for found in in_order(_scanned, tasks, executor):
        n_models, n_nodes, passed = n_models + 1, n_nodes + found.n_nodes, passed + found.passed
        for candidate in found.candidates:
            candidates[candidate.place].append(candidate)
    seconds = time.perf_counter() - started

    def result(s: int) -> TopHits:
        z = options.z if options.z is not None else float(n_models)
        hits, domain_z = _judge(candidates[s], options, z)
        length = int(batch.offsets[s + 1] - batch.offsets[s])
        statistics = SearchStatistics(
            n_models, n_nodes, 1, length, passed.msv, passed.bias, passed.viterbi, passed.forward, z, domain_z, seconds
        )
        return TopHits(_query(batch, s, length), hits, statistics)

    return [result(s) for s in range(len(batch))]


def _scanned(core: CoreModel, batch: SequenceBatch, options: SearchOptions, number: int) -> _Scanned:
    """Return the sequences that a model, the n-th of the library, may report: E-values only grow with more models."""
    limits = Limits(options, options.cutoff_of(core))
    pipeline = Pipeline(core, options)
    about = {
        "name": core.name,
        "accession": core.accession or "",
        "description": core.description or "",
        "length": core.n_nodes,
    }
    z = options.z if options.z is not None else float(number)
    passed = Passed()
    candidates = []
    for first, part in parts_of(batch):
        found = pipeline.run(part, first_index=first)
        passed = passed + found.passed
        candidates += [
            _Candidate(raw.place, number, draft(pipeline, raw, **about), limits)
            for raw in found.hits
            if limits.reports(raw.score, raw.log_p, z)
        ]
    return _Scanned(candidates, passed, core.n_nodes)


def _judge(candidates: list[_Candidate], options: SearchOptions, z: float) -> tuple[tuple[Hit, ...], float]:
    """Return the reported models of a sequence, best first, and their number or what is given for it."""
    ordered = sorted(candidates, key=lambda c: (c.hit.log_p, c.hit.name, c.model))
    reported = [c for c in ordered if c.limits.reports(c.hit.score, c.hit.log_p, z)]
    domain_z = options.domain_z if options.domain_z is not None else float(len(reported))
    return tuple(judged(c.hit, c.limits, z, domain_z) for c in reported), domain_z


def _query(batch: SequenceBatch, s: int, length: int) -> QueryInfo:
    name = batch.names[s] if batch.names is not None else str(s + 1)
    return QueryInfo(
        name, "", batch.descriptions[s] if batch.descriptions is not None else "", length, is_sequence=True
    )
