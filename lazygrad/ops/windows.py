"""Windows over the last dimensions, as views, and their transpose, which adds windows up: what convolution, pooling,
`unfold` and `fold` stand on. No buffer of patches is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lazygrad.dtype import dtypes
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.index.expr import Dim
from lazygrad.ir.build import add, mul, positions, sub, total
from lazygrad.ir.node import Node, alu, const, expand, pad, permute, reshape, shrink
from lazygrad.ir.op import Op
from lazygrad.ops.core import fail
from lazygrad.ops.movement import as_shape

Sizes = int | Sequence[int]


def each(what: str, value: Sizes, n: int) -> tuple[int, ...]:
    """One number for each of `n` spatial dimensions: those given, or one for all."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    values = values * n if len(values) == 1 else values
    if len(values) != n:
        fail(ArgumentError, f"{what}: {list(values)} does not give one number for each of {n} dimensions")
    return as_shape(values, what)  # type: ignore[return-value]


def either(what: str, padding: Sizes, n: int) -> tuple[int, ...]:
    """As `each`, or two numbers for each of `n` dimensions, as `pad` takes them: the last dimension's first."""
    both = isinstance(padding, (tuple, list)) and len(padding) == 2 * n
    return each(what, padding, 2 * n if both else n)


def sides(what: str, padding: Sizes, n: int) -> tuple[tuple[int, int], ...]:
    """(before, after) of each of `n` dimensions: of one number for both, or of two as `pad` takes them, the last
    dimension's first.

    >>> sides("conv2d", 1, 2), sides("conv2d", (1, 2), 2), sides("conv2d", (1, 2, 3, 4), 2)
    (((1, 1), (1, 1)), ((1, 1), (2, 2)), ((3, 4), (1, 2)))
    """
    flat = either(what, padding, n)
    if len(flat) == n:
        return tuple((p, p) for p in flat)
    return tuple(zip(flat[-2::-2], flat[::-2]))


def steps_of(what: str, name: str, value: Sizes, n: int) -> tuple[int, ...]:
    """As `each`, for distances: at least 1."""
    values = each(what, value, n)
    if min(values) < 1:
        fail(ArgumentError, f"{what}: {name} {list(values)} must be at least 1")
    return values


