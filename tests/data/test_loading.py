"""`lazygrad.utils.data`: what PyTorch's gives of the same samples and settings, batch by batch."""

from __future__ import annotations

import itertools
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.utils.data as theirs

import lazygrad
from lazygrad.errors import ArgumentError, LazygradError
from lazygrad.utils import data as ours
from lazygrad.utils.data.dataloader import DataLoader
from lazygrad.utils.data.distributed import DistributedSampler

Point = namedtuple("Point", "x y")
LIBRARIES = ((ours, lazygrad), (theirs, torch))


def plain(value: Any) -> Any:
    """Nested values that can be compared: kinds of containers, dtypes, shapes and numbers."""
    if isinstance(value, (lazygrad.Tensor, torch.Tensor)):
        return str(value.dtype).removeprefix("torch."), tuple(value.shape), value.tolist()
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(v) for v in value]
    return value


def both(make: Callable[[Any, Any], Any]) -> Any:
    """What `make(utils.data, torch)` gives, the same of both libraries; or the error that both raise."""
    results = []
    for data, library in LIBRARIES:
        try:
            results.append(plain(make(data, library)))
        except Exception as error:  # noqa: BLE001 - compared below
            results.append(error)
    mine, expected = results
    if isinstance(expected, Exception):
        assert isinstance(mine, type(expected)), (mine, expected)
        assert isinstance(mine, LazygradError) or type(mine) is type(expected)
    else:
        assert mine == expected
    return mine


