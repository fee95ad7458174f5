"""Gradients of tensors that were computed, by tensors that they were computed from: returned, not gathered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lazygrad.errors import GradientError
from lazygrad.ir.node import const, detach
from lazygrad.ops import hooks
from lazygrad.ops.core import Core, fail, make
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.pulling import pulled


def _tuple(given: Any) -> tuple[Any, ...]:
    return (given,) if isinstance(given, Core) or given is None else tuple(given)


def grad(
    outputs: Core | Sequence[Core],
    inputs: Core | Sequence[Core],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of `outputs` by each of `inputs`, which may be leaves or computed tensors. No `.grad` changes.

    Args:
        grad_outputs: the gradient by each output, of its shape; None for 1 of an output with one element.
        retain_graph: accepted for PyTorch's sake; graphs are values and are never freed early.
        create_graph: let the gradients be differentiated in their turn.
        only_inputs: accepted for PyTorch's sake, where it does nothing either.
        allow_unused: give None for an input that the outputs do not depend on; else that is a GradientError.
        is_grads_batched: `grad_outputs` have one dimension more, the first: one gradient for each of its places.
        materialize_grads: give zeros instead of None.

    >>> from lazygrad import autograd
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> autograd.grad((x**3).sum(), x)
    (tensor([ 3., 12.]),)
    """
    roots, targets, given = _tuple(outputs), _tuple(inputs), _tuple(grad_outputs)
    if is_grads_batched:
        return _of_batch(roots, targets, given, bool(allow_unused), create_graph)
    given = given if grad_outputs is not None else (None,) * len(roots)
    if len(given) != len(roots):
        fail(GradientError, f"grad: {len(given)} gradients are given for {len(roots)} outputs")
    for t in (*roots, *targets):
        if not isinstance(t, Core):
            not_a_tensor("grad", t)
        if not t.requires_grad:
            fail(GradientError, "grad: one of the tensors does not require a gradient")
    starts = [y._start_of_gradient(g) for y, g in zip(roots, given)]
    results: list[Any] = []
    for x, value in zip(targets, pulled(roots, starts, targets, hooks.changes())):
        if value is not None:
            results.append(make(type(x), value if create_graph else detach(value), x.device, create_graph))
        elif materialize_grads:
            results.append(make(type(x), const(0, x.dtype, x.shape), x.device))
        elif allow_unused:
            results.append(None)
        else:
            fail(
                GradientError,
                "grad: the outputs do not depend on one of the inputs; allow_unused=True gives None for it",
            )
    return tuple(results)


def _of_batch(
    roots: tuple[Core, ...], targets: tuple[Core, ...], given: tuple[Core, ...], unused: bool, create: bool
) -> tuple[Any, ...]:
    from lazygrad.ops.vmap import vmap

    return vmap(lambda *gs: grad(roots, targets, gs, None, create, unused, materialize_grads=True))(*given)  # type: ignore[no-any-return]


def backward(
    tensors: Core | Sequence[Core],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """`backward` of several tensors: the sum of their gradients is added to the leaves' `.grad`.

    >>> from lazygrad import autograd
    >>> x = Tensor([1.0], requires_grad=True)
    >>> autograd.backward([(x * x).sum(), (3 * x).sum()])
    >>> x.grad.tolist()
    [5.0]
    """
    roots = _tuple(tensors)
    given = (None,) * len(roots) if grad_tensors is None else _tuple(grad_tensors)
    if len(given) != len(roots):
        fail(GradientError, f"backward: {len(given)} gradients are given for {len(roots)} tensors")
    for y, g in zip(roots, given):
        y.backward(g, retain_graph, create_graph)
