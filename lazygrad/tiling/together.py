"""How many neighbouring elements one work-item of a GPU should take at once, so that its accesses are wide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lazygrad.index.expr import Var
from lazygrad.runtime.base import DeviceInfo

from .program import Array, Axis, Load, Scope, Stmt, Store
from .values import statement_values, topological
from .walk import flattened

MOST = 8  # elements: more would be many registers for little


def together(axes: Sequence[Axis], body: Iterable[Stmt], info: DeviceInfo) -> int:
    """Elements along the last of `axes` that `body` reads or writes in one access: 1, or a power of two.

    It divides the axis, unless there is only one.

    Args:
        info: accesses are `info.vector_bytes` wide where work-items run in warps; elsewhere every element is alone.
    """
    if info.warp == 1 or not axes:
        return 1
    last = axes[-1]
    sizes = [array.dtype.itemsize for array in contiguous(body, last.var)]
    count = min(MOST, info.vector_bytes // min(sizes)) if sizes else 1
    while count > 1 and not _divides(count, last, len(axes) == 1):
        count //= 2
    return count


def _divides(count: int, axis: Axis, alone: bool) -> bool:
    return alone or (isinstance(axis.extent, int) and axis.extent % count == 0)


def contiguous(body: Iterable[Stmt], var: Var) -> list[Array]:
    """The arrays in device memory that `body` goes through one element at a time along `var`."""
    body = list(body)
    found = [
        v.array
        for v in topological(statement_values(body))
        if isinstance(v, Load) and v.array.scope is Scope.GLOBAL and v.index.coefficient(var) == 1
    ]
    for s in flattened(body):
        if isinstance(s, Store) and s.array.scope is Scope.GLOBAL and s.index.coefficient(var) == 1:
            found.append(s.array)
    return found
