"""In-place operations: a read made before a write sees the old value, one made after sees the new one, whatever is
realized when; and memory is reused where nobody can tell."""

from __future__ import annotations

import gc
import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from lazygrad import Tensor, no_grad, optim, stats, synchronize
from lazygrad.engine import compile as compiler
from lazygrad.engine import plan_store, run
from lazygrad.errors import GraphError
from lazygrad.ir.elements import Array
from lazygrad.ir.node import live_nodes

SHAPE = (3, 4)


@dataclass
class Simulation:
    """Tensors that are changed and read at random, beside the NumPy arrays that they should equal. Integers: exact."""

    rng: random.Random
    tensors: list[Tensor] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)

    def add(self, tensor: Tensor, array: Array) -> None:
        self.tensors.append(tensor)
        self.arrays.append(array)

    def new(self) -> None:
        array = np.random.default_rng(self.rng.getrandbits(32)).integers(-9, 10, SHAPE)
        self.add(Tensor(array), array.copy())

    def pick(self) -> tuple[Tensor, Array]:
        k = self.rng.randrange(len(self.tensors))
        return self.tensors[k], self.arrays[k]

    # ---- steps: each does the same to a tensor and to its array ----

    def add_in_place(self) -> None:
        (t, a), (s, b) = self.pick(), self.pick()
        t += s
        a += b.copy()

    def scale_in_place(self) -> None:
        t, a = self.pick()
        t.mul_(-1).add_(3)
        np.add(-a, 3, out=a)

    def assign(self) -> None:
        (t, a), (s, b) = self.pick(), self.pick()
        t.assign(s.flip(0) + 1)
        a[:] = b[::-1].copy() + 1

    def assign_and_keep(self) -> None:
        """The value that is stored in place stays in use under another name."""
        t, a = self.pick()
        value = t - 2
        t.assign(value)
        a -= 2
        self.add(value, a.copy())

    def read_and_change(self) -> None:
        """One realize computes values of the old elements and what takes their place, by kernels of all kinds."""
        (t, a), (s, b), (u, c) = self.pick(), self.pick(), self.pick()
        before = self.rng.sample(
            [(t * 3, a * 3), (t.sum(1), a.sum(1)), (t.T + 1, a.T + 1), (t - u, a - c), (t.amax(0), a.max(0))], 2
        )
        wanted = [value.copy() for _, value in before]
        change, array = self.rng.choice(
            [(s[:, :3] @ u, b[:, :3] @ c), (s.sum(0), b.sum(0)), (u.amin(1, keepdim=True), c.min(1, keepdims=True))]
        )
        t += change
        a += array.copy()
        together = [t, *(value for value, _ in before)]
        self.rng.shuffle(together)
        Tensor.realize(*together)
        for (value, _), expected in zip(before, wanted):
            assert np.array_equal(value.numpy(), expected)

    def set_row(self) -> None:
        (t, a), (s, b) = self.pick(), self.pick()
        k = self.rng.randrange(SHAPE[0])
        t[k] = s[0]
        a[k] = b[0].copy()

    def set_block(self) -> None:
        t, a = self.pick()
        t[1:, ::2] = 7
        a[1:, ::2] = 7

    def read(self) -> None:
        (t, a), (s, b) = self.pick(), self.pick()
        self.add(*self.rng.choice([
            (t * 2 - s, a * 2 - b), (Tensor(t.T.reshape(*SHAPE)), a.T.reshape(SHAPE).copy()), (Tensor(t), a.copy()),
            (t.clone(), a.copy()), (Tensor(t.reshape(*SHAPE)), a.copy()), (t.cumsum(0), np.cumsum(a, 0)),
            (t + s.sum(1, keepdim=True), a + b.sum(1, keepdims=True)),
        ]))  # fmt: skip

    def swap(self) -> None:
        (t, a), (s, b) = self.pick(), self.pick()
        old, kept = t * 1, a.copy()
        t.assign(s)
        a[:] = b.copy()
        s.assign(old)
        b[:] = kept

    def realize(self) -> None:
        some = self.rng.sample(self.tensors, min(self.rng.randint(1, 3), len(self.tensors)))
        some[0].realize(*some[1:])

    def look(self) -> None:
        t, a = self.pick()
        assert np.array_equal(t.numpy(), a)

    def forget(self) -> None:
        if len(self.tensors) > 2:
            k = self.rng.randrange(len(self.tensors))
            del self.tensors[k], self.arrays[k]


STEPS = (
    Simulation.add_in_place, Simulation.scale_in_place, Simulation.assign, Simulation.assign_and_keep,
    Simulation.read_and_change, Simulation.read_and_change, Simulation.set_row, Simulation.set_block,
    Simulation.read, Simulation.read, Simulation.swap, Simulation.realize, Simulation.realize, Simulation.look,
    Simulation.forget, Simulation.new,
)  # fmt: skip


def simulate(seed: int, length: int) -> None:
    s = Simulation(random.Random(seed))
    s.new()
    s.new()
    for _ in range(length):
        s.rng.choice(STEPS)(s)
        if len(s.tensors) > 8:
            s.forget()
    for t, a in zip(s.tensors, s.arrays):
        assert np.array_equal(t.numpy(), a), f"simulate({seed}, {length})"


