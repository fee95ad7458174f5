"""Random programs of tensors that are all of each other (`detach`, `.data`, reshapes of the whole), written to through
any of them, with gradients, with `jit` and without: the same in lazygrad and in PyTorch, which refuses nothing here.
"""

from __future__ import annotations

import copy
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

import lazygrad
from lazygrad import Tensor, jit
from lazygrad.errors import JitError, ViewError

SHAPES = ((4,), (2, 2), (1, 4), (2, 1, 2), (4, 1))
Pair = tuple[Any, Any]  # a tensor of lazygrad's, and PyTorch's


def _item(x: Any, k: float) -> None:
    x[(0,) * x.ndim] = k


def _row(x: Any, k: float) -> None:
    x[0] = k


def _item_operator(x: Any, k: float) -> None:
    x[...] += k


def _data_operator(x: Any, k: float) -> None:
    x.data *= k


def _exchanged(x: Any, k: float) -> None:
    x.data = x.data * k


REFUSED_BY_JIT = "lives on|from outside is a view|of which there are views|requires a gradient"
CHANGES: tuple[Callable[[Any, float], Any], ...] = (
    lambda x, k: x.mul_(k), lambda x, k: x.add_(k), lambda x, k: x.fill_(k), lambda x, k: x.zero_(),
    lambda x, k: x.clamp_(-8, 8), lambda x, k: x.copy_(x * k), lambda x, k: x.data.mul_(k),
    lambda x, k: x.data.add_(k), lambda x, k: x.detach().sub_(k), lambda x, k: x.data.detach().clamp_(-2, 8),
    lambda x, k: x.data.reshape(-1).div_(k), lambda x, k: x.detach().data.copy_(x.detach() * k),
    lambda x, k: _item(x.data, k), lambda x, k: _item(x.detach().view(-1), k), lambda x, k: _row(x.data, k),
    _item_operator, _data_operator, _exchanged,
)  # fmt: skip


