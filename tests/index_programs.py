"""Random indices of every form, mixed: what lazygrad reads, writes and differentiates through, beside PyTorch."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from lazygrad import Tensor
from lazygrad.settings import settings

TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
TOGETHER = 25  # programs in one schedule
Spelling = Callable[["np.ndarray[Any, Any]"], Any]


@dataclass
class Program:
    """An index for a tensor of `shape`: its items as lazygrad gets them (`mine`) and as PyTorch does (`theirs`)."""

    seed: int
    shape: tuple[int, ...]
    mine: list[Any] = field(default_factory=list)
    theirs: list[Any] = field(default_factory=list)
    what: list[str] = field(default_factory=list)

    def add(self, mine: Any, theirs: Any, what: str) -> None:
        self.mine.append(mine)
        self.theirs.append(theirs)
        self.what.append(what)

    def __str__(self) -> str:
        return f"seed {self.seed}: {list(self.shape)}[{', '.join(self.what)}]"

    @property
    def index(self) -> Any:
        """As it stands between brackets: one item by itself, several in a tuple."""
        return self.mine[0] if len(self.mine) == 1 else tuple(self.mine)


def spelled(rng: random.Random, array: np.ndarray[Any, Any]) -> tuple[Any, str]:
    """An array of integers or bools as an index can be written: a list, an array, a tensor (known to the host or not),
    of any type that holds it."""
    kinds = (
        ["bool"] if array.dtype == bool else [k for k in TYPES if array.dtype == array.astype(k).astype("int64").dtype]
    )
    least, greatest = (int(array.min()), int(array.max())) if array.size else (0, 0)
    fitting = [k for k in TYPES if np.iinfo(k).min <= least and greatest <= np.iinfo(k).max]
    kinds = ["bool"] if array.dtype == bool else fitting
    kind = rng.choice(kinds)
    form = rng.choice(["list", "array", "tensor", "computed"])
    if form == "list" and array.ndim and array.size:
        return array.tolist(), str(array.tolist())
    typed = array.astype(kind)
    if form == "array" and array.ndim:
        return typed, f"array({array.tolist()}, {kind})"
    tensor = Tensor(typed)
    if form == "computed":
        return (tensor == 1 if kind == "bool" else tensor * 1), f"computed({array.tolist()}, {kind})"
    return tensor, f"Tensor({array.tolist()}, {kind})"


def random_program(seed: int, outside: bool = False) -> Program:
    """An index for a small tensor; with `outside`, one that has a place that is not there."""
    rng = random.Random(seed)
    shape = tuple(rng.choice([1, 2, 3, 3, 4, 4, 5]) if rng.random() < 0.96 else 0 for _ in range(rng.randint(1, 4)))
    p = Program(seed, shape)
    inner = tuple(rng.randint(1, 3) for _ in range(rng.choice([1, 1, 1, 2])))
    masks = rng.random() < 0.4
    if masks:
        inner = inner[-1:]
    axis, dots = 0, False
    while axis < len(shape) and (dots or rng.random() < 0.92):
        if not dots and rng.random() < 0.15:
            dots = True
            axis += rng.randint(0, len(shape) - axis)
            p.add(..., ..., "...")
        elif rng.random() < 0.12:
            p.add(None, None, "None")
        elif masks and rng.random() < 0.1:
            _add_truth(p, rng)
        else:
            axis += _add_item(p, rng, shape[axis:], inner, masks)
    if not p.mine or rng.random() < 0.05:
        p.add(None, None, "None")
    if outside:
        _spoil(p, rng)
    return p


def _add_truth(p: Program, rng: random.Random) -> None:
    """A mask without dimensions."""
    mine = rng.choice([True, np.True_, Tensor(np.array(True)), np.array(True)])
    p.add(mine, torch.tensor(True), f"{type(mine).__name__}(True)")


def _add_item(p: Program, rng: random.Random, sizes: Sequence[int], inner: tuple[int, ...], masks: bool) -> int:
    """Add an item for the first dimensions, whose sizes are `sizes`; how many they are."""
    n = sizes[0]
    form = rng.choice(["slice", "slice", "number", "array", "array", "scalar", "mask" if masks else "array"])
    if form == "mask" and _add_mask(p, rng, sizes, inner):
        return int(p.theirs[-1].ndim)
    if form == "slice" or n == 0:
        ends = [None, *range(-n - 1, n + 2)]
        s = slice(rng.choice(ends), rng.choice(ends), rng.choice([None, 1, 2, 3]))
        p.add(s, s, f"{s.start}:{s.stop}:{s.step}")
    elif form == "number":
        k = rng.randrange(-n, n)
        p.add(rng.choice([k, np.int64(k)]), k, str(k))
    elif form == "scalar":
        k = rng.randrange(-n, n)
        mine, what = spelled(rng, np.array(k))
        p.add(mine, torch.tensor(k), what)
    else:
        shape = tuple(1 if rng.random() < 0.2 else m for m in inner)[rng.randint(0, len(inner) - 1) :]
        array = np.array([rng.randrange(-n if rng.random() < 0.5 else 0, n) for _ in range(int(np.prod(shape)))])
        mine, what = spelled(rng, array.reshape(shape))
        p.add(mine, torch.tensor(array.reshape(shape)), what)
    return 1


def _add_mask(p: Program, rng: random.Random, sizes: Sequence[int], inner: tuple[int, ...]) -> bool:
    """A mask over some of the first dimensions, with as many true elements as the arrays beside it have, or one."""
    shape = tuple(sizes[: rng.randint(1, min(2, len(sizes)))])
    count = rng.choice([inner[-1], 1])
    size = int(np.prod(shape))
    if size < count:
        return False
    flat = np.zeros(size, bool)
    flat[rng.sample(range(size), count)] = True
    mine, what = spelled(rng, flat.reshape(shape))
    p.add(mine, torch.tensor(flat.reshape(shape)), what)
    return True


def _spoil(p: Program, rng: random.Random) -> None:
    """Put a place outside into an item of integers, if there is one."""
    places = [k for k, t in enumerate(p.theirs) if isinstance(t, torch.Tensor) and t.dtype == torch.int64 and t.numel()]
    if places:
        k = rng.choice(places)
        array = p.theirs[k].numpy().copy()
        array.reshape(-1)[rng.randrange(array.size)] = rng.choice([7, -9, 100])
        mine, what = spelled(rng, array)
        p.mine[k], p.theirs[k], p.what[k] = mine, torch.tensor(array), f"outside: {what}"


@dataclass
class Expected:
    """What PyTorch makes of a program; `distinct`: no element is named twice."""

    base: torch.Tensor
    read: torch.Tensor
    distinct: bool

    @staticmethod
    def of(p: Program) -> Expected:
        """IndexError where the index does not fit."""
        count = int(np.prod(p.shape))
        places = torch.arange(count).reshape(p.shape)[tuple(p.theirs)]
        base = torch.arange(count, dtype=torch.float32).reshape(p.shape) + 1
        return Expected(base, base[tuple(p.theirs)], len(places.unique()) == places.numel())


def weights(shape: Sequence[int]) -> np.ndarray[Any, Any]:
    """Small whole numbers that differ along every dimension."""
    return (np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape) * 7) % 11 + 1


def mine_and_theirs(p: Program) -> list[tuple[str, Tensor, torch.Tensor]]:
    """Pairs that are equal, lazygrad's not yet computed."""
    expected = Expected.of(p)
    start, theirs = expected.base.numpy(), tuple(p.theirs)
    pairs = []
    x, t = Tensor(start, requires_grad=True), expected.base.clone().requires_grad_()
    y, u = x[p.index], t[theirs]
    pairs.append(("read", y, u))
    w = weights(u.shape)
    (y * Tensor(w)).sum().backward()
    (u * torch.tensor(w)).sum().backward()
    pairs.append(("gradient of what was read", *_gradients(x, t)))
    pairs.append(("a number written", *_written(p, start, theirs, 0.5, 0.5)))
    if expected.distinct:
        pairs.append(("values written", *_written(p, start, theirs, Tensor(w), torch.tensor(w))))
        pairs += _gradients_of_a_write(p, start, theirs, w)
    return pairs


