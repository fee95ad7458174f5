"""`checkpoint`: values of a function that are computed again for its gradient, instead of being kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lazygrad.engine.run import live
from lazygrad.errors import GradientError
from lazygrad.ir.build import add
from lazygrad.ir.call import UserFunction
from lazygrad.ir.node import Node, call, contiguous, new_uid, topological, with_sources
from lazygrad.ir.reverse import gradient
from lazygrad.ops.core import fail, make
from lazygrad.ops.functional import map_tensors, tensors_in
from lazygrad.ops.mode import mode


class _Again(UserFunction):
    """A function whose graph is made again, from copies of its inputs, when its gradient is asked for."""

    name = "checkpoint"

    def __init__(self, values: Sequence[Node]) -> None:
        self.values = values

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """See `UserFunction`."""
        new = {x: contiguous(x, new_uid()) for x in inputs}
        copies = [new[x] for x in inputs]
        for n in topological(self.values, stop=lambda n: n in new):
            if n not in new:
                new[n] = with_sources(n, tuple(new[s] for s in n.src))
        sums: list[Node | None] = [None] * len(inputs)
        for output, g in by_outputs.items():
            for i, part in enumerate(gradient(new[self.values[output]], g, copies)):
                before = sums[i]
                sums[i] = part if before is None else before if part is None else add(before, part)
        return sums


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, of which a backward pass computes all again but the arguments and the parameters
    that it uses: less memory for more time. Random numbers are the same both times.

    Args:
        use_reentrant, preserve_rng_state: accepted for PyTorch's sake; there is one way, which keeps the numbers.

    >>> from lazygrad.utils.checkpoint import checkpoint
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> checkpoint(lambda x: (x * x).exp(), x, use_reentrant=False).sum().backward()
    >>> [round(g, 3) for g in x.grad.tolist()]
    [5.437, 218.393]
    """
    result = function(*args, **kwargs)
    outputs = [y for y in tensors_in(result) if y.requires_grad and y.dtype.is_float]
    if not mode.enabled or not outputs:
        return result
    leaves = {n: t for t in list(live) if t.requires_grad and t._leaf for n in t._nodes()}
    given = {t.node for t in tensors_in([*args, kwargs]) if t.dtype.is_float}
    values = [y.node for y in outputs]
    inputs = [n for n in topological(values, stop=lambda n: n in given or n in leaves) if n in given or n in leaves]
    if not inputs:
        fail(GradientError, "checkpoint: the result requires a gradient, but not by an argument or a parameter")
    function_of_inputs = _Again(values)
    made = {id(y): call(y.node, inputs, function_of_inputs, i) for i, y in enumerate(outputs)}
    return map_tensors(lambda y: make(type(y), made[id(y)], y.device, True) if id(y) in made else y, result)
