"""Random tensors: Threefry-2x32-20 built from integer primitives, the same numbers on every device.

The generator is the one of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
Element i of a draw is made from block number (first counter + i), so any element can be computed alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import DType, DTypeLike, as_dtype, dtypes
from lazygrad.engine.generator import DRAW_WORDS, draw_buffer
from lazygrad.errors import ArgumentError, DTypeError
from lazygrad.index.expr import dim_max, dim_product
from lazygrad.ir.elements import values_between
from lazygrad.ir.node import Node, alu, cast, const, iota, reshape, shrink
from lazygrad.ir.op import Op
from lazygrad.ir.signature import Shape
from lazygrad.ops.arguments import new_shape, number
from lazygrad.ops.broadcast import broadcast_to
from lazygrad.ops.core import fail
from lazygrad.ops.creation import Creation, device_name, leaf
from lazygrad.ops.fitting import fitting
from lazygrad.ops.random_integers import integers_below

if TYPE_CHECKING:
    from typing_extensions import Self

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


def random_words(shape: Shape, device: str) -> tuple[Node, Node]:
    """Two nodes of `shape` of random uint32 bits."""
    n = dim_product(shape)
    drawn = draw_buffer(dim_max(n), device)  # as many for all values of variables, which a replay may change
    k0, k1, low, high = (broadcast_to(shrink(drawn, [(i, i + 1)]), (n,)) for i in range(DRAW_WORDS))
    first, second = threefry((k0, k1), (alu(Op.ADD, low, iota(n, dtypes.uint32)), high))
    return reshape(first, shape), reshape(second, shape)


def _unit(words: Node, dtype: DType, from_one: bool = False) -> Node:
    """Random bits as floats in [0, 1), or with `from_one` in (0, 1]: as many of the bits as the dtype can hold."""
    bits = _BITS[dtype]
    kept = words if bits == 32 else alu(Op.SHR, words, const(32 - bits, dtypes.uint32, words.shape))
    number = cast(kept, dtype)
    if from_one:
        number = alu(Op.ADD, number, const(1, dtype, words.shape))
    return alu(Op.MUL, number, const(2.0**-bits, dtype, words.shape))


class Random(Creation):
    """Random tensors. Every function takes `dtype`, `device` (None: the default) and `requires_grad`."""

    __slots__ = ()

    @classmethod
    def rand(
        cls, *shape: Any, dtype: DTypeLike = dtypes.float32, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        """Uniform numbers in [0, 1).

        >>> x = Tensor.rand(2, 3)
        >>> x.shape, bool(((x >= 0) & (x < 1)).all())
        ((2, 3), True)
        """
        dtype = _float("rand", dtype)
        name = device_name(device)
        first, second = random_words(new_shape(shape, "rand"), name)
        value = _unit(first, dtype)
        if dtype is dtypes.float64:  # 20 more bits below the first 32
            more = alu(Op.SHR, second, const(12, dtypes.uint32, second.shape))
            value = alu(Op.ADD, value, alu(Op.MUL, cast(more, dtype), const(2.0**-52, dtype, value.shape)))
        return leaf(cls, value, name, requires_grad)

    @classmethod
    def uniform(
        cls,
        *shape: Any,
        low: float = 0.0,
        high: float = 1.0,
        dtype: DTypeLike = dtypes.float32,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """Uniform numbers in [low, high): never `high`, to which a sum may be rounded.

        ArgumentError unless low < high, and both and their distance are finite numbers of the dtype.

        >>> bool((Tensor.uniform(100, low=-2, high=2).abs() <= 2).all())
        True
        """
        dtype = _float("uniform", dtype)
        kind, low, high = _at_least_32_bits(dtype), number("uniform", low), number("uniform", high)
        if not (low < high and math.isfinite(high - low)):
            fail(ArgumentError, f"uniform: low={low}, high={high}; the numbers lie in [low, high), a finite range")
        for value, needed in ((low, dtype), (high, dtype), (high - low, kind)):
            fitting("uniform", value, needed)
        first, last = values_between(low, high, dtype)
        if first > last:
            fail(ArgumentError, f"uniform: no {dtype} lies in [{low}, {high})")
        x = (cls.rand(*shape, dtype=kind, device=device) * (high - low) + low).cast(dtype).clamp(first, last)
        return leaf(cls, x.node, x.device, requires_grad)

    @classmethod
    def randn(
        cls, *shape: Any, dtype: DTypeLike = dtypes.float32, device: str | None = None, requires_grad: bool = False
    ) -> Self:
        """Normal numbers of mean 0 and variance 1, by the method of Box and Muller.

        >>> Tensor.randn(2, 3).shape
        (2, 3)
        """
        dtype = _float("randn", dtype)
        name, kind = device_name(device), _at_least_32_bits(dtype)
        first, second = (cls._of(w, name) for w in random_words(new_shape(shape, "randn"), name))
        radius = (cls._of(_unit(first.node, kind, from_one=True), name).log() * -2).sqrt()
        angle = cls._of(_unit(second.node, kind), name) * (2 * math.pi)
        return leaf(cls, cast((radius * angle.cos()).node, dtype), name, requires_grad)

    @classmethod
    def _of(cls, value: Node, device: str) -> Self:
        return leaf(cls, value, device, False)

    @classmethod
    def normal(
        cls,
        *shape: Any,
        mean: float = 0.0,
        std: float = 1.0,
        dtype: DTypeLike = dtypes.float32,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """Normal numbers of any mean and standard deviation; ArgumentError where one is not finite, or `std` negative.

        >>> Tensor.normal(3, mean=5.0, std=0.0).tolist()
        [5.0, 5.0, 5.0]
        """
        dtype, mean, std = _float("normal", dtype), number("normal", mean), number("normal", std)
        if not (math.isfinite(mean) and math.isfinite(std) and std >= 0):
            fail(ArgumentError, f"normal: mean={mean}, std={std}; both must be finite, and the deviation not negative")
        for value in (mean, std):
            fitting("normal", value, dtype)
        x = (cls.randn(*shape, dtype=_at_least_32_bits(dtype), device=device) * std + mean).cast(dtype)
        return leaf(cls, x.node, x.device, requires_grad)

    @classmethod
    def randint(
        cls, *shape: Any, low: int = 0, high: int, dtype: DTypeLike = dtypes.int64, device: str | None = None
    ) -> Self:
        """Uniform integers in [low, high), up to all those of a dtype.

        ArgumentError for an empty range; DTypeError for one that does not fit the dtype.

        >>> x = Tensor.randint(100, low=3, high=5)
        >>> x.amin().item(), x.amax().item()
        (3, 4)
        """
        dtype, low, high = as_dtype(dtype), number("randint", low), number("randint", high)
        if not all(isinstance(v, int) for v in (low, high)) or low >= high:
            fail(ArgumentError, f"randint: low={low}, high={high}; the numbers lie in [low, high), from low on")
        for end in (low, high - 1):
            fitting("randint", end, dtype)
            fitting("randint", end, dtypes.uint64 if dtype is dtypes.uint64 else dtypes.int64)
        name, sizes = device_name(device), new_shape(shape, "randint")
        words = [w for _ in range(1 if high - low <= 1 << 32 else 2) for w in random_words(sizes, name)]
        value = integers_below(high - low, words)
        shifted = alu(Op.ADD, value, const(low, dtypes.uint64, value.shape))  # modulo 2**64
        return cls._of(cast(shifted if dtype is dtypes.uint64 else cast(shifted, dtypes.int64), dtype), name)

    @classmethod
    def bernoulli(
        cls, *shape: Any, p: float = 0.5, dtype: DTypeLike = dtypes.float32, device: str | None = None
    ) -> Self:
        """Ones with probability `p`, else zeros. ArgumentError for a `p` outside [0, 1].

        >>> Tensor.bernoulli(3, p=1.0).tolist()
        [1.0, 1.0, 1.0]
        """
        p = number("bernoulli", p)
        if not 0 <= p <= 1:
            fail(ArgumentError, f"bernoulli: p={p} is no probability")
        return cls.rand(*shape, device=device).lt(p).cast(dtype)

    def rand_like(self, dtype: DTypeLike | None = None) -> Self:
        """`rand` in this tensor's shape, dtype and device.

        >>> Tensor.zeros(2, 3).rand_like().shape
        (2, 3)
        """
        return self.rand(self.shape, dtype=as_dtype(dtype, self.dtype), device=self.device)

    def randn_like(self, dtype: DTypeLike | None = None) -> Self:
        """`randn` in this tensor's shape, dtype and device.

        >>> Tensor.zeros(2, 3).randn_like().shape
        (2, 3)
        """
        return self.randn(self.shape, dtype=as_dtype(dtype, self.dtype), device=self.device)

    def dropout(self, p: float = 0.5, training: bool = True) -> Self:
        """Every element set to 0 with probability `p`, the others divided by 1 - p; unchanged unless `training`.

        ArgumentError for a `p` outside [0, 1].

        >>> Tensor([1.0, 2.0]).dropout(1.0).tolist(), Tensor([1.0, 2.0]).dropout(0.5, training=False).tolist()
        ([0.0, 0.0], [1.0, 2.0])
        """
        p = number("dropout", p)
        if not 0 <= p <= 1:
            fail(ArgumentError, f"dropout: p={p} is no probability")
        if not training or p == 0:
            return self
        kept = self.rand(self.shape, device=self.device).ge(p)
        return kept._choose(self / (1 - p) if p < 1 else self * 0, 0)


def _at_least_32_bits(dtype: DType) -> DType:
    """In what random floats are computed: 16-bit ones are rounded once, at the end."""
    return dtypes.float32 if dtype.is_half else dtype


def _float(what: str, dtype: DTypeLike) -> DType:
    kind = as_dtype(dtype)
    if not kind.is_float:
        fail(DTypeError, f"{what}: random floats cannot be {kind}; see randint")
    return kind
