"""Random tensors, of the same numbers on every device: see `random_words`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import DType, DTypeLike, as_dtype, dtypes, get_default_dtype
from lazygrad.engine.generator import Generator
from lazygrad.errors import ArgumentError, DTypeError
from lazygrad.ir.elements import values_between
from lazygrad.ir.node import Node, alu, cast, const
from lazygrad.ir.op import Op
from lazygrad.ir.signature import Shape
from lazygrad.ops.arguments import new_shape, number
from lazygrad.ops.core import Core, fail
from lazygrad.ops.creation import device_name, leaf
from lazygrad.ops.fitting import fitting
from lazygrad.ops.likes import Likes
from lazygrad.ops.random_integers import integers_below
from lazygrad.ops.random_words import random_words, uniform_unit, unit

if TYPE_CHECKING:
    from typing_extensions import Self


class Random(Likes):
    """Random tensors. Every function takes a `generator` (None: the default one), `dtype`, and `device`."""

    __slots__ = ()

    @classmethod
    def rand(
        cls,
        *size: Any,
        generator: Generator | None = None,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """Uniform numbers in [0, 1).

        >>> x = Tensor.rand(2, 3)
        >>> x.shape, bool(((x >= 0) & (x < 1)).all())
        ((2, 3), True)
        """
        kind, name = _float("rand", dtype), device_name(device)
        return leaf(cls, uniform_unit(new_shape(size, "rand"), name, kind, generator), name, requires_grad)

    @classmethod
    def uniform(
        cls,
        *shape: Any,
        low: float = 0.0,
        high: float = 1.0,
        generator: Generator | None = None,
        dtype: DTypeLike | None = None,
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
        x = (
            (cls.rand(*shape, generator=generator, dtype=kind, device=device) * (high - low) + low)
            .cast(dtype)
            .clamp(first, last)
        )
        return leaf(cls, x.node, x.device, requires_grad)

    @classmethod
    def randn(
        cls,
        *size: Any,
        generator: Generator | None = None,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """Normal numbers of mean 0 and variance 1, by the method of Box and Muller.

        >>> Tensor.randn(2, 3).shape
        (2, 3)
        """
        dtype = _float("randn", dtype)
        name, kind = device_name(device), _at_least_32_bits(dtype)
        first, second = (cls._of(w, name) for w in random_words(new_shape(size, "randn"), name, generator))
        radius = (cls._of(unit(first.node, kind, from_one=True), name).log() * -2).sqrt()
        angle = cls._of(unit(second.node, kind), name) * (2 * math.pi)
        return leaf(cls, cast((radius * angle.cos()).node, dtype), name, requires_grad)

    @classmethod
    def _of(cls, value: Node, device: str) -> Self:
        return leaf(cls, value, device, False)

    @classmethod
    def normal(
        cls,
        *given: Any,
        mean: Any = 0.0,
        std: Any = 1.0,
        size: Any = None,
        generator: Generator | None = None,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """Normal numbers of any mean and standard deviation: of sizes alone with `mean=` and `std=`, or as in PyTorch
        normal(mean, std, size), where one of both may be a tensor, whose shape, dtype and device the result has then.

        ArgumentError where one is not finite, or `std` negative.

        >>> Tensor.normal(3, mean=5.0, std=0.0).tolist(), Tensor.normal(Tensor([1.0, 2.0]), 0.0).tolist()
        ([5.0, 5.0, 5.0], [1.0, 2.0])
        """
        sizes, mean, std = _moments(given, mean, std, size)
        tensors = [t for t in (mean, std) if isinstance(t, Core)]
        if tensors:
            return tensors[0]._normal_beside(mean, std, generator)  # type: ignore[attr-defined,no-any-return]
        dtype, mean, std = _float("normal", dtype), number("normal", mean), number("normal", std)
        if not (math.isfinite(mean) and math.isfinite(std) and std >= 0):
            fail(ArgumentError, f"normal: mean={mean}, std={std}; both must be finite, and the deviation not negative")
        for value in (mean, std):
            fitting("normal", value, dtype)
        drawn = cls.randn(*sizes, generator=generator, dtype=_at_least_32_bits(dtype), device=device)
        x = (drawn * std + mean).cast(dtype)
        return leaf(cls, x.node, x.device, requires_grad)

    def _normal_beside(self, mean: Any, std: Any, generator: Generator | None) -> Self:
        mean, std = (v.detach() if isinstance(v, Core) else number("normal", v) for v in (mean, std))
        shape = (mean + std).shape
        if not self.dtype.is_float:
            fail(DTypeError, f"normal: a mean or deviation of {self.dtype}; random floats need one of floats")
        drawn = self.randn(shape, generator=generator, dtype=_at_least_32_bits(self.dtype), device=self.device)
        result: Self = (drawn * std + mean).cast(self.dtype)
        return result

    @classmethod
    def randint(
        cls,
        *given: Any,
        low: int | None = None,
        high: int | None = None,
        size: Any = None,
        generator: Generator | None = None,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """Uniform integers in [low, high), `low` being 0 unless given: randint(high, size), randint(low, high, size),
        or sizes alone with `low=` and `high=`; int64 unless given. All integers of a dtype are within reach.

        ArgumentError for an empty range; DTypeError for one that does not fit the dtype.

        >>> x = Tensor.randint(3, 5, (100,))
        >>> x.amin().item(), x.amax().item()
        (3, 4)
        """
        sizes, low, high = _range(given, low, high, size)
        kind = as_dtype(dtype, dtypes.int64)
        if not all(isinstance(v, int) for v in (low, high)) or low >= high:
            fail(ArgumentError, f"randint: low={low}, high={high}; the numbers lie in [low, high), from low on")
        for end in (low, high - 1):
            fitting("randint", end, kind)
            fitting("randint", end, dtypes.uint64 if kind is dtypes.uint64 else dtypes.int64)
        name = device_name(device)
        return leaf(cls, _integers(low, high, new_shape(sizes, "randint"), kind, name, generator), name, requires_grad)

    def rand_like(
        self,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
        *,
        generator: Generator | None = None,
    ) -> Self:
        """`rand` in this tensor's shape, dtype and device.

        >>> Tensor.zeros(2, 3).rand_like().shape
        (2, 3)
        """
        like: dict[str, Any] = {
            "dtype": as_dtype(dtype, self.dtype),
            "device": device or self.device,
            "requires_grad": requires_grad,
        }
        return self.rand(self.shape, generator=generator, **like)

    def randn_like(
        self,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
        *,
        generator: Generator | None = None,
    ) -> Self:
        """`randn` in this tensor's shape, dtype and device.

        >>> Tensor.zeros(2, 3).randn_like().shape
        (2, 3)
        """
        like: dict[str, Any] = {
            "dtype": as_dtype(dtype, self.dtype),
            "device": device or self.device,
            "requires_grad": requires_grad,
        }
        return self.randn(self.shape, generator=generator, **like)

    def randint_like(
        self,
        low: int,
        high: int | None = None,
        *,
        generator: Generator | None = None,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Self:
        """`randint` in [low, high), with one number in [0, that), in this tensor's shape, dtype and device.

        >>> Tensor.zeros(2, 3).randint_like(7, 8).tolist()
        [[7.0, 7.0, 7.0], [7.0, 7.0, 7.0]]
        """
        low, high = (0, low) if high is None else (low, high)
        like: dict[str, Any] = {
            "dtype": as_dtype(dtype, self.dtype),
            "device": device or self.device,
            "requires_grad": requires_grad,
        }
        return self.randint(low, high, self.shape, generator=generator, **like)


def _range(given: tuple[Any, ...], low: Any, high: Any, size: Any) -> tuple[Any, Any, Any]:
    """The sizes and both ends that are given by position in PyTorch's order, or beside sizes by name."""
    if high is None and given:
        if size is None and not isinstance(given[-1], int):
            given, size = given[:-1], given[-1]
        ends = given if low is None else (low, *given)
        if size is None or len(ends) not in (1, 2):
            fail(ArgumentError, "randint: give randint(low, high, size), or sizes and low= and high=")
        low, high = (0, *ends)[-2:]
    elif high is None:
        fail(ArgumentError, "randint: high= is missing, below which the integers lie")
    sizes = given if size is None else (size,)
    return sizes, *(number("randint", 0 if v is None else v) for v in (low, high))


