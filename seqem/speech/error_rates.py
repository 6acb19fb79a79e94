"""Error rates of verification: what is missed and what is let in, at every threshold."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqem.core.checks import refuse
from seqem.errors import DataError, ParameterError
from seqem.shapes import Array


def error_rates(targets: Any, impostors: Any) -> tuple[Array, Array]:
    """Return misses and false alarms at every threshold from below all scores to above them, shapes (M,).

    Parameters
    ----------
    targets, impostors : array-like
        Scores of trials in which the speaker is who they claim to be, and is not. At a threshold scores that equal it are
        accepted.

    Raises
    ------
    DataError
        Where there are none of a kind, or one is NaN.

    Examples
    --------
    >>> miss, false_alarm = error_rates([1.0, 3.0], [0.0, 2.0])
    >>> miss.tolist(), false_alarm.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [1.0, 0.5, 0.5, 0.0, 0.0])
    """
    known, others = (np.sort(np.ravel(np.asarray(part, dtype=np.float64))) for part in (targets, impostors))
    for name, part in (("targets", known), ("impostors", others)):
        if not len(part):
            raise DataError(f"no scores of {name}", expected="at least one")
        refuse(np.isnan(part), part, f"a score of {name} is NaN", expected="numbers")
    thresholds = np.append(np.unique(np.concatenate([known, others])), np.inf)
    miss = np.searchsorted(known, thresholds) / len(known)
    false_alarm = 1.0 - np.searchsorted(others, thresholds) / len(others)
    return miss, false_alarm


def equal_error_rate(targets: Any, impostors: Any) -> float:
    """Return the rate at which misses and false alarms are equal, on the line between the thresholds around.

    Parameters
    ----------
    targets, impostors : array-like
        As for ``error_rates``.

    Examples
    --------
    >>> equal_error_rate([1.0, 3.0, 4.0, 5.0], [-1.0, 0.0, 0.5, 2.0])
    0.25
    """
    miss, false_alarm = error_rates(targets, impostors)
    gap = miss - false_alarm  # rises from -1 to 1
    after = int(np.argmax(gap >= 0))
    share = gap[after] / (gap[after] - gap[after - 1])
    return float(miss[after] + share * (miss[after - 1] - miss[after]))


def minimum_detection_cost(
    targets: Any, impostors: Any, *, prior: float = 0.01, miss_cost: float = 1.0, false_alarm_cost: float = 1.0
) -> float:
    """Return the detection cost at the best threshold, over that of the better one of accepting all and none.

    Parameters
    ----------
    targets, impostors : array-like
        As for ``error_rates``.
    prior : float
        Probability that a trial is a target's.
    miss_cost, false_alarm_cost : float
        Of an error of each kind.

    Raises
    ------
    ParameterError
        For a prior that is no probability, or costs that are not positive.

    References
    ----------
    NIST (2010). The NIST year 2010 speaker recognition evaluation plan, section 3.

    Examples
    --------
    >>> minimum_detection_cost([1.0, 3.0], [0.0, 2.0], prior=0.5)
    0.5
    """
    if not (0 < prior < 1 and miss_cost > 0 and false_alarm_cost > 0):
        raise ParameterError(
            "prior or costs are off", got=(prior, miss_cost, false_alarm_cost), expected="in (0, 1), and positive"
        )
    miss, false_alarm = error_rates(targets, impostors)
    weights = prior * miss_cost, (1.0 - prior) * false_alarm_cost
    return float((weights[0] * miss + weights[1] * false_alarm).min() / min(weights))
