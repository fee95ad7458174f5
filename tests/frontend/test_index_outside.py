"""An index outside is an error: at once where the host knows it, else when a value is read the next time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, Variable, jit, nn, no_grad, optim
from lazygrad.engine import checks
from lazygrad.errors import BoundsError
from lazygrad.ir.node import topological
from lazygrad.ir.op import Op
from lazygrad.settings import settings

Use = Callable[[Tensor], Tensor]  # an index of shape (n,) into four places


def computed(*index: int, dtype: str = "int64") -> Tensor:
    """An index that the host does not know."""
    return Tensor(np.array(index, dtype)) * 1


def written(i: Tensor) -> Tensor:
    x = Tensor([1.0, 2.0, 3.0, 4.0])
    x[i] = 5.0
    return x


def gradient(i: Tensor) -> Tensor:
    """Only the gradient is computed: nothing reads the elements themselves."""
    x = Tensor.ones(4, requires_grad=True)
    (x[i] * 2).sum().backward()
    assert x.grad is not None
    return x.grad


def loss_gradient(i: Tensor) -> Tensor:
    x = Tensor.ones(i.shape[0], 4, requires_grad=True)
    x.cross_entropy(i).backward()
    assert x.grad is not None
    return x.grad


USES: dict[str, Use] = {
    "x[index]": lambda i: Tensor.arange(4)[i],
    "x[index] beside a slice": lambda i: Tensor.zeros(3, 4)[1:, i],
    "x[index] with two": lambda i: Tensor.zeros(9, 4)[i * 0, i],
    "x[index] = v": written,
    "gather": lambda i: Tensor.arange(4).gather(0, i),
    "take_along_dim": lambda i: Tensor.arange(4).take_along_dim(i, 0),
    "index_select": lambda i: Tensor.zeros(2, 4).index_select(1, i),
    "scatter": lambda i: Tensor.zeros(4).scatter(0, i, 1.0),
    "scatter_add": lambda i: Tensor.zeros(4).scatter_add(0, i, Tensor.ones(i.shape[0])),
    "embedding": lambda i: nn.Embedding(4, 2)(i),
    "one_hot": lambda i: i.one_hot(4),
    "cross_entropy": lambda i: nn.CrossEntropyLoss()(Tensor.ones(i.shape[0], 4), i),
    "nll_loss": lambda i: Tensor.ones(i.shape[0], 4).nll_loss(i, weight=Tensor.ones(4)),
    "x[index] by its gradient": gradient,
    "cross_entropy by its gradient": loss_gradient,
}


def outside(name: str, index: int) -> str:
    return rf"{name.partition(' ')[0]}.*: index {index} is not inside a dimension of size 4 \(test_index_outside.py:\d+"


def from_the_end(name: str) -> bool:
    return name.startswith(("x[index]", "take_along_dim"))


@pytest.mark.parametrize("name", USES)
def test_the_device_finds_it(name: str, device: str) -> None:
    use = USES[name]
    for bad in (4, 2**31 + 1, -5 if from_the_end(name) else -1, -(2**40)):
        result = use(computed(1, bad, 2))
        text = outside(name, bad).replace("[", r"\[").replace("]", r"\]")
        with pytest.raises(BoundsError, match=text):
            result.numpy()
        if "= v" not in name:  # a write is lost, and that is told once
            with pytest.raises(IndexError, match=text):
                result.tolist()
    assert np.isfinite(use(computed(1, 3, 0)).numpy()).all(), "the next computation is not disturbed"


@pytest.mark.parametrize("name", USES)
def test_the_host_knows_it(name: str) -> None:
    for bad in (4, -5 if from_the_end(name) else -1):
        with pytest.raises(BoundsError, match=outside(name, bad).replace("[", r"\[").replace("]", r"\]")):
            USES[name](Tensor([1, bad, 2])).numpy()


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "uint64"])
def test_indices_of_every_type(kind: str) -> None:
    last = int(np.iinfo(kind).max)
    wide = Tensor.zeros(200)
    with pytest.raises(BoundsError, match=f"index {last} is"):
        Tensor.zeros(100).gather(0, computed(3, last, dtype=kind)).numpy()
    with pytest.raises(BoundsError, match=f"index {last} is"):
        Tensor.zeros(100)[computed(3, last, dtype=kind)].numpy()
    if kind == "int8":
        assert wide[computed(-128, 127, dtype=kind)].shape == (2,), "all of its values are inside"
        assert not any(n.op is Op.CHECK for n in topological([wide[computed(3, dtype=kind)].node]))


def test_from_the_end_only_where_pytorch_counts_so() -> None:
    x = Tensor.arange(4)
    assert x[computed(-4, -1)].tolist() == [0, 3]
    x[computed(-1)] = 9
    assert x.tolist() == [0, 1, 2, 9]


def test_ignored_targets_may_be_anything(device: str) -> None:
    logits = Tensor.zeros(3, 4)
    for ignored in (-100, 77, 2):
        loss = logits.cross_entropy(computed(1, ignored, 3), ignore_index=ignored, weight=Tensor.ones(4))
        assert abs(loss.item() - np.log(4)) < 1e-6
        with pytest.raises(BoundsError, match="index 5"):
            logits.cross_entropy(computed(1, ignored, 5), ignore_index=ignored).item()


def test_nothing_else_is_lost(device: str) -> None:
    """What was computed in one schedule with a bad index is right where it does not depend on it."""
    x, bad = Tensor([1.0, 2.0, 3.0]), computed(7)
    good, spoiled, state = x * 2, x[bad] + 1, Tensor([5.0, 6.0]).realize()
    state += x[bad]
    Tensor.realize(good, spoiled, state)
    with pytest.raises(BoundsError, match="index 7"):
        good.numpy()
    assert good.tolist() == [2, 4, 6]
    assert state.tolist() == [5, 6], "an update goes on with what there is"
    for result in (spoiled, spoiled, spoiled.detach()):
        with pytest.raises(BoundsError, match="index 7"):
            result.numpy()


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(6, 4), nn.Linear(4, 5)

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        return self.head(self.table(tokens)).cross_entropy(targets)  # type: ignore[no-any-return]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("wrong", ["token", "target"])
def test_a_loop_that_reads_only_the_loss(compiled: bool, wrong: str, device: str) -> None:
    net = Net()
    optimizer = optim.AdamW(list(net.parameters()), lr=0.1)

    def step(tokens: Tensor, targets: Tensor) -> Tensor:
        loss = net(tokens, targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    train = jit(step) if compiled else step
    losses, text = [], "embedding: index 6" if wrong == "token" else "cross_entropy: index 5"
    for turn in range(8):
        is_bad = turn in (0, 4)
        tokens = computed(1, 6 if is_bad and wrong == "token" else 0, 3)
        targets = computed(2, 5 if is_bad and wrong == "target" else 0, 4)
        loss = train(tokens, targets)
        if is_bad:
            with pytest.raises(BoundsError, match=text):
                loss.item()
        else:
            losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_jitted_call_finds_it_whenever_it_comes(device: str) -> None:
    table = Tensor([1.0, 2.0, 3.0]).realize()
    pick = jit(lambda i: table[i] * 2)
    for k in (0, 1, 2, 3, -3, -4, 1):
        if -3 <= k < 3:
            assert pick(Tensor([k])).tolist() == [2.0 * (k % 3 + 1)]
        else:
            result = pick(Tensor([k]))
            for _ in range(2):
                with pytest.raises(BoundsError, match=f"index {k} is"):
                    result.numpy()


def test_sizes_that_are_variables(device: str) -> None:
    x, length = Tensor.arange(8).realize(), Variable("length", 0, 8)
    last = jit(lambda x, i: x.gather(0, i).sum())
    for n in (3, 5, 8, 1):
        part = x[: length.bind(n)]
        assert last(part, Tensor([n - 1])).item() == n - 1
        assert part[computed(-n)].tolist() == [0]
        with pytest.raises(BoundsError, match=f"gather: index {n} is not inside a dimension of size {n} "):
            last(part, Tensor([n])).item()
    with pytest.raises(BoundsError, match="size 0 "):
        x[: length.bind(0)].gather(0, computed(0)).numpy()
    assert x[: length.bind(0)].gather(0, computed()[:0]).tolist() == []


def test_it_can_be_switched_off(device: str) -> None:
    with settings.override(check_indices=False):
        assert Tensor([1.0, 2.0]).gather(0, computed(1, 7)).tolist() == [2, 0]
        assert Tensor([1.0, 2.0]).scatter(0, computed(7), 5.0).tolist() == [1, 2]


def test_numbers_that_nobody_reads_do_not_gather() -> None:
    with settings.override(device="NUMPY"):
        bad = Tensor.arange(4).gather(0, computed(9)).realize()
        for _ in range(checks.UNREAD + 20):
            Tensor.arange(4).gather(0, computed(1)).realize()
        assert len(checks._doubts) < 30
        with pytest.raises(BoundsError, match="index 9"):
            Tensor([1]).add(1).numpy()
        with pytest.raises(BoundsError, match="index 9"):
            bad.numpy()


def test_an_error_of_another_thread_is_told_as_well() -> None:
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(Tensor.arange(4, device="NUMPY")[_far()].realize()))
    thread.start()
    thread.join()
    with pytest.raises(BoundsError, match="index 4"):
        (made[0] + 1).numpy()


def _far() -> Tensor:
    return Tensor(np.array([4]), device="NUMPY") * 1


def test_what_the_host_knows_costs_the_device_nothing() -> None:
    x = Tensor.zeros(8, 3)
    uploaded = Tensor(np.arange(8).reshape(2, 4))
    indices = (uploaded, uploaded.T, uploaded[:1], Tensor.arange(8), Tensor(3), Tensor(np.array([7], "uint8")))
    for index in (*indices, Tensor(np.arange(8, dtype="int32")).cast(uploaded.dtype)):
        y = x.embedding(index)
        assert not any(n.op is Op.CHECK for n in topological([y.node]))
    large = Tensor(np.zeros(checks.LOOKED_AT + 1, np.int64))
    assert any(n.op is Op.CHECK for n in topological([x.embedding(large).node]))
    with no_grad(), pytest.raises(BoundsError, match="index 8"):
        x.embedding(uploaded + 1).numpy()


def test_one_number_for_all_operations_on_an_index() -> None:
    index = computed(1, 2)
    both = [Tensor.arange(4).gather(0, index), Tensor.arange(9).gather(0, index)]
    found = checks.Checks.of([t.node for t in both], topological([t.node for t in both]))
    assert (len(found.nodes), len(set(found.flags))) == (2, 1)
    assert found.suspects == [[0], [1]]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_does_not_ask_its_parents_device() -> None:
    bad = Tensor.arange(4, device="OPENCL")[Tensor(np.array([4]), device="OPENCL") * 1].realize()
    child = os.fork()
    if not child:
        os._exit(0 if Tensor([1, 2], device="NUMPY").add(1).tolist() == [2, 3] else 1)
    assert os.waitpid(child, 0)[1] == 0
    with pytest.raises(BoundsError, match="index 4"):
        bad.numpy()
