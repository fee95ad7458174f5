"""Sequences of several lengths in one tensor, without padding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.nn.steps import Known
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """Sequences of several lengths in one tensor, as `pack_padded_sequence` makes them and recurrent nets take them.

    `data` (rows, ...) holds the first step of every sequence, then the second step of those that have one, and so on;
    `batch_sizes` is how many sequences run at each step. Longer sequences come first: `sorted_indices`
    says which ones they were, `unsorted_indices` is the way back (None: they were in order). The host has the values of
    all three beside the device, so that a net reads them while `jit` traces, too.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        """Also from a pair (data, batch_sizes) in the place of the data."""
        data, batch_sizes = data if batch_sizes is None else (data, batch_sizes)
        back = invert_permutation(sorted_indices) if unsorted_indices is None else unsorted_indices
        return super().__new__(cls, data, batch_sizes, sorted_indices, back)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The data in another dtype or on another device, as `Tensor.to` takes them; the indices follow."""
        data = self.data.to(*args, **kwargs)
        order, back = (None if t is None else t.to(data.device) for t in self[2:])
        return self if data is self.data else type(self)(data, self.batch_sizes, order, back)

    def cpu(self) -> Self:
        """On the best device of the CPU."""
        return self.to("cpu")

    def cuda(self, device: int | str | None = None) -> Self:
        """On a GPU, the first one unless told."""
        return self.to(device if isinstance(device, str) else "cuda" if device is None else f"cuda:{device}")

    def pin_memory(self) -> Self:
        """The same: memory is not pinned."""
        return self

    def is_pinned(self) -> bool:
        """No."""
        return False

    @property
    def is_cuda(self) -> bool:
        """Whether the data are on a GPU."""
        return self.data.is_cuda

    def double(self) -> Self:
        """`to` float64."""
        return self.to(dtypes.float64)

    def float(self) -> Self:
        """`to` float32."""
        return self.to(dtypes.float32)

    def half(self) -> Self:
        """`to` float16."""
        return self.to(dtypes.float16)

    def long(self) -> Self:
        """`to` int64."""
        return self.to(dtypes.int64)

    def int(self) -> Self:
        """`to` int32."""
        return self.to(dtypes.int32)

    def short(self) -> Self:
        """`to` int16."""
        return self.to(dtypes.int16)

    def char(self) -> Self:
        """`to` int8."""
        return self.to(dtypes.int8)

    def byte(self) -> Self:
        """`to` uint8."""
        return self.to(dtypes.uint8)


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes this one; None of None.

    >>> invert_permutation(Tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    if isinstance(permutation, Known):
        return Known(np.argsort(Known.of(permutation)), permutation.device)
    places = Tensor.arange(len(permutation), device=permutation.device, dtype=permutation.dtype)
    return permutation.zeros_like().scatter(0, permutation, places)
