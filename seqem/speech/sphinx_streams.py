"""Sphinx's feature streams: cepstra less their mean, and differences of cepstra some frames apart."""

from __future__ import annotations

import numpy as np

from seqem.errors import DataError, ParameterError
from seqem.shapes import Array

STREAMS = ("1s_c_d_dd", "s2_4x")
# Frames to both sides that differences are taken over.
_SHORT, _LONG = 2, 4
_N_OF_FOUR = 13


def sphinx_streams(cepstra: Array, kind: str) -> Array:
    """Return features (T, D) of cepstra (T, n), from which the mean of the utterance is taken away.

    Parameters
    ----------
    cepstra : ndarray, shape (T, n)
        Cepstrum 0 first.
    kind : {"1s_c_d_dd", "s2_4x"}
        Cepstra, their differences and second differences; or the four streams of :func:`stream_columns`.

    Raises
    ------
    DataError
        Where there are no frames, or not 13 cepstra for four streams.

    Examples
    --------
    >>> sphinx_streams(np.arange(5.0)[:, None], "1s_c_d_dd").tolist()[2]
    [0.0, 4.0, 0.0]
    """
    columns = stream_columns(kind, cepstra.shape[1])
    if not len(cepstra):
        raise DataError("there are no cepstra", got=cepstra.shape, expected="at least one frame")
    centred = cepstra - _mean(cepstra)
    apart = {step: _shifted(centred, step) - _shifted(centred, -step) for step in (_SHORT, _LONG)}
    second = _shifted(centred, 3) - _shifted(centred, -1) - _shifted(centred, 1) + _shifted(centred, -3)
    if len(columns) == 1:
        return np.concatenate([centred, apart[_SHORT], second], axis=1)
    loud = np.column_stack([part[:, 0] for part in (centred, apart[_SHORT], second)])
    rest = [part[:, 1:] for part in (centred, apart[_SHORT], apart[_LONG])]
    return np.concatenate([*rest, loud, second[:, 1:]], axis=1)


def stream_columns(kind: str, n_ceps: int = _N_OF_FOUR) -> tuple[range, ...]:
    """Return the columns of each stream of some cepstra.

    One of all columns; or cepstra 1 to 12, their short and long differences, cepstrum 0 with its differences, and the second
    differences of 1 to 12.

    Raises
    ------
    ParameterError
        For an unknown kind.
    DataError
        Where there are not 13 cepstra for four streams.
    """
    if kind not in STREAMS:
        raise ParameterError("unknown streams", got=repr(kind), expected=f"one of {STREAMS}")
    if kind == "1s_c_d_dd":
        return (range(3 * n_ceps),)
    if n_ceps != _N_OF_FOUR:
        raise DataError("four streams are of other cepstra", got=n_ceps, expected=_N_OF_FOUR)
    return range(12), range(12, 36), range(36, 39), range(39, 51)


def _mean(cepstra: Array) -> Array:
    """Return the mean of the frames with any energy, as Sphinx tells them: by a cepstrum 0 that is not negative."""
    heard = cepstra[cepstra[:, 0] >= 0]
    return heard.mean(axis=0) if len(heard) else cepstra.mean(axis=0)


def _shifted(frames: Array, step: int) -> Array:
    """Return for each frame the one ``step`` later; the ends are repeated."""
    return frames[np.clip(np.arange(len(frames)) + step, 0, len(frames) - 1)]
