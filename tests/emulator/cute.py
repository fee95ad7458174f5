"""CuTe's layouts, as far as the tests need them: a second statement of which register holds which element.

A layout is a function from an index to an integer, written Shape:Stride with nested shapes; the first mode of a shape
runs fastest ("Layouts and Tensors" in CUTLASS's documentation of CuTe). The layouts of matrix operations are copied as
numbers from CUTLASS's `mma_traits_sm80.hpp` and `mma_traits_sm90_gmma.hpp`: (thread, value) -> row + rows * column.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

Nested = int | tuple["Nested", ...]


def size(shape: Nested) -> int:
    return shape if isinstance(shape, int) else prod(size(s) for s in shape)


def at(shape: Nested, stride: Nested, index: int) -> int:
    """Where a layout puts `index`.

    >>> [at((2, 3), (3, 1), i) for i in range(6)]
    [0, 3, 1, 4, 2, 5]
    """
    if isinstance(shape, int):
        assert isinstance(stride, int)
        return index * stride
    assert isinstance(stride, tuple)
    total = 0
    for inner, step in zip(shape, stride):
        total += at(inner, step, index % size(inner))
        index //= size(inner)
    return total


@dataclass(frozen=True)
class ThreadValue:
    """A layout of two modes, (thread, value) -> place in a matrix of `rows` rows, by columns."""

    shape: tuple[Nested, Nested]
    stride: tuple[Nested, Nested]
    rows: int

    def place(self, thread: int, value: int) -> tuple[int, int]:
        """(row, column) of a value of a thread."""
        flat = at(self.shape[0], self.stride[0], thread) + at(self.shape[1], self.stride[1], value)
        return flat % self.rows, flat // self.rows


# mma.m16n8k16 of 16-bit floats: A is M x K, B is N x K, C is M x N.
A_16x16 = ThreadValue(((4, 8), (2, 2, 2)), ((32, 1), (16, 8, 128)), 16)
B_8x16 = ThreadValue(((4, 8), (2, 2)), ((16, 1), (8, 64)), 8)
C_16x8 = ThreadValue(((4, 8), (2, 2)), ((32, 1), (16, 8)), 16)
# mma.m16n8k8 of TF32.
A_16x8 = ThreadValue(((4, 8), (2, 2)), ((16, 1), (8, 64)), 16)
B_8x8 = ThreadValue(((4, 8), 2), ((8, 1), 32), 8)


def c_64xn(columns: int) -> ThreadValue:
    """The accumulators of wgmma.m64nNk16, M x N."""
    return ThreadValue(((4, 8, 4), (2, 2, columns // 8)), ((128, 1, 16), (64, 8, 512)), 64)


def swizzle(bits: int, address: int) -> int:
    """Swizzle<bits, 4, 3> of a byte address: `bits` bits from bit 7 on flip those from bit 4 on."""
    return address ^ (address >> 3 & ((1 << bits) - 1) << 4)


def major_k(bits: int, stride: int, line: int, k: int) -> int:
    """Byte offset of element (line, k) of a K-major operand of 16-bit elements: ((8,m),(T,2)):((WT,SBO),(1,T)).

    Written there with T = 8 elements of 16 bytes and W = 2, 4 or 8 of them in a line.
    """
    return swizzle(bits, at((8, 1 << 20), ((1 << bits) * 16, stride), line) + 2 * k)


def major_mn(bits: int, lead: int, stride: int, line: int, k: int) -> int:
    """Byte offset of element (line, k) of an MN-major operand: ((T,W,m),(8,k)):((1,T,LBO),(WT,SBO))."""
    along = at((8, 1 << bits, 1 << 20), (2, 16, lead), line)
    return swizzle(bits, along + at((8, 1 << 20), ((1 << bits) * 16, stride), k))
