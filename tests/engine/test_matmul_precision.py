"""The setting float32_matmul_precision: what it means for graphs, plans in memory and on disk, and replays."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from lazygrad import Tensor, jit
from lazygrad.engine import run
from lazygrad.engine.counters import counters
from lazygrad.engine.run import over_buffers
from lazygrad.ir.op import Combine, Op, ReduceArg
from lazygrad.ir.show import text
from lazygrad.schedule.kernel import schedule
from lazygrad.settings import settings

PRECISE, ROUNDED = np.float32(1 + 2.0**-12), np.float32(1.0)  # a number, and what TF32 has for it
EYE = np.eye(32, dtype=np.float32)


@pytest.fixture
def emulated() -> Iterator[None]:
    with settings.override(device="CUDA_EMULATED"):
        yield


def product() -> Tensor:
    """The same graph each time."""
    return Tensor(EYE * PRECISE) @ Tensor(EYE)


def first(x: Tensor) -> np.float32:
    return np.float32(x.numpy()[0, 0])


@pytest.mark.parametrize("order", [("high", "highest"), ("highest", "high")])
def test_equal_products_of_both_precisions_are_told_apart(emulated: None, order: tuple[str, str]) -> None:
    a, b = Tensor(EYE * PRECISE).realize(), Tensor(EYE).realize()
    kept = []
    for precision in (*order, *order):
        with settings.override(float32_matmul_precision=precision):
            kept.append(a @ b)
            assert first(kept[-1]) == (ROUNDED if precision == "high" else PRECISE)


def test_it_counts_when_the_product_is_written(emulated: None) -> None:
    """As in PyTorch: not when it is computed, and for a gradient not when its product was written."""
    with settings.override(float32_matmul_precision="high"):
        written = product()
        w = Tensor(EYE, requires_grad=True)
        loss = (Tensor(EYE * PRECISE) @ w)[0].sum()
    assert first(written) == ROUNDED
    loss.backward()
    assert w.grad is not None and first(w.grad) == PRECISE
    exact = product()
    with settings.override(float32_matmul_precision="high"):
        assert first(exact) == PRECISE


def test_plans_in_memory_and_on_disk(emulated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def computed(precision: str) -> tuple[np.float32, int, int]:
        hits, stored = counters.plan_hits, counters.stored_plans
        with settings.override(float32_matmul_precision=precision):
            value = first(product())
        return value, counters.plan_hits - hits, counters.stored_plans - stored

    assert [computed(p)[0] for p in ("highest", "high")] == [PRECISE, ROUNDED]
    assert [computed(p) for p in ("high", "highest")] == [(ROUNDED, 1, 0), (PRECISE, 1, 0)]
    monkeypatch.setattr(run, "_runners", {})  # as in another process
    assert [computed(p) for p in ("high", "highest")] == [(ROUNDED, 0, 1), (PRECISE, 0, 1)]


def test_replays(emulated: None) -> None:
    """A trace serves calls of its own precision; a block inside the function is part of the function."""

    def multiply(a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    def always_rounded(a: Tensor, b: Tensor) -> Tensor:
        with settings.override(float32_matmul_precision="high"):
            return a @ b

    def call(f: Callable[[Tensor, Tensor], Tensor]) -> np.float32:
        return first(f(Tensor(EYE * PRECISE), Tensor(EYE)))

    plain, inside = jit(multiply), jit(always_rounded)
    for precision in ("highest", "highest", "highest", "high", "high", "high", "highest", "high"):
        with settings.override(float32_matmul_precision=precision):
            assert call(plain) == (ROUNDED if precision == "high" else PRECISE)
            assert call(inside) == ROUNDED


@pytest.mark.parametrize("device", ["OPENCL", "NUMPY"])
def test_devices_without_it_round_nothing(device: str) -> None:
    rng = np.random.default_rng(0)
    a, b = (Tensor(rng.standard_normal((70, 70)).astype("float32"), device=device) for _ in range(2))
    exact = (a @ b).numpy()
    with settings.override(float32_matmul_precision="high"):
        np.testing.assert_array_equal((a @ b).numpy(), exact)


def test_graphs_show_it() -> None:
    """On sums of float32 alone, and wherever a product may come from."""
    a, b = (Tensor(np.ones((4, 4), np.float32), device="NUMPY") for _ in range(2))
    image, filters = Tensor.ones(1, 2, 5, 5, device="NUMPY"), Tensor.ones(3, 2, 3, 3, device="NUMPY")
    with settings.override(float32_matmul_precision="high"):
        sums = [a @ b, a.linear(b), a.einsum("ij,kj->ik", b), image.conv2d(filters), (a[:, None] * b).sum(-1)]
        others = [a.amax(0), a.double() @ b.double(), a.prod(0)]
    assert all(" tf32" in text([y.node]) for y in sums)
    assert not any(" tf32" in text([y.node]) for y in [*others, a @ b])


def losses() -> list[Tensor]:
    """Graphs that passes rearrange: heads that are permuted, axes of size 1, repeated elements, and their gradients."""
    q, k, v = (Tensor(np.ones((2, 3, 8, 4), np.float32), requires_grad=True) for _ in range(3))
    heads = q.scaled_dot_product_attention(k, v, is_causal=True).transpose(1, 2).reshape(2, 8, 12)
    y = heads.linear(Tensor(np.ones((1, 12), np.float32), requires_grad=True)).layernorm()
    (y.expand(2, 8, 5).sum() + y.sum()).backward()
    return [y, *(x.grad for x in (q, k, v) if x.grad is not None)]


@pytest.mark.parametrize("precision", ["high", "highest"])
def test_passes_over_graphs_keep_it(precision: str) -> None:
    with settings.override(device="NUMPY", float32_matmul_precision=precision):
        roots = over_buffers([t.node for t in losses()], "NUMPY")
    assert len(roots) == 4
    nodes = [m.node for k in schedule(roots).kernels for m in k.group.members if m.node.op is Op.REDUCE]
    found = [n.argument(ReduceArg) for n in nodes]
    sums = [a.tf32 for a in found if a.combine is Combine.ADD]
    assert len(sums) > 8 and set(sums) == {precision == "high"}
    assert not any(a.tf32 for a in found if a.combine is not Combine.ADD)
