"""The free energy of an E-step: what an M-step climbs, below the log-likelihood everywhere and equal to it where it was taken."""

from __future__ import annotations

from typing import Any

from seqem.em.protocol import EMModel, EStep


def free_energy(model: EMModel, step: EStep, at: Any, params: Any) -> float:
    """Return F(q, params) with the posterior q of an E-step at ``at``: expected complete log-likelihood plus entropy of q.

    The entropy need not be known: F is the log-likelihood at ``at``, and elsewhere differs from that by Q(params | at) -
    Q(at | at) (R. Neal and G. Hinton 1998; A. Dempster, N. Laird and D. Rubin 1977, equation 3.10).

    Parameters
    ----------
    model : EMModel
        The recipe, with ``expected_log_likelihood``.
    step : EStep
        Statistics and log-likelihood of data at ``at``; a ``Point`` has both too.
    at, params : tree of arrays
        Where q was taken, and where F is asked for.

    Examples
    --------
    >>> class Mean:
    ...     def expected_log_likelihood(self, stats, mean, reference):
    ...         return mean * stats[1] - 0.5 * stats[0] * mean**2
    >>> step = EStep((2, 4.0), -10.0)
    >>> free_energy(Mean(), step, 1.0, 1.0), free_energy(Mean(), step, 1.0, 2.0)
    (-10.0, -9.0)
    """
    expected = model.expected_log_likelihood
    return step.log_likelihood + expected(step.stats, params, at) - expected(step.stats, at, at)