def _moments(given: tuple[Any, ...], mean: Any, std: Any, size: Any) -> tuple[Any, Any, Any]:
    """The sizes, mean and deviation that are given by position in PyTorch's order, or beside sizes by name."""
    if len(given) == 3 and not isinstance(given[-1], int):
        given, size = given[:2], given[-1]
    if size is None and not any(isinstance(v, (Core, float)) for v in given[:2]):
        return given, mean, std
    mean, std = (*given, *(mean, std)[len(given) :])[:2]
    return (() if size is None else (size,)), mean, std


def _integers(low: int, high: int, shape: Shape, dtype: DType, device: str, generator: Generator | None) -> Node:
    draws = 1 if high - low <= 1 << 32 else 2
    words = [w for _ in range(draws) for w in random_words(shape, device, generator)]
    value = integers_below(high - low, words)
    shifted = alu(Op.ADD, value, const(low, dtypes.uint64, value.shape))  # modulo 2**64
    return cast(shifted if dtype is dtypes.uint64 else cast(shifted, dtypes.int64), dtype)


def _at_least_32_bits(dtype: DType) -> DType:
    """In what random floats are computed: 16-bit ones are rounded once, at the end."""
    return dtypes.float32 if dtype.is_half else dtype


def _float(what: str, dtype: DTypeLike | None) -> DType:
    kind = as_dtype(dtype, get_default_dtype())
    if not kind.is_float:
        fail(DTypeError, f"{what}: random floats cannot be {kind}; see randint")
    return kind
