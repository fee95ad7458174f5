"""The gradient rules that need more than a line: of reductions, prefixes, and data-dependent indexing.

Each takes a node and the gradient by it, and returns the gradient by one of its sources.
"""

from __future__ import annotations

from lazygrad.errors import GradientError
from lazygrad.index.expr import dim_product
from lazygrad.ir.build import add, filled_like, inverse_order, mul, positions, products_of_others, put_back, shifted
from lazygrad.ir.node import Node, alu, const, expand, flip, gather, permute, reduce, reshape, scan, scatter, where
from lazygrad.ir.op import AxisArg, Combine, Op, ReduceArg, ScanArg, ScatterArg

# ---- reductions and prefixes -----------------------------------------------------------------------


def reduce_gradient(n: Node, g: Node) -> Node:
    x, arg = n.src[0], n.argument(ReduceArg)
    spread = put_back(g, arg.axes, x.shape)
    if arg.combine is Combine.ADD:
        return spread
    if arg.combine is Combine.MUL:
        return mul(spread, _products_over(x, arg.axes))
    loses = alu(Op.NE, x, put_back(n, arg.axes, x.shape))
    ties = reduce(where(loses, filled_like(x, 0), filled_like(x, 1)), Combine.ADD, arg.axes)
    shares = (alu(Op.DIV, total, ties) for total in (filled_like(g, 0), g))  # nan where nothing equals the maximum, nan
    return where(loses, *(put_back(share, arg.axes, x.shape) for share in shares))


def _products_over(x: Node, axes: tuple[int, ...]) -> Node:
    """For each element the product of all the others over `axes` together."""
    if len(axes) == 1:
        return products_of_others(x, axes[0])
    order = [i for i in range(x.ndim) if i not in axes] + list(axes)
    last = permute(x, order)
    kept = last.shape[: x.ndim - len(axes)]
    flat = reshape(last, (*kept, dim_product(last.shape[len(kept) :])))
    return permute(reshape(products_of_others(flat, len(kept)), last.shape), inverse_order(order))


def scan_gradient(n: Node, g: Node) -> Node:
    x, arg = n.src[0], n.argument(ScanArg)
    if arg.combine is Combine.ADD:
        return flip(scan(flip(g, [arg.axis]), Combine.ADD, arg.axis), [arg.axis])
    if arg.combine is Combine.MUL:
        return _scan_product(n, g)
    order = positions(x.shape, arg.axis)
    holder = where(alu(Op.NE, x, n), filled_like(order, 0), order)
    source = scan(holder, Combine.MAX, arg.axis)  # where each running maximum was last reached
    return scatter(filled_like(x, 0), source, g, arg.axis, Combine.ADD)


def _scan_product(n: Node, g: Node) -> Node:
    """before[i] * r[i], where before is the product of earlier elements and r[i] = g[i] + x[i+1] * r[i+1].

    The recurrence is solved by doubling, r over windows of 1, 2, 4, ... elements, which needs no division.
    """
    x, axis = n.src[0], n.argument(ScanArg).axis
    length = x.shape[axis]
    if not isinstance(length, int):
        raise GradientError(f"the gradient of a running product needs a fixed size, not {length} ({n.line})")
    if length < 2:
        return g
    factor, r, window = shifted(x, axis, -1, 0), g, 1
    while window < length:
        r = add(r, mul(factor, shifted(r, axis, -window, 0)))
        factor = mul(factor, shifted(factor, axis, -window, 0))
        window *= 2
    return mul(shifted(n, axis, 1, 1), r)


# ---- data dependent --------------------------------------------------------------------------------


def gather_gradient(n: Node, g: Node) -> Node:
    x, index = n.src
    axis = n.argument(AxisArg).axis
    zero = filled_like(x, 0)
    if index.shape == tuple(1 if i == axis else m for i, m in enumerate(x.shape)):
        # One place in each line, as a loss has it: nothing accumulates, and a comparison fuses with what adds to it.
        elsewhere = alu(Op.NE, positions(x.shape, axis, index.dtype), expand(index, x.shape))
        return where(elsewhere, zero, expand(g, x.shape))
    return scatter(zero, index, g, axis, Combine.ADD)


def scatter_base_gradient(n: Node, g: Node) -> Node:
    base, index, updates = n.src
    arg = n.argument(ScatterArg)
    if arg.combine is Combine.ADD:
        return g
    if arg.combine is Combine.SET:
        return scatter(g, index, filled_like(updates, 0), arg.axis, Combine.SET)
    return where(alu(Op.NE, base, n), filled_like(g, 0), _scatter_max_share(n, g))


def scatter_updates_gradient(n: Node, g: Node) -> Node:
    base, index, updates = n.src
    arg = n.argument(ScatterArg)
    if arg.combine is Combine.ADD:
        return gather(g, index, arg.axis)
    if arg.combine is Combine.SET:  # of several updates of one element, only the last one counts
        order = positions(index.shape, arg.axis)
        last = scatter(const(0, order.dtype, base.shape), index, order, arg.axis, Combine.SET)
        overwritten = alu(Op.NE, order, gather(last, index, arg.axis))
        return where(overwritten, filled_like(updates, 0), gather(g, index, arg.axis))
    loses = alu(Op.NE, updates, gather(n, index, arg.axis))
    return where(loses, filled_like(updates, 0), gather(_scatter_max_share(n, g), index, arg.axis))


def _scatter_max_share(n: Node, g: Node) -> Node:
    """`g` divided by how many of the base and the updates reach the maximum."""
    base, index, updates = n.src
    axis = n.argument(ScatterArg).axis
    base_wins = where(alu(Op.NE, base, n), filled_like(base, 0), filled_like(base, 1))
    loses = alu(Op.NE, updates, gather(n, index, axis))
    wins = where(loses, filled_like(updates, 0), filled_like(updates, 1))
    return alu(Op.DIV, g, scatter(base_wins, index, wins, axis, Combine.ADD))
