"""`grad` and `value_and_grad`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes, grad, no_grad, value_and_grad
from lazygrad.errors import ArgumentError, GradientError


def test_value_and_gradient() -> None:
    value, gradient = value_and_grad(lambda x: (x * x).sum())(Tensor([1.0, 3.0]))
    assert (value.item(), gradient.tolist()) == (10, [2, 6])
    assert not value.requires_grad
    assert not gradient.requires_grad


def test_structures_and_argnums() -> None:
    class Pair(NamedTuple):
        a: Tensor
        b: Tensor

    def loss(params: Any, x: Tensor, scale: float = 1.0) -> Tensor:
        pair = params["inner"][0]
        return ((x * pair.a + pair.b) * scale).sum() + params["unused"].sum() * 0

    params = {"inner": [Pair(Tensor([2.0]), Tensor([1.0]))], "unused": Tensor([5.0]), "name": "layer"}
    by_params, by_x = grad(loss, argnums=(0, 1))(params, Tensor([3.0, 4.0]), scale=2.0)
    assert isinstance(by_params["inner"][0], Pair)
    assert by_params["inner"][0].a.tolist() == [14]
    assert by_params["inner"][0].b.tolist() == [4]
    assert by_params["unused"].tolist() == [0]
    assert by_params["name"] is None
    assert by_x.tolist() == [4, 4]


def test_what_the_value_does_not_depend_on_has_zero_gradient() -> None:
    assert grad(lambda x, y: x.sum(), argnums=1)(Tensor([1.0]), Tensor([2.0, 3.0])).tolist() == [0, 0]
    assert grad(lambda x: x.floor().sum())(Tensor([1.5])).tolist() == [0]


def test_one_tensor_in_two_places_is_two_variables() -> None:
    x = Tensor([2.0, 3.0])
    a, b = grad(lambda p, q: (p * p * q).sum(), argnums=(0, 1))(x, x)
    assert (a.tolist(), b.tolist()) == ([8, 18], [4, 9])
    assert grad(lambda p: (p * x).sum())(x).tolist() == [2, 3]


def test_higher_orders() -> None:
    def f(x: Tensor) -> Tensor:
        return (x.sin() * x**3).sum()

    x = Tensor([0.7, -1.2], dtype=dtypes.float64)
    t = torch.tensor([0.7, -1.2], dtype=torch.float64, requires_grad=True)
    y: Any = (t.sin() * t**3).sum()
    g: Any = f
    for order in (1, 2, 3):
        (y,) = torch.autograd.grad(y.sum(), t, create_graph=True)
        g = grad(g) if order == 1 else grad(lambda v, h=g: h(v).sum())
        np.testing.assert_allclose(g(x).numpy(), y.detach().numpy(), atol=1e-10)


def test_hessian_vector_product() -> None:
    x, v = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    product = grad(lambda p: (grad(lambda q: (q * q * q).sum())(p) * v).sum())(x)
    assert product.tolist() == [18, 48]


def test_outer_gradients_pass_through() -> None:
    w = Tensor([2.0], requires_grad=True)
    value, slope = value_and_grad(lambda x: (x**3).sum())(w)
    (value + slope.sum()).backward()
    assert w.grad is not None
    assert w.grad.tolist() == [3 * 4 + 6 * 2]


def test_inside_no_grad_it_works_and_leaves_no_path() -> None:
    w = Tensor([2.0], requires_grad=True)
    with no_grad():
        value, slope = value_and_grad(lambda x: (x**3).sum())(w)
    assert slope.tolist() == [12]
    assert not value.requires_grad
    (w * slope).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [12]


def test_auxiliary_results() -> None:
    (value, aux), gradient = value_and_grad(lambda x: ((x * 2).sum(), "seen"), has_aux=True)(Tensor([1.0]))
    assert (value.item(), aux, gradient.tolist()) == (2, "seen", [2])
    gradient, aux = grad(lambda x: ((x * 2).sum(), "seen"), has_aux=True)(Tensor([1.0]))
    assert (aux, gradient.tolist()) == ("seen", [2])


def test_what_does_not_go_is_refused() -> None:
    with pytest.raises(GradientError, match="int64"):
        grad(lambda x: x.sum())(Tensor([1]))
    with pytest.raises(GradientError, match="scalar"):
        grad(lambda x: x * 2)(Tensor([1.0, 2.0]))
    with pytest.raises(GradientError, match="has_aux"):
        grad(lambda x: (x.sum(), 1))(Tensor([1.0]))
    with pytest.raises(GradientError, match="float, not a tensor"):
        grad(lambda x: 1.0)(Tensor([1.0]))
    with pytest.raises(ArgumentError, match="argnums"):
        grad(lambda x: x.sum(), argnums=1)(Tensor([1.0]))


def test_on_devices(device: str) -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], device=device)
    value, gradient = value_and_grad(lambda p: (p @ p).exp().log().sum())(x)
    Tensor.realize(value, gradient)
    assert value.item() == pytest.approx(54)
    np.testing.assert_allclose(gradient.numpy(), [[7, 11], [9, 13]], rtol=1e-5)
