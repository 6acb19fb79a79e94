"""Information criteria: the likelihood less a price for each parameter, on the scale of -2 log L."""

from __future__ import annotations

import math
from typing import Any


def aic(log_likelihood: float, n_parameters: int, n_rows: int) -> float:
    """Return Akaike's criterion, -2 log L + 2 p."""
    return -2.0 * log_likelihood + 2.0 * n_parameters


def aicc(log_likelihood: float, n_parameters: int, n_rows: int) -> float:
    """Return Akaike's criterion for few rows (Hurvich & Tsai 1989), + 2 p (p + 1) / (N - p - 1); infinite where N <= p + 1.

    Examples
    --------
    >>> aicc(-10.0, 2, 13), aicc(-10.0, 2, 3)
    (25.2, inf)
    """
    left = n_rows - n_parameters - 1
    if left <= 0:
        return math.inf
    return aic(log_likelihood, n_parameters, n_rows) + 2.0 * n_parameters * (n_parameters + 1) / left


def bic(log_likelihood: float, n_parameters: int, n_rows: int) -> float:
    """Return Schwarz's criterion, -2 log L + p log N."""
    return -2.0 * log_likelihood + n_parameters * math.log(n_rows)


class InformationCriteria:
    """Mixin of estimators; they answer ``_evidence`` and have ``n_parameters_``. The smaller a criterion the better.

    The arguments of each criterion are the data, as ``fit`` takes them.
    """

    n_parameters_: int

    def _evidence(self, *data: Any, **known: Any) -> tuple[float, int]:
        """Return log-likelihood and number of rows of the data."""
        raise NotImplementedError

    def _judged(self, data: Any, known: Any) -> tuple[float, int, int]:
        log_likelihood, n_rows = self._evidence(*data, **known)
        return log_likelihood, self.n_parameters_, n_rows

    def aic(self, *data: Any, **known: Any) -> float:
        """Return Akaike's criterion, -2 log L + 2 p."""
        return aic(*self._judged(data, known))

    def aicc(self, *data: Any, **known: Any) -> float:
        """Return Akaike's criterion for few rows (Hurvich & Tsai 1989); infinite where there are no more rows than p + 1."""
        return aicc(*self._judged(data, known))

    def bic(self, *data: Any, **known: Any) -> float:
        """Return Schwarz's criterion, -2 log L + p log N."""
        return bic(*self._judged(data, known))
