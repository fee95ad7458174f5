"""Running a plan on storages: who has the memory afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lazygrad.engine.lost import fail_to_read
from lazygrad.engine.slots import Input, Output, Slot
from lazygrad.errors import DeviceError, user_line
from lazygrad.ir.variables import Sizes
from lazygrad.runtime.base import Memory, Runtime, Storage


def memory_of(storage: Storage) -> Memory:
    """Where the bytes of a storage are; GraphError where a later value took their memory, ViewError for a lost one."""
    if storage.memory is None and not storage.nbytes:
        return Memory(None, 0, None)
    if storage.memory is None:
        fail_to_read(storage)
    return storage.memory


def launch(
    runner: Any,
    storages: Sequence[Storage],
    replaces: dict[int, int],
    values: Sizes,
    keep: Callable[[Sequence[Storage]], None],
) -> None:
    """Run a Runner over the inputs' storages, and `keep` those of its roots: fresh ones, or inputs that nothing wrote.

    Whatever interrupts, both is done or nothing; so `keep` may be called again from its start.
    """
    plan, runtime = runner.plan, runner.runtime
    if runtime.lost:
        raise DeviceError(f"{runtime.lost} ({user_line()})")
    outputs = [Storage(runtime.name, size, runtime.allocate(size)) for size in plan.output_sizes(values)]
    overwritten = sorted({i for k, i in replaces.items() if plan.results[k] == Input(i)})
    after = _hand_over(storages, overwritten)
    results = [_result(slot, after, outputs, runtime) for slot in plan.results]

    def end() -> None:
        for i in overwritten:
            storages[i].memory = None
        keep(results)

    runner.run([memory_of(s) for s in storages], [memory_of(s) for s in outputs], values, end)


def _hand_over(storages: Sequence[Storage], overwritten: Sequence[int]) -> list[Storage]:
    """The inputs' storages after a run. One that is written over gives its memory to a new storage (and has none any
    more once it is), so that whoever still needs the old value gets an error instead of the new one."""
    after = list(storages)
    for i in overwritten:
        old = storages[i]
        after[i] = Storage(old.device, old.nbytes, old.memory)
    return after


def _result(slot: Slot | None, storages: Sequence[Storage], outputs: Sequence[Storage], runtime: Runtime) -> Storage:
    if isinstance(slot, Input):
        return storages[slot.number]
    if isinstance(slot, Output):
        return outputs[slot.number]
    assert slot is None, slot
    return Storage(runtime.name, 0)
