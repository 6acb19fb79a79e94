"""Scaled recursions of explicit-duration (semi-Markov) chains, over the rows of ragged sequences.

A segment of state j lasts d rows with a probability; its *age* is how many of them have passed. State and age
together are a Markov chain, of which only ``hazard[j, d]`` (the segment ends at age d + 1) and ``stay[j, d]`` (it goes
on) are needed, so a row costs K * (K + D) and no exponential. ``model`` is (start, trans, hazard, stay) of shapes
(K,), (K, K), (K, D), (K, D). The last segment of a sequence is cut off by its end and may have gone on.

``frames`` (N, K) are likelihoods with each row's largest divided out, logged in ``peak``. A sequence is walked forward,
keeping the ages before each block, and then from the back, one block recomputed at a time.

Range: what falls 1e-280 below the sum of its row is dropped, and denormal numbers never arise. The backward pass
compares the weight of each row with that of the row after; where they differ, something was dropped that mattered,
and the sequence's status becomes 1: the caller repeats it in log space.
"""

import numpy as np

from seqem.kernels._jit import kernel

_TINY = 1e-200
_DROPPED = 1e-280
_AGREES = 1e-9


@kernel
def _first_row(likelihood, model, ages, ends):
    """Fill row 1 of ``ages`` and ``ends``, the first of a sequence; return its sum."""
    start, hazard = model[0], model[2]
    sum_ = 0.0
    for j in range(start.shape[0]):
        value = start[j] * likelihood[j]
        ages[1, j, 0] = value
        ends[1, j] = value * hazard[j, 0]
        sum_ += value
    return sum_


@kernel
def _forward_row(likelihood, factor, model, n, ages, ends, a):
    """Fill row ``a + 1``, which has ``n`` ages, from row ``a``; return its sum."""
    trans, hazard, stay = model[1], model[2], model[3]
    K = trans.shape[0]
    sum_ = 0.0
    for k in range(K):
        rate = likelihood[k] * factor
        begun = 0.0
        for j in range(K):
            begun += ends[a, j] * trans[j, k]
        old, new, goes_on, stops = ages[a, k], ages[a + 1, k], stay[k], hazard[k]
        new[0] = begun * rate
        mass, ended = new[0], new[0] * stops[0]
        for d in range(1, n):
            value = old[d - 1] * goes_on[d - 1] * rate
            value = value if value > _DROPPED else 0.0
            new[d] = value
            mass += value
            ended += value * stops[d]
        ends[a + 1, k] = ended
        sum_ += mass
    return sum_


@kernel
def _forward(frames, peak, lo, first, last, model, ages, ends, sums, total):
    """Fill rows ``first`` to ``last`` of the sequence that begins at ``lo``; row t lies at ``t - first + 1``.

    Return ``total`` plus the log-likelihood of these rows given those before; NaN after an underflow.
    """
    D = model[2].shape[1]
    for t in range(first, last):
        a = t - first
        if t == lo:
            sums[1] = _first_row(frames[t], model, ages, ends)
        else:
            sums[a + 1] = _forward_row(frames[t], 1.0 / sums[a], model, min(D, t - lo + 1), ages, ends, a)
        if not sums[a + 1] >= _TINY:
            return np.nan
        total += np.log(sums[a + 1]) + peak[t]
    return total


@kernel
def _backward_row(likelihood, factor, model, n, beta, b, right, leave):
    """Fill ``beta[1 - b]`` of a row with ``n`` ages from ``beta[b]`` of the row after; return its sum.

    ``right[k]`` is what a segment of k that begins in the row after is worth, ``leave[j]`` the end of one of j.
    """
    trans, hazard, stay = model[1], model[2], model[3]
    K, D = hazard.shape
    sum_ = 0.0
    for k in range(K):
        right[k] = likelihood[k] * factor * beta[b, k, 0]
    for j in range(K):
        worth = 0.0
        for k in range(K):
            worth += trans[j, k] * right[k]
        leave[j] = worth
        rate = likelihood[j] * factor
        old, new, goes_on, stops = beta[b, j], beta[1 - b, j], stay[j], hazard[j]
        for d in range(min(n, D - 1)):
            value = goes_on[d] * rate * old[d + 1] + stops[d] * worth
            value = value if value > _DROPPED else 0.0
            new[d] = value
            sum_ += value
        if n == D:
            new[D - 1] = stops[D - 1] * worth
            sum_ += new[D - 1]
    return sum_


