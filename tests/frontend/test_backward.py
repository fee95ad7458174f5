"""`backward`, leaves, `no_grad`, and the errors around them."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes, enable_grad, is_grad_enabled, no_grad
from lazygrad.errors import GradientError, ShapeError
from lazygrad.ir.node import live_nodes


def grad_of(t: Tensor) -> list[float]:
    assert t.grad is not None
    return t.grad.tolist()  # type: ignore[no-any-return]


def test_a_polynomial() -> None:
    x = Tensor(2.0, requires_grad=True)
    (x * x + 3 * x + 1).backward()
    assert x.grad is not None
    assert x.grad.item() == 7


def test_gradients_accumulate_and_are_forgotten() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    for _ in range(3):
        (x * x).sum().backward()
    assert grad_of(x) == [6, 12]
    assert x.grad is not None
    assert not x.grad.requires_grad
    x.grad = None
    (x * 2).sum().backward()
    assert grad_of(x) == [2, 2]


def test_a_diamond_counts_every_path() -> None:
    x = Tensor([3.0], requires_grad=True)
    a = x * 2
    (a * a + a * x + x).sum().backward()
    assert grad_of(x) == [2 * 2 * 6 + 4 * 3 + 1]


def test_a_given_gradient() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x * x).backward(Tensor([1.0, 10.0]))
    assert grad_of(x) == [2, 40]
    with pytest.raises(ShapeError, match="gradient has shape"):
        (x * x).backward(Tensor([1.0]))


def test_what_cannot_be_differentiated_is_refused() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GradientError, match=r"not a scalar.*test_backward"):
        (x * x).backward()
    with pytest.raises(GradientError, match="requires a gradient"):
        Tensor([1.0]).sum().backward()
    with pytest.raises(GradientError, match="requires a gradient"), no_grad():
        (x * x).sum().backward()
    with pytest.raises(GradientError, match="detach"):
        (x * x).requires_grad_(False)
    with pytest.raises(GradientError, match="int64"):
        Tensor([1]).requires_grad_()


def test_no_grad_and_detach_leave_no_path() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    with no_grad():
        scale = x * 2
    shifted = (x + 1).detach()
    assert not scale.requires_grad
    assert not shifted.requires_grad
    (x * scale * shifted).sum().backward()
    assert grad_of(x) == [2 * 2, 4 * 3]


def test_grad_modes_nest_and_decorate() -> None:
    @no_grad()
    def inside() -> bool:
        with enable_grad():
            assert is_grad_enabled()
        return is_grad_enabled()

    assert inside() is False
    assert is_grad_enabled()
    with pytest.raises(ValueError, match="x"), no_grad():
        raise ValueError("x")
    assert is_grad_enabled()


def test_integer_and_bool_results_need_no_gradient() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert not (x > 1).requires_grad
    assert not x.int().requires_grad
    assert not x.argmax().requires_grad
    assert x.double().requires_grad
    (x.int().float() * x).sum().backward()
    assert grad_of(x) == [1, 2]


def test_gradients_reach_leaves_that_were_realized_in_between(device: str) -> None:
    w = Tensor.uniform(3, device=device, requires_grad=True)
    before = w * 2
    w.realize()
    after = w * 3
    (before + after).sum().backward()
    assert grad_of(w) == [5, 5, 5]


def test_gradients_reach_through_realized_tensors(device: str) -> None:
    x = Tensor([1.0, 2.0], device=device, requires_grad=True)
    y = (x * x).realize()
    assert y.tolist() == [1, 4]
    (y * y).sum().backward()
    assert grad_of(x) == [4, 32]


def test_a_leaf_used_before_and_after_it_changed() -> None:
    w = Tensor([2.0], requires_grad=True)
    old = w * w
    with no_grad():
        w += 1
    (w * w).sum().backward()
    assert grad_of(w) == [6]
    assert old.tolist() == [4]


def test_equal_leaves_are_different_ones() -> None:
    a, b = Tensor([1.0, 2.0]).requires_grad_(), Tensor([1.0, 2.0]).requires_grad_()
    c = a.detach().requires_grad_()
    (a + b * 2 + c * 3).sum().backward()
    assert (grad_of(a), grad_of(b), grad_of(c)) == ([1, 1], [2, 2], [3, 3])


def test_views_that_change_nothing_are_no_leaves() -> None:
    x = Tensor([1.0, 2.0])
    y = x.reshape(2).requires_grad_()
    x.requires_grad_()
    (x * 2).sum().backward()
    assert grad_of(x) == [2, 2]
    assert y.grad is None


def test_create_graph_gives_gradients_that_are_differentiable() -> None:
    x = Tensor([2.0, 3.0], requires_grad=True)
    (x**3).sum().backward(create_graph=True)
    first, x.grad = x.grad, None
    assert first is not None
    assert first.requires_grad
    first.sum().backward()
    assert grad_of(x) == [12, 18]


def test_kinks_and_ties_as_torch() -> None:
    points = [-1.0, 0.0, 1.0, 2.0]
    calls = [
        lambda x: x.relu(),
        lambda x: x.abs(),
        lambda x: x.clamp(0, 1),
        lambda x: x.maximum(x * 0 + 1),
        lambda x: x.sign() * x,
        lambda x: x.amax() * x,
        lambda x: x.sigmoid(),
        lambda x: x.tanh(),
        lambda x: (x * 0).norm() + x,
        lambda x: (x * 0).std() + x,
        lambda x: (x * 0 + 1).amax() * x,
        lambda x: x.prod() + x,
        lambda x: (x - 1).prod() + x,
    ]
    for i, call in enumerate(calls):
        ours, theirs = (
            Tensor(points, dtype=dtypes.float64, requires_grad=True),
            torch.tensor(points).double().requires_grad_(),
        )
        call(ours).sum().backward()
        call(theirs).sum().backward()
        assert theirs.grad is not None
        np.testing.assert_allclose(grad_of(ours), theirs.grad.numpy(), atol=1e-12, err_msg=str(i))


@pytest.mark.parametrize(
    "name", ["sigmoid", "tanh", "relu", "gelu", "silu", "softplus", "elu", "erf", "logsigmoid", "leaky_relu", "relu6"]
)
def test_activations_stay_finite(name: str) -> None:
    for options in ({}, {"approximate": "tanh"}) if name == "gelu" else ({},):
        x = Tensor([-1000.0, -100.0, -30.0, 0.0, 30.0, 100.0, 1000.0], requires_grad=True)
        y = getattr(x, name)(**options)
        y.sum().backward()
        assert np.isfinite(y.numpy()).all()
        assert np.isfinite(grad_of(x)).all()
        nan = getattr(Tensor([float("nan")]), name)(**options)
        assert nan.isnan().item()


def test_softmax_of_large_and_of_masked_scores() -> None:
    x = Tensor([[1000.0, 1000.0], [-1000.0, 0.0], [float("-inf"), 3.0]], requires_grad=True)
    x.softmax(-1).square().sum().backward()
    assert np.isfinite(grad_of(x)).all()
    np.testing.assert_allclose(x.softmax(-1).numpy(), [[0.5, 0.5], [0, 1], [0, 1]])
    assert Tensor([float("-inf")] * 2).logsumexp(0).item() == float("-inf")
    assert Tensor([float("inf"), 0.0]).logsumexp(0).item() == float("inf")


def test_a_deep_chain_needs_no_recursion() -> None:
    x = Tensor([1.0], requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y * 1.0001 + 0.0001
    y.sum().backward()
    assert grad_of(x) == pytest.approx([1.0001**10_000], rel=1e-3)


def test_graphs_are_freed() -> None:
    w = Tensor.ones(3, requires_grad=True).realize()

    def step() -> None:
        (w.exp().sum() * 2).backward()
        assert w.grad is not None
        w.grad.realize()
        w.grad = None

    step()
    gc.collect()
    before = live_nodes()
    for _ in range(5):
        step()
    gc.collect()
    assert live_nodes() <= before


def test_repeated_tokens_add_up() -> None:
    table = Tensor.zeros(5, 2, requires_grad=True)
    table.embedding(Tensor([1, 3, 1, 1])).sum().backward()
    assert grad_of(table) == [[0, 0], [3, 3], [0, 0], [1, 1], [0, 0]]


def test_setting_requires_grad_makes_a_leaf_of_its_own() -> None:
    a, b = Tensor.zeros(2), Tensor.zeros(2)
    a.requires_grad = True
    b.requires_grad = True
    (a * 2 + b * 3 + Tensor.zeros(2)).sum().backward()
    assert (grad_of(a), grad_of(b)) == ([2, 2], [3, 3])


def test_a_leaf_may_be_the_root() -> None:
    x = Tensor(2.0, requires_grad=True)
    x.backward()
    assert x.grad is not None
    assert x.grad.item() == 1


def test_gradients_cross_devices(device: str) -> None:
    x = Tensor([1.0, 2.0], device="NUMPY", requires_grad=True)
    y = x.to(device)
    assert y.device == device
    (y * y).sum().backward()
    assert x.grad is not None
    assert (x.grad.device, grad_of(x)) == ("NUMPY", [2, 4])
