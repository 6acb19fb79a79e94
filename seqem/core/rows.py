"""Rows: data of models without order in time, cut into blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqem.shapes import AnyArray, Array


@dataclass(frozen=True, eq=False)
class Rows:
    """Hold N independent observations with what is known about each.

    Attributes
    ----------
    x : ndarray, shape (N, D)
        Observations, or regressors.
    y : ndarray, shape (N,) or (N, K), optional
        What is regressed, or known of the latent variable.
    weights : ndarray, shape (N,), optional
        Sample weights, not negative.

    Examples
    --------
    >>> rows = Rows(np.arange(10.0).reshape(5, 2))
    >>> [len(block) for block in rows.blocks(2)]
    [2, 2, 1]
    """

    x: AnyArray
    y: AnyArray | None = None
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    def between(self, start: int, stop: int) -> Rows:
        """Return the rows from ``start`` to ``stop`` as views."""
        part = slice(start, stop)
        y = None if self.y is None else self.y[part]
        weights = None if self.weights is None else self.weights[part]
        return Rows(self.x[part], y, weights)

    def blocks(self, size: int) -> list[Rows]:
        """Return the rows in blocks of ``size``, the last one shorter."""
        return [self.between(start, start + size) for start in range(0, max(len(self), 1), size)]

    def total(self, values: Any) -> float:
        """Return the sum of one number a row, by the weights."""
        return float(np.sum(values) if self.weights is None else self.weights @ values)
