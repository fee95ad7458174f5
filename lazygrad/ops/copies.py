"""Copies where the plain operation gives views, a line each: `x.t_copy()` is `x.t()` in memory of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from lazygrad.ops.core import Core
from lazygrad.ops.patches import Patches
from lazygrad.ops.wrapping import standing_for

if TYPE_CHECKING:
    from typing_extensions import Self

P = ParamSpec("P")
R = TypeVar("R")


def copied(method: Callable[P, R]) -> Callable[P, R]:
    """The form of `method` whose results share no memory with its tensor.

    >>> from lazygrad.ops.copies import copied
    >>> copied(Tensor.t)(Tensor([[1, 2]])).tolist()
    [[1], [2]]
    """
    name = method.__name__

    @standing_for(method, f"{name}_copy")
    def copy(*args: P.args, **kwargs: P.kwargs) -> R:
        result: Any = method(*args, **kwargs)
        if isinstance(result, Core):
            return result._apart()  # type: ignore[return-value]
        return tuple(t._apart() for t in result)  # type: ignore[return-value]

    copy.__doc__ = f"`{name}`, as a copy: nothing that is written to either reaches the other."
    return copy


class Copies(Patches):
    """`permute_copy` and its like."""

    __slots__ = ()

    def alias_copy(self) -> Self:
        """A copy.

        >>> Tensor([1]).alias_copy().tolist()
        [1]
        """
        return self._apart()

    as_strided_copy = copied(Patches.as_strided)
    detach_copy = copied(Patches.detach)
    diagonal_copy = copied(Patches.diagonal)
    expand_copy = copied(Patches.expand)
    narrow_copy = copied(Patches.narrow)
    permute_copy = copied(Patches.permute)
    select_copy = copied(Patches.select)
    split_copy = copied(Patches.split)
    split_with_sizes_copy = copied(Patches.split_with_sizes)
    squeeze_copy = copied(Patches.squeeze)
    t_copy = copied(Patches.t)
    transpose_copy = copied(Patches.transpose)
    unbind_copy = copied(Patches.unbind)
    unfold_copy = copied(Patches.unfold)
    unsafe_chunk = copied(Patches.chunk)
    unsafe_split = copied(Patches.split)
    unsafe_split_with_sizes = copied(Patches.split_with_sizes)
    unsqueeze_copy = copied(Patches.unsqueeze)
    view_copy = copied(Patches.view)
