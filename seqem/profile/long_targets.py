"""Search long nucleotide targets, such as chromosomes, on both strands: one hit for each domain.

The pipeline is that of nhmmer (Wheeler & Eddy 2013, Bioinformatics 29:2487): an ungapped scan finds windows, which pass the
filters of composition, Viterbi and Forward before domains are defined in them. A strand is scanned as a whole, where nhmmer
cuts it into blocks of 262,144 residues that overlap: hits do not depend on blocks, and where a window crosses the border of
two blocks they may differ from nhmmer's. Memory is that of the targets and of one group of windows.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from typing import Literal

import numpy as np

from seqem.bio.alphabet import PROTEIN
from seqem.core.batch import SequenceBatch
from seqem.errors import ParameterError
from seqem.profile.hits import Domain, Hit, QueryInfo, SearchStatistics, TopHits
from seqem.profile.judge import Limits
from seqem.profile.long_pipeline import LongPipeline, RawLongHit, StrandResult
from seqem.profile.options import SearchOptions
from seqem.profile.parts import in_order, parts_of
from seqem.profile.pipeline import Passed
from seqem.profile.plan7 import CoreModel

# Ends of two alignments nearer than this, or so much of one within the other, make them one.
_FLUSH, _WITHIN = 3, 0.95
Strand = Literal["watson", "crick"]
STRANDS: tuple[Strand, ...] = ("watson", "crick")


def search_long(
    core: CoreModel,
    database: SequenceBatch | Iterable[SequenceBatch],
    options: SearchOptions | None = None,
    *,
    strands: Sequence[Strand] = STRANDS,
    executor: Executor | None = None,
) -> TopHits:
    """Search long targets, of any length, with a calibrated model of DNA or RNA.

    Parameters
    ----------
    core : CoreModel
        With calibration.
    database : SequenceBatch or iterable of SequenceBatch
        The targets.
    options : SearchOptions, optional
        Thresholds. ``z`` is the size of the database in megabases; by default that of the targets. Limits are those of
        targets, since each hit has one domain.
    strands : sequence of {"watson", "crick"}
        The strand as given, its reverse complement, or both.
    executor : concurrent.futures.Executor, optional
        Shares out parts of the database and strands; the result does not depend on it.

    Returns
    -------
    TopHits
        One hit for each domain; on the reverse strand it runs from higher to lower places. E-values are P-values times
        the residues searched over MAXL. The statistics count residues that pass the filters, not targets.

    Raises
    ------
    DataError
        Where the targets are in another alphabet.
    ParameterError
        Where the model is of proteins, lacks calibration or the cutoffs asked for, or a strand is unknown.
    """
    started = time.perf_counter()
    options = options or SearchOptions()
    chosen = _check(core, strands)
    limits = Limits(options, options.cutoff_of(core))
    pipeline = LongPipeline(core, options)
    hits: list[RawLongHit] = []
    passed = Passed()
    tasks = ((pipeline, first, part, reverse) for first, part in parts_of(database) for reverse in chosen)
    for part in in_order(_run, tasks, executor):
        hits += part.hits
        passed = passed + part.passed
    passed.n_targets //= len(chosen)
    z = options.z * 1e6 * len(chosen) if options.z is not None else float(passed.n_residues)
    return _judge(pipeline, without_duplicates(hits), passed, limits, z, started)


def _check(core: CoreModel, strands: Sequence[Strand]) -> list[bool]:
    if core.alphabet is PROTEIN:
        raise ParameterError(
            f"model {core.name!r} is of proteins", hint="proteins are searched with seqem.profile.search.search"
        )
    if not strands or isinstance(strands, str) or not set(strands) <= set(STRANDS):
        raise ParameterError("unknown strands", got=repr(strands), expected="some of 'watson', 'crick'")
    return [name == "crick" for name in dict.fromkeys(strands)]


def _run(pipeline: LongPipeline, first: int, batch: SequenceBatch, reverse: bool) -> StrandResult:
    return pipeline.run_strand(batch, reverse=reverse, first_index=first)


def without_duplicates(hits: list[RawLongHit]) -> list[RawLongHit]:
    """Return the hits but for those that are found again, with nearly the same ends or within another, less well."""
    ordered = sorted(hits, key=lambda h: (h.place, h.reverse, h.low, -h.high))
    kept: list[RawLongHit] = []
    for hit in ordered:
        if not (kept and _same(kept[-1], hit)):
            kept.append(hit)
        elif hit.log_p < kept[-1].log_p:
            kept[-1] = hit
    return kept


def _same(a: RawLongHit, b: RawLongHit) -> bool:
    if (a.place, a.reverse) != (b.place, b.reverse):
        return False
    if min(a.model_to, b.model_to) < max(a.model_from, b.model_from):
        return False
    common = min(a.high, b.high) - max(a.low, b.low) + 1
    shorter = min(a.high - a.low, b.high - b.low) + 1
    flush = abs(a.low - b.low) <= _FLUSH or abs(a.high - b.high) <= _FLUSH
    return flush or common >= _WITHIN * shorter


def _judge(
    pipeline: LongPipeline, hits: list[RawLongHit], passed: Passed, limits: Limits, z: float, started: float
) -> TopHits:
    """Return the reported hits with their E-values, best first."""
    core, comparisons = pipeline.core, z / pipeline.max_length
    ordered = sorted(hits, key=lambda h: (h.log_p, h.name, h.reverse, h.low if not h.reverse else h.high))
    found = tuple(_hit(h, comparisons, limits) for h in ordered if limits.reports(h.score, h.log_p, comparisons))
    query = QueryInfo(core.name, core.accession or "", core.description or "", core.n_nodes)
    statistics = SearchStatistics(
        1, core.n_nodes, passed.n_targets, passed.n_residues, passed.msv, passed.bias, passed.viterbi, passed.forward,
        z, z, time.perf_counter() - started, pipeline.gates, "residues",
    )  # fmt: skip
    return TopHits(query, found, statistics)


def _hit(raw: RawLongHit, comparisons: float, limits: Limits) -> Hit:
    evalue = float(np.exp(raw.log_p) * comparisons)
    included = limits.includes(raw.score, raw.log_p, comparisons)
    start, end = (raw.high, raw.low) if raw.reverse else (raw.low, raw.high)
    domain = Domain(
        raw.score, raw.bias, *raw.envelope, start, end, raw.model_from, raw.model_to, raw.log_p, evalue, evalue,
        raw.accuracy, True, included, raw.alignment,
    )  # fmt: skip
    return Hit(
        raw.name, "", raw.description, raw.length, raw.score, raw.bias, raw.log_p, evalue, included, (domain,),
        1.0, 1, 0, 0, 1, 0,
    )  # fmt: skip
