"""Small elementwise kernels side by side in one launch: an optimizer's step over all parameters is a few launches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lazygrad.ir.node import Node
from lazygrad.schedule.fuse import GroupKind
from lazygrad.schedule.kernel import Kernel

MAX_PARAMETERS = 120  # pointers of one kernel; OpenCL promises 1024 bytes of parameters

Batch = tuple[Kernel, ...]


def batches(kernels: Sequence[Kernel], aliases: Mapping[Node, Node], results: set[Node]) -> list[Batch]:
    """`kernels`, each alone or with others in one launch, in an order in which they can run.

    Elementwise kernels that make nothing but results wait for each other, until something reads what one of them
    writes. `aliases` are outputs that are written over inputs (output -> input): such an input has no other reader in
    the launch, and none after it.
    """
    done: list[Batch] = []
    waiting: list[Kernel] = []
    for k in kernels:
        touched = {*k.inputs, *k.outputs}
        if any(not touched.isdisjoint(_writes(w, aliases)) for w in waiting):
            done.append(tuple(waiting))
            waiting = []
        if k.group.kind is not GroupKind.POINT or not results.issuperset(k.outputs):
            done.append((k,))
            continue
        full = sum(map(_parameters, waiting)) + _parameters(k) > MAX_PARAMETERS
        if full or any(not _writes(k, aliases).isdisjoint(w.inputs) for w in waiting):
            done.append(tuple(waiting))
            waiting = []
        waiting.append(k)
    return [*done, tuple(waiting)] if waiting else done


def _writes(k: Kernel, aliases: Mapping[Node, Node]) -> set[Node]:
    """The outputs of a kernel, and the inputs that they are written over."""
    return {*k.outputs, *(aliases[n] for n in k.outputs if n in aliases)}


def _parameters(k: Kernel) -> int:
    return len(k.inputs) + len(k.outputs)
