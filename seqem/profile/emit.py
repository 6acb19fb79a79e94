"""Sequences from a model: drawn at random, or its consensus."""

from __future__ import annotations

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.errors import ParameterError
from seqem.profile.plan7 import DD, DM, II, IM, MD, MI, MM, CoreModel
from seqem.shapes import Array

_MATCH, _INSERT, _DELETE = range(3)


def sample(core: CoreModel, n: int, rng: np.random.Generator) -> SequenceBatch:
    """Return ``n`` sequences drawn from the core model, from begin to end, named after it.

    Raises
    ------
    ParameterError
        Where ``n`` is not positive.
    """
    if n < 1:
        raise ParameterError("the number of sequences is off", got=n, expected="a positive integer")
    sequences = [_one(core, rng) for _ in range(n)]
    names = tuple(f"{core.name}-sample{s + 1}" for s in range(n))
    return SequenceBatch.of(sequences, names=names, alphabet=core.alphabet.letters)


def _one(core: CoreModel, rng: np.random.Generator) -> np.ndarray:
    residues: list[int] = []
    state, k = _MATCH, 0
    while k <= core.n_nodes:
        steps = core.transitions[k]
        if state == _MATCH:
            state = (_MATCH, _INSERT, _DELETE)[_pick(rng, steps[[MM, MI, MD]])]
        elif state == _INSERT:
            state = (_MATCH, _INSERT)[_pick(rng, steps[[IM, II]])]
        else:
            state = (_MATCH, _DELETE)[_pick(rng, steps[[DM, DD]])]
        if state == _INSERT:
            residues.append(_pick(rng, core.insert[k]))
            continue
        k += 1
        if state == _MATCH and k <= core.n_nodes:
            residues.append(_pick(rng, core.match[k]))
    return np.array(residues, np.uint8)


def _pick(rng: np.random.Generator, p: Array) -> int:
    return int(rng.choice(len(p), p=p / p.sum()))


def consensus(core: CoreModel) -> str:
    """Return the most probable letter of each match state, in capitals."""
    return "".join(core.alphabet.letters[a] for a in core.match[1:].argmax(axis=1))
