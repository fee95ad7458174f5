"""Pass: an axis that expressions take apart into quotient and remainder becomes the two axes that they mean.

A convolution's output is one axis of height * width pixels to the graph, but its input is addressed by row and column:
as axes of their own, columns are contiguous in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lazygrad.index.expr import Expr, FloorDiv, Mod, Var, topological
from lazygrad.tiling.program import Axis, Program
from lazygrad.tiling.values import statement_exprs, substitute_body
from lazygrad.tiling.walk import around, grid


def separate(program: Program) -> Program:
    """`program` with its GRID axes separated where that makes every expression linear in them."""
    axes, body = grid(program.body)
    kept: list[Axis] = []
    for axis in axes:
        width = _width(axis, [e for e, _ in statement_exprs(body)])
        if width is None:
            kept.append(axis)
            continue
        assert isinstance(axis.extent, int)
        row = Var(f"{axis.var.name}_row", 0, axis.extent // width - 1)
        column = Var(f"{axis.var.name}_column", 0, width - 1)
        body = substitute_body(body, {axis.var: row * width + column})
        kept += [replace(axis, var=row, extent=axis.extent // width), replace(axis, var=column, extent=width)]
    return replace(program, body=around(kept, body))


def _width(axis: Axis, used: Sequence[Expr]) -> int | None:
    """The one divisor by which expressions take `axis` apart, if it cuts the axis evenly; else None."""
    if not isinstance(axis.extent, int):
        return None
    widths: set[int | None] = set()
    for part in {part for e in used if axis.var in e.vars for part in topological(e)}:
        if isinstance(part, (FloorDiv, Mod)) and axis.var in part.numerator.vars:
            widths.add(part.denominator.constant if part.numerator is axis.var else None)
    width = widths.pop() if len(widths) == 1 else None
    return width if width is not None and 1 < width < axis.extent and axis.extent % width == 0 else None