@pytest.mark.parametrize("seed", range(6))
def test_random_interleavings(device: str, seed: int) -> None:
    simulate(seed, 60 if device == "NUMPY" else 25)


def test_a_value_stored_in_place_may_be_kept(device: str) -> None:
    x = Tensor([1.0, 2.0]).realize()
    y = x + 1
    x.assign(y)
    x.realize(y)
    x += 1
    assert x.realize().tolist() == [3.0, 4.0]
    assert y.tolist() == [2.0, 3.0]


def test_copies_of_views_are_values(device: str) -> None:
    x = Tensor(np.arange(6.0).reshape(2, 3)).realize()
    turned, flat = Tensor(x.T), Tensor(x.reshape(6))
    flat.realize()
    x += 1
    x.realize()
    assert turned.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert flat.tolist() == [0, 1, 2, 3, 4, 5]


def test_other_devices_copy_the_old_value(device: str) -> None:
    other = "OPENCL" if device == "NUMPY" else "NUMPY"
    x = Tensor([1.0, 2.0]).realize()
    before = (x * 2).to(other)
    x += 1
    after = x.to(other)
    x += 1
    assert x.realize().tolist() == [3.0, 4.0]
    assert before.tolist() == [2.0, 4.0]
    assert after.tolist() == [2.0, 3.0]


def test_a_node_whose_memory_was_taken_is_computed_again(device: str) -> None:
    base, w = Tensor([1.0, 2.0]).realize(), Tensor([1.0, 1.0], requires_grad=True)
    x = base + 1
    y = w * x  # keeps the graph of x
    x.realize(y)
    x += 1
    x.realize()
    assert (base + 1).tolist() == [2.0, 3.0]


def test_the_update_writes_over_the_old_value() -> None:
    x = Tensor(np.zeros(1 << 16, np.float32), device="OPENCL").realize()
    memory = run.storage_of(x.node).memory
    x.mul_(0.5).add_(1)
    assert run.storage_of(x.realize().node).memory is memory
    kept = Tensor(x)
    x += 1
    assert run.storage_of(x.realize().node).memory is not memory, "kept still holds it"
    assert kept.sum().item() == 1 << 16
    other = x.reshape(256, 256)
    before = run.storage_of(x.node).memory
    del other
    x.assign(x.flip(0))
    assert run.storage_of(x.realize().node).memory is not before, "elements move: not in place"


def test_writing_in_place_is_decided_once_for_updates_of_one_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[object] = []
    plain = compiler.plain_program
    monkeypatch.setattr(compiler, "plain_program", lambda *args: built.append(args) or plain(*args))
    monkeypatch.setattr(plan_store, "key", lambda *args: None)
    parameters = [Tensor(np.full((37, 11), k, np.float32), requires_grad=True, device="OPENCL") for k in range(12)]
    optimizer = optim.AdamW(parameters, lr=0.1)
    for p in parameters:
        p.grad = Tensor(np.ones((37, 11), np.float32), device="OPENCL")
    Tensor.realize(*parameters)
    memories = [run.storage_of(p.node).memory for p in parameters]
    optimizer.step()
    Tensor.realize(*parameters)
    assert [run.storage_of(p.node).memory for p in parameters] == memories
    assert len(built) < len(parameters)


def test_an_overwritten_value_is_an_error() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True, device="OPENCL").realize()
    loss = (w * w).sum().realize()
    with no_grad():
        w.sub_(1).realize()
    loss.backward()
    assert w.grad is not None
    with pytest.raises(GraphError, match="overwritten in place"):
        w.grad.numpy()


def test_empty_tensors_are_written(device: str) -> None:
    x = Tensor(np.zeros((0, 3), np.float32)).realize()
    x += 1
    assert x.realize().tolist() == []
    assert (x + 1).sum().item() == 0
    assert x.sum(0).tolist() == [0, 0, 0]


# ---- memory ----------------------------------------------------------------------------------------


def measure() -> tuple[int, int]:
    synchronize()
    gc.collect()
    return stats().live_bytes, live_nodes()


def train(optimizer: optim.Optimizer, w: Tensor, x: Tensor, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        ((x @ w).relu().sum() * 1e-3).backward()
        optimizer.step()


def test_a_thousand_steps_leak_nothing(device: str) -> None:
    w = Tensor(np.ones((8, 16), np.float32), requires_grad=True)
    x, optimizer = Tensor(np.ones((4, 8), np.float32)), optim.AdamW([w], lr=1e-3)
    train(optimizer, w, x, 5)
    before = measure()
    train(optimizer, w, x, 1000)
    assert measure() == before


def test_everything_is_given_back(device: str) -> None:
    def work() -> None:
        x = Tensor(np.ones((512, 64), np.float32), requires_grad=True)
        loss = (x.softmax(-1) @ Tensor.ones(64, 64)).square().sum()
        loss.backward()
        assert x.grad is not None
        x.grad.realize(loss)
        with no_grad():
            x -= x.grad
        x.numpy()

    work()
    before = measure()
    for _ in range(3):
        work()
    assert measure() == before


def test_steps_in_place_need_no_memory_of_their_own() -> None:
    x = Tensor(np.zeros(1 << 18, np.float32), device="OPENCL").realize()
    before, _ = measure()
    for _ in range(20):
        x.mul_(0.9).add_(1)
        x.realize()
        assert stats().live_bytes <= before + 4096
