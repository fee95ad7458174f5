"""Movement operations as functions on index expressions.

Each function maps the index of an element of the operation's OUTPUT to the index of the INPUT element that it shows.
Sizes are integers or expressions over variables bound at launch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .expr import Const, Dim, Expr, all_of, as_dim, dim_max, dim_product, divisor, lift, scaled_sum

Index = tuple[Expr, ...]


def flat(index: Sequence[Expr], shape: Sequence[Dim]) -> Expr:
    """The row-major offset of an index in an array of this shape.

    >>> from lazygrad.index.expr import Var
    >>> print(flat((Var("i", 0, 3), Var("j", 0, 5)), (4, 6)))
    i*6 + j
    """
    _check_rank("flat", index, len(shape))
    parts: list[tuple[Expr, int]] = []
    stride: Dim = 1
    for position, size in zip(reversed(index), reversed(shape)):
        parts.append((position, stride) if isinstance(stride, int) else (position * stride, 1))
        stride = as_dim(stride * size)
    return scaled_sum(parts)


def unflatten(offset: Expr, shape: Sequence[Dim]) -> Index:
    """The index of the element at a row-major offset, which is taken to lie within the shape.

    >>> from lazygrad.index.expr import Var
    >>> [str(e) for e in unflatten(Var("k", 0, 23), (4, 6))]
    ['k/6', 'k%6']
    """
    if any(dim_max(size) == 0 for size in shape):
        return (Const(0),) * len(shape)
    index: list[Expr] = []
    stride: Dim = 1
    for axis in reversed(range(len(shape))):
        position = offset // divisor(stride)
        index.append(position % divisor(shape[axis]) if any(size != 1 for size in shape[:axis]) else position)
        stride = as_dim(stride * shape[axis])
    return tuple(position if size != 1 else Const(0) for position, size in zip(reversed(index), shape))


def reshape(index: Sequence[Expr], output_shape: Sequence[Dim], input_shape: Sequence[Dim]) -> Index:
    """Input index of a reshape. Only the axes of a group that is merged or split meet a division.

    Raises ValueError when the shapes do not hold the same number of elements.

    >>> from lazygrad.index.expr import Var
    >>> b, i = Var("b", 0, 4), Var("i", 0, 23)
    >>> [str(e) for e in reshape((b, i), output_shape=(5, 24), input_shape=(5, 4, 6))]
    ['b', 'i/6', 'i%6']
    """
    _check_rank("reshape", index, len(output_shape))
    positions: list[Expr] = [Const(0)] * len(input_shape)  # what a size of 1 needs
    for outer, inner in _groups(output_shape, input_shape):
        offset = flat([index[axis] for axis in outer], [output_shape[axis] for axis in outer])
        for axis, position in zip(inner, unflatten(offset, [input_shape[axis] for axis in inner])):
            positions[axis] = position
    return tuple(positions)


def _groups(output_shape: Sequence[Dim], input_shape: Sequence[Dim]) -> Iterator[tuple[list[int], list[int]]]:
    """The axes of both shapes cut where both hold equally many elements so far; sizes of 1 belong to no group."""
    outer = [axis for axis, size in enumerate(output_shape) if as_dim(size) != 1]
    inner = [axis for axis, size in enumerate(input_shape) if as_dim(size) != 1]
    total = dim_product(output_shape)
    if total != dim_product(input_shape):
        raise ValueError(
            f"reshape between {_text(input_shape)} and {_text(output_shape)}: "
            f"they hold {dim_product(input_shape)} and {total} elements"
        )
    if total == 0:
        return
    held = {product: end for end, product in enumerate(_prefix_products([output_shape[axis] for axis in outer]), 1)}
    outer_start = inner_start = 0
    for end, product in enumerate(_prefix_products([input_shape[axis] for axis in inner]), 1):
        if product in held:
            yield outer[outer_start : held[product]], inner[inner_start:end]
            outer_start, inner_start = held[product], end


def _prefix_products(sizes: Sequence[Dim]) -> Iterator[Dim]:
    product: Dim = 1
    for size in sizes:
        product = as_dim(product * size)
        yield product


def permute(index: Sequence[Expr], axes: Sequence[int]) -> Index:
    """Input index of a permutation whose output axis k is the input axis axes[k]."""
    _check_rank("permute", index, len(axes))
    positions: list[Expr] = list(index)
    for position, axis in zip(index, axes):
        positions[axis] = position
    return tuple(positions)


def expand(index: Sequence[Expr], input_shape: Sequence[Dim]) -> Index:
    """Input index of an expansion of axes of size 1: those are read at 0."""
    _check_rank("expand", index, len(input_shape))
    return tuple(Const(0) if as_dim(size) == 1 else position for position, size in zip(index, input_shape))


def pad(index: Sequence[Expr], pads: Sequence[tuple[Dim, Dim]], input_shape: Sequence[Dim]) -> tuple[Index, Expr]:
    """Input index of a padding, and the condition under which it lies inside the input.

    >>> from lazygrad.index.expr import Var
    >>> (i,), inside = pad((Var("i", 0, 9),), ((2, 3),), (5,))
    >>> print(i, "if", inside)
    i - 2 if 1 < i && i < 7
    """
    _check_rank("pad", index, len(input_shape))
    positions: list[Expr] = []
    conditions: list[Expr] = []
    for position, (before, after), size in zip(index, pads, input_shape):
        inner = position - lift(before)
        positions.append(inner)
        if before != 0:
            conditions.append(inner.ge(0))
        if after != 0:
            conditions.append(inner.lt(size))
    return tuple(positions), all_of(conditions)


def shrink(index: Sequence[Expr], bounds: Sequence[tuple[Dim, Dim]]) -> Index:
    """Input index of the part start..stop-1 of each axis."""
    _check_rank("shrink", index, len(bounds))
    return tuple(position + start for position, (start, _) in zip(index, bounds))


def flip(index: Sequence[Expr], axes: Sequence[int], shape: Sequence[Dim]) -> Index:
    """Input index of a reversal of axes."""
    _check_rank("flip", index, len(shape))
    return tuple(
        lift(size) - 1 - position if axis in axes else position
        for axis, (position, size) in enumerate(zip(index, shape))
    )


def _check_rank(operation: str, index: Sequence[Expr], rank: int) -> None:
    if len(index) != rank:
        raise ValueError(f"{operation}: an index of {len(index)} expressions for {rank} axes")


def _text(shape: Sequence[Dim]) -> str:
    return f"({', '.join(map(str, shape))})"
