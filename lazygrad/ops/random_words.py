"""Random bits: Threefry-2x32-20 built from integer primitives, the same numbers on every device.

The generator is the one of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
Element i of a draw is made from block number (first counter + i), so any element can be computed alone.
"""

from __future__ import annotations

from lazygrad.dtype import DType, dtypes
from lazygrad.engine.generator import DRAW_WORDS, Generator, draw_buffer
from lazygrad.errors import OperandError, fail
from lazygrad.index.expr import dim_max, dim_product
from lazygrad.ir.node import Node, alu, cast, const, iota, reshape, shrink
from lazygrad.ir.op import Op
from lazygrad.ir.signature import Shape
from lazygrad.ops.broadcast import broadcast_to
from lazygrad.ops.generator import default_generator
from lazygrad.ops.operands import describe

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_BITS = {dtypes.float64: 32, dtypes.float32: 24, dtypes.float16: 11, dtypes.bfloat16: 8}  # of one word, in a fraction


def threefry(key: tuple[Node, Node], counter: tuple[Node, Node]) -> tuple[Node, Node]:
    """Twenty rounds of Threefry over two uint32 nodes of one shape: two nodes of uniformly random bits."""
    x, y = counter
    shape = x.shape

    def word(value: int) -> Node:
        return const(value, dtypes.uint32, shape)

    keys = (*key, alu(Op.XOR, alu(Op.XOR, *key), word(_PARITY)))
    x, y = alu(Op.ADD, x, keys[0]), alu(Op.ADD, y, keys[1])
    for i in range(5):
        for r in _ROTATIONS[i % 2]:
            x = alu(Op.ADD, x, y)
            y = alu(Op.OR, alu(Op.SHL, y, word(r)), alu(Op.SHR, y, word(32 - r)))
            y = alu(Op.XOR, x, y)
        x = alu(Op.ADD, x, keys[(i + 1) % 3])
        y = alu(Op.ADD, alu(Op.ADD, y, keys[(i + 2) % 3]), word(i + 1))
    return x, y


def random_words(shape: Shape, device: str, generator: Generator | None = None) -> tuple[Node, Node]:
    """Two nodes of `shape` of random uint32 bits, drawn by `generator`, or by the default one."""
    if generator is not None and not isinstance(generator, Generator):
        fail(OperandError, f"generator={describe(generator)[0]} is no Generator")
    n = dim_product(shape)
    drawn = draw_buffer(
        dim_max(n), device, generator or default_generator
    )  # as many for all values of variables, which a replay may change
    k0, k1, low, high = (broadcast_to(shrink(drawn, [(i, i + 1)]), (n,)) for i in range(DRAW_WORDS))
    first, second = threefry((k0, k1), (alu(Op.ADD, low, iota(n, dtypes.uint32)), high))
    return reshape(first, shape), reshape(second, shape)


def unit(words: Node, dtype: DType, from_one: bool = False) -> Node:
    """Random bits as floats in [0, 1), or with `from_one` in (0, 1]: as many of the bits as the dtype can hold."""
    bits = _BITS[dtype]
    kept = words if bits == 32 else alu(Op.SHR, words, const(32 - bits, dtypes.uint32, words.shape))
    number = cast(kept, dtype)
    if from_one:
        number = alu(Op.ADD, number, const(1, dtype, words.shape))
    return alu(Op.MUL, number, const(2.0**-bits, dtype, words.shape))


def uniform_unit(shape: Shape, device: str, dtype: DType, generator: Generator | None = None) -> Node:
    """Floats in [0, 1); 52 bits of them in float64."""
    first, second = random_words(shape, device, generator)
    value = unit(first, dtype)
    if dtype is dtypes.float64:  # 20 more bits below the first 32
        more = alu(Op.SHR, second, const(12, dtypes.uint32, second.shape))
        value = alu(Op.ADD, value, alu(Op.MUL, cast(more, dtype), const(2.0**-52, dtype, value.shape)))
    return value
