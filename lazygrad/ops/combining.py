"""`reduce`: reductions by a function of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import Scalar, category, of_scalar
from lazygrad.errors import DTypeError, ShapeError
from lazygrad.ir.node import const
from lazygrad.ops.core import Core, fail, scalar
from lazygrad.ops.fitting import fitting
from lazygrad.ops.padding import Padding
from lazygrad.ops.reduce import Dims, Reduce

if TYPE_CHECKING:
    from typing_extensions import Self

LEVELS = 3  # of the tree in one kernel: 2**LEVELS elements are read for one that is written


class Combining(Reduce, Padding):
    """Reductions of any kind."""

    __slots__ = ()

    def reduce(
        self, combine: Callable[[Any, Any], Any], identity: Scalar, dim: Dims = None, keepdim: bool = False
    ) -> Self:
        """All elements along `dim` (one, several, or None for all) combined into one.

        Args:
            combine: an associative function of two tensors of one shape, elementwise: it gives a tensor of that shape
                and dtype. It need not be commutative: neighbours are combined in a balanced tree, and several
                dimensions are taken in the order of their elements.
            identity: combined with any x, it gives x; it fills up odd lengths, and is the result for no elements.

        The gradient is that of the tree; for another one see `Function`. DTypeError or ShapeError for a `combine` that
        gives anything else, and ShapeError for symbolic sizes.

        >>> import lazygrad
        >>> x = Tensor([[3.0, 1.0, 2.0], [5.0, 4.0, 7.0]])
        >>> x.reduce(lambda a, b: lazygrad.where(a < b, b, a), -float("inf"), dim=1).tolist()
        [3.0, 7.0]
        """
        fill = scalar("reduce", identity)
        if category(of_scalar(fill)) > category(self.dtype):
            fail(DTypeError, f"reduce: the identity {fill} is no {self.dtype}")
        fill = fitting("reduce", fill, self.dtype)
        axes = self._axes(dim)
        kept = [i for i in range(self.ndim) if i not in axes]
        shape = tuple(self.shape[i] for i in kept)
        size = self._count(axes)
        if not isinstance(size, int):
            fail(ShapeError, f"reduce: the size {size} is symbolic; reduce over dimensions of known size")
        final = tuple(1 if i in axes else n for i, n in enumerate(self.shape)) if keepdim else shape
        if not size:
            return self._new(const(fill, self.dtype, final))
        return self.permute(*kept, *axes).reshape(*shape, size)._tree(combine, fill).reshape(final)

    def _tree(self, combine: Callable[[Any, Any], Any], identity: Scalar) -> Self:
        """The last dimension reduced to size 1. A tree that was all one kernel would compute every level anew."""
        x, level = self, 0
        while x.shape[-1] != 1:
            if level and level % LEVELS == 0:
                x = x.contiguous()
            if x.shape[-1] % 2:
                x = x.pad((0, 1), value=identity)
            pairs = x.unflatten(-1, (-1, 2))
            left, right = (pairs.narrow(-1, side, 1).squeeze(-1) for side in range(2))
            x, level = _checked(combine(left, right), left), level + 1
        return x


def _checked(result: Any, like: Core) -> Any:
    expected = f"for two tensors {like.dtype}{list(like.shape)}; it must keep shape and dtype"
    if not isinstance(result, Core):
        raise TypeError(f"reduce: combine gave {type(result).__name__} {expected}")
    if result.dtype is not like.dtype:
        fail(DTypeError, f"reduce: combine gave {result.dtype} {expected}")
    if result.shape != like.shape:
        fail(ShapeError, f"reduce: combine gave shape {list(result.shape)} {expected}")
    return result
