"""The search pipeline of one model over strands of long targets: windows, filters, domains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.profile.annotate import length_bound
from seqem.profile.domains import Envelope
from seqem.profile.evalue import gumbel_survival, null_score
from seqem.profile.hits import DomainAlignment
from seqem.profile.long_domains import LongDomainFinder, long_score
from seqem.profile.pipeline import Passed
from seqem.profile.render import render
from seqem.profile.searcher import Searcher
from seqem.profile.windows import Reach, WindowFilters, complement, gumbel_quantile, merge
from seqem.shapes import AnyArray, Array, IntArray

_LN2 = np.log(2.0)
# Lengths of windows up to which the composition counts in full, in the filters of segments, Viterbi and Forward.
_B1, _B2, _B3 = 110, 240, 1000
# Windows of the Viterbi filter are joined where they share more than half, and cut where Forward would lose precision.
_SHARE = 0.5
_LONGEST, _MOST_OVERLAP = 80_000, 40_000
# Shorter alignments are by-products of low thresholds.
_SHORTEST = 8
# Residues of the windows that are filtered at a time.
GROUP_ROWS = 1 << 20


class RawLongHit(NamedTuple):
    """A domain before thresholds: bits, and places on the target, which count from 1 on the strand as given.

    ``low`` and ``high`` are the ends of the alignment, ``envelope`` runs in the direction of the strand.
    """

    place: int
    name: str
    description: str
    length: int
    reverse: bool
    low: int
    high: int
    envelope: tuple[int, int]
    model_from: int
    model_to: int
    score: float
    bias: float
    log_p: float
    accuracy: float
    alignment: DomainAlignment


class StrandResult(NamedTuple):
    """What one strand of some targets gives; ``passed`` counts residues."""

    hits: list[RawLongHit]
    passed: Passed


class _Found(NamedTuple):
    """A domain with the first place, from 0, of its window on the strand, and its lines."""

    offset: int
    envelope: Envelope
    alignment: DomainAlignment


class LongPipeline(Searcher):
    """Search strands of long targets with one model."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.max_length = self.core.max_length or length_bound(self.core.transitions)
        self.finder = LongDomainFinder(self.core, null2=self.options.null2)
        self.windows = WindowFilters(self.finder.profile)
        self.reach = Reach(self.finder.profile, self.max_length)

    def run_strand(self, batch: SequenceBatch, *, reverse: bool, first_index: int = 0) -> StrandResult:
        """Return what one strand of the targets of a batch gives; ``first_index`` is the number of targets before it."""
        self.check(batch)
        passed = Passed(len(batch), batch.n_rows)
        hits = []
        for s, residues in enumerate(batch):
            name = batch.names[s] if batch.names is not None else str(first_index + s + 1)
            description = batch.descriptions[s] if batch.descriptions is not None else ""
            for found in self._domains(residues, reverse, passed):
                hit = self._hit_of(found, (first_index + s, name, description, len(residues)), reverse)
                hits.append(hit)
        return StrandResult(hits, passed)

    # -- windows ---------------------------------------------------------------------------------------

    def _domains(self, residues: AnyArray, reverse: bool, passed: Passed) -> Iterator[_Found]:
        c = self.calibration
        limit = self.windows.segment_limit(gumbel_quantile(self.gates.segments, c.msv, c.msv_lambda), self.max_length)
        seeds = self.windows.segment_seeds(residues, limit, self.max_length, reverse=reverse)
        windows = merge(self.reach.windows(seeds, len(residues)), 0.0)
        for group in _groups(windows):
            values, offsets = self._copy(residues, group, reverse)
            which, composition = self._filtered_windows(values, offsets, passed)
            for w, more in zip(which.tolist(), composition.tolist(), strict=True):
                window = values[offsets[w] : offsets[w + 1]]
                yield from self._window(window, int(group[w, 0]) - 1, more, passed)

    def _copy(self, residues: AnyArray, windows: IntArray, reverse: bool) -> tuple[AnyArray, IntArray]:
        """Return the residues of windows on a strand, one after another, and where each begins."""
        L = len(residues)
        if reverse:
            other = complement(self.core.alphabet)
            parts = [other[residues[L - high : L - low + 1][::-1]] for low, high in windows.tolist()]
        else:
            parts = [residues[low - 1 : high] for low, high in windows.tolist()]
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
        return np.ascontiguousarray(np.concatenate(parts)), offsets

    def _filtered_windows(self, values: AnyArray, offsets: IntArray, passed: Passed) -> tuple[IntArray, Array]:
        """Return the windows that pass the filters of segments and composition, and what the composition explains."""
        c, lengths = self.calibration, np.diff(offsets)
        nats = self.windows.segments(values, offsets) - null_score(lengths)
        which = np.flatnonzero(gumbel_survival(nats / _LN2, c.msv, c.msv_lambda) <= self.gates.segments)
        passed.msv += int(lengths[which].sum())
        composition = np.zeros(len(which))
        if self._uses_composition:
            composition = self.windows.composition(values, offsets, which)
            left = nats[which] - composition * np.minimum(1.0, _B1 / lengths[which])
            keep = gumbel_survival(left / _LN2, c.msv, c.msv_lambda) <= self.gates.segments
            which, composition = which[keep], composition[keep]
        passed.bias += int(lengths[which].sum())
        return which, composition

    @property
    def _uses_composition(self) -> bool:
        return self.options.bias_filter and not self.options.sensitive

    def _window(self, residues: AnyArray, offset: int, composition: float, passed: Passed) -> Iterator[_Found]:
        """Yield the domains of a window, of the parts of it that pass the Viterbi and Forward filters."""
        c, L = self.calibration, len(residues)
        length = min(L, self.max_length)
        nats = float(null_score(length)) + composition * min(1.0, _B2 / L)
        nats += _LN2 * gumbel_quantile(self.gates.viterbi, c.viterbi, c.viterbi_lambda)
        seeds = self.windows.viterbi_seeds(residues, nats, length)
        before, passed_before = 0, 0
        for low, high in self._cut(merge(self.reach.windows(seeds, L), _SHARE)):
            passed.viterbi += high - low + 1 - max(0, before - low + 1)
            before = high
            part = residues[low - 1 : high]
            score, ahead = self.finder.forward(part)
            if not self._passes(part, score):
                continue
            passed.forward += high - low + 1 - max(0, passed_before - low + 1)
            passed_before = high
            for envelope in self.finder.find(part, ahead).envelopes:
                first, last = int(envelope.trace.residues[0]), int(envelope.trace.residues[-1])
                if last - first + 1 >= _SHORTEST:
                    profile = self.finder.profile_of(part, envelope.first, envelope.last)
                    lines = render(profile, envelope.trace, part[first - 1 : last])
                    yield _Found(offset + low - 1, envelope, lines)

    def _cut(self, windows: IntArray) -> Iterator[tuple[int, int]]:
        step = _LONGEST - min(_MOST_OVERLAP, self.max_length)
        for low, high in windows.tolist():
            while high - low + 1 > _LONGEST:
                yield low, low + _LONGEST - 1
                low += step
            yield low, high

    def _passes(self, residues: AnyArray, score: float) -> bool:
        """Return whether a window passes the Forward filter."""
        L = len(residues)
        null = float(null_score(L))
        if self._uses_composition:
            composition = self.windows.composition(residues, np.array([0, L]), np.array([0]))
            null += float(composition[0]) * min(1.0, _B3 / L)
        return self.log_p((score - null) / _LN2) <= np.log(self.gates.forward)

    # -- hits ------------------------------------------------------------------------------------------

    def _hit_of(self, found: _Found, target: tuple[int, str, str, int], reverse: bool) -> RawLongHit:
        envelope, trace = found.envelope, found.envelope.trace

        def on_target(place: int) -> int:
            return target[3] + 1 - place - found.offset if reverse else place + found.offset

        ends = sorted(on_target(int(place)) for place in (trace.residues[0], trace.residues[-1]))
        score = long_score(envelope, self.max_length)
        return RawLongHit(
            *target, reverse, ends[0], ends[1], (on_target(envelope.first), on_target(envelope.last)),
            int(trace.nodes[0]), int(trace.nodes[-1]), score, envelope.correction / _LN2, self.log_p(score),
            envelope.accuracy / (envelope.last - envelope.first + 1),
            found.alignment,
        )  # fmt: skip


def _groups(windows: IntArray) -> Iterator[IntArray]:
    """Yield neighbours of so many residues at most, or one that alone has more."""
    if not len(windows):
        return
    ends = np.cumsum(windows[:, 1] - windows[:, 0] + 1)
    cuts = np.flatnonzero(np.diff(ends // GROUP_ROWS)) + 1
    yield from np.split(windows, cuts)
