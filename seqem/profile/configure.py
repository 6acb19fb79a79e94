"""The search profile: a core model as odds against the background, in one mode; the second of the three nouns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from seqem.bio.alphabet import Alphabet
from seqem.bio.background import background
from seqem.profile.plan7 import DD, DM, II, IM, MD, MI, MM, CoreModel
from seqem.shapes import Array

Mode = Literal["local", "glocal"]


class Steps(NamedTuple):
    """Transition probabilities of a search profile, each of shape (M,).

    ``entry`` is from B to each match; ``match``, ``insert`` and ``delete`` lead into each match from the node before,
    ``open`` and ``stay`` into each insert, ``skip`` and ``chain`` into each delete; ``leave`` is 1 where E may follow.
    """

    entry: Array
    match: Array
    insert: Array
    delete: Array
    open: Array
    stay: Array
    skip: Array
    chain: Array
    leave: Array


@dataclass(frozen=True, eq=False)
class SearchProfile:
    """Odds of a core model against the background, with the steps of one mode.

    Attributes
    ----------
    core : CoreModel
        What it was made from.
    mode : {"local", "glocal"}
        Whether a domain may begin and end at any node, or spans the model.
    multihit : bool
        Whether a target may hold several domains.
    odds : ndarray, shape (C + 2, M)
        Odds of each symbol at each node: canonical and degenerate letters, then gap and nonresidue, which have none.
    steps : Steps
        Transitions.
    """

    core: CoreModel
    mode: Mode
    multihit: bool
    odds: Array
    steps: Steps

    def specials(self, length: int) -> Array:
        """Return loop, move, E to C and E to J for targets of a length (Eddy 2008, length model)."""
        again = 1.0 if self.multihit else 0.0
        move = (2 + again) / (length + 2 + again)
        return np.array([1 - move, move, 1 - 0.5 * again, 0.5 * again])


def configure(core: CoreModel, *, mode: Mode = "local", multihit: bool = True) -> SearchProfile:
    """Return the search profile of a core model.

    Parameters
    ----------
    core : CoreModel
        Probabilities.
    mode : {"local", "glocal"}
        Local enters match k with the occupancy of k over the number of segments and leaves anywhere; glocal enters and
        leaves by the ends, deletes at the start folded into the entry.
    multihit : bool
        Whether several domains are allowed.

    References
    ----------
    Eddy, PLoS Comput Biol 4:e1000069 (2008).
    """
    t = core.transitions
    before, at = t[:-1], t[1:].copy()
    at[-1, MI] = at[-1, II] = 0.0  # the last insert would only compete with the flanks
    entry = local_entry(core) if mode == "local" else glocal_entry(core)
    into = before.copy()
    into[0] = 0.0  # node 1 is entered from B only
    leave = np.ones(core.n_nodes)
    if mode == "glocal":
        leave[:-1] = 0.0
    steps = Steps(entry, into[:, MM], into[:, IM], into[:, DM], at[:, MI], at[:, II], into[:, MD], into[:, DD], leave)
    return SearchProfile(core, mode, multihit, match_odds(core), steps)


def match_odds(core: CoreModel) -> Array:
    """Return the odds of every symbol at every node, shape (C + 2, M).

    The log odds of a degenerate letter are the mean of its letters' log odds, weighted by the background.
    """
    alphabet, q = core.alphabet, background(core.alphabet)
    with np.errstate(divide="ignore"):
        scores = np.log(core.match[1:] / q)
    return np.vstack([np.exp(_mean_scores(alphabet, scores, q)), np.zeros((2, core.n_nodes))])


def _mean_scores(alphabet: Alphabet, scores: Array, q: Array) -> Array:
    shares = alphabet.codes * q
    shares /= shares.sum(axis=1, keepdims=True)
    impossible = (shares > 0) @ np.isneginf(scores).T.astype(float) > 0
    finite = shares @ np.where(np.isneginf(scores), 0.0, scores).T
    return np.where(impossible, -np.inf, finite)


def occupancy(core: CoreModel) -> tuple[Array, Array]:
    """Return the probabilities that match nodes are used, shape (M,), and the expected inserts after nodes 0 to M."""
    t = core.transitions
    used = np.zeros(core.n_nodes + 1)
    used[1:2] = t[0, MM] + t[0, MI]
    for k in range(2, core.n_nodes + 1):
        used[k] = used[k - 1] * (t[k - 1, MM] + t[k - 1, MI]) + (1 - used[k - 1]) * t[k - 1, DM]
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.where(t[:, IM] > 0, t[:, MI] / t[:, IM], 0.0)
    reached = used.copy()
    reached[0] = 1.0
    return used[1:], reached * length


def local_entry(core: CoreModel) -> Array:
    """Return the probabilities to enter each node, in proportion to its occupancy, of all segments of the model."""
    used, _ = occupancy(core)
    return used / (used * np.arange(core.n_nodes, 0, -1)).sum()


def glocal_entry(core: CoreModel) -> Array:
    """Return the probabilities to reach each match first through the deletes before it."""
    t = core.transitions
    entry = np.empty(core.n_nodes)
    entry[0] = 1 - t[0, MD]
    skipped = t[0, MD]
    for k in range(1, core.n_nodes):
        entry[k] = skipped * t[k, DM]
        skipped *= t[k, DD]
    return entry
