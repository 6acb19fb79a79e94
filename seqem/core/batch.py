"""SequenceBatch: ragged data as one array of rows and the offsets of the sequences in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqem.errors import DataError
from seqem.shapes import AnyArray, Array, IntArray


@dataclass(frozen=True, eq=False)
class SequenceBatch:
    """Hold S sequences as one array, with what is known about each sequence and each row.

    Attributes
    ----------
    values : ndarray, shape (N,) or (N, D)
        Rows of all sequences, one after another.
    offsets : ndarray of int64, shape (S + 1,)
        Sequence s is ``values[offsets[s]:offsets[s + 1]]``; empty sequences are legal.
    names : tuple of str, optional
        One name a sequence.
    weights : ndarray, shape (S,), optional
        Sample weight of each sequence, not negative.
    labels : ndarray of int32, shape (N,), optional
        Observed state of each row, -1 where unknown.
    state_prior : ndarray, shape (N, K), optional
        Weight of each state at each row (a hard or soft label); multiplies the likelihood.
    alphabet : str, optional
        Letters of the symbols, where values are symbols.
    descriptions : tuple of str, optional
        What a file says of each sequence behind its name.

    Examples
    --------
    >>> batch = SequenceBatch.of([[1, 2, 3], [4]])
    >>> len(batch), batch.n_rows, batch[0].tolist()
    (2, 4, [1, 2, 3])
    """

    values: AnyArray
    offsets: IntArray
    names: tuple[str, ...] | None = None
    weights: Array | None = None
    labels: AnyArray | None = None
    state_prior: Array | None = None
    alphabet: str | None = None
    descriptions: tuple[str, ...] | None = None

    @classmethod
    def of(cls, sequences: Sequence[Any], **known: Any) -> SequenceBatch:
        """Return a batch of the given arrays, whose trailing shapes must agree."""
        arrays = [np.asarray(s) for s in sequences]
        if not arrays:
            raise DataError("no sequences", got="an empty list", expected="at least one sequence")
        trailing = {a.shape[1:] for a in arrays if a.size}
        if len(trailing) > 1 or any(a.ndim == 0 for a in arrays):
            raise DataError(
                "sequences do not agree in shape",
                got=sorted({a.shape for a in arrays})[:5],
                expected="(T,) or (T, n_features) with one n_features",
            )
        lengths = np.array([len(a) for a in arrays], dtype=np.int64)
        shape = next(iter(trailing), arrays[0].shape[1:])
        values = np.concatenate([a.reshape((len(a), *shape)) for a in arrays])
        return cls(values, np.concatenate(([0], np.cumsum(lengths))), **known)

    @classmethod
    def from_lengths(cls, values: Any, lengths: Sequence[int] | AnyArray | None = None, **known: Any) -> SequenceBatch:
        """Return a batch of concatenated rows; ``lengths`` defaults to one sequence."""
        values = np.asarray(values)
        if values.ndim == 0:
            raise DataError("observations are a scalar", expected="an array of shape (N,) or (N, n_features)")
        sizes = np.array([len(values)] if lengths is None else lengths, dtype=np.int64)
        if sizes.ndim != 1 or (sizes < 0).any() or sizes.sum() != len(values):
            raise DataError(
                "lengths do not add up to the number of rows",
                got=f"lengths that sum to {sizes.sum()}",
                expected=f"non-negative lengths that sum to {len(values)}",
            )
        return cls(values, np.concatenate(([0], np.cumsum(sizes))), **known)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> AnyArray:
        index = range(len(self))[index]
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[AnyArray]:
        return (self[s] for s in range(len(self)))

    @property
    def n_rows(self) -> int:
        """Number of rows over all sequences."""
        return int(self.offsets[-1] - self.offsets[0])

    @property
    def lengths(self) -> IntArray:
        """Length of each sequence, shape (S,)."""
        return np.diff(self.offsets)

    def with_values(self, values: AnyArray) -> SequenceBatch:
        """Return the same sequences with other row values."""
        return replace(self, values=values)

    def between(self, first: int, last: int) -> SequenceBatch:
        """Return sequences ``first`` to ``last`` (exclusive) as views."""
        lo, hi = int(self.offsets[first]), int(self.offsets[last])

        def rows(array: AnyArray | None) -> Any:
            return None if array is None else array[lo:hi]

        return SequenceBatch(
            self.values[lo:hi],
            self.offsets[first : last + 1] - lo,
            None if self.names is None else self.names[first:last],
            None if self.weights is None else self.weights[first:last],
            rows(self.labels),
            rows(self.state_prior),
            self.alphabet,
            None if self.descriptions is None else self.descriptions[first:last],
        )

    def shards(self, rows: int) -> list[SequenceBatch]:
        """Return views of whole consecutive sequences, each of about ``rows`` rows.

        The cut depends on the data and ``rows`` only, so sums over shards in order do not depend on
        who computes them.
        """
        cuts = [0]
        while cuts[-1] < len(self):
            last = int(np.searchsorted(self.offsets, self.offsets[cuts[-1]] + rows, side="right")) - 1
            cuts.append(min(max(last, cuts[-1] + 1), len(self)))
        return [self.between(a, b) for a, b in itertools.pairwise(cuts) if b > a]
