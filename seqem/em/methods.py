"""The methods that a fit may go by, each a function from point to point, under the names that estimators take."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqem.em.accelerate import squarem
from seqem.em.daarem import DAAREM
from seqem.em.driver import Accelerator
from seqem.em.gradient import Ascent
from seqem.em.incremental import Incremental
from seqem.em.online import Online
from seqem.em.quasi_newton import QuasiNewton
from seqem.em.relaxed import OverRelaxed
from seqem.em.squared import Squared
from seqem.em.stochastic import StochasticAscent
from seqem.errors import ParameterError

# Each maker gives the step of one fit; most steps remember what came before.
_MAKERS: dict[str, Callable[[np.random.Generator | None], Accelerator | None]] = {
    "em": lambda _: None,
    "squarem": lambda _: squarem,
    "squarem3": lambda _: Squared(3),
    "daarem": lambda _: DAAREM(),
    "anderson": lambda _: DAAREM(damped=False),
    "quasi-newton": lambda _: QuasiNewton(),
    "alpha": lambda _: OverRelaxed(),
    "incremental": lambda _: Incremental(),
    "online": lambda rng: Online(rng=rng),
    "lbfgs": lambda _: Ascent("lbfgs"),
    "newton-cg": lambda _: Ascent("newton-cg"),
    "ecg": lambda _: Ascent("ecg"),
    "gradient": lambda _: Ascent("gradient"),
    "stochastic-gradient": lambda rng: StochasticAscent(rng=rng),
}


def accelerator(method: str, rng: np.random.Generator | None = None) -> Accelerator | None:
    """Return the step of a method, new for each fit; None for plain EM. ``rng`` shuffles the shards of online EM.

    Raises
    ------
    ParameterError
        Where there is no such method.

    Examples
    --------
    >>> accelerator("em") is None, accelerator("squarem").__name__
    (True, 'squarem')
    """
    if method not in _MAKERS:
        raise ParameterError("unknown method", got=repr(method), expected=f"one of {', '.join(_MAKERS)}")
    return _MAKERS[method](rng)
