"""Views and in-place writes: what PyTorch would write to several tensors is an error, all else has its values."""

from __future__ import annotations

import copy
import gc
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes, jit, nn, no_grad, optim
from lazygrad.errors import GradientError, ViewError
from tests.frontend.test_op_table import samples
from tests.frontend.view_programs import run
from tests.op_table import TABLE


def zeros(*shape: int) -> Tensor:
    return Tensor(np.zeros(shape, np.float32))


def parameter() -> Tensor:
    return nn.Linear(2, 2).weight


def in_no_grad(change: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    def changed(x: Tensor) -> Any:
        with no_grad():
            return change(x)

    return changed


def set_item(x: Tensor, index: Any, value: Any = 7.0) -> None:
    x[index] = value


# name -> (the base, a write through a view of it, what the error says to write instead)
REFUSED: dict[str, tuple[Callable[[], Tensor], Callable[[Tensor], Any], str]] = {
    "x[0][1] = 7": (lambda: zeros(2, 2), lambda x: set_item(x[0], 1), "all indices in one bracket"),
    "x[1:][0] = 7": (lambda: zeros(3), lambda x: set_item(x[1:], 0), "all indices in one bracket"),
    "x[np.int64(0)].zero_()": (lambda: zeros(3, 2), lambda x: x[np.int64(0)].zero_(), "all indices in one bracket"),
    "x[Tensor(1)].zero_()": (lambda: zeros(3, 2), lambda x: x[Tensor(1)].zero_(), "x.assign"),
    "w[0].fill_(0)": (parameter, in_no_grad(lambda w: w[0].fill_(0)), "all indices in one bracket"),
    "for r in x: r.fill_(1)": (lambda: zeros(2, 2), lambda x: [r.fill_(1) for r in x], "x[index] = value"),
    "x.T.zero_()": (lambda: zeros(2, 3), lambda x: x.T.zero_(), "x[index] = value"),
    "x.T[0] = 7": (lambda: zeros(2, 3), lambda x: set_item(x.T, 0), "x[index] = value"),
    "x.t().add_(1)": (lambda: zeros(2, 3), lambda x: x.t().add_(1), "x[index] = value"),
    "x.mT.mul_(2)": (lambda: zeros(2, 3), lambda x: x.mT.mul_(2), "x[index] = value"),
    "x.permute(1, 0)": (lambda: zeros(2, 3), lambda x: x.permute(1, 0).fill_(1), "x[index] = value"),
    "x.movedim(0, 1)": (lambda: zeros(2, 3), lambda x: x.movedim(0, 1).fill_(1), "x[index] = value"),
    "x.transpose(0, 1)": (lambda: zeros(2, 3), lambda x: x.transpose(0, 1).fill_(1), "x[index] = value"),
    "x.expand(2, 2)": (lambda: zeros(2), lambda x: x.expand(2, 2).fill_(1), "x[index] = value"),
    "x.narrow(0, 1, 1)": (lambda: zeros(2), lambda x: x.narrow(0, 1, 1).fill_(1), "all indices in one bracket"),
    "x.split(1)[0]": (lambda: zeros(2), lambda x: x.split(1)[0].fill_(1), "all indices in one bracket"),
    "x.chunk(2)[1]": (lambda: zeros(2), lambda x: x.chunk(2)[1].fill_(1), "all indices in one bracket"),
    "x.unbind()[0]": (lambda: zeros(2, 2), lambda x: x.unbind()[0].fill_(1), "x[index] = value"),
    "x.diagonal().fill_(1)": (lambda: zeros(2, 2), lambda x: x.diagonal().fill_(1), "x[index] = value"),
    "einsum ii->i": (lambda: zeros(2, 2), lambda x: x.einsum("ii->i").fill_(1), "x[index] = value"),
    "x.bitcast()": (lambda: zeros(2), lambda x: x.bitcast(dtypes.int32).fill_(1), "the tensor itself"),
    "x.T[0].reshape(-1)[0] = 1": (lambda: zeros(2, 3), lambda x: set_item(x.T[0].reshape(-1), 0), "x[index] = value"),
    "x[0] of a jitted write": (lambda: zeros(2, 2), lambda x: jit(lambda v: v.zero_())(x[0]), "in one bracket"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_write_that_would_be_lost_is_refused(name: str) -> None:
    make, write, remedy = REFUSED[name]
    x = make()
    before = x.numpy()
    with pytest.raises(ViewError, match=re.escape(f"of shape {list(x.shape)}")) as caught:
        write(x)
    assert remedy in str(caught.value)
    assert re.search(r"view\.clone\(\) \(test_views\.py:\d+: ", str(caught.value)), "the line of the user"
    assert np.array_equal(x.numpy(), before), "nothing has changed, and the base can be used"


def test_the_base_is_named_with_the_line_that_made_it() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])  # here
    with pytest.raises(ViewError, match=r"of shape \[2, 2\], made at test_views.py:\d+: x = Tensor.*# here"):
        x[0][1] = 7


def test_a_state_of_a_module_is_what_the_module_has() -> None:
    net = nn.Linear(2, 2)
    state = net.state_dict()
    state["weight"].zero_()
    net.state_dict()["bias"][0] = 1
    assert net.weight.tolist() == [[0, 0], [0, 0]]
    assert net.bias is not None and net.bias.tolist()[0] == 1
    with pytest.raises(ViewError, match=r"of shape \[2, 2\]"):
        state["weight"][0].add_(1)


# What writes to its own tensor, or through a view of one that is gone: (program for both frameworks)
def item_operators(x: Any) -> Any:
    x[0] += 1
    x[:, 1] *= 3
    x[1, 0] -= 4
    x[...] += 1
    x[0] /= 2
    return x


def item_operators_of_a_view(x: Any) -> Any:
    y = x[1:]
    del x
    y[0] += 1
    y[-1] *= 2
    return y


def base_is_gone(x: Any) -> Any:
    x = x.reshape(3, 2)
    x[0] = 1
    x += 1
    x = x.T
    x.mul_(2)
    return x


def halves_are_apart(x: Any) -> Any:
    a, b = x.split([1, 1])
    del x
    a.add_(1)
    b[0] = 5
    a += b
    return a


def rows_of_a_list(x: Any) -> Any:
    rows = list(x)
    del x
    rows[0] += 1
    rows[1].zero_()
    return rows[0]


def copies_are_free(x: Any) -> Any:
    x.clone().zero_()
    x.T.reshape(-1).zero_()
    x.T.contiguous().fill_(3)
    x.flip(0).fill_(3)
    x.repeat(1, 1).fill_(3)
    x.roll(0, 0).fill_(3)
    x[[0, 1]].fill_(3)
    x[x > 2].fill_(3)
    x.abs().fill_(3)
    (x**1).fill_(3)
    (+(x * 1)).fill_(3)
    x.double().fill_(3)
    return x


def read_before_it_changed(x: Any) -> Any:
    y = x[0] * 1
    rows = list(x)
    x += 1
    del rows
    x.assign(x.T.T * 2) if isinstance(x, Tensor) else x.copy_(x.T.T * 2)
    return x + y


def rows_replaced_in_a_loop(x: Any) -> Any:
    for i, row in enumerate(x):
        x[i] = row * 2 + i
    for i, row in enumerate(x):
        x[i, 1:] = row[:2] - 1
    return x


def views_beside_what_is_written(x: Any) -> Any:
    first, last = x[0], x[-1]
    x[0, :1] = 9
    x[:1] *= 2
    return last + x[0] if len(first.shape) else None


def loops_leave_views_behind(x: Any) -> Any:
    total = x[0] * 0
    for row in x:
        total = total + row
    x.mul_(2)
    x[0] = total
    return x


def written_back(x: Any) -> Any:
    row = x[0]
    row += 5
    x[0] = row
    return x


RIGHT = (
    item_operators, item_operators_of_a_view, base_is_gone, halves_are_apart, rows_of_a_list, copies_are_free,
    read_before_it_changed, rows_replaced_in_a_loop, views_beside_what_is_written,
    loops_leave_views_behind, written_back,
)  # fmt: skip


@pytest.mark.parametrize("program", RIGHT, ids=lambda p: p.__name__)
def test_what_means_the_same_is_not_refused(device: str, program: Callable[[Any], Any]) -> None:
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, -6.0]], np.float32)
    ours, theirs = program(Tensor(values)), program(torch.tensor(values))  # an assert would keep its arguments alive
    assert ours.tolist() == theirs.tolist()


