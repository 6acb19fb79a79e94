"""The search pipeline of one model: filters over a whole batch at a time, then domains of what is left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.profile.configure import configure
from seqem.profile.domains import DomainFinder, Domains, Envelope
from seqem.profile.evalue import gumbel_survival, null_score
from seqem.profile.filters import Filters
from seqem.profile.searcher import Searcher
from seqem.shapes import AnyArray, Array, IntArray

_LN2 = math.log(2.0)
_OMEGA = 1.0 / 256.0


class RawDomain(NamedTuple):
    """A domain before thresholds: bits, and the residues under its alignment."""

    envelope: Envelope
    score: float
    bias: float
    residues: AnyArray


class RawHit(NamedTuple):
    """A target that came through the pipeline, before thresholds; scores are bits."""

    place: int
    name: str
    description: str
    length: int
    score: float
    bias: float
    log_p: float
    domains: tuple[RawDomain, ...]
    expected: float
    n_regions: int
    n_clustered: int
    n_overlaps: int


@dataclass
class Passed:
    """Counts of targets that came through each stage; they add over parts of a database."""

    n_targets: int = 0
    n_residues: int = 0
    msv: int = 0
    bias: int = 0
    viterbi: int = 0
    forward: int = 0

    def __add__(self, other: Passed) -> Passed:
        return Passed(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


class PartResult(NamedTuple):
    """What a part of a database gives."""

    hits: list[RawHit]
    passed: Passed


class Pipeline(Searcher):
    """Search batches of targets with one model."""

    @cached_property
    def filters(self) -> Filters:
        """What most targets end at."""
        return Filters(configure(self.core))

    @cached_property
    def finder(self) -> DomainFinder:
        """What finds domains; most models of a library that is scanned never need it."""
        return DomainFinder(self.core)

    def run(self, batch: SequenceBatch, *, first_index: int = 0) -> PartResult:
        """Return what the targets of a batch give; ``first_index`` is the number of targets before it."""
        self.check(batch)
        offsets = batch.offsets
        lengths = np.diff(offsets)
        passed = Passed(len(batch), batch.n_rows)
        which = np.flatnonzero(lengths > 0)
        which, nulls = self._filtered(batch.values, offsets, lengths, which, passed)
        hits = []
        for s, null in zip(which.tolist(), nulls.tolist(), strict=True):
            residues = batch.values[offsets[s] : offsets[s + 1]]
            score, ahead = self.finder.forward(residues)
            if not self._passes_forward(score, null):
                continue
            passed.forward += 1
            hit = self._hit(batch, s, residues, score, self.finder.find(residues, ahead), first_index)
            if hit is not None:
                hits.append(hit)
        return PartResult(hits, passed)

    def _filtered(
        self, residues: AnyArray, offsets: IntArray, lengths: IntArray, which: IntArray, passed: Passed
    ) -> tuple[IntArray, Array]:
        """Return the targets that pass MSV, composition and Viterbi filters, with the null score of the last."""
        c, f, gates = self.calibration, self.filters, self.gates
        if self.options.sensitive:
            passed.msv = passed.bias = passed.viterbi = len(which)
            return which, null_score(lengths[which])
        scores = f.segments(residues, offsets)[which]
        null = null_score(lengths[which])
        keep = gumbel_survival((scores - null) / _LN2, c.msv, c.msv_lambda) <= gates.segments
        which, scores, null = which[keep], scores[keep], null[keep]
        passed.msv = len(which)
        if self.options.bias_filter:
            null = null + f.composition(residues, offsets, which)
        p = gumbel_survival((scores - null) / _LN2, c.msv, c.msv_lambda)
        keep = p <= gates.segments
        which, null, p = which[keep], null[keep], p[keep]
        passed.bias = len(which)
        doubtful = np.flatnonzero(p > gates.viterbi)
        keep = np.ones(len(which), bool)
        bits = (f.viterbi(residues, offsets, which[doubtful]) - null[doubtful]) / _LN2
        keep[doubtful] = gumbel_survival(bits, c.viterbi, c.viterbi_lambda) <= gates.viterbi
        which, null = which[keep], null[keep]
        passed.viterbi = len(which)
        return which, null

    def _passes_forward(self, score: float, null: float) -> bool:
        if self.options.sensitive:
            return True
        return self.log_p((score - null) / _LN2) <= np.log(self.gates.forward)

    def _hit(
        self, batch: SequenceBatch, s: int, residues: AnyArray, forward: float, found: Domains, first_index: int
    ) -> RawHit | None:
        if not found.envelopes:
            return None
        L = len(residues)
        null = float(null_score(L))
        score, plain = self._whole_score(L, forward, null, found)
        domains = tuple(self._domain(L, null, envelope, residues) for envelope in found.envelopes)
        log_p = self.log_p(score)
        name = batch.names[s] if batch.names is not None else str(first_index + s + 1)
        description = batch.descriptions[s] if batch.descriptions is not None else ""
        return RawHit(
            first_index + s, name, description, L, score, plain - score, log_p, domains,
            found.expected, found.n_regions, found.n_clustered, found.n_overlaps,
        )  # fmt: skip

    def _bias(self, correction: float) -> float:
        return float(np.logaddexp(0.0, np.log(_OMEGA) + correction)) if self.options.null2 else 0.0

    def _whole_score(self, length: int, forward: float, null: float, found: Domains) -> tuple[float, float]:
        """Return the score of the target in bits, corrected and not: of all paths, or of its domains where that is more."""
        plain = (forward - null) / _LN2
        score = (forward - null - self._bias(found.correction)) / _LN2
        good = [e for e in found.envelopes if e.score - self._corrected(e) > 0.0]
        covered = sum(e.last - e.first + 1 for e in good)
        if covered:
            summed = sum(e.score for e in good) + (length - covered) * np.log(length / (length + 3.0))
            bias = self._bias(sum(e.correction for e in good))
            if (summed - null - bias) / _LN2 > score:
                return float(summed - null - bias) / _LN2, float(summed - null) / _LN2
        return score, plain

    def _corrected(self, envelope: Envelope) -> float:
        return envelope.correction if self.options.null2 else 0.0

    def _domain(self, length: int, null: float, envelope: Envelope, residues: AnyArray) -> RawDomain:
        outside = length - (envelope.last - envelope.first + 1)
        bias = self._bias(envelope.correction)
        score = envelope.score + outside * np.log(length / (length + 3.0)) - null - bias
        placed = envelope.trace.residues
        return RawDomain(envelope, float(score) / _LN2, bias / _LN2, residues[placed[0] - 1 : placed[-1]].copy())
