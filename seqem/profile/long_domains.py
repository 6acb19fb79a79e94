"""Domain definition on windows of long targets: each envelope against the composition of its own residues.

Long targets vary in composition, so that one background for all would reward low complexity: an envelope is decoded with
the background mixed with its own residues, envelopes much longer than their alignment are trimmed, and what the mixed
background takes off is the correction (Wheeler & Eddy 2013, Bioinformatics 29:2487).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seqem.bio.background import background
from seqem.profile.configure import SearchProfile, configure
from seqem.profile.decode import WIDTH, Decoded, Decoder, Machine
from seqem.profile.domains import DomainFinder, Envelope
from seqem.profile.evalue import null_score
from seqem.profile.plan7 import CoreModel
from seqem.shapes import AnyArray, Array

# An envelope may be longer than its alignment by this much on each side.
_MARGIN = 20
# Weight of the fixed background, in residues, against those of a window, of which so many count.
_WEIGHT, _FEWEST, _MOST = 25.0, 50, 100
_IMPOSSIBLE = -1e4


class LongDomainFinder(DomainFinder):
    """Find the domains on windows of long targets with one model.

    ``null2`` says whether the background is mixed with the residues of the envelope.
    """

    def __init__(self, core: CoreModel, *, null2: bool = True) -> None:
        super().__init__(core)
        self._mixes = null2
        self._single = Machine(configure(core, multihit=False), np.float32, WIDTH)

    def _rescore(
        self, residues: AnyArray, first: int, last: int, null2: Array, *, by_expectation: bool
    ) -> list[Envelope]:
        found = self._decode(residues, first, last)
        if found is None:
            return []
        low = max(first, int(found.trace.residues[0]) - _MARGIN)
        high = min(last, int(found.trace.residues[-1]) + _MARGIN)
        if (low, high) != (first, last):
            first, last = low, high
            found = self._decode(residues, first, last)
            if found is None:
                return []
        if not self._mixes:
            return [Envelope(first, last, found.score, 0.0, found.accuracy, found.trace)]
        fixed = self._score(residues[first - 1 : last])
        score = min(found.score, fixed)
        return [Envelope(first, last, score, fixed - score, found.accuracy, found.trace)]

    def profile_of(self, residues: AnyArray, first: int, last: int) -> SearchProfile:
        """Return the profile that an envelope of a window is decoded with."""
        if not self._mixes:
            return self.decoder.profile
        q = self._background_of(residues[first - 1 : last], len(residues))
        return replace(self.decoder.profile, odds=self._odds_against(q))

    def _decode(self, residues: AnyArray, first: int, last: int) -> Decoded | None:
        part = residues[first - 1 : last]
        decoder = Decoder(self.profile_of(residues, first, last)) if self._mixes else self.decoder
        return decoder(part, len(part), first=first)

    def _score(self, part: AnyArray) -> float:
        """Return the Forward score in nats of an envelope against the fixed background."""
        machine = self._single
        return machine.forward(part, machine.specials(len(part)), machine.one_row())[0]

    def _background_of(self, part: AnyArray, window: int) -> Array:
        """Return the background mixed with the residues of an envelope in a window of so many residues."""
        alphabet = self.core.alphabet
        codes = alphabet.codes
        counts = np.bincount(part, minlength=len(codes))[: len(codes)] @ (codes / codes.sum(axis=1, keepdims=True))
        weight = _WEIGHT / min(_MOST, max(_FEWEST, window))
        return weight * background(alphabet) + (1 - weight) * counts / counts.sum()

    def _odds_against(self, q: Array) -> Array:
        shares = self.core.alphabet.codes * q
        shares /= shares.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            scores = np.maximum(np.log(self.core.match[1:] / q), _IMPOSSIBLE)
        return np.vstack([np.exp(shares @ scores.T), np.zeros((2, self.core.n_nodes))])


def long_score(envelope: Envelope, max_length: int) -> float:
    """Return the score in bits of an envelope as if it lay in a window of the model's greatest length."""
    n = envelope.last - envelope.first + 1
    n_aligned = int(envelope.trace.residues[-1]) - int(envelope.trace.residues[0]) + 1
    window = max(max_length, n)
    score = envelope.score + 2 * np.log((n + 2) / (max_length + 2))
    score -= (n - n_aligned) * np.log(n / (n + 2))
    score += (window - n_aligned) * np.log(max_length / (max_length + 2))
    return float((score - null_score(window)) / np.log(2.0))