def test_a_view_is_out_of_date_once_its_base_changes(device: str) -> None:
    changes: list[Callable[[Tensor], Any]] = [
        lambda x: x.add_(1), lambda x: x.__iadd__(1), lambda x: set_item(x, 0), lambda x: x.zero_(),
        lambda x: set_item(x, (0, slice(None))), jit(lambda x: x.add_(1)),
    ]  # fmt: skip
    for change in changes:
        x = zeros(2, 2)
        row, other, copied, flat, value = x[0], x[1], x[0].clone(), x.detach(), x[0] * 1
        change(x)
        with pytest.raises(ViewError, match=r"test_views.py:.*take the view again.*read at test_views.py"):
            row.numpy()
        assert flat.tolist() == x.tolist(), "all of it, in its order, changes with it"
        assert x[0].tolist() == x.numpy()[0].tolist(), "a new view has the new values"
        assert copied.tolist() == value.tolist() == [0, 0]
        assert other.shape == (2,)


def test_only_what_overlaps_is_out_of_date() -> None:
    x = zeros(2, 3)
    first, second = x.unbind(0)
    x.unbind(1)
    del x
    first += 1
    assert second.tolist() == [0, 0, 0]
    assert first.tolist() == [1, 1, 1]


def test_an_operator_on_a_view_that_is_not_written_back() -> None:
    x = zeros(2, 2)
    for row in x:
        row += 1
    with pytest.raises(ViewError, match=r"changed through a view of it \[2\].*row \+= 1"):
        x.numpy()
    y = zeros(2, 2)
    row = y[0]
    row += 1
    assert row.tolist() == [1, 1]
    y.zero_()  # all of it is new
    assert y.tolist() == [[0, 0], [0, 0]]