def windows(x: Node, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Node:
    """Every window over the last dimensions of `x`: (..., n0, n1) gives (..., o0, o1, k0, k1)."""
    outer = x.ndim - len(kernel)
    for i, (k, s, d) in enumerate(zip(kernel, stride, dilation)):
        x = _windows_along(x, outer + i, k, s, d)  # the window of each dimension goes last
    return x


def _windows_along(x: Node, axis: int, k: int, s: int, d: int) -> Node:
    """(..., n, ...) gives (..., o, ..., k): element [o, k] is x[o * s + k * d].

    `x` repeated end to end and cut into rows of n + d elements shifts by d from each row to the next, so that the
    windows are columns: row k, column o * s is x[(k * (n + d) + o * s) % n].
    """
    n = x.shape[axis]
    assert isinstance(n, int)
    count = (n - d * (k - 1) - 1) // s + 1
    if count * s > n + d:  # room behind the last window, never read
        x = pad(x, [(0, count * s - n - d if i == axis else 0) for i in range(x.ndim)])
        n = count * s - d
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    whole, everything = [(0, m) for m in before], [(0, m) for m in after]
    times = -(-k * (n + d) // n)
    x = expand(reshape(x, (*before, 1, n, *after)), (*before, times, n, *after))
    x = shrink(reshape(x, (*before, times * n, *after)), [*whole, (0, k * (n + d)), *everything])
    x = shrink(reshape(x, (*before, k, n + d, *after)), [*whole, (0, k), (0, count * s), *everything])
    x = reshape(x, (*before, k, count, s, *after))
    x = reshape(shrink(x, [*whole, (0, k), (0, count), (0, 1), *everything]), (*before, k, count, *after))
    order = [i for i in range(x.ndim) if i != axis] + [axis]
    return permute(x, order)


def added_up(
    view: Node, sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Node:
    """The transpose of `windows`: (..., o0, o1, k0, k1) gives (..., n0, n1) of `sizes`, each the sum of its windows."""
    outer = view.ndim - 2 * len(kernel)
    for i in reversed(range(len(kernel))):
        view = _added_up_along(view, outer + i, sizes[i], kernel[i], stride[i], dilation[i])
    return view


def _added_up_along(view: Node, axis: int, n: int, k: int, s: int, d: int) -> Node:
    """`_windows_along` backwards: (..., o, ..., k) gives (..., n, ...)."""
    last = view.ndim - 1
    view = permute(view, [*range(axis), last, *range(axis, last)])  # (..., k, o, ...)
    before, after = view.shape[:axis], view.shape[axis + 2 :]
    none, nothing = [(0, 0)] * len(before), [(0, 0)] * len(after)
    count = view.shape[axis + 1]
    assert isinstance(count, int)
    room = max(n, count * s - d)
    view = pad(reshape(view, (*before, k, count, 1, *after)), [*none, (0, 0), (0, 0), (0, s - 1), *nothing])
    view = reshape(view, (*before, k, count * s, *after))
    view = pad(view, [*none, (0, 0), (0, room + d - count * s), *nothing])
    times = -(-k * (room + d) // room)
    view = reshape(view, (*before, k * (room + d), *after))
    view = pad(view, [*none, (0, times * room - k * (room + d)), *nothing])
    view = total(reshape(view, (*before, times, room, *after)), (axis,))
    return shrink(view, [*((0, m) for m in before), (0, n), *((0, m) for m in after)])


class Windows(NamedTuple):
    """Windows over the last dimensions, of `sizes`: how large they are, and where; `padding` is (before, after)."""

    what: str
    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    ceil_mode: bool

    def places(self) -> list[int]:
        """How many windows there are along each dimension; with `ceil_mode` one may reach beyond the padding."""
        found = []
        for n, k, s, (p, q), d in zip(self.sizes, self.kernel, self.stride, self.padding, self.dilation):
            room = n + p + q - d * (k - 1) - 1
            count = -(-room // s) + 1 if self.ceil_mode else room // s + 1
            found.append(count - 1 if self.ceil_mode and (count - 1) * s >= n + p else count)
        return found

    def pads(self) -> list[tuple[int, int]]:
        """(before, after) of each dimension; what is after may be negative, where nothing is read."""
        ends = [
            (count - 1) * s + d * (k - 1) + 1 - n - p
            for count, n, k, s, (p, _), d in zip(
                self.places(), self.sizes, self.kernel, self.stride, self.padding, self.dilation
            )
        ]
        return [(p, max(q, end)) for (p, q), end in zip(self.padding, ends)]

    def varies(self, padding_counts: bool) -> bool:
        """Whether some windows have fewer elements than others."""
        beyond = any(after > q for (_, q), (_, after) in zip(self.padding, self.pads()))
        return beyond or (any(map(any, self.padding)) and not padding_counts)

    def counts(self, padding_counts: bool) -> Node:
        """How many elements each window has, int64 (o...), without what is beyond the padding, or is padding."""
        shape = tuple(self.places())
        product = const(1, dtypes.int64, shape)
        for axis, (n, k, s, (p, q)) in enumerate(zip(self.sizes, self.kernel, self.stride, self.padding)):
            low, high = (-p, n + q) if padding_counts else (0, n)
            step, before, size = (const(m, dtypes.int64, shape) for m in (s, p, k))
            start = sub(mul(positions(shape, axis, dtypes.int64), step), before)
            product = mul(product, sub(_least(add(start, size), high), _most(start, low)))
        return product


def _most(x: Node, low: int) -> Node:
    return alu(Op.MAX, x, const(low, x.dtype, x.shape))


def _least(x: Node, high: int) -> Node:
    return sub(const(0, x.dtype, x.shape), _most(sub(const(0, x.dtype, x.shape), x), -high))


def ints(shape: Sequence[Dim]) -> tuple[int, ...]:
    sizes = tuple(n for n in shape if isinstance(n, int))
    if len(sizes) != len(shape):
        fail(ShapeError, f"convolution over the symbolic sizes {list(shape)} is not supported")
    return sizes


def padding_of(
    what: str, padding: Sizes | str, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[tuple[int, int]]:
    """(before, after) of each spatial dimension."""
    if not isinstance(padding, str):
        return list(sides(what, padding, len(kernel)))
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding != "same" or any(s != 1 for s in stride):
        fail(ArgumentError, f"{what}: padding {padding!r} with stride {list(stride)}: 'same' needs stride 1")
    missing = [d * (k - 1) for k, d in zip(kernel, dilation)]
    return [(m // 2, m - m // 2) for m in missing]


def check_window(what: str, x: Node, kernel: Sequence[int], dilation: Sequence[int]) -> None:
    sizes = ints(x.shape[-len(kernel) :])
    if any(k < 1 or d * (k - 1) + 1 > n for n, k, d in zip(sizes, kernel, dilation)):
        fail(
            ShapeError,
            f"{what}: a window {list(kernel)} with dilation {list(dilation)} is larger than the input {list(sizes)}",
        )
