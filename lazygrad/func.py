"""Transformations of functions, by PyTorch's names (`torch.func`). No logic is here."""

from typing import TYPE_CHECKING

from lazygrad.absent import absent_from
from lazygrad.nn.stateless import functional_call
from lazygrad.ops.derivatives import hessian, jacfwd, jacrev, jvp, vjp
from lazygrad.ops.functional import grad, value_and_grad
from lazygrad.ops.vmap import vmap

__all__ = [
    "functional_call",
    "grad",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "value_and_grad",
    "vjp",
    "vmap",
]

if not TYPE_CHECKING:
    __getattr__ = absent_from("lazygrad.func")
