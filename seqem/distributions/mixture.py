"""A mixture of M parts in each of K states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqem.core.linalg import column_sums
from seqem.core.tree import tree_leaves, tree_map
from seqem.distributions._start import labels
from seqem.distributions._weighted_parts import WeightedParts
from seqem.kernels.mixture import add_parts, share_out, subtract_top, weigh
from seqem.shapes import AnyArray, Array, IntArray

_BLOCK = 1 << 15
"""Numbers that go through exp at once: small enough for the cache."""


class MixtureParams(NamedTuple):
    """Weights (K, M) and the parameters of K * M components, those of a state together."""

    weights: Array
    component: Any


class MixtureStats(NamedTuple):
    """Expected visits (K, M) and the components' statistics."""

    counts: Array
    component: Any


@dataclass(frozen=True, eq=False)
class MixtureOf(WeightedParts):
    """Model each state as a mixture of ``n_components`` parts of one family.

    Attributes
    ----------
    component : Distribution
        Family of the parts; its priors see K * M components.
    n_components : int
        M, parts a state.
    weight_prior : array-like
        Dirichlet parameter >= 1 of the weights, broadcast to (K, M).
    fixed : mapping
        "weights" -> True or a mask (K, M); the component has its own.

    Examples
    --------
    >>> from seqem.distributions.poisson import Poisson, PoissonParams
    >>> params = MixtureParams(np.array([[0.5, 0.5]]), PoissonParams(np.array([[1.0], [1.0]])))
    >>> MixtureOf(Poisson(), 2).log_likelihood(params, np.array([[0.0]])).round(6).tolist()
    [[-1.0]]
    """

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> MixtureParams:
        """Return even weights and components fitted to clusters within clusters of the rows."""
        K, M = n_components, self.n_components
        params = self.component.initial(x, K * M, rng)
        parts = np.zeros((len(x), K * M))
        parts[np.arange(len(x)), self._cluster(x, K, rng)] = 1.0
        # a tenth of every row everywhere: no part starts empty, none with a variance of zero
        resp = 0.9 * parts + 0.1 / (K * M)
        params = self.component.maximise(self.component.accumulate(params, x, resp), params)
        return MixtureParams(np.full((K, M), 1.0 / M), params)

    def _cluster(self, x: AnyArray, n_states: int, rng: np.random.Generator) -> AnyArray:
        """Return a part for each row: k-means into states, then within each state."""
        values = x.reshape(len(x), -1).astype(np.float64)
        state = labels(values, n_states, rng)
        part = np.zeros(len(x), dtype=np.int64)
        for k in range(n_states):
            at = np.flatnonzero((state == k) & ~self.missing(x))
            if len(at):
                part[at] = labels(values[at], self.n_components, rng)
        return state * self.n_components + part

    def _exponentials(self, params: MixtureParams, x: AnyArray) -> tuple[Array, Iterator[tuple[slice, Array]]]:
        """Return the part densities (N, K * M) and an iterator that exponentiates them in place, block by block.

        Each step yields a row range and the logarithms (n, K) divided out of it.
        """
        block = self.component.log_likelihood(params.component, x)
        with np.errstate(divide="ignore"):
            log_weights = np.log(params.weights)
        size = max(1, _BLOCK // log_weights.size)

        def blocks() -> Iterator[tuple[slice, Array]]:
            for start in range(0, len(block), size):
                at = slice(start, start + size)
                part = block[at]
                top = np.empty((len(part), len(log_weights)))
                subtract_top(part, log_weights, top)
                np.exp(part, out=part)
                yield at, top

        return block, blocks()

    def log_likelihood(self, params: MixtureParams, x: AnyArray) -> Array:
        """Return log p(x_n | k), shape (N, K)."""
        return self.log_likelihood_and_parts(params, x)[0]

    def log_likelihood_and_parts(self, params: MixtureParams, x: AnyArray) -> tuple[Array, Array]:
        """Return the log-likelihoods (N, K) and the parts' unnormalised shares in them (N, K * M).

        Whoever needs ``accumulate`` for the same rows next may hand the shares to ``accumulate_parts``.
        """
        block, blocks = self._exponentials(params, x)
        out = np.empty((len(block), len(params.weights)))
        for at, top in blocks:
            add_parts(block[at], self.n_components, out[at])
            with np.errstate(divide="ignore"):
                np.log(out[at], out=out[at])
            out[at] += top
        out[self.missing(x)] = 0.0
        return out, block

    def weigh(self, params: MixtureParams, x: AnyArray, weights: Array) -> tuple[Array, MixtureStats]:
        """Return log p(x_n), shape (N,), and the statistics of rows with weights (N,), of a single mixture."""
        fused = getattr(self.component, "weigh", None)
        if fused is not None:
            with np.errstate(divide="ignore"):
                found = fused(params.component, np.log(params.weights[0]), x, weights)
            if found is not None:
                scores, counts, stats = found
                return scores, MixtureStats(counts[None], stats)
        block, blocks = self._exponentials(params, x)
        out, counts = np.empty(len(block)), np.zeros(block.shape[1])
        for at, top in blocks:
            weigh(block[at], weights[at], out[at], counts)
            with np.errstate(divide="ignore"):
                np.log(out[at], out=out[at])
            out[at] += top[:, 0]
        lost = self.missing(x)
        if lost.any():
            out[lost] = 0.0
            counts -= block[lost].sum(axis=0)
            block[lost] = 0.0
        return out, MixtureStats(counts[None], self.component.accumulate(params.component, x, block))

    def responsibilities(self, params: MixtureParams, x: AnyArray, resp: Array) -> Array:
        """Return ``resp`` (N, K) shared out to the parts, shape (N, K * M)."""
        block, blocks = self._exponentials(params, x)
        for at, _ in blocks:
            share_out(block[at], self.n_components, resp[at])
        return block

    def accumulate(self, params: MixtureParams, x: AnyArray, resp: Array) -> MixtureStats:
        """Return expected visits and the components' statistics; missing rows give nothing."""
        return self._statistics(params, x, self.responsibilities(params, x, resp))

    def of_states(self, params: MixtureParams, states: IntArray) -> MixtureParams:
        """Return the parameters of some states, of a component whose parameters are one a part each."""
        return tree_map(lambda leaf: _by_state(leaf, len(params.weights))[states].reshape(-1, *leaf.shape[1:]), params)

    def add_states(self, total: MixtureStats, stats: MixtureStats, states: IntArray) -> None:
        """Add the statistics of some states, all different, to those of all, in place."""
        for (_, whole), (_, leaf) in zip(tree_leaves(total), tree_leaves(stats), strict=True):
            _by_state(whole, len(total.counts))[states] += _by_state(leaf, len(states))

    def accumulate_parts(self, params: MixtureParams, x: AnyArray, parts: Array, resp: Array) -> MixtureStats:
        """Return what ``accumulate`` does, from the parts' shares, which are overwritten."""
        share_out(parts, self.n_components, resp)
        return self._statistics(params, x, parts)

    def _statistics(self, params: MixtureParams, x: AnyArray, parts: Array) -> MixtureStats:
        parts[self.missing(x)] = 0.0
        return MixtureStats(
            column_sums(parts).reshape(params.weights.shape), self.component.accumulate(params.component, x, parts)
        )

    def sample(self, params: MixtureParams, states: AnyArray, rng: np.random.Generator) -> AnyArray:
        """Return one row for each entry of ``states``."""
        part = self._drawn_parts(params, states, rng)
        return self.component.sample(params.component, states * self.n_components + part, rng)


def _by_state(leaf: Array, n_states: int) -> Array:
    """Return a leaf (K * M, ...) or (K, M) as a view with the states first."""
    return leaf.reshape(n_states, -1, *leaf.shape[1:])
