"""`torch.linalg` here: the functions of `lazygrad.linear_algebra` and a method; no logic."""

from typing import TYPE_CHECKING

from lazygrad.absent import absent_from
from lazygrad.errors import LinAlgError
from lazygrad.functions.products import matmul
from lazygrad.linear_algebra.determinants import det, slogdet
from lazygrad.linear_algebra.ldl import ldl_factor, ldl_factor_ex, ldl_solve
from lazygrad.linear_algebra.norms import matrix_norm, norm, vector_norm
from lazygrad.linear_algebra.older import lu_factor, lu_factor_ex
from lazygrad.linear_algebra.older import lu_solve_factored as lu_solve
from lazygrad.linear_algebra.powers import (
    cross,
    diagonal,
    householder_product,
    matrix_exp,
    matrix_power,
    tensorinv,
    tensorsolve,
    vander,
    vecdot,
)
from lazygrad.linear_algebra.pseudo import cond, lstsq, matrix_rank, pinv
from lazygrad.linear_algebra.solving import inv, inv_ex, solve, solve_ex
from lazygrad.linear_algebra.spectral import eig, eigh, eigvals, eigvalsh, svd, svdvals
from lazygrad.linear_algebra.triangles import cholesky, cholesky_ex, lu, qr, solve_triangular
from lazygrad.ops.chain import multi_dot
from lazygrad.ops.signatures import check_functions

__all__ = [
    "LinAlgError",
    "cholesky",
    "cholesky_ex",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "householder_product",
    "inv",
    "inv_ex",
    "ldl_factor",
    "ldl_factor_ex",
    "ldl_solve",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_factor_ex",
    "lu_solve",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_ex",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "vander",
    "vecdot",
    "vector_norm",
]

check_functions(globals())

if not TYPE_CHECKING:
    __getattr__ = absent_from("lazygrad.linalg")
