"""Slow and plain oracles: everything by enumeration of all state paths."""

import itertools

import numpy as np


def path_log_weights(start, trans, end, log_frames):
    """Return every path (K ** T, T) and the log of its joint probability with the frames.

    ``trans`` is (K, K) or (T - 1, K, K); ``end`` may be None.
    """
    T, K = log_frames.shape
    paths = np.array(list(itertools.product(range(K), repeat=T)), dtype=int).reshape(-1, T)
    with np.errstate(divide="ignore"):
        log_start, log_trans = np.log(start), np.log(trans)
        log_end = np.zeros(K) if end is None else np.log(end)
    weights = np.zeros(len(paths))
    for n, path in enumerate(paths):
        total = log_start[path[0]] + log_end[path[-1]] + sum(log_frames[t, path[t]] for t in range(T))
        for t in range(1, T):
            matrix = log_trans if log_trans.ndim == 2 else log_trans[t - 1]
            total += matrix[path[t - 1], path[t]]
        weights[n] = total
    return paths, weights


def everything(start, trans, end, log_frames):
    """Return log-likelihood, smoothed, filtered, start/pair/end counts and paths by falling weight."""
    T, K = log_frames.shape
    paths, weights = path_log_weights(start, trans, end, log_frames)
    log_likelihood = np.logaddexp.reduce(weights)
    probabilities = np.exp(weights - log_likelihood)
    smoothed, pairs = np.zeros((T, K)), np.zeros((K, K))
    for path, p in zip(paths, probabilities, strict=True):
        for t in range(T):
            smoothed[t, path[t]] += p
            if t:
                pairs[path[t - 1], path[t]] += p
    filtered = np.zeros((T, K))
    for t in range(T):
        head = trans if np.ndim(trans) == 2 else trans[:t]
        some, w = path_log_weights(start, head, None, log_frames[: t + 1])
        for path, p in zip(some, np.exp(w - np.logaddexp.reduce(w)), strict=True):
            filtered[t, path[-1]] += p
    order = np.argsort(-weights, kind="stable")
    return {
        "log_likelihood": log_likelihood,
        "smoothed": smoothed,
        "filtered": filtered,
        "pairs": pairs,
        "paths": paths[order],
        "scores": weights[order],
        "probabilities": probabilities[order],
    }
