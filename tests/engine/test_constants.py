"""Tensors of constants alone have graphs that live nowhere; what one device holds of such a value is not another's."""

from __future__ import annotations

import pytest

from lazygrad import Tensor, jit

DEVICES = ("NUMPY", "OPENCL")


@pytest.mark.parametrize(("first", "second"), [DEVICES, DEVICES[::-1]])
def test_a_constant_held_on_one_device_is_computed_on_another(first: str, second: str) -> None:
    held = Tensor.arange(6, device=first).realize()
    again = Tensor.arange(6, device=second)
    data = Tensor([1, 1, 1, 1, 1, 1], device=second)
    assert (again + data).tolist() == [1, 2, 3, 4, 5, 6]
    assert again.realize().device == second
    assert (again * data + again).tolist() == [0, 2, 4, 6, 8, 10]
    assert (held + Tensor([1, 1, 1, 1, 1, 1], device=first)).tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("first", "second"), [DEVICES, DEVICES[::-1]])
def test_a_graph_with_gradient_keeps_a_constant_apart(first: str, second: str) -> None:
    kept = (Tensor.arange(4, device=first).float() * 2).realize()
    weight = Tensor([1.0, 2.0, 3.0, 4.0], device=second, requires_grad=True)
    (weight * (Tensor.arange(4, device=second).float() * 2)).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == kept.tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize(("first", "second"), [DEVICES, DEVICES[::-1]])
def test_jit_keeps_a_constant_apart(first: str, second: str) -> None:
    held = Tensor.arange(3, device=first).realize()
    shifted = jit(lambda x: x + Tensor.arange(3, device=second))
    for n in range(4):
        assert shifted(Tensor([n, n, n], device=second)).tolist() == [n, n + 1, n + 2]
    assert held.tolist() == [0, 1, 2]
