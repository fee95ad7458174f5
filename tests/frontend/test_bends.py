"""What a table of single elements cannot say: small arguments in every float type, tails beside PyTorch's cancellation,
attention that sees nothing, norms at 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes
from lazygrad.dtype import DType

Array = np.ndarray[Any, Any]
WIDE = np.longdouble
EPSILON = {dtypes.float16: 2**-11, dtypes.bfloat16: 2**-8, dtypes.float32: 2**-24, dtypes.float64: 2**-53}
LEAST = {dtypes.float16: 2.0**-24, dtypes.bfloat16: 2.0**-133, dtypes.float32: 2.0**-149, dtypes.float64: 2.0**-1074}
REACH = {dtypes.float16: 11.0, dtypes.bfloat16: 88.0, dtypes.float32: 88.0, dtypes.float64: 709.0}
ACCURATE: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Array], Array]]] = {
    "expm1": (lambda x: x.expm1(), np.expm1),
    "log1p": (lambda x: x.abs().log1p(), lambda x: np.log1p(np.abs(x))),
    "log1p below 0": (lambda x: (-x.abs().clamp(max=0.5)).log1p(), lambda x: np.log1p(-np.minimum(np.abs(x), 0.5))),
    "tanh": (lambda x: x.tanh(), np.tanh),
    "elu": (lambda x: x.elu(), lambda x: np.where(x > 0, x, np.expm1(x))),
    "softplus": (lambda x: x.softplus(), lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))),
    "logsigmoid": (lambda x: x.logsigmoid(), lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))),
    "sigmoid": (lambda x: x.sigmoid(), lambda x: np.where(x < 0, np.exp(-np.abs(x)), 1) / (1 + np.exp(-np.abs(x)))),
}


def magnitudes(dtype: DType) -> Array:
    """Arguments of both signs, from the least subnormal to where exp overflows, as the dtype holds them."""
    powers = np.exp2(np.linspace(math.log2(LEAST[dtype]), math.log2(REACH[dtype]), 400))
    return Tensor(np.concatenate([powers, -powers]), dtype=dtype).double().numpy()


def errors_in_last_places(got: Array, wanted: Array, dtype: DType) -> Any:
    least = max(LEAST[dtype], 1e-320)
    return np.abs(got.astype(WIDE) - wanted) / np.maximum(np.abs(wanted) * 2 * EPSILON[dtype], least)


@pytest.mark.parametrize("dtype", EPSILON, ids=str)
def test_relative_accuracy_over_the_whole_range(device: str, dtype: DType) -> None:
    x = magnitudes(dtype)
    results = [ours(Tensor(x, dtype=dtype)).double() for ours, _ in ACCURATE.values()]
    Tensor.realize(*results)
    for (name, (_, exact)), result in zip(ACCURATE.items(), results):
        allowed = 1.01 if dtype.is_half else 6
        assert errors_in_last_places(result.numpy(), exact(x.astype(WIDE)), dtype).max() <= allowed, name


def slope(f: Callable[[Tensor], Tensor], at: list[float], **options: Any) -> list[float]:
    x = Tensor(at, requires_grad=True, **options)
    f(x).sum().backward()
    assert x.grad is not None
    return list(x.grad.tolist())


def test_slopes_at_the_bends() -> None:
    zeros = Tensor([0.0, 0.0])
    assert slope(Tensor.softplus, [0.0, -0.0]) == [0.5, 0.5]
    assert slope(lambda x: x.softplus(3.0), [0.0, -0.0]) == [0.5, 0.5]
    assert slope(Tensor.logsigmoid, [0.0, -0.0]) == [0.5, 0.5]
    assert slope(lambda x: x.binary_cross_entropy_with_logits(zeros, reduction="sum"), [0.0, -0.0]) == [0.5, 0.5]
    assert slope(Tensor.elu, [0.0, -0.0]) == [1.0, 1.0]
    assert slope(lambda x: x.fmod(3.0), [0.0, -0.0]) == [1.0, 1.0]
    assert slope(Tensor.hardtanh, [-1.0, 1.0]) == [0.0, 0.0]
    assert slope(Tensor.relu6, [0.0, 6.0]) == [0.0, 0.0]


@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_tails_of_cross_entropy_from_logits(device: str, target: float) -> None:
    """What is left of the logarithm beside a large linear part, and of the slope beside 1."""
    x = np.array([-100, -88, -40, -20, -6, 0, 6, 20, 40, 88, 100], np.float32)
    t = Tensor(x, requires_grad=True)
    loss = t.binary_cross_entropy_with_logits(Tensor(np.full_like(x, target)), reduction="none")
    loss.sum().backward()
    assert t.grad is not None
    Tensor.realize(loss, t.grad)
    wide = x.astype(WIDE)
    small = np.exp(-np.abs(wide))
    exact = np.where(wide < 0, -target, 1 - target) * wide + np.log1p(small)
    np.testing.assert_allclose(loss.numpy(), exact.astype(np.float64), rtol=1e-6, atol=3e-45)
    by_x = np.where(wide < 0, -target + small / (1 + small), 1 - target - small / (1 + small))
    np.testing.assert_allclose(t.grad.numpy(), by_x.astype(np.float64), rtol=1e-6, atol=3e-45)


def test_infinite_logits_cost_what_they_should() -> None:
    logits, targets = Tensor([math.inf, -math.inf, math.inf, -math.inf]), Tensor([0.0, 1.0, 0.5, 0.5])
    assert logits.binary_cross_entropy_with_logits(targets, reduction="none").tolist() == [math.inf] * 4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cross_entropy_at_certain_probabilities(device: str, dtype: str) -> None:
    """As PyTorch's, 0 and 1 and what rounds to them included."""
    line = np.array([0, 1e-45, 1e-30, 1e-13, 0.25, 1 - 1e-7, 1], dtype)
    x, t = (a.ravel() for a in np.meshgrid(line, np.array([0, 0.3, 1], dtype)))
    ours = [Tensor(a, requires_grad=True) for a in (x, t)]
    theirs = [torch.tensor(a, requires_grad=True) for a in (x, t)]
    a = ours[0].binary_cross_entropy(ours[1])
    b = torch.nn.functional.binary_cross_entropy(*theirs)
    a.backward()
    b.backward()
    assert a.item() == pytest.approx(b.item(), rel=1e-6)
    for mine, other in zip(ours, theirs):
        assert mine.grad is not None
        assert other.grad is not None
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-5)
    assert slope(lambda p: p.sigmoid().binary_cross_entropy(Tensor([1.0, 1.0])), [30.0, 1e4]) == pytest.approx([0, 0])


