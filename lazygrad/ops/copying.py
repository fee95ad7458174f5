"""Copies of tensors."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, NoReturn

from lazygrad.errors import GradientError
from lazygrad.ir.node import Node, contiguous, detach, new_uid
from lazygrad.ops.aliases import copy_family, view_of
from lazygrad.ops.core import Core, fail
from lazygrad.ops.creation import leaf
from lazygrad.ops.layout import detached

if TYPE_CHECKING:
    from typing_extensions import Self


class Copying(Core):
    """Copies: of values, and as the module `copy` makes them."""

    __slots__ = ()

    def clone(self, *, memory_format: Any = None) -> Self:
        """The same values, stored anew; gradients pass. `memory_format` is accepted: elements are in row-major order.

        >>> Tensor([1, 2]).clone().tolist()
        [1, 2]
        """
        return self._out(contiguous(self._in(), new_uid()))

    def __copy__(self) -> Self:
        """Another tensor of the same memory, as PyTorch has it: the value, not the gradient."""
        return view_of(self, leaf(type(self), self._value(), self.device, self.requires_grad), detached)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The value and the gradient stored anew. GradientError for what was computed and requires a gradient."""
        if not self.is_leaf:
            fail(GradientError, "deepcopy: only leaves of a graph can be copied; copy x.detach()")
        new = leaf(type(self), contiguous(self._value(), new_uid()), self.device, self.requires_grad)
        new.grad = deepcopy(self.grad, memo)
        copy_family(self, new, memo)
        memo[id(self)] = new
        return new

    def _value(self) -> Node:
        """The value without a way for gradients."""
        return detach(self.node) if self.requires_grad else self.node

    def __reduce__(self) -> NoReturn:
        raise TypeError("tensors are never pickled: use lazygrad.save (or lazygrad.io), or send tensor.numpy()")
