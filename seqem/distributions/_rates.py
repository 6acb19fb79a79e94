"""Rates under a Gamma prior: what families of events for an exposure share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqem.core.checks import at_least, spread
from seqem.distributions.linear import LinearFamily
from seqem.distributions.transforms import LOG, Transform
from seqem.shapes import Array


@dataclass(frozen=True, eq=False)
class RateFamily(LinearFamily):
    """Base of the families with one parameter, ``rate`` (K, D), and its Gamma prior."""

    prior_shape: Any = 1.0
    prior_rate: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.prior_shape, 1.0, "prior_shape")
        at_least(self.prior_rate, 0.0, "prior_rate")

    def transforms(self) -> tuple[Transform, ...]:
        """Return the transform of each field."""
        return (LOG,)

    def mode(self, events: Array, exposure: Array) -> Array:
        """Return (shape - 1 + events) / (rate + exposure); 0 where there is no exposure."""
        total = exposure + spread(self.prior_rate, exposure.shape, "prior_rate")
        excess = spread(self.prior_shape, events.shape, "prior_shape") - 1.0
        return (events + excess) / np.where(total > 0, total, 1.0)

    def log_prior(self, params: Any) -> float:
        """Return the log Gamma density of the rates, up to a constant."""
        rate = params.rate
        excess = spread(self.prior_shape, rate.shape, "prior_shape") - 1.0
        pulled = excess > 0
        with np.errstate(divide="ignore"):
            logs = excess[pulled] * np.log(rate[pulled])
        return float(logs.sum() - (spread(self.prior_rate, rate.shape, "prior_rate") * rate).sum())
