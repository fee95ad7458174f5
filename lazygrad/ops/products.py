"""Products beside the matrix product: added ones, of vectors, over chosen dimensions, and Kronecker's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lazygrad.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from lazygrad.index.expr import dim_product
from lazygrad.ir.signature import Shape
from lazygrad.ops.broadcast import broadcast_shape
from lazygrad.ops.core import Core, Operand, fail
from lazygrad.ops.einsum import einsum
from lazygrad.ops.joining import Joining, cat
from lazygrad.ops.matmul import Matmul
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.precision import rounded_once
from lazygrad.ops.signatures import are_dims, described
from lazygrad.ops.statistics import Statistics

if TYPE_CHECKING:
    from typing_extensions import Self

Scale = bool | int | float


class Products(Statistics, Matmul, Joining):
    """Products of vectors, matrices and tensors."""

    __slots__ = ()

    # ---- added to this tensor ----

    @rounded_once
    def addmm(self, mat1: Core, mat2: Core, *, beta: Scale = 1, alpha: Scale = 1) -> Self:
        """beta * self + alpha * (mat1 @ mat2), for matrices; self broadcasts, and with beta 0 is not looked at.

        >>> Tensor([1.0, 2.0]).addmm(Tensor([[1.0, 2.0]]), Tensor([[1.0, 0.0], [0.0, 1.0]]), alpha=2).tolist()
        [[3.0, 6.0]]
        """
        return self._plus("addmm", self._beside(mat1).mm(mat2), beta, alpha)

    @rounded_once
    def addmv(self, mat: Core, vec: Core, *, beta: Scale = 1, alpha: Scale = 1) -> Self:
        """beta * self + alpha * (mat @ vec), as `addmm`; beside integers, the whole part of beta and alpha counts.

        >>> Tensor([1, 2]).addmv(Tensor([[1, 2], [3, 4]]), Tensor([1, 1])).tolist()
        [4, 9]
        """
        return self._plus("addmv", self._beside(mat).mv(vec), beta, alpha)

    @rounded_once
    def baddbmm(self, batch1: Core, batch2: Core, *, beta: Scale = 1, alpha: Scale = 1) -> Self:
        """beta * self + alpha * (batch1 @ batch2), for batches of matrices, as `addmv`.

        >>> Tensor(1.0).baddbmm(Tensor.ones(5, 2, 3), Tensor.ones(5, 3, 2))[0].tolist()
        [[4.0, 4.0], [4.0, 4.0]]
        """
        return self._plus("baddbmm", self._beside(batch1).bmm(batch2), beta, alpha)

    @rounded_once
    def addbmm(self, batch1: Core, batch2: Core, *, beta: Scale = 1, alpha: Scale = 1) -> Self:
        """beta * self + alpha * the sum of batch1 @ batch2 over the batch, as `addmv`.

        >>> Tensor(1.0).addbmm(Tensor.ones(5, 2, 3), Tensor.ones(5, 3, 2)).tolist()
        [[16.0, 16.0], [16.0, 16.0]]
        """
        first, second = self._beside(batch1), self._beside(batch2)
        first._check_batches("addbmm", second)
        joined = first.permute(1, 0, 2).flatten(1).mm(second.flatten(0, 1))  # the batch is summed over with the rest
        return self._plus("addbmm", joined, beta, alpha)

    @rounded_once
    def addr(self, vec1: Core, vec2: Core, *, beta: Scale = 1, alpha: Scale = 1) -> Self:
        """beta * self + alpha * (vec1 outer vec2), as `addmm`, but of any dtypes, which promote.

        >>> Tensor(1).addr(Tensor([1, 2]), Tensor([3, 4])).tolist()
        [[4, 5], [7, 9]]
        """
        return self._plus("addr", self._beside(vec1).outer(vec2), beta, alpha, promotes=True)

    def _plus(self, what: str, product: Self, beta: Scale, alpha: Scale, promotes: bool = False) -> Self:
        self._same_device(what, product)
        if not promotes and self.dtype is not product.dtype:
            fail(DTypeError, f"{what}: dtypes {self.dtype} and {product.dtype} differ; cast one of them first")
        if broadcast_shape(what, self.shape, product.shape) != product.shape:
            fail(ShapeError, f"{what}: shape {list(self.shape)} does not broadcast to {list(product.shape)}")
        if not (self.dtype.is_float or product.dtype.is_float):
            if what in ("addmm", "addr") and not (isinstance(beta, int) and isinstance(alpha, int)):
                fail(DTypeError, f"{what}: beta {beta} and alpha {alpha} are no integers, and the tensors are")
            beta, alpha = int(beta), int(alpha)
        scaled = product if alpha == 1 else product & bool(alpha) if product.dtype.is_bool else product * alpha
        if beta == 0:
            return scaled
        kept = self if beta == 1 or self.dtype.is_bool else self * beta
        return kept | scaled if kept.dtype.is_bool and scaled.dtype.is_bool else kept + scaled

    def _check_batches(self, what: str, other: Self) -> None:
        """ShapeError unless both are batches, equally long, of matrices that fit."""
        self._need_dims(what, 3, other)
        if self.shape[0] != other.shape[0] or self.shape[2] != other.shape[1]:
            fail(ShapeError, f"{what}: batches {list(self.shape)} and {list(other.shape)} do not fit")

    # ---- of vectors ----

    def mv(self, vec: Core) -> Self:
        """The product of a matrix and a vector. ShapeError for anything else.

        >>> Tensor([[1, 2], [3, 4]]).mv(Tensor([1, 1])).tolist()
        [3, 7]
        """
        self._same_device("mv", vec)
        if self.ndim != 2 or vec.ndim != 1:
            fail(ShapeError, f"mv: needs a matrix and a vector, not shapes {list(self.shape)} and {list(vec.shape)}")
        return self.matmul(vec)

    def vdot(self, other: Core) -> Self:
        """The inner product of two vectors, as `dot` (which differs for complex numbers only).

        >>> Tensor([1, 2]).vdot(Tensor([3, 4])).item()
        11
        """
        return self._need_dims("vdot", 1, other).matmul(other)

    def ger(self, vec2: Core) -> Self:
        """`outer`, by its older name.

        >>> Tensor([1, 2]).ger(Tensor([3, 4])).tolist()
        [[3, 4], [6, 8]]
        """
        return self.outer(vec2)

    def inner(self, other: Core) -> Self:
        """Sums of products over the last dimensions of both: (..., n) and (... , n) give (..., ...); 0-d tensors
        multiply.

        >>> Tensor([[1, 2], [3, 4]]).inner(Tensor([[1, 1], [0, 1]])).tolist()
        [[3, 2], [7, 4]]
        """
        self._same_device("inner", other)
        if not self.ndim or not other.ndim:
            return self * other
        return self._contracted("inner", other, [self.ndim - 1], [other.ndim - 1])

    @rounded_once
    def cross(self, other: Core, dim: int | None = None) -> Self:
        """The cross product of vectors of 3 elements along `dim`; None is the first dimension of size 3.

        >>> Tensor([1, 0, 0]).cross(Tensor([0, 1, 0])).tolist()
        [0, 0, 1]
        """
        self._same_device("cross", other)
        shape = broadcast_shape("cross", self.shape, other.shape)
        if self.ndim != other.ndim:
            fail(ShapeError, f"cross: shapes {list(self.shape)} and {list(other.shape)} are of different dimensions")
        if dim is None:
            dim = next((i for i, n in enumerate(shape) if n == 3), None)
            if dim is None:
                fail(ShapeError, f"cross: shape {list(shape)} has no dimension of size 3")
        axis = self._axis(dim)
        if self.ndim == 0 or self.shape[axis] != 3 or other.shape[axis] != 3:
            fail(ShapeError, f"cross: dim {dim} of {list(self.shape)} and {list(other.shape)} is not of size 3")
        a, b = self._parts_of_3(axis), self._beside(other)._parts_of_3(axis)
        parts = [a[i] * b[j] - a[j] * b[i] for i, j in ((1, 2), (2, 0), (0, 1))]
        return cat(parts, axis)

    def _parts_of_3(self, axis: int) -> list[Self]:
        return [self.narrow(axis, k, 1) for k in range(3)]

    def trace(self) -> Self:
        """The sum of the diagonal of a matrix; of integers in int64.

        >>> Tensor([[1, 2], [3, 4]]).trace().item()
        5
        """
        if self.ndim != 2:
            fail(ShapeError, f"trace: needs a matrix, not shape {list(self.shape)}")
        return self.diagonal().sum()

    # ---- over chosen dimensions ----

    def tensordot(self, other: Core, dims: Any = 2) -> Self:
        """Sums of products over several dimensions of both: the last `dims` of this tensor and the first of `other`, or
        the two lists of dimensions in `dims`.

        >>> Tensor.ones(2, 3, 4).tensordot(Tensor.ones(4, 3, 5), dims=([2, 1], [0, 1])).shape
        (2, 5)
        """
        self._same_device("tensordot", other)
        dims = dims.tolist() if isinstance(dims, Core) else dims  # type: ignore[attr-defined]
        if isinstance(dims, int):
            if not 0 <= dims <= min(self.ndim, other.ndim):
                fail(ArgumentError, f"tensordot: dims {dims} for shapes {list(self.shape)} and {list(other.shape)}")
            return self._contracted("tensordot", other, range(self.ndim - dims, self.ndim), range(dims))
        if not isinstance(dims, (list, tuple)) or len(dims) != 2 or not all(map(are_dims, dims)):
            fail(ArgumentTypeError, f"tensordot: dims is an integer or two lists of dimensions, not {described(dims)}")
        mine, others = ([d] if isinstance(d, int) else list(d) for d in dims)
        right = self._beside(other)
        return self._contracted("tensordot", right, [self._axis(d) for d in mine], [right._axis(d) for d in others])

    def _contracted(self, what: str, other: Core, mine: Sequence[int], others: Sequence[int]) -> Self:
        """Sums over the dimensions `mine` of this tensor and `others` of the other one."""
        right = self._beside(other)
        left_sizes, right_sizes = [self.shape[i] for i in mine], [right.shape[i] for i in others]
        pairs = list(zip(left_sizes, right_sizes))
        twice = len(set(mine)) < len(mine) or len(set(others)) < len(others)
        if len(mine) != len(others) or twice or any(n != m and 1 not in (n, m) for n, m in pairs):
            shapes = f"{list(self.shape)} over {list(mine)} and {list(right.shape)} over {list(others)}"
            fail(ShapeError, f"{what}: {shapes} do not fit")
        left = self.sum([i for i, (n, m) in zip(mine, pairs) if n != m and m == 1] or [], True, self.dtype)
        right = right.sum([i for i, (n, m) in zip(others, pairs) if n != m and n == 1] or [], True, right.dtype)
        kept = [i for i in range(left.ndim) if i not in mine]
        right_kept = [i for i in range(right.ndim) if i not in others]
        depth = dim_product(left.shape[i] for i in mine)
        rows: Shape = tuple(left.shape[i] for i in kept)
        columns: Shape = tuple(right.shape[i] for i in right_kept)
        a = left.permute(*kept, *mine).reshape(dim_product(rows), depth)
        b = right.permute(*others, *right_kept).reshape(depth, dim_product(columns))
        return a.matmul(b).reshape(*rows, *columns)

    def kron(self, other: Operand) -> Self:
        """Kronecker's product: every element of this tensor times all of `other`, in its place.

        >>> Tensor([[1, 2]]).kron(Tensor([[1, 1], [0, 1]])).tolist()
        [[1, 1, 2, 2], [0, 1, 0, 2]]
        """
        if not isinstance(other, Core):
            not_a_tensor("kron", other)
        right = self._beside(other)
        n = max(self.ndim, right.ndim)
        a, b = (1,) * (n - self.ndim) + self.shape, (1,) * (n - right.ndim) + right.shape
        left = self.reshape([k for size in a for k in (size, 1)])
        product = left * right.reshape([k for size in b for k in (1, size)])
        return product.reshape([i * j for i, j in zip(a, b)])

    @rounded_once
    def bilinear(self, input2: Core, weight: Core, bias: Core | None = None) -> Self:
        """y[..., o] = self[..., i] weight[o, i, j] input2[..., j] + bias[o], summed over i and j.

        >>> Tensor([[1.0, 2.0]]).bilinear(Tensor([[3.0]]), Tensor([[[1.0], [1.0]]])).tolist()
        [[9.0]]
        """
        self._same_device("bilinear", input2, weight, *(() if bias is None else (bias,)))
        shapes = f"inputs {list(self.shape)} and {list(input2.shape)} and a weight {list(weight.shape)}"
        if weight.ndim != 3 or (self.shape[-1:], input2.shape[-1:]) != (weight.shape[1:2], weight.shape[2:]):
            fail(ShapeError, f"bilinear: {shapes} do not fit: (..., i), (..., j) and (o, i, j)")
        if self.shape[:-1] != input2.shape[:-1]:
            fail(ShapeError, f"bilinear: {shapes}: all dimensions of the inputs but the last must be equal")
        outputs, n, m = weight.shape
        by_first = self.matmul(self._beside(weight).permute(1, 0, 2).reshape(n, outputs * m))
        result: Self = einsum("...om,...m->...o", by_first.reshape(*self.shape[:-1], outputs, m), input2)
        return result if bias is None else result + bias

    # ---- of many matrices ----

    def einsum(self, equation: str, *others: Core) -> Self:
        """`lazygrad.einsum(equation, self, *others)`.

        >>> Tensor([[1, 2], [3, 4]]).einsum("ij,j->i", Tensor([1, 1])).tolist()
        [3, 7]
        """
        if not isinstance(self, Core):
            not_a_tensor("einsum", self, "a Tensor before its formula, as in x.einsum('ij->ji')")
        return einsum(equation, self, *others)  # type: ignore[no-any-return]

    @rounded_once
    def l2_normalize(self, dim: int = -1, eps: float = 1e-12) -> Self:
        """This tensor over its 2-norm along `dim`, or over `eps` where that is larger.

        >>> Tensor([3.0, 4.0]).l2_normalize().tolist()
        [0.6000000238418579, 0.800000011920929]
        """
        return self / self.norm(2, dim, keepdim=True).clamp(min=eps)
