"""Distributions of how long a state lasts, over 1 to ``max_duration`` rows.

The parametric families are renormalised over this range, and their M-step maximises the renormalised likelihood
itself, so that EM stays monotone however short the range is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from seqem.core.checks import probabilities
from seqem.distributions._roots import newton_log
from seqem.distributions.dirichlet import check_alpha, dirichlet_log_density, dirichlet_map
from seqem.distributions.fieldwise import Fieldwise
from seqem.distributions.transforms import LOG, LOGIT, SIMPLEX, Transform
from seqem.errors import ParameterError
from seqem.shapes import Array


class FreeParams(NamedTuple):
    """Probabilities of 1 to D rows (K, D)."""

    probs: Array


class PoissonParams(NamedTuple):
    """Rate (K,) of the rows after the first."""

    rate: Array


class NegativeBinomialParams(NamedTuple):
    """Size r and probability p (K,): the rows after the first have weights C(y + r - 1, y) p^r (1 - p)^y."""

    r: Array
    p: Array


def _normalised(log_weights: Array) -> Array:
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Duration(Fieldwise):
    """Base of the families; the rows after the first are ``y = 0 .. max_duration - 1``.

    Attributes
    ----------
    max_duration : int
        D, most rows a segment may last.
    """

    params_type: ClassVar[Any] = None
    max_duration: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.max_duration, (int, np.integer)) or self.max_duration < 1:
            raise ParameterError("max_duration is off", got=repr(self.max_duration), expected="a positive integer")

    @property
    def later_rows(self) -> Array:
        """Rows after the first, 0 to D - 1."""
        return np.arange(self.max_duration, dtype=float)

    def check(self, value: Any, n_states: int) -> Any:
        """Return parameters from a mapping or a sequence of fields."""
        fields = value if isinstance(value, dict) else dict(zip(self.fields, value, strict=True))
        params = self.params_type(**{name: np.asarray(field, dtype=float) for name, field in fields.items()})
        shape = (n_states, self.max_duration) if self.fields == ("probs",) else (n_states,)
        if any(field.shape != shape for field in params):
            raise ParameterError("duration parameters have the wrong shape", expected=f"{self.fields} of {shape}")
        probabilities(self.table(params), "durations")
        return params

    @abstractmethod
    def table(self, params: Any) -> Array:
        """Return the probability of 1 to D rows, shape (K, D)."""

    @abstractmethod
    def initial(self, n_states: int) -> Any:
        """Return a broad start, the same for all states: the emission tells them apart."""

    @abstractmethod
    def maximise(self, counts: Array, params: Any) -> Any:
        """Return the parameters that maximise the sum of counts (K, D) times log probabilities, plus log prior."""

    def log_prior(self, params: Any) -> float:
        """Return the log prior density, up to a constant."""
        return 0.0

    def expected_log_likelihood(self, counts: Array, params: Any) -> float:
        """Return the sum of counts times log probabilities."""
        return float(self._by_state(counts, params).sum())

    def _by_state(self, counts: Array, params: Any) -> Array:
        with np.errstate(divide="ignore"):
            logs = np.log(self.table(params))
        return np.where(counts > 0, counts * np.where(counts > 0, logs, 0.0), 0.0).sum(axis=1)

    def _risen(self, counts: Array, old: Any, new: Any) -> Any:
        """Return ``new`` where its likelihood is not below that of ``old``: rounding must not undo a step."""
        better = self._by_state(counts, new) >= self._by_state(counts, old)
        kept = [np.where(better, after, before) for before, after in zip(old, new, strict=True)]
        return self.settle(old, self.params_type(*kept), counts.sum(axis=1))

    def _mean(self, counts: Array) -> Array:
        mass = counts.sum(axis=1)
        return counts @ self.later_rows / np.where(mass > 0, mass, 1.0)

    def _tilted(self, log_base: Array, mean: Array, start: Array, highest: float) -> Array:
        """Return the x for which the weights ``exp(log_base) * x ** y`` have the given means."""
        y = self.later_rows

        def moments(x: Array) -> tuple[Array, Array]:
            table = _normalised(log_base + y * np.log(x)[:, None])
            centre = table @ y
            return centre, (table * np.square(y - centre[:, None])).sum(axis=1)

        return newton_log(lambda x: mean - moments(x)[0], lambda x: -moments(x)[1], start, (1e-12, highest))


@dataclass(frozen=True, eq=False)
class FreeDuration(Duration):
    """A probability of its own for every duration.

    Attributes
    ----------
    prior : array-like
        Dirichlet parameter >= 1, broadcast to (K, D).

    Examples
    --------
    >>> free = FreeDuration(3)
    >>> free.maximise(np.array([[2.0, 1.0, 1.0]]), free.initial(1)).probs.tolist()
    [[0.5, 0.25, 0.25]]
    """

    fields: ClassVar[tuple[str, ...]] = FreeParams._fields
    params_type: ClassVar[Any] = FreeParams
    prior: Any = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_alpha(self.prior)

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (SIMPLEX,)

    def table(self, params: FreeParams) -> Array:
        """Return the probability of 1 to D rows, shape (K, D)."""
        return params.probs

    def initial(self, n_states: int) -> FreeParams:
        """Return uniform probabilities."""
        return FreeParams(np.full((n_states, self.max_duration), 1.0 / self.max_duration))

    def maximise(self, counts: Array, params: FreeParams) -> FreeParams:
        """Return shares of the counts and pseudo-counts."""
        probs = dirichlet_map(counts, self.prior, params.probs, self.kept(params, "probs"))
        return self.settle(params, FreeParams(probs), counts.sum(axis=1))

    def log_prior(self, params: FreeParams) -> float:
        """Return the log Dirichlet density, up to a constant."""
        return dirichlet_log_density(params.probs, self.prior)


@dataclass(frozen=True, eq=False)
class PoissonDuration(Duration):
    """One row and a Poisson number more.

    Examples
    --------
    >>> PoissonDuration(50).table(PoissonParams(np.array([3.0])))[0, :3].round(4).tolist()
    [0.0498, 0.1494, 0.224]
    """

    fields: ClassVar[tuple[str, ...]] = PoissonParams._fields
    params_type: ClassVar[Any] = PoissonParams

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (LOG,)

    def table(self, params: PoissonParams) -> Array:
        """Return the probability of 1 to D rows, shape (K, D)."""
        y = self.later_rows
        return _normalised(y * np.log(params.rate)[:, None] - gammaln(y + 1.0))

    def initial(self, n_states: int) -> PoissonParams:
        """Return a mean that suits short and long segments."""
        return PoissonParams(np.full(n_states, np.sqrt(self.max_duration)))

    def maximise(self, counts: Array, params: PoissonParams) -> PoissonParams:
        """Return the rate whose renormalised mean is that of the counts."""
        base = -gammaln(self.later_rows + 1.0)[None]
        rate = self._tilted(base, self._mean(counts), params.rate, 1e3 * self.max_duration)
        return self._risen(counts, params, PoissonParams(rate))


@dataclass(frozen=True, eq=False)
class NegativeBinomialDuration(Duration):
    """One row and a negative binomial number more; r = 1 is the geometric law of an ordinary chain.

    Examples
    --------
    >>> NegativeBinomialDuration(50).table(NegativeBinomialParams(np.ones(1), np.full(1, 0.5)))[0, :3].round(4).tolist()
    [0.5, 0.25, 0.125]
    """

    fields: ClassVar[tuple[str, ...]] = NegativeBinomialParams._fields
    params_type: ClassVar[Any] = NegativeBinomialParams

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (LOG, LOGIT)

    def _log_base(self, r: Array) -> Array:
        """Return log of r (r + 1) ... (r + y - 1) / y!, summed term by term: nothing cancels where r is large."""
        y = self.later_rows
        steps = np.log(r[:, None] + y[:-1])
        return np.column_stack([np.zeros(len(r)), steps.cumsum(axis=1)]) - gammaln(y + 1.0)

    def table(self, params: NegativeBinomialParams) -> Array:
        """Return the probability of 1 to D rows, shape (K, D)."""
        return _normalised(self._log_base(params.r) + self.later_rows * np.log1p(-params.p)[:, None])

    def initial(self, n_states: int) -> NegativeBinomialParams:
        """Return a geometric law, the broadest of its mean."""
        p = 1.0 / (1.0 + np.sqrt(self.max_duration))
        return NegativeBinomialParams(np.ones(n_states), np.full(n_states, p))

    def maximise(self, counts: Array, params: NegativeBinomialParams) -> NegativeBinomialParams:
        """Return the maximiser: the best p for each r has the mean of the counts, the best r is a root in one variable."""
        profile = self._profile(counts, params)
        r = newton_log(lambda r: profile(r)[1], lambda r: profile(r)[2], params.r, (1e-3, 1e6))
        r = np.where(self.kept(params, "r"), params.r, r)
        return self._risen(counts, params, NegativeBinomialParams(r, 1.0 - profile(r)[0]))

    def _profile(self, counts: Array, params: NegativeBinomialParams) -> Callable[[Array], tuple[Array, Array, Array]]:
        """Return ``f(r)``: the best 1 - p, and the first derivative of the mean log-likelihood by r and its slope by log r.

        By the envelope theorem the first is E_counts - E_model of digamma(y + r).
        """
        y, mean = self.later_rows, self._mean(counts)
        mass = counts.sum(axis=1, keepdims=True)
        shares = counts / np.where(mass > 0, mass, 1.0)
        known: dict[bytes, tuple[Array, Array, Array]] = {}
        latest = [1.0 - params.p]

        def evaluate(r: Array) -> tuple[Array, Array, Array]:
            key = r.tobytes()
            if key not in known:
                base = self._log_base(r)
                q = latest[0] = self._tilted(base, mean, latest[0], 1.0 - 1e-9)
                table = _normalised(base + y * np.log(q)[:, None])
                first, second = digamma(y + r[:, None]), polygamma(1, y + r[:, None])
                centred, away = first - (table * first).sum(1, keepdims=True), y - (table @ y)[:, None]
                spread, cross = (table * centred**2).sum(1), (table * centred * away).sum(1)
                variance = np.maximum((table * away**2).sum(1), 1e-300)
                bend = ((shares - table) * second).sum(1) - spread + cross**2 / variance
                known[key] = q, (shares * centred).sum(1), r * bend
            return known[key]

        return evaluate


FAMILIES: dict[str, type[Duration]] = {
    "free": FreeDuration,
    "poisson": PoissonDuration,
    "negative-binomial": NegativeBinomialDuration,
}
