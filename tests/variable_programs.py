"""Random programs over slices whose bounds are variables, at 0, at their largest and between, mirrored in PyTorch.

A program's choices depend on its seed and on the bounds of variables, never on their values: the same one runs for
several assignments, and shares plans where it may. What is made is (lazygrad's tensor, PyTorch's), side by side.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

import lazygrad
from lazygrad import Tensor, Variable
from lazygrad.index.expr import lift

Pair = tuple[Tensor, torch.Tensor]
Choose = Callable[[random.Random, int, int], int]  # a value for a variable of these bounds
VALUES: dict[str, Choose] = {
    "smallest": lambda rng, lo, hi: lo,
    "largest": lambda rng, lo, hi: hi,
    "any": lambda rng, lo, hi: rng.randint(lo, hi),
}
Build = Callable[["Builder", Pair], "Pair | None"]


class Builder:
    """Makes one program. `values` and `rng` are apart, so that the values do not change what is chosen.

    Attributes:
        log: the program as text, with the values.
        made: every value so far.
    """

    def __init__(self, seed: int, values: str) -> None:
        self.rng, self.choose, self.own = random.Random(seed), VALUES[values], random.Random(~seed)
        self.log = [f"program({seed}, {values!r}):"]
        self.bound: list[tuple[Variable, int]] = []
        self.made: list[Pair] = []
        for _ in range(2):
            shape = tuple(self.rng.choice((1, 2, 5, 8, 17, 33)) for _ in range(self.rng.choice((1, 2, 2, 3))))
            array = np.random.default_rng(self.rng.getrandbits(32)).integers(-8, 9, shape) / 4
            self.add((Tensor(array), torch.tensor(array)), f"input {shape}")

    def add(self, pair: Pair, text: str) -> None:
        self.log.append(f"  v{len(self.made)} = {text}")
        self.made.append(pair)

    def variable(self, lo: int, hi: int) -> tuple[Variable, int]:
        """A variable of these bounds with its value: a new one, or one that is there already."""
        again = [v for v in self.bound if (v[0].lo, v[0].hi) == (lo, hi)]
        if again and self.rng.random() < 0.5:
            return self.rng.choice(again)
        value = self.choose(self.own, lo, hi)
        self.bound.append((Variable(f"v{len(self.bound)}", lo, hi).bind(value), value))
        return self.bound[-1]

    def axis(self, x: Tensor, least: int = 0) -> int | None:
        """An axis that has at least so many elements whatever the values are."""
        fit = [k for k, n in enumerate(x.shape) if lift(n).lo >= least]
        return self.rng.choice(fit) if fit else None


def program(seed: int, values: str, size: int = 7) -> Builder:
    """A program of about `size` steps with values of its variables."""
    b = Builder(seed, values)
    for _ in range(6 * size):
        name = b.rng.choice(list(STEPS))
        k = max(b.rng.randrange(len(b.made)), b.rng.randrange(len(b.made)))
        found = STEPS[name](b, b.made[k])
        if found is not None and all(lift(n).hi <= 200 for n in found[0].shape) and found[0].ndim <= 4:
            b.add(found, f"{name} of v{k}, {list(found[0].shape)}")
        if len(b.made) >= size + 2:
            break
    return b


def _at(axis: int, item: Any) -> tuple[Any, ...]:
    return (slice(None),) * axis + (item,)


def _slice(b: Builder, pair: Pair) -> Pair | None:
    x, want = pair
    if (axis := b.axis(x)) is None:
        return None
    size, least, form = x.shape[axis], lift(x.shape[axis]).lo, b.rng.randrange(7)
    form = form if least else form % 4  # nothing is known of the others
    most = b.rng.randint(1, max(1, least))
    v, value = b.variable(0, most) if least else (0, 0)
    more_than = b.rng.randint(0, least - most) if least > most else 0
    w, more = b.variable(1, max(1, least)) if least else (0, 0)
    forms: list[tuple[Any, Any]] = [
        (slice(v, None), slice(value, None)),
        (slice(None, v), slice(None, value)),
        (slice(size - v, None), slice(want.shape[axis] - value, None)),
        (slice(None, size - v), slice(None, want.shape[axis] - value)),
        (slice(v, v + more_than), slice(value, value + more_than)),
        (slice(-1 * w, None), slice(want.shape[axis] - more, None)),
        (slice(None, -1 * w), slice(None, want.shape[axis] - more)),
    ]
    ours, theirs = forms[form]
    return x[_at(axis, ours)], want[_at(axis, theirs)]


def _element(b: Builder, pair: Pair) -> Pair | None:
    x, want = pair
    if (axis := b.axis(x, 1)) is None:
        return None
    v, value = b.variable(0, lift(x.shape[axis]).lo - 1)
    if b.rng.random() < 0.5:
        return x[_at(axis, v)], want[_at(axis, value)]
    return x[_at(axis, -1 - v)], want[_at(axis, want.shape[axis] - 1 - value)]


def _times(b: Builder, pair: Pair) -> Pair | None:
    x, want = pair
    v, value = b.variable(0, 7)
    return x * v + 1, want * value + 1


def _add(b: Builder, pair: Pair) -> Pair | None:
    """With an earlier value of the same shape."""
    x, want = pair
    same = [p for p in b.made if p[0].shape == x.shape]
    y, other = b.rng.choice(same)
    return x - y * 0.5, want - other * 0.5


def _total(b: Builder, pair: Pair) -> Pair | None:
    x, want = pair
    if (axis := b.axis(x)) is None:
        return None
    return x.sum(axis), want.sum(axis)


def _greatest(b: Builder, pair: Pair) -> Pair | None:
    x, want = pair
    if (axis := b.axis(x, 1)) is None:
        return None
    return x.amax(axis, keepdim=True), want.amax(axis, keepdim=True)


def _centred(b: Builder, pair: Pair) -> Pair | None:
    x, want = pair
    if (axis := b.axis(x)) is None:
        return None
    return x / (x.abs().sum(axis, keepdim=True) + 1), want / (want.abs().sum(axis, keepdim=True) + 1)


def _running(b: Builder, pair: Pair) -> Pair | None:
    x, want = pair
    if (axis := b.axis(x)) is None:
        return None
    return x.cumsum(axis), want.cumsum(axis)


def _flat(b: Builder, pair: Pair) -> Pair | None:
    return pair[0].reshape(-1), pair[1].reshape(-1)


def _columns(b: Builder, pair: Pair) -> Pair | None:
    """All elements as columns of one known length."""
    x, want = pair
    known = [int(n) for n in x.shape if isinstance(n, int) and n > 1]
    if not known or want.numel() == 0 or any(lift(n).lo == 0 for n in x.shape):
        return None
    return x.reshape(-1, known[0]), want.reshape(-1, known[0])


def _moved(b: Builder, pair: Pair) -> Pair | None:
    x, want = pair
    order = b.rng.sample(range(x.ndim), x.ndim)
    if x.ndim == 0:
        return None
    if b.rng.random() < 0.5:
        return x.flip(order[0]), want.flip(order[0])
    return x.permute(*order), want.permute(*order)


def _padded(b: Builder, pair: Pair) -> Pair | None:
    x, want = pair
    if x.ndim == 0:
        return None
    pads = (b.rng.randint(0, 2), b.rng.randint(0, 2))
    return x.pad(pads), torch.nn.functional.pad(want, pads)


def _joined(b: Builder, pair: Pair) -> Pair | None:
    x, want = pair
    if (axis := b.axis(x)) is None:
        return None
    return lazygrad.cat([x, x * 2], axis), torch.cat([want, want * 2], axis)


def _product(b: Builder, pair: Pair) -> Pair | None:
    x, want = pair
    return (x @ x.T, want @ want.T) if x.ndim == 2 else None


def _repeated(b: Builder, pair: Pair) -> Pair | None:
    x, want = pair
    v, value = b.variable(0, 3)
    return x.unsqueeze(0).expand(v + 1, *x.shape), want.unsqueeze(0).expand(value + 1, *want.shape)


def _realized(b: Builder, pair: Pair) -> Pair | None:
    """Storage of its own from here on, or somebody else's."""
    pair[0].realize()
    return None


