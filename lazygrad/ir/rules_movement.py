"""Simplification rules for movement ops, reductions and prefixes."""

from __future__ import annotations

from lazygrad.dtype import dtypes
from lazygrad.index.expr import Dim, as_dim, ceil_div, dim_max, dim_product
from lazygrad.ir.build import constant_value, scaled, shifted
from lazygrad.ir.node import Node, alu, cast, const, expand, flip, pad, permute, reduce, reshape, scan, scatter, shrink
from lazygrad.ir.op import AxesArg, BoundsArg, Combine, Op, PadArg, ReduceArg, ScanArg, ScatterArg
from lazygrad.ir.rules_alu import MANTISSA, Rule


def move_constant(n: Node) -> Node | None:
    """A moved constant is the constant in its canonical form, which `const` makes."""
    value = constant_value(n)
    if value is None:
        return None
    canonical = const(value, n.dtype, n.shape)
    return None if canonical is n else canonical


def pad_constant(n: Node) -> Node | None:
    """A constant padded with itself."""
    value, fill = constant_value(n.src[0]), n.argument(PadArg).fill
    return const(value, n.dtype, n.shape) if value is not None and repr(value) == fill.text else None


def does_nothing(n: Node) -> Node | None:
    """A movement op that the constructors would not have made."""
    return n.src[0] if n.shape == n.src[0].shape else None


def reshape_of_reshape(n: Node) -> Node | None:
    return reshape(n.src[0].src[0], n.shape) if n.src[0].op is Op.RESHAPE else None


def permute_of_permute(n: Node) -> Node | None:
    inner = n.src[0]
    if inner.op is not Op.PERMUTE:
        return None
    order = inner.argument(AxesArg).axes
    return permute(inner.src[0], [order[a] for a in n.argument(AxesArg).axes])


def permute_of_expand(n: Node) -> Node | None:
    inner = n.src[0]
    return expand(permute(inner.src[0], n.argument(AxesArg).axes), n.shape) if inner.op is Op.EXPAND else None


def permute_is_reshape(n: Node) -> Node | None:
    """Axes longer than 1 that keep their order stay where they are in memory."""
    moved = [a for a in n.argument(AxesArg).axes if n.src[0].shape[a] != 1]
    return reshape(n.src[0], n.shape) if moved == sorted(moved) else None


def expand_of_expand(n: Node) -> Node | None:
    return expand(n.src[0].src[0], n.shape) if n.src[0].op is Op.EXPAND else None


def flip_of_flip(n: Node) -> Node | None:
    inner = n.src[0]
    if inner.op is not Op.FLIP:
        return None
    return flip(inner.src[0], sorted(set(n.argument(AxesArg).axes) ^ set(inner.argument(AxesArg).axes)))


def flip_of_repeated(n: Node) -> Node | None:
    """Axes of size 1, or repeated by EXPAND, read the same backwards."""
    x = n.src[0].src[0] if n.src[0].op is Op.EXPAND else n.src[0]
    axes = n.argument(AxesArg).axes
    kept = [a for a in axes if x.shape[a] != 1]
    return flip(n.src[0], kept) if len(kept) < len(axes) else None


def shrink_of_shrink(n: Node) -> Node | None:
    inner = n.src[0]
    if inner.op is not Op.SHRINK:
        return None
    outer = zip(n.argument(BoundsArg).bounds, inner.argument(BoundsArg).bounds)
    return shrink(inner.src[0], [(as_dim(first + start), as_dim(first + stop)) for (start, stop), (first, _) in outer])


def shrink_of_expand(n: Node) -> Node | None:
    inner = n.src[0]
    if inner.op is not Op.EXPAND:
        return None
    x = inner.src[0]
    bounds = [(0, 1) if m == 1 else b for m, b in zip(x.shape, n.argument(BoundsArg).bounds)]
    return expand(shrink(x, bounds), n.shape)


def shrink_of_pad(n: Node) -> Node | None:
    """What lies inside the padding is cut from the source; sizes that are not known are left alone."""
    inner = n.src[0]
    if inner.op is not Op.PAD:
        return None
    cut = []
    for (start, stop), (before, _), m in zip(
        n.argument(BoundsArg).bounds, inner.argument(PadArg).pads, inner.src[0].shape
    ):
        if not (isinstance(start, int) and isinstance(stop, int) and isinstance(before, int) and isinstance(m, int)):
            return None
        if not before <= start <= stop <= before + m:
            return None
        cut.append((start - before, stop - before))
    return shrink(inner.src[0], cut)


