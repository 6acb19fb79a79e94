"""Domain definition: where on a target the domains lie, how they score, and how they align.

The rules and constants are those of HMMER 3 (User Guide; Eddy 2011): regions by posterior heuristics, regions of several
domains cut by clustering sampled paths, each envelope scored and aligned on its own, composition corrected by null2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqem.kernels import profile_domains as kd
from seqem.profile.configure import SearchProfile, configure
from seqem.profile.decode import WIDTH, Decoder, Machine, Trace
from seqem.profile.plan7 import CoreModel
from seqem.shapes import AnyArray, Array, IntArray

_START_AT, _EXTEND_TO, _SEVERAL = 0.25, 0.10, 0.20
_N_SAMPLES, _OVERLAP, _DIAGONALS = 200, 0.8, 4
_MIN_POSTERIOR, _MIN_END_SUPPORT = 0.25, 0.02
# The generator of the sampled paths is HMMER's with its seed, 42 mixed: the same clusters, the same envelopes.
SEED = 42


class Envelope(NamedTuple):
    """One domain: ``score`` and ``correction`` in nats, ``accuracy`` the expected number of rightly placed residues."""

    first: int
    last: int
    score: float
    correction: float
    accuracy: float
    trace: Trace


class Domains(NamedTuple):
    """The domains of a target; ``correction`` is the sum of the null2 log odds over all residues."""

    envelopes: list[Envelope]
    correction: float
    expected: float
    n_regions: int
    n_clustered: int
    n_overlaps: int


def mix_seed(seed: int) -> int:
    """Return the first state of HMMER's fast generator (Jenkins' mix of three words)."""
    a, b, c = seed, 87654321, 12345678
    for right, left, last in ((13, 8, 13), (12, 16, 5), (3, 10, 15)):
        a = (a - b - c) & 0xFFFFFFFF ^ c >> right
        b = (b - c - a) & 0xFFFFFFFF ^ a << left & 0xFFFFFFFF
        c = (c - a - b) & 0xFFFFFFFF ^ b >> last
    return c or 42


class DomainFinder:
    """Find the domains of targets with one model; holds its tables."""

    def __init__(self, core: CoreModel) -> None:
        self.core = core
        self.profile = configure(core)
        self.machine = Machine(self.profile, np.float32, WIDTH)
        self.decoder = Decoder(configure(core, multihit=False))
        self.odds = _null2_odds(self.profile)
        self._seed = mix_seed(SEED)

    def forward(self, residues: AnyArray) -> tuple[float, AnyArray]:
        """Return the Forward score in nats and the special states of a target."""
        return self.machine.forward(residues, self.machine.specials(len(residues)), self.machine.one_row())

    def find(self, residues: AnyArray, ahead: AnyArray) -> Domains:
        """Return the domains of a target whose special states in Forward are ``ahead``."""
        L = len(residues)
        specials = self.machine.specials(L)
        behind = self.machine.backward(residues, specials, ahead, self.machine.one_row())
        begins, ends, occupied = np.empty((3, L + 1))
        kd.occupancy(ahead, behind, specials, begins, ends, occupied)
        regions = np.empty((L // 2 + 1, 3), np.int64)
        n_regions = kd.find_regions(begins, ends, occupied, _START_AT, _EXTEND_TO, _SEVERAL, regions)
        null2 = np.zeros(L + 1)
        envelopes: list[Envelope] = []
        n_clustered = n_overlaps = 0
        for first, last, several in regions[:n_regions].tolist():
            if not several:
                envelopes += self._rescore(residues, first, last, null2, by_expectation=True)
                continue
            n_clustered += 1
            previous = 0
            for lo, hi in self._clusters(residues, first, last, null2):
                n_overlaps += lo <= previous
                found = self._rescore(residues, lo, hi, null2, by_expectation=False)
                previous = hi if found else previous
                envelopes += found
        return Domains(envelopes, float(null2.sum()), float(begins[L]), n_regions, n_clustered, n_overlaps)

    # -- regions of several domains --------------------------------------------------------------------

    def _clusters(self, residues: AnyArray, first: int, last: int, null2: Array) -> list[tuple[int, int]]:
        region = residues[first - 1 : last]
        cells = self.machine.all_rows(len(region), "cells")
        specials = self.machine.specials(len(residues))
        _, states = self.machine.forward(region, specials, cells)
        ratios = np.empty(len(region) + 1)
        segments = self._sample(region, cells, states, specials, ratios)
        null2[first : last + 1] = np.log(ratios[1:])
        return [(lo + first - 1, hi + first - 1) for lo, hi in cluster_segments(segments, _N_SAMPLES)]

    def _sample(
        self, region: AnyArray, cells: AnyArray, states: AnyArray, specials: AnyArray, ratios: Array
    ) -> IntArray:
        path = np.empty((2 * len(region) + 2 * len(self.odds) * (len(region) + 2), 3), np.int32)[: 1 << 22]
        room, found = 4 * _N_SAMPLES, -1
        while found < 0:
            room *= 4
            segments = np.empty((room, 5), np.int64)
            found = kd.sample_segments(
                cells, states, self.machine.steps, self.odds, specials, region,
                self._seed, _N_SAMPLES, ratios, segments, path, self.machine.tables.dim,
            )  # fmt: skip
        return segments[:found]

    # -- envelopes -------------------------------------------------------------------------------------

    def _rescore(
        self, residues: AnyArray, first: int, last: int, null2: Array, *, by_expectation: bool
    ) -> list[Envelope]:
        part = residues[first - 1 : last]
        found = self.decoder(part, len(residues), first=first)
        if found is None:
            return []
        if by_expectation:
            null2[first : last + 1] = np.log(self._null2(found.usage, len(part)))[part]
        correction = float(null2[first : last + 1].sum())
        return [Envelope(first, last, found.score, correction, found.accuracy, found.trace)]

    def _null2(self, usage: AnyArray, length: int) -> Array:
        """Return the odds of each symbol in the composition of the domain."""
        used = usage.astype(np.float64) / length
        return used[0, : len(self.odds)] @ self.odds + used[1].sum() + used[2, 0]


def _null2_odds(profile: SearchProfile) -> Array:
    """Return the odds of each node's composition (M, symbols): of other than canonical letters the mean, of marks 1."""
    codes = profile.core.alphabet.codes
    canonical = profile.odds[: codes.shape[1]]
    known = codes @ canonical / codes.sum(axis=1, keepdims=True)
    return np.ascontiguousarray(np.vstack([known, np.ones((2, known.shape[1]))]).T)


