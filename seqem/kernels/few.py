"""A mixture of few Gaussians in few columns: rows lie in lanes, as there are too few components to fill them.

Two passes over a block of rows around numpy's vectorised exp: joint log-densities, then shares and moments. Matrices are
lower triangles; a diagonal one has zeros below. The innermost loops go over rows that lie next to each other, which LLVM
turns into vector code. Numeric range: that of float64; joint log-densities below -690 of the largest count as that.
"""

from __future__ import annotations

import numpy as np

from seqem.kernels._jit import kernel


@kernel
def few_joint(x, mean, factor, constant, columns, joint, top):  # type: ignore[no-untyped-def]
    """Fill ``joint`` (K, B) with log weight plus log-density of rows ``x`` (B, D) less the largest, ``top`` (B,).

    ``factor`` (K, D, D) is the inverse Cholesky factor over the root of two, ``constant`` (K,) log weight plus log norm;
    ``columns`` (D + 1, B) gets the rows column after column, its last line is scratch.
    """
    B, D = x.shape
    z = columns[D]
    for d in range(D):
        for n in range(B):
            columns[d, n] = x[n, d]
    for n in range(B):
        top[n] = -np.inf
    for k in range(joint.shape[0]):
        out = joint[k]
        for n in range(B):
            out[n] = constant[k]
        for i in range(D):
            for n in range(B):
                z[n] = 0.0
            for j in range(i + 1):
                f, m, column = factor[k, i, j], mean[k, j], columns[j]
                if f != 0.0:
                    for n in range(B):
                        z[n] += f * (column[n] - m)
            for n in range(B):
                out[n] -= z[n] * z[n]
        for n in range(B):
            top[n] = max(top[n], out[n])
    for n in range(B):
        top[n] = top[n] if top[n] > -np.inf else 0.0
    for k in range(joint.shape[0]):
        out = joint[k]
        for n in range(B):
            below = out[n] - top[n]
            # Subnormal numbers are slow; a component without weight keeps its -inf.
            out[n] = max(below, -690.0) if below > -np.inf else below


@kernel
def few_moments(columns, shares, weights, mean, full, totals, mass, first, second):  # type: ignore[no-untyped-def]
    """Fill ``totals`` (B,) with the sums of ``shares`` (K, B), scale those to ``weights`` (B,), and add moments.

    ``mass`` (K,), ``first`` (K, D) and ``second`` (K, D, D), the lower triangle if ``full`` and else its diagonal, are about
    the means; ``columns`` (D + 1, B) is as :func:`few_joint` leaves it.
    """
    K, B = shares.shape
    D = mean.shape[1]
    scale = columns[D]
    for n in range(B):
        totals[n] = 0.0
    for k in range(K):
        share = shares[k]
        for n in range(B):
            totals[n] += share[n]
    for n in range(B):
        scale[n] = weights[n] / totals[n] if totals[n] > 0.0 else 0.0
    for k in range(K):
        share = shares[k]
        total = 0.0
        for n in range(B):
            share[n] *= scale[n]
            total += share[n]
        mass[k] += total
        for i in range(D):
            a, m = columns[i], mean[k, i]
            total, square = 0.0, 0.0
            for n in range(B):
                away = a[n] - m
                pull = share[n] * away
                total += pull
                square += pull * away
            first[k, i] += total
            second[k, i, i] += square
            if full:
                for j in range(i):
                    b, c = columns[j], mean[k, j]
                    cross = 0.0
                    for n in range(B):
                        cross += share[n] * (a[n] - m) * (b[n] - c)
                    second[k, i, j] += cross
