"""`x.t_()` and its like: a tensor takes another shape over the same elements. Other tensors of them keep theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from lazygrad.errors import GradientError, ViewError
from lazygrad.index.expr import dim_product
from lazygrad.ops.aliases import touched_by
from lazygrad.ops.arguments import new_shape
from lazygrad.ops.copies import Copies
from lazygrad.ops.core import Core, fail
from lazygrad.ops.movement import Movement
from lazygrad.ops.wrapping import standing_for

if TYPE_CHECKING:
    from typing_extensions import Self

P = ParamSpec("P")
T = TypeVar("T", bound="ReshapingInPlace")


def reshaping(method: Callable[Concatenate[T, P], T]) -> Callable[Concatenate[T, P], T]:
    """The form of a view's `method` after which the tensor is that view.

    >>> from lazygrad.ops.reshaping_in_place import reshaping
    >>> reshaping(Tensor.t)(Tensor([[1, 2]])).tolist()
    [[1], [2]]
    """
    name = method.__name__

    @standing_for(method, f"{name}_")
    def changed(self: T, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._become_view(method(self, *args, **kwargs))

    changed.__doc__ = (
        f"`{name}` in place: this tensor is that view from now on. Other views of its elements keep theirs."
    )
    return changed  # type: ignore[return-value]


class ReshapingInPlace(Copies):
    """Another shape for this tensor. GradientError for leaves that require gradients, outside of `no_grad`."""

    __slots__ = ()

    def _become_view(self, view: Self) -> Self:
        """Be `view`, a view of this tensor."""
        self._check_writable()
        if view is self:
            return self
        age = 0 if self._alias is None else self._alias.number
        alias = view._alias
        if alias is not None:
            alias.find_layout()
            alias.number = age  # writes go by which tensor is older
        self._take(view.node)
        self._alias = alias
        if not self._leaf:
            self._requires, self._leaf = view._requires, view._leaf
        return self

    squeeze_ = reshaping(Movement.squeeze)
    t_ = reshaping(Movement.t)
    transpose_ = reshaping(Movement.transpose)
    unsqueeze_ = reshaping(Movement.unsqueeze)
    swapaxes_ = reshaping(Copies.swapaxes)
    swapdims_ = reshaping(Copies.swapdims)
    as_strided_ = reshaping(Copies.as_strided)

    def resize_(self, *size: Any, memory_format: Any = None) -> Self:
        """Another shape in place, of the first elements in a row; further ones are 0.

        GradientError where gradients are recorded, ViewError for more elements while others share these.

        >>> Tensor([1, 2, 3, 4]).resize_(1, 3).tolist()
        [[1, 2, 3]]
        """
        if self.requires_grad:
            fail(GradientError, "resize_: a tensor that requires a gradient keeps its number of elements; use reshape")
        shape = new_shape(size, "resize_")
        count, have = dim_product(shape), dim_product(self.shape)
        if not isinstance(count, int) or not isinstance(have, int) or count <= have:
            return self._become_view(self.reshape(have).narrow(0, 0, count).reshape(shape))
        if touched_by(self):
            fail(ViewError, f"resize_: views of this tensor {list(self.shape)} live; make a new one, e.g. with pad")
        self._take(self.reshape(have).pad((0, count - have)).reshape(shape).node)
        self._alias = None
        return self

    def resize_as_(self, the_template: Core, memory_format: Any = None) -> Self:
        """`resize_` to another tensor's shape.

        >>> Tensor([1, 2, 3]).resize_as_(Tensor([0, 0])).tolist()
        [1, 2]
        """
        self._same_device("resize_as_", the_template)
        return self.resize_(the_template.shape)
