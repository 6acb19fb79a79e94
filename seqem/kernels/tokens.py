"""Token passing: Viterbi over a graph, frame by frame, remembering words instead of nodes.

Graphs are those of ``kernels.graph``. Each node keeps its K best tokens with different histories; a token that passes a
junction with a mark leaves a record: the record before, the mark, the frames gone by, the score. So memory grows with the
words that are still possible, not with the nodes, and a stream may be decoded as it comes (Young, Russell & Thornton 1989).
"""

from __future__ import annotations

import numpy as np

from seqem.kernels._jit import kernel

_PRIME = 1000003


@kernel
def pass_tokens(  # type: ignore[no-untyped-def]
    first, source, weight, pdf, start, mark, n_words, frames, clock, beam, score, record, history, records, scores, used
):
    """Take tokens over some frames; returns the number of records in use.

    Parameters
    ----------
    mark : (N,), a number for junctions that leave a record, -1 for others; numbers from ``n_words`` on are no words, and
        histories that differ in them only are the same.
    frames : (T, P), log-likelihoods.
    clock : frames gone by before these; 0 places the first token.
    score, record, history : (2, N, K), the tokens; those after t frames are in row ``t % 2``.
    records : (R, 3), record before, mark, frames gone by; scores (R,). There must be room for T + 1 times K times the marks.
    used : records in use.
    """
    E, N, K = len(pdf), len(first) - 1, score.shape[2]
    if clock == 0:
        score[0] = -np.inf
        score[0, start, 0], record[0, start, 0], history[0, start, 0] = 0.0, -1, 0
        for j in range(E, N):
            if j != start:
                _gather(first, source, weight, score, record, history, 0, 0, j)
            used = _leave(mark[j], n_words, score, record, history, 0, j, 0, records, scores, used)
    for t in range(len(frames)):
        old, new = (clock + t) % 2, (clock + t + 1) % 2
        best = -np.inf
        for j in range(E):
            _gather(first, source, weight, score, record, history, old, new, j)
            for k in range(K):
                score[new, j, k] += frames[t, pdf[j]]
            best = max(best, score[new, j, 0])
        for j in range(E):
            for k in range(K):
                if score[new, j, k] < best - beam:
                    score[new, j, k] = -np.inf
        for j in range(E, N):
            _gather(first, source, weight, score, record, history, new, new, j)
            used = _leave(mark[j], n_words, score, record, history, new, j, clock + t + 1, records, scores, used)
    return used


@kernel
def _leave(mark, n_words, score, record, history, row, j, clock, records, scores, used):  # type: ignore[no-untyped-def]
    """Leave records of the tokens of junction ``j`` where it has a mark; returns the number of records in use."""
    if mark < 0:
        return used
    for k in range(score.shape[2]):
        if score[row, j, k] == -np.inf:
            break
        records[used, 0], records[used, 1], records[used, 2] = record[row, j, k], mark, clock
        scores[used] = score[row, j, k]
        record[row, j, k] = used
        if mark < n_words:
            history[row, j, k] = history[row, j, k] * _PRIME + mark + 1
        used += 1
    return used


@kernel
def _gather(first, source, weight, score, record, history, old, new, j):  # type: ignore[no-untyped-def]
    """Fill the tokens of node ``j`` in row ``new`` with the best that arcs bring from row ``old``, best first."""
    K = score.shape[2]
    if K == 1:
        top, origin = -np.inf, j
        for a in range(first[j], first[j + 1]):
            value = score[old, source[a], 0] + weight[a]
            if value > top:
                top, origin = value, source[a]
        score[new, j, 0], record[new, j, 0] = top, record[old, origin, 0]
        return
    for k in range(K):
        score[new, j, k] = -np.inf
    for a in range(first[j], first[j + 1]):
        i = source[a]
        for k in range(K):
            value = score[old, i, k] + weight[a]
            if value <= score[new, j, K - 1]:
                break
            # The place of a token with the same history, which is then replaced or kept, else the last.
            place = K - 1
            for m in range(K - 1):
                if score[new, j, m] > -np.inf and history[new, j, m] == history[old, i, k]:
                    place = m
                    break
            if score[new, j, place] >= value:
                continue
            while place > 0 and score[new, j, place - 1] < value:
                score[new, j, place] = score[new, j, place - 1]
                record[new, j, place] = record[new, j, place - 1]
                history[new, j, place] = history[new, j, place - 1]
                place -= 1
            score[new, j, place] = value
            record[new, j, place], history[new, j, place] = record[old, i, k], history[old, i, k]
