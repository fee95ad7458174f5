"""Reverse-mode differentiation of graphs: one rule for each source of each differentiable primitive.

A gradient is a graph again, made of the same primitives, so that it fuses like any other and can be
differentiated in its turn. Rules avoid nodes that do no work: the gradient of a matmul (a sum over a product of
two EXPANDs) is again two sums over products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from lazygrad.dtype import dtypes
from lazygrad.errors import GradientError
from lazygrad.ir.build import add, constant_value, filled_like, inverse_order, mul, scaled, sub, total
from lazygrad.ir.call import Calls
from lazygrad.ir.gradients import (
    gather_gradient,
    reduce_gradient,
    scan_gradient,
    scatter_base_gradient,
    scatter_updates_gradient,
)
from lazygrad.ir.node import (
    Node,
    alu,
    cast,
    const,
    copy,
    flip,
    pad,
    permute,
    reshape,
    shrink,
    topological,
    where,
)
from lazygrad.ir.op import AxesArg, BoundsArg, Op, PadArg

Change = Callable[[Node], Node]  # of the gradient by a node
Rule = Callable[[Node, Node], "Node | None"]  # (node, gradient of the root by node) -> gradient by one of its sources


def gradient(
    root: Node, root_gradient: Node, targets: Sequence[Node], changes: Mapping[Node, Change] | None = None
) -> list[Node | None]:
    """The gradient by each target of sum(root * root_gradient), or None where it is zero everywhere.

    Nothing flows through DETACH, integers and bools, and past a CALL flows what its function gives. A target that
    another target is computed from gets the gradient through it too. Only nodes between a target and the root are
    differentiated. `changes` are what becomes of the gradients by some nodes, from there on.

    Raises:
        GradientError: `root` is not floating, or `root_gradient` has another shape or dtype.

    >>> from lazygrad.ir.node import iota
    >>> x = cast(iota(3, dtypes.int32), dtypes.float32)
    >>> [by_x] = gradient(total(mul(x, x), [0]), const(1, dtypes.float32), [x])
    >>> by_x.op, by_x.shape
    (ADD, (3,))
    """
    _check(root, root_gradient)
    wanted = {t for t in targets if t.dtype.is_float}
    order = topological([root], stop=_stops)
    needed: set[Node] = set()
    for n in order:
        if n in wanted or (not _stops(n) and any(s in needed for s in (n.src[1:] if n.op is Op.CALL else n.src))):
            needed.add(n)
    calls = Calls(n for n in order if n in needed)
    found: dict[Node, Node] = {root: root_gradient} if root in needed else {}
    for n in reversed(order):
        g = found.get(n) if n in wanted else found.pop(n, None)
        if g is not None and changes and n in changes:
            g = changes[n](g)
            found |= {n: g} if n in wanted else {}
        for s, part in _parts(n, g, needed, calls):
            if part is not None:
                found[s] = add(found[s], part) if s in found else part
    return [found.get(t) for t in targets]


def _parts(n: Node, g: Node | None, needed: set[Node], calls: Calls) -> Iterator[tuple[Node, Node | None]]:
    """What reaches the sources of `n` with the gradient `g` by it."""
    if n.op is Op.CALL and n in needed:
        for s, part in zip(n.src[1:], calls.visit(n, g, needed)):
            if s in needed:
                yield s, part
    elif g is not None and n.src and not _stops(n):
        for s, rule in zip(n.src, RULES[n.op]):
            if s in needed:
                yield s, rule(n, g)


def _stops(n: Node) -> bool:
    return n.op is Op.DETACH or not n.dtype.is_float


def _check(root: Node, root_gradient: Node) -> None:
    if not root.dtype.is_float:
        raise GradientError(f"a {root.dtype} result has no gradient; only floating results do ({root.line})")
    if root_gradient.shape != root.shape or root_gradient.dtype is not root.dtype:
        raise GradientError(
            f"the gradient of a {root.dtype}{list(root.shape)} result must have its dtype and shape, "
            f"not {root_gradient.dtype}{list(root_gradient.shape)}"
        )


# ---- elementwise -----------------------------------------------------------------------------------


def _same(n: Node, g: Node) -> Node:
    return g


def _none(n: Node, g: Node) -> None:
    return None


def _zeros(n: Node, g: Node) -> Node:
    return filled_like(g, 0)


def _mul_left(n: Node, g: Node) -> Node:
    return mul(g, n.src[1])


def _mul_right(n: Node, g: Node) -> Node:
    return mul(g, n.src[0])


def _div_left(n: Node, g: Node) -> Node:
    return alu(Op.DIV, g, n.src[1])


def _div_right(n: Node, g: Node) -> Node:
    return mul(_div_left(n, g), scaled(n, -1))


def _mod_right(n: Node, g: Node) -> Node:
    """-floor(a/b), which is (n - a) / b; but where n is infinite, so is b, of the other sign than a, and it is 1.

    Where b is 0, a/b is what its floor is.
    """
    a, b = n.src
    whole = alu(Op.DIV, where(alu(Op.NE, b, filled_like(b, 0)), sub(n, a), scaled(a, -1)), b)
    return mul(g, where(alu(Op.NE, n, b), whole, filled_like(n, 1)))


def _max_share(mine: Node, other: Node, g: Node) -> Node:
    """None of `g` where mine is smaller, half of it where both are equal, else all: also where one of them is nan."""
    all_or_half = where(alu(Op.NE, mine, other), g, scaled(g, 0.5))
    return where(alu(Op.LT, mine, other), filled_like(g, 0), all_or_half)


def _max_left(n: Node, g: Node) -> Node:
    return _max_share(n.src[0], n.src[1], g)


def _max_right(n: Node, g: Node) -> Node:
    return _max_share(n.src[1], n.src[0], g)


def _pow_base(n: Node, g: Node) -> Node:
    """b * a**(b-1); with a zero exponent 0 also at a = 0, where a**-1 is inf."""
    a, b = n.src
    power = constant_value(b)
    if power is None:
        lower = where(alu(Op.NE, b, filled_like(b, 0)), add(b, filled_like(b, -1)), filled_like(b, 0))
        return mul(g, mul(b, alu(Op.POW, a, lower)))
    if power in (0, 1):
        return g if power == 1 else filled_like(g, 0)
    return mul(g, scaled(a if power == 2 else alu(Op.POW, a, filled_like(a, power - 1)), power))


def _pow_exponent(n: Node, g: Node) -> Node:
    """a**b * ln(a); 0 at a = 0 with b >= 0, where ln(a) is -inf."""
    a, b = n.src
    zero = filled_like(a, 0)
    a_is_zero = alu(Op.XOR, alu(Op.NE, a, zero), const(True, dtypes.bool, a.shape))
    b_is_negative = alu(Op.LT, b, zero)
    flat = where(b_is_negative, const(False, dtypes.bool, a.shape), a_is_zero)
    log = scaled(alu(Op.LOG2, where(flat, filled_like(a, 1), a)), math.log(2))
    return mul(g, mul(n, log))


def _exp2(n: Node, g: Node) -> Node:
    return mul(g, scaled(n, math.log(2)))


def _expm1(n: Node, g: Node) -> Node:
    """exp(x), which keeps the low bits that n + 1 has lost where x is very negative."""
    return mul(g, alu(Op.EXP2, scaled(n.src[0], math.log2(math.e))))


def _log2(n: Node, g: Node) -> Node:
    return alu(Op.DIV, g, scaled(n.src[0], math.log(2)))


def _sin(n: Node, g: Node) -> Node:
    return mul(g, alu(Op.COS, n.src[0]))


def _cos(n: Node, g: Node) -> Node:
    return mul(g, scaled(alu(Op.SIN, n.src[0]), -1))


def _sqrt(n: Node, g: Node) -> Node:
    return alu(Op.DIV, g, scaled(n, 2))


def _erf(n: Node, g: Node) -> Node:
    """erf'(x) = 2/sqrt(pi) * exp(-x*x)."""
    x = n.src[0]
    bell = alu(Op.EXP2, scaled(alu(Op.MUL, x, x), -math.log2(math.e)))
    return alu(Op.MUL, g, scaled(bell, 2 / math.sqrt(math.pi)))


