"""Small kernels side by side in one launch, on every kind of device."""

from __future__ import annotations

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.engine.plan import make_plan
from lazygrad.ir.node import topological
from lazygrad.ir.op import Op
from lazygrad.runtime.registry import open_device
from lazygrad.settings import settings

SHAPES = ((1,), (768,), (3, 5, 7), (33, 17), (129,), (1000, 64), (2, 1), (4096,), (50, 64), (31,), (64, 3))
DEVICES = {
    "cpu": {"device": "OPENCL"},
    "gpu": {"device": "OPENCL", "target": "gpu"},
    "emulated": {"device": "CUDA_EMULATED", "emulated_arch": "sm_90a"},
}


def groups(*results: Tensor) -> list[int]:
    """Of each launch that computes `results`."""
    roots = [r.node for r in results]
    inputs = [n for n in topological(roots) if n.op is Op.BUFFER]
    plan = make_plan(roots, inputs, {}, open_device(results[0].device).info)
    sizes = [(step.kernel.global_size({})[0], step.kernel.group_size) for step in plan.steps]
    return [items // size for items, size in sizes]


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("count", [2, 3, len(SHAPES)])
def test_every_part_gets_its_own_work_groups(name: str, count: int) -> None:
    rng = np.random.default_rng(count)
    arrays = [rng.integers(-8, 9, s).astype("float32") for s in SHAPES[:count]]
    with settings.override(verify=True, **DEVICES[name]):  # type: ignore[arg-type]
        given = [Tensor(a).realize() for a in arrays]
        apart = [Tensor(a + 1).realize() for a in arrays]
        results = [x * 3 + y for x, y in zip(given, apart)]
        results[-1] = given[-1].T.contiguous() - 1 if given[-1].ndim == 2 else results[-1]
        assert groups(*results) == [sum(groups(r)[0] for r in results)], "none is idle, none is missing"
        Tensor.realize(*results)
        for result, array in zip(results[:-1], arrays):
            np.testing.assert_array_equal(result.numpy(), array * 3 + (array + 1))
        last = arrays[-1].T - 1 if arrays[-1].ndim == 2 else arrays[-1] * 3 + (arrays[-1] + 1)
        np.testing.assert_array_equal(results[-1].numpy(), last)