class Program:
    """One random program; `seen` counts what its steps were."""

    def __init__(self, seed: int, seen: Counter[str]) -> None:
        self.rng, self.seen = random.Random(seed), seen
        self.pairs: list[Pair] = []
        self.leaves: list[Pair] = []
        self.exchanged = False
        self.new()

    def run(self, length: int) -> None:
        steps = (
            self.new, self.view, self.view, self.view, self.write, self.write, self.write, self.write, self.compute,
            self.realize, self.check, self.backward, self.grad_written, self.exchange, self.recorded, self.forget,
        )  # fmt: skip
        for _ in range(length):
            step = self.rng.choice(steps)
            step()
            self.seen[step.__name__] += 1
        self.check_all()

    def new(self) -> None:
        values = np.array([self.rng.randint(-4, 4) for _ in range(4)], np.float32).reshape(self.rng.choice(SHAPES))
        requires = self.rng.random() < 0.6
        pair = Tensor(values, requires_grad=requires), torch.tensor(values, requires_grad=requires)
        self.pairs.append(pair)
        if requires:
            self.leaves.append(pair)

    def pick(self) -> Pair:
        return self.rng.choice(self.pairs)

    def both(self, pair: Pair, make: Callable[[Any], Any]) -> Pair:
        return make(pair[0]), make(pair[1])

    def view(self) -> None:
        shape = self.rng.choice(SHAPES)
        views: list[Callable[[Any], Any]] = [
            lambda x: x.detach(), lambda x: x.data, lambda x: x.reshape(shape), lambda x: x.view(*shape),
            lambda x: x.flatten(), lambda x: x.unsqueeze(0).squeeze(0), lambda x: x[...], lambda x: x.contiguous(),
            lambda x: x.detach().requires_grad_(), copy.copy,
        ]  # fmt: skip
        make = self.rng.choice(views)
        of = self.pick()
        if make is copy.copy and not of[1].is_leaf:  # PyTorch copies leaves only
            return
        new = self.both(of, make)
        if new[1] is of[1]:  # `flatten` and `contiguous` of what is so already: here it is a view
            return
        self.pairs.append(new)
        if new[1].is_leaf and new[1].requires_grad:
            self.leaves.append(new)

    def compute(self) -> None:
        k = self.rng.choice([2.0, -1.0])
        self.pairs.append(self.both(self.pick(), lambda x: x * k))

    def write(self) -> None:
        ours, theirs = self.pick()
        number, k = self.rng.randrange(len(CHANGES)), self.rng.choice([2.0, -1.0, 0.5])
        change = CHANGES[number]
        self.exchanged |= change is _exchanged
        with torch.no_grad(), lazygrad.no_grad():
            repeated = jit(change) if self.rng.random() < 0.3 else change
            for _ in range(4 if repeated is not change else 1):  # plainly, traced, and replayed
                try:
                    repeated(ours, k)
                except JitError as error:
                    if not re.search(REFUSED_BY_JIT, str(error)):
                        raise
                    self.seen["refused by jit"] += 1
                    break
                except ViewError:
                    self.assert_unsure(ours)
                    break
                change(theirs, k)
                self.seen["replayed"] += bool(getattr(repeated, "traces", ()))

    def assert_unsure(self, ours: Tensor) -> None:
        """Elements that may lie in another order, as far as the graph was looked at: there a reshape may be a copy."""
        assert ours._alias is not None
        assert not ours._alias.family.row_major
        self.seen["unsure"] += 1

    def recorded(self) -> None:
        """A write that the graph records, which PyTorch has where no leaf is the same memory with the same graph."""
        ours, theirs = self.pick()
        k = self.rng.choice([2.0, -1.0])
        if self.exchanged:
            return
        try:
            theirs.mul_(k)
        except RuntimeError:
            return
        ours.mul_(k)

    def exchange(self) -> None:
        (ours, theirs), (of, from_) = self.pick(), self.pick()
        if ours.shape == of.shape:
            ours.data, theirs.data = of, from_
            self.exchanged = True

    def realize(self) -> None:
        self.pick()[0].realize()

    def check(self) -> None:
        self.equal(self.pick())

    def equal(self, pair: Pair) -> None:
        ours, theirs = pair
        try:
            values = ours.numpy()
        except ViewError:
            self.assert_unsure(ours)
            return
        assert np.array_equal(values, theirs.detach().numpy()), f"{values} is not {theirs}"
        facts = [(t.requires_grad, t.is_leaf, t.is_leaf and t.grad is not None) for t in pair]
        assert facts[0] == facts[1], f"{facts} (requires_grad, is_leaf, has a gradient)"
        if facts[0][2]:
            assert np.array_equal(ours.grad.numpy(), theirs.grad.numpy()), f"{ours.grad.numpy()} is not {theirs.grad}"

    def backward(self) -> None:
        ours, theirs = self.pick()
        if theirs.requires_grad:
            (ours * 3).sum().backward()
            (theirs * 3).sum().backward(retain_graph=True)

    def grad_written(self) -> None:
        with_grad = [p for p in self.leaves if p[1].grad is not None]
        if with_grad:
            ours, theirs = self.rng.choice(with_grad)
            number = self.rng.randrange(len(CHANGES))
            CHANGES[number](ours.grad, 2.0)
            CHANGES[number](theirs.grad, 2.0)

    def forget(self) -> None:
        if len(self.pairs) > 3:
            del self.pairs[self.rng.randrange(len(self.pairs))]

    def check_all(self) -> None:
        for pair in (*self.pairs, *self.leaves):
            self.equal(pair)


def run(seeds: Iterable[int], length: int) -> Counter[str]:
    """How often each step was done in the programs of these seeds."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        try:
            Program(seed, seen).run(length)
        except Exception as error:
            raise AssertionError(f"run([{seed}], {length}): {type(error).__name__}: {error}") from error
    return seen
