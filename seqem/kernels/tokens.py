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
def pass_tokens(
    first, source, weight, pdf, start, mark, n_words, frames, clock, beam, now, before, records, scores, used
):  # type: ignore[no-untyped-def]
    """Take tokens over some frames; returns the number of records in use.

    Parameters
    ----------
    mark : (N,), a number for junctions that leave a record, -1 for others; numbers from ``n_words`` on are no words, and
        histories that differ in them only are the same.
    frames : (T, P), log-likelihoods.
    clock : frames gone by before these; 0 places the first token.
    now, before : tuples of score (N, K), record (N, K), history (N, K); ``now`` holds the tokens, then those of the last frame.
    records : (R, 3), record before, mark, frames gone by; scores (R,). There must be room for T + 1 times K times the marks.
    used : records in use.
    """
    E, N = len(pdf), len(first) - 1
    if clock == 0:
        for j in range(N):
            now[0][j, :] = -np.inf
        now[0][start, 0], now[1][start, 0], now[2][start, 0] = 0.0, -1, 0
        for j in range(E, N):
            used = _settle(first, source, weight, mark, n_words, now, j, j == start, 0, records, scores, used)
    for t in range(len(frames)):
        before[0][:] = now[0]
        before[1][:] = now[1]
        before[2][:] = now[2]
        best = -np.inf
        for j in range(E):
            _gather(first, source, weight, before, now, j)
            for k in range(now[0].shape[1]):
                now[0][j, k] += frames[t, pdf[j]]
            best = max(best, now[0][j, 0])
        for j in range(E):
            for k in range(now[0].shape[1]):
                if now[0][j, k] < best - beam:
                    now[0][j, k] = -np.inf
        for j in range(E, N):
            used = _settle(first, source, weight, mark, n_words, now, j, False, clock + t + 1, records, scores, used)
    return used


@kernel
def _settle(first, source, weight, mark, n_words, now, j, kept, clock, records, scores, used):  # type: ignore[no-untyped-def]
    """Bring tokens to junction ``j`` and leave their records; returns the number of records in use."""
    if not kept:
        _gather(first, source, weight, now, now, j)
    if mark[j] < 0:
        return used
    for k in range(now[0].shape[1]):
        if now[0][j, k] == -np.inf:
            break
        records[used, 0], records[used, 1], records[used, 2] = now[1][j, k], mark[j], clock
        scores[used] = now[0][j, k]
        now[1][j, k] = used
        if mark[j] < n_words:
            now[2][j, k] = now[2][j, k] * _PRIME + mark[j] + 1
        used += 1
    return used


@kernel
def _gather(first, source, weight, origin, now, j):  # type: ignore[no-untyped-def]
    """Fill the tokens of node ``j`` with the best of those that arcs bring from ``origin``, best first."""
    score, record, history = now
    K = score.shape[1]
    score[j, :] = -np.inf
    for a in range(first[j], first[j + 1]):
        i = source[a]
        for k in range(K):
            value = origin[0][i, k] + weight[a]
            if value <= score[j, K - 1]:
                break
            # The place of a token with the same history, which is then replaced or kept, else the last.
            place = K - 1
            for m in range(K - 1):
                if score[j, m] > -np.inf and history[j, m] == origin[2][i, k]:
                    place = m
                    break
            if score[j, place] >= value:
                continue
            while place > 0 and score[j, place - 1] < value:
                score[j, place] = score[j, place - 1]
                record[j, place] = record[j, place - 1]
                history[j, place] = history[j, place - 1]
                place -= 1
            score[j, place], record[j, place], history[j, place] = value, origin[1][i, k], origin[2][i, k]
