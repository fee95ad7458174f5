"""Checks that a plan's memory holds what its launches read: for tests, and whenever LAZYGRAD_VERIFY is set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lazygrad.engine.slots import Slot, Temporary
from lazygrad.errors import GraphError
from lazygrad.ir.node import Node, is_empty
from lazygrad.ir.op import Op
from lazygrad.ir.show import signature
from lazygrad.schedule.batch import Batch
from lazygrad.schedule.group import Kernel


def verify_memory(
    launches: Sequence[Batch], slots: Mapping[Node, Slot], aliases: Mapping[Node, Node], results: Sequence[Node]
) -> None:
    """Raise GraphError, naming the node and the user's line, where memory does not hold what is read there.

    The launches are followed in order: whatever is written ends what lay in the same bytes. Kernels of one launch run
    at any time of it, so none may write what another one reads or writes; and a kernel writes over what it reads itself
    only where `aliases` (output -> input) says that it does so element by element.
    """
    held = {n: slot for n, slot in slots.items() if n.op is Op.BUFFER}
    for batch in launches:
        for k in batch:
            for n in k.inputs:
                _check_held(n, slots, held)
        for k in batch:
            for n in k.outputs:
                _check_alone(n, k, batch, slots, aliases)
        for n in (n for k in batch for n in k.outputs):
            held = {other: slot for other, slot in held.items() if not _overlap(slot, slots[n])}
            held[n] = slots[n]
    for n in results:
        if not is_empty(n):
            _check_held(n, slots, held)


def _check_held(n: Node, slots: Mapping[Node, Slot], held: Mapping[Node, Slot]) -> None:
    if held.get(n) != slots[n]:
        raise GraphError(f"invalid plan: {signature(n)} is read after its memory was given to another value ({n.line})")


def _check_alone(n: Node, k: Kernel, batch: Batch, slots: Mapping[Node, Slot], aliases: Mapping[Node, Node]) -> None:
    """Nobody in the launch reads or writes where `n` is written, but for its own kernel's input that it replaces."""
    for other in batch:
        for m in (*other.inputs, *other.outputs):
            replaced = other is k and aliases.get(n) is m
            if m is not n and not replaced and _overlap(slots[m], slots[n]):
                what = f"{signature(n)} is written over {signature(m)}, which the same launch needs"
                raise GraphError(f"invalid plan: {what} ({n.line})")


def _overlap(a: Slot, b: Slot) -> bool:
    if isinstance(a, Temporary) and isinstance(b, Temporary):
        return a.offset < b.offset + b.nbytes and b.offset < a.offset + a.nbytes
    return a == b
