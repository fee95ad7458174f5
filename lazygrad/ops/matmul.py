"""Products of matrices, as sums over products of views: fusion and fast kernels are the compiler's business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lazygrad.dtype import DType, dtypes
from lazygrad.errors import DTypeError, ShapeError
from lazygrad.ir.build import mul, total
from lazygrad.ir.node import Node, cast, permute, reshape
from lazygrad.ir.signature import Shape
from lazygrad.ops.broadcast import broadcast_shape, broadcast_to
from lazygrad.ops.core import Core, fail
from lazygrad.ops.diagonals import Diagonals
from lazygrad.ops.operands import not_a_tensor

if TYPE_CHECKING:
    from typing_extensions import Self


def accumulation(dtype: DType) -> DType:
    """The dtype in which products are summed: 16-bit floats in float32."""
    return dtypes.float32 if dtype.is_half else dtype


def contract(a: Node, b: Node) -> Node:
    """sum over k of a[..., m, k] * b[..., n, k], the batch dimensions broadcast: shape (..., m, n).

    In the dtype of the sum: `accumulation`.
    """
    a, b = (cast(x, accumulation(x.dtype)) for x in (a, b))
    batch = broadcast_shape("matmul", a.shape[:-2], b.shape[:-2])
    m, n, k = a.shape[-2], b.shape[-2], a.shape[-1]
    rows = reshape(a, (*a.shape[:-2], m, 1, k))
    columns = reshape(b, (*b.shape[:-2], 1, n, k))
    shape = (*batch, m, n, k)
    product = mul(broadcast_to(rows, shape), broadcast_to(columns, shape))
    return total(product, (len(shape) - 1,))


def last_two_exchanged(x: Node) -> Node:
    order = list(range(x.ndim))
    return permute(x, [*order[:-2], order[-1], order[-2]])


class Matmul(Diagonals):
    """Products of vectors, matrices and batches of matrices."""

    __slots__ = ()

    def matmul(self, other: Core) -> Self:
        """self @ other, by NumPy's rules: vectors act as a row on the left and a column on the right, and the
        dimensions before the last two broadcast. ShapeError where the inner sizes differ; DTypeError for two dtypes.

        With the setting `float32_matmul_precision` at "high", GPUs may round float32 factors to TF32 (10 bits).

        >>> (Tensor([[1, 2, 3], [4, 5, 6]]) @ Tensor([[7, 8], [9, 10], [11, 12]])).tolist()
        [[58, 64], [139, 154]]
        """
        a, b = self._factors("matmul", other)
        if not a.shape or not b.shape:
            fail(ShapeError, f"matmul: a scalar has no dimension to sum over, shapes {list(a.shape)} @ {list(b.shape)}")
        left = a if a.ndim > 1 else reshape(a, (1, *a.shape))
        right = last_two_exchanged(b) if b.ndim > 1 else reshape(b, (1, *b.shape))
        if left.shape[-1] != right.shape[-1]:
            fail(
                ShapeError,
                f"matmul: shapes {list(a.shape)} @ {list(b.shape)}: the inner sizes {left.shape[-1]} and "
                f"{right.shape[-1]} differ; transpose one of them with .mT?",
            )
        value = cast(contract(left, right), a.dtype)
        shape: Shape = value.shape[:-2]
        shape += value.shape[-2:-1] if a.ndim > 1 else ()
        shape += value.shape[-1:] if b.ndim > 1 else ()
        return self._out(reshape(value, shape), other)

    def _factors(self, what: str, other: Core) -> tuple[Node, Node]:
        """The nodes of both, of one dtype on one device."""
        self._same_device(what, other)
        a, b = self._in(), other._in()
        if a.dtype is not b.dtype:
            fail(DTypeError, f"{what}: dtypes {a.dtype} and {b.dtype} differ; cast one of them first")
        return a, b

    def __matmul__(self, other: Core | np.ndarray[Any, Any]) -> Self:
        return self.matmul(self._factor(other))

    def __rmatmul__(self, other: np.ndarray[Any, Any]) -> Self:
        return self._factor(other).matmul(self)

    def _factor(self, other: Core | np.ndarray[Any, Any]) -> Self:
        if not isinstance(other, (Core, np.ndarray)):
            not_a_tensor("matmul", other, "a Tensor or an array")
        return self._beside(other)

    def dot(self, other: Core) -> Self:
        """The inner product of two vectors; as in NumPy and tinygrad, `matmul` of tensors with more dimensions.

        >>> Tensor([1, 2]).dot(Tensor([3, 4])).item()
        11
        """
        return self.matmul(other)

    def mm(self, other: Core) -> Self:
        """The product of two matrices. ShapeError for anything else.

        >>> Tensor.ones(2, 3).mm(Tensor.ones(3, 4)).shape
        (2, 4)
        """
        return self._need_dims("mm", 2, other).matmul(other)

    def bmm(self, other: Core) -> Self:
        """The products of two batches of matrices. ShapeError for anything else.

        >>> Tensor.ones(5, 2, 3).bmm(Tensor.ones(5, 3, 4)).shape
        (5, 2, 4)
        """
        return self._need_dims("bmm", 3, other).matmul(other)

    def outer(self, other: Core) -> Self:
        """All products of the elements of two vectors, shape (n, m).

        >>> Tensor([1, 2]).outer(Tensor([3, 4])).tolist()
        [[3, 4], [6, 8]]
        """
        self._need_dims("outer", 1, other)
        return self.unsqueeze(-1) * other

    def _need_dims(self, what: str, n: int, other: Core) -> Self:
        self._same_device(what, other)
        if self.ndim != n or other.ndim != n:
            fail(ShapeError, f"{what}: needs {n} dimensions, not shapes {list(self.shape)} and {list(other.shape)}")
        return self

    def linear(self, weight: Core, bias: Core | None = None) -> Self:
        """self @ weight.T + bias: (..., in) with a weight (out, in) and a bias (out,) gives (..., out).

        >>> Tensor([[1.0, 2.0]]).linear(Tensor([[3.0, 4.0]]), Tensor([0.5])).tolist()
        [[11.5]]
        """
        a, b = self._factors("linear", weight)
        if a.ndim < 1 or b.ndim != 2 or a.shape[-1] != b.shape[-1]:
            fail(ShapeError, f"linear: an input {list(a.shape)} does not fit a weight (out, in) of {list(b.shape)}")
        value = contract(a if a.ndim > 1 else reshape(a, (1, *a.shape)), b)
        result = self._out(reshape(value, (*a.shape[:-1], b.shape[0])), weight)
        if isinstance(bias, Core) and bias.dtype is a.dtype:  # added before 16 bits are rounded to
            return (result + bias.cast(result.dtype)).cast(a.dtype)
        return result.cast(a.dtype) if bias is None else result.cast(a.dtype) + bias

    def _diagonal_at(self, axis: int) -> Self:
        """The diagonal of dimensions axis and axis + 1, of one size, in their place."""
        n = self.shape[axis]
        if n != self.shape[axis + 1]:
            fail(ShapeError, f"diagonal: sizes {n} and {self.shape[axis + 1]} differ")
        return self.diagonal(0, axis, axis + 1).movedim(-1, axis)