def _updated(b: Builder, pair: Pair) -> Pair | None:
    """Another tensor of the same value, changed in place: what was made of a part of it before keeps the old value."""
    x, want = pair
    y = (x + 0.0).realize()
    if (axis := b.axis(x, 1)) is not None:
        v, value = b.variable(0, 1)
        kept = y[_at(axis, slice(v, None))] * 2, want[_at(axis, slice(value, None))] * 2
        b.add(kept, "twice a part of what is updated then")
    return y.add_(1), want + 1


STEPS: dict[str, Build] = {
    "slice": _slice, "another slice": _slice, "a third slice": _slice, "element": _element, "times": _times,
    "add": _add, "total": _total, "greatest": _greatest, "centred": _centred, "running": _running, "flat": _flat,
    "columns": _columns, "moved": _moved, "padded": _padded, "joined": _joined, "product": _product,
    "repeated": _repeated, "realized": _realized, "updated": _updated,
}  # fmt: skip


# ---- running them ----------------------------------------------------------------------------------


def compare(seeds: Sequence[int], values: str, size: int = 7) -> None:
    """Realize the programs of `seeds` together on the default device; AssertionError, with the program, if one is
    wrong."""
    programs = [program(seed, values, size) for seed in seeds]
    Tensor.realize(*(x for b in programs for x, _ in b.made))
    for b in programs:
        for k, (x, want) in enumerate(b.made):
            text = "\n".join([*b.log, f"value {k}"])
            np.testing.assert_allclose(x.numpy(), want.numpy(), 1e-9, 1e-9, err_msg=text)
