"""What a plain program must move and compute at least: the floor that its time is judged by."""

from __future__ import annotations

from collections.abc import Sequence

from lazygrad.index.expr import dim_max, dim_product
from lazygrad.tiling.program import Alu, Array, Load, Loop, Program, Reduction, Search, Stmt, Store, Value
from lazygrad.tiling.values import topological


def traffic(program: Program) -> int:
    """Bytes read and written at least, each touched element of each parameter once."""
    touched: dict[Array, int] = {}

    def visit(body: Sequence[Stmt], times: int) -> None:
        for s in body:
            if isinstance(s, (Loop, Search)):
                visit(s.body, times * dim_max(s.axis.extent))
            elif isinstance(s, Reduction):
                inner = times * dim_max(dim_product(a.extent for a in s.axes))
                reads([a.value for a in s.accumulators], inner)
                visit(s.body, inner)
            elif isinstance(s, Store):
                touched[s.array] = touched.get(s.array, 0) + times
                reads([s.value, *(v for _, v in s.bindings)], times)

    def reads(values: Sequence[Value], times: int) -> None:
        for v in topological(values):
            if isinstance(v, Load):
                touched[v.array] = max(touched.get(v.array, 0), times)

    visit(program.body, 1)
    return sum(min(n, dim_max(a.size)) * a.dtype.itemsize for a, n in touched.items())


def operations(program: Program) -> int:
    """Arithmetic operations, a value counted once in each place that needs it."""
    total = 0

    def visit(body: Sequence[Stmt], times: int) -> None:
        nonlocal total
        for s in body:
            if isinstance(s, (Loop, Search)):
                visit(s.body, times * dim_max(s.axis.extent))
            elif isinstance(s, Reduction):
                inner = times * dim_max(dim_product(a.extent for a in s.axes))
                total += inner * (len(s.accumulators) + arithmetic([a.value for a in s.accumulators]))
                visit(s.body, inner)
            elif isinstance(s, Store):
                total += times * arithmetic([s.value])

    def arithmetic(values: Sequence[Value]) -> int:
        return sum(isinstance(v, Alu) for v in topological(values))

    visit(program.body, 1)
    return total
