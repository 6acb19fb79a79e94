"""From counts to probabilities of a profile HMM, with a prior or without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqem.profile.counts import ProfileCounts
from seqem.profile.plan7 import DD, DM, II, IM, MD, MM
from seqem.profile.priors import DirichletMixture, ProfilePrior
from seqem.shapes import Array

Estimate = Callable[[Array], Array]


def estimate_match(counts: Array, prior: ProfilePrior | None) -> Array:
    """Return the match emissions of counts of nodes 1 to M, shape (M, A)."""
    return _estimate(None if prior is None else prior.match)(counts)


def estimate(counts: ProfileCounts, prior: ProfilePrior | None) -> tuple[Array, Array, Array]:
    """Return match and insert emissions (M + 1, A) and transitions (M + 1, 7).

    Parameters
    ----------
    counts : ProfileCounts
        Weighted counts.
    prior : ProfilePrior, optional
        With it probabilities are posterior means, without it frequencies, and equal where there are no counts.

    Examples
    --------
    >>> counts = ProfileCounts(np.array([[0, 0], [3.0, 1.0]]), np.zeros((2, 2)), np.zeros((2, 7)))
    >>> estimate(counts, None)[0].tolist()
    [[1.0, 0.0], [0.75, 0.25]]
    """
    match = np.zeros(counts.match.shape)
    match[0, 0] = 1.0
    match[1:] = estimate_match(counts.match[1:], prior)
    t = np.empty(counts.transitions.shape)
    for first, last, part in (
        (MM, MD, None if prior is None else prior.match_transitions),
        (IM, II, None if prior is None else prior.insert_transitions),
        (DM, DD, None if prior is None else prior.delete_transitions),
    ):
        t[:, first : last + 1] = _estimate(part)(counts.transitions[:, first : last + 1])
    fixed = [-1] if prior is None else [0, -1]  # as HMMER 3 has it; node 0 has no delete state
    t[fixed, DM], t[fixed, DD] = 1.0, 0.0
    t[-1, MD] = 0.0
    t[-1, MM:MD] /= t[-1, MM:MD].sum()
    return match, _estimate(None if prior is None else prior.insert)(counts.insert), t


def _estimate(prior: DirichletMixture | None) -> Estimate:
    return prior.mean_posterior if prior is not None else frequencies


def frequencies(counts: Array) -> Array:
    """Return each row of counts (K, A) over its sum, equal entries where the sum is zero."""
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.full(counts.shape, 1 / counts.shape[1]), where=total > 0)
