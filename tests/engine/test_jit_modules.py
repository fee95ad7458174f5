"""Jitted functions that use models: every change of a module is seen, and none costs a reading of all of them."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, jit, nn, no_grad

X = (np.arange(8.0).reshape(2, 4) - 3).astype("float32")


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(0.1), nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.0)))


def halve(net: nn.Sequential) -> None:
    with no_grad():
        net[0].weight.mul_(0.5)


CHANGES: dict[str, Callable[[nn.Sequential], object]] = {
    "another module": lambda net: setattr(net, "1", nn.Tanh()),
    "another module without attributes": lambda net: (setattr(net, "1", nn.ReLU()), setattr(net, "1", nn.SiLU())),
    "none": lambda net: delattr(net, "1"),
    "a number": lambda net: setattr(net[1], "negative_slope", 0.9),
    "another parameter": lambda net: setattr(
        net[2][0], "weight", Tensor(np.ones((4, 4), "float32"), requires_grad=True)
    ),
    "a missing parameter": lambda net: setattr(net[2][0], "bias", None),
    "a parameter's values": halve,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen(name: str) -> None:
    net, x = model(), Tensor(X, device="NUMPY")
    net.to("NUMPY")
    f = jit(lambda x: net(x))
    before = [f(x).numpy() for _ in range(4)][-1]
    CHANGES[name](net)
    net.to("NUMPY")
    wanted = net(x).numpy()
    assert not np.allclose(before, wanted)
    for _ in range(4):
        np.testing.assert_allclose(f(x).numpy(), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("held", "change"),
    [
        ([2.0], lambda held: held.__setitem__(0, 3.0)),
        (deque([2.0]), lambda held: held.appendleft(3.0)),
        (np.full(1, 2.0), lambda held: held.fill(3.0)),
        ((2.0, [3.0]), lambda held: held[1].clear()),
        ({0: 2.0}, lambda held: held.update({0: 3.0})),
    ],
    ids=["list", "deque", "array", "tuple", "dict"],
)
def test_what_may_change_in_a_module_is_read_every_time(held: Any, change: Callable[[Any], None]) -> None:
    """Its elements change without the module's knowing."""

    class Scaled(nn.Module):
        __module__ = "lazygrad.nn.scaled"  # as if it were ours

        def __init__(self) -> None:
            super().__init__()
            self.factors = held

        def forward(self, x: Tensor) -> Tensor:
            return x * float(self.factors[0]) + len(self.factors[-1] if isinstance(self.factors, tuple) else "")

    net, x = Scaled(), Tensor(X, device="NUMPY")
    f = jit(lambda x: net(x))
    for _ in range(3):
        assert f(x).tolist() == net(x).tolist()
    before = f(x).tolist()
    change(held)
    for _ in range(3):
        assert f(x).tolist() == net(x).tolist() != before


def test_modules_are_read_only_after_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    net, x = model().to("NUMPY").train(), Tensor(X, device="NUMPY")
    f = jit(lambda x: net(x))
    for _ in range(3):
        f(x)
    guard = next(iter(f.kinds.values()))[0].guard
    assert len(guard.counted) >= 5, "three layers, a container in a container"
    monkeypatch.setattr(guard, "counted", [Noted(fact, read) for fact in guard.counted])
    for _ in range(10):
        f(x)
    assert not read
    net.train()
    for _ in range(10):
        f(x)
    assert len(read) == len(guard.counted)
    assert len(f.traces) == 1, "the mode is what it was"


class Noted:
    """A fact that notes when it is asked."""

    def __init__(self, fact: Any, read: list[object]) -> None:
        self.fact, self.read = fact, read

    def holds(self) -> bool:
        """As the fact does."""
        self.read.append(self.fact)
        return bool(self.fact.holds())


def test_a_copy_is_another_model() -> None:
    net, x = model().to("NUMPY"), Tensor(X, device="NUMPY")
    f = jit(lambda net, x: net(x))
    first = [f(net, x).numpy() for _ in range(4)][-1]
    other = copy.deepcopy(net)
    halve(other)
    for _ in range(4):
        np.testing.assert_allclose(f(other, x).numpy(), other(x).numpy(), rtol=1e-6)
        np.testing.assert_allclose(f(net, x).numpy(), first)


NUMBERS = {  # modules of one tensor and their settings that are numbers, with other values
    "ELU": ("alpha", 0.3), "CELU": ("alpha", 0.3), "LeakyReLU": ("negative_slope", 0.7), "Hardtanh": ("max_val", 0.2),
    "Softplus": ("beta", 3.0), "Threshold": ("value", 9.0), "Hardshrink": ("lambd", 1.5), "Softshrink": ("lambd", 1.5),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_a_setting_of_every_module_that_applies_a_function_is_seen(name: str) -> None:
    field, value = NUMBERS[name]
    module = nn.Threshold(0.5, 1.0) if name == "Threshold" else getattr(nn, name)()
    x = Tensor(X, device="NUMPY")
    f = jit(lambda x: module(x))
    before = [f(x).numpy() for _ in range(3)][-1]
    setattr(module, field, value)
    wanted = module(x).numpy()
    assert not np.allclose(before, wanted)
    np.testing.assert_array_equal(f(x).numpy(), wanted)
