"""Linear algebra as methods: the functions of `lazygrad.linear_algebra` whose first argument is the tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazygrad.linear_algebra import determinants, older, powers, solving
from lazygrad.ops.products import Products

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
