"""Linear algebra as methods: the functions of `lazygrad.linear_algebra` whose first argument is the tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazygrad.dtype import DTypeLike
from lazygrad.linear_algebra import determinants, norms, older, powers, solving
from lazygrad.ops.products import Products
from lazygrad.ops.reduce import Dims

if TYPE_CHECKING:
    from typing_extensions import Self


class LinearAlgebra(Products):
    """Factorizations, inverses, determinants and functions of matrices."""

    __slots__ = ()

    @property
    def mH(self) -> Self:  # noqa: N802 - PyTorch's name
        """`mT`: the numbers are real.

        >>> Tensor.zeros(5, 2, 3).mH.shape
        (5, 3, 2)
        """
        return self.mT

    def adjoint(self) -> Self:
        """`mT`: the numbers are real.

        >>> Tensor.zeros(5, 2, 3).adjoint().shape
        (5, 3, 2)
        """
        return self.mT

    def norm(
        self, p: float | str | None = "fro", dim: Dims = None, keepdim: bool = False, dtype: DTypeLike | None = None
    ) -> Self:
        """The p-norm, (sum |x|^p)^(1/p), of any order p: also 0 (how many are not 0), inf and -inf (the largest and the
        smallest size); "fro" and None are 2, and "nuc", over two dimensions, sums the singular values, on the host.

        Computed in `dtype` where that is given. The gradient is zero where the norm is zero. ShapeError for no elements
        with p < 0 or inf, and for "nuc" over other than two dimensions.

        >>> Tensor([3.0, 4.0]).norm().item(), Tensor([[3.0, 0.0], [0.0, -4.0]]).norm("nuc").item()
        (5.0, 7.0)
        """
        if p != "nuc":
            return super().norm(p, dim, keepdim, dtype)
        return norms.matrix_norm(self, "nuc", self._axes(dim), keepdim, dtype=dtype)

    cholesky = older.cholesky
    cholesky_inverse = older.cholesky_inverse
    cholesky_solve = older.cholesky_solve
    det = determinants.det
    geqrf = older.geqrf
    inverse = solving.inv
    logdet = determinants.logdet
    lu = older.lu
    lu_solve = older.lu_solve
    matrix_exp = powers.matrix_exp
    matrix_power = powers.matrix_power
    orgqr = powers.householder_product
    ormqr = older.ormqr
    pinverse = older.pinverse
    qr = older.qr
    slogdet = determinants.slogdet
    svd = older.svd
    triangular_solve = older.triangular_solve
