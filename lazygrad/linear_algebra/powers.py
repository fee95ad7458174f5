"""Functions of matrices that are a few products, and products of vectors over a dimension. All stay on the device, but
for what `matrix_exp` must know.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lazygrad.engine.run import read
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.index.expr import dim_product
from lazygrad.ir.build import filled_like
from lazygrad.ir.call import FLAT
from lazygrad.ir.node import call
from lazygrad.linear_algebra.host import T, check_floats, check_matrices, eye_like
from lazygrad.linear_algebra.solving import inv, solve
from lazygrad.linear_algebra.triangles import solve_triangular
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.core import Core, fail
from lazygrad.ops.joining import cat
from lazygrad.ops.operands import not_a_tensor


@autocasting
def matrix_power(A: T, n: int) -> T:
    """A to the power of an integer, by repeated squares; for negative ones that of the inverse.

    >>> matrix_power(Tensor([[1.0, 1.0], [0.0, 1.0]]), 5).tolist()
    [[1.0, 5.0], [0.0, 1.0]]
    """
    if not isinstance(A, Core):
        not_a_tensor("matrix_power", A)
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        fail(ShapeError, f"matrix_power: needs square matrices, (..., n, n), not shape {list(A.shape)}")
    if isinstance(n, bool) or not isinstance(n, int):
        fail(ArgumentError, f"matrix_power: {n!r} is no integer")
    if n == 0:
        return A._out(call(eye_like(A).expand(A.shape)._in(), (A._in(),), FLAT, 0))
    square = inv(A) if n < 0 else A
    result, left = None, abs(n)
    while left:
        if left % 2:
            result = square if result is None else result.matmul(square)
        left //= 2
        square = square.matmul(square) if left else square
    assert result is not None
    return result


_TERMS = 16  # of Taylor's series
_NORM = {4: 2.5, 8: 0.75}  # by bytes: what the series leaves out up to this norm is below half an epsilon


def matrix_exp(A: T) -> T:
    """The exponentials of square matrices, the sum of A^k / k!.

    Scaling and squaring (Higham, The scaling and squaring method for the matrix exponential revisited, 2005) with
    Taylor's polynomial of degree 16 in the form of Paterson and Stockmeyer. The largest norm is read at once, to know
    how many squarings there are; all products stay on the device.

    >>> matrix_exp(Tensor([[0.0, 1.0], [0.0, 0.0]])).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    check_matrices("matrix_exp", A, square=True)
    if 0 in A.shape:
        return A._apart()
    norms = A.detach().abs().sum(-2)
    norm = norms.isfinite()._choose(norms, 0.0).amax()  # matrices with inf and nan say nothing about the others
    largest = float(read(norm.node, norm.device))
    squarings = max(0, math.ceil(math.log2(largest / _NORM[A.dtype.itemsize]))) if largest else 0
    X = A * 2.0**-squarings
    powers = [eye_like(A), X, X.matmul(X)]
    powers += [powers[2].matmul(X), powers[2].matmul(powers[2])]
    result = powers[4] * (1 / math.factorial(_TERMS))
    for k in range(_TERMS - 4, -1, -4):
        part = powers[0] * (1 / math.factorial(k))
        for j in range(1, 4):
            part = part + powers[j] * (1 / math.factorial(k + j))
        result = part + result if k == _TERMS - 4 else part + powers[4].matmul(result)
    for _ in range(squarings):
        result = result.matmul(result)
    return result


@autocasting
def cross(input: T, other: T, *, dim: int = -1) -> T:
    """The cross product of vectors of 3 elements along `dim`; other dimensions broadcast.

    >>> cross(Tensor([[1, 0, 0]]), Tensor([[0, 1, 0], [0, 0, 1]])).tolist()
    [[0, 0, 1], [0, -1, 0]]
    """
    if not isinstance(input, Core):
        not_a_tensor("cross", input)
    return input.cross(other, dim)


@autocasting
def vecdot(x: T, y: T, *, dim: int = -1) -> T:
    """The inner products of vectors along `dim`; other dimensions broadcast.

    >>> vecdot(Tensor([[1, 2], [3, 4]]), Tensor([1, 1])).tolist()
    [3, 7]
    """
    if not isinstance(x, Core):
        not_a_tensor("vecdot", x)
    product = x * y
    return product.sum(dim, dtype=product.dtype)


def diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The diagonals of matrices over two dimensions, as a view whose last dimension they are.

    >>> diagonal(Tensor([[[1, 2], [3, 4]]])).tolist()
    [[1, 4]]
    """
    if not isinstance(A, Core):
        not_a_tensor("diagonal", A)
    return A.diagonal(offset, dim1, dim2)  # type: ignore[attr-defined]


def vander(x: T, *, N: int | None = None) -> T:
    """Vandermonde's matrix: of vectors (..., n) the powers 0 to N - 1, (..., n, N), N = n unless given.

    >>> vander(Tensor([2, 3]), N=3).tolist()
    [[1, 2, 4], [1, 3, 9]]
    """
    if not isinstance(x, Core):
        not_a_tensor("vander", x)
    if not x.ndim:
        return vander(x.unsqueeze(0), N=N)
    count = x.shape[-1] if N is None else N
    if isinstance(count, int) and count <= 1 and N is not None:
        fail(ArgumentError, f"vander: N is {N}; it must be greater than 1")
    base: Any = x.unsqueeze(-1) if x.dtype.is_float else x.unsqueeze(-1).cast("int64")
    ones = base._new(filled_like(base.node, 1))
    return cat([ones, base.expand(*x.shape, count - 1).cumprod(-1)], -1)  # type: ignore[no-any-return]


@autocasting
def tensorinv(A: T, ind: int = 2) -> T:
    """The inverse of a tensor as a map from its last dimensions to its first `ind` ones, whose sizes have one product.

    >>> tensorinv(Tensor.eye(6).reshape(2, 3, 6), ind=2).shape
    (6, 2, 3)
    """
    if not isinstance(A, Core):
        not_a_tensor("tensorinv", A)
    if isinstance(ind, bool) or not isinstance(ind, int) or ind < 1:
        fail(ArgumentError, f"tensorinv: ind is {ind!r}; it must be at least 1")
    n = dim_product(A.shape[ind:])
    if dim_product(A.shape[:ind]) != n:
        fail(ShapeError, f"tensorinv: the first {ind} sizes of {list(A.shape)} have another product than the others")
    return inv(A.reshape(-1 if n else 0, n)).reshape(*A.shape[ind:], *A.shape[:ind])


@autocasting
def tensorsolve(A: T, B: T, dims: Sequence[int] | None = None) -> T:
    """X with tensordot(A, X, X.ndim) = B; the dimensions `dims` of A are moved to its end before.

    >>> tensorsolve(Tensor.eye(6).reshape(2, 3, 6), Tensor.ones(2, 3)).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    for x in (A, B):
        if not isinstance(x, Core):
            not_a_tensor("tensorsolve", x)
    if dims is not None:
        moved = [A._axis(d) for d in dims]
        A = A.permute(*(i for i in range(A.ndim) if i not in moved), *moved)
    shape = A.shape[B.ndim :]
    if dim_product(shape) != dim_product(B.shape) or dim_product(A.shape[: B.ndim]) != dim_product(B.shape):
        fail(ShapeError, f"tensorsolve: shapes {list(A.shape)} and {list(B.shape)} do not fit")
    return solve(A.reshape(dim_product(B.shape), -1), B.flatten()).reshape(*shape)


# ---- products of reflections ----


def reflections(V: Any, tau: Any) -> Any:
    """The product of the reflections I - tau v v^T, (..., m, m), v being the columns of a unit lower triangle `V`.

    It is I - V T V^T with T = (I + diag(tau) striu(V^T V))^-1 diag(tau) (Joffrain et al., Accumulating Householder
    transformations, revisited, 2006).
    """
    check_matrices("householder_product", V)
    check_floats("householder_product", V, tau)
    m, n, k = int(V.shape[-2]), int(V.shape[-1]), int(tau.shape[-1]) if tau.ndim else -1
    if not 0 <= k <= min(m, n) or tau.shape[:-1] != V.shape[:-2]:
        fail(ShapeError, f"householder_product: shapes {list(V.shape)} and {list(tau.shape)} do not fit")
    V = V.narrow(-1, 0, k).tril(-1) + eye_like(V, int(m)).narrow(-1, 0, k)
    T = tau.unsqueeze(-1) * V.mT.matmul(V).triu(1)
    right = solve_triangular(T, tau.unsqueeze(-1) * V.mT, upper=True, unitriangular=True)
    return eye_like(V, int(m)) - V.matmul(right)


@autocasting
def householder_product(A: T, tau: T) -> T:
    """The first n columns of the product of k reflections, as LAPACK's `geqrf` stores them: A is (..., m, n), its lower
    triangle holds the vectors, and tau (..., k) their factors, m >= n >= k.

    >>> householder_product(Tensor([[1.0], [1.0]]), Tensor([1.0])).tolist()
    [[0.0], [-1.0]]
    """
    check_matrices("householder_product", A)
    if int(A.shape[-2]) < int(A.shape[-1]):
        fail(ShapeError, f"householder_product: shape {list(A.shape)} has fewer rows than columns")
    return reflections(A, tau).narrow(-1, 0, A.shape[-1])  # type: ignore[no-any-return]
