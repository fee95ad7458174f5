"""Datasets: what gives samples by number, and what gives them one after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from lazygrad.engine.generator import Generator
from lazygrad.errors import ArgumentError, BoundsError, OperandError, ShapeError, fail
from lazygrad.ops.operands import describe
from lazygrad.tensor import Tensor

T_co = TypeVar("T_co", covariant=True)


@runtime_checkable
class HasBatches(Protocol):
    """A dataset that makes a batch faster than its samples one by one."""

    def batch(self, indices: Sequence[int]) -> Any:
        """What `default_collate` makes of the samples of these numbers, or None if it has to make it."""


class Dataset(Generic[T_co]):
    """Samples by number: a subclass defines `__getitem__`, and `__len__` for samplers to know the numbers.

    >>> class Squares(Dataset):
    ...     def __len__(self): return 4
    ...     def __getitem__(self, i): return i * i
    >>> (Squares() + Squares())[6]
    4
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} defines no __getitem__")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """Samples one after the other: a subclass defines `__iter__`.

    >>> class Three(IterableDataset):
    ...     def __iter__(self): return iter("abc")
    >>> list(Three() + Three())
    ['a', 'b', 'c', 'a', 'b', 'c']
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} defines no __iter__")

    def __add__(self, other: Dataset[Any]) -> ChainDataset:  # type: ignore[override] # as PyTorch's
        return ChainDataset([self, other])


class ChainDataset(IterableDataset[Any]):
    """Iterable datasets, one after the other. OperandError for one that is not iterable by itself."""

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = list(datasets)
        for d in self.datasets:
            if not isinstance(d, IterableDataset):
                fail(OperandError, f"ChainDataset: {describe(d)[0]} is no IterableDataset; use ConcatDataset")

    def __iter__(self) -> Iterator[Any]:
        for dataset in self.datasets:
            yield from dataset  # type: ignore[misc] # iterable: looked at above

    def __len__(self) -> int:
        return sum(map(_length, self.datasets))


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Samples that are the rows of one or several tensors. ShapeError if these have not the same number of rows.

    >>> TensorDataset(Tensor([[1, 2], [3, 4]]), Tensor([5, 6]))[1][1].item()
    6
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            fail(ArgumentError, "TensorDataset: no tensors; give one at least")
        for t in tensors:
            if not isinstance(t, Tensor):
                fail(OperandError, f"TensorDataset: {describe(t)[0]} is no Tensor")
        if any(t.ndim == 0 or t.shape[0] != tensors[0].shape[0] for t in tensors):
            shapes = ", ".join(str(list(t.shape)) for t in tensors)
            fail(ShapeError, f"TensorDataset: shapes {shapes}; as many rows of each are needed")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])

    def batch(self, indices: Sequence[int]) -> Any:
        """The rows of these numbers, picked at once from each tensor."""
        rows = np.asarray(indices, "int64")
        return [t[rows] for t in self.tensors]


class StackDataset(Dataset[Any]):
    """Samples that are the samples of several datasets beside each other, as a tuple, or by name as a dict.

    >>> StackDataset(x=[1, 2], y=[3, 4])[1]
    {'x': 2, 'y': 4}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            fail(ArgumentError, "StackDataset: give datasets by position or by name, one at least")
        self.datasets: Any = args or kwargs
        self._all = list(args or kwargs.values())
        if len({_length(d) for d in self._all}) > 1:
            lengths = ", ".join(str(_length(d)) for d in self._all)
            fail(ArgumentError, f"StackDataset: the datasets have {lengths} samples; give datasets of one length")

    def __getitem__(self, index: Any) -> Any:
        samples = [d[index] for d in self._all]
        return dict(zip(self.datasets, samples)) if isinstance(self.datasets, dict) else tuple(samples)

    def __len__(self) -> int:
        return _length(self._all[0])


class ConcatDataset(Dataset[Any]):
    """The samples of several datasets, one after the other.

    >>> ConcatDataset(["ab", "cde"])[3]
    'd'
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            fail(ArgumentError, "ConcatDataset: no datasets; give one at least")
        for d in self.datasets:
            if isinstance(d, IterableDataset):
                fail(OperandError, f"ConcatDataset: {describe(d)[0]} has no numbers; use ChainDataset")
        self.cumulative_sizes = list(accumulate(map(_length, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            fail(BoundsError, f"ConcatDataset: there is no sample {index} of {len(self)}")
        index %= len(self)
        which = bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]


class Subset(Dataset[Any]):
    """Some samples of a dataset, by their numbers there.

    >>> Subset("abcd", [3, 1])[0]
    'd'
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, indices: Sequence[int]) -> Any:
        """The batch of the whole dataset, if that makes one."""
        if not isinstance(self.dataset, HasBatches):
            return None
        return self.dataset.batch([self.indices[i] for i in indices])


def random_split(
    dataset: Any, lengths: Sequence[int] | Sequence[float], generator: Generator | None = None
) -> list[Subset]:
    """A dataset in parts that share no sample, drawn at random.

    Args:
        lengths: how many samples each part has, which together are all; or each part's share of 1, where what is
            left by rounding down goes to the first parts, one sample each.

    ArgumentError for lengths that are not the whole, or shares outside [0, 1].

    >>> [len(part) for part in random_split(range(10), [0.75, 0.25])]
    [8, 2]
    """
    total = _length(dataset)
    if abs(sum(lengths) - 1) < 1e-8 and sum(lengths) <= 1 + 1e-8:
        if any(not 0 <= share <= 1 for share in lengths):
            fail(ArgumentError, f"random_split: the shares {list(lengths)} are not all between 0 and 1")
        counts = [int(total * share) for share in lengths]
        for i in range(total - sum(counts)):
            counts[i % len(counts)] += 1
    else:
        counts = [int(n) for n in lengths]
    if sum(counts) != total or any(n < 0 for n in counts):
        whole = f"the lengths {list(lengths)} are together not the dataset's {total} samples"
        fail(ArgumentError, f"random_split: {whole}; give shares, such as [0.8, 0.2], for any number")
    order = shuffled(total, generator)
    return [Subset(dataset, order[end - n : end]) for end, n in zip(accumulate(counts), counts)]


def shuffled(n: int, generator: Generator | None) -> list[int]:
    """0, 1, ..., n-1 in random order."""
    order: list[int] = Tensor.randperm(n, generator=generator, device="NUMPY").tolist()
    return order


def _length(dataset: Any) -> int:
    if not hasattr(dataset, "__len__"):
        fail(OperandError, f"{describe(dataset)[0]} has no length; define __len__ in its class")
    return len(dataset)
