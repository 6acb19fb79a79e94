"""Effective number of sequences: how far the counts of an alignment are to be trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seqem.bio.alignment import Alignment
from seqem.bio.alphabet import PROTEIN, Alphabet
from seqem.bio.background import background
from seqem.profile.counts import ProfileCounts
from seqem.profile.estimate import estimate_match
from seqem.profile.priors import ProfilePrior
from seqem.profile.weights import clusters
from seqem.shapes import Array


def relative_entropy(match: Array, q: Array) -> float:
    """Return the mean relative entropy, in bits, of match emissions (M, A) to the background q (A,).

    Examples
    --------
    >>> relative_entropy(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0.5, 0.5]))
    0.5
    """
    odds = np.divide(match, q, out=np.ones(match.shape), where=match > 0)
    return float((match * np.log2(odds)).sum() / len(match))


def entropy_target(n_nodes: int, alphabet: Alphabet, *, ere: float | None = None, esigma: float = 45.0) -> float:
    """Return the relative entropy a node, in bits, that a model of ``n_nodes`` is weighted down to.

    Parameters
    ----------
    n_nodes : int
        M.
    alphabet : Alphabet
        Says the default of ``ere``.
    ere : float, optional
        The least target: 0.59 for proteins and 0.62 for nucleotides unless given.
    esigma : float
        Bits that a short model has in all, above those that a search of its segments costs.

    References
    ----------
    Johnson, thesis, Washington University (2006); Eddy, PLoS Comput Biol 4:e1000069 (2008).

    Examples
    --------
    >>> entropy_target(200, PROTEIN)
    0.59
    """
    least = ere if ere is not None else 0.59 if alphabet is PROTEIN else 0.62
    segments = n_nodes * (n_nodes + 1) / 2
    return max(least, (esigma + float(np.log2(segments))) / n_nodes)


def decreased(entropy: Callable[[float], float], target: float, most: float, width: float) -> float:
    """Return where a rising ``entropy`` meets ``target`` between 0 and ``most``, or ``most`` where it stays below.

    The last midpoint of a bisection that ends when the bracket is narrower than ``width``, as HMMER 3 has it.
    """
    if entropy(most) <= target:
        return most
    low, high = 0.0, most
    while True:
        middle = low + (high - low) / 2
        excess = entropy(middle) - target
        if high - low < width + 1e-12 * middle or excess == 0:
            return middle
        low, high = (low, middle) if excess > 0 else (middle, high)


@dataclass(frozen=True)
class Scaling:
    """What scaling the counts depends on.

    Attributes
    ----------
    alignment : Alignment
        Where the counts are from.
    prior : ProfilePrior, optional
        Of the estimate whose entropy is looked at.
    target : float
        Relative entropy a node, in bits.
    identity : float
        Of rows of one cluster.
    """

    alignment: Alignment
    prior: ProfilePrior | None
    target: float
    identity: float

    def entropy(self, match_counts: Array) -> float:
        """Return the relative entropy a node of the estimate from counts (M, A)."""
        return relative_entropy(estimate_match(match_counts, self.prior), background(self.alignment.alphabet))


def by_entropy(counts: ProfileCounts, scaling: Scaling) -> tuple[ProfileCounts, float]:
    """Return the counts of so many sequences that the model has the target entropy, and that number."""
    S, match = len(scaling.alignment), counts.match[1:]
    number = decreased(lambda n: scaling.entropy(match * (n / S)), scaling.target, S, 0.01)
    return counts.scaled(number / S), number


def by_exponent(counts: ProfileCounts, scaling: Scaling) -> tuple[ProfileCounts, float]:
    """Return counts with the total of each node raised to the power that meets the target, and the mean total."""
    power = decreased(lambda x: scaling.entropy(_raised(counts, x).match[1:]), scaling.target, 1.0, 0.001)
    raised = _raised(counts, power)
    return raised, float(raised.match[1:].sum(axis=1).mean())


def _raised(counts: ProfileCounts, power: float) -> ProfileCounts:
    total = counts.match.sum(axis=1)
    return counts.scaled(np.power(total, power - 1, out=np.ones(len(total)), where=total > 0))


def by_clusters(counts: ProfileCounts, scaling: Scaling) -> tuple[ProfileCounts, float]:
    """Return the counts of as many sequences as there are clusters, and their number."""
    return by_number(counts, scaling, len(np.unique(clusters(scaling.alignment, scaling.identity))))


def by_number(counts: ProfileCounts, scaling: Scaling, number: float) -> tuple[ProfileCounts, float]:
    """Return the counts of ``number`` sequences, and that number."""
    return counts.scaled(number / len(scaling.alignment)), float(number)


def unscaled(counts: ProfileCounts, scaling: Scaling) -> tuple[ProfileCounts, float]:
    """Return the counts as they are and the number of rows."""
    return counts, float(len(scaling.alignment))


EFFECTIVE: dict[str, Callable[[ProfileCounts, Scaling], tuple[ProfileCounts, float]]] = {
    "entropy": by_entropy,
    "exponential": by_exponent,
    "clusters": by_clusters,
    "none": unscaled,
}
