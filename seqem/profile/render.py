"""The four lines that show a domain: model, match, target and posterior."""

from __future__ import annotations

import numpy as np

from seqem.kernels.profile_domains import P_D, P_I, P_M
from seqem.profile.configure import SearchProfile
from seqem.profile.decode import Trace
from seqem.profile.hits import DomainAlignment
from seqem.shapes import AnyArray, Array

_TENTHS = np.frombuffer(b"0123456789*", np.uint8)
_BLANK, _PLUS, _DASH, _DOT = np.frombuffer(b" +-.", np.uint8)
_CAPITAL, _SMALL = np.uint8(0xDF), np.uint8(0x20)


def posterior_letters(p: Array) -> AnyArray:
    """Return one byte for each probability: its tenth, rounded, "*" from 0.95 on."""
    return _TENTHS[np.minimum(np.floor((np.asarray(p, np.float32) + np.float32(0.05)) * 10), 10).astype(int)]


def render(profile: SearchProfile, trace: Trace, residues: AnyArray) -> DomainAlignment:
    """Return the lines of an alignment.

    Parameters
    ----------
    profile : SearchProfile
        The model.
    trace : Trace
        From first to last match.
    residues : ndarray of uint8
        Symbols of the target from the first to the last aligned one.
    """
    core = profile.core
    deleted, inserted, matched = (trace.states == state for state in (P_D, P_I, P_M))
    nodes = trace.nodes - 1
    at = trace.residues - trace.residues[0]
    consensus = _letters(core.consensus or "X" * core.n_nodes)
    letters = _letters(core.alphabet.decode(residues))[at]
    model = np.where(inserted, _DOT, consensus[nodes])
    similar = profile.odds[residues[at], nodes] > 1.0
    same = (model & _CAPITAL) == letters
    match = np.where(matched, np.where(same, model, np.where(similar, _PLUS, _BLANK)), _BLANK)
    target = np.where(deleted, _DASH, np.where(inserted, letters | _SMALL, letters))
    posterior = np.where(deleted, _DOT, posterior_letters(trace.posteriors))
    extra = [_annotation(line, nodes, inserted) for line in (core.reference, core.structure, core.mask)]
    return DomainAlignment(*(line.tobytes().decode() for line in (model, match, target, posterior)), *extra)


def _letters(text: str) -> AnyArray:
    return np.frombuffer(text.encode("ascii"), np.uint8)


def _annotation(line: str | None, nodes: AnyArray, inserted: AnyArray) -> str | None:
    if line is None:
        return None
    return np.where(inserted, _DOT, _letters(line)[nodes]).tobytes().decode()
