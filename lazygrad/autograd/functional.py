"""Derivatives of a function at a place, by PyTorch's names (`torch.autograd.functional`). No logic is here."""

from lazygrad.ops.derivatives_at import hessian, hvp, jacobian, jvp, vhp, vjp

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]
