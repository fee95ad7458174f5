"""How many kernels well-known programs take."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from lazygrad import Tensor, dtypes, optim
from lazygrad.schedule.batch import batches
from lazygrad.schedule.kernel import Kernel, schedule
from lazygrad.schedule.stored import nbytes
from lazygrad.settings import settings


@pytest.fixture(autouse=True)
def without_a_driver() -> Iterator[None]:
    """Scheduling needs no device."""
    with settings.override(device="NUMPY"):
        yield


def kernels(*tensors: Tensor) -> tuple[Kernel, ...]:
    return schedule([t.node for t in tensors]).kernels


def values(*shape: int, requires_grad: bool = False) -> Tensor:
    numbers = np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)
    return Tensor(numbers, requires_grad=requires_grad)


def classes(n: int, *shape: int) -> Tensor:
    return Tensor(np.random.default_rng(0).integers(0, n, shape))


def chain() -> Tensor:
    x, row = values(12, 64, 128), values(128)
    turned = (x.permute(2, 0, 1) * 3).permute(1, 2, 0).flip(1)
    return ((x * 2 + row).exp() + turned[:, :, ::1].reshape(12, 64, 128)).relu().pad((1, 1)) - 1


def dense() -> Tensor:
    return (values(768, 128) @ values(384, 128).T + values(384)).gelu() + values(768, 384)


def dense_input_side() -> Tensor:
    return ((values(768, 128) * 2) @ values(128, 384) + values(384)).relu()


def convolved() -> Tensor:
    x, w, b = values(8, 16, 28, 28), values(32, 16, 3, 3), values(32)
    return x.conv2d(w, b, padding=1).relu() + values(8, 32, 28, 28)


def looked_up() -> Tensor:
    return values(65, 128)[classes(65, 12, 64)]


ONE: dict[str, Callable[[], Tensor]] = {
    "elementwise chain with broadcasts and views": chain,
    "a chain of 200": lambda: sum((values(64, 64) * k for k in range(200)), values(64, 64)).sigmoid(),
    "softmax": lambda: values(12, 64, 128).softmax(-1),
    "softmax over columns": lambda: values(64, 128).softmax(0),
    "log_softmax": lambda: values(12, 64, 128).log_softmax(-1),
    "layernorm": lambda: values(12, 64, 128).layernorm(),
    "layernorm with weight and bias": lambda: values(12, 64, 128).layernorm() * values(128) + values(128),
    "rmsnorm": lambda: (x := values(12, 64, 128)) * (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt(),
    "argmax": lambda: values(12, 64, 128).argmax(-1),
    "mean": lambda: values(12, 64, 128).mean(-1),
    "var": lambda: values(12, 64, 128).var(-1),
    "matmul": lambda: values(64, 32) @ values(32, 48),
    "matmul, bias, activation, residual": dense,
    "matmul with an elementwise input side": dense_input_side,
    "conv, bias, activation, residual": convolved,
    "embedding": looked_up,
    "one_hot": lambda: classes(10, 64).one_hot(10),
    "dropout-like": lambda: values(64, 64) * (Tensor.rand(64, 64) > 0.1),
}


@pytest.mark.parametrize("name", ONE)
def test_takes_one_kernel(name: str) -> None:
    assert len(kernels(ONE[name]())) == 1


def test_a_conv_stores_nothing_as_large_as_its_unfolded_input() -> None:
    found = kernels(convolved())
    assert all(nbytes(n) <= 8 * 32 * 28 * 28 * 4 for k in found for n in k.outputs)


def test_an_embedding_gradient_takes_at_most_two_kernels() -> None:
    table = values(65, 128, requires_grad=True)
    (table[classes(65, 12, 64)] * values(12, 64, 128)).sum().backward()
    assert table.grad is not None
    found = kernels(table.grad)
    assert len(found) <= 2
    assert all(nbytes(n) <= 12 * 64 * 128 * 4 for k in found for n in k.outputs), "no one-hot product"


def test_attention_takes_three_kernels() -> None:
    q, k, v = (values(12, 4, 64, 32) * 1 for _ in range(3))
    assert len(kernels(q.scaled_dot_product_attention(k, v, is_causal=True))) == 3
    scores = (values(12, 4, 64, 32) @ values(12, 4, 64, 32).transpose(-1, -2) * 32**-0.5 + values(64, 64)).softmax(-1)
    assert len(kernels(scores @ values(12, 4, 64, 32))) == 3


def test_cross_entropy_takes_one_kernel() -> None:
    assert len(kernels(values(768, 65).cross_entropy(classes(65, 768)))) == 1
    assert len(kernels(values(12, 64, 65).reshape(768, 65).cross_entropy(classes(65, 768), ignore_index=3))) == 1


def step_kernels(make: Callable[..., optim.Optimizer], count: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """The kernels of one step over `count` parameters."""
    parameters = [values(128, k + 1, requires_grad=True).realize() for k in range(count)]
    optimizer = make(parameters, lr=0.1)
    for p in parameters:
        p.grad = Tensor(np.ones(p.shape, np.float32))
    changed: list[Tensor] = []
    monkeypatch.setattr(Tensor, "realize", lambda *tensors: changed.extend(tensors))
    optimizer.step()
    monkeypatch.undo()
    return len(kernels(*changed))


@pytest.mark.parametrize("make", [optim.SGD, optim.AdamW], ids=["SGD", "AdamW"])
def test_an_optimizer_step_takes_one_kernel_for_each_parameter(
    make: Callable[..., optim.Optimizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    few, more = (step_kernels(make, n, monkeypatch) for n in (3, 8))
    assert more - few == 5
    assert few <= 3 + 5  # and some for the scalars that all parameters share


def test_a_step_over_many_parameters_is_a_few_launches() -> None:
    parameters = [values(64, k % 5 + 1, requires_grad=True).realize() for k in range(40)]
    planned = schedule([(p * 2).node for p in parameters])
    assert len(planned.kernels) == 40
    launches = batches(planned.kernels, {}, set(planned.results))
    assert len(launches) == 1
    assert sorted(n.shape for k in launches[0] for n in k.outputs) == sorted(p.shape for p in parameters)


def test_large_kernels_are_launched_alone() -> None:
    tensors = [values(1 << n, requires_grad=True).realize() for n in (10, 24, 10, 24, 10)]
    planned = schedule([(t * 2).node for t in tensors])
    assert sorted(map(len, batches(planned.kernels, {}, set(planned.results)))) == [1, 1, 3]


def test_a_launch_waits_for_what_it_reads() -> None:
    x = values(64)
    a = (x * 2).contiguous()
    b = (a + a.sum()).contiguous()
    planned = schedule([a.node, b.node])
    for batch in batches(planned.kernels, {}, set(planned.results)):
        made = {n for k in batch for n in k.outputs}
        assert not any(n in made for k in batch for n in k.inputs)


def test_two_results_of_one_shape_share_a_kernel() -> None:
    x = values(64, 128)
    assert len(kernels(x.softmax(-1), x.log_softmax(-1), x.argmax(-1), x.sum(-1))) == 1
    assert len(kernels(x.sum(0), x.square().sum(0), x.mean(0))) == 1


def test_an_expression_without_inputs_takes_one_kernel() -> None:
    assert len(kernels(Tensor.arange(1000) * 2 + 1)) == 1
    assert len(kernels(Tensor.full((3, 4), 2.0, dtype=dtypes.float32) * 3)) == 1


def test_what_is_stored_already_takes_none() -> None:
    x = values(4, 4)
    assert not kernels(x)
    assert not kernels(x.reshape(16))
    assert not kernels(values(0, 3).sum())[1:]
