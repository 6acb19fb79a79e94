"""History: one record for every point a fit has stood at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seqem.shapes import Array

if TYPE_CHECKING:
    import pandas as pd


class Record(NamedTuple):
    """One point of a fit.

    Attributes
    ----------
    iteration : int
        Evaluations of the EM map so far; 0 for the start.
    objective, log_likelihood : float
        At the point.
    kind : str
        How the point was reached: "start", "em", "squarem" or "em-fallback".
    seconds : float
        Wall time since the start of the fit.
    """

    iteration: int
    objective: float
    log_likelihood: float
    kind: str
    seconds: float


class History(list[Record]):
    """A list of records, from the start to the last step, with columns as arrays.

    Examples
    --------
    >>> history = History([Record(0, -9.0, -9.0, "start", 0.0), Record(1, -7.5, -7.5, "em", 0.1)])
    >>> history.objective
    array([-9. , -7.5])
    >>> history.to_frame()["kind"].tolist()
    ['start', 'em']
    """

    @property
    def iteration(self) -> np.ndarray:
        """Evaluations of the EM map up to each point."""
        return np.array([record.iteration for record in self], dtype=np.int64)

    @property
    def objective(self) -> Array:
        """Objective at each point."""
        return np.array([record.objective for record in self], dtype=np.float64)

    @property
    def log_likelihood(self) -> Array:
        """Log-likelihood at each point."""
        return np.array([record.log_likelihood for record in self], dtype=np.float64)

    @property
    def kind(self) -> list[str]:
        """How each point was reached."""
        return [record.kind for record in self]

    @property
    def seconds(self) -> Array:
        """Wall time from the start of the fit to each point."""
        return np.array([record.seconds for record in self], dtype=np.float64)

    def to_frame(self) -> pd.DataFrame:
        """Return the records as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(list(self), columns=list(Record._fields))
