"""Integer tables of the search filters, and the scores of many sequences through them, in nats.

The scales, offsets and roundings are those of HMMER 3 (Eddy 2011, PLoS Comput Biol 7:e1002195), whose statistics of random
scores, kept in profile files, belong to scores rounded so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seqem.bio.background import background
from seqem.kernels import profile_filters as kernel
from seqem.kernels import profile_viterbi as kv
from seqem.profile.configure import SearchProfile
from seqem.profile.tables import aligned, padded
from seqem.shapes import AnyArray, Array, IntArray

BYTE_SCALE = 3.0 / np.log(2.0)
WORD_SCALE = 500.0 / np.log(2.0)
BYTE_BASE, WORD_BASE = 190, 12000
# Neither filter charges for the residues outside of the match; on long targets that is worth about 3 nats.
LOOP_COSTS = 3.0
_HIGHEST, _LOWEST = 32767, -32768
_COMPOSITION_START = np.array([0.999, 0.001])


def _round(x: AnyArray) -> AnyArray:
    """Round halves away from zero, in single precision, as C does."""
    x = np.asarray(x, np.float32)
    return np.sign(x) * np.floor(np.abs(x) + np.float32(0.5))


def byte_cost(score: Array | float) -> AnyArray:
    """Return a score in nats as a byte's cost."""
    return np.minimum(-_round(np.float32(BYTE_SCALE) * np.asarray(score, np.float32)), 255).astype(np.int64)


def word_score(score: Array | float) -> AnyArray:
    """Return a score in nats as a word."""
    return np.clip(_round(np.float32(WORD_SCALE) * np.asarray(score, np.float32)), _LOWEST, _HIGHEST).astype(np.int64)


