"""Linear algebra under PyTorch's older names, as functions; `lazygrad.linalg` has the newer ones."""

from lazygrad.functions.made import function
from lazygrad.linear_algebra.lowrank import pca_lowrank, svd_lowrank
from lazygrad.linear_algebra.older import lu_unpack
from lazygrad.tensor import Tensor

__all__ = [
    "adjoint",
    "cholesky",
    "cholesky_inverse",
    "cholesky_solve",
    "det",
    "geqrf",
    "inverse",
    "logdet",
    "lu",
    "lu_solve",
    "lu_unpack",
    "matrix_exp",
    "matrix_power",
    "orgqr",
    "ormqr",
    "pca_lowrank",
    "pinverse",
    "qr",
    "slogdet",
    "svd",
    "svd_lowrank",
    "triangular_solve",
]

adjoint = function(Tensor.adjoint)
cholesky = function(Tensor.cholesky)
cholesky_inverse = function(Tensor.cholesky_inverse)
cholesky_solve = function(Tensor.cholesky_solve)
det = function(Tensor.det)
geqrf = function(Tensor.geqrf)
inverse = function(Tensor.inverse)
logdet = function(Tensor.logdet)
lu = function(Tensor.lu)
lu_solve = function(Tensor.lu_solve)
matrix_exp = function(Tensor.matrix_exp)
matrix_power = function(Tensor.matrix_power)
orgqr = function(Tensor.orgqr)
ormqr = function(Tensor.ormqr)
pinverse = function(Tensor.pinverse)
qr = function(Tensor.qr)
slogdet = function(Tensor.slogdet)
svd = function(Tensor.svd)
triangular_solve = function(Tensor.triangular_solve)
