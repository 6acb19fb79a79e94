"""Gaussians over rows: log-densities and moments about the current means, eight components a register.

Components lie in lanes (padded to a multiple of LANES) and FRAMES rows go together, so each parameter
load serves FRAMES rows. LLVM does not vectorise the outer loop by itself, hence the intrinsics.
Under diagonal covariance a row with NaN takes the scalar path: missing coordinates are left out of the
product. Matrices are stored as their lower triangle, row after row.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from seqem.kernels._jit import kernel
from seqem.kernels._simd import multiply_add, splat, vector_type

LANES = 8
FRAMES = 4

_VECTOR = vector_type(LANES)


class _Matrix:
    """A C-contiguous float64 matrix seen from inside an intrinsic."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        array = context.make_array(kind)(context, builder, value)
        self.builder, self.data = builder, array.data
        self.rows, self.columns = cgutils.unpack_tuple(builder, array.shape)

    def _address(self, row: Any, column: Any) -> Any:
        b = self.builder
        return b.gep(self.data, [b.add(b.mul(row, self.columns), column)])

    def scalar(self, row: Any, column: Any) -> Any:
        return splat(self.builder, self.builder.load(self._address(row, column)), LANES)

    def vector_at(self, row: Any, column: Any) -> Any:
        return self.builder.bitcast(self._address(row, column), _VECTOR.as_pointer())

    def load(self, row: Any, column: Any) -> Any:
        return self.builder.load(self.vector_at(row, column), align=8)

    def store(self, value: Any, row: Any, column: Any) -> None:
        self.builder.store(value, self.vector_at(row, column), align=8)


def _intrinsic(emit: Any, n_matrices: int) -> Any:
    """Return an intrinsic ``f(matrix, ..., column)`` whose body is ``emit(builder, matrices, column)``."""

    def typing(*kinds: Any) -> Any:
        if any(kind.layout != "C" or kind.dtype != types.float64 for kind in kinds):
            raise TypingError("matrices must be float64 in C order")

        def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            pairs = zip(signature.args[:n_matrices], values[:n_matrices], strict=True)
            matrices = [_Matrix(context, builder, kind, value) for kind, value in pairs]
            emit(builder, matrices, values[n_matrices])
            return context.get_dummy_value()

        return types.void(*kinds[:n_matrices], types.intp), codegen

    return typing


def _emit_density(builder: Any, matrices: list[_Matrix], column: Any) -> None:
    x, scale, shift, constant, out = matrices
    frames = [ir.Constant(column.type, f) for f in range(FRAMES)]
    zero = frames[0]
    totals = [cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [0.0] * LANES)) for _ in frames]
    with cgutils.for_range(builder, x.columns) as loop:
        s, h = scale.load(loop.index, column), shift.load(loop.index, column)
        for frame, total in zip(frames, totals, strict=True):
            z = multiply_add(builder, x.scalar(frame, loop.index), s, h)
            builder.store(multiply_add(builder, z, z, builder.load(total)), total)
    top = constant.load(zero, column)
    for frame, total in zip(frames, totals, strict=True):
        out.store(builder.fsub(top, builder.load(total)), frame, column)


def _emit_moments(builder: Any, matrices: list[_Matrix], column: Any) -> None:
    x, resp, mean, first, second = matrices
    frames = [ir.Constant(column.type, f) for f in range(FRAMES)]
    weights = [resp.load(frame, column) for frame in frames]
    with cgutils.for_range(builder, x.columns) as loop:
        m = mean.load(loop.index, column)
        one, two = first.load(loop.index, column), second.load(loop.index, column)
        for frame, weight in zip(frames, weights, strict=True):
            away = builder.fsub(x.scalar(frame, loop.index), m)
            pull = builder.fmul(weight, away)
            one = builder.fadd(one, pull)
            two = multiply_add(builder, pull, away, two)
        first.store(one, loop.index, column)
        second.store(two, loop.index, column)


