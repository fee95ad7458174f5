"""What makes two calls of a jitted function one kind: all besides the tensors' values that its graph may depend on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from lazygrad.errors import JitError, user_line
from lazygrad.index.expr import Expr
from lazygrad.index.variable import Variable, by_name
from lazygrad.ir.variables import Names, Renamed, renamed_shape, unbound_names
from lazygrad.ops.core import Core
from lazygrad.ops.jit_modules import PLAIN
from lazygrad.ops.jit_outside import outside
from lazygrad.ops.mode import mode
from lazygrad.settings import settings


def variables_of(leaves: Sequence[Any]) -> Renamed:
    """The variables in the arguments, each with one that has no value: a trace serves all of its values."""
    found: list[Variable] = []
    for x in leaves:
        if isinstance(x, Core):
            found += [v for n in x.shape if isinstance(n, Expr) for v in by_name(n)] if x.node.variables else []
        elif isinstance(x, Expr):
            found += by_name(x)
    return unbound_names(found)


def kind(
    leaves: Sequence[Any], structure: Hashable, function: Callable[..., Any], containers: bool, names: Names
) -> tuple[Hashable, Hashable]:
    """A key that is equal for calls that one trace can serve. `leaves` and `structure` are the flattened arguments.

    Its second part is about what the function reads from outside.

    `names` are the variables in them, which count without their values. `containers`: whether lists and dicts outside
    the function count; not where the function itself changes them.
    """
    parts: list[Hashable] = [structure, mode.enabled, settings.float32_matmul_precision]
    first: dict[int, int] = {}
    for x in leaves:
        if isinstance(x, Core):
            place = first.setdefault(id(x), len(first))  # the same tensor twice is another kind than two tensors
            shape = renamed_shape(x.shape, names)
            parts.append((place, shape, x.dtype, x.device, x.requires_grad, x._leaf, x.grad is not None))
        elif isinstance(x, Expr):
            parts.append((Expr, x.substitute(names)))
        else:
            try:
                hash(x)
            except TypeError:
                raise JitError(f"jit: argument {x!r:.60} is neither a tensor nor hashable ({user_line()})") from None
            parts.append((type(x), x))
    objects = [x for x in leaves if not isinstance(x, (Core, Expr, *PLAIN))]
    return tuple(parts), outside(function, containers, objects)
