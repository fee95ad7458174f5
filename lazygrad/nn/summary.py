"""Modules as tables."""

from __future__ import annotations

import math
from typing import Any

from lazygrad.ir.signature import Shape


def summary_text(module: Any) -> str:
    """A table of the modules inside, each with the shapes and numbers of its own parameters."""
    rows = [("name", "module", "parameters", "count")]
    for name, inside in module.named_modules():
        own = {n: getattr(inside, n).shape for n in inside._own_parameters}
        if own or not inside._own_modules:
            count = sum(_size(shape) for shape in own.values())
            shapes = ", ".join(f"{n} {'×'.join(map(str, shape))}" for n, shape in own.items())
            rows.append((name or "(self)", type(inside).__name__, shapes, f"{count:,}"))
    rows.append(("total", "", "", f"{sum(_size(p.shape) for p in module.parameters()):,}"))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join(
        "  ".join([*(cell.ljust(w) for cell, w in zip(row[:3], widths)), row[3].rjust(widths[3])]) for row in rows
    )


def _size(shape: Shape) -> int:
    return math.prod(n for n in shape if isinstance(n, int))
