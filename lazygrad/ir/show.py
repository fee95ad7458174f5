"""Graphs as text: one numbered line per node, sources first."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.ir.node import Node, topological
from lazygrad.ir.op import (
    AxesArg,
    AxisArg,
    BoundsArg,
    BufferArg,
    CallArg,
    CheckArg,
    ConstArg,
    DeviceArg,
    IdArg,
    PadArg,
    ReduceArg,
    ScanArg,
    ScatterArg,
    StorageLike,
    StoreArg,
)


def text(roots: Sequence[Node]) -> str:
    """The graph under `roots`. Equal graphs give equal text in every process: storages and identities are numbered.

    >>> from lazygrad.dtype import dtypes
    >>> from lazygrad.ir.build import add
    >>> from lazygrad.ir.node import const, iota
    >>> print(text([add(iota(3, dtypes.int32), const(1, dtypes.int32, (3,)))]))
    %0 = iota int32[3]
    %1 = const int32[] 1
    %2 = reshape int32[1] (%1)
    %3 = expand int32[3] (%2)
    %4 = add int32[3] (%0, %3)
    return %4
    """
    order = topological(roots)
    number = {n: f"%{i}" for i, n in enumerate(order)}
    names = _Names()
    lines = []
    for n in order:
        sources = f" ({', '.join(number[s] for s in n.src)})" if n.src else ""
        argument = _argument(n, names)
        lines.append(f"{number[n]} = {signature(n)}{sources}{' ' if argument else ''}{argument}")
    return "\n".join([*lines, f"return {', '.join(number[r] for r in roots)}"])


def signature(n: Node) -> str:
    """Op, dtype and shape: `add float32[4, 6]`."""
    return f"{n.op.name.lower()} {n.dtype}[{', '.join(map(str, n.shape))}]"


class _Names:
    """Numbers for objects that have no name of their own, in order of appearance."""

    def __init__(self) -> None:
        self.storages: dict[int, str] = {}
        self.identities: dict[int, str] = {}

    def storage(self, storage: StorageLike) -> str:
        return self.storages.setdefault(id(storage), f"#{len(self.storages)}")

    def identity(self, uid: int) -> str:
        return self.identities.setdefault(uid, f"own{len(self.identities)}") if uid else ""


def _argument(n: Node, names: _Names) -> str:
    """What the sources and the shape do not tell."""
    arg = n.arg
    if isinstance(arg, ConstArg):
        return arg.text
    if isinstance(arg, BufferArg):
        return f"{names.storage(arg.storage)} on {arg.storage.device}"
    if isinstance(arg, AxesArg):
        return f"axes={_list(arg.axes)}"
    if isinstance(arg, PadArg):
        return f"pads={_pairs(arg.pads, ',')}{'' if arg.fill.value == 0 else f' fill={arg.fill.text}'}"
    if isinstance(arg, BoundsArg):
        return f"bounds={_pairs(arg.bounds, ':')}"
    if isinstance(arg, ReduceArg):
        return f"{arg.combine!r} axes={_list(arg.axes)}{' tf32' * arg.tf32}"
    if isinstance(arg, (ScanArg, ScatterArg)):
        return f"{arg.combine!r} axis={arg.axis}"
    if isinstance(arg, AxisArg):
        return f"axis={arg.axis}"
    if isinstance(arg, StoreArg):
        return f"into {names.storage(arg.storage)}"
    if isinstance(arg, CallArg):
        return f"{arg.function.name} output {arg.output}"
    if isinstance(arg, IdArg):
        return names.identity(arg.uid)
    if isinstance(arg, CheckArg):
        return f"{-arg.size if arg.negative else 0}..{arg.size - 1} for {arg.what}"
    return f"to {arg.device}" if isinstance(arg, DeviceArg) else ""


def _list(values: Sequence[object]) -> str:
    return f"[{', '.join(map(str, values))}]"


def _pairs(pairs: Sequence[tuple[object, object]], between: str) -> str:
    return _list([f"{a}{between}{b}" for a, b in pairs])
