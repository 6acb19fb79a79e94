"""Mixtures of the same M parts in all K states: semi-continuous densities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqem.core.tree import tree_leaves
from seqem.distributions._start import labels
from seqem.distributions._weighted_parts import WeightedParts
from seqem.shapes import AnyArray, Array, IntArray, Mask

# Densities below exp(_LEAST) of a row's largest count for nothing beside it; subnormal numbers would be slow.
_LEAST = -690.0
# A state whose density is less than this share of a row's largest part is summed again in logarithms.
_NEAR = 1e-280
# Rows whose densities are taken together: they stay in the cache.
_ROWS = 512


class SharedMixtureParams(NamedTuple):
    """Weights (K, M) and the parameters of the M parts."""

    weights: Array
    component: Any


class SharedMixtureStats(NamedTuple):
    """Expected visits (K, M) and the statistics of the parts."""

    counts: Array
    component: Any


class Far(NamedTuple):
    """Rows (n,) that are far from all that a state is made of, and the shares (n, M) of the parts in them."""

    state: int
    rows: IntArray
    shares: Array


class SharedParts(NamedTuple):
    """Densities of parts over the largest of each row (N, M), their sums in each state (N, K), inf where a row is far."""

    density: Array
    total: Array
    far: tuple[Far, ...]


@dataclass(frozen=True, eq=False)
class SharedMixture(WeightedParts):
    """Model each state as a mixture, with weights of its own, of parts that all states share.

    Attributes
    ----------
    component : Distribution
        Family of the parts; its priors see M components.
    n_components : int
        M, parts of all states together.
    weight_prior : array-like
        Dirichlet parameter >= 1 of the weights, broadcast to (K, M).
    fixed : mapping
        "weights" -> True or a mask (K, M); the component has its own.

    Notes
    -----
    X. Huang and M. Jack (1989), Semi-continuous hidden Markov models for speech signals, Computer Speech and Language 3, 239-251.
    The densities of a row are taken once for all states; the rest are products of matrices.

    Examples
    --------
    >>> from seqem.distributions.poisson import Poisson, PoissonParams
    >>> params = SharedMixtureParams(np.array([[0.5, 0.5], [1.0, 0.0]]), PoissonParams(np.array([[1.0], [1.0]])))
    >>> SharedMixture(Poisson(), 2).log_likelihood(params, np.array([[0.0]])).round(6).tolist()
    [[-1.0, -1.0]]
    """

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> SharedMixtureParams:
        """Return parts fitted to clusters of the rows, and weights by how clusters into K states meet them."""
        K, M, seen = n_components, self.n_components, ~self.missing(x)
        values = x.reshape(len(x), -1).astype(np.float64)
        part, state = (np.eye(n)[labels(values, n, rng)] * seen[:, None] for n in (M, K))
        params = self.component.initial(x, M, rng)
        # A tenth of every row everywhere: no part starts empty, none with a variance of zero.
        params = self.component.maximise(self.component.accumulate(params, x, 0.9 * part + 0.1 / M), params)
        counts = state.T @ part
        weights = counts + 0.1 * (1.0 + counts.sum(axis=1, keepdims=True)) / M
        return SharedMixtureParams(weights / weights.sum(axis=1, keepdims=True), params)

    # -- densities -------------------------------------------------------------------------------------

    def log_likelihood(self, params: SharedMixtureParams, x: AnyArray) -> Array:
        """Return log p(x_n | k), shape (N, K)."""
        out = np.empty((len(x), len(params.weights)))
        for start in range(0, len(x), _ROWS):
            rows = slice(start, start + _ROWS)
            out[rows] = self.log_likelihood_and_parts(params, x[rows])[0]
        return out

    def log_likelihood_and_parts(self, params: SharedMixtureParams, x: AnyArray) -> tuple[Array, SharedParts]:
        """Return the log-likelihoods (N, K) and what ``accumulate_parts`` wants to know of the same rows."""
        block = self.component.log_likelihood(params.component, x)
        top = block.max(axis=1, initial=-np.inf)
        top[top == -np.inf] = 0.0
        block -= top[:, None]
        density = np.exp(np.where(block < _LEAST, -np.inf, block))
        total = density @ params.weights.T
        near = total > _NEAR
        with np.errstate(divide="ignore"):
            out = np.log(total)
        far = () if near.all() else tuple(_far(params.weights, block, near, out))
        out += top[:, None]
        out[self.missing(x)] = 0.0
        return out, SharedParts(density, total if not far else np.where(near, total, np.inf), far)

    # -- statistics ------------------------------------------------------------------------------------

    def accumulate(self, params: SharedMixtureParams, x: AnyArray, resp: Array) -> SharedMixtureStats:
        """Return expected visits and the statistics of the parts; missing rows give nothing."""
        return self.accumulate_parts(params, x, self.log_likelihood_and_parts(params, x)[1], resp)

    def accumulate_parts(
        self, params: SharedMixtureParams, x: AnyArray, parts: SharedParts, resp: Array
    ) -> SharedMixtureStats:
        """Return what ``accumulate`` does, from the densities of the parts."""
        resp = np.where(self.missing(x)[:, None], 0.0, resp)
        counts = params.weights * ((resp / parts.total).T @ parts.density)
        for state, rows, shares in parts.far:
            counts[state] += resp[rows, state] @ shares
        return SharedMixtureStats(
            counts, self.component.accumulate(params.component, x, _shared_out(params.weights, parts, resp))
        )

    def responsibilities(self, params: SharedMixtureParams, x: AnyArray, resp: Array) -> Array:
        """Return ``resp`` (N, K) shared out to the parts, those of all states together, shape (N, M)."""
        return _shared_out(params.weights, self.log_likelihood_and_parts(params, x)[1], resp)

    def of_states(self, params: SharedMixtureParams, states: IntArray) -> SharedMixtureParams:
        """Return the parameters of some states: their weights, and all parts."""
        return params._replace(weights=params.weights[states])

    def add_states(self, total: SharedMixtureStats, stats: SharedMixtureStats, states: IntArray) -> None:
        """Add the statistics of some states, all different, to those of all, in place."""
        total.counts[states] += stats.counts
        for (_, whole), (_, leaf) in zip(tree_leaves(total.component), tree_leaves(stats.component), strict=True):
            whole += leaf

    def sample(self, params: SharedMixtureParams, states: AnyArray, rng: np.random.Generator) -> AnyArray:
        """Return one row for each entry of ``states``."""
        return self.component.sample(params.component, self._drawn_parts(params, states, rng), rng)


def _far(weights: Array, block: Array, near: Mask, out: Array) -> Iterator[Far]:
    """Yield states with rows that are far from them, from logarithms (N, M), and put right their density in ``out`` (N, K)."""
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    for state in np.flatnonzero(~near.all(axis=0)):
        rows = np.flatnonzero(~near[:, state])
        joint = block[rows] + log_weights[state]
        top = joint.max(axis=1, keepdims=True)
        top[top == -np.inf] = 0.0
        shares = np.exp(joint - top)
        total = shares.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            out[rows, state] = (np.log(total) + top)[:, 0]
        yield Far(int(state), rows, shares / np.where(total > 0, total, 1.0))


def _shared_out(weights: Array, parts: SharedParts, resp: Array) -> Array:
    """Return the posterior of each part (N, M)."""
    out = parts.density * ((resp / parts.total) @ weights)
    for state, rows, shares in parts.far:
        out[rows] += resp[rows, state, None] * shares
    return out
