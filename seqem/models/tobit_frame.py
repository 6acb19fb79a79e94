"""The coordinates a censored regression is computed in, and where it starts: columns centred and of unit spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from seqem.core.rows import Rows
from seqem.models.bounds import values_of
from seqem.models.tobit_model import TobitParams, solved
from seqem.shapes import Array


class Frame(NamedTuple):
    """Centres (P,) and spreads (P,) of the regressors, level and spread of the response; without intercept nothing is centred.

    The likelihood is the same in both coordinates: a row's density does not change when regressors are scaled and levels move.

    Examples
    --------
    >>> frame = Frame.of(np.array([[1e9], [1e9 + 2]]), np.array([4.0, 6.0]), None, True)
    >>> frame.design(np.array([[1e9 + 2]])).tolist(), frame.level
    ([[1.0, 1.0]], 5.0)
    """

    centre: Array
    spread: Array
    level: float
    unit: float
    intercept: bool

    @classmethod
    def of(cls, x: Array, value: Array, weights: Array | None, intercept: bool) -> Self:
        """Return the frame of regressors (N, P) and responses (N,); a column without spread keeps its size."""
        centre = np.average(x, axis=0, weights=weights) if intercept else np.zeros(x.shape[1])
        spread = np.sqrt(np.average(np.square(x - centre), axis=0, weights=weights))
        # Below this the spread of a column is the rounding of its centre.
        constant = spread <= 1e-13 * np.abs(centre)
        centre = np.where(constant, x[0], centre)
        level = float(np.average(value, weights=weights)) if intercept else 0.0
        unit = float(np.sqrt(np.average(np.square(value - level), weights=weights)))
        return cls(centre, np.where(constant, 1.0, spread), level, unit or max(abs(level), 1.0), intercept)

    def design(self, x: Array) -> Array:
        """Return the design (N, P), the column of ones last where there is an intercept."""
        P = x.shape[1]
        # Column after column: rows are then weighted in loops as long as a block, not as a row.
        out = np.ones((P + self.intercept, len(x))).T
        np.subtract(x, self.centre, out=out[:, :P])
        out[:, :P] /= self.spread
        return out

    def natural(self, params: TobitParams) -> TobitParams:
        """Return the parameters in the user's coordinates."""
        shift = np.append(np.zeros(len(self.centre)), self.level) if self.intercept else 0.0
        return TobitParams(self.slopes()[:-1, :-1] @ params.coef + shift, params.scale)

    def inner(self, params: TobitParams) -> TobitParams:
        """Return parameters of the user's coordinates in those of the frame."""
        P = len(self.centre)
        coef = params.coef.copy()
        coef[:P] *= self.spread
        coef[P:] += self.centre @ params.coef[:P] - self.level
        return TobitParams(coef, params.scale)

    def slopes(self) -> Array:
        """Return the derivatives of coefficients, intercept and scale by those of the frame."""
        P = len(self.centre)
        out = np.eye(P + self.intercept + 1)
        out[:P, :P] /= self.spread[:, None]
        if self.intercept:
            out[P, :P] = -self.centre / self.spread
        return out


def start(shards: Sequence[Rows], unit: float) -> TobitParams:
    """Return least squares on one value for each row; ``unit`` is the spread of the response."""
    P = shards[0].x.shape[1]
    gram, cross, square, mass = np.zeros((P, P)), np.zeros(P), 0.0, 0.0
    for shard in shards:
        value = values_of(np.asarray(shard.y))
        weights = np.ones(len(shard)) if shard.weights is None else shard.weights
        gram += shard.x.T @ (shard.x * weights[:, None])
        cross += shard.x.T @ (weights * value)
        square, mass = square + float(weights @ value**2), mass + float(weights.sum())
    coef = solved(gram, cross)
    rest = (square - float(coef @ cross)) / mass
    return TobitParams(coef, np.asarray(np.sqrt(max(rest, 1e-6 * unit**2))))
