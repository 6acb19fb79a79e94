"""The whole exception family of seqem.

Every message says what happened, what was got, what was expected and, where there is one, a hint.
"""

from __future__ import annotations

from typing import Any


def _sentence(what: str, got: Any, expected: Any, hint: str | None) -> str:
    parts = [what]
    if got is not None:
        parts.append(f"got {got}")
    if expected is not None:
        parts.append(f"expected {expected}")
    text = "; ".join(parts)
    return f"{text}. Hint: {hint}" if hint else text


class SeqemError(Exception):
    """Base of every error that seqem raises on purpose.

    Parameters
    ----------
    what : str
        What is wrong, in one clause.
    got, expected : object, optional
        What was found and what would have been right.
    hint : str, optional
        What the user can do about it.

    Examples
    --------
    >>> str(SeqemError("n_components is off", got=0, expected="a positive integer"))
    'n_components is off; got 0; expected a positive integer'
    """

    def __init__(self, what: str, *, got: Any = None, expected: Any = None, hint: str | None = None) -> None:
        super().__init__(_sentence(what, got, expected, hint))


class DataError(SeqemError, ValueError):
    """Observations that no model here can take: shape, type, range or content."""


class ParameterError(SeqemError, ValueError):
    """A model's parameter or a call's argument that is out of range or does not fit the others."""


class NotFittedError(SeqemError, ValueError, AttributeError):
    """A result was asked of an estimator that has no parameters yet."""


class FormatError(DataError):
    """A file that is not what its format says.

    Attributes
    ----------
    path : str or None
        The file.
    line : int or None
        The line, counted from 1.
    """

    def __init__(self, what: str, *, path: str | None = None, line: int | None = None, **facts: Any) -> None:
        place = "" if path is None else f"{path}: " if line is None else f"{path}, line {line}: "
        super().__init__(place + what, **facts)
        self.path = path
        self.line = line


class RecordingsError(DataError):
    """Recordings that cannot be used, among others that may be.

    Attributes
    ----------
    reasons : dict of int to str
        Number of each, from 0 -> what is wrong with it.

    Examples
    --------
    >>> str(RecordingsError({3: "it is silent", 5: "it has no frames"}))
    'recording 3: it is silent (and 1 more)'
    """

    def __init__(self, reasons: dict[int, str]) -> None:
        first = min(reasons)
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        super().__init__(f"recording {first}: {reasons[first]}{more}")
        self.reasons = reasons


class NumericalError(SeqemError, ArithmeticError):
    """A computation that left the range of floating-point numbers or lost its meaning."""


class SeqemWarning(UserWarning):
    """Base of every warning that seqem gives."""


class DegenerateWarning(SeqemWarning):
    """A state, component or row got no mass and keeps its old parameters."""


class ConvergenceWarning(SeqemWarning):
    """A fit stopped for a reason other than convergence."""
