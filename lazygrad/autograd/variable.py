"""`Variable`, which tensors were called where they had gradients."""

from __future__ import annotations

from typing import Any

from lazygrad.errors import OperandError, fail
from lazygrad.ops.operands import describe
from lazygrad.tensor import Tensor


class _OfTensors(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)

    def __call__(cls, data: Tensor, requires_grad: bool = False, volatile: bool | None = None) -> Tensor:
        if not isinstance(data, Tensor):
            fail(OperandError, f"Variable: {describe(data)[0]} is no Tensor; use Tensor(data)")
        return data.detach().requires_grad_(requires_grad)


class Variable(metaclass=_OfTensors):
    """`Variable(data, requires_grad=False)`: the elements of a tensor as a new leaf; every Tensor is a Variable.

    OperandError for what is no tensor. `volatile` is accepted, and does nothing, as in PyTorch.

    >>> x = Variable(Tensor([2.0]), requires_grad=True)
    >>> (x * x).backward()
    >>> x.grad, isinstance(x, Variable)
    (tensor([4.]), True)
    """
