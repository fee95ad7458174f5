"""Where the memory of a launch comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lazygrad.runtime.base import Runtime, Storage


@dataclass(frozen=True, slots=True)
class Input:
    """A buffer that the plan is run with."""

    number: int


@dataclass(frozen=True, slots=True)
class Output:
    """Storage for a result, as large as `Plan.outputs` says."""

    number: int


@dataclass(frozen=True, slots=True)
class Temporary:
    """Bytes of the arena."""

    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Workspace:
    """Bytes of a plan's own scratch memory: what every launch may use, and leaves tickets in it as zeros."""

    offset: int
    nbytes: int


Slot = Input | Output | Temporary | Workspace


def handed_over(storages: Sequence[Storage], results: Sequence[Slot | None], replaces: dict[int, int]) -> list[Storage]:
    """The inputs' storages after a run in which root k could write over input `replaces[k]`. One that was written over
    gives its memory to a new storage, so that whoever still needs the old value gets an error instead of the new one.
    """
    after = list(storages)
    for i in {i for k, i in replaces.items() if results[k] == Input(i)}:
        old = storages[i]
        after[i] = Storage(old.device, old.nbytes, old.memory)
        old.memory = None
    return after


def result_storage(
    slot: Slot | None, storages: Sequence[Storage], outputs: Sequence[Storage], runtime: Runtime
) -> Storage:
    """The storage of what a run left in `slot`."""
    if isinstance(slot, Input):
        return storages[slot.number]
    if isinstance(slot, Output):
        return outputs[slot.number]
    assert slot is None, slot
    return Storage(runtime.name, 0)
