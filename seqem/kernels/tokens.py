"""Token passing: Viterbi over a graph, frame by frame, remembering words instead of nodes.

Graphs are those of ``kernels.graph``. Each node keeps its K best tokens with different histories; a token that passes a
junction with a mark leaves a record: the record before, the mark, the frames gone by, the score. So memory grows with the
words that were possible at some time, not with the nodes times the frames, and a stream may be decoded as it comes (Young,
Russell & Thornton 1989).
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
    if K == 1:
        plain = score.reshape(2, N), record.reshape(2, N)
        return _pass_single(first, source, weight, pdf, start, mark, frames, clock, beam, *plain, records, scores, used)
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
def _pass_single(  # type: ignore[no-untyped-def]
    first, source, weight, pdf, start, mark, frames, clock, beam, score, record, records, scores, used
):
    """Do what :func:`pass_tokens` does with one token a node, whose history need not be told: score, record (2, N)."""
    E, N = len(pdf), len(first) - 1
    if clock == 0:
        score[0] = -np.inf
        score[0, start], record[0, start] = 0.0, -1
    for t in range(0 if clock == 0 else 1, len(frames) + 1):
        # Rows are taken once a frame: a view costs more than an arc.
        before, now = score[(clock + t + 1) % 2], score[(clock + t) % 2]
        came, left = record[(clock + t + 1) % 2], record[(clock + t) % 2]
        if t > 0:
            frame, best = frames[t - 1], -np.inf
            for j in range(E):
                top, origin = _best(first, source, weight, before, j)
                now[j], left[j] = top + frame[pdf[j]], came[origin]
                best = max(best, now[j])
            for j in range(E):
                if now[j] < best - beam:
                    now[j] = -np.inf
        for j in range(E, N):
            if clock + t > 0 or j != start:
                top, origin = _best(first, source, weight, now, j)
                now[j], left[j] = top, left[origin]
            if mark[j] >= 0 and now[j] > -np.inf:
                records[used, 0], records[used, 1], records[used, 2] = left[j], mark[j], clock + t
                scores[used] = now[j]
                left[j] = used
                used += 1
    return used


@kernel
def _best(first, source, weight, score, j):  # type: ignore[no-untyped-def]
    """Return the best that arcs bring from ``score`` (N,) to node ``j``, and from where; no branch depends on the scores."""
    top, origin = -np.inf, np.int64(j)
    for a in range(first[j], first[j + 1]):
        value = score[source[a]] + weight[a]
        better = value > top
        top = value if better else top
        origin = np.int64(source[a]) if better else origin
    return top, origin


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
