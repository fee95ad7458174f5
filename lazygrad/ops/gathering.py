"""Reading elements by integer tensors: `gather` and its kin. Repeated places accumulate gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazygrad.errors import ShapeError
from lazygrad.ir import node as graph
from lazygrad.ir.node import const
from lazygrad.ops.broadcast import broadcast_shape, broadcast_to
from lazygrad.ops.core import Core, fail
from lazygrad.ops.indexing import Indexing
from lazygrad.ops.inside import from_the_end, inside

if TYPE_CHECKING:
    from typing_extensions import Self


class Gathering(Indexing):
    """Reading by integer tensors."""

    __slots__ = ()

    def gather(self, dim: int, index: Core, *, sparse_grad: bool = False) -> Self:
        """result[i..., k, j...] = self[i..., index[i..., k, j...], j...] along `dim`, in the shape of `index`.

        ShapeError where `index` has other dimensions, or is longer than this tensor in one that is not `dim`;
        BoundsError, when a value is read, for places outside. `sparse_grad` is accepted: gradients are dense.

        >>> Tensor([[1, 2], [3, 4]]).gather(1, Tensor([[0], [1]])).tolist()
        [[1], [4]]
        """
        return self._gathered("gather", dim, index)

    def _gathered(self, what: str, dim: int, index: Core, exempt: int | None = None) -> Self:
        self._check_index(what, index)
        if not self.ndim and index.ndim < 2:  # PyTorch takes either for a vector
            line: Any = index
            return self.reshape(1)._gathered(what, dim, line.reshape(-1), exempt).reshape(index.shape)
        if self.ndim == 1 and not index.ndim:
            single: Any = index
            return self._gathered(what, dim, single.reshape(1), exempt).reshape(())
        axis = self._axis(dim)
        if 0 in index.shape and index.ndim != self.ndim:  # no places: PyTorch does not look at the dimensions
            return self._new(const(0, self.dtype, index.shape))
        places = inside(what, index.node, self.shape[axis], exempt=exempt)
        return self._out(graph.gather(self._in(), places, axis))

    def take_along_dim(self, indices: Core, dim: int | None = None) -> Self:
        """`gather`, where the other dimensions broadcast, and negative places count from the end; without `dim`, of
        all elements in a row.

        >>> Tensor([[1, 2], [3, 4]]).take_along_dim(Tensor([[1]]), 1).tolist()
        [[2], [4]]
        """
        self._check_index("take_along_dim", indices)
        if dim is None:
            line: Any = indices
            return self.flatten().take_along_dim(line.flatten(), 0)
        if indices.ndim != self.ndim:
            shapes = f"indices {list(indices.shape)} for shape {list(self.shape)}"
            fail(ShapeError, f"take_along_dim: {shapes}; both have as many dimensions")
        axis = self._axis(dim)
        ones = tuple(1 if i == axis else n for i, n in enumerate(self.shape))
        shape = broadcast_shape("take_along_dim", indices.shape, ones)
        whole = tuple(n if i == axis else m for i, (n, m) in enumerate(zip(self.shape, shape)))
        places = from_the_end("take_along_dim", indices.node, self.shape[axis])
        return self._out(graph.gather(broadcast_to(self._in(), whole), broadcast_to(places, shape), axis))

    def index_select(self, dim: int, index: Core) -> Self:
        """The slices of `dim` that a vector of integers names.

        >>> Tensor([[1, 2], [3, 4]]).index_select(1, Tensor([1, 1])).tolist()
        [[2, 2], [4, 4]]
        """
        self._same_device("index_select", index)
        if index.ndim > 1:
            fail(ShapeError, f"index_select: the index is a vector, not of shape {list(index.shape)}")
        self._check_index("index_select", index)
        axis = self._axis(dim)
        if not self.ndim:
            return self._gathered("index_select", dim, index).reshape(())
        places = self._new(inside("index_select", index.node, self.shape[axis]))
        return self[(slice(None),) * axis + (places.reshape(-1),)]

    def take(self, index: Core) -> Self:
        """The elements at `index`, in its shape, counted as if all were in a row; negative ones from the end.

        >>> Tensor([[1, 2], [3, 4]]).take(Tensor([0, -1])).tolist()
        [1, 4]
        """
        self._check_index("take", index)
        line: Any = index
        places = from_the_end("take", line.reshape(-1).node, self.numel())
        return self._out(graph.gather(self.reshape(-1)._in(), places, 0)).reshape(index.shape)
