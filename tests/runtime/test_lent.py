"""Memory that commands in flight use is alive as long as they may, and no longer."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from lazygrad import Tensor, jit, synchronize
from lazygrad.runtime import lent
from lazygrad.runtime.base import KernelSource, Launch
from lazygrad.runtime.opencl import OpenCLRuntime
from lazygrad.runtime.registry import open_device
from lazygrad.settings import settings

cl = pytest.importorskip("pyopencl")

SHAPE = (1 << 18,)


@pytest.fixture(autouse=True)
def _on_opencl() -> Iterator[None]:
    runtime = open_device("OPENCL")
    assert isinstance(runtime, OpenCLRuntime)
    if not runtime._unified:
        pytest.skip("this device has memory of its own: arrays are copied there")
    with settings.override(device="OPENCL"):
        yield


@pytest.fixture
def opened() -> Iterator[Callable[[], None]]:
    """No command begins until this is called."""
    queue = open_device("OPENCL")._queue  # type: ignore[attr-defined]
    gate = cl.UserEvent(queue.context)
    cl.enqueue_barrier(queue, wait_for=[gate])
    is_open = []

    def open_() -> None:
        if not is_open:
            is_open.append(gate.set_status(cl.command_execution_status.COMPLETE))

    yield open_
    open_()
    synchronize()


def shared(value: float, arrays: list[weakref.ref[np.ndarray]]) -> Tensor:
    """A tensor of an array that nobody else holds, which is noted in `arrays`."""
    array = np.full(SHAPE, value, np.float32)
    arrays.append(weakref.ref(array))
    return Tensor.from_numpy(array)


def alive(arrays: list[weakref.ref[np.ndarray]]) -> int:
    gc.collect()
    return sum(a() is not None for a in arrays)


def test_a_command_in_flight_keeps_the_array(opened: Callable[[], None]) -> None:
    arrays: list[weakref.ref[np.ndarray]] = []
    count = lent.MOST_WAITING - 2
    results = [(shared(k, arrays) * 2 + 1).realize() for k in range(count)]
    assert alive(arrays) == count, "nothing has run yet"
    opened()
    synchronize()
    assert alive(arrays) == 0
    for k, result in enumerate(results):
        assert np.all(result.numpy() == 2 * k + 1)


def test_a_loop_that_never_waits_lets_go_of_its_arrays() -> None:
    arrays: list[weakref.ref[np.ndarray]] = []
    total = Tensor.zeros(*SHAPE)
    for k in range(4 * lent.MOST_WAITING):
        total.add_(shared(k, arrays)).realize()
    assert alive(arrays) <= lent.MOST_WAITING + 2
    assert np.all(total.numpy() == sum(range(4 * lent.MOST_WAITING)))
    assert alive(arrays) == 0


def test_a_plan_that_may_run_again_does_not_keep_what_it_ran_on() -> None:
    arrays: list[weakref.ref[np.ndarray]] = []
    step = jit(lambda x: (x * x).sum())
    found = [step(shared(k, arrays)) for k in range(5)]
    assert [f.item() for f in found] == [k * k * float(SHAPE[0]) for k in range(5)]
    assert alive(arrays) == 0


def test_a_part_keeps_the_whole(opened: Callable[[], None]) -> None:
    runtime = open_device("OPENCL")
    array = np.arange(SHAPE[0], dtype=np.float32)
    kept = weakref.ref(array)
    part = runtime.sub(runtime.wrap(array), 4096, 4096)
    del array
    opened()
    synchronize()
    gc.collect()
    assert kept() is not None
    np.testing.assert_array_equal(runtime.read(part, 4096).view(np.float32), np.arange(1024, 2048))
    del part
    synchronize()
    assert kept() is None


def test_a_runtime_waits_for_its_commands_before_its_memory_goes() -> None:
    runtime = OpenCLRuntime("OPENCL")
    text = "__kernel void late(__global int* o) { o[get_global_id(0)] = 1; }"
    (executable,) = runtime.build([KernelSource("late", text, "late")])
    memory = runtime.allocate(4096)
    order: list[str] = []
    assert memory.host is not None and memory.lease is not None
    weakref.finalize(memory.lease.block.host, order.append, "freed")
    gate = cl.UserEvent(runtime._queue.context)
    cl.enqueue_barrier(runtime._queue, wait_for=[gate])
    runtime.prepare([Launch(executable, (memory,), (), (1024,), (1,))]).run()

    def open_() -> None:
        order.append("begun")
        gate.set_status(cl.command_execution_status.COMPLETE)

    timer = threading.Timer(0.2, open_)
    timer.start()
    del memory, runtime
    gc.collect()
    timer.join()
    assert order == ["begun", "freed"]
