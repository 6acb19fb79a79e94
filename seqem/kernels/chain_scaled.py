"""Scaled forward and backward recursions over the rows of ragged sequences or of one block of a long one.

``frames`` (N, K) are likelihoods with each row's largest divided out (``shift_rows``, then exp). Row t of the
block lies at ``alpha[t + 1]``; ``alpha[0]`` is the row before the block, read only if ``resumed``. ``trans`` is (1, K, K),
or (N, K, K) with ``vary = 1``: ``trans[t]`` leads into row t. ``dim`` is a tuple of length K (K a constant) or an
array of length K.

Range: rows are rescaled every eighth row counted from the start of the sequence, so blocks that are multiples of
eight leave no trace. Where the sum of a row falls below 1e-200 the sequence's status becomes 1 (underflow) and its
rows are meaningless: the caller repeats it in log space. Entries that fall 1e-100 below the sum of their own row may
be lost without notice; ``chain_log`` keeps them.
"""

import numpy as np

from seqem.kernels._jit import kernel
from seqem.kernels._rows import add_outer, advance_times, inner, times, times_advance, total

_TINY = 1e-200
_LOWEST = -690.0  # below, exp is flushed to zero: denormal numbers slow the recursions down tenfold


@kernel
def shift_rows(frames, peak):
    """Subtract each row's largest entry from the log-likelihoods ``frames`` (N, K), in place, and keep it in ``peak``."""
    for t in range(frames.shape[0]):
        row = frames[t]
        largest = -np.inf
        for j in range(row.shape[0]):
            largest = max(largest, row[j])
        if largest == -np.inf:
            peak[t] = 0.0
            continue
        peak[t] = largest
        for j in range(row.shape[0]):
            value = row[j] - largest
            row[j] = value if value > _LOWEST else -np.inf


@kernel
def forward(dim, frames, peak, trans, vary, start, offsets, resumed, alpha, scale, status):
    """Fill ``alpha``; ``scale`` (S, 2) gains the log of what was taken out and a factor not yet logged."""
    K = len(dim)
    for s in range(offsets.shape[0] - 1):
        lo, hi = offsets[s], offsets[s + 1]
        log_scale, pending = scale[s, 0], scale[s, 1]
        begin = lo
        if not (resumed and s == 0) and hi > lo:
            for j in range(K):
                alpha[lo + 1, j] = start[j] * frames[lo, j]
            log_scale += peak[lo]
            begin = lo + 1
        for t in range(begin, hi):
            factor = 1.0
            if (t - lo) & 7 == 0:
                sum_ = total(dim, alpha, t)
                if not sum_ >= _TINY:
                    status[s] = 1
                    break
                pending *= sum_
                if pending < 1e-100:
                    log_scale += np.log(pending)
                    pending = 1.0
                factor = 1.0 / sum_
            advance_times(dim, alpha, t, trans, vary * t, frames, t, factor, alpha, t + 1)
            log_scale += peak[t]
        scale[s, 0], scale[s, 1] = log_scale, pending


@kernel
def score(dim, offsets, end, alpha, scale, log_likelihood, status):
    """Fill the log-likelihood of each sequence from its last row and ``end`` (K,)."""
    for s in range(offsets.shape[0] - 1):
        if offsets[s + 1] == offsets[s]:
            log_likelihood[s] = 0.0
            continue
        sum_ = 0.0
        for j in range(len(dim)):
            sum_ += alpha[offsets[s + 1], j] * end[j]
        if not sum_ >= _TINY:
            status[s] = 1
        log_likelihood[s] = scale[s, 0] + np.log(scale[s, 1]) + np.log(sum_)


@kernel
def backward(
    dim, frames, trans_t, vary, end, offsets, resumed, entered, alpha, beta, weights, keep_pairs, pairs, gamma, status
):
    """Fill weighted posteriors ``gamma`` (N + 1, K; may be ``alpha``) and sum the pairs inside the pass.

    ``beta`` (4, K), row 3 all ones, enters at row 0 as the last row's beta if ``entered``, and leaves there as that of the row
    before the block if ``resumed``. With ``keep_pairs`` the sums of ``outer(alpha[t - 1], frames[t] * beta[t])`` are added to
    ``pairs`` (1, K, K), still to be multiplied by ``trans`` unless ``vary``; without, their right factors replace ``frames``
    (zero in first rows), for one matrix product over the block.
    """
    K = len(dim)
    for s in range(offsets.shape[0] - 1):
        lo, hi = offsets[s], offsets[s + 1]
        if hi == lo or status[s]:
            if not keep_pairs:
                frames[lo:hi] = 0.0
            gamma[lo + 1 : hi + 1] = 0.0
            continue
        if not (entered and s == offsets.shape[0] - 2):
            for j in range(K):
                beta[0, j] = end[j]
        share = weights[s] / inner(dim, alpha, hi, beta, 0)
        times(dim, alpha, hi, beta, 0, share, gamma, hi)
        goes_on = resumed and s == 0
        here = 0
        for t in range(hi - 1, lo - 1 if goes_on else lo, -1):
            factor = 1.0
            if (t - lo) & 7 == 0:
                factor = 1.0 / inner(dim, frames, t, beta, here)
            times_advance(dim, frames, t, beta, here, trans_t, vary * t, factor, beta, 2, beta, 1 - here)
            here = 1 - here
            norm = inner(dim, alpha, t, beta, here)
            if not norm >= _TINY:
                status[s] = 1
                break
            share = weights[s] / norm
            if not keep_pairs:
                times(dim, beta, 2, beta, 3, share * factor, frames, t)
            elif vary == 0:
                add_outer(dim, alpha, t, beta, 2, share * factor, pairs, 0)
            else:
                for i in range(K):
                    for j in range(K):
                        pairs[0, i, j] += alpha[t, i] * trans_t[t, j, i] * beta[2, j] * share * factor
            if t > lo:
                times(dim, alpha, t, beta, here, share, gamma, t)
        if here == 1:
            for j in range(K):
                beta[0, j] = beta[1, j]
        if not keep_pairs and not goes_on:
            frames[lo] = 0.0
