"""Scatters over their own base: nothing but what they update is touched, and nothing is read after it was written."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lazygrad import Tensor, jit, synchronize
from lazygrad.engine.compile import can_overwrite, compile_kernel
from lazygrad.runtime.registry import open_device
from lazygrad.schedule.kernel import schedule
from lazygrad.tiling.program import Load, Store
from lazygrad.tiling.walk import flattened

INDEX = np.array([3, 0, 3, 6])
Change = Callable[[Tensor, Tensor], object]
CHANGES: dict[str, Change] = {
    "added": lambda t, i: t.index_add_(0, i, t.new_ones(4, 5)),
    "added by elements": lambda t, i: t.scatter_add_(1, (i % 5).reshape(4, 1), t.new_ones(4, 1)),
    "put": lambda t, i: t.index_copy_(0, i, t.new_full((4, 5), 2.0)),
    "greatest": lambda t, i: t.scatter_reduce_(0, i.reshape(4, 1).expand(4, 5), t.new_zeros(4, 5), "amax"),
    "updates of its own": lambda t, i: t.index_add_(0, i, t[1:5] * 2),
    "itself": lambda t, i: t.index_add_(0, i, t[:4]),
    "places of its own": lambda t, i: t.index_add_(0, (t[:4, 0].abs() * 3).cast("int64") % 8, t.new_ones(4, 5)),
    "turned around": lambda t, i: t.copy_(t.flip(0).index_add(0, i, t.new_ones(4, 5))),
    "doubled": lambda t, i: t.copy_((t * 2).index_add(0, i, t.new_ones(4, 5))),
    "twice": lambda t, i: t.index_add_(0, i, t.new_ones(4, 5)).index_add_(0, i + 1, t[2:6]),
}


def changed(change: Change, device: str, jitted: bool) -> list[np.ndarray]:
    """A tensor after each of three changes; what it was when the first one was made stays as it was."""
    t = Tensor(np.random.default_rng(0).uniform(-2, 2, (8, 5)).astype("float32"), device=device).realize()
    index = Tensor(INDEX, device=device).realize()
    before = t * 1
    call = jit(lambda: (change(t, index), t.sum())[1]) if jitted else lambda: change(t, index)
    found = []
    for _ in range(3):
        call()
        found.append(t.numpy().copy())
    return [before.numpy(), *found]


@pytest.mark.parametrize("device", ["OPENCL", "CUDA_EMULATED"])
def test_is_what_the_evaluator_computes(device: str) -> None:
    for name in CHANGES if device == "OPENCL" else ("added", "itself", "turned around"):
        for jitted in (False, True):
            expected = changed(CHANGES[name], "NUMPY", False)
            for a, b in zip(changed(CHANGES[name], device, jitted), expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-6, err_msg=f"{name}, jit: {jitted}")
    synchronize(device)


@pytest.mark.parametrize("device", ["OPENCL", "CUDA_EMULATED"])
def test_what_is_not_updated_is_not_touched(device: str) -> None:
    info = open_device(device).info
    table = Tensor(np.ones((512, 64), "float32"), device=device).realize()
    index, updates = (
        Tensor(INDEX, device=device).realize(),
        Tensor(np.ones((4, 64), "float32"), device=device).realize(),
    )
    [kernel] = schedule([table.index_add(0, index, updates).node]).kernels
    [source] = [n for n in kernel.inputs if n.shape == kernel.outputs[0].shape or n.shape == (512 * 64,)]
    assert can_overwrite(kernel, kernel.outputs[0], source)
    program = compile_kernel(kernel, {kernel.outputs[0]: source}, info).program
    stores = [s for s in flattened(program.body) if isinstance(s, Store) and s.array.name == "in0"]
    assert [isinstance(s.value, Load) and s.value.array is s.array for s in stores] == [False]