def attended(kind: str, dtype: DType = dtypes.float32) -> dict[str, tuple[Array, Array]]:
    """Ours and PyTorch's: the result and the gradients of everything, with a row that sees nothing."""
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((2, n, 4)) for n in (5, 3, 3))
    sees = rng.random((5, 3)) < 0.6
    sees[1], sees[4] = False, False
    mask = np.where(sees, rng.standard_normal((5, 3)), -np.inf)
    ours = [Tensor(a, dtype=dtype, requires_grad=True) for a in (q, k, v, mask)]
    theirs = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (q, k, v, mask)]
    options: tuple[dict[str, Any], dict[str, Any]] = {
        "bool": ({"attn_mask": Tensor(sees)}, {"attn_mask": torch.tensor(sees)}),
        "float": ({"attn_mask": ours[3]}, {"attn_mask": theirs[3]}),
        "causal": ({"is_causal": True}, {"is_causal": True}),
    }[kind]
    a = ours[0].scaled_dot_product_attention(*ours[1:3], **options[0])
    b = torch.nn.functional.scaled_dot_product_attention(*theirs[:3], **options[1])
    (a * Tensor(v[:, :1]).cast(dtype)).sum().backward()
    (b * torch.tensor(v[:, :1])).sum().backward()
    pairs: dict[str, tuple[Any, Any]] = {"value": (a, b.detach())}
    names = "by the queries", "by the keys", "by the values", "by the mask"
    pairs |= {n: (x.grad, y.grad) for n, x, y in zip(names, ours, theirs) if y.grad is not None}
    return {n: (x.double().numpy(), y.numpy()) for n, (x, y) in pairs.items()}


@pytest.mark.parametrize("kind", ["bool", "float", "causal"])
def test_attention_that_sees_nothing_is_0(device: str, kind: str) -> None:
    for name, (ours, theirs) in attended(kind).items():
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6, err_msg=name)


def test_attention_that_sees_nothing_in_16_bits(device: str) -> None:
    for name, (ours, theirs) in attended("bool", dtypes.bfloat16).items():
        np.testing.assert_allclose(ours, theirs, rtol=0.1, atol=0.1, err_msg=name)


def test_attention_over_no_keys_is_0() -> None:
    q, none = Tensor(np.ones((2, 4), np.float32)), Tensor(np.ones((0, 4), np.float32))
    assert q.scaled_dot_product_attention(none, none).tolist() == [[0.0] * 4] * 2


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0])
def test_norms_have_a_slope_at_0(p: float) -> None:
    """0, as PyTorch's, where the whole norm is 0 and where an element is."""
    x = np.array([[0.0, 0.0, 0.0], [0.0, 3.0, -4.0]], np.float32)
    ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    ours.norm(p, 1).sum().backward()
    theirs.norm(p, 1).sum().backward()
    assert ours.grad is not None
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad, rtol=1e-6)
