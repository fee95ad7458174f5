"""`DataLoader`: batches of a dataset's samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

from lazygrad.engine.generator import Generator
from lazygrad.errors import ArgumentError, OperandError, fail
from lazygrad.ops.operands import describe
from lazygrad.utils.data.collate import default_collate, default_convert
from lazygrad.utils.data.dataset import HasBatches, IterableDataset
from lazygrad.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]
T_co = TypeVar("T_co", covariant=True)


class DataLoader(Generic[T_co]):
    """An iterable of batches, each pass from the first sample on (in another order with `shuffle`).

    Args:
        batch_size: samples in a batch; None: single samples, not collated.
        shuffle: in random order, another one each pass, which `generator` gives.
        sampler, batch_sampler: numbers of samples, or lists of them, in place of `shuffle`, or of all four before it.
        collate_fn: makes the batch of a list of samples; `default_collate`, or `default_convert` of single samples.
        drop_last: leave the last batch out if it is not full.
        worker_init_fn, num_workers, timeout, multiprocessing_context, prefetch_factor, persistent_workers, pin_memory,
            pin_memory_device, in_order: accepted for PyTorch's sake; batches are made in this process when asked for.

    ArgumentError for settings that exclude each other, OperandError for a dataset without a length.

    >>> from lazygrad.utils.data import DataLoader
    >>> [batch.tolist() for batch in DataLoader(range(5), batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Sequence[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        self.dataset, self.generator = dataset, generator
        self.num_workers, self.pin_memory, self.timeout = num_workers, pin_memory, timeout
        self.worker_init_fn, self.prefetch_factor = worker_init_fn, prefetch_factor
        self.multiprocessing_context, self.persistent_workers = multiprocessing_context, persistent_workers
        self.pin_memory_device, self.in_order = pin_memory_device, in_order
        if num_workers < 0 or timeout < 0:
            fail(ArgumentError, f"DataLoader: num_workers={num_workers} and timeout={timeout} are 0 or more")
        self._exclude(batch_size, shuffle, sampler, batch_sampler, drop_last)
        iterable = isinstance(dataset, IterableDataset)
        if sampler is None and not iterable:
            if batch_sampler is None and not hasattr(dataset, "__len__"):
                what = describe(dataset)[0]
                fail(OperandError, f"DataLoader: {what} has no length; define __len__, or derive from IterableDataset")
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None and sampler is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        elif batch_sampler is not None:
            batch_size, drop_last = None, False
        self.batch_size, self.drop_last = batch_size, drop_last
        self.sampler, self.batch_sampler = sampler, batch_sampler
        single = batch_size is None and batch_sampler is None
        self.collate_fn = collate_fn or (default_convert if single else default_collate)

    def _exclude(self, batch_size: Any, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool) -> None:
        if batch_size is not None and batch_size < 1:
            fail(ArgumentError, f"DataLoader: batch_size={batch_size}; use one above 0, or None for single samples")
        if isinstance(self.dataset, IterableDataset) and (shuffle or sampler or batch_sampler):
            fail(
                ArgumentError, "DataLoader: an IterableDataset has an order of its own; leave shuffle and samplers out"
            )
        if sampler is not None and shuffle:
            fail(
                ArgumentError, "DataLoader: shuffle=True beside a sampler, which gives the order; leave one of them out"
            )
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            others = "batch_size, shuffle, sampler and drop_last"
            fail(ArgumentError, f"DataLoader: batch_sampler gives the batches; leave {others} out")
        if batch_size is None and batch_sampler is None and drop_last:
            fail(ArgumentError, "DataLoader: drop_last=True needs a batch_size")

    def __iter__(self) -> Iterator[T_co]:
        if isinstance(self.dataset, IterableDataset):
            yield from self._in_their_order(iter(self.dataset))
        elif self.batch_sampler is None:
            assert self.sampler is not None
            for i in self.sampler:
                yield self.collate_fn(self.dataset[i])
        else:
            for indices in self.batch_sampler:
                yield self._batch(indices)

    def _in_their_order(self, samples: Iterator[Any]) -> Iterator[T_co]:
        if self.batch_size is None:
            yield from map(self.collate_fn, samples)
            return
        while batch := list(islice(samples, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield self.collate_fn(batch)

    def _batch(self, indices: Sequence[Any]) -> Any:
        if self.collate_fn is default_collate and isinstance(self.dataset, HasBatches):
            made = self.dataset.batch(indices)
            if made is not None:
                return made
        if hasattr(self.dataset, "__getitems__"):
            return self.collate_fn(self.dataset.__getitems__(indices))
        return self.collate_fn([self.dataset[i] for i in indices])

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]
        n = len(self.dataset)  # type: ignore[arg-type] # TypeError, as PyTorch's, for one without a length
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


def get_worker_info() -> None:
    """None: there are no processes beside this one that load data."""
