"""Random numbers: the face takes ``random_state``, everything below takes a Generator."""

from __future__ import annotations

import numpy as np

RandomState = int | np.random.Generator | np.random.RandomState | np.random.SeedSequence | None


def generator(random_state: RandomState = None) -> np.random.Generator:
    """Return a Generator for whatever a user may pass as ``random_state``.

    Parameters
    ----------
    random_state : int, Generator, RandomState, SeedSequence or None
        A legacy RandomState is drawn from once for a seed.

    Examples
    --------
    >>> int(generator(7).integers(100)) == int(generator(7).integers(100))
    True
    """
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31 - 1))
    return np.random.default_rng(random_state)
