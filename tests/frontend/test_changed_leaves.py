"""Leaves that change, or are realized, between the forward and the backward pass: gradients find them all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, jit, no_grad, optim, stats, value_and_grad
from lazygrad.engine import run
from lazygrad.errors import GraphError

START, X = np.array([1.0, -2.0, 3.0]), np.array([4.0, 5.0, 6.0])


def by_assign(w: Tensor) -> None:
    with no_grad():
        w.assign(w * 3 + 1)


def by_operator(w: Tensor) -> None:
    with no_grad():
        w -= 1
        w *= 2


def by_copy(w: Tensor) -> None:
    with no_grad():
        w.copy_(Tensor([7.0, 8.0, 9.0]))


def by_index(w: Tensor) -> None:
    with no_grad():
        w[1:] = 5


def by_realizing(w: Tensor) -> None:
    (w + 0).realize(w)


def stepping(make: Callable[..., Any], compiled: bool) -> Callable[[Tensor], None]:
    def change(w: Tensor) -> None:
        kept, w.grad = w.grad, Tensor([1.0, 1.0, 1.0], dtype=w.dtype)
        optimizer = make([w], lr=0.1)
        step = jit(optimizer.step) if compiled else optimizer.step
        for _ in range(3):
            step()
        w.grad = kept

    return change


CHANGES = {
    "assign": by_assign,
    "operators": by_operator,
    "copy": by_copy,
    "index": by_index,
    "realize": by_realizing,
    "SGD": stepping(optim.SGD, False),
    "AdamW": stepping(optim.AdamW, False),
    "SGD under jit": stepping(optim.SGD, True),
    "AdamW under jit": stepping(optim.AdamW, True),
}
changes = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


def leaf(realized: bool) -> Tensor:
    w = Tensor(START, requires_grad=True)
    return w.realize() if realized else w


def grad_of(w: Tensor) -> Any:
    assert w.grad is not None
    return w.grad.numpy()


@changes
@pytest.mark.parametrize("realized", [False, True])
def test_the_old_graph_gives_its_gradient(device: str, change: Callable[[Tensor], None], realized: bool) -> None:
    w = leaf(realized)
    loss = (w * Tensor(X)).sum()
    change(w)
    loss.backward()
    np.testing.assert_allclose(grad_of(w), X)
    assert loss.item() == START @ X


@changes
def test_a_gradient_by_old_values_has_them_or_is_an_error(device: str, change: Callable[[Tensor], None]) -> None:
    w = leaf(True)
    old = run.storage_of(w.node)
    loss = (w * w).sum()
    change(w)
    loss.backward()
    if run.is_overwritten(old):
        with pytest.raises(GraphError, match="overwritten in place"):
            grad_of(w)
    else:
        np.testing.assert_allclose(grad_of(w), 2 * START)


@changes
def test_every_graph_adds_its_gradient(device: str, change: Callable[[Tensor], None]) -> None:
    w = leaf(True)
    old = (w * Tensor(X)).sum()
    old.backward()
    change(w)
    new = (w * w).sum()
    now = w.detach().numpy()
    old.backward()
    new.backward()
    np.testing.assert_allclose(grad_of(w), 2 * X + 2 * now)
    change(w)
    old.backward()
    np.testing.assert_allclose(grad_of(w), 3 * X + 2 * now)


@changes
def test_one_graph_of_old_and_new_values(device: str, change: Callable[[Tensor], None]) -> None:
    w = leaf(True)
    part = w * Tensor(X)
    change(w)
    (part + w * 2).sum().backward()
    np.testing.assert_allclose(grad_of(w), X + 2)


def test_all_of_it_under_jit(device: str) -> None:
    def step(w: Tensor, x: Tensor) -> Tensor:
        w.grad = None
        loss = (w * x).sum() + (w * w).sum()
        with no_grad():
            w.sub_(x)
        (loss + (w * x).sum()).backward()
        return loss

    compiled = jit(step)
    ours, plain = leaf(True), leaf(True)
    for k in range(5):
        x = X + k
        assert compiled(ours, Tensor(x)).item() == pytest.approx(step(plain, Tensor(x)).item())
        np.testing.assert_allclose(grad_of(ours), grad_of(plain))
        np.testing.assert_allclose(ours.numpy(), plain.numpy())


def test_functional_gradients_of_arguments_that_change_inside(device: str) -> None:
    def loss(w: Tensor) -> Tensor:
        part = (w * w).sum()
        w.realize()
        part = part + (w * Tensor(X)).sum()
        with no_grad():
            w.mul_(2)
        return part + (w * 3).sum()

    value, slope = value_and_grad(loss)(Tensor(START))
    assert value.item() == START @ START + START @ X + 6 * START.sum()
    np.testing.assert_allclose(slope.numpy(), 2 * START + X + 3)


# ---- leaves and others with one buffer -------------------------------------------------------------

ALIASES: dict[str, Callable[[Tensor], Tensor]] = {
    "detach": lambda w: w.detach(),
    "reshape": lambda w: w.detach().reshape(3, 1).reshape(3),
    "a view": lambda w: w.detach().expand(3),
    "times one": lambda w: w.detach() * 1,
    "contiguous": lambda w: w.detach().contiguous(),
    "clone": lambda w: w.detach().clone(),
    "a tensor of it": lambda w: Tensor(w),
    "another leaf": lambda w: Tensor(w, requires_grad=True),
    "jit": lambda w: jit_detach(w),
}


@jit
def jit_detach(w: Tensor) -> Tensor:
    return w.detach() * 1


@pytest.mark.parametrize("make", ALIASES.values(), ids=ALIASES)
def test_another_tensor_of_the_same_value_is_no_way_to_the_leaf(device: str, make: Callable[[Tensor], Tensor]) -> None:
    w = leaf(True)
    for _ in range(3):
        other = make(w).realize()
        w.grad = None
        (other * w).sum().backward()
        np.testing.assert_allclose(grad_of(w), START)


@pytest.mark.parametrize("make", ALIASES.values(), ids=ALIASES)
def test_a_leaf_made_of_a_tensor_is_not_that_tensor(device: str, make: Callable[[Tensor], Tensor]) -> None:
    constant = Tensor(START).realize()
    w = make(constant).detach().requires_grad_().realize()
    (constant * w).sum().backward()
    np.testing.assert_allclose(grad_of(w), START)


def test_what_others_hold_is_not_overwritten_by_a_replay() -> None:
    @jit
    def halve(w: Tensor) -> None:
        with no_grad():
            w.mul_(0.5)

    w = Tensor(START, requires_grad=True, device="OPENCL").realize()
    held = []
    for _ in range(4):
        held.append(Tensor(w).realize())
        halve(w)
    np.testing.assert_allclose([t.numpy() for t in held], [START * 0.5**k for k in range(4)])


def test_a_replay_updates_a_leaf_in_its_own_memory() -> None:
    w = Tensor(np.ones(1 << 16, np.float32), requires_grad=True, device="OPENCL").realize()

    @jit
    def step() -> None:
        w.grad = None
        (w * w).sum().backward()
        with no_grad():
            w.sub_(w.grad * 0.25)

    for _ in range(3):
        step()
    memory, before = run.storage_of(w.node).memory, stats().live_bytes
    for _ in range(3):
        step()
    assert run.storage_of(w.node).memory is memory
    assert stats().live_bytes == before
    assert w.detach().numpy()[0] == 0.5**6


def test_a_long_loop_keeps_no_old_values() -> None:
    w = Tensor(START, requires_grad=True).realize()
    for _ in range(50):
        with no_grad():
            w.sub_(0.5).realize()
    assert len(w._nodes()) <= 2
