"""Products, as PyTorch has them beside the methods."""

from lazygrad.functions.made import function
from lazygrad.ops.chain import chain_matmul
from lazygrad.ops.einsum import einsum
from lazygrad.tensor import Tensor

__all__ = [
    "addbmm",
    "addmm",
    "addmv",
    "addr",
    "baddbmm",
    "bmm",
    "chain_matmul",
    "cross",
    "dot",
    "einsum",
    "ger",
    "inner",
    "kron",
    "matmul",
    "mm",
    "mv",
    "outer",
    "tensordot",
    "trace",
    "vdot",
]

addbmm = function(Tensor.addbmm)
addmm = function(Tensor.addmm)
addmv = function(Tensor.addmv)
addr = function(Tensor.addr)
baddbmm = function(Tensor.baddbmm)
bmm = function(Tensor.bmm)
cross = function(Tensor.cross)
dot = function(Tensor.dot)
ger = function(Tensor.ger)
inner = function(Tensor.inner)
kron = function(Tensor.kron)
matmul = function(Tensor.matmul)
mm = function(Tensor.mm)
mv = function(Tensor.mv)
outer = function(Tensor.outer)
tensordot = function(Tensor.tensordot)
trace = function(Tensor.trace)
vdot = function(Tensor.vdot)
