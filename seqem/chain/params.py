"""ChainParams: start, transition and end probabilities of a Markov chain over K states."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqem.errors import ParameterError
from seqem.shapes import Array


class ChainParams(NamedTuple):
    """Hold the probabilities of a chain.

    Attributes
    ----------
    start : ndarray, shape (K,)
        Probability of the first state.
    trans : ndarray, shape (K, K) or (T - 1, K, K)
        ``trans[i, j]`` is the probability to go from i to j; with three axes ``trans[t]`` leads from row t to t + 1.
    end : ndarray, shape (K,), optional
        Probability to stop after a state; then ``trans[i].sum() + end[i]`` is one. None: sequences may stop anywhere.

    Examples
    --------
    >>> import numpy as np
    >>> ChainParams(np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.2, 0.8]])).n_states
    2
    """

    start: Array
    trans: Array
    end: Array | None = None

    @property
    def n_states(self) -> int:
        """Number of states K."""
        return len(self.start)

    @property
    def varies(self) -> bool:
        """Whether the transitions depend on the row."""
        return self.trans.ndim == 3


class ChainStats(NamedTuple):
    """Expected counts of starts (K,), transitions (K, K) and ends (K,)."""

    start: Array
    trans: Array
    end: Array


def check_chain(start: Array, trans: Array, end: Array | None = None, tolerance: float = 1e-6) -> ChainParams:
    """Return the chain of the given probabilities.

    Raises
    ------
    ParameterError
        Where a shape does not fit, an entry is negative or not finite, or a row does not sum to one.
    """
    start, trans = np.asarray(start, dtype=float), np.asarray(trans, dtype=float)
    K = start.size
    if start.shape != (K,) or K == 0:
        raise ParameterError("startprob has the wrong shape", got=start.shape, expected="(n_states,)")
    if trans.ndim not in (2, 3) or trans.shape[-2:] != (K, K):
        raise ParameterError("transmat has the wrong shape", got=trans.shape, expected=f"({K}, {K})")
    rows = trans.sum(-1)
    if end is not None:
        end = np.asarray(end, dtype=float)
        if end.shape != (K,):
            raise ParameterError("endprob has the wrong shape", got=end.shape, expected=(K,))
        rows = rows + end
    for name, array, sums in (("startprob", start, start.sum()), ("transmat", trans, rows), ("endprob", end, 1.0)):
        if array is not None and not (np.isfinite(array).all() and (array >= 0).all()):
            raise ParameterError(f"{name} has entries that are negative or not finite", expected="probabilities")
        if not np.allclose(sums, 1.0, atol=tolerance, rtol=0):
            raise ParameterError(
                f"{name} does not sum to one", got=np.round(np.atleast_1d(sums).ravel()[:8], 9).tolist(), expected="1.0"
            )
    return ChainParams(start, trans, end)


def stationary_distribution(trans: Array) -> Array:
    """Return the distribution that ``trans`` (K, K) leaves unchanged, shape (K,).

    Where several exist (a chain that falls apart) the one of least norm is returned.

    Examples
    --------
    >>> import numpy as np
    >>> stationary_distribution(np.array([[0.9, 0.1], [0.2, 0.8]])).round(6).tolist()
    [0.666667, 0.333333]
    """
    K = len(trans)
    system = np.vstack([trans.T - np.eye(K), np.ones(K)])
    solution = np.linalg.lstsq(system, np.append(np.zeros(K), 1.0), rcond=None)[0]
    solution = np.maximum(solution, 0.0)
    return solution / solution.sum()
