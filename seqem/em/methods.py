"""The methods that a fit may go by, each a function from point to point, under the names that estimators take."""

from __future__ import annotations

from seqem.em.accelerate import squarem
from seqem.em.driver import Accelerator
from seqem.em.online import Online
from seqem.errors import ParameterError

METHODS = ("em", "squarem", "online")


def accelerator(method: str) -> Accelerator | None:
    """Return the step of a method, new for each fit; None for plain EM.

    Raises
    ------
    ParameterError
        Where there is no such method.

    Examples
    --------
    >>> accelerator("em") is None, accelerator("squarem").__name__
    (True, 'squarem')
    """
    if method not in METHODS:
        raise ParameterError("unknown method", got=repr(method), expected=f"one of {', '.join(METHODS)}")
    if method == "em":
        return None
    return Online() if method == "online" else squarem
