"""What mixtures have in common, whether each state has parts of its own or all share theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from seqem.core.checks import at_least
from seqem.distributions.dirichlet import check_alpha, dirichlet_log_density, dirichlet_map
from seqem.distributions.fieldwise import EMPTY, fixed_mask, warn_empty
from seqem.distributions.protocol import Distribution
from seqem.distributions.transforms import SIMPLEX
from seqem.errors import ParameterError
from seqem.shapes import AnyArray, Array, Mask


@dataclass(frozen=True, eq=False)
class WeightedParts:
    """Base of mixtures: parameters are weights (K, M) and those of the component, statistics their counts and the component's."""

    fields: ClassVar[tuple[str, ...]] = ("weights", "component")
    component: Distribution
    n_components: int
    weight_prior: Any = 1.0
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_alpha(self.weight_prior)
        at_least(self.n_components, 1, "n_components")
        if set(self.fixed) - {"weights"}:
            hint = "fix parameters of the components in the component"
            raise ParameterError("fixed names no weights", got=sorted(self.fixed), expected=["weights"], hint=hint)

    def check(self, x: Any) -> AnyArray:
        """Return ``x`` as the component takes it."""
        return self.component.check(x)

    def missing(self, x: AnyArray) -> Mask:
        """Return which rows carry nothing."""
        return self.component.missing(x)

    def _kept(self, params: Any) -> Mask:
        return fixed_mask(self.fixed, "weights", params.weights.shape)

    def maximise(self, stats: Any, params: Any) -> Any:
        """Return the mode of the weights and the components' maximum."""
        weights = dirichlet_map(stats.counts, self.weight_prior, params.weights, self._kept(params))
        empty = stats.counts.sum(axis=1) <= EMPTY
        warn_empty(empty)
        weights = np.where(empty[:, None], params.weights, weights)
        return params._replace(weights=weights, component=self.component.maximise(stats.component, params.component))

    def recentre(self, stats: Any, old: Any, new: Any) -> Any:
        """Return the components' statistics about ``new``."""
        return stats._replace(component=self.component.recentre(stats.component, old.component, new.component))

    def expected_log_likelihood(self, stats: Any, params: Any, reference: Any) -> float:
        """Return Q(params | reference), the expectation over the parts too."""
        seen = stats.counts > 0
        with np.errstate(divide="ignore"):
            weights = float((stats.counts[seen] * np.log(params.weights[seen])).sum())
        rest = self.component.expected_log_likelihood(stats.component, params.component, reference.component)
        return weights + rest

    def log_prior(self, params: Any) -> float:
        """Return the log prior density of weights and components, up to a constant."""
        return dirichlet_log_density(params.weights, self.weight_prior) + self.component.log_prior(params.component)

    def _drawn_parts(self, params: Any, states: AnyArray, rng: np.random.Generator) -> AnyArray:
        """Return a part for each entry of ``states``, by its weights."""
        edges = params.weights.cumsum(axis=1)
        return np.asarray((rng.random(len(states))[:, None] >= edges[states, :-1]).sum(axis=1))

    def n_free(self, params: Any) -> int:
        """Return the number of free parameters of all weights and components."""
        return SIMPLEX.size(params.weights, self._kept(params)) + self.component.n_free(params.component)

    def pack(self, params: Any) -> Array:
        """Return the free parameters as an unconstrained vector."""
        weights = SIMPLEX.pack(params.weights, self._kept(params))
        return np.concatenate([weights, self.component.pack(params.component)])

    def unpack(self, vector: Array, like: Any) -> Any:
        """Return the parameters of an unconstrained vector; fixed ones are taken from ``like``."""
        kept = self._kept(like)
        n = SIMPLEX.size(like.weights, kept)
        weights = SIMPLEX.unpack(vector[:n], like.weights, kept)
        return like._replace(weights=weights, component=self.component.unpack(vector[n:], like.component))
