"""Tensors of constants alone have graphs that live nowhere; what one device holds of such a value is not another's."""

from __future__ import annotations

import numpy as np
import pytest

from lazygrad import Tensor, jit
from lazygrad.settings import settings

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


def test_a_number_that_was_computed_changes_no_other_kernel() -> None:
    """Somebody's tensor of the same number was read in place of it: other kernels, which had to be compiled."""
    with settings.override(device="OPENCL"):
        x = Tensor(np.arange(12, dtype=np.float32).reshape(3, 4)).realize()

        def sources() -> list[str]:
            result = (x * 0.125 + Tensor.arange(4)).layernorm(eps=1e-5).exp()
            return [kernel.source for kernel in result.schedule()]

        before = sources()
        same = [*map(Tensor, (0.125, 1e-5, 4.0, 0.25, 1.0)), Tensor.arange(4), Tensor.full((3, 4), 0.125)]
        Tensor.realize(*same)
        assert sources() == before
        assert [t.tolist() for t in same[:2]] == [0.125, np.float32(1e-5)]
