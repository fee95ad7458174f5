"""Writes through `.data`, `detach` and reshapes of the whole reach all that is the same elements, as PyTorch's do."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Tensor, dtypes, jit, nn, no_grad
from lazygrad.engine.run import storage_of
from lazygrad.errors import DTypeError, GradientError, JitError, OperandError, ShapeError, ViewError
from lazygrad.settings import settings
from tests.frontend.whole_view_programs import run

VALUES = np.array([[1.0, -2.0], [3.0, -4.0]], np.float32)


def nothing(_: Any) -> None:
    """What is changed need not be returned."""


def item(x: Any, index: Any, value: float = 7.0) -> None:
    x[index] = value


# Writes through something that is all of a parameter p, whose gradient is there.
WRITES: dict[str, Callable[[Any], Any]] = {
    "p.data.mul_": lambda p: p.data.mul_(0.5),
    "p.grad.data.zero_": lambda p: p.grad.data.zero_(),
    "p.grad.detach().mul_": lambda p: p.grad.detach().mul_(2),
    "p.data.clamp_": lambda p: p.data.clamp_(-1, 1),
    "p.data[1] = 1": lambda p: item(p.data, 1, 1.0),
    "p.data[0, 1] = 1": lambda p: item(p.data, (0, 1), 1.0),
    "p.data[...] = 1": lambda p: item(p.data, ..., 1.0),
    "p.data[p > 0] = 1": lambda p: item(p.data, p.data > 0, 1.0),
    "p.data.copy_": lambda p: p.data.copy_(p.detach() * 2),
    "p.data.fill_": lambda p: p.data.fill_(3),
    "p.data.sub_(alpha)": lambda p: p.data.sub_(p.grad, alpha=0.5),
    "p.detach().add_": lambda p: p.detach().add_(1),
    "p.detach().view(-1)[0] = 7": lambda p: item(p.detach().view(-1), 0),
    "p.data.flatten().div_": lambda p: p.data.flatten().div_(2),
    "p.data.unflatten": lambda p: p.data.reshape(-1).unflatten(0, (2, 2)).mul_(2),
    "p.data[..., None][0] = 7": lambda p: item(p.data[..., None], 0),
    "p.data.unsqueeze": lambda p: p.data.unsqueeze(0).copy_(p.detach() * 2),
    "p.data.squeeze": lambda p: p.data[None].squeeze().zero_(),
    "p.data.T.T": lambda p: p.data.T.T.zero_(),
    "p.data.contiguous": lambda p: p.data.contiguous().zero_(),
    "p.data.data": lambda p: p.data.data.detach().data.zero_(),
    "copy.copy": lambda p: copy.copy(p).data.zero_(),
    "p.data -= in no_grad": lambda p: setattr(p, "data", p.data - 0.5 * p.grad),
}  # fmt: skip


def parameters() -> tuple[Any, Any]:
    made = Tensor(VALUES, requires_grad=True), torch.tensor(VALUES, requires_grad=True)
    for p in made:
        (p * p).sum().backward()
    return made


@pytest.mark.parametrize("jitted", [False, True], ids=["plain", "jit"])
def test_writes_reach_the_parameter(device: str, jitted: bool) -> None:
    for name, write in WRITES.items():
        ours, theirs = parameters()
        if jitted and "p > 0" in name:  # the mask is read
            continue
        plain: Callable[[], None] = lambda p=ours, write=write: nothing(write(p))  # noqa: E731
        change = jit(plain) if jitted else plain
        before = ours.detach()
        for _ in range(4 if jitted else 2):
            change()
            write(theirs)
        assert ours.tolist() == theirs.tolist(), name
        assert ours.grad.tolist() == theirs.grad.tolist(), name
        assert (ours.requires_grad, ours.is_leaf) == (True, True), name
        assert before.tolist() == (ours.tolist() if "p.data -=" not in name else VALUES.tolist()), name
        (ours * ours).sum().backward()
        (theirs * theirs).sum().backward()
        assert ours.grad.tolist() == theirs.grad.tolist(), f"gradients after {name}"


def steps(p: Any, x: Any, no_grad: Any) -> None:
    """One step of a loop that people write by hand, with momentum, decay and a clipped gradient."""
    ((x @ p - 1) ** 2).mean().backward()
    p.grad.data.clamp_(-1, 1)
    p.data.mul_(0.9)
    with no_grad():
        p.data -= 0.125 * p.grad
        p -= 0.125 * p.grad
    p.data.add_(p.grad, alpha=-0.25)
    p.data[0].clamp(min=-2)
    p.data = p.data - 0.125 * p.grad.data
    p.grad.detach().zero_()


@pytest.mark.parametrize("jitted", [False, True], ids=["plain", "jit"])
def test_loops_by_hand(device: str, jitted: bool) -> None:
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2)
    ours, theirs = parameters()
    ours.grad, theirs.grad = None, None
    step: Any = jit(lambda x: steps(ours, x, no_grad)) if jitted else lambda x: steps(ours, x, no_grad)
    for _ in range(6):
        step(Tensor(x))
        steps(theirs, torch.tensor(x), torch.no_grad)
        np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-5)
        np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_the_memory_stays() -> None:
    with settings.override(device="OPENCL"):
        p = Tensor(VALUES, requires_grad=True).realize()
        memory = storage_of(p.node).memory
        for _ in range(3):
            p.data.mul_(0.5)
            p.realize()
        assert storage_of(p.node).memory is memory
        p.data = p.data * 2
        p.realize()
        assert storage_of(p.node).memory is memory


def test_who_reads_first_does_not_matter(device: str) -> None:
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        p = Tensor(VALUES, requires_grad=True)
        group = [p, p.detach(), p.detach().view(-1)]
        group[2].add_(1)
        group[1].mul_(2)
        for k in order:
            group[k].realize()
        assert [t.numpy().reshape(-1).tolist() for t in group] == [((VALUES + 1) * 2).reshape(-1).tolist()] * 3


def test_a_gradient_through_an_old_value_is_that_of_the_old_value(device: str) -> None:
    p = Tensor(VALUES, requires_grad=True).realize()
    loss = (p * p).sum()
    p.data.mul_(3)
    loss.backward()
    assert p.grad is not None and p.grad.tolist() == (2 * VALUES).tolist(), "as `with no_grad(): p.mul_(3)`"


def test_what_is_computed_keeps_its_graph_under_no_grad(device: str) -> None:
    changes: tuple[Callable[[Any], Any], ...] = (
        lambda y: y.data.mul_(2), lambda y: y.detach().zero_(), lambda y: setattr(y, "data", y.data * 4),
    )  # fmt: skip
    for change in changes:
        found = []
        for make, off in ((Tensor, lazygrad.no_grad), (torch.tensor, torch.no_grad)):
            w = make([1.0, 2.0], requires_grad=True)
            y = w * 3
            v = y.view(-1)
            change(y)
            with off():
                y.add_(1)
                v.detach().add_(1)
            (y * 2).sum().backward()
            found.append((y.tolist(), y.requires_grad, y.is_leaf, w.grad.tolist()))
        assert found[0] == found[1]


def test_no_grad_records_no_copy() -> None:
    x, w = Tensor([0.0]), Tensor([1.0], requires_grad=True)
    with no_grad():
        x.copy_(w)
    assert (x.tolist(), x.requires_grad) == ([1.0], False)


def test_a_recorded_write_reaches_what_has_its_graph(device: str) -> None:
    found = []
    for make in (Tensor, torch.tensor):
        w, x = make([2.0, 3.0], requires_grad=True), make([1.0, 1.0])
        apart, view = x.detach(), x.view(2)
        view.mul_(w)
        (x * 5).sum().backward()
        found.append((x.tolist(), apart.tolist(), x.requires_grad, apart.requires_grad, w.grad.tolist()))
    assert found[0] == found[1]
    w = Tensor([1.0], requires_grad=True)
    view = w.view(1)
    with pytest.raises(GradientError, match=r"view of a leaf.*no_grad.*\.data"):
        view.mul_(2)
    assert w.tolist() == view.tolist() == [1.0]


def test_assigned_data_is_shared(device: str) -> None:
    found = []
    for make in (Tensor, torch.tensor):
        p, q = make([1.0, 2.0], requires_grad=True), make([3.0, 4.0])
        old = p.detach()
        p.data = q
        q.add_(1)
        p.data.mul_(2)
        old.zero_()
        found.append([t.tolist() for t in (p, q, old)])
    assert found[0] == found[1] == [[8.0, 10.0], [8.0, 10.0], [0.0, 0.0]]


def test_data_that_does_not_fit() -> None:
    p = nn.Linear(2, 3).weight
    for wrong, kind, words in (
        (Tensor.zeros(2, 3), ShapeError, r"data: .*\[2, 3\].*\[3, 2\]"),
        (Tensor.zeros(1), ShapeError, r"data: "),
        (Tensor.zeros(3, 2, dtype=dtypes.float64), DTypeError, "data: .*float64.*float32.*cast"),
        (np.zeros((3, 2)), OperandError, "data takes a Tensor, not a NumPy array"),
        (None, OperandError, "data takes a Tensor, not None"),
        (torch.zeros(3, 2), OperandError, "PyTorch's tensor"),
    ):
        with pytest.raises(kind, match=words):
            p.data = wrong  # type: ignore[assignment]


def test_parts_and_other_orders_stay_errors() -> None:
    p = Tensor(VALUES, requires_grad=True)
    writes: tuple[Callable[[], Any], ...] = (
        lambda: item(p.data[0], 1), lambda: p.data.T.zero_(), lambda: p.data[:1].detach().mul_(2),
        lambda: p.data.bitcast(dtypes.int32).zero_(), lambda: p.data.reshape(-1)[:2].zero_(),
    )  # fmt: skip
    for write in writes:
        with pytest.raises(ViewError, match=r"of shape \[2, 2\]"):
            write()
    row, whole = p.detach()[0], p.data
    whole.zero_()
    with pytest.raises(ViewError, match="take the view again"):
        row.numpy()
    reordered = Tensor(VALUES).T + 1
    with pytest.raises(ViewError):  # PyTorch may have made a copy
        reordered.reshape(-1).zero_()
    reordered.detach().zero_()
    assert reordered.tolist() == [[0, 0], [0, 0]]


def test_jit_raises_where_a_replay_would_not_share() -> None:
    q = Tensor([1.0, 2.0])
    p = Tensor([0.0, 0.0], requires_grad=True)

    def share() -> None:
        p.data = q

    shared = jit(share)
    shared()
    with pytest.raises(JitError, match="another one from outside is a view"):
        shared()
    shared = jit(share)
    p.data = p.data * 1
    shared()
    p.data = p.data * 1
    with pytest.raises(JitError, match="lives on"):
        shared()
    share()
    q.add_(1)
    assert p.tolist() == [2.0, 3.0]
    both = jit(lambda: nothing((q.add_(1), p.sum())))
    both()
    with pytest.raises(JitError, match="another one from outside is a view"):
        both()

    def exchange() -> None:
        p.data = p.data * 2

    exchanged = jit(exchange)
    exchanged()
    kept = p.detach()
    with pytest.raises(JitError, match="of which there are views"):
        exchanged()
    del kept
    for _ in range(3):
        exchanged()
    kept = p.detach()
    before = p.tolist()
    exchanged()  # a replay would not know what was written to the old elements: it is called plainly
    assert (kept.tolist(), p.tolist()) == (before, [2 * v for v in before])


def test_a_replay_passes_on_to_who_lives_now(device: str) -> None:
    p = Tensor([1.0, 2.0], requires_grad=True)
    step = jit(lambda: nothing(p.data.add_(1)))
    argument = jit(lambda x: nothing(x.mul_(2)))
    for n in range(5):
        views = [p.detach(), p.data.view(2, 1), p.data[None]]
        step()
        assert [v.numpy().reshape(-1).tolist() for v in (*views, p)] == [[n + 2.0, n + 3.0]] * 4
        other = Tensor([[1.0, 2.0]])
        views = [other.view(-1), other.detach()]
        argument(views[n % 2])
        assert [v.numpy().reshape(-1).tolist() for v in (*views, other)] == [[2.0, 4.0]] * 3


def test_random_programs(seeds: Callable[[int], range]) -> None:
    with settings.override(device="NUMPY"):
        seen = run(seeds(150), 20)
    assert seen["write"] > 10 * seen["unsure"], seen


def test_random_programs_on_a_device_that_compiles(seeds: Callable[[int], range]) -> None:
    with settings.override(device="OPENCL"):
        run(seeds(3), 12)
