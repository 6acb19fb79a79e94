"""Symbols, with codes for sets of symbols (ambiguity) and for none (missing)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from seqem.core.checks import numbers, refuse
from seqem.distributions.dirichlet import check_alpha, dirichlet_log_density, dirichlet_map
from seqem.distributions.fieldwise import Fieldwise
from seqem.distributions.transforms import SIMPLEX, Transform
from seqem.errors import DataError, ParameterError
from seqem.kernels.counts import add_by_code
from seqem.shapes import AnyArray, Array, Mask

_MOST_SYMBOLS = 2**20
"""Symbols that are taken from data without being told how many there are."""


_PART = 2**20


class CategoricalParams(NamedTuple):
    """Symbol probabilities (K, M)."""

    probs: Array


class CategoricalStats(NamedTuple):
    """Expected symbol counts (K, M)."""

    counts: Array


@dataclass(frozen=True, eq=False)
class Categorical(Fieldwise):
    """Model symbols (N,) or (N, 1).

    Attributes
    ----------
    n_symbols : int, optional
        M; None takes it from ``codes`` or, at the start, from the largest symbol.
    codes : array-like of 0 and 1, shape (C, M), optional
        Row c is the set of symbols that data code c may stand for. The default is one code a symbol and
        a last one, M, for all of them: missing. NaN becomes the code whose row is all ones.
    prior : array-like
        Dirichlet parameter >= 1, broadcast to (K, M).

    Notes
    -----
    Expected counts of an ambiguous code go to its symbols in proportion to their probabilities
    (Dempster, Laird & Rubin 1977, section 4.1: grouped multinomial counts).

    Examples
    --------
    >>> params = CategoricalParams(np.array([[0.25, 0.75]]))
    >>> Categorical(2).table(params).ravel().tolist()
    [0.25, 0.75, 1.0]
    """

    fields: ClassVar[tuple[str, ...]] = CategoricalParams._fields
    n_symbols: int | None = None
    codes: Any = None
    prior: Any = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_alpha(self.prior)
        if self.n_symbols is not None and self.n_symbols < 1:
            raise ParameterError("n_symbols is out of range", got=self.n_symbols, expected="at least 1")
        if self.codes is not None:
            sets = np.asarray(self.codes)
            fits = sets.ndim == 2 and self.n_symbols in (None, sets.shape[-1])
            if not fits or not np.isin(sets, (0, 1)).all() or not sets.any(axis=1).all():
                expected = "(C, n_symbols) of 0 and 1, no empty row"
                raise ParameterError("codes are not sets of symbols", got=f"shape {sets.shape}", expected=expected)

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (SIMPLEX,)

    def _size(self) -> int | None:
        return self.n_symbols if self.codes is None else np.asarray(self.codes).shape[1]

    def _n_codes(self, n_symbols: int) -> int:
        return n_symbols + 1 if self.codes is None else len(self.codes)

    def _whole(self, n_symbols: int) -> Mask:
        """Return which codes stand for all symbols, shape (C,)."""
        if self.codes is None:
            return np.arange(n_symbols + 1) == n_symbols
        return np.asarray(np.asarray(self.codes).all(axis=1))

    def _blank(self, n_symbols: int) -> Mask:
        """Return which codes say nothing; of a single symbol every observation counts."""
        return self._whole(n_symbols) & (self.codes is None or n_symbols > 1)

    def check(self, x: Any) -> AnyArray:
        """Return ``x`` as codes (N,), uint8 or int32."""
        array = numbers(x)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1:
            raise DataError("symbols have the wrong shape", got=f"shape {array.shape}", expected="(N,) or (N, 1)")
        if array.dtype.kind == "f":
            array = self._without_nan(array)
        size = self._size()
        limit = _MOST_SYMBOLS if size is None else self._n_codes(size)
        bad = (array < 0) | (array >= limit) | (array != np.floor(array))
        hint = "number symbols from 0 on, and give n_symbols" if size is None else None
        refuse(bad, array, "symbol out of range", expected=f"whole numbers from 0 to {limit - 1}", hint=hint)
        small = limit <= 256 or (size is None and array.max(initial=0) < 255)
        return np.ascontiguousarray(array, dtype=np.uint8 if small else np.int32)

    def _without_nan(self, array: AnyArray) -> AnyArray:
        lost = np.isnan(array)
        if not lost.any():
            return array
        size = self._size()
        whole = np.flatnonzero([] if size is None else self._whole(size))
        if len(whole) == 0:
            hint = "give n_symbols" if size is None else "add a row of ones to codes"
            refuse(lost, array, "missing symbol without a code for it", expected="a symbol", hint=hint)
        return np.where(lost, whole[-1], array)

    def missing(self, x: AnyArray) -> Mask:
        """Return which codes say nothing."""
        size = self._size()
        return np.zeros(len(x), dtype=bool) if size is None else self._blank(size)[x]

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> CategoricalParams:
        """Return the frequencies of the symbols, each disturbed by up to a half: far starts end in far optima."""
        size = self._size() or int(x.max(initial=0)) + 1
        seen = np.ones(size)
        for part in np.array_split(x, max(1, len(x) // _PART)):  # bincount works on a copy of eight bytes a row
            seen += np.bincount(part, minlength=size)[:size]
        probs = seen * (0.5 + rng.random((n_components, size)))
        return CategoricalParams(probs / probs.sum(axis=1, keepdims=True))

    def table(self, params: CategoricalParams) -> Array:
        """Return the probability of every code, shape (C, K)."""
        if self.codes is None:
            return np.vstack([params.probs.T, np.ones((1, len(params.probs)))])
        out = np.asarray(self.codes, dtype=np.float64) @ params.probs.T
        out[self._blank(params.probs.shape[1])] = 1.0
        return out

    def log_likelihood(self, params: CategoricalParams, x: AnyArray) -> Array:
        """Return log p(x_n | k), shape (N, K)."""
        table = self.table(params)
        self._within(x, len(table))
        with np.errstate(divide="ignore"):
            return np.log(table)[x]

    def accumulate(self, params: CategoricalParams, x: AnyArray, resp: Array) -> CategoricalStats:
        """Return expected symbol counts."""
        counts = np.zeros((self._n_codes(params.probs.shape[1]), resp.shape[1]))
        self._within(x, len(counts))
        add_by_code(x, resp, counts)
        return self.accumulate_counts(params, counts)

    def _within(self, x: AnyArray, n_codes: int) -> None:
        if x.max(initial=0) >= n_codes:
            refuse(x >= n_codes, x, "symbol out of range", expected=f"whole numbers below {n_codes}")

    def accumulate_counts(self, params: CategoricalParams, counts: Array) -> CategoricalStats:
        """Return the symbol counts of expected counts per data code, shape (C, K); missing ones give nothing."""
        if self.codes is None:
            return CategoricalStats(np.ascontiguousarray(np.where(params.probs > 0, counts[:-1].T, 0.0)))
        table = self.table(params)
        rate = np.where(table > 0, counts, 0.0) / np.where(table > 0, table, 1.0)
        rate[self._blank(params.probs.shape[1])] = 0.0
        return CategoricalStats((rate.T @ np.asarray(self.codes, dtype=np.float64)) * params.probs)

    def maximise(self, stats: CategoricalStats, params: CategoricalParams) -> CategoricalParams:
        """Return the mode of the probabilities."""
        probs = dirichlet_map(stats.counts, self.prior, params.probs, self.kept(params, "probs"))
        return self.settle(params, CategoricalParams(probs), stats.counts.sum(axis=1))

    def expected_log_likelihood(
        self, stats: CategoricalStats, params: CategoricalParams, reference: CategoricalParams
    ) -> float:
        """Return the sum of expected counts times log probabilities."""
        seen = stats.counts > 0
        with np.errstate(divide="ignore"):
            return float((stats.counts[seen] * np.log(params.probs[seen])).sum())

    def log_prior(self, params: CategoricalParams) -> float:
        """Return the log Dirichlet density of the probabilities, up to a constant."""
        return dirichlet_log_density(params.probs, self.prior)

    def sample(self, params: CategoricalParams, states: AnyArray, rng: np.random.Generator) -> AnyArray:
        """Return one symbol for each entry of ``states``, shape (N,)."""
        edges = params.probs.cumsum(axis=1)
        edges /= edges[:, -1:]
        symbols = (rng.random(len(states))[:, None] >= edges[states]).sum(axis=1)
        return self.check(symbols)
