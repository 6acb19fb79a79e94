"""FamilyModel: a profile HMM as an EM model of unaligned sequences (Krogh et al. 1994)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from seqem.bio.alphabet import Alphabet
from seqem.bio.background import background
from seqem.core.batch import SequenceBatch
from seqem.distributions.transforms import Simplex
from seqem.em.protocol import EStep
from seqem.errors import NumericalError
from seqem.kernels import profile_forward as kf
from seqem.profile.configure import Mode, SearchProfile, configure
from seqem.profile.plan7 import DD, DM, II, IM, MD, MI, MM, CoreModel
from seqem.profile.priors import ProfilePrior
from seqem.profile.tables import forward_tables, scratch
from seqem.shapes import AnyArray, Array

_TRIPLE, _INSERT, _DELETE = slice(MM, MD + 1), slice(IM, II + 1), slice(DM, DD + 1)
# Groups of free transitions with the first node that has them; the last node leads to the end.
_FREE = ((0, _TRIPLE), (0, _INSERT), (1, _DELETE))
_SIMPLEX = Simplex()


class FamilyParams(NamedTuple):
    """Emissions of the match states, (M, A), and the transitions of nodes 0 to M, (M + 1, 7)."""

    match: Array
    transitions: Array


class FamilyCounts(NamedTuple):
    """Expected counts in the shape of the parameters, residues before and after the model, weight of the sequences."""

    match: Array
    transitions: Array
    flanks: Array
    weight: Array


@dataclass(frozen=True)
class FamilyModel:
    """Recipe of a profile HMM whose flanks emit the background and whose inserts do too.

    Attributes
    ----------
    alphabet : Alphabet
        What the sequences are in.
    prior : ProfilePrior
        Dirichlet mixtures over emissions and transitions. Densities are those of the logits of the probabilities, in
        which the M-step has a mode for every positive pseudo-count.
    mode : {"glocal", "local"}
        Whether each sequence holds whole domains, or may hold parts.
    multihit : bool
        Whether a sequence may hold several.

    Notes
    -----
    Statistics are expected counts, additive over sequences, weighted by ``batch.weights``.
    """

    alphabet: Alphabet
    prior: ProfilePrior
    mode: Mode = "glocal"
    multihit: bool = False

    def core(self, params: FamilyParams, name: str = "family") -> CoreModel:
        """Return the parameters as a core model."""
        q = background(self.alphabet)
        first = np.zeros((1, len(q)))
        first[0, 0] = 1.0
        insert = np.broadcast_to(q, (len(params.match) + 1, len(q)))
        return CoreModel(name, self.alphabet, np.vstack([first, params.match]), insert, params.transitions)

    def profile(self, params: FamilyParams) -> SearchProfile:
        """Return the search profile of the parameters in the mode of training.

        A degenerate letter has the odds that it stands for one of its letters, and local entries are uniform: with the
        mean scores and the entries of a search, EM would have no closed M-step.
        """
        profile = configure(self.core(params), mode=self.mode, multihit=self.multihit)
        codes = self.alphabet.codes
        odds = profile.odds.copy()
        odds[: len(codes)] = codes @ params.match.T / (codes @ background(self.alphabet))[:, None]
        steps, n = profile.steps, len(params.match)
        if self.mode == "local":
            steps = steps._replace(entry=np.full(n, 2.0 / (n * (n + 1))))
        return replace(profile, odds=odds, steps=steps)

    def e_step(self, params: FamilyParams, batch: SequenceBatch) -> EStep:
        """Return expected counts and the log odds, against the background, of a batch.

        Raises
        ------
        NumericalError
            Where a sequence is impossible under the model.
        """
        profile = self.profile(params)
        weights = np.ones(len(batch)) if batch.weights is None else batch.weights
        sums = np.zeros((kf.COUNTS, len(params.match)))
        uses, flanks = np.zeros_like(profile.odds), np.zeros(2)
        scores = self._add(profile, batch, weights, np.float32, 16, sums, uses, flanks)
        lost = np.flatnonzero(np.isneginf(scores))
        if len(lost):  # beyond the range of 32 bits
            rest = SequenceBatch.of([batch[s] for s in lost.tolist()])
            scores[lost] = self._add(profile, rest, weights[lost], np.float64, 8, sums, uses, flanks)
        if not np.isfinite(scores).all():
            raise NumericalError(
                "a sequence is impossible under the model", got=f"{int((~np.isfinite(scores)).sum())} such"
            )
        counts = self._counts(profile, sums, uses, flanks, float(weights.sum()))
        return EStep(counts, float(scores @ weights))

    def _add(
        self,
        profile: SearchProfile,
        batch: SequenceBatch,
        weights: Array,
        dtype: type,
        width: int,
        sums: Array,
        uses: Array,
        flanks: Array,
    ) -> Array:
        """Add the sums over a batch and return its scores in nats."""
        t = forward_tables(profile, width=width, dtype=dtype)
        longest = int(batch.lengths.max(initial=0)) + 1
        cells, later = scratch("cells", longest * t.row, dtype), scratch("later", longest * t.row, dtype)
        states: AnyArray = np.empty((longest, kf.STATES), dtype)
        behind = np.empty_like(states)
        padded = t.odds.shape[1]
        part: AnyArray = np.zeros((kf.COUNTS, padded), dtype)
        part_uses = np.zeros_like(t.odds)
        all_sums, all_uses = np.zeros(part.shape), np.zeros(part_uses.shape)
        scores = np.empty(len(batch))
        kf.expected_counts(
            batch.values, batch.offsets, weights.astype(dtype), int(self.multihit), t.odds, t.ahead, t.back, cells, later,
            states, behind, part, part_uses, all_sums, all_uses, scores, t.dim,
        )  # fmt: skip
        sums += all_sums[:, : sums.shape[1]]
        flanks += all_sums[[kf.C_N, kf.C_C], 0]
        uses += all_uses[:, : uses.shape[1]]
        return scores

    def _counts(self, profile: SearchProfile, sums: Array, uses: Array, flanks: Array, weight: float) -> FamilyCounts:
        core, s = profile.core, profile.steps
        t = core.transitions
        counts = np.zeros_like(t)
        inner = counts[1:]
        inner[:, MM], inner[:, MI], inner[:, MD] = (
            sums[kf.C_MM] * t[1:, MM],
            sums[kf.C_MI] * s.open,
            sums[kf.C_MD] * t[1:, MD],
        )
        inner[:, IM], inner[:, II] = sums[kf.C_IM] * t[1:, IM], sums[kf.C_II] * s.stay
        inner[:, DM], inner[:, DD] = sums[kf.C_DM] * t[1:, DM], sums[kf.C_DD] * t[1:, DD]
        inner[-1] = 0.0
        if self.mode == "glocal":
            _add_entries(counts, t, sums[kf.C_BM] * s.entry)
        letters = len(self.alphabet.letters)
        return FamilyCounts(self._spread(core, uses, letters), counts, flanks, np.array(weight))

    def _spread(self, core: CoreModel, uses: Array, letters: int) -> Array:
        """Return counts of canonical letters, degenerate ones spread as the model's emissions say."""
        match = uses[:letters].T.copy()
        for symbol in np.flatnonzero(uses[letters : len(self.alphabet.codes)].any(axis=1)) + letters:
            share = core.match[1:] * self.alphabet.codes[symbol]
            match += share / share.sum(axis=1, keepdims=True) * uses[symbol][:, None]
        return match

    def m_step(self, stats: FamilyCounts, params: FamilyParams) -> FamilyParams:
        """Return the parameters that the counts and the prior's pseudo-counts make most probable."""
        p = self.prior
        match = p.match.improve(stats.match, params.match)
        t, c = params.transitions.copy(), stats.transitions
        priors = (p.match_transitions, p.insert_transitions, p.delete_transitions)
        for prior, (first, part) in zip(priors, _FREE, strict=True):
            t[first:-1, part] = prior.improve(c[first:-1, part], t[first:-1, part])
        return FamilyParams(match, t)

    def expected_log_likelihood(self, stats: FamilyCounts, params: FamilyParams, reference: FamilyParams) -> float:
        """Return Q(params | reference) up to a constant, of the statistics taken at ``reference``."""
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.where(stats.transitions > 0, stats.transitions * np.log(params.transitions), 0.0)
        return float((stats.match * np.log(params.match)).sum() + steps.sum())

    def pack(self, params: FamilyParams) -> Array:
        """Return additive log-ratios of all free probabilities."""
        rows = [params.match, *(params.transitions[first:-1, part] for first, part in _FREE)]
        return np.concatenate([_SIMPLEX.pack(row, np.zeros(row.shape, bool)) for row in rows])

    def unpack(self, vector: Array, like: FamilyParams) -> FamilyParams:
        """Return the parameters of log-ratios."""
        t = like.transitions.copy()
        at = 0

        def rows(old: Array) -> Array:
            nonlocal at
            size = old.shape[0] * (old.shape[1] - 1)
            at += size
            return _SIMPLEX.unpack(vector[at - size : at], old, np.zeros(old.shape, bool))

        match = rows(like.match)
        for first, part in _FREE:
            t[first:-1, part] = rows(t[first:-1, part])
        return FamilyParams(match, t)

    def log_prior(self, params: FamilyParams) -> float:
        """Return the log density of the logits of all free probabilities."""
        p, t = self.prior, params.transitions
        return float(
            p.match.log_density(params.match).sum()
            + p.match_transitions.log_density(t[:-1, _TRIPLE]).sum()
            + p.insert_transitions.log_density(t[:-1, _INSERT]).sum()
            + p.delete_transitions.log_density(t[1:-1, _DELETE]).sum()
        )


def _add_entries(counts: Array, t: Array, entries: Array) -> None:
    """Share the counts of entries among the steps from begin and the deletes that they stand for."""
    direct = t[0, MM] + t[0, MI]
    counts[0, MM] += entries[0] * t[0, MM] / direct
    counts[0, MI] += entries[0] * t[0, MI] / direct
    later = entries[1:]
    counts[0, MD] += later.sum()
    counts[1 : len(entries), DM] += later
    # An entry at node k has passed the deletes 1 to k - 1, by the steps out of 1 to k - 2.
    passing = later[::-1].cumsum()[::-1]
    counts[1 : len(entries) - 1, DD] += passing[1:]
