"""Numbers behind the picture of a model: heights of letters, and how often nodes are used and followed by inserts."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from seqem.bio.background import background
from seqem.errors import ParameterError
from seqem.profile.configure import occupancy
from seqem.profile.plan7 import II, MI, CoreModel
from seqem.shapes import Array

Method = Literal["relative_entropy", "information", "score"]


class LogoTracks(NamedTuple):
    """What a logo shows below its letters; each of shape (M,), for nodes 1 to M.

    ``insert_probability`` is that of an insert after a match, ``insert_length`` its expected length once entered
    (both 0 at the last node, which no insert follows in a domain), ``occupancy`` that a match is not skipped.
    """

    insert_probability: Array
    insert_length: Array
    occupancy: Array


def logo_heights(core: CoreModel, method: Method = "relative_entropy") -> Array:
    """Return the height of each letter at each node, in bits.

    Parameters
    ----------
    core : CoreModel
        The model.
    method : {"relative_entropy", "information", "score"}
        Probabilities times the relative entropy of the node to the background, times its information, which is
        that to equal frequencies, or log-odds scores, which may be negative.

    Returns
    -------
    ndarray, shape (M, A)
        Rows are nodes, columns are letters of the alphabet.

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> flat, path = np.full((2, 4), 0.25), np.array([[1, 0, 0, 1, 0, 1, 0.0]] * 2)
    >>> logo_heights(CoreModel("a", DNA, np.array([[1, 0, 0, 0], [1, 0, 0, 0.0]]), flat, path)).tolist()
    [[2.0, 0.0, 0.0, 0.0]]
    """
    match = core.match[1:]
    if method == "score":
        with np.errstate(divide="ignore"):
            return np.log2(match / background(core.alphabet))
    if method == "relative_entropy":
        return match * relative_entropies(match, background(core.alphabet))[:, None]
    if method == "information":
        return match * relative_entropies(match, np.full(match.shape[1], 1 / match.shape[1]))[:, None]
    raise ParameterError("unknown heights", got=repr(method), expected="relative_entropy, information or score")


def relative_entropies(match: Array, q: Array) -> Array:
    """Return the relative entropy in bits of each row to ``q``.

    Examples
    --------
    >>> relative_entropies(np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([0.5, 0.5])).tolist()
    [0.0, 1.0]
    """
    ratio = np.divide(match, q, out=np.ones_like(match), where=match > 0)
    return (match * np.log2(ratio)).sum(axis=1)


def logo_tracks(core: CoreModel) -> LogoTracks:
    """Return how often nodes are used, and how often and how long inserts follow them.

    Examples
    --------
    >>> from seqem.bio.alphabet import DNA
    >>> flat, path = np.full((3, 4), 0.25), np.array([[0.8, 0.2, 0, 0.5, 0.5, 1, 0.0]] * 3)
    >>> [track.round(3).tolist() for track in logo_tracks(CoreModel("a", DNA, flat, flat, path))]
    [[0.2, 0.0], [2.0, 0.0], [1.0, 1.0]]
    """
    probability, length = np.zeros((2, core.n_nodes))
    probability[:-1] = core.transitions[1:-1, MI]
    with np.errstate(divide="ignore"):
        length[:-1] = 1 / (1 - core.transitions[1:-1, II])
    used, _ = occupancy(core)
    return LogoTracks(probability, length, used)
