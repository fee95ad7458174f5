"""In-place operations: the tensor takes a new value, and so do those that are the same elements. Nothing changes under
another tensor: see `aliases` for views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lazygrad.dtype import Scalar, category
from lazygrad.errors import DTypeError, GradientError, ShapeError
from lazygrad.ir.node import cast, detach
from lazygrad.ops.aliases import reach
from lazygrad.ops.core import Core, Operand, fail, scalar
from lazygrad.ops.fitting import fitted
from lazygrad.ops.layout import Slices
from lazygrad.ops.mode import mode
from lazygrad.ops.passing_on import pass_on
from lazygrad.ops.reduce import Reduce

if TYPE_CHECKING:
    from typing_extensions import Self


class InPlace(Reduce):
    """Operations that replace this tensor's value. But for `assign`, GradientError for leaves that
    require gradients, outside of `no_grad`."""

    __slots__ = ()

    def _become(self, new: Core, by_operator: bool = False, part: Slices | None = None) -> Self:
        """Take the value of `new`, in this tensor's storage where it has one. ViewError where a tensor that this one is
        a view of would have to change, too (by operators: only where no assignment to that tensor follows). Where only
        a `part` differs, other parts are not written to."""
        self._check_writable()
        return self._exchange(new, by_operator, part)

    def _exchange(self, new: Core, by_operator: bool = False, part: Slices | None = None) -> Self:
        if new.shape != self.shape:
            fail(ShapeError, f"in-place: the result has shape {list(new.shape)}, the tensor {list(self.shape)}")
        if category(new.dtype) > category(self.dtype):
            fail(DTypeError, f"in-place: a result of {new.dtype} does not fit into a tensor of {self.dtype}")
        others = None if self._alias is None else reach(self, by_operator, part)
        value = cast(new.node if mode.enabled or not new.requires_grad else detach(new.node), self.dtype)
        pass_on(self, value, others, new.requires_grad and mode.enabled)
        return self

    def _check_writable(self) -> None:
        if mode.enabled and self.requires_grad and self._leaf:
            fail(
                GradientError,
                "in-place: this tensor is a leaf that requires a gradient; change it inside `with no_grad():`",
            )

    def assign(self, value: Operand) -> Self:
        """Take `value`, broadcast to this tensor's shape and cast to its dtype, in this tensor's storage.

        A leaf that requires a gradient takes the numbers alone, as inside `no_grad`: it stays a leaf.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> x.assign(Tensor([3, 4])).tolist(), x.tolist(), x.is_leaf
        ([3.0, 4.0], [3.0, 4.0], True)
        """
        new = self._assigned(value)
        new = new.cast(self.dtype).expand(self.shape)
        return self._exchange(new.detach() if self.requires_grad and self._leaf else new)

    def _assigned(self, value: Operand) -> Self:
        if isinstance(value, (Core, np.ndarray)):
            return self._beside(value)
        return self._new(fitted("assign", scalar("assign", value), self.dtype))

    def _written(self, value: Operand) -> Self:
        """`assign`, which a leaf that requires a gradient refuses where gradients are recorded."""
        self._check_writable()
        return self.assign(value)

    def copy_(self, value: Operand) -> Self:
        """`assign`, by PyTorch's name and rule: GradientError for a leaf that requires a gradient, outside `no_grad`.

        >>> Tensor([1, 2]).copy_(Tensor([3, 4])).tolist()
        [3, 4]
        """
        return self._written(value)

    def fill_(self, value: Scalar) -> Self:
        """Every element becomes `value`.

        >>> Tensor([1, 2]).fill_(7).tolist()
        [7, 7]
        """
        return self._written(value)

    def zero_(self) -> Self:
        """Every element becomes 0.

        >>> Tensor([1, 2]).zero_().tolist()
        [0, 0]
        """
        return self._written(0)

    def add_(self, other: Operand, *, alpha: float = 1) -> Self:
        """self += alpha * other.

        >>> Tensor([1, 2]).add_(10).tolist()
        [11, 12]
        """
        return self._become(self.add(other, alpha=alpha))

    def sub_(self, other: Operand, *, alpha: float = 1) -> Self:
        """self -= alpha * other.

        >>> Tensor([1, 2]).sub_(1).tolist()
        [0, 1]
        """
        return self._become(self.sub(other, alpha=alpha))

    def mul_(self, other: Operand) -> Self:
        """self *= other.

        >>> Tensor([1, 2]).mul_(3).tolist()
        [3, 6]
        """
        return self._become(self.mul(other))

    def div_(self, other: Operand) -> Self:
        """self /= other. DTypeError for integers, whose quotient does not fit.

        >>> Tensor([1.0, 2.0]).div_(2).tolist()
        [0.5, 1.0]
        """
        return self._become(self.div(other))

    def clamp_(self, min: Operand | None = None, max: Operand | None = None) -> Self:
        """`clamp` in place.

        >>> Tensor([1, 9]).clamp_(max=5).tolist()
        [1, 5]
        """
        return self._become(self.clamp(min, max))

    def __iadd__(self, other: Operand) -> Self:
        return self._become(self + other, by_operator=True)

    def __isub__(self, other: Operand) -> Self:
        return self._become(self - other, by_operator=True)

    def __imul__(self, other: Operand) -> Self:
        return self._become(self * other, by_operator=True)

    def __itruediv__(self, other: Operand) -> Self:
        return self._become(self / other, by_operator=True)

    def __ifloordiv__(self, other: Operand) -> Self:
        return self._become(self // other, by_operator=True)

    def __imod__(self, other: Operand) -> Self:
        return self._become(self % other, by_operator=True)

    def __ipow__(self, other: Operand) -> Self:
        return self._become(self**other, by_operator=True)

    def __iand__(self, other: Operand) -> Self:
        return self._become(self & other, by_operator=True)

    def __ior__(self, other: Operand) -> Self:
        return self._become(self | other, by_operator=True)

    def __ilshift__(self, other: Operand) -> Self:
        return self._become(self << other, by_operator=True)

    def __irshift__(self, other: Operand) -> Self:
        return self._become(self >> other, by_operator=True)

    def __ixor__(self, other: Operand) -> Self:
        return self._become(self ^ other, by_operator=True)
