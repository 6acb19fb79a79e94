"""Log-space recursions of explicit-duration (semi-Markov) chains over segments: sums and Viterbi.

``model`` is (start, trans, duration, survivor) in logs, of shapes (K,), (K, K), (K, D), (K, D): ``duration[j, d]`` of a
segment of d + 1 rows, ``survivor[j, d]`` of one of at least as many, which the last of a sequence is known to have. Nothing
underflows; a sequence without any possible path has log-likelihood -inf and posteriors of zero. The sums take one
exponential for each row, state and duration.
"""

import numpy as np

from seqem.kernels._jit import kernel


@kernel
def _log_sum(values, n):
    largest = -np.inf
    for i in range(n):
        largest = max(largest, values[i])
    if largest == -np.inf:
        return largest
    sum_ = 0.0
    for i in range(n):
        sum_ += np.exp(values[i] - largest)
    return largest + np.log(sum_)


@kernel
def _forward(frames, model, begin, end, terms):
    """Fill log weights of segments that begin at a row (T, K) and that end there (T, K); return the log-likelihood."""
    start, trans, duration, survivor = model
    T, K = frames.shape
    D = duration.shape[1]
    begin[0] = start
    for t in range(T):
        of_length = survivor if t == T - 1 else duration
        for j in range(K):
            n, inside = 0, 0.0
            while n < min(D, t + 1) and inside > -np.inf:
                inside += frames[t - n, j]
                terms[n] = begin[t - n, j] + inside + of_length[j, n]
                n += 1
            end[t, j] = _log_sum(terms, n)
        if t < T - 1:
            for k in range(K):
                for j in range(K):
                    terms[j] = end[t, j] + trans[j, k]
                begin[t + 1, k] = _log_sum(terms, K)
    return _log_sum(end[T - 1], K)


@kernel
def _backward(frames, weight, model, begin, end, leave, terms, gamma, stats, total):
    """Add expected counts and fill ``gamma`` (T, K) from the last row to the first."""
    trans, duration, survivor = model[1:]
    starts, pairs, complete, cut = stats
    T, K = frames.shape
    D = duration.shape[1]
    gamma[:] = 0.0
    value = np.empty(K)
    for t in range(T - 1, -1, -1):
        for k in range(K):
            n, inside = 0, 0.0
            while n < min(D, T - t) and inside > -np.inf:
                inside += frames[t + n, k]
                at_end = t + n == T - 1
                terms[n] = inside + (survivor[k, n] if at_end else duration[k, n] + leave[t + n, k])
                n += 1
            value[k] = _log_sum(terms, n)
            for d in range(n):
                share = weight * np.exp(begin[t, k] + terms[d] - total)
                gamma[t, k] += share
                if t + d == T - 1:
                    cut[k, d] += share
                else:
                    complete[k, d] += share
                    gamma[t + d + 1, k] -= share
        if t == 0:
            break
        for j in range(K):
            for k in range(K):
                terms[k] = trans[j, k] + value[k]
                pairs[j, k] += weight * np.exp(end[t - 1, j] + terms[k] - total)
            leave[t - 1, j] = _log_sum(terms, K)
    for j in range(K):
        starts[j] += gamma[0, j]
        for t in range(1, T):
            gamma[t, j] = max(gamma[t, j] + gamma[t - 1, j], 0.0)


@kernel
def e_step(frames, offsets, weights, model, scratch, terms, gamma, stats, log_likelihood, status):
    """Do for sequences of status 1 what ``semi_markov.e_step`` does; ``stats`` are final.

    ``frames`` are log-likelihoods; ``scratch`` three arrays (T, K) of the longest sequence, ``terms`` (max(D, K),).
    """
    begin, end, leave = scratch
    for s in range(offsets.shape[0] - 1):
        lo, hi = offsets[s], offsets[s + 1]
        if status[s] != 1 or hi == lo:
            continue
        log_likelihood[s] = _forward(frames[lo:hi], model, begin, end, terms)
        if log_likelihood[s] == -np.inf:
            gamma[lo:hi] = 0.0
            continue
        rows = gamma[lo:hi]
        _backward(frames[lo:hi], weights[s], model, begin, end, leave, terms, rows, stats, log_likelihood[s])


@kernel
def viterbi(frames, model, delta, begin, lengths, origins, path):
    """Fill the best ``path`` (T,) and return its log probability; ties go to the lower state, then the shorter segment.

    ``delta`` (K, D) and ``begin`` (2, K) are scratch; ``lengths`` and ``origins`` (T, K) integers for back-pointers.
    """
    start, trans, duration, survivor = model
    T, K = frames.shape
    D = duration.shape[1]
    begin[0] = start
    for t in range(T):
        of_length = survivor if t == T - 1 else duration
        for j in range(K):
            ages, frame, best, length = delta[j], frames[t, j], -np.inf, 0
            for d in range(min(D, t + 1) - 1, -1, -1):
                ages[d] = frame + (ages[d - 1] if d > 0 else begin[0, j])
                if ages[d] + of_length[j, d] >= best:
                    best, length = ages[d] + of_length[j, d], d + 1
            begin[1, j], lengths[t, j] = best, length
        if t < T - 1:
            for k in range(K):
                best, origin = -np.inf, 0
                for j in range(K):
                    if begin[1, j] + trans[j, k] > best:
                        best, origin = begin[1, j] + trans[j, k], j
                begin[0, k], origins[t + 1, k] = best, origin
    state = np.argmax(begin[1])
    score = begin[1, state]
    if score == -np.inf:
        return score
    t = T - 1
    while t >= 0:
        first = t - lengths[t, state] + 1
        path[first : t + 1] = state
        if first > 0:
            state = origins[first, state]
        t = first - 1
    return score
