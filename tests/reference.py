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


def segmentations(n_rows, n_states, max_duration):
    """Yield every segmentation of ``n_rows`` rows as a list of (state, length), no state twice in a row."""
    if n_rows == 0:
        yield []
        return
    for length in range(1, min(max_duration, n_rows) + 1):
        for rest in segmentations(n_rows - length, n_states, max_duration):
            for state in range(n_states):
                if not rest or rest[0][0] != state:
                    yield [(state, length), *rest]


def semi_markov_everything(start, trans, durations, log_frames):
    """Return log-likelihood, posteriors, expected counts and paths by falling weight of a semi-Markov chain.

    The last segment is right-censored: it has the probability of lasting at least as long.
    """
    T, K = log_frames.shape
    D = durations.shape[1]
    every = list(segmentations(T, K, D))
    weights = np.full(len(every), -np.inf)
    paths = np.array([[state for state, length in segments for _ in range(length)] for segments in every])
    for n, segments in enumerate(every):
        weight = start[segments[0][0]]
        for (state, length), (following, _) in itertools.pairwise(segments):
            weight *= durations[state, length - 1] * trans[state, following]
        state, length = segments[-1]
        weight *= durations[state, length - 1 :].sum()
        if weight > 0:
            weights[n] = np.log(weight) + sum(log_frames[t, paths[n, t]] for t in range(T))
    log_likelihood = np.logaddexp.reduce(weights)
    smoothed, starts, pairs = np.zeros((T, K)), np.zeros(K), np.zeros((K, K))
    complete, cut = np.zeros((K, D)), np.zeros((K, D))
    for segments, path, p in zip(every, paths, np.exp(weights - log_likelihood), strict=True):
        smoothed[np.arange(T), path] += p
        starts[segments[0][0]] += p
        for (state, length), (following, _) in itertools.pairwise(segments):
            complete[state, length - 1] += p
            pairs[state, following] += p
        cut[segments[-1][0], segments[-1][1] - 1] += p
    order = np.argsort(-weights, kind="stable")
    return {
        "log_likelihood": log_likelihood,
        "smoothed": smoothed,
        "start": starts,
        "trans": pairs,
        "complete": complete,
        "cut": cut,
        "paths": paths[order],
        "scores": weights[order],
    }