def pad_of_pad(n: Node) -> Node | None:
    inner, arg = n.src[0], n.argument(PadArg)
    if inner.op is not Op.PAD or inner.argument(PadArg).fill != arg.fill:
        return None
    both = zip(arg.pads, inner.argument(PadArg).pads)
    return pad(inner.src[0], [(as_dim(a + c), as_dim(b + d)) for (a, b), (c, d) in both], arg.fill.value)


def reduce_nothing(n: Node) -> Node | None:
    """Over axes of size 1 only a shape changes."""
    x = n.src[0]
    return reshape(x, n.shape) if all(x.shape[a] == 1 for a in n.argument(ReduceArg).axes) else None


def reduce_unit_axes(n: Node) -> Node | None:
    """Axes of size 1 go by a RESHAPE, so that the reduction keeps only those that it works on."""
    x, arg = n.src[0], n.argument(ReduceArg)
    work = [a for a in arg.axes if x.shape[a] != 1]
    if len(work) == len(arg.axes):
        return None
    gone = set(arg.axes) - set(work)
    kept = [a for a in range(x.ndim) if a not in gone]
    return reduce(reshape(x, tuple(x.shape[a] for a in kept)), arg.combine, [kept.index(a) for a in work], arg.tf32)


def reduce_of_reduce(n: Node) -> Node | None:
    """Two reductions in one where the order of combining does not matter: max, and integers."""
    inner, arg = n.src[0], n.argument(ReduceArg)
    if inner.op is not Op.REDUCE or inner.argument(ReduceArg).combine is not arg.combine:
        return None
    if arg.combine is not Combine.MAX and n.dtype.is_float:
        return None
    first = inner.argument(ReduceArg).axes
    left = [a for a in range(inner.src[0].ndim) if a not in first]
    return reduce(inner.src[0], arg.combine, (*first, *(left[a] for a in arg.axes)), arg.tf32)


def max_of_expanded(n: Node) -> Node | None:
    x, repeated = _repeated(n)
    if n.argument(ReduceArg).combine is not Combine.MAX and not n.dtype.is_bool:
        return None
    return reduce(x, n.argument(ReduceArg).combine, n.argument(ReduceArg).axes) if repeated > 1 else None


def sum_of_expanded(n: Node) -> Node | None:
    """A sum over repeated elements is a product with their number, where the dtype holds that number.

    A 16-bit float must not be rounded between a remaining sum and the product.
    """
    arg = n.argument(ReduceArg)
    x, repeated = _repeated(n)
    if arg.combine is not Combine.ADD or repeated < 2:
        return None
    if n.dtype.is_float and repeated > 1 << MANTISSA[n.dtype]:
        return None
    if n.dtype.is_half and any(x.shape[a] != 1 for a in arg.axes):
        return None
    return scaled(reduce(x, Combine.ADD, arg.axes, arg.tf32), repeated)


def _repeated(n: Node) -> tuple[Node, int]:
    """(the source with the reduced axes that EXPAND repeats at size 1, how often they repeat); 1 if not at all."""
    x, axes = n.src[0], n.argument(ReduceArg).axes
    if x.op is not Op.EXPAND:
        return x, 1
    times = dim_product(x.shape[a] for a in axes if x.src[0].shape[a] == 1)
    if not isinstance(times, int) or times < 2:
        return x, 1
    bare = tuple(1 if a in axes and x.src[0].shape[a] == 1 else m for a, m in enumerate(x.shape))
    return expand(x.src[0], bare), times


def scan_nothing(n: Node) -> Node | None:
    return n.src[0] if n.shape[n.argument(ScanArg).axis] == 1 else None


def scan_wide(n: Node) -> Node | None:
    """Running sums and products of 16-bit floats accumulate in float32; kernels keep what they have in memory."""
    arg = n.argument(ScanArg)
    if arg.combine is Combine.MAX or not n.dtype.is_half:
        return None
    return cast(scan(cast(n.src[0], dtypes.float32), arg.combine, arg.axis), n.dtype)


SHORT_SCAN, SCAN_BLOCK = 128, 32  # elements that one running sum adds up; of a block, about


