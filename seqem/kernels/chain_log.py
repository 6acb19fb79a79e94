"""Log-space forward and backward recursions with the signatures of ``chain_scaled``.

``frames`` are log-likelihoods, ``trans``, ``start`` and ``end`` logarithms; ``peak`` and ``scale`` are not used.
Nothing underflows: a sequence without any possible path has log-likelihood -inf and posteriors of zero. About five times slower.
"""

import numpy as np

from seqem.kernels._jit import kernel


@kernel
def _log_sum(values):
    largest = -np.inf
    for value in values:
        largest = max(largest, value)
    if largest == -np.inf:
        return largest
    sum_ = 0.0
    for value in values:
        sum_ += np.exp(value - largest)
    return largest + np.log(sum_)


@kernel
def _posterior(dim, alpha, row, beta, b, weight, terms, gamma):
    """Fill one row of ``gamma`` and return the log of its normaliser."""
    K = len(dim)
    for j in range(K):
        terms[j] = alpha[row, j] + beta[b, j]
    norm = _log_sum(terms)
    for j in range(K):
        gamma[row, j] = weight * np.exp(terms[j] - norm) if norm > -np.inf else 0.0
    return norm


@kernel
def forward(dim, frames, peak, trans, vary, start, offsets, resumed, alpha, scale, status):
    """Fill log ``alpha``; the layout is that of ``chain_scaled.forward``."""
    K = len(dim)
    terms = np.empty(K)
    for s in range(offsets.shape[0] - 1):
        lo, hi = offsets[s], offsets[s + 1]
        begin = lo
        if not (resumed and s == 0) and hi > lo:
            for j in range(K):
                alpha[lo + 1, j] = start[j] + frames[lo, j]
            begin = lo + 1
        for t in range(begin, hi):
            for j in range(K):
                for i in range(K):
                    terms[i] = alpha[t, i] + trans[vary * t, i, j]
                alpha[t + 1, j] = _log_sum(terms) + frames[t, j]


@kernel
def score(dim, offsets, end, alpha, scale, log_likelihood, status):
    """Fill the log-likelihood of each sequence from its last row and log ``end``."""
    terms = np.empty(len(dim))
    for s in range(offsets.shape[0] - 1):
        log_likelihood[s] = 0.0
        if offsets[s + 1] > offsets[s]:
            for j in range(len(dim)):
                terms[j] = alpha[offsets[s + 1], j] + end[j]
            log_likelihood[s] = _log_sum(terms)


@kernel
def backward(
    dim, frames, trans_t, vary, end, offsets, resumed, entered, alpha, beta, weights, keep_pairs, pairs, gamma, status
):
    """Fill weighted posteriors (probabilities, not logs) and add the pairs, ``trans`` included, to ``pairs`` (1, K, K)."""
    K = len(dim)
    terms = np.empty(K)
    for s in range(offsets.shape[0] - 1):
        lo, hi = offsets[s], offsets[s + 1]
        if hi == lo:
            continue
        if not (entered and s == offsets.shape[0] - 2):
            for j in range(K):
                beta[0, j] = end[j]
        goes_on = resumed and s == 0
        norm = _posterior(dim, alpha, hi, beta, 0, weights[s], terms, gamma)
        if norm == -np.inf:
            gamma[lo + 1 : hi + 1] = 0.0
            continue
        for t in range(hi - 1, lo - 1 if goes_on else lo, -1):
            for j in range(K):
                beta[2, j] = frames[t, j] + beta[0, j]
            for i in range(K):
                for j in range(K):
                    terms[j] = trans_t[vary * t, j, i] + beta[2, j]
                beta[1, i] = _log_sum(terms)
            # Normalised anew at each row: over a long sequence one global sum would drift away.
            for i in range(K):
                terms[i] = alpha[t, i] + beta[1, i]
            norm = _log_sum(terms)
            for i in range(K):
                if alpha[t, i] > -np.inf:
                    for j in range(K):
                        log_pair = alpha[t, i] + trans_t[vary * t, j, i] + beta[2, j] - norm
                        pairs[0, i, j] += weights[s] * np.exp(log_pair)
            for i in range(K):
                beta[0, i] = beta[1, i]
            if t > lo:
                _posterior(dim, alpha, t, beta, 0, weights[s], terms, gamma)
