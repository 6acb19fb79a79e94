"""Inference in one chain: what is known of its states when the frames' log-likelihoods are known.

Every function takes a ``ChainParams`` and ``log_frames`` (T, K), the log-likelihood of each row under each state, and
knows nothing of emissions. Observed labels and state priors are terms of ``log_frames`` (see ``label_frames``); a missing
row is a row of zeros. T may be 0 or 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqem.chain.blocks import Source, expected_counts, forward_walk
from seqem.chain.engine import safe_log
from seqem.chain.params import ChainParams, ChainStats
from seqem.chain.viterbi import Decoding, LogChain, best_paths
from seqem.errors import DataError, NumericalError
from seqem.kernels import sampling, viterbi
from seqem.shapes import AnyArray, Array, IntArray, Path


class Posterior(NamedTuple):
    """Smoothed posteriors (T, K), expected counts and the log-likelihood of one sequence."""

    smoothed: Array
    stats: ChainStats
    log_likelihood: float


def _checked(chain: ChainParams, log_frames: AnyArray) -> Array:
    frames = np.ascontiguousarray(log_frames, dtype=float)
    if frames.ndim != 2 or frames.shape[1] != chain.n_states:
        raise DataError("log_frames do not fit the chain", got=frames.shape, expected=f"(T, {chain.n_states})")
    if chain.varies and len(frames) > len(chain.trans) + 1:
        raise DataError("the sequence is longer than its transitions", got=len(frames), expected=len(chain.trans) + 1)
    if np.isnan(frames).any() or (frames == np.inf).any():
        raise DataError("log_frames contain NaN or +inf", hint="a missing row is a row of zeros")
    return frames


def _whole(frames: AnyArray) -> IntArray:
    return np.array([0, len(frames)])


def _source(frames: Array) -> Source:
    return lambda lo, hi: frames[lo:hi].copy()


def label_frames(n_states: int, labels: AnyArray | None = None, state_prior: AnyArray | None = None) -> Array:
    """Return the log-likelihood terms (T, K) of observed labels and state priors.

    Parameters
    ----------
    labels : ndarray of int, shape (T,), optional
        Observed state, -1 where unknown.
    state_prior : ndarray, shape (T, K), optional
        Not negative weights, hard (0 and 1) or soft.

    Examples
    --------
    >>> label_frames(2, labels=[1, -1]).tolist()
    [[-inf, 0.0], [0.0, 0.0]]
    """
    if state_prior is not None:
        prior = np.asarray(state_prior, dtype=float)
        if prior.ndim != 2 or prior.shape[1] != n_states or not (prior >= 0).all():
            raise DataError(
                "state_prior does not fit", got=prior.shape, expected=f"(T, {n_states}) weights that are not negative"
            )
        frames = safe_log(prior)
    else:
        frames = np.zeros((len(np.asarray(labels)), n_states))
    if labels is not None:
        labels = np.asarray(labels, dtype=np.int64)
        if labels.shape != (len(frames),) or (labels < -1).any() or (labels >= n_states).any():
            raise DataError(
                "labels do not fit", got=f"shape {labels.shape}, largest {labels.max(initial=-1)}",
                expected=f"({len(frames)},) integers from -1 (unknown) to {n_states - 1}",
            )  # fmt: skip
        known = np.flatnonzero(labels >= 0)
        kept = frames[known, labels[known]]
        frames[known] = -np.inf
        frames[known, labels[known]] = kept
    return frames


def log_likelihood(chain: ChainParams, log_frames: AnyArray, *, space: str = "scaled") -> float:
    """Return the log-likelihood of the frames; -inf where no path is possible.

    Examples
    --------
    >>> import numpy as np
    >>> umbrella = ChainParams(np.array([0.5, 0.5]), np.array([[0.7, 0.3], [0.3, 0.7]]))
    >>> frames = np.log([[0.9, 0.2], [0.9, 0.2], [0.1, 0.8], [0.9, 0.2], [0.9, 0.2]])
    >>> round(log_likelihood(umbrella, frames), 10)
    -3.3725020443
    """
    frames = _checked(chain, log_frames)
    return float(forward_walk(chain, _source(frames), _whole(frames), space=space)[0])


def smooth(chain: ChainParams, log_frames: AnyArray, *, space: str = "scaled", block: int | None = None) -> Posterior:
    """Return p(state of row t | all rows), expected counts and the log-likelihood.

    Notes
    -----
    Rows are zero where no path is possible; then the log-likelihood is -inf.
    """
    frames = _checked(chain, log_frames)
    smoothed = np.zeros_like(frames)

    def sink(lo: int, hi: int, posterior: Array) -> None:
        smoothed[lo:hi] = posterior

    result = expected_counts(chain, _source(frames), _whole(frames), sink, space=space, block=block)
    return Posterior(smoothed, result.chain, float(result.log_likelihood[0]))


def filtered(chain: ChainParams, log_frames: AnyArray, *, space: str = "scaled") -> Array:
    """Return p(state of row t | rows up to t), shape (T, K)."""
    frames = _checked(chain, log_frames)
    out = np.zeros_like(frames)
    forward_walk(chain, _source(frames), _whole(frames), space=space, filtered=out)
    return out


def predicted(chain: ChainParams, log_frames: AnyArray, *, space: str = "scaled") -> Array:
    """Return p(state of row t | rows before t), shape (T + 1, K); the last row looks one step ahead.

    With end probabilities the states are given that the sequence goes on. Time-varying transitions give (T, K).
    """
    ahead = filtered(chain, log_frames, space=space)
    if chain.varies:
        ahead = np.einsum("ti,tij->tj", ahead[: len(chain.trans)], chain.trans[: len(ahead)])
    else:
        ahead = ahead @ chain.trans
    total = ahead.sum(1, keepdims=True)
    ahead = np.divide(ahead, total, out=np.zeros_like(ahead), where=total > 0)
    return np.vstack([chain.start, ahead])[: len(log_frames) + 1]


def posterior_decode(chain: ChainParams, log_frames: AnyArray, *, space: str = "scaled") -> Path:
    """Return the state of largest posterior at each row (max-marginal decoding), shape (T,)."""
    return smooth(chain, log_frames, space=space).smoothed.argmax(1).astype(np.int32)


def decode(
    chain: ChainParams, log_frames: AnyArray, symbols: AnyArray | None = None, *, block: int | None = None
) -> Decoding:
    """Return the most probable path and its log probability with the frames.

    Parameters
    ----------
    log_frames : ndarray, shape (T, K), or (M, K) with ``symbols``
        Log-likelihoods of the rows, or of each of M symbols.
    symbols : ndarray of int, shape (T,), optional
        Row t has the frame ``log_frames[symbols[t]]``.
    block : int, optional
        See ``seqem.chain.viterbi.best_paths``.

    Returns
    -------
    Decoding
        Ties go to the lower state. Where no path is possible the score is -inf and the path all -1.

    Examples
    --------
    >>> import numpy as np
    >>> weather = ChainParams(np.array([0.6, 0.4]), np.array([[0.7, 0.3], [0.4, 0.6]]))
    >>> table = np.log([[0.1, 0.6], [0.4, 0.3], [0.5, 0.1]])
    >>> path, score = decode(weather, table, np.array([0, 1, 2], dtype=np.uint8))
    >>> path.tolist(), round(float(np.exp(score)), 5)
    ([1, 0, 0], 0.01344)
    """
    if symbols is None:
        frames = _checked(chain, log_frames)
        path, scores = best_paths(chain, lambda lo, hi: (frames[lo:hi], None), _whole(frames), block=block)
    else:
        table = np.ascontiguousarray(log_frames, dtype=float)
        path, scores = best_paths(chain, lambda lo, hi: (table, symbols[lo:hi]), _whole(symbols), block=block)
    return Decoding(path, float(scores[0]))


def decode_k_best(chain: ChainParams, log_frames: AnyArray, n_best: int) -> list[Decoding]:
    """Return up to ``n_best`` different paths by falling probability (list Viterbi, Seshadri and Sundberg 1994)."""
    frames = _checked(chain, log_frames)
    if len(frames) == 0:
        return [Decoding(np.empty(0, dtype=np.int32), 0.0)]
    logs = LogChain.of(chain)
    paths, scores = np.zeros((n_best, len(frames)), dtype=np.int32), np.empty(n_best)
    viterbi.k_best(frames, logs.into, logs.vary, logs.start, logs.end, n_best, paths, scores)
    return [Decoding(p, float(s)) for p, s in zip(paths, scores, strict=True) if s > -np.inf]


def sample_posterior(
    chain: ChainParams, log_frames: AnyArray, n_paths: int, rng: np.random.Generator, *, space: str = "scaled"
) -> Path:
    """Return paths drawn from p(path | frames), shape (n_paths, T) (forward filter, backward sampling).

    Raises
    ------
    NumericalError
        Where no path is possible.
    """
    frames = _checked(chain, log_frames)
    alpha = filtered(chain, frames, space=space)
    paths = np.zeros((n_paths, len(frames)), dtype=np.int32)
    if len(frames) == 0:
        return paths
    if not alpha[-1].any():
        raise NumericalError("no path is possible for these frames", hint="check zeros in startprob and transmat")
    trans = np.concatenate([chain.trans[:1], chain.trans]) if chain.varies else chain.trans[None]
    end = np.ones(chain.n_states) if chain.end is None else chain.end
    sampling.posterior_paths(
        alpha, np.ascontiguousarray(trans), int(chain.varies), end, rng.random((n_paths, len(frames))), paths
    )
    return paths


def sample_prior(chain: ChainParams, n_rows: int, rng: np.random.Generator) -> Path:
    """Return a path drawn from the chain, of ``n_rows`` rows or fewer where it ends by itself."""
    path = np.zeros(n_rows, dtype=np.int32)
    if n_rows == 0:
        return path
    end = np.zeros(chain.n_states) if chain.end is None else chain.end
    return path[: sampling.prior_path(chain.start, chain.trans, end, rng.random(n_rows), path)]
