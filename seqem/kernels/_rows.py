"""Small row-vector algebra that numba cannot vectorise by itself, as explicit LLVM vectors.

Arrays in numba may overlap, so a loop that writes ``out`` while it reads ``vector`` is reloaded after every
store and stays scalar. Each operation here has one name and two bodies, chosen when a kernel is compiled by
the type of ``dim``: a tuple of length K (K a constant, K <= WIDEST: one vector of K lanes) or an array of length K
(any K: plain loops, also the oracle of the vector form in the tests).

Operands are a C-contiguous array and the number of a row (or matrix) in it: ``a, i`` stands for ``a[i]``.
"""

from functools import partial, reduce

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from seqem.kernels import _simd as simd

WIDEST = 64  # states up to which one row is one vector
NARROW = 16  # states up to which sums of outer products are kept in vectors too


def _product(builder, row, first):
    """Return the vector ``row`` times the matrix at address ``first``."""
    K = row.type.count
    # Two chains of additions: half the latency of one.
    sums = [None, None]
    for l in range(K):
        line = simd.load(builder, builder.gep(first, [ir.Constant(ir.IntType(64), l * K)]), K)
        weight, old = simd.lane(builder, row, l), sums[l & 1]
        sums[l & 1] = (
            builder.fmul(weight, line, flags=simd.FLAGS)
            if old is None
            else simd.multiply_add(builder, weight, line, old)
        )
    return sums[0] if sums[1] is None else builder.fadd(*sums, flags=simd.FLAGS)


@intrinsic
def _advance(_, dim, vector, i, matrix, m, factor, out, o):
    """Set ``out[o] = factor * vector[i] @ matrix[m]``."""
    K = dim.count

    def codegen(context, builder, signature, args):
        row = simd.load(builder, simd.address(context, builder, vector, args[1], args[2], K), dim.count)
        value = _product(builder, row, simd.address(context, builder, matrix, args[3], args[4], K * K))
        value = builder.fmul(value, simd.splat(builder, args[5], K), flags=simd.FLAGS)
        simd.store(builder, value, simd.address(context, builder, out, args[6], args[7], K))
        return context.get_dummy_value()

    return types.void(dim, vector, types.intp, matrix, types.intp, types.float64, out, types.intp), codegen


@intrinsic
def _advance_times(_, dim, vector, i, matrix, m, scale, s, factor, out, o):
    """Set ``out[o] = factor * scale[s] * (vector[i] @ matrix[m])``."""
    K = dim.count

    def codegen(context, builder, signature, args):
        row = simd.load(builder, simd.address(context, builder, vector, args[1], args[2], K), K)
        scales = simd.load(builder, simd.address(context, builder, scale, args[5], args[6], K), K)
        first = simd.address(context, builder, matrix, args[3], args[4], K * K)
        scales = builder.fmul(scales, simd.splat(builder, args[7], K), flags=simd.FLAGS)
        value = builder.fmul(_product(builder, row, first), scales, flags=simd.FLAGS)
        simd.store(builder, value, simd.address(context, builder, out, args[8], args[9], K))
        return context.get_dummy_value()

    return types.void(
        dim, vector, types.intp, matrix, types.intp, scale, types.intp, types.float64, out, types.intp
    ), codegen


@intrinsic
def _times_advance(_, dim, a, i, b, k, matrix, m, factor, product, p, out, o):
    """Set ``product[p] = a[i] * b[k]`` and ``out[o] = factor * product[p] @ matrix[m]``."""
    K = dim.count

    def codegen(context, builder, signature, args):
        left = simd.load(builder, simd.address(context, builder, a, args[1], args[2], K), K)
        right = simd.load(builder, simd.address(context, builder, b, args[3], args[4], K), K)
        row = builder.fmul(left, right, flags=simd.FLAGS)
        simd.store(builder, row, simd.address(context, builder, product, args[8], args[9], K))
        first = simd.address(context, builder, matrix, args[5], args[6], K * K)
        value = builder.fmul(_product(builder, row, first), simd.splat(builder, args[7], K), flags=simd.FLAGS)
        simd.store(builder, value, simd.address(context, builder, out, args[10], args[11], K))
        return context.get_dummy_value()

    return types.void(
        dim, a, types.intp, b, types.intp, matrix, types.intp, types.float64, product, types.intp, out, types.intp
    ), codegen


@intrinsic
def _inner(_, dim, a, i, b, k):
    K = dim.count

    def codegen(context, builder, signature, args):
        left = simd.load(builder, simd.address(context, builder, a, args[1], args[2], K), K)
        right = simd.load(builder, simd.address(context, builder, b, args[3], args[4], K), K)
        return simd.reduce_add(builder, builder.fmul(left, right, flags=simd.FLAGS))

    return types.float64(dim, a, types.intp, b, types.intp), codegen


@intrinsic
def _total(_, dim, a, i):
    def codegen(context, builder, signature, args):
        return simd.reduce_add(
            builder, simd.load(builder, simd.address(context, builder, a, args[1], args[2], dim.count), dim.count)
        )

    return types.float64(dim, a, types.intp), codegen


