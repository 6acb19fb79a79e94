"""Normalisation of features: means and variances of an utterance, of a speaker, or of the last seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqem.errors import DataError
from seqem.shapes import Array, Mask

_SMALLEST = 1e-10


def normalised(features: Array, *, variance: bool = False) -> Array:
    """Return features (T, D) less their mean over the utterance, over their standard deviation if asked for.

    Examples
    --------
    >>> normalised(np.array([[1.0], [3.0]])).tolist(), normalised(np.array([[1.0], [5.0]]), variance=True).tolist()
    ([[-1.0], [1.0]], [[-1.0], [1.0]])
    """
    return speaker_normalised([features], variance=variance)[0]


def speaker_normalised(
    utterances: Sequence[Array], *, variance: bool = False, counted: Sequence[Mask] | None = None
) -> list[Array]:
    """Return the utterances of a speaker, each (T, D), with the mean of all their frames removed, and the deviation if asked for.

    Only frames that are ``counted`` (T,) have a part in means and deviations, where that is given: speakers who pause more than
    others are not the more different for it.

    Raises
    ------
    DataError
        Where utterances have different numbers of features.

    Examples
    --------
    >>> [part.tolist() for part in speaker_normalised([np.array([[1.0]]), np.array([[2.0], [3.0]])])]
    [[[-1.0]], [[0.0], [1.0]]]
    """
    widths = {part.shape[1] for part in utterances}
    if len(widths) > 1:
        raise DataError("utterances do not fit together", got=f"{sorted(widths)} features", expected="the same number")
    frames = np.concatenate(list(utterances)) if utterances else np.zeros((0, 0))
    if not len(frames):
        return list(utterances)
    known = frames if counted is None else frames[np.concatenate(list(counted))]
    mean = known.mean(axis=0)
    scale = np.sqrt(np.maximum(known.var(axis=0), _SMALLEST)) if variance else 1.0
    return [(part - mean) / scale for part in utterances]


def sliding_normalised(features: Array, window: int = 600, *, variance: bool = False) -> Array:
    """Return features (T, D) less the mean of the ``window`` frames around each; at the ends the window stays whole.

    As Kaldi's sliding window with its centre in the middle. An utterance shorter than the window is normalised as a whole.

    Examples
    --------
    >>> sliding_normalised(np.arange(4.0)[:, None], 2)[:, 0].tolist()
    [-0.5, 0.5, 0.5, 0.5]
    """
    T = len(features)
    if window >= T:
        return normalised(features, variance=variance)
    start = np.clip(np.arange(T) - window // 2, 0, T - window)
    centre = features.mean(axis=0)  # sums of what is near zero lose nothing
    away = features - centre
    sums = [np.concatenate([np.zeros((1, away.shape[1])), np.cumsum(away**power, axis=0)]) for power in (1, 2)]
    first, second = ((total[start + window] - total[start]) / window for total in sums)
    out = away - first
    return out / np.sqrt(np.maximum(second - first**2, _SMALLEST)) if variance else out
