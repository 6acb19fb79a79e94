"""What users pass as observations becomes a SequenceBatch that a distribution has checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.distributions.protocol import Distribution
from seqem.errors import DataError
from seqem.shapes import AnyArray, Array


def batch_of(X: Any, lengths: Any = None, **known: Any) -> SequenceBatch:
    """Return a batch of a SequenceBatch, a list of arrays, or concatenated rows with ``lengths``.

    Parameters
    ----------
    X : SequenceBatch, array-like of shape (N, n_features) or (N,), or list of arrays
        A list or tuple whose items are arrays is one sequence an item.
    lengths : array-like of int, optional
        Lengths of the sequences in concatenated rows.
    """
    if isinstance(X, SequenceBatch):
        if lengths is not None:
            raise DataError("lengths are given twice", hint="a SequenceBatch knows its lengths")
        given = {k: v for k, v in known.items() if v is not None}
        return SequenceBatch(**{**vars(X), **given})
    if isinstance(X, (list, tuple)) and X and all(isinstance(x, np.ndarray) and x.ndim > 0 for x in X):
        if lengths is not None:
            raise DataError("lengths are given for a list of arrays", hint="leave lengths out")
        return SequenceBatch.of(X, **known)
    return SequenceBatch.from_lengths(X, lengths, **known)


def checked_batch(
    distribution: Distribution,
    X: Any,
    lengths: Any = None,
    *,
    labels: AnyArray | list[AnyArray] | None = None,
    state_prior: AnyArray | list[AnyArray] | None = None,
    sample_weight: AnyArray | None = None,
) -> SequenceBatch:
    """Return observations as the distribution takes them, with what is known beside them.

    Raises
    ------
    DataError
        Where the observations cannot be, or something beside them does not fit in length.
    """
    batch = batch_of(
        X,
        lengths,
        labels=_rows(labels),
        state_prior=_rows(state_prior),
        weights=None if sample_weight is None else np.asarray(sample_weight, dtype=float),
    )
    _check_beside(batch)
    if hasattr(distribution, "prepare"):
        batch = distribution.prepare(batch)
    return batch.with_values(distribution.check(batch.values))


def _rows(known: Any) -> AnyArray | None:
    if isinstance(known, (list, tuple)) and known and np.ndim(known[0]) > 0:
        known = np.concatenate([np.asarray(k) for k in known])
    return None if known is None else np.asarray(known)


def _check_beside(batch: SequenceBatch) -> None:
    rows: dict[str, tuple[AnyArray | Array | None, int]] = {
        "labels": (batch.labels, batch.n_rows),
        "state_prior": (batch.state_prior, batch.n_rows),
        "sample_weight": (batch.weights, len(batch)),
    }
    for name, (array, n) in rows.items():
        if array is not None and len(array) != n:
            raise DataError(f"{name} does not fit the data", got=f"{len(array)} entries", expected=n)
    if batch.weights is not None and not (np.isfinite(batch.weights).all() and (batch.weights >= 0).all()):
        raise DataError("sample_weight has entries that are negative or not finite")


def shard_rows(n_rows: int) -> int:
    """Return the rows of a shard: it depends on the data only, so that sums do not depend on the workers."""
    return int(np.clip(n_rows // 64, 8192, 2**20))