@kernel
def _weigh(ages, beta, n, gamma):
    """Fill ``gamma`` (K,) with the unscaled posterior of one row; return its sum."""
    norm = 0.0
    for j in range(gamma.shape[0]):
        left, right = ages[j], beta[j]
        sum_ = 0.0
        for d in range(n):
            sum_ += left[d] * right[d]
        gamma[j] = sum_
        norm += sum_
    return norm


@kernel
def _add(ages, n, factors, counts):
    for j in range(factors.shape[0]):
        left, out, factor = ages[j], counts[j], factors[j]
        for d in range(n):
            out[d] += left[d] * factor


@kernel
def _walk_forward(frames, peak, lo, hi, model, block, marks, buffers):
    """Walk a sequence block by block, keeping what lies before each; return its log-likelihood, NaN after an underflow."""
    ages, ends, sums = buffers
    total = 0.0
    for m in range((hi - lo + block - 1) // block):
        first, last = lo + m * block, min(lo + (m + 1) * block, hi)
        if m > 0:
            ages[0], ends[0], sums[0] = ages[block], ends[block], sums[block]
            marks[0][m], marks[1][m], marks[2][m] = ages[0], ends[0], sums[0]
        total = _forward(frames, peak, lo, first, last, model, ages, ends, sums, total)
        if np.isnan(total):
            break
    return total


@kernel
def e_step(frames, peak, offsets, weights, model, block, marks, buffers, beta, gamma, stats, log_likelihood, status):
    """Fill posteriors ``gamma`` (N, K) and log-likelihoods (S,), and add the expected counts.

    Sequences whose status is not 0 are left out. ``marks`` are (blocks, K, D), (blocks, K), (blocks,) and ``buffers``
    (block + 1, K, D), (block + 1, K), (block + 1,) of scratch, ``beta`` (2, K, D). ``stats`` are starts (K,), pairs
    (K, K) still to be multiplied by ``trans``, complete segments (K, D) still to be multiplied by ``hazard``, and
    segments cut off by the end (K, D).
    """
    starts, pairs, complete, cut = stats
    ages, ends, sums = buffers
    K, D = complete.shape
    right, leave = np.empty(K), np.empty(K)
    for s in range(offsets.shape[0] - 1):
        lo, hi = offsets[s], offsets[s + 1]
        if status[s] or hi == lo:
            continue
        log_likelihood[s] = _walk_forward(frames, peak, lo, hi, model, block, marks, buffers)
        if np.isnan(log_likelihood[s]):
            status[s] = 1
            continue
        n_blocks = (hi - lo + block - 1) // block
        b, factor, norm = 0, 1.0, 0.0
        beta[0] = 1.0
        for m in range(n_blocks - 1, -1, -1):
            first, last = lo + m * block, min(lo + (m + 1) * block, hi)
            if m < n_blocks - 1:
                ages[0], ends[0], sums[0] = marks[0][m], marks[1][m], marks[2][m]
                _forward(frames, peak, lo, first, last, model, ages, ends, sums, 0.0)
            for t in range(last - 1, first - 1, -1):
                a, n = t - first + 1, min(D, t - lo + 1)
                if t == hi - 1:
                    norm = _weigh(ages[a], beta[0], n, gamma[t])
                    leave[:] = weights[s] / norm
                    _add(ages[a], n, leave, cut)
                else:
                    expected = factor * sums[a] * norm
                    sum_ = _backward_row(frames[t + 1], factor, model, n, beta, b, right, leave)
                    b = 1 - b
                    norm = _weigh(ages[a], beta[b], n, gamma[t])
                    if not (norm >= _TINY and abs(norm - expected) <= _AGREES * norm):
                        status[s] = 1
                        break
                    factor = 1.0 / sum_
                    leave *= weights[s] / norm
                    _add(ages[a], n, leave, complete)
                    for j in range(K):
                        for k in range(K):
                            pairs[j, k] += ends[a, j] * right[k] * (weights[s] / norm)
                for j in range(K):
                    gamma[t, j] *= weights[s] / norm
            if status[s]:
                break
        for j in range(K):
            starts[j] += gamma[lo, j]
