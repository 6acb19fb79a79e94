"""Rates under a Gamma prior: of events for an exposure."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqem.core.checks import spread
from seqem.shapes import Array


def gamma_map(events: Array, exposure: Array, shape: Any, rate: Any) -> Array:
    """Return the mode (shape - 1 + events) / (rate + exposure); 0 where there is no exposure."""
    total = exposure + spread(rate, exposure.shape, "prior_rate")
    return (events + spread(shape, events.shape, "prior_shape") - 1.0) / np.where(total > 0, total, 1.0)


def gamma_log_density(value: Array, shape: Any, rate: Any) -> float:
    """Return sum of (shape - 1) log value - rate value."""
    excess = spread(shape, value.shape, "prior_shape") - 1.0
    pulled = excess > 0
    with np.errstate(divide="ignore"):
        logs = excess[pulled] * np.log(value[pulled])
    return float(logs.sum() - (spread(rate, value.shape, "prior_rate") * value).sum())