SAMPLES: dict[str, Callable[[Any, int], Any]] = {
    "tensor": lambda t, i: t.tensor([i, i + 1.5]),
    "integers": lambda t, i: t.tensor([[i], [2]], dtype=t.int32),
    "truths": lambda t, i: t.tensor(i % 2 == 0),
    "float": lambda t, i: i / 4,
    "int": lambda t, i: i,
    "bool": lambda t, i: i % 2 == 0,
    "text": lambda t, i: f"sample {i}",
    "bytes": lambda t, i: b"%d" % i,
    "array": lambda t, i: np.full((2, 3), i, "float32"),
    "number of NumPy's": lambda t, i: np.int64(i),
    "pair": lambda t, i: (t.ones(2) * i, i),
    "list": lambda t, i: [i, "a"],
    "mapping": lambda t, i: {"x": t.tensor([i]), "name": str(i), "in": {"y": i * 0.5}},
    "named": lambda t, i: Point(i, t.zeros(1)),
    "deep": lambda t, i: (i, [{"a": (i, 0.5)}]),
    "empty": lambda t, i: t.zeros(0, 2),
    "ragged": lambda t, i: t.zeros(i),
    "ragged arrays": lambda t, i: np.zeros(i),
    "ragged lists": lambda t, i: [0] * i,
    "object": lambda t, i: object(),
    "nothing": lambda t, i: None,
    "texts of NumPy's": lambda t, i: np.array(["a"]),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_collate(kind: str) -> None:
    for n in (1, 2, 5):
        if kind in ("array", "ragged arrays") and n == 1:
            continue
        both(lambda d, t, n=n: d.default_collate([SAMPLES[kind](t, i) for i in range(n)]))
    if kind not in ("object",):
        both(lambda d, t: d.default_convert(SAMPLES[kind](t, 3)))


def test_a_batch_keeps_gradients_and_devices() -> None:
    w = lazygrad.tensor([2.0, 3.0], requires_grad=True)
    ours.default_collate([w * 1, w * 2]).sum().backward()
    assert w.grad is not None and w.grad.tolist() == [3.0, 3.0]
    for device in ("NUMPY", "OPENCL"):
        batch = ours.default_collate([lazygrad.ones(2, device=device) * i for i in range(3)])
        assert batch.device == device and batch.tolist() == [[0, 0], [1, 1], [2, 2]]


def squares(data: Any, n: int) -> Any:
    class Squares(data.Dataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return n

        def __getitem__(self, i: int) -> tuple[int, float]:
            return i, i * i / 2

    return Squares()


def stream(data: Any, n: int, sized: bool = False) -> Any:
    class Stream(data.IterableDataset):  # type: ignore[misc]
        def __iter__(self) -> Iterator[int]:
            return iter(range(n))

    if sized:
        Stream.__len__ = lambda self: n
    return Stream()


SETTINGS = [
    {},
    {"batch_size": 4},
    {"batch_size": 4, "drop_last": True},
    {"batch_size": None},
    {"batch_size": 3, "collate_fn": lambda samples: len(samples)},
    {"batch_size": None, "collate_fn": str},
    {"batch_size": 2, "shuffle": False},
    {"sampler": [2, 0, 1], "batch_size": 2},
    {"batch_sampler": [[0, 1], [2]]},
    {"batch_size": 0},
    {"batch_size": -1},
    {"shuffle": True, "sampler": [0]},
    {"batch_sampler": [[0]], "batch_size": 2},
    {"batch_sampler": [[0]], "shuffle": True},
    {"batch_sampler": [[0]], "drop_last": True},
    {"batch_sampler": [[0]], "sampler": [0]},
    {"batch_size": None, "drop_last": True},
    {"num_workers": -1},
    {"timeout": -1},
]


def named(settings: dict[str, Any]) -> str:
    """The settings by names that are the same in every process: functions print their addresses."""
    return " ".join(f"{name}={getattr(value, '__name__', value)}" for name, value in settings.items())


@pytest.mark.parametrize("settings", SETTINGS, ids=named)
def test_loader(settings: dict[str, Any]) -> None:
    def of(make: Callable[[Any, Any], Any]) -> None:
        both(lambda d, t: list(d.DataLoader(make(d, t), **settings)))
        both(lambda d, t: len(d.DataLoader(make(d, t), **settings)))

    of(lambda d, t: squares(d, 7))
    of(lambda d, t: d.TensorDataset(t.arange(14.0).reshape(7, 2), t.arange(7)))
    of(lambda d, t: d.Subset(d.TensorDataset(t.arange(9.0)), [4, 2, 8, 1]))
    of(lambda d, t: d.Subset(squares(d, 9), [4, 2, 8]))
    of(lambda d, t: list(range(5)))
    of(lambda d, t: squares(d, 3) + d.TensorDataset(t.arange(3), t.arange(3.0)))
    of(lambda d, t: d.StackDataset(a=squares(d, 3), b=list("xyz")))
    of(lambda d, t: d.StackDataset(squares(d, 3), list("xyz")))
    of(lambda d, t: stream(d, 7, sized=True))
    of(lambda d, t: stream(d, 7, sized=True) + stream(d, 2, sized=True))
    both(lambda d, t: list(d.DataLoader(stream(d, 7), **settings)))


@pytest.mark.parametrize(("batch_size", "n"), list(itertools.product([1, 3, 8], [1, 8, 17])))
def test_shuffled_passes_have_every_sample_once_and_an_order_of_their_own(batch_size: int, n: int) -> None:
    x = lazygrad.arange(n * 2).reshape(n, 2)
    loader = DataLoader(ours.TensorDataset(x), batch_size, shuffle=True, generator=lazygrad.Generator())
    passes = [[row[0] // 2 for (batch,) in loader for row in batch.tolist()] for _ in range(4)]
    assert all(sorted(p) == list(range(n)) for p in passes) and len(loader) == -(-n // batch_size)
    assert n < 8 or len({tuple(p) for p in passes}) > 1
    again = DataLoader(ours.TensorDataset(x), batch_size, shuffle=True, generator=lazygrad.Generator())
    assert [row[0] // 2 for (batch,) in again for row in batch.tolist()] == passes[0], "by the generator alone"


LENGTHS = [(10, [3, 7]), (10, [0.8, 0.2]), (7, [0.5, 0.5]), (7, [0.3, 0.3, 0.4]), (5, [1.0]), (1, [1]), (1, [0.5, 0.5])]
LENGTHS += [(10, [3, 3]), (10, [1.5, -0.5]), (10, [10, 0]), (0, [0.5, 0.5]), (3, [0.2] * 5), (10, [-1, 11])]


@pytest.mark.parametrize(("n", "lengths"), LENGTHS, ids=str)
@pytest.mark.filterwarnings("ignore:Length of split")
def test_random_split(n: int, lengths: list[Any]) -> None:
    if any(x < 0 for x in lengths) and sum(lengths) == n:  # PyTorch makes parts that share samples
        with pytest.raises(ArgumentError):
            ours.random_split(range(n), lengths)
        return
    both(lambda d, t: [len(part) for part in d.random_split(range(n), lengths)])
    if sum(lengths) in (1, n):
        parts = ours.random_split(range(n), lengths, lazygrad.Generator().manual_seed(1)) if min(lengths) >= 0 else []
        assert sorted(i for part in parts for i in part) == (list(range(n)) if parts else [])


def test_samplers() -> None:
    for n, k in itertools.product([1, 2, 5], [None, 1, 7]):
        both(lambda d, t, n=n, k=k: len(d.RandomSampler(range(n), num_samples=k)))
        drawn = list(ours.RandomSampler(range(n), num_samples=k))
        assert max(map(drawn.count, range(n))) - min(map(drawn.count, range(n))) <= 1, "orders that follow each other"
        assert set(ours.RandomSampler(range(n), True, k)) <= set(range(n))
        both(lambda d, t, n=n: list(d.SequentialSampler(range(n))))
        assert sorted(ours.SubsetRandomSampler(list(range(n)))) == list(range(n))
    for n, size, last in itertools.product(range(6), (1, 2, 3), (True, False)):
        both(lambda d, t, n=n, size=size, last=last: list(d.BatchSampler(range(n), size, last)))
        both(lambda d, t, n=n, size=size, last=last: len(d.BatchSampler(range(n), size, last)))
    for wrong in (0, -1, True, 1.5):
        both(lambda d, t, wrong=wrong: d.BatchSampler(range(3), wrong, False))
        both(lambda d, t, wrong=wrong: d.WeightedRandomSampler([1.0], wrong))
    both(lambda d, t: d.WeightedRandomSampler([[1.0]], 2))
    weights = [0.0, 1.0, 3.0]
    counts = np.bincount(list(ours.WeightedRandomSampler(weights, 4000, generator=lazygrad.Generator())), minlength=3)
    assert counts[0] == 0 and abs(counts[2] / 4000 - 0.75) < 0.05
    assert sorted(ours.WeightedRandomSampler([1.0, 2.0, 1.0], 3, replacement=False)) == [0, 1, 2]


@pytest.mark.parametrize(("n", "replicas", "drop"), list(itertools.product([1, 5, 8], [1, 2, 3], [True, False])))
def test_distributed(n: int, replicas: int, drop: bool) -> None:
    for rank in range(replicas):
        settings = {"num_replicas": replicas, "rank": rank, "drop_last": drop, "shuffle": False}
        expected = list(theirs.DistributedSampler(range(n), **settings))
        assert list(DistributedSampler(range(n), **settings)) == expected
    parts = [DistributedSampler(range(n), replicas, rank, drop_last=drop) for rank in range(replicas)]
    for epoch in range(2):
        for part in parts:
            part.set_epoch(epoch)
        every = [i for part in parts for i in part]
        assert len(set(every)) == (n // replicas * replicas if drop else n)
    with pytest.raises(ArgumentError, match="num_replicas"):
        DistributedSampler(range(n))
    with pytest.raises(ArgumentError, match="rank 3"):
        DistributedSampler(range(n), 3, 3)


def test_datasets_refuse() -> None:
    makers: list[Callable[[Any, Any], Any]] = [
        lambda d, t: d.ConcatDataset([]),
        lambda d, t: d.ConcatDataset([stream(d, 3)]),
        lambda d, t: list(d.ChainDataset([squares(d, 3)])),
        lambda d, t: d.TensorDataset(t.zeros(2), t.zeros(3)),
        lambda d, t: d.StackDataset(),
        lambda d, t: d.StackDataset([1], [1, 2]),
        lambda d, t: d.Dataset()[0],
        lambda d, t: (squares(d, 3) + squares(d, 2))[-6],
        lambda d, t: (squares(d, 3) + squares(d, 2))[-1],
        lambda d, t: list(d.DataLoader(object())),
    ]
    for make in makers:
        for data, library in LIBRARIES:
            if make is makers[-2]:
                assert make(data, library) == (1, 0.5)
                continue
            with pytest.raises(Exception):  # noqa: B017 - PyTorch asserts
                make(data, library)


def test_what_has_a_batch_at_once_is_asked_for_it() -> None:
    class Listed(ours.Dataset[int]):
        def __len__(self) -> int:
            return 5

        def __getitems__(self, indices: list[int]) -> list[int]:
            return [10 * i for i in indices]

    assert [b.tolist() for b in DataLoader(Listed(), 2)] == [[0, 10], [20, 30], [40]]
    loader = DataLoader(range(3), 1, num_workers=2, pin_memory=True, persistent_workers=True, prefetch_factor=2)
    assert [b.tolist() for b in loader] == [[0], [1], [2]] and loader.num_workers == 2
    assert ours.get_worker_info() is None