def move_score(lengths: IntArray) -> Array:
    """Return the log probability to leave the flanks of targets of such lengths."""
    return np.log(3.0 / (lengths + 3.0))


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters of one search profile (local, multihit)."""

    profile: SearchProfile
    width: int = 64

    @cached_property
    def _scores(self) -> Array:
        with np.errstate(divide="ignore"):
            return np.log(self.profile.odds)

    @cached_property
    def _n(self) -> int:
        return self.profile.odds.shape[1]

    # -- bytes -----------------------------------------------------------------------------------------

    @cached_property
    def _bias(self) -> int:
        letters = len(self.profile.core.alphabet.letters)
        return int(byte_cost(-max(0.0, float(self._scores[:letters].max()))))

    @cached_property
    def _byte_costs(self) -> NDArray[np.int64]:
        with np.errstate(invalid="ignore"):
            rounded = -_round(np.float32(BYTE_SCALE) * self._scores.astype(np.float32))
        return np.where(rounded > 255 - self._bias, 255, np.nan_to_num(rounded, posinf=255) + self._bias).astype(
            np.int64
        )

    @cached_property
    def _signed_costs(self) -> NDArray[np.int8]:
        core = np.minimum(self._byte_costs - self._bias, 127).astype(np.int8)
        return np.pad(core, ((0, 0), (self.width, 2 * self.width)), constant_values=127)

    @cached_property
    def _unsigned_costs(self) -> NDArray[np.uint8]:
        pad = -self._n % self.width
        return aligned(np.pad(self._byte_costs, ((0, 0), (0, pad)), constant_values=255).astype(np.uint8))

    @cached_property
    def _enter(self) -> int:
        return int(byte_cost(np.log(2.0 / (self._n * (self._n + 1.0)))))

    def segments(self, residues: AnyArray, offsets: IntArray) -> Array:
        """Return the MSV score of each sequence in nats; +inf where it saturates."""
        lengths = np.diff(offsets)
        best = np.empty(len(lengths), np.int64)
        kernel.best_segments(residues, offsets, self._signed_costs, self._n, best, (0,) * self.width)
        move, leave = byte_cost(move_score(lengths)), int(byte_cost(np.log(0.5)))
        ends = best + BYTE_BASE - move - self._enter
        full = (best >= 255 - self._bias) | (ends >= 255 - self._bias)
        chain = ends - leave
        scores = (chain - move - BYTE_BASE) / BYTE_SCALE - LOOP_COSTS
        scores[full] = np.inf
        # Where a segment scores above the start of the next one, or the short form may have saturated wrongly.
        unsure = (chain > BYTE_BASE) & (~full | (BYTE_BASE - move - self._enter < 128))
        scores[unsure] = self._chains(residues, offsets, np.flatnonzero(unsure), move[unsure])
        return scores

    def _chains(self, residues: AnyArray, offsets: IntArray, which: IntArray, move: IntArray) -> Array:
        values = np.empty(len(which), np.int64)
        costs = self._unsigned_costs
        leave, start = int(byte_cost(np.log(0.5))), move + self._enter
        row = aligned(np.zeros(costs.shape[1], np.uint8))
        dim = (0,) * self.width
        kernel.msv_all(residues, offsets, which, costs, self._bias, BYTE_BASE, leave, start, row, values, dim)
        return np.where(values < 0, np.inf, (values - move - BYTE_BASE) / BYTE_SCALE - LOOP_COSTS)

    # -- words -----------------------------------------------------------------------------------------

    @cached_property
    def _word_width(self) -> int:
        return max(self.width // 4, 1)

    @cached_property
    def _word_scores(self) -> NDArray[np.int16]:
        pad = -self._n % self._word_width
        return aligned(np.pad(word_score(self._scores), ((0, 0), (0, pad)), constant_values=_LOWEST).astype(np.int16))

    @cached_property
    def _steps(self) -> list[AnyArray]:
        """Scores of the steps in the order of the words' table, then the delete chain."""
        s = self.profile.steps
        with np.errstate(divide="ignore"):
            into = [
                word_score(np.log(row))
                for row in (s.match, s.insert, s.delete, s.entry, s.open, s.stay, s.skip, s.chain)
            ]
        # No step may be free: a path could otherwise pass through inserts for ever without losing.
        into[5] = np.minimum(into[5], -1)
        into = [np.minimum(row, 0) for row in into]
        chain = into.pop()
        return [*into, _gains(chain, into[kv.W_DM], into[kv.W_BM]), chain]

    @cached_property
    def _words(self) -> NDArray[np.int16]:
        width = self._word_width
        blocks = [padded(row - _LOWEST, width).reshape(-1, width) + _LOWEST for row in self._steps]
        chain = blocks.pop()
        table = np.stack([*blocks, _running_sum(chain), *_doubling_sum(chain)], axis=1)
        return aligned(np.clip(table, _LOWEST, _HIGHEST).astype(np.int16))

    def viterbi(self, residues: AnyArray, offsets: IntArray, which: IntArray) -> Array:
        """Return the Viterbi filter's score in nats of the sequences ``which``; +inf where it saturates."""
        values = np.empty(len(which), np.int64)
        move = word_score(move_score(np.diff(offsets)[which]))
        words, scores = self._words, self._word_scores
        row = aligned(np.zeros(3 * scores.shape[1], np.int16))
        dim = (0,) * self._word_width
        leave = int(word_score(np.log(0.5)))
        kv.viterbi_all(residues, offsets, which, scores, words, WORD_BASE, leave, move, row, values, dim)
        nats = (values + move - WORD_BASE) / WORD_SCALE - LOOP_COSTS
        return np.where(values == _HIGHEST, np.inf, np.where(values == _LOWEST, -np.inf, nats))

    # -- composition -----------------------------------------------------------------------------------

    @cached_property
    def _composition_odds(self) -> Array:
        alphabet, composition = self.profile.core.alphabet, self.profile.core.composition
        q = background(alphabet)
        mean = q if composition is None else composition
        return np.concatenate([alphabet.codes @ mean / (alphabet.codes @ q), [1.0, 1.0]])

    def composition(self, residues: AnyArray, offsets: IntArray, which: IntArray) -> Array:
        """Return the log odds in nats of the model's composition, where it helps, against the background."""
        lengths = np.diff(offsets)[which]
        biased = self._n / 8.0
        stays = np.stack([lengths / (lengths + 1.0), np.full(len(which), biased / (biased + 1.0))], axis=1)
        values = np.empty(len(which))
        kernel.composition_all(residues, offsets, which, self._composition_odds, stays, _COMPOSITION_START, values)
        return values


def _gains(chain: AnyArray, leave: AnyArray, enter: AnyArray) -> AnyArray:
    """Return the most that a chain of deletes from each delete to a match gains on beginning at that match."""
    gains = np.full(len(chain), _LOWEST)
    for k in range(len(chain) - 3, -1, -1):
        gains[k] = chain[k + 1] + max(leave[k + 2] - enter[k + 2], gains[k + 1])
    return np.clip(gains, _LOWEST, _HIGHEST)


def _running_sum(chain: AnyArray) -> AnyArray:
    return np.maximum(np.cumsum(chain, axis=1), _LOWEST)


def _doubling_sum(chain: AnyArray) -> list[AnyArray]:
    """Return sums of 1, 2, 4 ... neighbouring steps up to each lane, the lowest where they would leave the block."""
    width = chain.shape[1]
    steps = []
    total, reach = chain.copy(), 1
    while reach < width:
        total[:, :reach] = _LOWEST
        steps.append(total.copy())
        total[:, reach:] = np.maximum(total[:, reach:] + total[:, : width - reach], _LOWEST)
        reach *= 2
    return steps
