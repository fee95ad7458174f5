"""The extension `linalg`: what `lazygrad.linalg` has, by the standard's names and arguments."""

from __future__ import annotations

from lazygrad.array_api.manipulation import Axes
from lazygrad.array_api.products import matmul, matrix_transpose, tensordot, vecdot, vectors
from lazygrad.array_api.promotion import alike, an_array
from lazygrad.array_api.statistical import some_axis
from lazygrad.array_api.statistical import sum as total
from lazygrad.dtype import DType
from lazygrad.linear_algebra import determinants, norms, powers, pseudo, solving, spectral, triangles
from lazygrad.tensor import Tensor

__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """The triangular factor of positive definite matrices (..., M, M): x = L L^T, or U^T U. LinAlgError for others.

    >>> cholesky(Tensor([[4.0, 2.0], [2.0, 2.0]])).tolist()
    [[2.0, 0.0], [1.0, 1.0]]
    """
    return triangles.cholesky(x, upper=upper)


def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The cross product of vectors of three along `axis`; other dimensions are broadcast.

    >>> cross(Tensor([1, 0, 0]), Tensor([0, 1, 0])).tolist()
    [0, 0, 1]
    """
    return powers.cross(*vectors("cross", x1, x2, axis), dim=axis)


def det(x: Tensor, /) -> Tensor:
    """The determinants of square matrices (..., M, M).

    >>> det(Tensor([[2.0, 0.0], [0.0, 3.0]])).item()
    6.0
    """
    return determinants.det(x)


def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """The diagonals of matrices (..., M, N), `offset` places above the main one.

    >>> diagonal(Tensor([[1, 2], [3, 4]])).tolist()
    [1, 4]
    """
    return an_array("diagonal", x).diagonal(offset, -2, -1)


def eigh(x: Tensor, /) -> spectral.Eigh:
    """Eigenvalues, ascending, and eigenvectors (the columns) of symmetric matrices (..., M, M).

    >>> eigh(Tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues.tolist()
    [1.0, 2.0]
    """
    return spectral.eigh(x)


def eigvalsh(x: Tensor, /) -> Tensor:
    """The eigenvalues of symmetric matrices (..., M, M), ascending.

    >>> eigvalsh(Tensor([[2.0, 0.0], [0.0, 1.0]])).tolist()
    [1.0, 2.0]
    """
    return spectral.eigvalsh(x)


def inv(x: Tensor, /) -> Tensor:
    """The inverses of square matrices (..., M, M). LinAlgError for singular ones.

    >>> inv(Tensor([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return solving.inv(x)


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: float | str = "fro") -> Tensor:
    """The norms of matrices (..., M, N): "fro", "nuc", 1, -1, 2, -2, inf or -inf.

    >>> matrix_norm(Tensor([[3.0, 0.0], [0.0, 4.0]])).item()
    5.0
    """
    return norms.matrix_norm(x, ord, keepdim=keepdims)


def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """The n-th powers of square matrices (..., M, M).

    >>> matrix_power(Tensor([[1.0, 1.0], [0.0, 1.0]]), 3).tolist()
    [[1.0, 3.0], [0.0, 1.0]]
    """
    return powers.matrix_power(x, n)


def matrix_rank(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """How many singular values of matrices (..., M, N) are above `rtol` times the largest one (None: an epsilon times
    the larger size).

    >>> matrix_rank(Tensor([[1.0, 1.0], [1.0, 1.0]])).item()
    1
    """
    return pseudo.matrix_rank(x, rtol=_tolerance(x, rtol))


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """All products of the elements of two 1-d arrays.

    >>> outer(Tensor([1, 2]), Tensor([3, 4])).tolist()
    [[3, 4], [6, 8]]
    """
    left, right = alike("outer", x1, x2)
    return left.outer(right)


def pinv(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """The pseudoinverses of matrices (..., M, N); singular values up to `rtol` times the largest one count as zero.

    >>> pinv(Tensor([[2.0, 0.0], [0.0, 0.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    """
    return pseudo.pinv(x, rtol=_tolerance(x, rtol))


def qr(x: Tensor, /, *, mode: str = "reduced") -> triangles.QR:
    """Orthogonal columns and an upper triangle whose product is `x` (..., M, N); `mode` "complete" for all M columns.

    >>> qr(Tensor([[2.0, 0.0], [0.0, 3.0]])).R.abs().tolist()
    [[2.0, 0.0], [0.0, 3.0]]
    """
    return triangles.qr(x, mode)


def slogdet(x: Tensor, /) -> determinants.SlogDet:
    """Signs and logarithms of absolute values of the determinants of square matrices (..., M, M).

    >>> slogdet(Tensor([[2.0, 0.0], [0.0, -0.5]])).sign.item()
    -1.0
    """
    return determinants.slogdet(x)


def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """What `x1` (..., M, M) times is `x2`: (..., M, K), or one vector (M,). LinAlgError for singular matrices.

    >>> solve(Tensor([[2.0, 0.0], [0.0, 4.0]]), Tensor([2.0, 2.0])).tolist()
    [1.0, 0.5]
    """
    matrices, right = alike("solve", x1, x2)
    columns = right.unsqueeze(-1) if right.ndim == 1 else right
    missing = (1,) * (matrices.ndim - columns.ndim)  # else PyTorch takes it for vectors
    solved = solving.solve(matrices, columns.reshape(missing + columns.shape))
    return solved.squeeze(-1) if right.ndim == 1 else solved


def svd(x: Tensor, /, *, full_matrices: bool = True) -> spectral.SVD:
    """U, S (descending) and Vh with x = U diag(S) Vh (..., M, N).

    >>> svd(Tensor([[3.0, 0.0], [0.0, 4.0]])).S.tolist()
    [4.0, 3.0]
    """
    return spectral.svd(x, full_matrices)


def svdvals(x: Tensor, /) -> Tensor:
    """The singular values of matrices (..., M, N), descending.

    >>> svdvals(Tensor([[3.0, 0.0], [0.0, 4.0]])).tolist()
    [4.0, 3.0]
    """
    return spectral.svdvals(x)


def trace(x: Tensor, /, *, offset: int = 0, dtype: DType | None = None) -> Tensor:
    """The sums of the diagonals of matrices (..., M, N); those of integers in 64 bits.

    >>> trace(Tensor([[1, 2], [3, 4]])).item()
    5
    """
    return total(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(x: Tensor, /, *, axis: Axes | None = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """The norms of vectors along `axis`, None for that of all elements.

    >>> vector_norm(Tensor([3.0, 4.0])).item()
    5.0
    """
    over, dims = some_axis("vector_norm", x, axis)
    return norms.vector_norm(over, ord, dims, keepdims and over is x)


def _tolerance(x: Tensor, rtol: float | Tensor | None) -> float | Tensor | None:
    return rtol.cast(x.dtype) if isinstance(rtol, Tensor) else rtol