def _written(p: Program, start: Any, theirs: Any, mine: Any, value: Any) -> tuple[Tensor, torch.Tensor]:
    x, t = Tensor(start), torch.tensor(start)
    x[p.index], t[theirs] = mine, value
    return x, t


def _gradients_of_a_write(p: Program, start: Any, theirs: Any, w: Any) -> list[tuple[str, Tensor, torch.Tensor]]:
    x, v = Tensor(start, requires_grad=True), Tensor(w, requires_grad=True)
    t, s = torch.tensor(start, requires_grad=True), torch.tensor(w, requires_grad=True)
    y, u = x * 1, t * 1
    y[p.index], u[theirs] = v * 1, s
    (y * Tensor(weights(p.shape))).sum().backward()
    (u * torch.tensor(weights(p.shape))).sum().backward()
    return [("gradient of what a write leaves", *_gradients(x, t)), ("gradient of what is written", *_gradients(v, s))]


def _gradients(mine: Tensor, theirs: torch.Tensor) -> tuple[Tensor, torch.Tensor]:
    """Both gradients, where ours is None if it is zero everywhere for certain."""
    assert theirs.grad is not None
    return Tensor.zeros(*mine.shape) if mine.grad is None else mine.grad, theirs.grad


def check(seeds: Sequence[int], device: str) -> None:
    """Programs of these seeds on `device`, in one schedule."""
    with settings.override(device=device):
        found = [(p, mine_and_theirs(p)) for p in map(random_program, seeds)]
        Tensor.realize(*(mine for _, pairs in found for _, mine, _ in pairs))
        for p, pairs in found:
            for what, mine, theirs in pairs:
                np.testing.assert_array_equal(mine.numpy(), theirs.detach().numpy(), f"{p}: {what}", strict=True)


def check_outside(seeds: Sequence[int], device: str) -> int:
    """Indices with a place outside are an IndexError wherever PyTorch has one; how many of them there were."""
    count = 0
    with settings.override(device=device):
        for seed in seeds:
            p = random_program(seed, outside=True)
            try:
                read = Expected.of(p).read
            except IndexError:
                count += 1
                for use in (_read, _write):
                    try:
                        value = use(p)
                    except IndexError:
                        continue
                    raise AssertionError(f"{p}: {use.__name__} is no error, but {value}") from None
            else:
                if read.numel():  # PyTorch does not look at the places of nothing
                    np.testing.assert_array_equal(_read(p), read.numpy() - 1, str(p), strict=True)
    return count


def _read(p: Program) -> Any:
    return Tensor.arange(int(np.prod(p.shape))).float().reshape(p.shape)[p.index].numpy()


def _write(p: Program) -> Any:
    x = Tensor.zeros(*p.shape)
    x[p.index] = 1.0
    return x.numpy()
