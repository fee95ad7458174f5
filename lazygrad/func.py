"""Transformations of functions, by PyTorch's names (`torch.func`). No logic is here."""

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
