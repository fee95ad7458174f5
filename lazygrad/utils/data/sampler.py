"""Samplers: in which order a `DataLoader` asks a dataset for its samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

from lazygrad.dtype import dtypes
from lazygrad.engine.generator import Generator
from lazygrad.errors import ArgumentError, fail
from lazygrad.tensor import Tensor
from lazygrad.utils.data.dataset import shuffled

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """Numbers of samples, or lists of them; a subclass defines `__iter__`, and `__len__` if it can."""

    def __init__(self, data_source: Sized | None = None) -> None:
        pass

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} defines no __iter__")


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ...

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Numbers in random order, each pass another one.

    Args:
        replacement: draw each number from all.
        num_samples: how many numbers (as many as samples): without `replacement` several orders follow each other.

    ArgumentError for a `num_samples` below 1, or numbers to be drawn of nothing.

    >>> sorted(RandomSampler("abc", num_samples=6))
    [0, 0, 1, 1, 2, 2]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = _count("RandomSampler", num_samples) if num_samples is not None else None

    @property
    def num_samples(self) -> int:
        """How many numbers a pass has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n, left = len(self.data_source), self.num_samples
        if left and not n:
            fail(ArgumentError, f"RandomSampler: {left} samples of an empty dataset")
        if self.replacement and left:
            yield from Tensor.randint(0, n, (left,), generator=self.generator, device="NUMPY").tolist()
            return
        while left > 0:
            order = shuffled(n, self.generator)[:left]
            left -= len(order)
            yield from order

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Some numbers, in random order.

    >>> sorted(SubsetRandomSampler([5, 3]))
    [3, 5]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        return (self.indices[i] for i in shuffled(len(self.indices), self.generator))

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Numbers drawn with probabilities that weights are proportional to.

    >>> list(WeightedRandomSampler([0.0, 1.0, 0.0], 3))
    [1, 1, 1]
    """

    def __init__(
        self,
        weights: Sequence[float] | Tensor,
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        self.weights = Tensor.as_tensor(weights, dtype=dtypes.float64, device="NUMPY")
        if self.weights.ndim != 1:
            shape = list(self.weights.shape)
            fail(ArgumentError, f"WeightedRandomSampler: weights of shape {shape}; one row is needed")
        self.num_samples = _count("WeightedRandomSampler", num_samples)
        self.replacement, self.generator = replacement, generator

    def __iter__(self) -> Iterator[int]:
        drawn = self.weights.multinomial(self.num_samples, self.replacement, generator=self.generator)
        return iter(drawn.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler["list[int]"]):
    """Another sampler's numbers, in lists.

    Args:
        drop_last: leave a last list out that is not full.

    >>> list(BatchSampler(range(5), 2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool = False) -> None:
        self.sampler, self.batch_size = sampler, _count("BatchSampler", batch_size)
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for i in self.sampler:
            batch.append(i)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type] # a sampler without a length has no number of lists either
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


class DistributedSampler(Sampler[int]):
    """The numbers that one of several processes takes: every `num_replicas`-th from `rank` on.

    Args:
        num_replicas, rank: how many processes there are, and which this one is.
        shuffle: in an order that `seed` and the epoch (`set_epoch`) give, the same in all processes.
        drop_last: leave out what does not divide by the processes; else the first samples are taken once more.

    ArgumentError without both, or for a rank that is none of the processes.

    >>> list(DistributedSampler("abcde", 2, 1, shuffle=False))
    [1, 3, 0]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            fail(ArgumentError, "DistributedSampler: processes do not know of each other; give num_replicas and rank")
        if not 0 <= rank < num_replicas:
            fail(ArgumentError, f"DistributedSampler: rank {rank} is none of {num_replicas} processes")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last, self.epoch = shuffle, seed, drop_last, 0
        n = len(dataset)
        self.num_samples = n // num_replicas if drop_last else -(-n // num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        n = len(self.dataset)
        order = shuffled(n, Generator(self.seed + self.epoch)) if self.shuffle else list(range(n))
        order = (order * -(-self.total_size // max(n, 1)))[: self.total_size]
        return iter(order[self.rank :: self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Which order comes next."""
        self.epoch = epoch


def _count(what: str, n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n <= 0:
        fail(ArgumentError, f"{what}: {n!r} is no number of samples; use an integer above 0")
    return n
