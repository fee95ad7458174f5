"""In-place operations."""

from __future__ import annotations

import pytest
import torch

from lazygrad import Tensor, dtypes, no_grad
from lazygrad.errors import DTypeError, GradientError, ShapeError

OPERATORS = {
    "+=": lambda x, y: x.__iadd__(y),
    "-=": lambda x, y: x.__isub__(y),
    "*=": lambda x, y: x.__imul__(y),
    "/=": lambda x, y: x.__itruediv__(y),
    "//=": lambda x, y: x.__ifloordiv__(y),
    "%=": lambda x, y: x.__imod__(y),
    "**=": lambda x, y: x.__ipow__(y),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_change_the_same_object(name: str) -> None:
    for other in (2.0, [2.0, 3.0]):
        x, t = Tensor([5.0, 7.0]), torch.tensor([5.0, 7.0])
        y, u = (other, other) if isinstance(other, float) else (Tensor(other), torch.tensor(other))
        assert OPERATORS[name](x, y) is x
        OPERATORS[name](t, u)
        assert x.tolist() == t.tolist()


def test_bits() -> None:
    x = Tensor([5, 6])
    x &= 4
    x |= 1
    x ^= 7
    assert x.tolist() == [2, 2]


def test_methods() -> None:
    x = Tensor([1.0, 2.0])
    assert x.add_(Tensor([1.0, 1.0]), alpha=2).tolist() == [3, 4]
    assert x.sub_(1).tolist() == [2, 3]
    assert x.mul_(3).tolist() == [6, 9]
    assert x.div_(3).tolist() == [2, 3]
    assert x.clamp_(max=2.5).tolist() == [2, 2.5]
    assert x.copy_(Tensor([7, 8])).tolist() == [7, 8]
    assert x.fill_(3).tolist() == [3, 3]
    assert x.zero_().tolist() == [0, 0]
    assert x.dtype is dtypes.float32


def test_results_that_do_not_fit_are_refused() -> None:
    x = Tensor([1, 2])
    with pytest.raises(DTypeError, match="float32"):
        x += 0.5
    with pytest.raises(ShapeError, match="in-place"):
        x += Tensor([[1, 2], [3, 4]])
    with pytest.raises(ShapeError, match="expand"):
        x.assign(Tensor([1, 2, 3]))
    assert x.tolist() == [1, 2]


def test_a_leaf_is_assigned_numbers_alone() -> None:
    w, other = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)
    loss = (w * w).sum()
    w.assign(other * 2)
    assert w.is_leaf and w.requires_grad and w.tolist() == [6.0, 8.0]
    loss.backward()
    assert w.grad is not None and w.grad.tolist() == [2.0, 4.0], "of the value that the loss was computed from"
    assert other.grad is None
    w.grad = None
    (w * 5).sum().backward()
    assert w.grad.tolist() == [5.0, 5.0]


def test_leaves_need_no_grad() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    for change in (lambda: w.add_(1), lambda: w.copy_(Tensor([1.0, 1.0])), lambda: w.zero_()):
        with pytest.raises(GradientError, match="no_grad"):
            change()
    with no_grad():
        w += 1
    assert w.is_leaf
    assert w.requires_grad
    (w * w).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [4, 6]


def test_gradients_pass_through_changes_of_computed_tensors() -> None:
    a = Tensor([1.0, 2.0], requires_grad=True)
    y = a * 3
    y += a
    y *= y
    y.sum().backward()
    assert a.grad is not None
    assert a.grad.tolist() == [32, 64], "of (4a)**2"


def test_a_plain_tensor_that_takes_a_gradient_is_no_leaf_afterwards() -> None:
    a, total = Tensor([1.0, 2.0], requires_grad=True), Tensor([0.0, 0.0])
    total += a * 5
    assert total.requires_grad
    assert not total.is_leaf
    total.sum().backward()
    assert a.grad is not None
    assert a.grad.tolist() == [5, 5]


def test_stored_tensors_are_changed_where_they_are(device: str) -> None:
    from lazygrad.ir.op import Op

    x = Tensor([1.0, 2.0], device=device)
    x += 1
    assert x.node.op is Op.STORE
    x *= 10
    assert x.tolist() == [20, 30]
    assert x.node.op is Op.BUFFER
    for _ in range(3):
        x += 1
        x.realize()
    assert x.tolist() == [23, 33]


def test_values_read_before_a_change_stay(device: str) -> None:
    x = Tensor([1.0, 2.0], device=device).realize()
    double, copy = x * 2, Tensor(x)
    x.assign(Tensor([5.0, 6.0], device=device))
    after = x * 2
    x.zero_()
    Tensor.realize(after, x)
    assert (double.tolist(), copy.tolist(), after.tolist(), x.tolist()) == ([2, 4], [1, 2], [10, 12], [0, 0])
