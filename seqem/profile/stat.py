"""Summary statistics of a model: how much its nodes say, on average."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqem.bio.background import background
from seqem.profile.configure import occupancy
from seqem.profile.logo import relative_entropies
from seqem.profile.plan7 import DM, IM, MI, MM, CoreModel
from seqem.shapes import Array

# The self-transition of HMMER's null model, for a target of 350 residues.
_NULL_STEP = 350 / 351


class ModelStatistics(NamedTuple):
    """One row of ``hmmstat``; entropies in bits.

    ``relative_entropy`` and ``information`` are means over match states, ``position_relative_entropy`` counts gaps
    as well, ``composition_divergence`` is how far the mean composition lies from the background.
    """

    name: str
    accession: str | None
    n_sequences: int | None
    effective_number: float | None
    n_nodes: int
    relative_entropy: float
    information: float
    position_relative_entropy: float
    composition_divergence: float


def model_statistics(core: CoreModel) -> ModelStatistics:
    """Return the columns that ``hmmstat`` prints of a model.

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> flat, path = np.full((3, 4), 0.25), np.array([[0.8, 0.1, 0.1, 0.5, 0.5, 1, 0.0]] * 3)
    >>> match = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0.0]])
    >>> statistics = model_statistics(CoreModel("ac", DNA, match, flat, path))
    >>> statistics.relative_entropy, statistics.composition_divergence
    (2.0, 1.0)
    """
    q = background(core.alphabet)
    match = core.match[1:]
    return ModelStatistics(
        core.name,
        core.accession,
        core.n_sequences,
        core.effective_number,
        core.n_nodes,
        mean_relative_entropy(core),
        mean_information(core),
        position_relative_entropy(core),
        float(relative_entropies(match.mean(axis=0, keepdims=True), q)[0]),
    )


def mean_relative_entropy(core: CoreModel) -> float:
    """Return the mean relative entropy of match states to the background, in bits.

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> flat, path = np.full((3, 4), 0.25), np.array([[0.8, 0.1, 0.1, 0.5, 0.5, 1, 0.0]] * 3)
    >>> mean_relative_entropy(CoreModel("flat", DNA, flat, flat, path))
    0.0
    """
    return float(relative_entropies(core.match[1:], background(core.alphabet)).mean())


def mean_information(core: CoreModel) -> float:
    """Return the mean over match states of the entropy of the background less that of the state, in bits.

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> flat, path = np.full((3, 4), 0.25), np.array([[0.8, 0.1, 0.1, 0.5, 0.5, 1, 0.0]] * 3)
    >>> mean_information(CoreModel("flat", DNA, flat, flat, path))
    0.0
    """
    flat = np.full(len(core.alphabet.letters), 1 / len(core.alphabet.letters))
    total = relative_entropies(core.match[1:], flat).mean()
    return float(total - relative_entropies(background(core.alphabet)[None], flat)[0])


def position_relative_entropy(core: CoreModel) -> float:
    """Return the mean relative entropy of a position, transitions included, in bits.

    Emissions are weighted by occupancy; to them comes what the ways into matches 2 to M, from match, insert and
    delete, say against the steps of the null model. As HMMER has it, the way through an insert counts the
    logarithm of the match-to-match transition in place of that into the insert.

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> flat, path = np.full((3, 4), 0.25), np.array([[1, 0, 0, 0.5, 0.5, 1, 0.0]] * 3)
    >>> round(position_relative_entropy(CoreModel("flat", DNA, flat, flat, path)), 4)
    0.0041
    """
    used, _ = occupancy(core)
    emissions = float(used @ relative_entropies(core.match[1:], background(core.alphabet)) / used.sum())
    if core.n_nodes == 1:
        return emissions
    t, before = core.transitions[1:-1], used[:-1]
    step = _log_ratio(t[:, MM])
    through = before * (t[:, MM] * step + t[:, MI] * (step + _log_ratio(t[:, IM])))
    gain = through + (1 - before) * t[:, DM] * _log_ratio(t[:, DM])
    return emissions + float(gain.sum() / used[1:].sum())


def _log_ratio(p: Array) -> Array:
    """Return the bits of ``p`` over the null model's step, 0 where p is 0."""
    return np.log2(np.divide(p, _NULL_STEP, out=np.ones_like(p), where=p > 0))
