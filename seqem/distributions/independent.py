"""Columns of different kinds in one model: independent given the component."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from seqem.core.checks import rows
from seqem.distributions.protocol import Distribution
from seqem.errors import DataError, ParameterError
from seqem.shapes import AnyArray, Array, IntArray, Mask


class IndependentParams(NamedTuple):
    """Parameters of the parts, in their order."""

    parts: tuple[Any, ...]


class IndependentStats(NamedTuple):
    """Statistics of the parts, in their order."""

    parts: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Independent:
    """Model rows (N, D) whose columns follow several families.

    Attributes
    ----------
    parts : sequence of (Distribution, columns)
        Each family with its column or columns of x (an int or a sequence of ints).

    Examples
    --------
    >>> from seqem.distributions.gaussian import Gaussian
    >>> from seqem.distributions.poisson import Poisson
    >>> model = Independent([(Gaussian(), [0, 1]), (Poisson(), 2)])
    >>> model.check([[0.5, 1.5, 3.0]]).shape
    (1, 3)
    """

    fields: ClassVar[tuple[str, ...]] = IndependentParams._fields
    parts: Sequence[tuple[Distribution, Any]]

    def __post_init__(self) -> None:
        used = np.concatenate([self._columns(c) for _, c in self.parts]) if self.parts else np.zeros(0)
        if len(used) == 0 or len(np.unique(used)) != len(used) or (used < 0).any():
            got = used.tolist()
            raise ParameterError("parts do not split the columns", got=got, expected="distinct columns >= 0")

    @staticmethod
    def _columns(columns: Any) -> IntArray:
        return np.atleast_1d(np.asarray(columns, dtype=np.int64))

    @property
    def _width(self) -> int:
        return 1 + max(int(self._columns(c).max()) for _, c in self.parts)

    def _each(self, x: AnyArray) -> Iterator[tuple[Distribution, AnyArray]]:
        """Yield each part with its columns as it takes them."""
        for part, columns in self.parts:
            yield part, part.check(x[:, self._columns(columns)])

    def check(self, x: Any) -> Array:
        """Return ``x`` as float64 rows (N, D) that every part accepts."""
        array = rows(x)
        if array.shape[1] < self._width:
            raise DataError("too few columns", got=array.shape[1], expected=f"at least {self._width}")
        for part, columns in self.parts:
            try:
                part.check(array[:, self._columns(columns)])
            except DataError as error:
                raise DataError(f"columns {self._columns(columns).tolist()}: {error}") from error
        return array

    def missing(self, x: AnyArray) -> Mask:
        """Return which rows carry nothing for any part."""
        return np.logical_and.reduce([part.missing(values) for part, values in self._each(x)])

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> IndependentParams:
        """Return each part's start."""
        return IndependentParams(tuple(part.initial(values, n_components, rng) for part, values in self._each(x)))

    def log_likelihood(self, params: IndependentParams, x: AnyArray) -> Array:
        """Return log p(x_n | k), shape (N, K)."""
        out = np.zeros((len(x), 1))
        for (part, values), p in zip(self._each(x), params.parts, strict=True):
            out = out + part.log_likelihood(p, values)
        return out

    def accumulate(self, params: IndependentParams, x: AnyArray, resp: Array) -> IndependentStats:
        """Return each part's statistics."""
        pairs = zip(self._each(x), params.parts, strict=True)
        return IndependentStats(tuple(part.accumulate(p, values, resp) for (part, values), p in pairs))

    def log_likelihood_and_parts(self, params: IndependentParams, x: AnyArray) -> tuple[Array, tuple[Any, ...]]:
        """Return the log-likelihoods (N, K) and what each part's ``accumulate_parts`` wants to know of the same rows."""
        pairs = zip(self._each(x), params.parts, strict=True)
        found = [_scored(part, p, values) for (part, values), p in pairs]
        return np.add.reduce([scores for scores, _ in found]), tuple(shares for _, shares in found)

    def accumulate_parts(
        self, params: IndependentParams, x: AnyArray, parts: tuple[Any, ...], resp: Array
    ) -> IndependentStats:
        """Return what ``accumulate`` does, from what each part knows."""
        known = zip(self._each(x), params.parts, parts, strict=True)
        return IndependentStats(tuple(_counted(part, p, values, shares, resp) for (part, values), p, shares in known))

    def responsibilities(self, params: IndependentParams, x: AnyArray, resp: Array) -> Array:
        """Return ``resp`` (N, K) shared out to the parts of each mixture, one mixture's beside the other's."""
        pairs = zip(self._each(x), params.parts, strict=True)
        shared = [part.responsibilities(p, values, resp) for (part, values), p in pairs]  # type: ignore[attr-defined]
        return np.concatenate(shared, axis=1)

    def of_states(self, params: IndependentParams, states: IntArray) -> IndependentParams:
        """Return the parameters of some states, where each part can."""
        return IndependentParams(tuple(part.of_states(p, states) for part, p in self._with(params)))

    def add_states(self, total: IndependentStats, stats: IndependentStats, states: IntArray) -> None:
        """Add the statistics of some states, all different, to those of all, in place."""
        for part, whole, own in self._with(total, stats):
            part.add_states(whole, own, states)

    def _with(self, *trees: Any) -> Iterator[tuple[Any, ...]]:
        """Yield each part with its own piece of every tree."""
        return zip((part for part, _ in self.parts), *(tree.parts for tree in trees), strict=True)

    def maximise(self, stats: IndependentStats, params: IndependentParams) -> IndependentParams:
        """Return each part's maximum."""
        return IndependentParams(tuple(part.maximise(s, p) for part, s, p in self._with(stats, params)))

    def recentre(self, stats: IndependentStats, old: IndependentParams, new: IndependentParams) -> IndependentStats:
        """Return each part's statistics about ``new``."""
        return IndependentStats(tuple(part.recentre(s, o, n) for part, s, o, n in self._with(stats, old, new)))

    def expected_log_likelihood(
        self, stats: IndependentStats, params: IndependentParams, reference: IndependentParams
    ) -> float:
        """Return the sum of the parts' Q."""
        trees = self._with(stats, params, reference)
        return float(sum(part.expected_log_likelihood(s, p, r) for part, s, p, r in trees))

    def log_prior(self, params: IndependentParams) -> float:
        """Return the sum of the parts' log priors."""
        return float(sum(part.log_prior(p) for part, p in self._with(params)))

    def sample(self, params: IndependentParams, states: AnyArray, rng: np.random.Generator) -> Array:
        """Return one row for each entry of ``states``, shape (N, D); unused columns are NaN."""
        out = np.full((len(states), self._width), np.nan)
        for (part, columns), p in zip(self.parts, params.parts, strict=True):
            out[:, self._columns(columns)] = part.sample(p, states, rng).reshape(len(states), -1)
        return out

    def n_free(self, params: IndependentParams) -> int:
        """Return the number of free parameters of all parts."""
        return sum(part.n_free(p) for part, p in self._with(params))

    def pack(self, params: IndependentParams) -> Array:
        """Return the free parameters as an unconstrained vector."""
        return np.concatenate([part.pack(p) for part, p in self._with(params)])

    def unpack(self, vector: Array, like: IndependentParams) -> IndependentParams:
        """Return the parameters of an unconstrained vector; fixed ones are taken from ``like``."""
        sizes = [part.n_free(p) for part, p in self._with(like)]
        pieces = np.split(vector, np.cumsum(sizes)[:-1])
        return IndependentParams(tuple(q.unpack(v, p) for (q, p), v in zip(self._with(like), pieces, strict=True)))


def _scored(part: Any, params: Any, values: AnyArray) -> tuple[Array, Any]:
    """Return log-likelihoods and what ``accumulate_parts`` of a part wants to know; None where it has none."""
    if hasattr(part, "log_likelihood_and_parts"):
        scores, shares = part.log_likelihood_and_parts(params, values)
        return scores, shares
    return part.log_likelihood(params, values), None


def _counted(part: Any, params: Any, values: AnyArray, shares: Any, resp: Array) -> Any:
    """Return the statistics of a part, by the shorter way where it has one."""
    if shares is None:
        return part.accumulate(params, values, resp)
    return part.accumulate_parts(params, values, shares, resp)
