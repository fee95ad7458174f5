"""Random programs of views and in-place writes, the same in lazygrad and in PyTorch: equal values, or a ViewError where
PyTorch's tensors share what was written.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from lazygrad import Tensor
from lazygrad.errors import ViewError

SIZES = (1, 2, 2, 3, 4)
Step = Callable[[Any], Any]


def elements(t: torch.Tensor) -> tuple[int, set[int]]:
    """The memory of a tensor, and which elements of it the tensor has."""
    places = np.full((), t.storage_offset())
    for n, stride in zip(t.shape, t.stride()):
        places = np.add.outer(places, np.arange(n) * stride)
    return t.untyped_storage().data_ptr(), set(places.ravel().tolist())


class Pair:
    """One tensor in both; `touched` once a write to another tensor reached it in PyTorch."""

    def __init__(self, ours: Tensor, theirs: torch.Tensor) -> None:
        self.ours, self.theirs, self.touched = ours, theirs, False


class Program:
    """What happens in one random program; `seen` counts how its steps ended."""

    def __init__(self, seed: int, seen: Counter[str]) -> None:
        self.rng, self.seen, self.pairs = random.Random(seed), seen, list[Pair]()
        self.new()

    def run(self, length: int) -> None:
        rare, usual = (self.new, self.compute, self.read, self.forget), (self.view, self.view, self.view, self.write)
        for _ in range(length):
            self.rng.choice((*rare, *usual, self.write))()
            if len(self.pairs) > 8:
                self.forget()
        while self.pairs:
            self.check(self.pairs.pop())

    def new(self) -> None:
        shape = [self.rng.choice(SIZES) for _ in range(self.rng.randint(1, 3))]
        array = np.array([self.rng.randint(-9, 9) for _ in range(int(np.prod(shape)))], np.float32).reshape(shape)
        self.pairs.append(Pair(Tensor(array), torch.tensor(array)))

    def pick(self) -> Pair:
        if not self.pairs:
            self.new()
        return self.rng.choice(self.pairs)

    def view(self) -> None:
        of = self.pick()
        make = self.a_view(of.theirs)
        try:
            theirs = make(of.theirs)
        except RuntimeError:  # `view` of elements that lie in another order
            return
        if theirs.numel() <= 100:
            self.pairs.append(Pair(make(of.ours), theirs))
            self.pairs[-1].touched = of.touched or self.may_be_copies(of)

    def a_view(self, t: torch.Tensor) -> Step:
        rng, n = self.rng, t.ndim
        order, index = rng.sample(range(n), n), self.index(t)
        shape = self.factors(t.numel())
        dim = rng.randrange(n) if n else 0
        start = rng.randrange(t.shape[dim]) if n else 0
        simple: list[Step] = [
            lambda x: x.detach(), lambda x: x.contiguous(), lambda x: x.reshape(shape), lambda x: x.view(shape),
            lambda x: x.permute(order), lambda x: x[index], lambda x: x[index], lambda x: x.flatten(), lambda x: x[...],
            lambda x: x.unsqueeze(dim), lambda x: x.squeeze(), lambda x: x.expand(2, *x.shape), lambda x: x[None],
            lambda x: x.repeat(*[1] * max(n, 1)), lambda x: x.clone(), lambda x: x**1,
        ]  # fmt: skip
        if n:
            simple += [
                lambda x: x.narrow(dim, start, 1), lambda x: x.split(2, dim)[-1], lambda x: x.unbind(dim)[start],
                lambda x: x.chunk(2, dim)[0], lambda x: x.flip(dim), lambda x: next(iter(x)), lambda x: x.roll(0, dim),
                lambda x: x.movedim(dim, 0), lambda x: x[[start] if dim == 0 else ...], lambda x: x.transpose(0, dim),
            ]  # fmt: skip
        if n == 2:
            simple += [lambda x: x.T, lambda x: x.t(), lambda x: x.diagonal(), lambda x: x.mT]
        return rng.choice(simple)

    def factors(self, n: int) -> list[int]:
        shape = []
        while n > 1 and self.rng.random() < 0.7:
            shape.append(self.rng.choice([k for k in range(1, n + 1) if n % k == 0]))
            n //= shape[-1]
        shape.append(n)
        return self.rng.sample(shape, len(shape))

    def index(self, t: torch.Tensor) -> tuple[Any, ...]:
        items: list[Any] = []
        for n in t.shape:
            start = self.rng.randrange(n)
            items.append(self.rng.choice([start, slice(start, None), slice(None), slice(None, None, 2)]))
        return tuple(items[: self.rng.randint(0, len(items))])

    def compute(self) -> None:
        of, make = self.pick(), self.rng.choice([lambda x: x * 2, lambda x: x + x, lambda x: x.abs(), lambda x: -x])
        if not of.touched:
            self.pairs.append(Pair(make(of.ours), make(of.theirs)))
            self.pairs[-1].touched = self.may_be_copies(of)

    def write(self) -> None:
        pair = self.pick()
        if any(n > 1 and s == 0 for n, s in zip(pair.theirs.shape, pair.theirs.stride())):
            return  # PyTorch refuses: one element stands for several
        number, index = self.rng.randint(-5, 5), self.index(pair.theirs)
        change = self.rng.choice(METHODS)
        by_operator = self.rng.random() < 0.4
        if by_operator:
            change = self.rng.choice(OPERATORS)
        written = pair.theirs[index] if change in ITEMS else pair.theirs
        others = [p for p in self.pairs if p is not pair and self.shared(p.theirs, written)]
        was_touched = pair.touched
        try:
            change(pair.ours, number, index)
        except ViewError:
            assert others or was_touched or self.may_be_copies(pair), f"refused {pair.theirs.shape}, which is alone"
            self.seen["refused"] += 1
            return
        change(pair.theirs, number, index)
        self.seen["written"] += 1
        for p in others:
            p.touched = True

    @staticmethod
    def shared(a: torch.Tensor, b: torch.Tensor) -> bool:
        (memory, here), (other, there) = elements(a), elements(b)
        return memory == other and not here.isdisjoint(there)

    @staticmethod
    def may_be_copies(pair: Pair) -> bool:
        """Whether the tensor is derived from what PyTorch may lay out in another order, as x.T + 1."""
        return pair.ours._alias is not None and not pair.ours._alias.family.row_major

    def read(self) -> None:
        pair = self.pick()
        if not self.check(pair):
            self.pairs.remove(pair)

    def check(self, pair: Pair) -> bool:
        try:
            values = pair.ours.numpy()
        except ViewError:
            assert pair.touched or self.may_be_copies(pair), f"no value, though nothing changed {pair.theirs.shape}"
            self.seen["lost"] += 1
            return False
        assert np.array_equal(values, pair.theirs.numpy()), f"{values} is not {pair.theirs.numpy()}"
        self.seen["equal"] += 1
        return True

    def forget(self) -> None:
        if self.pairs:
            self.pairs.remove(self.rng.choice(self.pairs))


def _item_operator(x: Any, k: int, index: Any) -> None:
    x[index] += k


def _item(x: Any, k: int, index: Any) -> None:
    x[index] = k


def _item_of_itself(x: Any, k: int, index: Any) -> None:
    x[index] = x[index] * k


def _operator(x: Any, k: int, index: Any) -> None:
    x *= k


METHODS = (
    lambda x, k, index: x.fill_(k), lambda x, k, index: x.zero_(), lambda x, k, index: x.add_(k),
    lambda x, k, index: x.mul_(k), lambda x, k, index: x.clamp_(max=k), lambda x, k, index: x.copy_(x * k),
    _item, _item, _item_of_itself,
)  # fmt: skip
ITEMS = (_item, _item_of_itself, _item_operator)
OPERATORS = (_item_operator, _item_operator, _operator)


def run(seeds: Iterator[int] | range, length: int) -> Counter[str]:
    """How often a step was "written", "refused", "lost" or "equal" in the programs of these seeds."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        try:
            Program(seed, seen).run(length)
        except Exception as error:
            raise AssertionError(f"run([{seed}], {length}): {type(error).__name__}: {error}") from error
    return seen