def cluster_segments(segments: IntArray, n_samples: int) -> list[tuple[int, int]]:
    """Return first and last residue of each domain that enough sampled paths agree on, in order.

    Parameters
    ----------
    segments : ndarray, shape (n, 5)
        Sample, first and last residue, first and last node.
    n_samples : int
        Number of sampled paths.
    """
    kinds, kind_of = np.unique(segments[:, 1:], axis=0, return_inverse=True)
    cluster = np.empty(len(kinds), np.int64)
    n_clusters = kd.link_segments(np.insert(kinds, 0, 0, axis=1), _OVERLAP, _DIAGONALS, cluster)
    cluster_of = cluster[kind_of.reshape(-1)]
    found = []
    for c in range(n_clusters):
        members = segments[cluster_of == c]
        support = len(np.unique(members[:, 0]))
        if support < _MIN_POSTERIOR * n_samples:
            continue
        needed = int(np.ceil(np.float32(support) * np.float32(_MIN_END_SUPPORT)))
        i, j, k, m = (_end(members[:, column], needed, column in (1, 3)) for column in range(1, 5))
        if i <= j and k <= m:
            found.append((i, j, support))
    return _without_shadows(sorted(found, key=lambda domain: domain[0]))


def _end(values: IntArray, needed: int, outermost_low: bool) -> int:
    """Return the outermost coordinate that enough paths have, or else the most frequent one."""
    places, counts = np.unique(values, return_counts=True)
    enough = places[counts >= needed]
    if not len(enough):
        return int(places[np.argmax(counts)])
    return int(enough[0] if outermost_low else enough[-1])


def _without_shadows(found: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Drop the less probable of every two domains that overlap nearly whole; of equals, the first."""
    pairs = [(a, b) for n, a in enumerate(found) for b in found[n + 1 :] if _shadowed(a, b)]
    dropped = {id(b) if a[2] > b[2] else id(a) for a, b in pairs}
    return [(domain[0], domain[1]) for domain in found if id(domain) not in dropped]


def _shadowed(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    common = min(a[1], b[1]) - max(a[0], b[0]) + 1
    return common >= _OVERLAP * min(a[1] - a[0] + 1, b[1] - b[0] + 1)
