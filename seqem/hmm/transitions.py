"""M-step of a chain: counts of starts, transitions and ends become probabilities, under whatever constraints hold."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqem.chain.params import ChainParams, ChainStats, stationary_distribution
from seqem.distributions.dirichlet import check_alpha, dirichlet_log_density, dirichlet_map
from seqem.distributions.transforms import SIMPLEX
from seqem.errors import DegenerateWarning, ParameterError
from seqem.hmm.constrained import group_uses, stationary_step, tied_rows
from seqem.shapes import AnyArray, Array, Mask

FIELDS = ("start", "trans", "end")


@dataclass(frozen=True, eq=False)
class TransitionStep:
    """Maximise the chain's part of the expected log-likelihood.

    Attributes
    ----------
    start_prior, trans_prior : float or array-like
        Dirichlet parameters (at least one) of the start and of the rows of transitions. Zeros stay zeros.
    fixed : mapping of str to True or array of bool
        Entries of "start", "trans", "end" that keep their values; the rest of a row shares what they leave.
    tied : ndarray of int, shape (K, K), optional
        Entries of trans with the same number above zero are equal.
    stationary : bool
        Whether the start is the stationary distribution of trans.
    """

    start_prior: Any = 1.0
    trans_prior: Any = 1.0
    fixed: dict[str, Any] = field(default_factory=dict)
    tied: AnyArray | None = None
    stationary: bool = False

    def __post_init__(self) -> None:
        check_alpha(self.start_prior)
        check_alpha(self.trans_prior)
        if self.stationary and self.tied is not None:
            raise ParameterError(
                "tied transitions and a stationary start exclude each other",
                hint="a first row of NaN before each sequence, with a free start, comes close",
            )
        unknown = set(self.fixed) - set(FIELDS)
        if unknown:
            raise ParameterError("unknown part in fixed", got=sorted(unknown), expected=FIELDS)

    def kept(self, name: str, shape: tuple[int, ...]) -> Mask:
        """Return which entries of a part keep their values."""
        return np.broadcast_to(np.asarray(self.fixed.get(name, False), dtype=bool), shape)

    def maximise(self, stats: ChainStats, old: ChainParams) -> ChainParams:
        """Return the chain that maximises expected log-likelihood plus log prior; rows without counts stay."""
        if old.varies:
            return old._replace(start=self._start(stats, old))
        rows, counts, kept = self._rows(old), self._counts(stats, old), self._kept_rows(old)
        idle = ~(counts > 0).any(1) & ~kept.all(1)
        if idle.any() and not np.all(self.trans_prior == 1.0):
            idle = np.zeros_like(idle)
        if idle.any():
            warnings.warn(
                f"states {np.flatnonzero(idle).tolist()} were never left; their rows of transmat stay as they were",
                DegenerateWarning,
                stacklevel=2,
            )
        prior = self._row_prior(old)
        if self.tied is not None:
            new = tied_rows(counts + (prior - 1.0), rows, kept, self._groups(old))
        else:
            new = dirichlet_map(counts, prior, rows, kept)
        chain = self._split(new, old)
        if self.stationary:
            return stationary_step(stats.start, counts + (prior - 1.0), old, kept)
        return chain._replace(start=self._start(stats, old))

    def allowed(self, chain: ChainParams) -> ChainParams:
        """Return the chain nearest to the given one that meets the constraints, for a fit to begin with."""
        if self.tied is not None and not chain.varies:
            rows = self._rows(chain)
            chain = self._split(tied_rows(rows, rows, self._kept_rows(chain), self._groups(chain)), chain)
        return chain._replace(start=stationary_distribution(chain.trans)) if self.stationary else chain

    def log_prior(self, chain: ChainParams) -> float:
        """Return the log density of the Dirichlet priors up to a constant."""
        value = 0.0 if chain.varies else dirichlet_log_density(self._rows(chain), self._row_prior(chain))
        return value if self.stationary else value + dirichlet_log_density(chain.start[None], self.start_prior)

    def expected_log_likelihood(self, stats: ChainStats, chain: ChainParams) -> float:
        """Return the sum of counts times log probabilities."""
        pairs = [(stats.start, chain.start)]
        if not chain.varies:
            pairs += [(stats.trans, chain.trans)] + ([] if chain.end is None else [(stats.end, chain.end)])
        total = 0.0
        for counts, probabilities in pairs:
            seen = counts > 0
            with np.errstate(divide="ignore"):
                total += float((counts[seen] * np.log(probabilities[seen])).sum())
        return total

    def pack(self, chain: ChainParams) -> Array:
        """Return the free probabilities as log-ratios."""
        self._refuse_ties()
        rows = np.zeros(0) if chain.varies else SIMPLEX.pack(self._rows(chain), self._kept_rows(chain))
        start = np.zeros(0) if self.stationary else SIMPLEX.pack(chain.start[None], self._kept_start(chain))
        return np.concatenate([start, rows])

    def unpack(self, vector: Array, like: ChainParams) -> ChainParams:
        """Return the chain of a vector of log-ratios."""
        self._refuse_ties()
        n = 0 if self.stationary else SIMPLEX.size(like.start[None], self._kept_start(like))
        chain = like
        if not like.varies:
            chain = self._split(SIMPLEX.unpack(vector[n:], self._rows(like), self._kept_rows(like)), like)
        if self.stationary:
            return chain._replace(start=stationary_distribution(chain.trans))
        return chain._replace(start=SIMPLEX.unpack(vector[:n], like.start[None], self._kept_start(like))[0])

    def n_free(self, chain: ChainParams) -> int:
        """Return the number of free probabilities."""
        n = 0 if self.stationary else SIMPLEX.size(chain.start[None], self._kept_start(chain))
        if chain.varies:
            return n
        if self.tied is None:
            return n + SIMPLEX.size(self._rows(chain), self._kept_rows(chain))
        rows, kept, groups = self._rows(chain), self._kept_rows(chain), self._groups(chain)
        free = ~kept & (rows > 0)
        used = group_uses(free, np.unique(groups[free], return_inverse=True)[1])
        return n + used.shape[1] - int(np.linalg.matrix_rank(used))

    def _refuse_ties(self) -> None:
        if self.tied is not None:
            raise ParameterError(
                "tied transitions have no unconstrained coordinates", hint="fit with method='em'; bootstrap for errors"
            )

    def _start(self, stats: ChainStats, old: ChainParams) -> Array:
        return dirichlet_map(stats.start[None], self.start_prior, old.start[None], self._kept_start(old))[0]

    def _kept_start(self, chain: ChainParams) -> Mask:
        return self.kept("start", chain.start.shape)[None]

    def _rows(self, chain: ChainParams) -> Array:
        """Return trans with the ends as a last column."""
        return chain.trans if chain.end is None else np.column_stack([chain.trans, chain.end])

    def _split(self, rows: Array, like: ChainParams) -> ChainParams:
        if like.end is None:
            return like._replace(trans=rows)
        return like._replace(trans=np.ascontiguousarray(rows[:, :-1]), end=rows[:, -1].copy())

    def _counts(self, stats: ChainStats, chain: ChainParams) -> Array:
        return stats.trans if chain.end is None else np.column_stack([stats.trans, stats.end])

    def _row_prior(self, chain: ChainParams) -> Array:
        prior = np.broadcast_to(np.asarray(self.trans_prior, dtype=float), chain.trans.shape)
        return prior if chain.end is None else np.column_stack([prior, np.ones(chain.n_states)])

    def _kept_rows(self, chain: ChainParams) -> Mask:
        kept = self.kept("trans", chain.trans.shape)
        if chain.end is None:
            return kept
        return np.column_stack([kept, self.kept("end", chain.end.shape)])

    def _groups(self, chain: ChainParams) -> AnyArray:
        """Return the number of the group of every entry of the rows; entries that are not tied have their own."""
        rows = self._rows(chain)
        groups = -1 - np.arange(rows.size).reshape(rows.shape)
        tied = np.asarray(self.tied)
        if tied.shape != chain.trans.shape:
            raise ParameterError("tied does not fit transmat", got=tied.shape, expected=chain.trans.shape)
        inner = groups[:, : chain.n_states]
        inner[tied > 0] = tied[tied > 0]
        return groups
