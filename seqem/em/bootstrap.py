"""Parametric bootstrap: how estimates scatter over data drawn from the fitted model."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqem.core.rng import generator
from seqem.core.tree import tree_map
from seqem.errors import NumericalError, ParameterError

Replicate = Callable[[np.random.Generator], Any]


class Interval(NamedTuple):
    """Lower and upper ends of confidence intervals, each a tree like the parameters."""

    low: Any
    high: Any


@dataclass(frozen=True)
class Bootstrap:
    """Estimates from data drawn from a fitted model.

    Attributes
    ----------
    replicates : tree of arrays
        Like the parameters, with an axis more in front: one entry for each data set.
    n_failed : int
        Data sets whose fit failed; they are left out.

    Examples
    --------
    >>> found = Bootstrap({"mean": np.array([1.0, 2.0, 3.0])}, 0)
    >>> float(found.standard_errors()["mean"]), found.intervals(0.5).low["mean"].item()
    (1.0, 1.5)
    """

    replicates: Any
    n_failed: int

    def standard_errors(self) -> Any:
        """Return the standard deviation of every parameter over the data sets, as a tree like the parameters."""
        return tree_map(lambda values: values.std(axis=0, ddof=1), self.replicates)

    def intervals(self, level: float = 0.95) -> Interval:
        """Return percentile intervals of every parameter."""
        tails = (0.5 - level / 2, 0.5 + level / 2)
        low, high = (tree_map(lambda values, q=q: np.quantile(values, q, axis=0), self.replicates) for q in tails)
        return Interval(low, high)


def bootstrap(
    replicate: Replicate, n_replicates: int, random_state: Any = None, executor: Executor | None = None
) -> Bootstrap:
    """Return what a number of replicates scatter like.

    Parameters
    ----------
    replicate : callable
        ``Generator -> params``: draws data and fits to them. Picklable for executors of processes.
    n_replicates : int
        Data sets, two at least.
    random_state : int, Generator or None
        Each data set gets a child of it, so that the result does not depend on who computes them.
    executor : concurrent.futures.Executor, optional
        Runs the replicates.

    Raises
    ------
    NumericalError
        Where fewer than two fits succeed.

    Examples
    --------
    >>> found = bootstrap(lambda rng: rng.normal(size=100).mean(), 200, random_state=0)
    >>> round(float(found.standard_errors()), 2)
    0.1
    """
    if n_replicates < 2:
        raise ParameterError("n_replicates is off", got=n_replicates, expected="at least 2")
    children = generator(random_state).spawn(n_replicates)
    if executor is None:
        drawn = [_attempt(replicate, child) for child in children]
    else:
        drawn = [future.result() for future in [executor.submit(_attempt, replicate, child) for child in children]]
    sound = [params for params in drawn if params is not None]
    if len(sound) < 2:
        raise NumericalError("the fits to drawn data failed", got=f"{len(sound)} of {n_replicates} succeeded")
    return Bootstrap(tree_map(lambda *values: np.stack(values), *sound), n_replicates - len(sound))


def _attempt(replicate: Replicate, rng: np.random.Generator) -> Any:
    try:
        return replicate(rng)
    except NumericalError:
        return None