def _where_then(n: Node, g: Node) -> Node:
    return where(n.src[0], g, filled_like(g, 0))


def _where_else(n: Node, g: Node) -> Node:
    return where(n.src[0], filled_like(g, 0), g)


def _cast(n: Node, g: Node) -> Node:
    return cast(g, n.src[0].dtype)


def _copy(n: Node, g: Node) -> Node:
    home = n.src[0].device
    return g if home is None or g.device is None else copy(g, home)


# ---- movement --------------------------------------------------------------------------------------


def _reshape(n: Node, g: Node) -> Node:
    return reshape(g, n.src[0].shape)


def _permute(n: Node, g: Node) -> Node:
    return permute(g, inverse_order(n.argument(AxesArg).axes))


def _expand(n: Node, g: Node) -> Node:
    x = n.src[0]
    repeated = [i for i, (a, b) in enumerate(zip(x.shape, n.shape)) if a != b]
    return reshape(total(g, repeated), x.shape)


def _pad(n: Node, g: Node) -> Node:
    x = n.src[0]
    return shrink(g, [(lo, lo + m) for (lo, _), m in zip(n.argument(PadArg).pads, x.shape)])


def _shrink(n: Node, g: Node) -> Node:
    x = n.src[0]
    return pad(g, [(start, m - stop) for (start, stop), m in zip(n.argument(BoundsArg).bounds, x.shape)])


def _flip(n: Node, g: Node) -> Node:
    return flip(g, n.argument(AxesArg).axes)


RULES: dict[Op, tuple[Rule, ...]] = {
    Op.ADD: (_same, _same),
    Op.MUL: (_mul_left, _mul_right),
    Op.DIV: (_div_left, _div_right),
    Op.MOD: (_same, _mod_right),
    Op.MAX: (_max_left, _max_right),
    Op.POW: (_pow_base, _pow_exponent),
    Op.EXP2: (_exp2,),
    Op.EXPM1: (_expm1,),
    Op.LOG2: (_log2,),
    Op.SIN: (_sin,),
    Op.COS: (_cos,),
    Op.SQRT: (_sqrt,),
    Op.ERF: (_erf,),
    Op.TRUNC: (_zeros,),
    Op.WHERE: (_none, _where_then, _where_else),
    Op.CAST: (_cast,),
    Op.BITCAST: (_none,),
    Op.REDUCE: (reduce_gradient,),
    Op.SCAN: (scan_gradient,),
    Op.RESHAPE: (_reshape,),
    Op.PERMUTE: (_permute,),
    Op.EXPAND: (_expand,),
    Op.PAD: (_pad,),
    Op.SHRINK: (_shrink,),
    Op.FLIP: (_flip,),
    Op.GATHER: (gather_gradient, _none),
    Op.SCATTER: (scatter_base_gradient, _none, scatter_updates_gradient),
    Op.CONTIGUOUS: (_same,),
    Op.STORE: (_same,),
    Op.COPY: (_copy,),
}
