"""LLVM vectors of doubles for intrinsics: the few instructions that the vector kernels are written in.

Every function emits code through an llvmlite builder; addresses are pointers to double, vectors may have any width.
"""

from llvmlite import ir
from numba.core import cgutils
from numba.core.errors import TypingError

INT32, DOUBLE = ir.IntType(32), ir.DoubleType()
FLAGS = ("reassoc", "contract", "nsz")


def vector_type(width):
    """Return the type of a vector of doubles."""
    return ir.VectorType(DOUBLE, width)


def address(context, builder, array_type, array, row, width):
    """Return the address of element ``row * width`` of a contiguous array; other layouts are an error, not a wrong answer."""
    if array_type.layout != "C":
        raise TypingError(f"a row operation wants C order, not {array_type}")
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [builder.mul(row, ir.Constant(row.type, width))])


def load(builder, pointer, width):
    """Return the vector at an address."""
    return builder.load(builder.bitcast(pointer, vector_type(width).as_pointer()), align=8)


def store(builder, value, pointer):
    """Write a vector to an address."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=8)


def splat(builder, value, width):
    """Return a vector whose lanes all hold ``value``."""
    one = builder.insert_element(ir.Constant(vector_type(width), ir.Undefined), value, INT32(0))
    return lane(builder, one, 0)


def lane(builder, vector, index):
    """Return a vector whose lanes all hold lane ``index`` of another."""
    width = vector.type.count
    undefined = ir.Constant(vector.type, ir.Undefined)
    return builder.shuffle_vector(vector, undefined, ir.Constant(ir.VectorType(INT32, width), [index] * width))


def reduce_add(builder, vector):
    """Return the sum of the lanes."""
    kind = ir.FunctionType(DOUBLE, [DOUBLE, vector.type])
    name = f"llvm.vector.reduce.fadd.v{vector.type.count}f64"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [ir.Constant(DOUBLE, 0.0), vector], fastmath=FLAGS)


def multiply_add(builder, a, b, c):
    """Return a * b + c, fused where the machine has it."""
    kind = ir.FunctionType(a.type, [a.type] * 3)
    name = f"llvm.fmuladd.v{a.type.count}f64"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b, c])
