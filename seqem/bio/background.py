"""Background frequencies of residues: what a profile is compared with."""

from __future__ import annotations

import numpy as np

from seqem.bio.alphabet import PROTEIN, Alphabet
from seqem.shapes import Array

# Average composition of Swiss-Prot, in the order of PROTEIN.letters, as HMMER 3 has it.
_AMINO = (
    0.0787945, 0.0151600, 0.0535222, 0.0668298, 0.0397062, 0.0695071, 0.0229198, 0.0590092, 0.0594422, 0.0963728,
    0.0237718, 0.0414386, 0.0482904, 0.0395639, 0.0540978, 0.0683364, 0.0540687, 0.0673417, 0.0114135, 0.0304133,
)  # fmt: skip


def background(alphabet: Alphabet) -> Array:
    """Return the background frequency of each canonical letter: Swiss-Prot's for proteins, else equal.

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> background(DNA).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    if alphabet is PROTEIN:
        q = np.array(_AMINO)
        return q / q.sum()
    return np.full(len(alphabet.letters), 1 / len(alphabet.letters))
