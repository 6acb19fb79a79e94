"""Single parameters that are equal: entries of a field in several components, or several of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from seqem.distributions.fieldwise import Fieldwise
from seqem.distributions.transforms import Elementwise
from seqem.errors import ParameterError
from seqem.shapes import AnyArray, Array, IntArray, Mask


@dataclass(frozen=True, eq=False)
class Tied:
    """Model rows with a distribution some of whose parameters are equal.

    Attributes
    ----------
    distribution : Distribution
        A family whose tied fields have independent entries: means, variances, rates, not rows of probabilities.
    groups : mapping of str to array of int
        For a field's name an array of its shape: entries with the same number above zero are equal.

    Notes
    -----
    The M-step climbs the expected log-likelihood of all free parameters together, from sums alone, and never lowers it.

    Examples
    --------
    Two states of one mean and two variances:

    >>> from seqem.distributions.gaussian import Gaussian
    >>> calm_and_wild = Tied(Gaussian(), {"mean": [[1], [1]]})
    >>> x = np.concatenate([np.full(50, 2.0) + 0.1 * np.resize([-1, 1], 50), 2.0 + 5 * np.resize([-1, 1], 50)])[:, None]
    >>> start = calm_and_wild.initial(x, 2, np.random.default_rng(0))
    >>> resp = np.repeat(np.eye(2), 50, axis=0)
    >>> fitted = calm_and_wild.maximise(calm_and_wild.accumulate(start, x, resp), start)
    >>> fitted.mean.round(3).ravel().tolist(), fitted.covariance.round(2).ravel().tolist()
    ([2.0, 2.0], [0.01, 25.0])
    """

    distribution: Any
    groups: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.distribution, Fieldwise):
            raise ParameterError(
                "this distribution has no single parameters to tie", got=type(self.distribution).__name__
            )
        kinds = dict(zip(self.distribution.fields, self.distribution.transforms(), strict=True))
        bad = sorted(name for name in self.groups if not isinstance(kinds.get(name), Elementwise))
        if bad:
            allowed = [name for name, kind in kinds.items() if isinstance(kind, Elementwise)]
            raise ParameterError("groups name fields that cannot be tied", got=bad, expected=allowed)

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return self.distribution.fields

    def _index(self, params: Any) -> IntArray:
        """Return for each free coordinate of the distribution the number of the coordinate it takes here."""
        owners, fresh = [], 0
        for name, transform, value, kept in self.distribution._pieces(params):
            own = -1 - fresh - np.arange(transform.size(value, kept))
            fresh += len(own)
            if name in self.groups:
                labels = np.asarray(self.groups[name], dtype=np.int64)
                if labels.shape != value.shape:
                    raise ParameterError(f"groups of {name} do not fit", got=labels.shape, expected=value.shape)
                free = labels[~kept & transform.inside(value)]
                own = np.where(free > 0, free * len(self.fields) + self.fields.index(name), own)
            owners.append(own)
        return np.unique(np.concatenate(owners), return_inverse=True)[1]

    def _equal(self, params: Any) -> Any:
        """Return parameters whose tied entries all have their mean, in free coordinates."""
        return self.unpack(self.pack(params), params)

    def pack(self, params: Any) -> Array:
        """Return the free parameters, a tied group once."""
        index = self._index(params)
        return np.bincount(index, self.distribution.pack(params)) / np.bincount(index)

    def unpack(self, vector: Array, like: Any) -> Any:
        """Return the parameters of a vector of free ones."""
        return self.distribution.unpack(vector[self._index(like)], like)

    def n_free(self, params: Any) -> int:
        """Return the number of free parameters, a tied group counted once."""
        return len(self.pack(params))

    def initial(self, x: AnyArray, n_components: int, rng: np.random.Generator) -> Any:
        """Return the distribution's own start with tied entries made equal."""
        return self._equal(self.distribution.initial(x, n_components, rng))

    def maximise(self, stats: Any, params: Any) -> Any:
        """Return parameters of at least the same expected log-likelihood plus log prior, at its maximum."""

        def loss(at: Any) -> float:
            return -self.distribution.expected_log_likelihood(stats, at, params) - self.distribution.log_prior(at)

        free = self._equal(self.distribution.maximise(stats, params))
        starts = sorted((free, params), key=loss)
        found = minimize(
            lambda v: loss(self.unpack(v, params)),
            self.pack(starts[0]),
            jac="3-point",
            method="BFGS",
            options={"gtol": 1e-8},
        )
        return min((self.unpack(found.x, params), *starts), key=loss)

    def check(self, x: Any) -> AnyArray:
        """Return ``x`` as the distribution takes it."""
        return self.distribution.check(x)

    def missing(self, x: AnyArray) -> Mask:
        """Return which rows carry nothing."""
        return self.distribution.missing(x)

    def log_likelihood(self, params: Any, x: AnyArray) -> Array:
        """Return log p(x_n | k), shape (N, K)."""
        return self.distribution.log_likelihood(params, x)

    def accumulate(self, params: Any, x: AnyArray, resp: Array) -> Any:
        """Return the distribution's statistics."""
        return self.distribution.accumulate(params, x, resp)

    def recentre(self, stats: Any, old: Any, new: Any) -> Any:
        """Return the distribution's statistics about ``new``."""
        return self.distribution.recentre(stats, old, new)

    def expected_log_likelihood(self, stats: Any, params: Any, reference: Any) -> float:
        """Return the sum of resp * log p(x | params)."""
        return self.distribution.expected_log_likelihood(stats, params, reference)

    def log_prior(self, params: Any) -> float:
        """Return the log prior density of the parameters, up to a constant."""
        return self.distribution.log_prior(params)

    def sample(self, params: Any, states: AnyArray, rng: np.random.Generator) -> AnyArray:
        """Return one row for each entry of ``states``."""
        return self.distribution.sample(params, states, rng)
