"""Design: units for the words of a training, and how large they should be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqem.errors import DataError
from seqem.speech.composite import Composite
from seqem.speech.lexicon import Lexicon
from seqem.speech.unit_network import Pauses
from seqem.speech.units import Inventory, left_right, silence

PHONE_STATES = 3
_PAUSE = "sil"
_PAUSE_STATES = 3
# Whole words: frames that a state lasts, and how many states there may be.
_FRAMES_A_STATE = 5
_FEWEST, _MOST = 3, 12
# Frames that pay for one more Gaussian.
_FRAMES_A_PART = 200
_MOST_PARTS = 16


def word_states(frames_a_word: float) -> int:
    """Return how many states a whole word of that length should have."""
    return int(np.clip(round(frames_a_word / _FRAMES_A_STATE), _FEWEST, _MOST))


def affordable_parts(frames_a_state: float) -> int:
    """Return how many Gaussians a state can have: a power of two.

    Examples
    --------
    >>> affordable_parts(150.0), affordable_parts(900.0)
    (1, 4)
    """
    return int(np.clip(2 ** np.floor(np.log2(max(1.0, frames_a_state / _FRAMES_A_PART))), 1, _MOST_PARTS))


def designed(words: Sequence[str], lexicon: Lexicon, n_states: int, pauses: bool) -> Composite:
    """Return left-right units for the words, and a pause if asked for; all words of the lexicon that they can say may be heard.

    Raises
    ------
    DataError
        Where words are not in the lexicon; they are named.
    """
    missing = lexicon.missing(words)
    if missing:
        hint = "add them, or leave out their recordings"
        raise DataError("words are not in the lexicon", got=list(missing), hint=hint)
    names = lexicon.only(words).units
    units = {name: left_right(range(n_states * i, n_states * (i + 1))) for i, name in enumerate(names)}
    spoken = lexicon.spoken_with(units)
    if not pauses:
        return Composite(spoken, Inventory(units), None)
    name, first = _PAUSE, n_states * len(units)
    while name in units:  # a word or phone of that name is another thing
        name += "_"
    units[name] = silence(range(first, first + _PAUSE_STATES))
    return Composite(spoken, Inventory(units), Pauses(name))
