"""Temporaries that are made a second time instead of being kept."""

from __future__ import annotations

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.engine import plan_store, run
from lazygrad.engine.plan import make_plan
from lazygrad.ir.elements import Array, from_storage, to_storage
from lazygrad.ir.node import Node, topological
from lazygrad.ir.op import Op
from lazygrad.runtime.registry import canonical, open_device
from lazygrad.schedule import recompute
from lazygrad.schedule.kernel import Kernel, schedule
from lazygrad.schedule.memory import plan
from tests.programs import random_program, with_stores


def deep(layers: int, width: int, gain: bool = False) -> list[Tensor]:
    """The gradients of a stack of layers with an elementwise activation each, where asked for after a gain."""
    rng = np.random.default_rng(0)
    weights = [
        Tensor((rng.standard_normal((width, width)) / width**0.5).astype(np.float32), requires_grad=True)
        for _ in range(layers)
    ]
    x = Tensor(rng.standard_normal((width, width)).astype(np.float32))
    gains = Tensor(rng.standard_normal(width).astype(np.float32))
    for w in weights:
        x = ((x @ w) * gains if gain else x @ w).gelu()
    x.sum().backward()
    return [w.grad for w in weights if w.grad is not None]


def kernels_of(tensors: list[Tensor]) -> tuple[list[Kernel], set[Node]]:
    planned = schedule([t.node for t in tensors])
    return list(planned.kernels), set(planned.results)


def test_memory_is_given_back_where_it_counts() -> None:
    kernels, results = kernels_of(deep(12, 128))
    again = recompute.recomputed(kernels, results, {})
    more = len(again) - len(kernels)
    assert 0 < more <= 12
    before = plan([(k,) for k in kernels], results, 128).size
    after = plan([(k,) for k in again], results, 128).size
    assert after <= before - (more - 2) * 128 * 128 * 4


def test_what_reads_an_overwritten_input_is_not_made_after_it() -> None:
    kernels, results = kernels_of(deep(12, 128, gain=True))
    added = [k for k in recompute.recomputed(kernels, results, {}) if k not in kernels]
    [gain] = {n for k in added for n in k.inputs if n.op is Op.BUFFER}
    early, late = kernels[2].outputs[0], kernels[-1].outputs[0]
    assert [k for k in recompute.recomputed(kernels, results, {early: gain}) if k not in kernels] == []
    assert len(recompute.recomputed(kernels, results, {late: gain})) == len(kernels) + len(added)


@pytest.mark.parametrize("first", [0, 10, 20])
def test_random_programs_that_recompute_all_they_can(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recompute, "LEAST_BYTES", 0)
    monkeypatch.setattr(recompute, "LEAST_GAP", 1)
    monkeypatch.setattr(plan_store, "load", lambda name, runtime: None)
    device = canonical("OPENCL")

    def make(array: Array, dtype: object) -> Node:
        return run.upload(to_storage(np.asarray(array), dtype), dtype, device)  # type: ignore[arg-type]

    made = [random_program(seed, size=20, make=make) for seed in range(first, first + 10)]
    stored = [with_stores(p.roots, p.seed, 0.6) for p in made]
    run.realize([n for roots in stored for n in roots], device)
    for p, roots in zip(made, stored):
        p.check([from_storage(run.download(n), n.dtype) for n in roots], "recomputed")


def test_a_plan_with_recomputation_gives_the_same() -> None:
    device = canonical("OPENCL")
    rng = np.random.default_rng(1)
    arrays = [(rng.standard_normal((128, 128)) / 11).astype(np.float32) for _ in range(13)]

    def gradients(name: str) -> list[Tensor]:
        weights = [Tensor(a, device=name, requires_grad=True) for a in arrays[1:]]
        x = Tensor(arrays[0], device=name)
        for w in weights:
            x = (x @ w).gelu() * 2
        (x * x).sum().backward()
        return [w.grad for w in weights if w.grad is not None]

    ours, theirs = gradients(device), gradients("NUMPY")
    inputs = [n for n in topological([t.node for t in ours]) if n.op is Op.BUFFER]
    made = make_plan([t.node for t in ours], inputs, {}, open_device(device).info)
    names = [s.kernel.source.name for s in made.steps]
    assert sum(name.startswith("map_") for name in names) > 4, "nothing is recomputed"
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-4, atol=2e-5)
