"""Weights in blocks of few bits, with the names and the layouts of GGUF; they become numbers within what uses them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from lazygrad.dtype import dtypes
from lazygrad.ops.joining import cat, stack
from lazygrad.tensor import Tensor


@dataclass(frozen=True)
class BlockKind:
    """One layout of blocks.

    Args:
        name: GGUF's.
        elements, nbytes: how many numbers a block has, and bytes.
        numbers: blocks (..., bytes) to float32 numbers (..., elements).
    """

    name: str
    elements: int
    nbytes: int
    numbers: Callable[[Tensor], Tensor]


class QuantizedTensor:
    """Numbers that are kept in blocks of few bits.

    Args:
        kind: their layout.
        blocks: uint8 (..., blocks, bytes of a block).

    >>> import numpy as np
    >>> block = np.zeros((1, 34), np.uint8)
    >>> block[0, 1], block[0, 2] = 0x3C, 5  # a scale of 1 as float16, and the first number
    >>> weight = QuantizedTensor(KINDS[8], Tensor(block))
    >>> weight, weight.dequantize()[:2].tolist()
    (QuantizedTensor(q8_0, (32,), 34 bytes), [5.0, 0.0])
    """

    def __init__(self, kind: BlockKind, blocks: Tensor) -> None:
        self.kind, self.blocks = kind, blocks

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the numbers."""
        *rows, count, _ = (int(n) for n in self.blocks.shape)
        return (*rows, count * self.kind.elements)

    @property
    def nbytes(self) -> int:
        """Bytes of all blocks."""
        return math.prod(int(n) for n in self.blocks.shape)

    def dequantize(self) -> Tensor:
        """The numbers, float32. Nothing is computed yet: what is done with them takes them out of their blocks."""
        return self.kind.numbers(self.blocks).flatten(-2)

    def linear(self, x: Tensor) -> Tensor:
        """`x` (..., inputs) times these weights (outputs, inputs), transposed: (..., outputs)."""
        return x.linear(self.dequantize())

    def __repr__(self) -> str:
        return f"QuantizedTensor({self.kind.name}, {self.shape}, {self.nbytes} bytes)"


def _half(pair: Tensor) -> Tensor:
    """The float16 of two bytes (..., 2), as float32 (..., 1)."""
    wide = pair.cast(dtypes.uint16)
    return (wide[..., :1] | (wide[..., 1:] << 8)).view(dtypes.float16).cast(dtypes.float32)


def _signed(part: Tensor) -> Tensor:
    return part.view(dtypes.int8).cast(dtypes.float32)


def _q8_0(blocks: Tensor) -> Tensor:
    """A scale and 32 signed bytes."""
    return _signed(blocks[..., 2:]) * _half(blocks[..., :2])


def _q4_0(blocks: Tensor) -> Tensor:
    """A scale and 32 numbers of 4 bits, less 8: the lower halves of 16 bytes, then the upper ones."""
    pairs = blocks[..., 2:]
    return (cat([pairs & 15, pairs >> 4], -1).cast(dtypes.float32) - 8) * _half(blocks[..., :2])


def _q4_k(blocks: Tensor) -> Tensor:
    """8 groups of 32 numbers of 4 bits; each group has a scale and an offset of 6 bits, all of them a scale of each."""
    first, second, third = blocks[..., 4:16].unflatten(-1, (3, 4)).unbind(-2)
    scales = cat([first & 63, (third & 15) | ((first >> 2) & 48)], -1).cast(dtypes.float32) * _half(blocks[..., :2])
    offsets = cat([second & 63, (third >> 4) | ((second >> 2) & 48)], -1).cast(dtypes.float32) * _half(blocks[..., 2:4])
    pairs = blocks[..., 16:].unflatten(-1, (4, 32))
    numbers = stack([pairs & 15, pairs >> 4], -2).flatten(-3, -2).cast(dtypes.float32)
    return (numbers * scales.unsqueeze(-1) - offsets.unsqueeze(-1)).flatten(-2)


def _q6_k(blocks: Tensor) -> Tensor:
    """16 groups of 16 numbers of 6 bits, less 32: the lower 4 bits, then the upper 2; a scale for each, and for all."""
    low = blocks[..., :128].unflatten(-1, (2, 64))
    lower = stack([low & 15, low >> 4], -2).flatten(-3).unflatten(-1, (8, 32))
    high = blocks[..., 128:192].unflatten(-1, (2, 32))
    upper = stack([(high >> shift) & 3 for shift in (0, 2, 4, 6)], -2).flatten(-3, -2)
    numbers = (lower | (upper << 4)).cast(dtypes.float32) - 32
    scales = _signed(blocks[..., 192:208]) * _half(blocks[..., 208:])
    return (numbers.flatten(-2).unflatten(-1, (16, 16)) * scales.unsqueeze(-1)).flatten(-2)


KINDS: dict[int, BlockKind] = {  # by GGUF's number
    2: BlockKind("q4_0", 32, 18, _q4_0),
    8: BlockKind("q8_0", 32, 34, _q8_0),
    12: BlockKind("q4_k", 256, 144, _q4_k),
    14: BlockKind("q6_k", 256, 210, _q6_k),
}
