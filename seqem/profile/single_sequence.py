"""A core model of one sequence: substitution scores as probabilities, and the same gap probabilities everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from Bio.Align import substitution_matrices
from scipy.optimize import brentq

from seqem.bio.alphabet import PROTEIN, Alphabet
from seqem.bio.background import background
from seqem.errors import DataError, ParameterError
from seqem.profile.annotate import described
from seqem.profile.plan7 import DD, DM, MD, MM, CoreModel
from seqem.shapes import Array

# Of nucleotides (ACGT), in units of about 1/50 nat, as HMMER 3 has them by the name of DNA1.
_DNA1 = ((41, -32, -26, -26), (-32, 39, -38, -17), (-26, -38, 46, -31), (-26, -17, -31, 39))


def from_sequence(
    symbols: Any,
    alphabet: Alphabet,
    *,
    name: str,
    popen: float | None = None,
    pextend: float | None = None,
    matrix: str | None = None,
) -> CoreModel:
    """Return the model of one sequence, not calibrated.

    Parameters
    ----------
    symbols : array-like of int, shape (M,)
        The sequence, degenerate letters allowed.
    alphabet : Alphabet
        Of the symbols.
    name : str
        Of the model.
    popen, pextend : float, optional
        Probabilities to open an insert, or a delete, and to extend it; 0.02 and 0.4 for proteins, 0.03125 and 0.75
        for nucleotides unless given.
    matrix : str, optional
        Of Bio.Align.substitution_matrices; BLOSUM62 for proteins, DNA1 for nucleotides unless given.

    Returns
    -------
    CoreModel
        Emissions P(b | a), inserts with background frequencies.

    Raises
    ------
    DataError
        Where the sequence is empty or has a gap.
    ParameterError
        Where a probability is out of range or the matrix has no scores of the alphabet.

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> from_sequence(DNA.encode("GAT"), DNA, name="tiny").match[1:].round(2).tolist()
    [[0.14, 0.11, 0.61, 0.13], [0.57, 0.13, 0.15, 0.15], [0.15, 0.18, 0.13, 0.54]]
    """
    # A stop says nothing of the residue.
    sequence = np.where(np.asarray(symbols) == alphabet.gap + 1, alphabet.gap - 1, symbols)
    if sequence.ndim != 1 or not sequence.size or sequence.max() >= alphabet.gap:
        raise DataError("a model wants one sequence without gaps", got=f"symbols of shape {sequence.shape}")
    default = (0.02, 0.4) if alphabet is PROTEIN else (0.03125, 0.75)
    transitions = _transitions(
        len(sequence), default[0] if popen is None else popen, default[1] if pextend is None else pextend
    )
    match = np.zeros((len(sequence) + 1, len(alphabet.letters)))
    match[0, 0] = 1.0
    match[1:] = conditionals(alphabet, matrix)[sequence]
    insert = np.tile(background(alphabet), (len(match), 1))
    return described(CoreModel(name, alphabet, match, insert, transitions, n_sequences=1), sequence)


def conditionals(alphabet: Alphabet, matrix: str | None = None) -> Array:
    """Return the probability of each letter in place of each symbol, shape (C, A).

    Joint probabilities are q_a q_b exp(lambda s_ab) with the lambda that makes their sum 1; the letters of a
    degenerate symbol are joined by their sum.

    References
    ----------
    Karlin and Altschul, PNAS 87:2264 (1990).
    """
    scores, q = _scores(alphabet, matrix), background(alphabet)
    pairs = np.outer(q, q)
    if (pairs * scores).sum() >= 0 or scores.max() <= 0:
        raise ParameterError("scores have no scale: their mean must be negative, one of them positive", got=matrix)
    scale = brentq(lambda x: (pairs * np.exp(x * scores)).sum() - 1, *_bracket(pairs, scores), xtol=1e-14)
    joint = alphabet.codes @ (pairs * np.exp(scale * scores))
    return joint / joint.sum(axis=1, keepdims=True)


def _bracket(pairs: Array, scores: Array) -> tuple[float, float]:
    """Return scales with sums of joint probabilities below and above 1."""
    high = 1 / scores.max()
    while (pairs * np.exp(high * scores)).sum() <= 1:
        high *= 2
    low = high / 2
    while (pairs * np.exp(low * scores)).sum() >= 1:
        low /= 2
    return low, high


def _scores(alphabet: Alphabet, matrix: str | None) -> Array:
    if matrix in (None, "DNA1") and alphabet is not PROTEIN:
        return np.array(_DNA1, float)
    name = matrix or "BLOSUM62"
    if name not in substitution_matrices.load():
        raise ParameterError("unknown matrix", got=repr(name), expected="one of Bio.Align.substitution_matrices")
    table = substitution_matrices.load(name)
    if not set(alphabet.letters) <= set(table.alphabet):
        raise ParameterError(f"{name} has no scores of {alphabet.name}", got=table.alphabet)
    return np.array(table.select(alphabet.letters), float)


def _transitions(M: int, popen: float, pextend: float) -> Array:
    if not 0 <= popen < 0.5 or not 0 <= pextend < 1:
        raise ParameterError(
            "gap probabilities are out of range", got=f"{popen}, {pextend}", expected="popen below 0.5, pextend below 1"
        )
    row = [1 - 2 * popen, popen, popen, 1 - pextend, pextend, 1 - pextend, pextend]
    transitions = np.tile(row, (M + 1, 1))
    transitions[-1, [MM, MD, DM, DD]] = 1 - popen, 0.0, 1.0, 0.0
    return transitions
