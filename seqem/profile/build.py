"""A core model from an alignment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqem.bio.alignment import Alignment
from seqem.bio.alphabet import Alphabet
from seqem.errors import DataError, ParameterError
from seqem.profile.annotate import annotated
from seqem.profile.counts import (
    ProfileCounts,
    column_counts,
    count_paths,
    fragment_spans,
    hand_columns,
    masked,
    residue_share,
)
from seqem.profile.effective import EFFECTIVE, Scaling, by_number, entropy_target
from seqem.profile.estimate import estimate
from seqem.profile.plan7 import CoreModel
from seqem.profile.priors import ProfilePrior, default_prior, laplace_prior
from seqem.profile.weights import IDENTITY, WEIGHTINGS
from seqem.shapes import Array, Mask

_TIE = 1e-9  # a share that is equal but for rounding, so that the order of rows does not matter
_PRIORS: dict[str, Callable[[Alphabet], ProfilePrior | None]] = {
    "default": default_prior,
    "laplace": laplace_prior,
    "none": lambda _: None,
}


@dataclass(frozen=True)
class Builder:
    """Recipe of a core model from an alignment; the defaults are those of HMMER 3.

    Attributes
    ----------
    weighting : {"pb", "gsc", "blosum", "given", "none"}
        Relative weights of the rows.
    effective : {"entropy", "exponential", "clusters", "none"} or float
        How the effective number of sequences is found, or the number.
    prior : {"default", "laplace", "none"} or ProfilePrior
        The default is a mixture of nine (proteins) or four (nucleotides) Dirichlet densities.
    symfrac : float
        Columns with residues in this share of the rows, by weight, become match nodes.
    fragthresh : float
        A row with at most this many residues a column is a fragment: its outer gaps are unknown.
    hand : bool
        Whether the columns are those of the reference line (RF) instead.
    ere, esigma : float
        Of :func:`~seqem.profile.effective.entropy_target`.
    wid, eid : float
        Identity of rows of one cluster, for weights and for the effective number.

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> rows = np.array([DNA.encode_aligned(text) for text in ("GAT-C", "GATTC", "CAT-C")])
    >>> model = Builder(effective="none").build(Alignment(rows, DNA, ("a", "b", "c"), name="tiny"))
    >>> model.name, model.n_nodes, model.consensus
    ('tiny', 4, 'gatc')
    """

    weighting: str = "pb"
    effective: str | float = "entropy"
    prior: str | ProfilePrior = "default"
    symfrac: float = 0.5
    fragthresh: float = 0.5
    hand: bool = False
    ere: float | None = None
    esigma: float = 45.0
    wid: float = IDENTITY
    eid: float = IDENTITY

    def __post_init__(self) -> None:
        _one_of("weighting", self.weighting, WEIGHTINGS)
        if isinstance(self.effective, str):
            _one_of("effective", self.effective, EFFECTIVE)
        elif not (np.isfinite(self.effective) and self.effective > 0):
            raise ParameterError("effective is no number of sequences", got=self.effective, expected="above 0")
        if isinstance(self.prior, str):
            _one_of("prior", self.prior, _PRIORS)
        for name in ("symfrac", "fragthresh", "wid", "eid"):
            if not 0 <= getattr(self, name) <= 1:
                raise ParameterError(f"{name} is out of range", got=getattr(self, name), expected="from 0 to 1")

    def build(self, alignment: Alignment, *, name: str | None = None) -> CoreModel:
        """Return the model of an alignment, not calibrated.

        Parameters
        ----------
        alignment : Alignment
            At least one row.
        name : str, optional
            Of the model; unless given that of the alignment.

        Returns
        -------
        CoreModel
            With annotation. Residues in columns that the MM line marks with m count as unknown, and their nodes emit
            the background.

        Raises
        ------
        DataError
            Where no column can be a match node, or a line that an option needs is missing.
        """
        if not len(alignment):
            raise DataError("the alignment has no rows")
        alignment = _with_letters(alignment)
        weights = self._weights(alignment)
        spans = fragment_spans(alignment, self.fragthresh)
        columns = self._columns(column_counts(alignment, spans, weights), alignment)
        shown = masked(alignment)
        counts, number = self._scaled(shown, count_paths(shown, columns, spans, weights))
        match, insert, transitions = estimate(counts, self._prior(alignment.alphabet))
        core = CoreModel(
            name or alignment.name or "unnamed",
            alignment.alphabet,
            match,
            insert,
            transitions,
            effective_number=number,
        )
        return annotated(core, alignment, columns)

    def _prior(self, alphabet: Alphabet) -> ProfilePrior | None:
        return _PRIORS[self.prior](alphabet) if isinstance(self.prior, str) else self.prior

    def _weights(self, alignment: Alignment) -> Array:
        return WEIGHTINGS[self.weighting](alignment, self.wid, hand_columns(alignment) if self.hand else None)

    def _columns(self, counts: Array, alignment: Alignment) -> Mask:
        share = residue_share(counts)
        columns = hand_columns(alignment) if self.hand else (share > 0) & (share >= self.symfrac - _TIE)
        if not columns.any():
            hint = "mark columns in the reference line" if self.hand else f"lower symfrac, {self.symfrac:g} now"
            raise DataError("no column of the alignment has enough residues", hint=hint)
        return columns

    def _scaled(self, alignment: Alignment, counts: ProfileCounts) -> tuple[ProfileCounts, float]:
        target = entropy_target(len(counts.match) - 1, alignment.alphabet, ere=self.ere, esigma=self.esigma)
        scaling = Scaling(alignment, self._prior(alignment.alphabet), target, self.eid)
        if isinstance(self.effective, str):
            return EFFECTIVE[self.effective](counts, scaling)
        return by_number(counts, scaling, self.effective)


def _with_letters(alignment: Alignment) -> Alignment:
    """Return the alignment with any letter at marks of no residue, which aligned targets may have."""
    gap = alignment.alphabet.gap
    return replace(alignment, symbols=np.where(alignment.symbols > gap, np.uint8(gap - 1), alignment.symbols))


def build(alignment: Alignment, *, name: str | None = None, **options: Any) -> CoreModel:
    """Return the model of an alignment; ``options`` are the fields of :class:`Builder`.

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> rows = np.array([DNA.encode_aligned(text) for text in ("GAT-C", "GATTC", "CAT-C")])
    >>> build(Alignment(rows, DNA, ("a", "b", "c")), name="tiny", symfrac=0.2).n_nodes
    5
    """
    return Builder(**options).build(alignment, name=name)


def _one_of(name: str, value: str, table: dict[str, Any]) -> None:
    if value not in table:
        raise ParameterError(f"unknown {name}", got=repr(value), expected=f"one of {', '.join(table)}")
