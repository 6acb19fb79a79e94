"""What every family shares: fixed entries, empty components, free coordinates field by field."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from seqem.distributions.transforms import Transform
from seqem.errors import DegenerateWarning, ParameterError
from seqem.shapes import AnyArray, Array, Mask

EMPTY = 1e-10
"""Mass up to which a component counts as empty."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Fieldwise(ABC):
    """Base of the families whose parameters are arrays.

    Attributes
    ----------
    fixed : mapping
        Field name -> True, or a boolean mask of the field's shape: entries that keep their values.
    """

    fields: ClassVar[tuple[str, ...]] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.fixed) - set(self.fields))
        if unknown:
            raise ParameterError("fixed names no parameter", got=unknown, expected=f"some of {list(self.fields)}")

    @abstractmethod
    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field, in the order of ``fields``."""

    def kept(self, params: Any, name: str) -> Mask:
        """Return which entries of field ``name`` are fixed."""
        return fixed_mask(self.fixed, name, getattr(params, name).shape)

    def settle(self, old: Any, new: Any, mass: Array, shared: tuple[str, ...] = ()) -> Any:
        """Return ``new`` with fixed entries and those of empty components (``mass`` (K,) or (K, D)) as in ``old``."""
        empty = np.asarray(mass <= EMPTY)
        warn_empty(np.asarray(empty.reshape(len(empty), -1).all(axis=1)))
        values = []
        for name in self.fields:
            before, after = getattr(old, name), getattr(new, name)
            keep = self.kept(old, name)
            if name not in shared:
                keep = keep | _fit(empty, before.ndim)
            values.append(np.where(keep, before, after))
        return type(old)(*values)

    def recentre(self, stats: Any, old: Any, new: Any) -> Any:
        """Return the statistics, which do not depend on where they were taken."""
        return stats

    def missing(self, x: AnyArray) -> Mask:
        """Return which rows carry nothing: all coordinates NaN."""
        missing = np.asarray(np.isnan(x[:, 0]))
        at = np.flatnonzero(missing)
        missing[at] = np.isnan(x[at]).all(axis=1)
        return missing

    def _pieces(self, params: Any) -> Iterator[tuple[str, Transform, Array, Mask]]:
        for name, transform in zip(self.fields, self.transforms(), strict=True):
            yield name, transform, getattr(params, name), self.kept(params, name)

    def n_free(self, params: Any) -> int:
        """Return the number of free parameters of all K components."""
        return sum(transform.size(value, kept) for _, transform, value, kept in self._pieces(params))

    def pack(self, params: Any) -> Array:
        """Return the free parameters as an unconstrained vector."""
        return np.concatenate(
            [transform.pack(value, kept).ravel() for _, transform, value, kept in self._pieces(params)]
        )

    def unpack(self, vector: Array, like: Any) -> Any:
        """Return the parameters of an unconstrained vector; fixed ones are taken from ``like``."""
        values, at = [], 0
        for _, transform, value, kept in self._pieces(like):
            n = transform.size(value, kept)
            values.append(transform.unpack(vector[at : at + n], value, kept))
            at += n
        return type(like)(*values)


def fixed_mask(fixed: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Mask:
    """Return the mask of field ``name`` at its full shape."""
    mask = np.asarray(fixed.get(name, False), dtype=bool)
    if mask.ndim and mask.shape != shape:
        raise ParameterError(f"fixed[{name!r}] has the wrong shape", got=mask.shape, expected=shape)
    return np.broadcast_to(mask, shape)


def warn_empty(empty: Mask) -> None:
    """Give a DegenerateWarning that names the components where ``empty`` (K,) holds."""
    if empty.any():
        names = np.flatnonzero(empty).tolist()
        message = f"components {names} got no data and keep their parameters; fewer components may do"
        warnings.warn(message, DegenerateWarning, stacklevel=2)


def _fit(empty: Mask, ndim: int) -> Mask:
    """Return ``empty`` (K,) or (K, D) for a field of ``ndim`` axes."""
    if ndim < empty.ndim:
        return np.asarray(empty.all(axis=1))
    return empty.reshape(empty.shape + (1,) * (ndim - empty.ndim))
