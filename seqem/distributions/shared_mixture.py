"""Mixtures of the same M parts in all K states: semi-continuous densities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from seqem.core.checks import at_least
from seqem.core.tree import tree_leaves
from seqem.distributions._start import labels
from seqem.distributions.dirichlet import check_alpha, dirichlet_log_density, dirichlet_map
from seqem.distributions.fieldwise import EMPTY, fixed_mask, warn_empty
from seqem.distributions.protocol import Distribution
from seqem.distributions.transforms import SIMPLEX
from seqem.errors import ParameterError
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
class SharedMixture:
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

    fields: ClassVar[tuple[str, ...]] = SharedMixtureParams._fields
    component: Distribution
    n_components: int
    weight_prior: Any = 1.0
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_alpha(self.weight_prior)
        at_least(self.n_components, 1, "n_components")
        if set(self.fixed) - {"weights"}:
            hint = "fix parameters of the parts in the component"
            raise ParameterError("fixed names no weights", got=sorted(self.fixed), expected=["weights"], hint=hint)

    def check(self, x: Any) -> AnyArray:
        """Return ``x`` as the component takes it."""
        return self.component.check(x)

    def missing(self, x: AnyArray) -> Mask:
        """Return which rows carry nothing."""
        return self.component.missing(x)

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

    # -- M-step ----------------------------------------------------------------------------------------

    def _kept(self, params: SharedMixtureParams) -> Mask:
        return fixed_mask(self.fixed, "weights", params.weights.shape)

    def maximise(self, stats: SharedMixtureStats, params: SharedMixtureParams) -> SharedMixtureParams:
        """Return the mode of the weights and the maximum of the parts."""
        weights = dirichlet_map(stats.counts, self.weight_prior, params.weights, self._kept(params))
        empty = stats.counts.sum(axis=1) <= EMPTY
        warn_empty(empty)
        weights = np.where(empty[:, None], params.weights, weights)
        return SharedMixtureParams(weights, self.component.maximise(stats.component, params.component))

    def recentre(
        self, stats: SharedMixtureStats, old: SharedMixtureParams, new: SharedMixtureParams
    ) -> SharedMixtureStats:
        """Return the statistics of the parts about ``new``."""
        return stats._replace(component=self.component.recentre(stats.component, old.component, new.component))

    def expected_log_likelihood(
        self, stats: SharedMixtureStats, params: SharedMixtureParams, reference: SharedMixtureParams
    ) -> float:
        """Return Q(params | reference), the expectation over the parts too."""
        seen = stats.counts > 0
        with np.errstate(divide="ignore"):
            weights = float((stats.counts[seen] * np.log(params.weights[seen])).sum())
        rest = self.component.expected_log_likelihood(stats.component, params.component, reference.component)
        return weights + rest

    def log_prior(self, params: SharedMixtureParams) -> float:
        """Return the log prior density of weights and parts, up to a constant."""
        return dirichlet_log_density(params.weights, self.weight_prior) + self.component.log_prior(params.component)

    def sample(self, params: SharedMixtureParams, states: AnyArray, rng: np.random.Generator) -> AnyArray:
        """Return one row for each entry of ``states``."""
        edges = params.weights.cumsum(axis=1)
        part = (rng.random(len(states))[:, None] >= edges[states, :-1]).sum(axis=1)
        return self.component.sample(params.component, part, rng)

    # -- free coordinates ------------------------------------------------------------------------------

    def n_free(self, params: SharedMixtureParams) -> int:
        """Return the number of free parameters of all weights and parts."""
        return SIMPLEX.size(params.weights, self._kept(params)) + self.component.n_free(params.component)

    def pack(self, params: SharedMixtureParams) -> Array:
        """Return the free parameters as an unconstrained vector."""
        weights = SIMPLEX.pack(params.weights, self._kept(params))
        return np.concatenate([weights, self.component.pack(params.component)])

    def unpack(self, vector: Array, like: SharedMixtureParams) -> SharedMixtureParams:
        """Return the parameters of an unconstrained vector; fixed ones are taken from ``like``."""
        kept = self._kept(like)
        n = SIMPLEX.size(like.weights, kept)
        weights = SIMPLEX.unpack(vector[:n], like.weights, kept)
        return SharedMixtureParams(weights, self.component.unpack(vector[n:], like.component))


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
