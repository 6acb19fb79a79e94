"""Vectors of any lane type and width inside kernels, compiled to AVX-512, AVX2, SSE, NEON or plain code as the machine has.

A kernel takes ``dim``, a tuple of W integers whose length is the number of lanes, and says with :func:`load` or
:func:`zeros` what type the lanes have: that of the array. One lane is plain scalar code.
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic, models, register_model

INT32 = ir.IntType(32)
_LLVM = {
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.int16: ir.IntType(16),
    types.int8: ir.IntType(8),
    types.uint8: ir.IntType(8),
}
_SUFFIX = {types.float32: "f32", types.float64: "f64", types.int16: "i16", types.int8: "i8", types.uint8: "i8"}
FLAGS = ("reassoc", "contract", "nsz")


class Vector(types.Type):
    """Type of a vector: of ``lane`` (a numba number type), ``width`` lanes."""

    def __init__(self, lane, width):
        self.lane, self.width = lane, width
        super().__init__(name=f"Vector({lane} x {width})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(_LLVM[fe_type.lane], fe_type.width))


def _pointer(context, builder, array_type, array, offset, vector):
    if array_type.layout != "C":
        raise TypingError(f"a vector operation wants C order, not {array_type}")
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), vector.as_pointer())


def _vector(array, dim):
    if not isinstance(array, types.Array) or array.dtype not in _LLVM or not isinstance(dim, types.UniTuple):
        raise TypingError(f"no vectors of {array} by {dim}")
    return Vector(array.dtype, dim.count)


@intrinsic
def load(typing, array, offset, dim):
    """Return the W elements of a C-ordered array from flat index ``offset``."""
    kind = _vector(array, dim)

    def codegen(context, builder, signature, args):
        vector = context.get_value_type(kind)
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], vector)
        return builder.load(pointer, align=np.dtype(str(kind.lane)).itemsize)

    return kind(array, types.intp, dim), codegen


@intrinsic
def store(typing, array, offset, value):
    """Write a vector to a C-ordered array from flat index ``offset``."""

    def codegen(context, builder, signature, args):
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], args[2].type)
        builder.store(args[2], pointer, align=np.dtype(str(value.lane)).itemsize)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), codegen


def _splat(builder, value, width):
    vector = ir.VectorType(value.type, width)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, INT32(0))
    return _shuffle(builder, one, one, [0] * width)


def _shuffle(builder, a, b, lanes):
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(lanes)), lanes))


@intrinsic
def splat(typing, array, value, dim):
    """Return a vector of the array's type whose lanes all hold ``value``."""
    kind = _vector(array, dim)

    def codegen(context, builder, signature, args):
        scalar = context.cast(builder, args[1], signature.args[1], kind.lane)
        return _splat(builder, scalar, kind.width)

    return kind(array, value, dim), codegen


def _call(builder, name, kind, result, args):
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, [a.type for a in args]), name)
    return builder.call(function, args)


def _binary(name, emit):
    def operation(typing, a, b):
        if not isinstance(a, Vector) or a != b:
            raise TypingError(f"{name} of {a} and {b}")
        return a(a, a), lambda context, builder, signature, args: emit(builder, a, *args)

    operation.__name__ = operation.__qualname__ = name
    operation.__doc__ = f"Return {name} of two vectors, lane by lane."
    return intrinsic(operation)


def _named(stem):
    def emit(builder, kind, x, y):
        return _call(builder, f"llvm.{stem}.v{kind.width}{_SUFFIX[kind.lane]}", kind, x.type, [x, y])

    return emit


def _maximum(builder, kind, x, y):
    if kind.lane in (types.float32, types.float64):
        return builder.select(builder.fcmp_ordered(">", x, y), x, y)
    return _named("umax" if kind.lane is types.uint8 else "smax")(builder, kind, x, y)


def _saturating(stem):
    def emit(builder, kind, x, y):
        sign = "u" if kind.lane is types.uint8 else "s"
        return _named(f"{sign}{stem}.sat")(builder, kind, x, y)

    return emit


add = _binary("add", lambda builder, kind, x, y: builder.fadd(x, y, flags=FLAGS))
multiply = _binary("multiply", lambda builder, kind, x, y: builder.fmul(x, y, flags=FLAGS))
maximum = _binary("maximum", _maximum)
add_saturating = _binary("add_saturating", _saturating("add"))
subtract_saturating = _binary("subtract_saturating", _saturating("sub"))


@intrinsic
def multiply_add(typing, a, b, c):
    """Return a * b + c, fused where the machine has it."""

    def codegen(context, builder, signature, args):
        return _call(builder, f"llvm.fmuladd.v{a.width}{_SUFFIX[a.lane]}", a, args[0].type, args)

    return a(a, a, a), codegen


@intrinsic
def shift_up(typing, value, before):
    """Return lanes moved one up; the first comes from the last lane of ``before``."""

    def codegen(context, builder, signature, args):
        return _shuffle(builder, args[1], args[0], [value.width - 1 + j for j in range(value.width)])

    return value(value, value), codegen


