"""The four lines that show a domain: model, match, target and posterior."""

from __future__ import annotations

import numpy as np

from seqem.kernels.profile_domains import P_I
from seqem.kernels.profile_render import draw
from seqem.profile.configure import SearchProfile
from seqem.profile.decode import Trace
from seqem.profile.hits import DomainAlignment
from seqem.shapes import AnyArray, Array

_TENTHS = np.frombuffer(b"0123456789*", np.uint8)
_DOT = np.uint8(ord("."))


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
    lines = np.empty((4, len(trace.states)), np.uint8)
    consensus = _letters(core.consensus or "X" * core.n_nodes)
    places = trace.residues - trace.residues[0]
    draw(
        trace.states, trace.nodes, places, trace.posteriors, residues, core.alphabet.written, consensus, profile.odds, lines
    )  # fmt: skip
    shown = [line.tobytes().decode() for line in lines]
    extra = [_annotation(line, trace) for line in (core.reference, core.structure, core.mask)]
    return DomainAlignment(*shown, *extra)


def _letters(text: str) -> AnyArray:
    return np.frombuffer(text.encode("ascii"), np.uint8)


def _annotation(line: str | None, trace: Trace) -> str | None:
    if line is None:
        return None
    return np.where(trace.states == P_I, _DOT, _letters(line)[trace.nodes - 1]).tobytes().decode()