def _emit_triangle_density(builder: Any, matrices: list[_Matrix], column: Any) -> None:
    x, factor, shift, constant, out = matrices
    frames = [ir.Constant(column.type, f) for f in range(FRAMES)]
    one = frames[1]
    zeros = ir.Constant(_VECTOR, [0.0] * LANES)
    totals = [cgutils.alloca_once_value(builder, zeros) for _ in frames]
    sides = [cgutils.alloca_once_value(builder, zeros) for _ in frames]
    entry = cgutils.alloca_once_value(builder, frames[0])
    with cgutils.for_range(builder, x.columns) as outer:
        for side in sides:
            builder.store(shift.load(outer.index, column), side)
        with cgutils.for_range(builder, builder.add(outer.index, one)) as inner:
            at = builder.load(entry)
            weight = factor.load(at, column)
            builder.store(builder.add(at, one), entry)
            for frame, side in zip(frames, sides, strict=True):
                value = multiply_add(builder, x.scalar(frame, inner.index), weight, builder.load(side))
                builder.store(value, side)
        for side, total in zip(sides, totals, strict=True):
            z = builder.load(side)
            builder.store(multiply_add(builder, z, z, builder.load(total)), total)
    top = constant.load(frames[0], column)
    for frame, total in zip(frames, totals, strict=True):
        out.store(builder.fsub(top, builder.load(total)), frame, column)


def _emit_triangle_moments(builder: Any, matrices: list[_Matrix], column: Any) -> None:
    x, resp, mean, away, first, second = matrices
    frames = [ir.Constant(column.type, f) for f in range(FRAMES)]
    one, four = frames[1], ir.Constant(column.type, FRAMES)
    weights = [resp.load(frame, column) for frame in frames]
    entry = cgutils.alloca_once_value(builder, frames[0])
    with cgutils.for_range(builder, x.columns) as outer:
        m, moved = mean.load(outer.index, column), first.load(outer.index, column)
        base = builder.mul(outer.index, four)
        pulls = []
        for frame, weight in zip(frames, weights, strict=True):
            y = builder.fsub(x.scalar(frame, outer.index), m)
            away.store(y, builder.add(base, frame), column)
            pulls.append(builder.fmul(weight, y))
            moved = builder.fadd(moved, pulls[-1])
        first.store(moved, outer.index, column)
        with cgutils.for_range(builder, builder.add(outer.index, one)) as inner:
            at = builder.load(entry)
            builder.store(builder.add(at, one), entry)
            base = builder.mul(inner.index, four)
            total = second.load(at, column)
            for frame, pull in zip(frames, pulls, strict=True):
                total = multiply_add(builder, pull, away.load(builder.add(base, frame), column), total)
            second.store(total, at, column)


@intrinsic
def _density_block(typingctx, x, scale, shift, constant, out, column):  # type: ignore[no-untyped-def]
    """Fill ``out[:, column:column + LANES]`` for FRAMES rows."""
    return _intrinsic(_emit_density, 5)(x, scale, shift, constant, out)


@intrinsic
def _moments_block(typingctx, x, resp, mean, first, second, column):  # type: ignore[no-untyped-def]
    """Add FRAMES rows to ``first`` and ``second`` at columns ``column`` to ``column + LANES``."""
    return _intrinsic(_emit_moments, 5)(x, resp, mean, first, second)


@intrinsic
def _triangle_density_block(typingctx, x, factor, shift, constant, out, column):  # type: ignore[no-untyped-def]
    """Fill ``out[:, column:column + LANES]`` for FRAMES rows under covariance matrices."""
    return _intrinsic(_emit_triangle_density, 5)(x, factor, shift, constant, out)


@intrinsic
def _triangle_moments_block(typingctx, x, resp, mean, away, first, second, column):  # type: ignore[no-untyped-def]
    """Add FRAMES rows to ``first`` and the triangles ``second`` at columns ``column`` to ``column + LANES``."""
    return _intrinsic(_emit_triangle_moments, 6)(x, resp, mean, away, first, second)


@kernel
def density(x, scale, shift, constant, log_scale, rows, block, out):  # type: ignore[no-untyped-def]
    """Fill log N(x_n | k) for diagonal Gaussians.

    Parameters
    ----------
    x : (N, D); NaN = missing coordinate.
    scale, shift : (D, P), P = K padded to LANES; ``z = x * scale + shift``, ``scale = sqrt(1/2) / sd``.
    constant : (1, P), log-density at the mean.
    log_scale : (D, P), what coordinate d adds to ``constant``.
    rows : (FRAMES, D), block : (FRAMES, P); scratch.
    out : (N, K)
    """
    N, D = x.shape
    K, P = out.shape[1], scale.shape[1]
    for n in range(0, N, FRAMES):
        count = min(FRAMES, N - n)
        whole = count == FRAMES
        source, target = rows, block
        if whole:
            source = x[n : n + FRAMES]
        else:
            rows[:count] = x[n:]
        direct = whole and K == P
        if direct:
            target = out[n : n + FRAMES]
        for column in range(0, P, LANES):
            _density_block(source, scale, shift, constant, target, column)  # type: ignore[call-arg]
        for f in range(count):
            if not direct:
                for k in range(K):
                    out[n + f, k] = block[f, k]
            if out[n + f, 0] != out[n + f, 0]:
                for k in range(K):
                    total = 0.0
                    for d in range(D):
                        value = x[n + f, d]
                        if value == value:
                            z = value * scale[d, k] + shift[d, k]
                            total += log_scale[d, k] - z * z
                    out[n + f, k] = total