@intrinsic
def shift_down(typing, value, after):
    """Return lanes moved one down; the last comes from the first lane of ``after``."""

    def codegen(context, builder, signature, args):
        return _shuffle(builder, args[0], args[1], [j + 1 for j in range(value.width)])

    return value(value, value), codegen


@intrinsic
def first_lane(typing, value):
    """Return a vector full of the first lane."""
    return value(value), lambda context, builder, signature, args: _shuffle(builder, *args, *args, [0] * value.width)


@intrinsic
def last_lane(typing, value):
    """Return a vector full of the last lane."""
    last = [value.width - 1] * value.width
    return value(value), lambda context, builder, signature, args: _shuffle(builder, *args, *args, last)


def _scan(up, best):
    """Return an intrinsic that solves a linear recurrence within a vector in log2(W) steps.

    That is x[j] = v[j] + c[j] x[j -+ 1], or where ``best`` is set x[j] = max(v[j], c[j] + x[j -+ 1]), which saturates
    for integers. The coefficients of the steps 1, 2, 4, ... join 1, 2, 4, ... neighbouring c, one vector each from
    ``offset`` on.
    """

    def join(builder, kind, total, moved, factor):
        if not best:
            name = f"llvm.fmuladd.v{kind.width}{_SUFFIX[kind.lane]}"
            return _call(builder, name, kind, total.type, [moved, factor, total])
        whole = kind.lane is types.int16
        moved = _saturating("add")(builder, kind, moved, factor) if whole else builder.fadd(moved, factor)
        return _maximum(builder, kind, total, moved)

    def scan(typing, value, array, offset):
        width = value.width

        def codegen(context, builder, signature, args):
            total, table, at = args
            lowest = ir.Constant(_LLVM[value.lane], -32768 if value.lane is types.int16 else 0.0)
            step = 1
            while step < width:
                pointer = _pointer(context, builder, signature.args[1], table, at, total.type)
                factor = builder.load(pointer, align=np.dtype(str(value.lane)).itemsize)
                # Floats that wrap around meet a factor that voids them: a rotation is cheaper than a shift with a fill.
                fill = _splat(builder, lowest, width) if value.lane is types.int16 else total
                if up:
                    moved = _shuffle(builder, fill, total, [width - step + j for j in range(width)])
                else:
                    moved = _shuffle(builder, total, fill, [step + j for j in range(width)])
                total = join(builder, value, total, moved, factor)
                at = builder.add(at, ir.Constant(at.type, width))
                step *= 2
            return total

        return value(value, array, types.intp), codegen

    return scan


def _named_intrinsic(function, name):
    function.__name__ = function.__qualname__ = name
    return intrinsic(function)


scan_up = _named_intrinsic(_scan(up=True, best=False), "scan_up")
scan_down = _named_intrinsic(_scan(up=False, best=False), "scan_down")
scan_up_best = _named_intrinsic(_scan(up=True, best=True), "scan_up_best")


@intrinsic
def reduce_add(typing, value):
    """Return the sum of the lanes of floats."""

    def codegen(context, builder, signature, args):
        lane = _LLVM[value.lane]
        kind = ir.FunctionType(lane, [lane, args[0].type])
        name = f"llvm.vector.reduce.fadd.v{value.width}{_SUFFIX[value.lane]}"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(function, [ir.Constant(lane, 0.0), args[0]], fastmath=FLAGS)

    return value.lane(value), codegen


@intrinsic
def reduce_max(typing, value):
    """Return the largest lane."""
    stem = {types.uint8: "umax", types.float32: "fmax", types.float64: "fmax"}.get(value.lane, "smax")

    def codegen(context, builder, signature, args):
        name = f"llvm.vector.reduce.{stem}.v{value.width}{_SUFFIX[value.lane]}"
        return _call(builder, name, value, _LLVM[value.lane], list(args))

    return value.lane(value), codegen


def _control_word(name, arguments, result):
    """Return an intrinsic around an access to the SSE control word; elsewhere it does nothing."""

    def access(typing, *args):
        def codegen(context, builder, signature, values):
            slot = cgutils.alloca_once(builder, INT32)
            function = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
            if values:
                builder.store(values[0], slot)
            else:
                builder.store(INT32(0), slot)
            if "x86" in builder.module.triple:
                call = cgutils.get_or_insert_function(builder.module, function, name)
                builder.call(call, [builder.bitcast(slot, ir.IntType(8).as_pointer())])
            return context.get_dummy_value() if values else builder.load(slot)

        return result(*arguments), codegen

    return access


@intrinsic
def get_float_mode(typing):
    """Return the SSE control word, 0 where there is none."""
    return _control_word("llvm.x86.sse.stmxcsr", (), types.int32)(typing)


@intrinsic
def set_float_mode(typing, word):
    """Set the SSE control word, where there is one."""
    return _control_word("llvm.x86.sse.ldmxcsr", (types.int32,), types.void)(typing, word)


# Denormals as zeros, on input and output: far from any match floats become denormal, which costs tens of cycles each.
FLUSH = 0x8040