@intrinsic
def _times(_, dim, a, i, b, k, factor, out, o):
    K = dim.count

    def codegen(context, builder, signature, args):
        left = simd.load(builder, simd.address(context, builder, a, args[1], args[2], K), K)
        right = simd.load(builder, simd.address(context, builder, b, args[3], args[4], K), K)
        # In this order wherever it is inlined: a free order would differ between the calls at a block's edge and inside.
        value = builder.fmul(builder.fmul(left, right), simd.splat(builder, args[5], K))
        simd.store(builder, value, simd.address(context, builder, out, args[6], args[7], K))
        return context.get_dummy_value()

    return types.void(dim, a, types.intp, b, types.intp, types.float64, out, types.intp), codegen


@intrinsic
def _add_outer(_, dim, a, i, b, k, factor, out, m):
    K = dim.count

    def codegen(context, builder, signature, args):
        left = simd.load(builder, simd.address(context, builder, a, args[1], args[2], K), K)
        left = builder.fmul(left, simd.splat(builder, args[5], K), flags=simd.FLAGS)
        right = simd.load(builder, simd.address(context, builder, b, args[3], args[4], K), K)
        first = simd.address(context, builder, out, args[6], args[7], K * K)
        for l in range(K):
            address = builder.gep(first, [ir.Constant(ir.IntType(64), l * K)])
            simd.store(
                builder,
                simd.multiply_add(builder, simd.lane(builder, left, l), right, simd.load(builder, address, K)),
                address,
            )
        return context.get_dummy_value()

    return types.void(dim, a, types.intp, b, types.intp, types.float64, out, types.intp), codegen


def advance(dim, vector, i, matrix, m, factor, out, o):
    """Set ``out[o] = factor * vector[i] @ matrix[m]``; the rows must not be the same."""


def advance_times(dim, vector, i, matrix, m, scale, s, factor, out, o):
    """Set ``out[o] = factor * scale[s] * (vector[i] @ matrix[m])``; the rows of ``vector`` and ``out`` must not be the same."""


def times_advance(dim, a, i, b, k, matrix, m, factor, product, p, out, o):
    """Set ``product[p] = a[i] * b[k]`` and ``out[o] = factor * product[p] @ matrix[m]``."""


def inner(dim, a, i, b, k):
    """Return the scalar product of ``a[i]`` and ``b[k]``."""


def total(dim, a, i):
    """Return the sum of ``a[i]``."""


def times(dim, a, i, b, k, factor, out, o):
    """Set ``out[o] = factor * a[i] * b[k]``, entry by entry; rows may be the same."""


def add_outer(dim, a, i, b, k, factor, out, m):
    """Add ``factor * outer(a[i], b[k])`` to ``out[m]``."""


def _is_constant(dim):
    return isinstance(dim, types.UniTuple)


@overload(advance, jit_options={"fastmath": set(simd.FLAGS) | {"arcp"}})
def _(dim, vector, i, matrix, m, factor, out, o):
    if _is_constant(dim):
        return lambda dim, vector, i, matrix, m, factor, out, o: _advance(dim, vector, i, matrix, m, factor, out, o)

    def plain(dim, vector, i, matrix, m, factor, out, o):
        K = len(dim)
        row, block, new = vector[i], matrix[m], out[o]
        for j in range(K):
            new[j] = 0.0
        whole = K - K % 4
        # Four lines at a time: ``new`` is loaded and stored once for four products.
        for l in range(0, whole, 4):
            a, b, c, d = row[l], row[l + 1], row[l + 2], row[l + 3]
            for j in range(K):
                new[j] += (a * block[l, j] + b * block[l + 1, j]) + (c * block[l + 2, j] + d * block[l + 3, j])
        for l in range(whole, K):
            a = row[l]
            for j in range(K):
                new[j] += a * block[l, j]
        if factor != 1.0:
            for j in range(K):
                new[j] *= factor

    return plain


@overload(advance_times, jit_options={"fastmath": set(simd.FLAGS)})
def _(dim, vector, i, matrix, m, scale, s, factor, out, o):
    if _is_constant(dim):
        return lambda dim, vector, i, matrix, m, scale, s, factor, out, o: _advance_times(
            dim, vector, i, matrix, m, scale, s, factor, out, o
        )

    def plain(dim, vector, i, matrix, m, scale, s, factor, out, o):
        advance(dim, vector, i, matrix, m, factor, out, o)
        times(dim, out, o, scale, s, 1.0, out, o)

    return plain


@overload(times_advance, jit_options={"fastmath": set(simd.FLAGS)})
def _(dim, a, i, b, k, matrix, m, factor, product, p, out, o):
    if _is_constant(dim):
        return lambda dim, a, i, b, k, matrix, m, factor, product, p, out, o: _times_advance(
            dim, a, i, b, k, matrix, m, factor, product, p, out, o
        )

    def plain(dim, a, i, b, k, matrix, m, factor, product, p, out, o):
        times(dim, a, i, b, k, 1.0, product, p)
        advance(dim, product, p, matrix, m, factor, out, o)

    return plain


