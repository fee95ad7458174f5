"""Training loops that change their weights by hand: no step costs more than the one before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad.engine.run import realized
from lazygrad.ir.node import topological
from lazygrad.settings import settings


def subtract(t: Any, w: Any) -> None:
    with t.no_grad():
        w -= w.grad * 0.1


def rebind(t: Any, w: Any) -> None:
    w.data = w.data - 0.1 * w.grad


def copy(t: Any, w: Any) -> None:
    with t.no_grad():
        w.copy_(w - 0.1 * w.grad)


def subtract_data(t: Any, w: Any) -> None:
    w.data -= 0.1 * w.grad.data


UPDATES: dict[str, Callable[[Any, Any], None]] = {
    "data.add_": lambda t, w: w.data.add_(-0.1 * w.grad),
    "detach().sub_": lambda t, w: w.detach().sub_(w.grad, alpha=0.1),
    "no_grad": subtract,
    "data =": rebind,
    "copy_": copy,
    "data -=": subtract_data,
}
READS: dict[str, Callable[[Any], float]] = {
    "item": lambda loss: loss.item(),
    "float": lambda loss: float(loss.detach()),
    "numpy": lambda loss: float(loss.detach().numpy()),
}
BATCHES = np.random.default_rng(0).standard_normal((8, 16, 3)).astype("float32")


def losses(
    t: Any, update: str, read: str, weights: Callable[[Any], Any], sizes: list[int] | None = None
) -> list[float]:
    w, seen, found = weights(t).requires_grad_(), t.tensor([0.0, 0.0, 0.0]), []
    for batch in BATCHES:
        x = t.tensor(batch)
        w.grad = None
        loss = ((x @ w - x.sum(1)) ** 2).mean() + 0 * seen.sum()
        if sizes is not None:
            sizes.append(len(topological([loss.node], stop=lambda n: realized(n) is not None)))
        found.append(READS[read](loss))
        loss.backward()
        UPDATES[update](t, w)
        seen.add_(w.detach())
    return found


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("stored", [True, False])
def test_no_step_costs_more_than_the_one_before_it(update: str, read: str, stored: bool) -> None:
    def weights(t: Any) -> Any:
        return t.tensor([0.5, -1.0, 2.0]) if stored else t.ones(3) * 0.5  # what is computed when it is first read

    sizes: list[int] = []
    with settings.override(device="NUMPY"):
        found = losses(lazygrad, update, read, weights, sizes)
    np.testing.assert_allclose(found, losses(torch, update, read, weights), 1e-5)
    assert len(set(sizes[2:])) == 1, sizes


def test_on_a_device_no_step_makes_other_kernels() -> None:
    with settings.override(device="OPENCL"):
        for update in ("data.add_", "no_grad"):
            losses(lazygrad, update, "item", lambda t: t.tensor([0.5, -1.0, 2.0]))
            before = lazygrad.stats()
            losses(lazygrad, update, "item", lambda t: t.tensor([0.5, -1.0, 2.0]))
            assert lazygrad.stats().plan_hits - before.plan_hits == len(BATCHES)
