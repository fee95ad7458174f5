"""Statistics over one, several or all dimensions that are composed of sums: variances, norms, logarithms of sums."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lazygrad.dtype import DTypeLike, dtypes
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.index.expr import as_dim, maximum
from lazygrad.ir.build import mul, put_back, scaled
from lazygrad.ir.call import UserFunction
from lazygrad.ir.node import Node, call
from lazygrad.ir.op import Combine
from lazygrad.ops.core import fail
from lazygrad.ops.reduce import Dims, Reduce

if TYPE_CHECKING:
    from typing_extensions import Self

# Of each dtype: integers of its size, the bits of the exponent, and those of the powers of 2 with a normal inverse.
_EXPONENTS = {
    dtypes.float32: (dtypes.int32, 0x7F80_0000, (0x0080_0000, 0x7E80_0000)),
    dtypes.float64: (dtypes.int64, 0x7FF0_0000_0000_0000, (0x0010_0000_0000_0000, 0x7FD0_0000_0000_0000)),
}


@dataclass(frozen=True)
class _Squares(UserFunction):
    """The sum over `axes` of squared distances from the mean; its inputs are the elements and their distances.

    What reaches the elements by way of the mean is the sum of all distances: nothing, but inf - inf of infinite ones.
    """

    axes: tuple[int, ...]
    name = "squares"

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """By the elements."""
        x, distance = inputs
        return mul(put_back(by_outputs[0], self.axes, x.shape), scaled(distance, 2)), None


class Statistics(Reduce):
    """Statistics; `dim` is one dimension, several, or None for all; `keepdim` keeps them with size 1."""

    __slots__ = ()

    def var(
        self,
        dim: Dims | bool = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> Self:
        """The variance: squared distances from the mean, over the number of elements less `correction` (1).

        `unbiased`, which may stand alone, is PyTorch's older name: True for a correction of 1, False for 0.

        >>> Tensor([1.0, 2.0, 3.0]).var().item(), Tensor([1.0, 3.0]).var(False).item()
        (1.0, 1.0)
        """
        axes, less = self._moment("var", dim, unbiased, correction)
        if self.dtype.is_half:
            return self.cast(dtypes.float32).var(axes, keepdim=keepdim, correction=less).cast(self.dtype)
        return self._mean_square(axes, keepdim, less)

    def _moment(
        self, what: str, dim: Dims, unbiased: bool | None, correction: float | None
    ) -> tuple[tuple[int, ...], float]:
        """The dimensions and the correction that the arguments of `var` and its like say."""
        self._need_float(what)
        if isinstance(dim, bool):
            if unbiased is not None:
                fail(ArgumentError, f"{what}: dim is {dim}; it is a dimension, several, or None")
            dim, unbiased = None, dim
        if unbiased is not None and correction is not None:
            fail(
                ArgumentError, f"{what}: unbiased = {unbiased} and correction = {correction} are one argument; give one"
            )
        less = correction if correction is not None else 0 if unbiased is False else 1
        return self._some_axes(dim), less

    def _some_axes(self, dim: Dims) -> tuple[int, ...]:
        """`dim` as axes, where no dimensions are all of them, as PyTorch has it."""
        return self._axes(None if isinstance(dim, (tuple, list)) and not dim else dim)

    def _mean_square(self, dim: Sequence[int], keepdim: bool, less: float) -> Self:
        """The squares of distances from the mean, over the number of elements less `less`."""
        distance = self - self.mean(dim, keepdim=True)
        total = distance.square().sum(dim, keepdim)
        total = self._out(call(total.node, (self._in(), distance._in()), _Squares(self._axes(dim))))
        count = self._count(dim)
        if isinstance(count, int):
            return total / max(count - less, 0)  # 0 / 0 where there are too few
        if isinstance(less, float) and not less.is_integer():
            fail(ShapeError, f"var: a correction of {less} needs known sizes; {count} is not known yet")
        return total / as_dim(maximum(count - int(less), 0))

    def std(
        self,
        dim: Dims | bool = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> Self:
        """The standard deviation, the square root of `var`; its gradient is zero where it is zero.

        Finite also where the variance is beyond what the dtype holds.

        >>> Tensor([1.0, 2.0, 3.0]).std().item(), Tensor([1e30, -1e30]).std()
        (1.0, tensor(1.4142e+30))
        """
        axes, less = self._moment("std", dim, unbiased, correction)
        if self.dtype.is_half:
            return self.cast(dtypes.float32).std(axes, keepdim=keepdim, correction=less).cast(self.dtype)
        unit = self._unit(axes)
        result = (self * unit.reciprocal())._mean_square(axes, True, less)._root() * unit
        return result if keepdim else result._without(axes)

    def var_mean(
        self,
        dim: Dims | bool = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> tuple[Self, Self]:
        """(var, mean).

        >>> variance, mean = Tensor([1.0, 3.0]).var_mean()
        >>> variance.item(), mean.item()
        (2.0, 2.0)
        """
        axes, less = self._moment("var_mean", dim, unbiased, correction)
        return self.var(axes, keepdim=keepdim, correction=less), self.mean(axes, keepdim)

    def std_mean(
        self,
        dim: Dims | bool = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> tuple[Self, Self]:
        """(std, mean).

        >>> deviation, mean = Tensor([1.0, 3.0]).std_mean(correction=0)
        >>> deviation.item(), mean.item()
        (1.0, 2.0)
        """
        axes, less = self._moment("std_mean", dim, unbiased, correction)
        return self.std(axes, keepdim=keepdim, correction=less), self.mean(axes, keepdim)

    def _unit(self, axes: Sequence[int]) -> Self:
        """A power of 2 of which every size over `axes` is less than 4, and if possible not all of them less than 1.

        It comes from the exponents, which are ordered as the sizes are; its inverse is a normal number, too.
        """
        kind, exponent, (least, most) = _EXPONENTS[self.dtype]
        largest = (self.detach().bitcast(kind) & exponent)._reduce(Combine.MAX, axes, keepdim=True)
        return largest.clamp(least, most).bitcast(self.dtype)

    def _without(self, axes: Sequence[int]) -> Self:
        """Dimensions of size 1 taken away."""
        return self.reshape(tuple(n for i, n in enumerate(self.shape) if i not in axes))

    def norm(
        self,
        p: float | str | None = "fro",
        dim: Dims = None,
        keepdim: bool = False,
        dtype: DTypeLike | None = None,
    ) -> Self:
        """The p-norm, (sum |x|^p)^(1/p), of any order p: also 0 (how many are not 0), inf and -inf (the largest and the
        smallest size); "fro" and None are 2. Computed in `dtype` where that is given. Its gradient is zero where it is
        zero. ShapeError for no elements with p < 0 or inf.

        >>> Tensor([3.0, 4.0]).norm().item(), Tensor([3.0, -4.0]).norm(-float("inf")).item()
        (5.0, 3.0)
        """
        if dtype is not None:
            return self.cast(dtype).norm(p, dim, keepdim)
        self._need_float("norm")
        dim = self._some_axes(dim)
        p = 2 if p is None or p == "fro" else p
        if isinstance(p, str):
            fail(ArgumentError, f"norm: {p!r} is no order; it is a number, or 'fro'")
        if self.dtype.is_half:
            return self.cast(dtypes.float32).norm(p, dim, keepdim).cast(self.dtype)
        if p == 2:
            return self.square().sum(dim, keepdim)._root()
        size = self.abs()
        if p == math.inf:
            return size._extreme(size.amax(dim, keepdim), dim)
        if p == -math.inf:
            return size._extreme(size.amin(dim, keepdim), dim)
        if p < 0 and self._count(dim) == 0:
            fail(ShapeError, f"norm: shape {list(self.shape)} has no elements for a norm of order {p}")
        if p == 0:
            return self.ne(0).sum(dim, keepdim).cast(self.dtype)
        if p == 1:
            return size.sum(dim, keepdim)
        return self._power_from_0(p).sum(dim, keepdim)._power_from_0(1 / p)

    def _root(self) -> Self:
        """The square root, whose gradient at 0 counts as 0."""
        zero = self.eq(0)
        return zero._choose(0.0, zero._choose(1.0, self).sqrt())

    def _power_from_0(self, p: float) -> Self:
        """The absolute value to the power `p`; the gradient at 0 counts as 0."""
        zero = self.eq(0)
        power = zero._choose(1.0, self).abs() ** p
        return zero._choose(0.0 if p > 0 else math.inf, power)

    def logsumexp(self, dim: Dims = None, keepdim: bool = False) -> Self:
        """log(sum(exp(self))), without overflow.

        >>> Tensor([1.0, 1.0]).logsumexp(0)
        tensor(1.6931)
        """
        if self.dtype.is_half or not self.dtype.is_float:
            result = self.cast(dtypes.float32).logsumexp(dim, keepdim)
            return result.cast(self.dtype) if self.dtype.is_float else result
        axes = self._axes(dim)
        largest = self.detach()._reduce(Combine.MAX, axes, keepdim=True)
        finite = float(np.finfo(self.dtype.storage).max)  # inf - inf would be nan
        largest = largest.isinf()._choose((largest > 0)._choose(self._beside(finite), -finite), largest)
        total = (self - largest).exp().sum(axes, keepdim=True).log() + largest
        return total if keepdim else total._without(axes)
