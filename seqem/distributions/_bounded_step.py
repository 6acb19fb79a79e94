"""Lower bounds of sums over rows: a quadratic as long as no row moves by more than 1, and a step up it.

For a sum over rows of f(z' coefficients) with abs(f''') <= abs(f''), as in Poisson regression with a log and in logistic
regression, a row that moves by m falls short of its tangent by no more than abs(f'') (exp(m) - 1 - m), and for m <= 1 that is no
more than (e - 2) abs(f'') m^2 (F. Bach 2010, Self-concordant analysis for logistic regression, Electronic Journal of
Statistics 4, lemma 1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqem.shapes import Array

SAFE = 2.0 * (np.e - 2.0)
"""Factor on the information that makes the second order a lower bound within such a step."""
_ROUNDING = 1e-12
"""Share of the largest eigenvalue below which another is rounding."""
_NO_GAIN, _FAR = 1e-5, 0.5
"""A direction is open where a Newton step gains less than the one and moves a row further than the other."""
_TINY = 1e-300
"""Below its root a regressor's power is lost; the reach is then that root."""
POWER = 16
"""Of the sum that bounds the largest regressor: it is too large by the 16th root of the number of rows at most."""


class Extent(NamedTuple):
    """How far rows reach: their number, sum of z z' (Q, Q), and sums of powers (Q,) that bound each regressor."""

    rows: float
    products: Array
    powers: Array

    def furthest(self, step: Array) -> float:
        """Return a bound of abs(z' step) over the rows: by their sum of squares, or by the largest of each regressor."""
        together = np.sqrt(max(float(step @ self.products @ step), 0.0))
        reach = np.maximum(self.powers, _TINY) ** (1.0 / POWER)
        return float(min(together, np.abs(step) @ reach))


def excess(furthest: float) -> float:
    """Return the factor on the quadratic that keeps it a lower bound where a row moves by more than 1.

    Examples
    --------
    >>> excess(0.5), round(excess(2.0), 3)
    (1.0, 1.528)
    """
    if furthest <= 1.0:
        return 1.0
    with np.errstate(over="ignore"):
        return float((np.expm1(furthest) - furthest) / (furthest**2 * (np.e - 2.0)))


def bounded_step(score: Array, curvature: Array, extent: Extent) -> tuple[Array, Array | None]:
    """Return a step (Q,) up a quadratic that moves no row by more than 1, and a direction without a maximum, or None.

    Parameters
    ----------
    score : ndarray, shape (Q,)
        Gradient; zero where a coefficient is held.
    curvature : ndarray, shape (Q, Q)
        Negative second derivative, that of a prior included.
    extent : Extent
        Of the rows.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> [bounded_step(np.array([s]), one, Extent(1, one, np.ones(1)))[0].round(6).tolist() for s in (19.0, 0.5)]
    [[1.0], [0.5]]
    """
    basis = _whitened(extent.products)
    values, axes = np.linalg.eigh(basis.T @ curvature @ basis)
    basis = basis @ axes
    pull = basis.T @ score
    lengths = pull / np.maximum(values, _ROUNDING / extent.rows)
    moves = np.array([extent.furthest(column) for column in (basis * lengths).T])
    lost = (pull**2 < _NO_GAIN * values) & (moves > _FAR)
    step = basis[:, ~lost] @ lengths[~lost]
    open_end = basis[:, lost][:, 0] if lost.any() else None
    return step / max(1.0, extent.furthest(step)), open_end


def leading_column(direction: Array, products: Array) -> int:
    """Return the regressor whose spread moves rows most along a direction; 0, the intercept, where none spreads them."""
    mean = products[0] / products[0, 0]
    spread = np.sqrt(np.maximum(np.diagonal(products) / products[0, 0] - mean**2, 0.0))
    moves = np.abs(direction) * spread
    return int(np.argmax(moves)) if moves.max() > 0.1 * abs(direction @ mean) else 0


def _whitened(products: Array) -> Array:
    """Return a basis (Q, R) of what the rows span, in which their products are the identity."""
    scale = np.sqrt(np.diagonal(products))
    scale = np.where(scale > 0, 1.0 / np.where(scale > 0, scale, 1.0), 0.0)
    values, axes = np.linalg.eigh(scale[:, None] * products * scale)
    kept = values > _ROUNDING * max(values[-1], _TINY)
    return scale[:, None] * axes[:, kept] / np.sqrt(values[kept])
