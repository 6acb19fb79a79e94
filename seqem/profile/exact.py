"""Exact answers about one sequence and one search profile, in log space: for oracles, and where floats of 32 bits underflow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqem.kernels import profile_log as kernel
from seqem.kernels.profile_forward import LOOP, C, J, N
from seqem.profile.configure import SearchProfile
from seqem.shapes import AnyArray, Array, IntArray


class Posteriors(NamedTuple):
    """Posterior probabilities that a residue is emitted by each match or insert, (L, M), or by N, J or C, (L, 3)."""

    match: Array
    insert: Array
    flanks: Array


class Path(NamedTuple):
    """A path from N before the first residue to C behind the last one.

    ``states`` (see :mod:`seqem.kernels.profile_domains`), ``nodes``, from 1, or 0 outside of the model, and ``residues``,
    from 1: the last one passed.
    """

    states: IntArray
    nodes: IntArray
    residues: IntArray


class _Problem:
    """Logarithms of a profile and room for the matrices of one sequence."""

    def __init__(self, profile: SearchProfile, residues: AnyArray, length: int | None) -> None:
        with np.errstate(divide="ignore"):
            self.odds = np.log(profile.odds)
            self.steps = np.log(np.stack(profile.steps))
            self.special = np.log(profile.specials(len(residues) if length is None else length))
        self.residues = residues

    def run(self, recursion: object) -> tuple[float, Array, Array]:
        """Return the score, cells (L + 1, 3, M) and states (L + 1, 5) of a recursion."""
        rows = len(self.residues) + 1
        cells, states = np.empty((rows, 3, self.odds.shape[1])), np.empty((rows, 5))
        score = recursion(self.residues, self.odds, self.steps, self.special, cells, states)  # type: ignore[operator]
        return float(score), cells, states


def forward_score(profile: SearchProfile, residues: AnyArray, *, length: int | None = None) -> float:
    """Return the log odds of a sequence over all paths, in nats; -inf where it is impossible.

    Parameters
    ----------
    profile : SearchProfile
        In any mode.
    residues : ndarray of uint8
        Symbols of the sequence.
    length : int, optional
        Length of the target that the flanks are for; by default that of the sequence.
    """
    return _Problem(profile, residues, length).run(kernel.forward)[0]


def posteriors(profile: SearchProfile, residues: AnyArray, *, length: int | None = None) -> Posteriors:
    """Return where each residue is likely emitted; all zero where the sequence is impossible.

    Parameters
    ----------
    profile, residues, length
        As for :func:`forward_score`.
    """
    problem = _Problem(profile, residues, length)
    score, cells, states = problem.run(kernel.forward)
    _, later, behind = problem.run(kernel.backward)
    if score == -np.inf:
        score = np.inf
    emitted = np.exp(cells[1:, :2] + later[1:, :2] - score)
    flanks = [N, J, C]
    loops = np.exp(states[:-1, flanks] + problem.special[LOOP] + behind[1:, flanks] - score)
    return Posteriors(emitted[:, 0], emitted[:, 1], loops)


def viterbi_path(profile: SearchProfile, residues: AnyArray, *, length: int | None = None) -> tuple[float, Path]:
    """Return the log odds of the best path, in nats, and the path, which is empty where the sequence is impossible.

    Parameters
    ----------
    profile, residues, length
        As for :func:`forward_score`.
    """
    problem = _Problem(profile, residues, length)
    score, cells, states = problem.run(kernel.viterbi)
    # Between two residues a path passes E, J, B and no more deletes than there are nodes.
    most = (len(residues) + 1) * (cells.shape[2] + 5)
    steps = np.empty((most, 3), np.int64)
    count = kernel.trace_back(cells, states, problem.steps, problem.special, steps)
    return score, Path(*np.ascontiguousarray(steps[:count][::-1].T))
