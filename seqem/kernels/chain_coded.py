"""Expected counts of a Markov chain whose frames are symbols of a small alphabet, in one fused pass.

With ``step[m] = trans * likelihood of symbol m``, the E-step of a symbol sequence needs neither frame
likelihoods nor posteriors: the sums ``counts[m] = sum over rows t with symbol m of outer(alpha[t - 1], beta[t])``,
multiplied by ``step[m]`` at the end, hold the expected transition and emission counts together.

Speed comes from words: products of ``step`` over ``word_length`` symbols move the dependent chain a word
at a time, the rows inside a word hang off it and overlap. A sequence is walked in blocks: a first pass
keeps alpha at the start of each block, the second recomputes each block from the back; memory is one block
and one row a block. Both passes do the same arithmetic at word starts, so the block length leaves no trace.

Range: rows are rescaled every four words. A sum below 1e-200 is reported as an underflow (status 1): the caller
then takes the log-space path.
"""

import numpy as np

from seqem.kernels._jit import kernel
from seqem.kernels._rows import add_outer, advance, inner, times, total

_TINY = 1e-200


@kernel
def _word(symbols, t, word_length, M):
    index = np.int64(symbols[t])
    for r in range(1, word_length):
        index = index * M + symbols[t + r]
    return index


@kernel
def _forward(dim, symbols, begin, stop, step, words, word_length, alpha, keep, scale):
    """Walk whole words from row ``begin`` to row ``stop``; ``alpha[0]`` enters as row ``begin``.

    With ``keep`` row t is filled in at ``alpha[t - begin]``; without, only ``alpha[0]`` moves along (``alpha[1]``
    is scratch). ``scale`` (2,) holds the log of what rescaling took out, and the factor not yet logged.
    Returns whether all went well.
    """
    M = step.shape[0]
    n = 0
    for t in range(begin, stop, word_length):
        here = t - begin if keep else n & 1
        factor = 1.0
        if n & 3 == 0:
            sum_ = total(dim, alpha, here)
            if not sum_ >= _TINY:
                return False
            scale[1] *= sum_
            if scale[1] < 1e-100:
                scale[0] += np.log(scale[1])
                scale[1] = 1.0
            factor = 1.0 / sum_
        word = _word(symbols, t + 1, word_length, M)
        if keep:
            advance(dim, alpha, here, words, word, factor, alpha, here + word_length)
            for r in range(1, word_length):
                advance(dim, alpha, here + r - 1, step, symbols[t + r], 1.0, alpha, here + r)
        else:
            advance(dim, alpha, here, words, word, factor, alpha, 1 - here)
        n += 1
    if not keep and n & 1:
        alpha[0] = alpha[1]
    return True


@kernel
def _backward(dim, symbols, first, last, base, step_t, words_t, word_length, alpha, beta, weight, counts):
    """Walk whole words from row ``last`` down to row ``first``, adding the pairs; ``beta[0]`` enters as row ``last``.

    ``beta`` is (rows, K), the last row all ones. A word length of one serves the rows after the last whole word.
    """
    M, ones = step_t.shape[0], beta.shape[0] - 1
    n = (last - first) // word_length
    for t in range(last - word_length, first - 1, -word_length):
        word = _word(symbols, t + 1, word_length, M)
        factor = 1.0
        if n & 3 == 0:
            factor = 1.0 / total(dim, beta, 0)
        advance(dim, beta, 0, words_t, word, 1.0, beta, word_length)
        norm = inner(dim, alpha, t - base, beta, word_length)
        if not norm >= _TINY:
            return False
        # Inside a word nothing is rescaled, so the norm is the same for all its rows.
        share = weight / norm
        for r in range(word_length - 1, -1, -1):
            row = word_length - 1 - r
            symbol = symbols[t + 1 + r]
            add_outer(dim, alpha, t + r - base, beta, row, share, counts, symbol)
            if r > 0:
                advance(dim, beta, row, step_t, symbol, 1.0, beta, row + 1)
        times(dim, beta, word_length, beta, ones, factor, beta, 0)
        n -= 1
    return True


@kernel
def e_step(
    dim, symbols, offsets, first, step, step_t, words, words_t, word_length, start, end, weights,
    block, marks, alpha, beta, counts, start_counts, end_counts, log_likelihood, status,
):  # fmt: skip
    """Fill expected counts and per-sequence log-likelihoods of ragged symbol sequences.

    ``first`` (M, K) holds the likelihood of each symbol, ``step`` (M, K, K) and ``words`` its products with the
    transitions, ``*_t`` their transposes. ``block`` is a multiple of ``4 * word_length``. Scratch: ``marks``
    (blocks + 1, K), ``alpha`` (block + word_length + 2, K), ``beta``
    (word_length + 2, K), its last row all ones. Adds to ``counts``
    (M, K, K) the outer sums described above, to ``start_counts`` (M, K) the posterior of each first row under its
    symbol, to ``end_counts`` (K,) that of each last row.
    """
    K = len(dim)
    scale = np.empty(2)
    for s in range(offsets.shape[0] - 1):
        rows = symbols[offsets[s] : offsets[s + 1]]
        status[s], log_likelihood[s] = 0, 0.0
        if len(rows) == 0:
            continue
        last = len(rows) - 1
        whole = last // word_length * word_length
        n_blocks = max(1, (whole + block - 1) // block)
        base = (n_blocks - 1) * block
        for j in range(K):
            alpha[0, j] = start[j] * first[rows[0], j]
        scale[0], scale[1] = 0.0, 1.0
        good = True
        for b in range(n_blocks):
            marks[b] = alpha[0]
            # The last block is walked once only, and kept.
            keep = b == n_blocks - 1
            stop = min(whole, (b + 1) * block)
            good = good and _forward(dim, rows, b * block, stop, step, words, word_length, alpha, keep, scale)
        for t in range(whole, last):
            advance(dim, alpha, t - base, step, rows[t + 1], 1.0, alpha, t - base + 1)
        sum_ = 0.0
        for j in range(K):
            sum_ += alpha[last - base, j] * end[j]
        if not (good and sum_ >= _TINY):
            status[s] = 1
            continue
        log_likelihood[s] = scale[0] + np.log(scale[1]) + np.log(sum_)
        for j in range(K):
            beta[0, j] = end[j]
            end_counts[j] += weights[s] * alpha[last - base, j] * end[j] / sum_
        good = _backward(dim, rows, whole, last, base, step_t, step_t, 1, alpha, beta, weights[s], counts)
        for b in range(n_blocks - 1, -1, -1):
            lo, stop = b * block, min(whole, (b + 1) * block)
            if b < n_blocks - 1:
                alpha[0] = marks[b]
                _forward(dim, rows, lo, stop, step, words, word_length, alpha, True, scale)
            good = good and _backward(
                dim, rows, lo, stop, lo, step_t, words_t, word_length, alpha, beta, weights[s], counts
            )
        sum_ = inner(dim, alpha, 0, beta, 0)
        status[s] = 0 if good else 1
        for j in range(K):
            start_counts[rows[0], j] += weights[s] * alpha[0, j] * beta[0, j] / sum_
