"""What a distribution answers. One object stands for K distributions at once, over the rows of x.

The same object serves as the emission of an HMM and as the component of a mixture. It is a frozen
dataclass of hyper-parameters; its parameters and statistics are NamedTuples of arrays whose first
axis is K (a statistic may only break this where the model itself is shared by all K).
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

from seqem.shapes import AnyArray, Array, Mask


class Distribution(Protocol):
    """K distributions over rows ``x`` of shape (N,) or (N, D)."""

    fields: ClassVar[tuple[str, ...]]
    """Names of the parameters, in the order of the NamedTuple."""

    def check(self, x: Any) -> AnyArray:
        """Return ``x`` as the array the other methods take; DataError where it cannot be an observation."""
        ...

    def missing(self, x: AnyArray) -> Mask:
        """Return which rows carry nothing, shape (N,): log-likelihood 0, no statistics."""
        ...

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> Any:
        """Return a start for K components from the data (k-means++ centres and the like)."""
        ...

    def log_likelihood(self, params: Any, x: AnyArray) -> Array:
        """Return log p(x_n | k), shape (N, K); constants included; 0 for a missing row; -inf is legal."""
        ...

    def accumulate(self, params: Any, x: AnyArray, resp: Array) -> Any:
        """Return the statistics of rows with weights ``resp`` (N, K), additive over rows."""
        ...

    def maximise(self, stats: Any, params: Any) -> Any:
        """Return the parameters that maximise expected log-likelihood plus log prior.

        ``params`` are those the statistics were taken at. A component without mass keeps them and a
        DegenerateWarning is given; so do parameters named in ``fixed``.
        """
        ...

    def recentre(self, stats: Any, old: Any, new: Any) -> Any:
        """Return statistics taken at ``old`` as if about ``new``, so that they add to those taken there.

        Where statistics are moments about the current parameters; others are returned as they are.
        """
        ...

    def expected_log_likelihood(self, stats: Any, params: Any, reference: Any) -> float:
        """Return sum of resp * log p(x | params) from statistics taken at ``reference``."""
        ...

    def log_prior(self, params: Any) -> float:
        """Return the log prior density of the parameters, up to a constant; 0.0 without priors."""
        ...

    def sample(self, params: Any, states: AnyArray, rng: np.random.Generator) -> AnyArray:
        """Return one row for each entry of ``states``."""
        ...

    def n_free(self, params: Any) -> int:
        """Return the number of free parameters of all K components."""
        ...

    def pack(self, params: Any) -> Array:
        """Return the free parameters as an unconstrained vector."""
        ...

    def unpack(self, vector: Array, like: Any) -> Any:
        """Return the parameters of an unconstrained vector; fixed ones are taken from ``like``."""
        ...