@overload(inner, jit_options={"fastmath": set(simd.FLAGS)})
def _(dim, a, i, b, k):
    if _is_constant(dim):
        return lambda dim, a, i, b, k: _inner(dim, a, i, b, k)

    def plain(dim, a, i, b, k):
        left, right, value = a[i], b[k], 0.0
        for j in range(len(dim)):
            value += left[j] * right[j]
        return value

    return plain


@overload(total, jit_options={"fastmath": set(simd.FLAGS)})
def _(dim, a, i):
    if _is_constant(dim):
        return lambda dim, a, i: _total(dim, a, i)

    def plain(dim, a, i):
        row, value = a[i], 0.0
        for j in range(len(dim)):
            value += row[j]
        return value

    return plain


@overload(times, jit_options={"fastmath": set(simd.FLAGS)})
def _(dim, a, i, b, k, factor, out, o):
    if _is_constant(dim):
        return lambda dim, a, i, b, k, factor, out, o: _times(dim, a, i, b, k, factor, out, o)

    def plain(dim, a, i, b, k, factor, out, o):
        left, right, new = a[i], b[k], out[o]
        for j in range(len(dim)):
            new[j] = left[j] * right[j] * factor

    return plain


@overload(add_outer, jit_options={"fastmath": set(simd.FLAGS)})
def _(dim, a, i, b, k, factor, out, m):
    if _is_constant(dim):
        return lambda dim, a, i, b, k, factor, out, m: _add_outer(dim, a, i, b, k, factor, out, m)

    def plain(dim, a, i, b, k, factor, out, m):
        K = len(dim)
        left, right, block = a[i], b[k], out[m]
        for l in range(K):
            value = left[l] * factor
            for j in range(K):
                block[l, j] += value * right[j]

    return plain


def _better(builder, a, b):
    """Return the larger of two (value, origin) pairs, lane by lane; ``a`` wins a tie."""
    won = builder.fcmp_ordered(">", b[0], a[0])
    return builder.select(won, b[0], a[0]), builder.select(won, b[1], a[1])


def _tournament(builder, pairs):
    """Return the best pair with log2(K) dependent comparisons: the shortest wait for few states."""
    pairs = list(pairs)
    while len(pairs) > 1:
        rest = pairs[len(pairs) // 2 * 2 :]
        pairs = [_better(builder, *two) for two in zip(pairs[0::2], pairs[1::2], strict=False)] + rest
    return pairs[0]


@intrinsic
def _best(_, dim, vector, i, matrix, m, frames, f, out, o, pointers, p):
    """Set ``out[o] = frames[f] + max over l of (vector[i, l] + matrix[m, l])`` and ``pointers[p]`` to the best l."""
    K = dim.count

    def codegen(context, builder, signature, args):
        origins = ir.VectorType(ir.IntType(pointers.dtype.bitwidth), K)
        row = simd.load(builder, simd.address(context, builder, vector, args[1], args[2], K), K)
        first = simd.address(context, builder, matrix, args[3], args[4], K * K)

        def pair(l):
            line = simd.load(builder, builder.gep(first, [ir.Constant(ir.IntType(64), l * K)]), K)
            return builder.fadd(simd.lane(builder, row, l), line), ir.Constant(origins, [l] * K)

        pairs = (pair(l) for l in range(K))
        # Many states keep the units busy one after another; all at once they would not fit the registers.
        choose = _tournament(builder, pairs) if K <= NARROW else reduce(partial(_better, builder), pairs)
        frame = simd.load(builder, simd.address(context, builder, frames, args[5], args[6], K), K)
        simd.store(builder, builder.fadd(choose[0], frame), simd.address(context, builder, out, args[7], args[8], K))
        target = simd.address(context, builder, pointers, args[9], args[10], K)
        builder.store(choose[1], builder.bitcast(target, origins.as_pointer())).align = 1
        return context.get_dummy_value()

    return types.void(
        dim, vector, types.intp, matrix, types.intp, frames, types.intp, out, types.intp, pointers, types.intp
    ), codegen


def best(dim, vector, i, matrix, m, frames, f, out, o, pointers, p):
    """Set ``out[o, j] = frames[f, j] + max over l of (vector[i, l] + matrix[m, l, j])``, ``pointers[p, j]`` to the first best l."""


@overload(best)
def _(dim, vector, i, matrix, m, frames, f, out, o, pointers, p):
    if _is_constant(dim):
        return lambda dim, vector, i, matrix, m, frames, f, out, o, pointers, p: _best(
            dim, vector, i, matrix, m, frames, f, out, o, pointers, p
        )

    def plain(dim, vector, i, matrix, m, frames, f, out, o, pointers, p):
        K = len(dim)
        row, block, new = vector[i], matrix[m], out[o]
        origin = np.empty(K)  # as wide as the scores, so that the loop below vectorises
        for j in range(K):
            new[j], origin[j] = row[0] + block[0, j], 0.0
        for l in range(1, K):
            score, state = row[l], float(l)
            for j in range(K):
                value = score + block[l, j]
                better = value > new[j]
                new[j] = value if better else new[j]
                origin[j] = state if better else origin[j]
        for j in range(K):
            new[j] += frames[f, j]
            pointers[p, j] = int(origin[j])

    return plain
