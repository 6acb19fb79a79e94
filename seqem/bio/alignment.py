"""A multiple alignment: digital rows of one length with names and annotation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seqem.bio.alphabet import Alphabet
from seqem.core.batch import SequenceBatch
from seqem.errors import DataError
from seqem.shapes import Array


@dataclass(frozen=True, eq=False)
class Alignment:
    """S aligned sequences of W columns.

    Attributes
    ----------
    symbols : ndarray of uint8, shape (S, W)
        Symbols of ``alphabet``; ``alphabet.gap`` where a row has no residue.
    alphabet : Alphabet
        What the symbols are.
    names : tuple of str
        One a row.
    weights : ndarray, shape (S,), optional
        Weights that the file gives.
    name, accession, description : str, optional
        Of the family.
    reference, structure, mask : str, optional
        Annotation of the columns, W letters: RF, SS_cons and MM.
    cutoffs : mapping of str to tuple of float
        "GA", "TC" and "NC" thresholds where the file gives them.
    row_descriptions : tuple of str
        Description of each row, may be empty.
    """

    symbols: NDArray[np.uint8]
    alphabet: Alphabet
    names: tuple[str, ...]
    weights: Array | None = None
    name: str | None = None
    accession: str | None = None
    description: str | None = None
    reference: str | None = None
    structure: str | None = None
    mask: str | None = None
    cutoffs: dict[str, tuple[float, ...]] = field(default_factory=dict)
    row_descriptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.symbols.ndim != 2 or len(self.names) != len(self.symbols):
            raise DataError(
                "an alignment wants one name a row",
                got=f"{len(self.names)} names, symbols of shape {self.symbols.shape}",
            )

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def n_columns(self) -> int:
        """Number of columns, W."""
        return self.symbols.shape[1]

    @property
    def is_residue(self) -> NDArray[np.bool_]:
        """Where a row has a residue, shape (S, W)."""
        return self.symbols != self.alphabet.gap

    def without_gaps(self) -> SequenceBatch:
        """Return the rows as unaligned sequences.

        Examples
        --------
        >>> from seqem.bio.alphabet import DNA
        >>> Alignment(np.array([[0, 15, 1]]), DNA, ("a",)).without_gaps()[0].tolist()
        [0, 1]
        """
        rows = [row[kept] for row, kept in zip(self.symbols, self.is_residue, strict=True)]
        return SequenceBatch.of(rows, names=self.names, alphabet=self.alphabet.letters)
