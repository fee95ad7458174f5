"""Jitted functions that use models: every change of a module is seen, and none costs a reading of all of them."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from lazygrad import Tensor, jit, nn, no_grad
from lazygrad.ops import jit_modules

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


@pytest.mark.parametrize("held", [[2.0], deque([2.0]), partial(max, 2.0), np.ones(1), (2.0, [3.0])], ids=repr)
def test_what_may_change_in_a_module_is_read_every_time(held: object) -> None:
    """Its elements, or what it refers to, change without the module's knowing."""

    class Scaled(nn.Module):
        __module__ = "lazygrad.nn.scaled"  # as if it were ours

        def __init__(self) -> None:
            super().__init__()
            self.factors = held

        def forward(self, x: Tensor) -> Tensor:
            return x

    net = Scaled()
    assert jit_modules.inside(net)[1] == [net]


def test_modules_are_read_once_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    inside = jit_modules._inside
    monkeypatch.setattr(jit_modules, "_inside", lambda module: read.append(module) or inside(module))
    net, x = model().to("NUMPY").train(), Tensor(X, device="NUMPY")
    f = jit(lambda x: net(x))
    read.clear()
    for _ in range(10):
        f(x)
    assert len(read) == 1
    net.train()
    for _ in range(10):
        f(x)
    assert len(read) == 2
    assert sum(trace is not None for trace in f.traces.values()) == 1, "the mode is what it was"


def test_a_copy_is_another_model() -> None:
    net, x = model().to("NUMPY"), Tensor(X, device="NUMPY")
    f = jit(lambda net, x: net(x))
    first = [f(net, x).numpy() for _ in range(4)][-1]
    other = copy.deepcopy(net)
    halve(other)
    for _ in range(4):
        np.testing.assert_allclose(f(other, x).numpy(), other(x).numpy(), rtol=1e-6)
        np.testing.assert_allclose(f(net, x).numpy(), first)
