"""fit_em: EM with one's own two steps, as plain functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqem.core.tree import tree_map, tree_vector
from seqem.em.callbacks import Callback
from seqem.em.checkpoint import Resume
from seqem.em.driver import FitResult, fit
from seqem.em.methods import accelerator
from seqem.em.protocol import EStep
from seqem.em.stop import StopRule
from seqem.shapes import Array


@dataclass(frozen=True)
class FunctionModel:
    """An EM model made of functions; coordinates are the parameters as they are unless ``to_free`` and ``from_free`` say more."""

    expect: Callable[[Any, Any], tuple[Any, float]]
    maximise: Callable[[Any, Any], Any]
    prior: Callable[[Any], float] | None = None
    expected: Callable[[Any, Any, Any], float] | None = None
    to_free: Callable[[Any], Array] | None = None
    from_free: Callable[[Array], Any] | None = None
    to_edge: Callable[[Any], Any] | None = None

    def e_step(self, params: Any, shard: Any) -> EStep:
        """Return the statistics and the log-likelihood of a shard."""
        return EStep(*self.expect(params, shard))

    def m_step(self, stats: Any, params: Any) -> Any:
        """Return new parameters."""
        return self.maximise(stats, params)

    def log_prior(self, params: Any) -> float:
        """Return the log prior density, 0 without one."""
        return 0.0 if self.prior is None else self.prior(params)

    def expected_log_likelihood(self, stats: Any, params: Any, reference: Any) -> float:
        """Return Q(params | reference)."""
        if self.expected is None:
            raise TypeError("this needs Q: pass expected_log_likelihood to fit_em")
        return self.expected(stats, params, reference)

    def edge(self, params: Any) -> Any:
        """Return the parameters at the edge of their range, None where they are not on their way there."""
        return None if self.to_edge is None else self.to_edge(params)

    def pack(self, params: Any) -> Array:
        """Return the parameters as a vector."""
        return tree_vector(params) if self.to_free is None else self.to_free(params)

    def unpack(self, vector: Array, like: Any) -> Any:
        """Return the parameters of a vector."""
        if self.from_free is not None:
            return self.from_free(vector)
        at = 0

        def take(leaf: Any) -> Any:
            nonlocal at
            size = np.size(leaf)
            part = vector[at : at + size].reshape(np.shape(leaf))
            at += size
            return part[()]

        return tree_map(take, like)


def fit_em(
    *,
    e_step: Callable[[Any, Any], tuple[Any, float]],
    m_step: Callable[[Any, Any], Any],
    start: Any,
    data: Any,
    method: str = "em",
    tol: float = 1e-10,
    monotone: bool = True,
    max_iter: int = 10_000,
    log_prior: Callable[[Any], float] | None = None,
    expected_log_likelihood: Callable[[Any, Any, Any], float] | None = None,
    pack: Callable[[Any], Array] | None = None,
    unpack: Callable[[Array], Any] | None = None,
    edge: Callable[[Any], Any] | None = None,
    executor: Executor | None = None,
    callbacks: Sequence[Callback] = (),
    resume: Resume | None = None,
) -> FitResult:
    """Fit one's own latent-variable model by EM.

    Parameters
    ----------
    e_step : callable
        ``(params, shard) -> (stats, log_likelihood)``; statistics are trees of arrays that add over shards.
    m_step : callable
        ``(stats, params) -> params``; any step that does not lower Q will do.
    start : tree of arrays
        Parameters to begin with: a number, an array, or tuples and dicts of them.
    data : array-like, or list of arrays
        One shard, or a list of them.
    method : str
        How to climb; see ``seqem.catalog.METHODS``. "squarem", "daarem" and "online" work on ``pack(params)``; "incremental",
        "lbfgs" and other gradients need ``expected_log_likelihood``.
    tol : float
        Converged when the gain to come is no more than this share of the objective, see ``StopRule.rest_tol``.
    monotone : bool
        Whether the objective is one that EM climbs. If not, as with draws in the E-step, it may fall, and the fit converges
        when the Euclidean norm of the change of the parameters is no more than ``tol``.
    max_iter : int
        Evaluations of the EM map at most.
    log_prior : callable, optional
        ``params -> float``, where ``m_step`` finds the posterior's mode.
    expected_log_likelihood : callable, optional
        ``(stats, params, reference) -> float``, Q up to a constant.
    pack, unpack : callable, optional
        To and from unconstrained vectors; by default the parameters as they are, which methods other than EM may take out of
        their range.
    edge : callable, optional
        ``params -> params`` at the edge of their range, such as a small variance set to zero, or None; tried when the fit is over
        and kept where the objective is not lower. EM only creeps towards such a maximum.
    executor, callbacks, resume
        As in :func:`seqem.em.driver.fit`.

    Returns
    -------
    FitResult
        Parameters, log-likelihood, history, and why the fit ended.

    Examples
    --------
    The mean of numbers that are only known to be positive where they are (truncated below 0):

    >>> from scipy.stats import norm
    >>> x = np.array([0.5, 1.1, 2.3, 0.2, 1.7, 3.0, 0.9])
    >>> def e_step(mean, x):  # those that were not seen: their number and sum
    ...     lost = norm.cdf(-mean) / norm.sf(-mean) * len(x)
    ...     below = mean - norm.pdf(mean) / norm.cdf(-mean)
    ...     return (len(x) + lost, x.sum() + lost * below), norm.logpdf(x, mean).sum() - len(x) * norm.logsf(-mean)
    >>> result = fit_em(e_step=e_step, m_step=lambda s, _: s[1] / s[0], start=1.0, data=x)
    >>> print(result.stop_reason, round(float(result.params), 3))
    converged 1.151
    """
    model = FunctionModel(e_step, m_step, log_prior, expected_log_likelihood, pack, unpack, edge)
    shards = data if isinstance(data, list) and data and np.ndim(data[0]) else [data]
    stop = StopRule(max_iter, rest_tol=tol) if monotone else StopRule(max_iter, param_tol=tol, fall_tol=np.inf)
    return fit(
        model,
        start,
        shards,
        stop=stop,
        executor=executor,
        callbacks=callbacks,
        accelerate=accelerator(method),
        resume=resume,
    )
