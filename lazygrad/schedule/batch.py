"""Small elementwise kernels side by side in one launch: an optimizer's step over all parameters is a few launches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lazygrad.ir.node import Node
from lazygrad.schedule.group import GroupKind
from lazygrad.schedule.kernel import Kernel
from lazygrad.schedule.stored import nbytes

MAX_PARAMETERS = 120  # pointers of one kernel; OpenCL promises 1024 bytes of parameters
MAX_BYTES = 96 << 20  # of all that a kernel reads and writes: larger ones gain little from company

Batch = tuple[Kernel, ...]


def batches(kernels: Sequence[Kernel], aliases: Mapping[Node, Node], results: set[Node]) -> list[Batch]:
    """`kernels`, each alone or with others in one launch, in an order in which they can run.

    Small elementwise kernels that make nothing but results wait for each other, until something reads what one of them
    writes, or is written over what one of them reads. `aliases` are outputs that are written over inputs (output ->
    input): such an input has no other reader in the launch, and none after it.
    """
    done: list[Batch] = []
    waiting: list[Kernel] = []
    for k in kernels:
        may_wait = k.group.kind is GroupKind.POINT and results.issuperset(k.outputs) and _bytes(k) <= MAX_BYTES
        full = may_wait and sum(map(_parameters, waiting)) + _parameters(k) > MAX_PARAMETERS
        if waiting and (full or any(_must_follow(k, w, aliases) for w in waiting)):
            done.append(tuple(waiting))
            waiting = []
        if may_wait:
            waiting.append(k)
        else:
            done.append((k,))
    return [*done, tuple(waiting)] if waiting else done


def _must_follow(k: Kernel, w: Kernel, aliases: Mapping[Node, Node]) -> bool:
    """Whether `k` reads or writes what `w` writes, or writes what `w` reads."""
    touched, written = {*k.inputs, *k.outputs}, _writes(k, aliases)
    return not (touched.isdisjoint(_writes(w, aliases)) and written.isdisjoint(w.inputs))


def _writes(k: Kernel, aliases: Mapping[Node, Node]) -> set[Node]:
    """The outputs of a kernel, and the inputs that they are written over."""
    return {*k.outputs, *(aliases[n] for n in k.outputs if n in aliases)}


def _bytes(k: Kernel) -> int:
    return sum(nbytes(n) for n in (*k.inputs, *k.outputs))


def _parameters(k: Kernel) -> int:
    return len(k.inputs) + len(k.outputs)