def scan_long(n: Node) -> Node | None:
    """Running sums of floats over a long axis, in blocks, to each of which the sum of those before it is added.

    One running sum loses something with every element: its error grows with the axis, here with its logarithm.
    """
    arg, (x,) = n.argument(ScanArg), n.src
    axis, size = arg.axis, n.shape[arg.axis]
    if arg.combine is not Combine.ADD or not n.dtype.is_float or dim_max(size) <= SHORT_SCAN:
        return None
    block = SCAN_BLOCK
    if isinstance(size, int):
        block = next((b for b in range(SCAN_BLOCK, 2 * SCAN_BLOCK) if size % b == 0), SCAN_BLOCK)
    while not isinstance(size, int) and dim_max(size) > block * SHORT_SCAN:
        block *= SCAN_BLOCK  # which is divided in its turn: what is known of a count that varies is little
    count = ceil_div(size, block)
    more = as_dim(count * block - size)
    blocks = reshape(_longer(x, axis, more), (*x.shape[:axis], count, block, *x.shape[axis + 1 :]))
    before = shifted(scan(reduce(blocks, Combine.ADD, [axis + 1]), Combine.ADD, axis), axis, 1, 0)
    start = expand(reshape(before, (*x.shape[:axis], count, 1, *x.shape[axis + 1 :])), blocks.shape)
    found = alu(Op.ADD, start, scan(blocks, Combine.ADD, axis + 1))
    whole = reshape(found, (*x.shape[:axis], count * block, *x.shape[axis + 1 :]))
    return shrink(whole, [(0, d) for d in n.shape]) if more != 0 else whole


def scatter_wide(n: Node) -> Node | None:
    """So do the sums that SCATTER adds up."""
    arg = n.argument(ScatterArg)
    if arg.combine is not Combine.ADD or not n.dtype.is_half:
        return None
    base, index, updates = n.src
    wide = scatter(cast(base, dtypes.float32), index, cast(updates, dtypes.float32), arg.axis, arg.combine)
    return cast(wide, n.dtype)


# Updates that one pass adds up; updates for each destination that call for several passes; updates of one of these.
SHORT_SCATTER, CROWDED, SCATTER_BLOCK = 1024, 8, 256


def scatter_long(n: Node) -> Node | None:
    """Sums of many updates to few destinations, in blocks of updates, each of which has destinations of its own.

    A destination is one running sum of what goes there, at worst of a whole block. One has as many updates as
    destinations, so that the sums of all blocks take no more memory than the updates.
    """
    arg, (base, index, updates) = n.argument(ScatterArg), n.src
    axis, count, size = arg.axis, index.shape[arg.axis], base.shape[arg.axis]
    if (
        arg.combine is not Combine.ADD
        or not n.dtype.is_float
        or not isinstance(count, int)
        or not isinstance(size, int)
    ):
        return None
    if count <= SHORT_SCATTER or count < CROWDED * size:
        return None
    blocks = -(-count // max(size, SCATTER_BLOCK))
    each = -(-count // blocks)
    parts = [
        reshape(_longer(s, axis, blocks * each - count), (*s.shape[:axis], blocks, each, *s.shape[axis + 1 :]))
        for s in (index, updates)
    ]
    zeros = const(0, n.dtype, (*base.shape[:axis], blocks, *base.shape[axis:]))
    sums = reduce(scatter(zeros, parts[0], parts[1], axis + 1, Combine.ADD), Combine.ADD, [axis])
    return alu(Op.ADD, base, sums)


def _longer(x: Node, axis: int, by: Dim) -> Node:
    """`x` with `by` zeros more at the end of an axis: updates of 0, to where number 0 goes."""
    return pad(x, [(0, by if k == axis else 0) for k in range(x.ndim)]) if by != 0 else x


MOVEMENT_RULES: dict[Op, tuple[Rule, ...]] = {
    Op.RESHAPE: (move_constant, does_nothing, reshape_of_reshape),
    Op.PERMUTE: (move_constant, permute_of_permute, permute_of_expand, permute_is_reshape),
    Op.EXPAND: (move_constant, does_nothing, expand_of_expand),
    Op.PAD: (pad_constant, does_nothing, pad_of_pad),
    Op.SHRINK: (move_constant, does_nothing, shrink_of_shrink, shrink_of_expand, shrink_of_pad),
    Op.FLIP: (move_constant, flip_of_repeated, flip_of_flip),
    Op.REDUCE: (reduce_nothing, reduce_unit_axes, reduce_of_reduce, max_of_expanded, sum_of_expanded),
    Op.SCAN: (scan_nothing, scan_wide, scan_long),
    Op.SCATTER: (scatter_wide, scatter_long),
}
