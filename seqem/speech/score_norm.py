"""Normalisation of verification scores by those of a cohort, so that one threshold serves all."""

from __future__ import annotations

import numpy as np

from seqem.errors import DataError
from seqem.shapes import Array


def _standardised(scores: Array, cohort: Array, axis: int) -> Array:
    """Return scores less the mean of the cohort's along an axis, over their deviation."""
    scores, cohort = (np.asarray(part, dtype=np.float64) for part in (scores, cohort))
    if scores.ndim != 2 or cohort.ndim != 2 or scores.shape[1 - axis] != cohort.shape[1 - axis]:
        raise DataError(
            "scores of the cohort do not fit", got=(scores.shape, cohort.shape),
            expected=f"two tables with as many {('rows', 'columns')[1 - axis]}",
        )  # fmt: skip
    deviation = cohort.std(axis=axis, keepdims=True) if cohort.shape[axis] else np.zeros(1)
    if not (deviation > 0).all():
        raise DataError("scores of the cohort do not vary", expected="at least two different ones for every score")
    return np.asarray((scores - cohort.mean(axis=axis, keepdims=True)) / deviation)


def z_norm(scores: Array, impostors: Array) -> Array:
    """Return scores (R, S) of recordings against speakers, standardised for each speaker.

    Parameters
    ----------
    scores : ndarray, shape (R, S)
        Such as ``GMMUBM.scores`` or ``PLDA.scores`` returns.
    impostors : ndarray, shape (I, S)
        Scores of recordings of other people against the same speakers.

    Raises
    ------
    DataError
        Where the tables do not fit, or the cohort's scores do not vary.

    References
    ----------
    R. Auckenthaler, M. Carey and H. Lloyd-Thomas (2000). Score normalization for text-independent speaker verification systems.
    Digital Signal Processing 10, 42-54.

    Examples
    --------
    >>> z_norm(np.array([[3.0, 30.0]]), np.array([[0.0, 10.0], [2.0, 20.0]])).tolist()
    [[2.0, 3.0]]
    """
    return _standardised(scores, impostors, 0)


def t_norm(scores: Array, cohort: Array) -> Array:
    """Return scores (R, S) of recordings against speakers, standardised for each recording.

    Parameters
    ----------
    scores : ndarray, shape (R, S)
    cohort : ndarray, shape (R, M)
        Scores of the same recordings against models of other people.

    Raises
    ------
    DataError
        Where the tables do not fit, or the cohort's scores do not vary.

    References
    ----------
    As for ``z_norm``.

    Examples
    --------
    >>> t_norm(np.array([[3.0], [30.0]]), np.array([[0.0, 2.0], [10.0, 20.0]])).tolist()
    [[2.0], [3.0]]
    """
    return _standardised(scores, cohort, 1)


def s_norm(scores: Array, impostors: Array, cohort: Array) -> Array:
    """Return the mean of ``z_norm`` and ``t_norm``.

    Parameters
    ----------
    scores, impostors, cohort : ndarray, shapes (R, S), (I, S), (R, M)
        As for these.

    References
    ----------
    P. Kenny (2010). Bayesian speaker verification with heavy-tailed priors. Odyssey.

    Examples
    --------
    >>> s_norm(np.array([[3.0]]), np.array([[0.0], [2.0]]), np.array([[0.0, 4.0]])).tolist()
    [[1.25]]
    """
    return 0.5 * (z_norm(scores, impostors) + t_norm(scores, cohort))