def test_operators_on_data(device: str) -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    w.data -= 0.5
    w.data = w.data * 2
    assert w.tolist() == [1.0, 3.0]
    assert w.requires_grad
    (w * w).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [2.0, 6.0]
    w.grad.data.mul_(2)
    assert w.grad.tolist() == [4.0, 12.0]


def test_leaves_keep_their_own_error() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GradientError, match="no_grad"):
        w.zero_()


def test_training_with_views_left_behind(device: str) -> None:
    """Views that nobody reads again are in no optimizer's, normalization's or loader's way."""
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    left: list[Any] = []
    optimizer = optim.AdamW(net.parameters(), lr=0.01)
    for _ in range(2):
        left += [p[0] for p in net.parameters()] + [p.detach() for p in net.parameters()]
        left += [b.reshape(-1) for b in net.buffers()] + [net.state_dict(), optimizer.state_dict()]
        optimizer.zero_grad()
        net(Tensor(np.ones((5, 3), np.float32))).square().sum().backward()
        left += [p.grad[0] for p in net.parameters() if p.grad is not None]
        nn.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    net.load_state_dict(net.state_dict())
    assert all(np.isfinite(p.numpy()).all() for p in net.parameters())


def test_members_that_are_gone_are_forgotten() -> None:
    x = zeros(4)
    for _ in range(100):
        x = x.reshape(2, 2).T.reshape(4) if len(x.shape) == 1 else x
    x += 1
    assert x._alias is None or x._alias.parent is None
    y = zeros(4)
    views = [y[k:] for k in range(3)]
    del views
    gc.collect()
    y.zero_()
    assert y._alias is None


def test_copies_of_tensors_are_apart() -> None:
    for duplicate in (copy.deepcopy, Tensor.clone, Tensor):
        x = zeros(2)
        y = duplicate(x)
        y += 1
        assert (x.tolist(), y.tolist()) == ([0, 0], [1, 1])


@pytest.mark.parametrize("name", [n for n in TABLE if n != "index_step_back"])  # PyTorch has no negative steps
def test_views_are_what_pytorch_says(name: str) -> None:
    """Every operation gives a view exactly where PyTorch's result shares memory with an input."""
    row, arrays = TABLE[name], samples(TABLE[name])
    for dtype in row.dtypes:
        ours = [Tensor(a, dtype=getattr(dtypes, dtype) if a.dtype.kind == "f" else None) for a in arrays]
        theirs = [torch.tensor(a).to(getattr(torch, dtype)) if a.dtype.kind == "f" else torch.tensor(a) for a in arrays]
        try:
            expected = row.torch_call(*theirs)
        except NotImplementedError:  # PyTorch has no such dtype for it
            assert dtype != row.dtypes[0]
            continue
        result = row.call(*ours)
        memory = expected.untyped_storage().data_ptr()
        for x, t in zip(ours, theirs):
            assert shares(result, x) == (memory == t.untyped_storage().data_ptr() and memory != 0), dtype


def shares(a: Tensor, b: Tensor) -> bool:
    if a is b or a._alias is None or b._alias is None:
        return a is b
    return a._alias.find_layout().memory is b._alias.find_layout().memory


def test_random_programs(seeds: Callable[[int], range]) -> None:
    seen = run(seeds(120), 40)
    assert min(seen["equal"], seen["written"], seen["refused"], seen["lost"]) >= 20, seen


def test_random_programs_on_a_device_that_compiles(seeds: Callable[[int], range]) -> None:
    from lazygrad.settings import settings

    with settings.override(device="OPENCL"):
        seen = run(seeds(2), 25)
    assert seen["equal"] and seen["written"], seen
