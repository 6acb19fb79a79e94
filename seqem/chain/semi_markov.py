"""Inference in explicit-duration (semi-Markov) chains: expected counts, posteriors, Viterbi, sampling.

A sequence is a run of segments; a state stays for a number of rows drawn from its own distribution, then another state
follows. The first segment begins at the first row. The last one is cut off by the end of the sequence: it lasts at
least as long as it was seen (right-censored, Guedon 2003).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from seqem.chain.engine import SCALED, engine_of, safe_log
from seqem.chain.params import check_chain
from seqem.chain.viterbi import Decoding
from seqem.errors import DataError, ParameterError
from seqem.kernels import semi_markov, semi_markov_log
from seqem.shapes import AnyArray, Array, IntArray, Path

_BLOCK_CELLS = 2**17


class SemiMarkovChain(NamedTuple):
    """Probabilities of a semi-Markov chain.

    Attributes
    ----------
    start : ndarray, shape (K,)
        Probability of the first segment's state.
    trans : ndarray, shape (K, K)
        Probability of the next segment's state; the diagonal is zero. A row of zeros is a state that is not left.
    durations : ndarray, shape (K, D)
        ``durations[j, d]`` is the probability that a segment of j lasts d + 1 rows.

    Examples
    --------
    >>> import numpy as np
    >>> SemiMarkovChain(np.array([1.0, 0.0]), 1 - np.eye(2), np.full((2, 4), 0.25)).n_states
    2
    """

    start: Array
    trans: Array
    durations: Array

    @property
    def n_states(self) -> int:
        """Number of states K."""
        return len(self.start)


class SemiMarkovStats(NamedTuple):
    """Expected counts: starts (K,), transitions (K, K), complete segments and those cut off by the end (K, D)."""

    start: Array
    trans: Array
    complete: Array
    cut: Array


class SemiMarkovPosterior(NamedTuple):
    """Posteriors of the states (N, K), expected counts, log-likelihoods (S,)."""

    smoothed: Array
    stats: SemiMarkovStats
    log_likelihood: Array


def check_semi_markov(start: AnyArray, trans: AnyArray, durations: AnyArray) -> SemiMarkovChain:
    """Return the chain of the given probabilities.

    Raises
    ------
    ParameterError
        Where shapes do not fit, something is not a probability, or a state follows itself.
    """
    trans, table = np.atleast_2d(np.asarray(trans, dtype=float)), np.asarray(durations, dtype=float)
    never_left = ~trans.any(axis=-1, keepdims=True)
    start = check_chain(np.asarray(start), trans + never_left * np.eye(*trans.shape[-2:])).start
    if np.diagonal(trans).any():
        raise ParameterError("a state follows itself in transmat", expected="zeros on the diagonal")
    if table.ndim != 2 or len(table) != len(start) or table.shape[1] == 0:
        raise ParameterError(
            "durations have the wrong shape", got=table.shape, expected=f"({len(start)}, max_duration)"
        )
    if not (table >= 0).all() or not np.allclose(table.sum(1), 1.0, rtol=0, atol=1e-6):
        raise ParameterError("durations are not rows of probabilities", got=table.sum(1).round(9).tolist())
    return SemiMarkovChain(start, trans, table)


def _checked(chain: SemiMarkovChain, log_frames: AnyArray) -> Array:
    frames = np.ascontiguousarray(log_frames, dtype=float)
    if frames.ndim != 2 or frames.shape[1] != chain.n_states:
        raise DataError("frames have the wrong shape", got=frames.shape, expected=f"(T, {chain.n_states})")
    if np.isnan(frames).any() or (frames == np.inf).any():
        raise DataError("frames hold NaN or +inf", hint="a missing row is a row of zeros")
    return frames


def survivor(durations: Array) -> Array:
    """Return the probability of at least so many rows, shape (K, D).

    Examples
    --------
    >>> survivor(np.array([[0.5, 0.25, 0.25]])).tolist()
    [[1.0, 0.5, 0.25]]
    """
    return np.ascontiguousarray(durations[:, ::-1].cumsum(axis=1)[:, ::-1])


def duration_counts(stats: SemiMarkovStats, durations: Array) -> Array:
    """Return expected counts of durations (K, D), cut segments spread over what they may have become."""
    alive = survivor(durations)
    rate = np.divide(stats.cut, alive, out=np.zeros_like(alive), where=alive > 0)
    return stats.complete + durations * rate.cumsum(axis=1)


def expected_counts(
    chain: SemiMarkovChain,
    log_frames: AnyArray,
    offsets: AnyArray,
    *,
    weights: Array | None = None,
    space: str = "scaled",
    block: int | None = None,
) -> SemiMarkovPosterior:
    """Return posteriors and expected counts of sequences.

    Parameters
    ----------
    chain : SemiMarkovChain
        Probabilities.
    log_frames : ndarray, shape (N, K)
        Log-likelihoods of the rows.
    offsets : ndarray, shape (S + 1,)
        Sequence s is rows ``offsets[s]`` to ``offsets[s + 1]``.
    weights : ndarray, shape (S,), optional
        Sample weights; they scale counts and posteriors, not the log-likelihoods returned.
    space : {"scaled", "log"}
        Space of the recursion; a sequence for which the scaled one does not do is repeated in log space.
    block : int, optional
        Rows of a block that is recomputed on the way back. The result does not depend on it.

    Notes
    -----
    Guedon 2003; the recursions are those of Yu and Kobayashi 2003, with T * K * (K + D) steps. A sequence without any
    possible path has log-likelihood -inf and adds nothing.

    Examples
    --------
    >>> chain = SemiMarkovChain(np.array([0.5, 0.5]), 1 - np.eye(2), np.array([[0.0, 1.0], [0.0, 1.0]]))
    >>> frames = np.log([[0.9, 0.1], [0.5, 0.5], [0.5, 0.5]])
    >>> expected_counts(chain, frames, np.array([0, 3])).smoothed.round(6).tolist()
    [[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]
    """
    frames, offsets = _checked(chain, log_frames), np.asarray(offsets, dtype=np.int64)
    if offsets[-1] > len(frames):
        raise DataError("offsets go beyond the frames", got=int(offsets[-1]), expected=f"at most {len(frames)}")
    S, (K, D) = len(offsets) - 1, chain.durations.shape
    weights = np.ones(S) if weights is None else weights
    gamma, log_likelihood = np.zeros((len(frames), K)), np.zeros(S)
    status = np.full(S, engine_of(space) is not SCALED, dtype=np.uint8)
    stats = _no_counts(K, D)
    if not status.all():
        stats = _scaled(chain, frames, offsets, weights, block, gamma, log_likelihood, status)
    if status.any():
        _add_log(chain, frames, offsets, weights, gamma, stats, log_likelihood, status)
    return SemiMarkovPosterior(gamma, stats, log_likelihood)


def _no_counts(K: int, D: int) -> SemiMarkovStats:
    return SemiMarkovStats(np.zeros(K), np.zeros((K, K)), np.zeros((K, D)), np.zeros((K, D)))


def _scaled(
    chain: SemiMarkovChain,
    frames: Array,
    offsets: IntArray,
    weights: Array,
    block: int | None,
    gamma: Array,
    log_likelihood: Array,
    status: AnyArray,
) -> SemiMarkovStats:
    """Fill what the scaled recursion can; return the counts of sequences of status 0."""
    K, D = chain.durations.shape
    alive = survivor(chain.durations)
    known = alive > 0
    hazard = np.divide(chain.durations, alive, out=np.ones_like(alive), where=known)
    stay = np.zeros_like(alive)
    np.divide(alive[:, 1:], alive[:, :-1], out=stay[:, :-1], where=known[:, :-1])
    model = (np.ascontiguousarray(chain.start), np.ascontiguousarray(chain.trans), hazard, stay)
    rows = int(np.diff(offsets).max(initial=1))
    block = min(block or max(_BLOCK_CELLS // (K * D), math.isqrt(rows)), max(rows, 1))
    n = rows // block + 1
    scratch = (
        (np.empty((n, K, D)), np.empty((n, K)), np.empty(n)),
        (np.empty((block + 1, K, D)), np.empty((block + 1, K)), np.empty(block + 1)),
        np.empty((2, K, D)),
    )
    likelihood, peak = SCALED.prepare(frames.copy())
    left_out = -1
    while left_out < int(status.sum()):  # counts of a sequence that failed half-way are thrown away with the rest
        left_out = int(status.sum())
        stats = _no_counts(K, D)
        semi_markov.e_step(
            likelihood, peak, offsets, weights, model, block, *scratch, gamma, tuple(stats), log_likelihood, status
        )
    return stats._replace(trans=stats.trans * chain.trans, complete=stats.complete * hazard)


def _log_model(chain: SemiMarkovChain) -> tuple[Array, Array, Array, Array]:
    start, trans, table = (np.ascontiguousarray(safe_log(part)) for part in chain)
    return start, trans, table, safe_log(survivor(chain.durations))


def _add_log(
    chain: SemiMarkovChain,
    frames: Array,
    offsets: IntArray,
    weights: Array,
    gamma: Array,
    stats: SemiMarkovStats,
    log_likelihood: Array,
    status: AnyArray,
) -> None:
    """Fill and add what belongs to sequences of status 1."""
    K, D = chain.durations.shape
    rows = int(np.diff(offsets).max(initial=1))
    scratch = tuple(np.empty((rows, K)) for _ in range(3))
    semi_markov_log.e_step(
        frames, offsets, weights, _log_model(chain), scratch, np.empty(max(D, K)), gamma, tuple(stats),
        log_likelihood, status,
    )  # fmt: skip


def decode(chain: SemiMarkovChain, log_frames: AnyArray) -> Decoding:
    """Return the most probable path of one sequence and its log probability with the frames.

    Returns
    -------
    Decoding
        Ties go to the lower state, then to the shorter segment. Where no path is possible the score is -inf and the
        path all -1.

    Examples
    --------
    >>> chain = SemiMarkovChain(np.array([0.5, 0.5]), 1 - np.eye(2), np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))
    >>> path, score = decode(chain, np.log([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]]))
    >>> path.tolist(), round(float(np.exp(score)), 6)
    ([0, 0, 0, 1], 0.0378)
    """
    frames = _checked(chain, log_frames)
    (T, K), D = frames.shape, chain.durations.shape[1]
    path = np.full(T, -1, dtype=np.int32)
    if T == 0:
        return Decoding(path, 0.0)
    lengths, origins = np.empty((T, K), dtype=np.int32), np.empty((T, K), dtype=np.int32)
    score = semi_markov_log.viterbi(
        frames, _log_model(chain), np.empty((K, D)), np.empty((2, K)), lengths, origins, path
    )
    return Decoding(path, float(score))


def sample_prior(chain: SemiMarkovChain, n_rows: int, rng: np.random.Generator) -> Path:
    """Return a path drawn from the chain, shape (n_rows,); a segment of a state that is not left ends it early.

    Examples
    --------
    >>> chain = SemiMarkovChain(np.array([1.0, 0.0]), 1 - np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> sample_prior(chain, 7, np.random.default_rng(0)).tolist()
    [0, 0, 1, 0, 0, 1, 0]
    """
    path, t, weights = np.empty(n_rows, dtype=np.int32), 0, chain.start
    while t < n_rows and weights.any():
        state = rng.choice(chain.n_states, p=weights / weights.sum())
        length = 1 + rng.choice(chain.durations.shape[1], p=chain.durations[state])
        path[t : t + length] = state
        t, weights = t + length, chain.trans[state]
    return path[:t]