@kernel
def moments(x, resp, mean, rows, block, mass, count, first, second):  # type: ignore[no-untyped-def]
    """Add weighted moments about ``mean`` of all rows.

    Parameters
    ----------
    x : (N, D); NaN = missing coordinate.
    resp : (N, K), weights of the rows.
    mean : (D, P), P = K padded to LANES.
    rows : (FRAMES, D), block : (FRAMES, P); scratch, ``block`` zero.
    mass : (K,), gains the weights of rows without NaN.
    count : (D, P), gains the weights of observed coordinates in rows with NaN.
    first, second : (D, P), gain sum r (x - m) and sum r (x - m)^2.
    """
    N, D = x.shape
    K, P = resp.shape[1], mean.shape[1]
    for n in range(0, N, FRAMES):
        for f in range(FRAMES):
            total = 0.0
            if n + f < N:
                for d in range(D):
                    rows[f, d] = x[n + f, d]
                    total += x[n + f, d]
                for k in range(K):
                    block[f, k] = resp[n + f, k]
            missing = total != total
            if missing:
                for d in range(D):
                    value = x[n + f, d]
                    if value == value:
                        for k in range(K):
                            away = value - mean[d, k]
                            count[d, k] += resp[n + f, k]
                            first[d, k] += resp[n + f, k] * away
                            second[d, k] += resp[n + f, k] * away * away
            if missing or n + f >= N:
                for d in range(D):
                    rows[f, d] = 0.0
                for k in range(K):
                    block[f, k] = 0.0
            for k in range(K):
                mass[k] += block[f, k]
        for column in range(0, P, LANES):
            _moments_block(rows, block, mean, first, second, column)  # type: ignore[call-arg]


@kernel
def density_full(x, factor, shift, constant, rows, block, out):  # type: ignore[no-untyped-def]
    """Fill log N(x_n | k) under covariance matrices; rows with NaN get NaN.

    Parameters
    ----------
    x : (N, D)
    factor : (B, D (D + 1) / 2, LANES), inverse Cholesky factors times sqrt(1/2), B blocks of components.
    shift : (B, D, LANES), minus ``factor`` times the mean.
    constant : (B, 1, LANES), log-density at the mean.
    rows : (FRAMES, D), block : (FRAMES, LANES); scratch.
    out : (N, K)
    """
    N, K = out.shape
    for b in range(factor.shape[0]):
        lanes = min(LANES, K - b * LANES)
        for n in range(0, N, FRAMES):
            count = min(FRAMES, N - n)
            source = rows
            if count == FRAMES:
                source = x[n : n + FRAMES]
            else:
                rows[:count] = x[n:]
            _triangle_density_block(source, factor[b], shift[b], constant[b], block, 0)  # type: ignore[call-arg]
            for f in range(count):
                for lane in range(lanes):
                    out[n + f, b * LANES + lane] = block[f, lane]


@kernel
def moments_full(x, resp, mean, rows, block, away, first, second):  # type: ignore[no-untyped-def]
    """Add weighted moments about ``mean`` of all rows, none of which has NaN.

    Parameters
    ----------
    x : (N, D)
    resp : (N, K), weights of the rows.
    mean : (B, D, LANES), B blocks of components.
    rows : (FRAMES, D), block : (FRAMES, LANES), away : (FRAMES * D, LANES); scratch, the first two zero.
    first : (B, D, LANES), gains sum r (x - m).
    second : (B, D (D + 1) / 2, LANES), gains sum r (x - m) (x - m)'.
    """
    N, K = resp.shape
    for b in range(mean.shape[0]):
        lanes = min(LANES, K - b * LANES)
        block[:] = 0.0
        for n in range(0, N, FRAMES):
            count = min(FRAMES, N - n)
            source = rows
            if count == FRAMES:
                source = x[n : n + FRAMES]
            else:
                rows[:count] = x[n:]
                block[:] = 0.0
            for f in range(count):
                for lane in range(lanes):
                    block[f, lane] = resp[n + f, b * LANES + lane]
            _triangle_moments_block(source, block, mean[b], away, first[b], second[b], 0)  # type: ignore[call-arg]
