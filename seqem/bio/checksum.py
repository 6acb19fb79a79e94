"""Checksum of an alignment as profile HMM files keep it: which alignment a model was built from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqem.bio.alignment import Alignment
from seqem.bio.alphabet import Alphabet
from seqem.kernels.checksum import one_at_a_time

# The digital codes that the hash of the HMMER3 format is taken over: canonical letters, gap, degenerate letters.
_ORDER = {
    "dna": "ACGT-RYMKSWHVBDN",
    "rna": "ACGU-RYMKSWHVBDN",
    "protein": "ACDEFGHIKLMNPQRSTVWY-BJZOUX",
}


def alignment_checksum(alignment: Alignment) -> int:
    """Return the CKSUM that a HMMER3 model built from the alignment has.

    Parameters
    ----------
    alignment : Alignment
        All rows and columns count, names and annotation do not.

    Returns
    -------
    int
        32 bits. Where the file marks residues as ``*`` or missing data as ``~``, which an Alignment holds as
        any residue and as gap, it is not that of other programs.

    Examples
    --------
    >>> from seqem.bio.alphabet import PROTEIN
    >>> rows = PROTEIN.encode_aligned("ACDEFGHIKLMNPQRSTVWY")
    >>> alignment_checksum(Alignment(np.array([rows] * 10), PROTEIN, tuple("abcdefghij")))
    1166427327
    """
    return int(one_at_a_time(_codes(alignment.alphabet)[alignment.symbols.reshape(-1)]))


def _codes(alphabet: Alphabet) -> NDArray[np.uint8]:
    """Return the code of the hash for each symbol, the gap included."""
    letters = alphabet.letters + "".join(alphabet.degenerate) + alphabet.gaps[0]
    return np.array([_ORDER[alphabet.name].index(letter) for letter in letters], np.uint8)
