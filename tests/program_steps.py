"""The steps that random programs are made of: each adds one value to a pool, with bounds of its size and error."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lazygrad.dtype import DType, Scalar, dtypes
from lazygrad.index.expr import dim_product
from lazygrad.ir.build import filled_like, positions
from lazygrad.ir.elements import Array
from lazygrad.ir.node import (
    Node,
    alu,
    bitcast,
    cast,
    const,
    expand,
    flip,
    gather,
    pad,
    permute,
    reduce,
    reshape,
    scan,
    scatter,
    shrink,
    where,
)
from lazygrad.ir.op import Combine, Op
from lazygrad.ir.repeat import Body, repeat, stand_in

Sizes = tuple[int, ...]
_MANTISSA = {dtypes.float16: 11, dtypes.bfloat16: 8, dtypes.float32: 24, dtypes.float64: 53}


@dataclass
class Value:
    """A node whose elements are at most `bound` in size, and as computed by two devices differ by `error` at most.

    A float is a multiple of 2**-`fraction`, computed exactly by everybody, where `error` is 0.
    """

    node: Node
    bound: float
    fraction: int = 0
    error: float = 0.0

    @property
    def dtype(self) -> DType:
        return self.node.dtype

    @property
    def shape(self) -> Sizes:
        return tuple(n for n in self.node.shape if isinstance(n, int))

    @property
    def exact(self) -> bool:
        return self.error == 0

    def moved(self, node: Node) -> Value:
        """The same elements, some of them perhaps absent, repeated, or replaced by 0."""
        return Value(node, self.bound, self.fraction, self.error)


def epsilon(dtype: DType) -> float:
    """The largest relative error of one rounding."""
    return 2.0 ** -_MANTISSA[dtype]


def rounded(node: Node, bound: float, fraction: int | None, error: float, roundings: float = 1) -> Value:
    """A computed value: exact if it is a multiple of 2**-fraction that the dtype holds, else rounded so often."""
    dtype = node.dtype
    if not dtype.is_float:
        return Value(node, min(bound, float(max(abs(dtype.min), dtype.max))))
    if error == 0 and fraction is not None and bound * 2.0**fraction <= 2.0 ** _MANTISSA[dtype] and fraction <= 14:
        return Value(node, bound, fraction)
    return Value(node, bound, 0, error + roundings * epsilon(dtype) * bound)


def grid(*values: Value) -> int | None:
    """The fraction of a sum of `values`; None when one is not exact."""
    return max(v.fraction for v in values) if all(v.exact for v in values) else None


class Steps:
    """What steps share: the random numbers, the allowed dtypes, and how inputs are made."""

    def __init__(
        self, rng: random.Random, allowed: tuple[DType, ...], new_input: Callable[[Array, DType], Node], elements: int
    ) -> None:
        self.rng, self.allowed, self.new_input, self.elements = rng, allowed, new_input, elements

    def tame(self, v: Value) -> bool:
        if v.dtype.is_float and (v.bound > 512 or v.error > 0.02 * max(1.0, v.bound)):
            return False
        return math.prod(v.shape) <= self.elements and len(v.shape) <= 5

    def shape(self) -> Sizes:
        rank = self.rng.choice([0, 1, 2, 2, 3, 3, 4])
        sizes = [1, 2, 3, 4, 5, 7, 8, 13]
        return tuple(0 if self.rng.random() < 0.02 else self.rng.choice(sizes) for _ in range(rank))

    def fresh(self, shape: Sizes | None = None, dtype: DType | None = None) -> Value:
        """A new input of random elements."""
        shape, dtype = self.shape() if shape is None else shape, dtype or self.rng.choice(self.allowed)
        numbers = np.random.default_rng(self.rng.getrandbits(32))
        low = 0 if dtype.kind in ("uint", "bool") else -16
        integers = numbers.integers(low, 2 if dtype.is_bool else 17, shape)
        values = integers / 8 if dtype.is_float else integers
        return Value(self.new_input(np.asarray(values), dtype), 2.0 if dtype.is_float else 16.0, 3 * dtype.is_float)

    def pick(self, pool: list[Value], test: Callable[[Value], bool] = lambda v: True) -> Value | None:
        """One of the pool, rather a late one."""
        fit = [v for v in pool if test(v)]
        return fit[max(self.rng.randrange(len(fit)), self.rng.randrange(len(fit)))] if fit else None

    def fit(self, v: Value, shape: Sizes) -> Value:
        """`v` moved into `shape`: expanded if that is all, else cut or padded as a flat list."""
        if v.shape == shape:
            return v
        if len(v.shape) == len(shape) and all(m in (1, n) for m, n in zip(v.shape, shape)):
            return v.moved(expand(v.node, shape))
        have, need = math.prod(v.shape), math.prod(shape)
        flat = reshape(v.node, (have,))
        flat = shrink(flat, [(0, need)]) if need <= have else pad(flat, [(0, need - have)])
        return v.moved(reshape(flat, shape))

    def pair(self, pool: list[Value], test: Callable[[Value], bool] = lambda v: True) -> tuple[Value, Value] | None:
        """Two values of one dtype and shape."""
        a = self.pick(pool, test)
        b = a and self.pick(pool, lambda v: test(v) and v.dtype is a.dtype)
        return (a, self.fit(b, a.shape)) if a and b else None

    def constant(self, v: Value, value: Scalar) -> Value:
        return Value(filled_like(v.node, value), abs(float(value)), 4)


Step = Callable[[Steps, "list[Value]"], "Value | None"]


def is_float(v: Value) -> bool:
    return v.dtype.is_float


def is_int(v: Value) -> bool:
    return v.dtype.is_int


def _input(s: Steps, pool: list[Value]) -> Value:
    return s.fresh()


def _constant(s: Steps, pool: list[Value]) -> Value:
    dtype = s.rng.choice(s.allowed)
    value = s.rng.randrange(8) / (8 if dtype.is_float else 1)
    return Value(const(value, dtype, s.shape()), 8.0, 3 * dtype.is_float)


def _iota(s: Steps, pool: list[Value]) -> Value | None:
    shape = s.shape()
    dtype = s.rng.choice(s.allowed)
    if not shape or dtype.is_bool:
        return None
    axis = s.rng.randrange(len(shape))
    return Value(positions(shape, axis, dtype), float(max(shape)))


def _add(s: Steps, pool: list[Value]) -> Value | None:
    if (two := s.pair(pool)) is None:
        return None
    a, b = two
    return rounded(alu(Op.ADD, a.node, b.node), a.bound + b.bound, grid(a, b), a.error + b.error)


def _multiply(s: Steps, pool: list[Value]) -> Value | None:
    if (two := s.pair(pool)) is None:
        return None
    a, b = two
    fraction = a.fraction + b.fraction if a.exact and b.exact else None
    error = a.error * b.bound + b.error * (a.bound + a.error)
    return rounded(alu(Op.MUL, a.node, b.node), a.bound * b.bound, fraction, error)


def _scale(s: Steps, pool: list[Value]) -> Value | None:
    """Brings large values back."""
    if (a := s.pick(pool, is_float)) is None:
        return None
    factor = s.rng.choice([-1.0, 0.5, -0.25, 0.125])
    node = alu(Op.MUL, a.node, filled_like(a.node, factor))
    return rounded(node, a.bound * abs(factor), a.fraction + 3 if a.exact else None, a.error * abs(factor))


def _maximum(s: Steps, pool: list[Value]) -> Value | None:
    if (two := s.pair(pool)) is None:
        return None
    a, b = two
    return Value(alu(Op.MAX, a.node, b.node), max(a.bound, b.bound), max(a.fraction, b.fraction), max(a.error, b.error))


def _positive(s: Steps, v: Value, least: float) -> Value:
    """max(v, least)."""
    return Value(alu(Op.MAX, v.node, filled_like(v.node, least)), max(v.bound, least), max(v.fraction, 3), v.error)


def _divide(s: Steps, pool: list[Value]) -> Value | None:
    if (two := s.pair(pool, is_float)) is None:
        return None
    a, b = two[0], _positive(s, two[1], 0.5)
    return rounded(alu(Op.DIV, a.node, b.node), 2 * a.bound, None, 2 * a.error + 4 * a.bound * b.error, 2)


def _transcendental(s: Steps, pool: list[Value]) -> Value | None:
    """exp2, expm1, log2, sin, cos, sqrt and erf, within 8 roundings, over arguments where their slope is small."""
    op = s.rng.choice([Op.EXP2, Op.EXPM1, Op.LOG2, Op.SIN, Op.COS, Op.SQRT, Op.ERF])
    limit = 4 if op in (Op.EXP2, Op.EXPM1) else 32
    a = s.pick(pool, lambda v: v.dtype.is_float and v.bound <= limit)
    if a is None:
        return None
    if op in (Op.LOG2, Op.SQRT):
        a = _positive(s, a, 0.25)
    largest = a.bound + a.error
    size, slope = {
        Op.EXP2: (2**a.bound, 2**largest),
        Op.EXPM1: (math.exp(a.bound), math.exp(largest)),
        Op.LOG2: (6.0, 6.0),
        Op.SIN: (1.0, 1.0),
        Op.COS: (1.0, 1.0),
        Op.SQRT: (math.sqrt(a.bound), 1.1),
        Op.ERF: (1.0, 1.2),
    }[op]
    return rounded(alu(op, a.node), size, None, a.error * slope, 8)


def _power(s: Steps, pool: list[Value]) -> Value | None:
    a = s.pick(pool, lambda v: v.dtype.is_float and v.bound <= 8)
    if a is None:
        return None
    base, power = _positive(s, a, 0.5), s.rng.choice([2.0, 3.0, 0.5, -1.0])
    size = max(base.bound**power, 0.5**power)
    slope = abs(power) * max((base.bound + base.error) ** (power - 1), 0.4 ** (power - 1))
    return rounded(alu(Op.POW, base.node, filled_like(a.node, power)), size, None, base.error * slope, 16)


def _truncate(s: Steps, pool: list[Value]) -> Value | None:
    a = s.pick(pool, lambda v: v.exact and not v.dtype.is_bool)
    return a and Value(alu(Op.TRUNC, a.node), a.bound)


def _modulo(s: Steps, pool: list[Value]) -> Value | None:
    a = s.pick(pool, lambda v: v.dtype.is_float and v.exact)
    if a is None:
        return None
    divisor = s.rng.choice([0.75, 2.5, -1.5, 1.0])
    bound, fraction = abs(divisor), max(a.fraction, 2)
    return Value(alu(Op.MOD, a.node, filled_like(a.node, divisor)), bound, fraction)


def _compare(s: Steps, pool: list[Value]) -> Value | None:
    two = s.pair(pool, lambda v: v.exact)
    return two and Value(alu(s.rng.choice([Op.LT, Op.NE]), two[0].node, two[1].node), 1)


def _choose(s: Steps, pool: list[Value]) -> Value | None:
    two, c = s.pair(pool), s.pick(pool, lambda v: v.dtype.is_bool)
    if two is None or c is None:
        return None
    a, b = two
    node = where(s.fit(c, a.shape).node, a.node, b.node)
    return Value(node, max(a.bound, b.bound), max(a.fraction, b.fraction), max(a.error, b.error))


def _integer_math(s: Steps, pool: list[Value]) -> Value | None:
    """Division by zero, too; no shift by a count outside 0 <= count < bits + 3."""
    if (two := s.pair(pool, is_int)) is None:
        return None
    (a, b), op = two, s.rng.choice([Op.IDIV, Op.MOD, Op.AND, Op.OR, Op.XOR, Op.SHL, Op.SHR])
    right = alu(Op.MOD, b.node, filled_like(b.node, b.dtype.bits + 3)) if op in (Op.SHL, Op.SHR) else b.node
    return Value(alu(op, a.node, right), float(a.dtype.max))


def _boolean(s: Steps, pool: list[Value]) -> Value | None:
    two = s.pair(pool, lambda v: v.dtype.is_bool)
    return two and Value(alu(s.rng.choice([Op.AND, Op.OR, Op.XOR]), two[0].node, two[1].node), 1)


def _cast(s: Steps, pool: list[Value]) -> Value | None:
    """Integers come from exact floats that they hold; floats from integers made small first."""
    end = s.rng.choice(s.allowed)
    a = s.pick(pool, lambda v: v.exact or end.is_float)
    if a is None:
        return None
    if a.dtype.is_float and end.is_int:
        if a.bound > min(end.max, 512) or end.kind == "uint":
            return None
        return Value(cast(a.node, end), a.bound)
    if a.dtype.is_int and end.is_float and a.bound > 64:
        a = Value(alu(Op.MOD, a.node, filled_like(a.node, 61)), 61)
    return rounded(cast(a.node, end), a.bound, a.fraction if a.exact else None, a.error)


_TWINS = ((dtypes.int8, dtypes.uint8), (dtypes.int16, dtypes.uint16), (dtypes.int32, dtypes.uint32),
          (dtypes.int64, dtypes.uint64), (dtypes.float32, dtypes.int32), (dtypes.float64, dtypes.int64),
          (dtypes.float16, dtypes.int16), (dtypes.bfloat16, dtypes.int16))  # fmt: skip


def _bitcast(s: Steps, pool: list[Value]) -> Value | None:
    """Signed to unsigned and back; abs of a float, by its bits."""
    outer, inner = s.rng.choice(_TWINS)
    if outer not in s.allowed or inner not in s.allowed or (a := s.pick(pool, lambda v: v.dtype is outer)) is None:
        return None
    bits = bitcast(a.node, inner)
    if outer.is_float:
        bits = alu(Op.AND, bits, filled_like(bits, inner.max))
        return a.moved(bitcast(bits, outer))
    return Value(bits, float(inner.max))


def _reduce(s: Steps, pool: list[Value]) -> Value | None:
    a = s.pick(pool, lambda v: len(v.shape) > 0)
    if a is None:
        return None
    axes = s.rng.sample(range(len(a.shape)), s.rng.randint(1, len(a.shape)))
    return _combined(s, a, lambda how: reduce(a.node, how, axes), math.prod(a.shape[i] for i in axes))


def _scan(s: Steps, pool: list[Value]) -> Value | None:
    a = s.pick(pool, lambda v: len(v.shape) > 0)
    if a is None:
        return None
    axis = s.rng.randrange(len(a.shape))
    return _combined(s, a, lambda how: scan(a.node, how, axis), a.shape[axis])


def _combined(s: Steps, a: Value, make: Callable[[Combine], Node], count: int) -> Value | None:
    """`count` elements combined in some way; rounded in each of `count` steps at worst."""
    how = s.rng.choice([Combine.ADD, Combine.ADD, Combine.MUL, Combine.MAX])
    if how is Combine.MAX:
        return a.moved(make(how)) if count or not a.dtype.is_float else None
    if how is Combine.ADD:
        return rounded(make(how), a.bound * count, grid(a), a.error * count, count)
    if not a.dtype.is_float:
        return Value(make(how), float(a.dtype.max))
    if count > 4:
        return None
    size = max(1.0, a.bound + a.error) ** count
    return rounded(make(how), size, a.fraction * count if a.exact else None, a.error * count * size, count)


def _reshape(s: Steps, pool: list[Value]) -> Value | None:
    if (a := s.pick(pool)) is None:
        return None
    left = math.prod(a.shape)
    shape: list[int] = []
    while left > 1 and len(shape) < 3:
        shape.append(s.rng.choice([n for n in range(1, left + 1) if left % n == 0][:6]))
        left //= shape[-1]
    shape.append(left)
    s.rng.shuffle(shape)
    return a.moved(reshape(a.node, tuple(shape)))


def _permute(s: Steps, pool: list[Value]) -> Value | None:
    a = s.pick(pool, lambda v: len(v.shape) > 1)
    return a and a.moved(permute(a.node, s.rng.sample(range(len(a.shape)), len(a.shape))))


def _expand(s: Steps, pool: list[Value]) -> Value | None:
    if (a := s.pick(pool)) is None:
        return None
    at = s.rng.randint(0, len(a.shape))
    one = reshape(a.node, (*a.shape[:at], 1, *a.shape[at:]))
    return a.moved(expand(one, (*a.shape[:at], s.rng.randint(1, 5), *a.shape[at:])))


def _pad(s: Steps, pool: list[Value]) -> Value | None:
    if (a := s.pick(pool, lambda v: len(v.shape) > 0)) is None:
        return None
    fill = s.rng.choice([0, 0, 1])
    node = pad(a.node, [(s.rng.randint(0, 2), s.rng.randint(0, 3)) for _ in a.shape], fill)
    return Value(node, max(a.bound, fill), a.fraction, a.error)


def _shrink(s: Steps, pool: list[Value]) -> Value | None:
    if (a := s.pick(pool, lambda v: len(v.shape) > 0)) is None:
        return None
    bounds = []
    for n in a.shape:
        start = s.rng.randint(0, n // 2)
        bounds.append((start, s.rng.randint(min(start + 1, n), n)))
    return a.moved(shrink(a.node, bounds))


def _flip(s: Steps, pool: list[Value]) -> Value | None:
    a = s.pick(pool, lambda v: len(v.shape) > 0)
    return a and a.moved(flip(a.node, s.rng.sample(range(len(a.shape)), s.rng.randint(1, len(a.shape)))))


def _index(s: Steps, x: Value, axis: int) -> Node:
    """Indices along `axis` of `x`, computed or given, a few of them out of range."""
    n = x.shape[axis]
    shape = tuple(s.rng.randint(1, 9) if i == axis else s.rng.randint(min(1, m), m) for i, m in enumerate(x.shape))
    if s.rng.random() < 0.3:
        line = positions(shape, axis)
        stretched = alu(Op.ADD, alu(Op.MUL, line, filled_like(line, 3)), filled_like(line, -1))
        return alu(Op.MOD, stretched, filled_like(line, n + 1))
    numbers = np.random.default_rng(s.rng.getrandbits(32))
    return s.new_input(numbers.integers(-1, n + 1, shape), s.rng.choice([dtypes.int32, dtypes.int64]))


def _gather(s: Steps, pool: list[Value]) -> Value | None:
    if (x := s.pick(pool, lambda v: len(v.shape) > 0)) is None:
        return None
    axis = s.rng.randrange(len(x.shape))
    return x.moved(gather(x.node, _index(s, x, axis), axis))


def _scatter(s: Steps, pool: list[Value]) -> Value | None:
    x = s.pick(pool, lambda v: len(v.shape) > 0)
    updates = x and s.pick(pool, lambda v: v.dtype is x.dtype)
    if x is None or updates is None:
        return None
    axis, how = s.rng.randrange(len(x.shape)), s.rng.choice([Combine.SET, Combine.ADD, Combine.MAX])
    index = _index(s, x, axis)
    shape = tuple(n for n in index.shape if isinstance(n, int))
    u = s.fit(updates, shape)
    node = scatter(x.node, index, u.node, axis, how)
    if how is Combine.ADD:
        count = shape[axis]
        bound, error = x.bound + count * u.bound, x.error + count * u.error
        return rounded(node, bound, grid(x, u), error, count)
    return Value(node, max(x.bound, u.bound), max(x.fraction, u.fraction), max(x.error, u.error))


def _contract(s: Steps, pool: list[Value]) -> Value | None:
    """A matmul, as frontends build it: the sum of a product of two EXPANDs."""
    a = s.pick(pool, lambda v: v.dtype.is_float and len(v.shape) == 2)
    b = a and s.pick(pool, lambda v: v.dtype is a.dtype)
    if a is None or b is None or dim_product(a.shape) == 0:
        return None
    (rows, inner), columns = a.shape, s.rng.randint(1, 6)
    right = s.fit(b, (inner, columns))
    left = expand(reshape(a.node, (rows, 1, inner)), (rows, columns, inner))
    turned = expand(reshape(permute(right.node, (1, 0)), (1, columns, inner)), (rows, columns, inner))
    fraction = a.fraction + b.fraction if a.exact and b.exact else None
    error = inner * (a.error * b.bound + b.error * (a.bound + a.error))
    node = reduce(alu(Op.MUL, left, turned), Combine.ADD, [2])
    return rounded(node, inner * a.bound * b.bound, fraction, error, inner + 1)


def _along(s: Steps, pool: list[Value]) -> Value | None:
    """A REPEAT of one carry over a sequence: averages of floats, bits of integers."""
    x = s.pick(pool, lambda v: len(v.shape) > 0 and math.prod(v.shape) > 0 and v.shape[0] <= 6)
    if x is None:
        return None
    length, shape = x.shape[0], x.shape[1:]
    first = s.fit(s.pick(pool, lambda v: v.dtype is x.dtype) or x, shape)
    device = s.fresh((1,), x.dtype).node.device
    assert device is not None
    c, e = (stand_in(("program", k), device, x.dtype, shape) for k in range(2))
    how = s.rng.choice([Op.MAX, Op.ADD])
    if x.dtype.is_float:
        half = filled_like(c, 0.5)
        after = alu(Op.ADD, alu(Op.MUL, c, half), alu(Op.MUL, e, half))
        other = reduce(alu(Op.MUL, after, half), Combine.ADD, range(len(shape))) if shape else alu(how, after, e)
    else:
        after, other = alu(Op.XOR, c, e), alu(Op.MAX, c, e)
    body = Body(length, s.rng.random() < 0.5, (c, e), (after, other), 1, 1)
    carries, others = repeat(body, [first.node, x.node])
    bound, count = max(first.bound, x.bound), math.prod(shape)
    if not x.dtype.is_float:
        return Value(s.rng.choice([carries, others]), float(x.dtype.max))
    fraction = grid(first, x)
    grown = None if fraction is None else fraction + length
    made = rounded(carries, bound, grown, first.error + x.error, 3 * length)
    if s.rng.random() < 0.5:
        return made
    if not shape:
        bound = 2 * bound if how is Op.ADD else bound
        return rounded(others, bound, made.fraction if made.exact else None, made.error + x.error)
    return rounded(others, count * bound, made.fraction + 1 if made.exact else None, count * made.error, count + 1)


STEPS: dict[str, Step] = {
    "input": _input, "constant": _constant, "iota": _iota, "add": _add, "multiply": _multiply, "scale": _scale,
    "maximum": _maximum, "divide": _divide, "transcendental": _transcendental, "power": _power, "truncate": _truncate,
    "modulo": _modulo, "compare": _compare, "choose": _choose, "integer_math": _integer_math, "boolean": _boolean,
    "cast": _cast, "bitcast": _bitcast, "reduce": _reduce, "scan": _scan, "reshape": _reshape, "permute": _permute,
    "expand": _expand, "pad": _pad, "shrink": _shrink, "flip": _flip, "gather": _gather, "scatter": _scatter,
    "contract": _contract, "along": _along,
}  # fmt: skip
RARE = ("along",)  # used where they are asked for
FREQUENT = ("add", "multiply", "scale", "reduce", "contract", "choose", "transcendental")
