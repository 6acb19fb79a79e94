"""Free coordinates of parameter fields: each transform maps the free part of an array to R^n and back.

Entries that are kept (fixed) or at the edge of their range (a zero probability, a zero rate) are not free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import expit, logit

from seqem.core.linalg import pack_spd, unpack_spd
from seqem.shapes import Array, Mask


class Transform(Protocol):
    """How one field becomes unconstrained numbers."""

    def pack(self, value: Array, kept: Mask) -> Array:
        """Return the free coordinates of ``value``."""
        ...

    def unpack(self, vector: Array, like: Array, kept: Mask) -> Array:
        """Return ``like`` with its free part replaced."""
        ...

    def size(self, like: Array, kept: Mask) -> int:
        """Return the number of free coordinates."""
        ...


@dataclass(frozen=True)
class Elementwise:
    """One monotone function of every entry, defined where ``inside`` holds."""

    forward: Callable[[Array], Array]
    backward: Callable[[Array], Array]
    inside: Callable[[Array], Mask]

    def pack(self, value: Array, kept: Mask) -> Array:
        """Return the transformed free entries."""
        return self.forward(value[~kept & self.inside(value)])

    def unpack(self, vector: Array, like: Array, kept: Mask) -> Array:
        """Return ``like`` with its free entries replaced."""
        out = like.copy()
        out[~kept & self.inside(like)] = self.backward(vector)
        return out

    def size(self, like: Array, kept: Mask) -> int:
        """Return the number of free entries."""
        return int((~kept & self.inside(like)).sum())


class Simplex:
    """Additive log-ratios to the last free entry of each row; the free entries share what kept ones leave."""

    def _free(self, value: Array, kept: Mask) -> Mask:
        return ~kept & (value > 0)

    def pack(self, value: Array, kept: Mask) -> Array:
        """Return the log-ratios, row after row."""
        parts = [np.log(p[f][:-1] / p[f][-1:]) for p, f in zip(value, self._free(value, kept), strict=True)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def unpack(self, vector: Array, like: Array, kept: Mask) -> Array:
        """Return ``like`` with its free entries replaced, sums kept."""
        out, at = like.copy(), 0
        for row, free in zip(out, self._free(like, kept), strict=True):
            n = int(free.sum())
            if n > 1:
                logits = np.append(vector[at : at + n - 1], 0.0)
                odds = np.exp(logits - logits.max())
                row[free] = odds * (row[free].sum() / odds.sum())
                at += n - 1
        return out

    def size(self, like: Array, kept: Mask) -> int:
        """Return the number of log-ratios."""
        return int(np.maximum(self._free(like, kept).sum(axis=1) - 1, 0).sum())


class Covariance:
    """Log-Cholesky coordinates of every matrix (..., D, D) that is not kept."""

    def _free(self, like: Array, kept: Mask) -> Mask:
        return ~kept.reshape(-1, *like.shape[-2:])[:, 0, 0]

    def pack(self, value: Array, kept: Mask) -> Array:
        """Return the coordinates, matrix after matrix."""
        matrices = value.reshape(-1, *value.shape[-2:])
        return pack_spd(matrices[self._free(value, kept)]).ravel()

    def unpack(self, vector: Array, like: Array, kept: Mask) -> Array:
        """Return ``like`` with its free matrices replaced."""
        D = like.shape[-1]
        out = like.reshape(-1, D, D).copy()
        out[self._free(like, kept)] = unpack_spd(vector.reshape(-1, D * (D + 1) // 2), D)
        return out.reshape(like.shape)

    def size(self, like: Array, kept: Mask) -> int:
        """Return the number of coordinates."""
        D = like.shape[-1]
        return int(self._free(like, kept).sum()) * (D * (D + 1) // 2)


def _same(value: Array) -> Array:
    return value


def _everywhere(value: Array) -> Mask:
    return np.ones(value.shape, dtype=bool)


def _positive(value: Array) -> Mask:
    return value > 0


def _between(value: Array) -> Mask:
    return (value > 0) & (value < 1)


IDENTITY = Elementwise(_same, _same, _everywhere)
LOG = Elementwise(np.log, np.exp, _positive)
LOGIT = Elementwise(logit, expit, _between)
SIMPLEX = Simplex()
COVARIANCE = Covariance()
