"""What every primitive means, in NumPy: the slow and exact reference that every device is compared with.

One small function per op, in the table `_MEANING`. Every intermediate result is rounded to its node's dtype:
bfloat16 elements travel as float32 arrays whose values bfloat16 can hold.

Left unspecified, so that devices may differ and tests may not rely on it: the bits of a nan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lazygrad.dtype import DType, dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Dim, Var
from lazygrad.ir.contraction import combined, contractions, natural_exponentials, sum_of_product
from lazygrad.ir.elements import array_type, cast_array, from_storage, round_bfloat16, to_storage
from lazygrad.ir.elementwise import erf, shift_left, shift_right
from lazygrad.ir.indexed import UFUNC, exact_type, gather, scatter
from lazygrad.ir.node import Node, topological
from lazygrad.ir.op import (
    IDENTITY,
    AxesArg,
    BoundsArg,
    Combine,
    ConstArg,
    Op,
    PadArg,
    ReduceArg,
    RepeatArg,
    ScanArg,
)
from lazygrad.ir.pieces import Pieces

Array = NDArray[Any]
Sizes = Callable[[Sequence[Dim]], tuple[int, ...]]  # symbolic sizes -> the sizes bound to them
Meaning = Callable[[Node, Sizes, Sequence[Array]], Array]


def evaluate(
    roots: Sequence[Node],
    read: Callable[[Node], Array],
    bindings: Mapping[Var, int] | None = None,
    contract: bool = False,
) -> list[Array]:
    """The values of `roots`, each of its node's shape; arrays may be views, so treat them as read-only.

    Args:
        read: gives the elements of a BUFFER node, in any shape (bfloat16 as float32, or as its bits in uint16).
        bindings: the value of every variable in a symbolic shape.
        contract: compute sums of products by matrix multiplication: fast, and with its own order of rounding; and
            exp(x), which is 2 to the power of a rounded product, without that rounding.

    Intermediate arrays are freed after their last use.

    >>> from lazygrad.ir.node import alu, const, iota
    >>> x = iota(4, dtypes.int32)
    >>> evaluate([alu(Op.MUL, x, const(3, dtypes.int32, (4,)))], read=lambda buffer: np.empty(0))
    [array([0, 3, 6, 9], dtype=int32)]
    """
    bound = dict(bindings or {})

    def sizes(dims: Sequence[Dim]) -> tuple[int, ...]:
        return tuple(d if isinstance(d, int) else d.evaluate(bound) for d in dims)

    order = topological(roots)
    uses = _uses(order, roots, {})
    products = {**contractions(order, uses), **natural_exponentials(order)} if contract else {}
    if products:
        skipped = {product for product in products.values() if uses[product] == 1}
        order = [n for n in order if n not in skipped]
        uses = _uses(order, roots, products)
    values: dict[Node, Array] = {}

    def compute(n: Node, src: Sequence[Array]) -> Array:
        return _round(_MEANING[n.op](n, sizes, src), n.dtype)

    whole = {*roots, *(s for n in products for s in _needs(n, products))}
    pieces = Pieces(order, uses, whole, values, compute)
    with np.errstate(all="ignore"):
        for n in order:
            if n in pieces.later:
                continue
            needs = _needs(n, products)
            if (found := pieces.value(n)) is not None:
                values[n] = found
            elif n.op is Op.BUFFER:
                values[n] = from_storage(np.asarray(read(n)), n.dtype).reshape(sizes(n.shape))
            elif n in products and n.op is Op.EXP2:
                values[n] = _round(np.exp(values[needs[0]]), n.dtype)
            elif n in products:
                values[n] = sum_of_product(values[needs[0]], values[needs[1]], n.argument(ReduceArg).axes)
            else:
                values[n] = compute(n, [values[s] for s in needs])
            for s in needs:
                pieces.release(s)
    return [values[r] for r in roots]


def _needs(n: Node, products: Mapping[Node, Node]) -> tuple[Node, ...]:
    """The nodes whose values `n` is computed from: those of its product, where that is not computed itself."""
    return products[n].src if n in products else n.src


def _uses(order: Sequence[Node], roots: Sequence[Node], products: Mapping[Node, Node]) -> Counter[Node]:
    uses = Counter(s for n in order for s in _needs(n, products))
    uses.update(roots)
    return uses


def _round(x: Array, dtype: DType) -> Array:
    """`x` as an array of `dtype`, with bfloat16 rounding where `x` was computed in float32."""
    x = np.asarray(x)
    if x.dtype != array_type(dtype):
        raise GraphError(f"the evaluator computed {x.dtype} for a node of dtype {dtype}")
    return round_bfloat16(x) if dtype is dtypes.bfloat16 else x


def _wide(dtype: DType) -> np.dtype[Any]:
    """The type that sums and products accumulate in: float32 for 16-bit floats, else the type itself."""
    return np.dtype(np.float32) if dtype.is_half else dtype.storage


# ---- sources and elementwise -----------------------------------------------------------------------


def _const(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    return np.array(n.argument(ConstArg).value, array_type(n.dtype))


def _iota(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    return np.arange(*sizes(n.shape)).astype(array_type(n.dtype))


def _elementwise(function: Callable[..., Any]) -> Meaning:
    return lambda n, sizes, src: np.asarray(function(*src))


def _trunc(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    return np.trunc(src[0]) if n.dtype.is_float else src[0]


def _cast(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    return cast_array(src[0], n.dtype)


def _bitcast(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    bits = np.ascontiguousarray(to_storage(src[0], n.src[0].dtype)).reshape(src[0].shape)
    return from_storage(bits.view(n.dtype.storage), n.dtype)


# ---- reductions and prefixes -----------------------------------------------------------------------

def _reduce(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    arg = n.argument(ReduceArg)
    if arg.combine is Combine.MAX:
        return np.asarray(np.max(src[0], axis=arg.axes, initial=n.dtype.min))
    wide = src[0].astype(_wide(n.dtype), copy=False)
    return combined(UFUNC[arg.combine], wide, arg.axes).astype(array_type(n.dtype))


def _scan(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    arg = n.argument(ScanArg)
    exact = exact_type(n.dtype, arg.combine)
    prefixes: Array = UFUNC[arg.combine].accumulate(src[0].astype(exact), axis=arg.axis, dtype=exact)
    return prefixes.astype(array_type(n.dtype))


# ---- movement --------------------------------------------------------------------------------------


def _reshape(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    return src[0].reshape(sizes(n.shape))


def _permute(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    return np.transpose(src[0], n.argument(AxesArg).axes)


def _expand(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    return np.broadcast_to(src[0], sizes(n.shape))


def _pad(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    arg = n.argument(PadArg)
    out = np.full(sizes(n.shape), arg.fill.value, src[0].dtype)
    before = sizes([lo for lo, _ in arg.pads])
    out[tuple(slice(lo, lo + m) for lo, m in zip(before, src[0].shape))] = src[0]
    return out


def _shrink(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    return src[0][tuple(slice(*sizes(bound)) for bound in n.argument(BoundsArg).bounds)]


def _flip(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    return np.flip(src[0], n.argument(AxesArg).axes)


# ---- data dependent --------------------------------------------------------------------------------


def _repeat(n: Node, sizes: Sizes, src: Sequence[Array]) -> Array:
    body: Any = n.argument(RepeatArg).body
    result = np.zeros(body.elements, array_type(n.dtype))
    for t, reads in body.turns():
        given = {p: src[k].reshape(-1)[at : at + count] if k >= 0 else result[at : at + count]
                 for p, (k, at, count) in zip(body.inputs, reads)}  # fmt: skip
        for at, value in zip(body.places(t), evaluate(body.roots, given.__getitem__, contract=True)):
            result[at : at + value.size] = value.reshape(-1)
    return result


_MEANING: dict[Op, Meaning] = {
    Op.CONST: _const,
    Op.IOTA: _iota,
    Op.ADD: _elementwise(np.add),  # of bools: or
    Op.MUL: _elementwise(np.multiply),  # of bools: and
    Op.DIV: _elementwise(np.divide),
    Op.IDIV: _elementwise(np.floor_divide),
    Op.MOD: _elementwise(np.remainder),
    Op.MAX: _elementwise(np.maximum),
    Op.POW: _elementwise(np.power),
    Op.EXP2: _elementwise(np.exp2),
    Op.EXPM1: _elementwise(np.expm1),
    Op.LOG2: _elementwise(np.log2),
    Op.SIN: _elementwise(np.sin),
    Op.COS: _elementwise(np.cos),
    Op.SQRT: _elementwise(np.sqrt),
    Op.ERF: _elementwise(erf),
    Op.TRUNC: _trunc,
    Op.LT: _elementwise(np.less),
    Op.NE: _elementwise(np.not_equal),
    Op.AND: _elementwise(np.bitwise_and),
    Op.OR: _elementwise(np.bitwise_or),
    Op.XOR: _elementwise(np.bitwise_xor),
    Op.SHL: _elementwise(shift_left),
    Op.SHR: _elementwise(shift_right),
    Op.WHERE: _elementwise(np.where),
    Op.CAST: _cast,
    Op.BITCAST: _bitcast,
    Op.REDUCE: _reduce,
    Op.SCAN: _scan,
    Op.RESHAPE: _reshape,
    Op.PERMUTE: _permute,
    Op.EXPAND: _expand,
    Op.PAD: _pad,
    Op.SHRINK: _shrink,
    Op.FLIP: _flip,
    Op.GATHER: gather,
    Op.SCATTER: scatter,
    Op.REPEAT: _repeat,
    **dict.fromkeys(IDENTITY, lambda n, sizes, src: src[0]),
}
