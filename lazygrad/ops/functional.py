"""Gradients of functions: `grad` and `value_and_grad`, over tensors or nested dicts, lists and tuples of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any

from lazygrad.errors import ArgumentError, GradientError
from lazygrad.ir.build import add
from lazygrad.ir.node import Node, const, contiguous, detach, new_uid
from lazygrad.ir.reverse import gradient
from lazygrad.ops.core import Core, fail, make
from lazygrad.ops.mode import enable_grad, mode
from lazygrad.ops.signatures import checked


@checked
def value_and_grad(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]:
    """A function that gives (value, gradients by its arguments `argnums`).

    Args:
        function: returns a scalar tensor; with `has_aux` a pair of it and anything else, which joins the value.
        argnums: which positional arguments; one number gives one gradient, several a tuple. An argument may be a
            nested dict, list or tuple of tensors: its gradient has the same structure, with None for what is no tensor.

    GradientError for integer tensors among those arguments, and for a value that is no floating scalar. May be nested.

    >>> from lazygrad import Tensor
    >>> value_and_grad(lambda x: (x * x).sum())(Tensor([1.0, 3.0]))
    (tensor(10.), tensor([2., 6.]))
    """
    single = isinstance(argnums, int)
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @wraps(function)
    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        if any(not -len(args) <= i < len(args) for i in numbers):
            fail(ArgumentError, f"grad: argnums {list(numbers)} are not among {len(args)} positional arguments")
        variables: list[Core] = []
        recorded = mode.enabled and any(t.requires_grad for i in numbers for t in tensors_in(args[i]))
        given = list(args)
        for i in numbers:
            given[i] = map_tensors(lambda t: _variable(t, variables), args[i])
        with enable_grad():
            result = function(*given, **kwargs)
        value, aux = result if has_aux else (result, None)
        _check_scalar(value)
        slopes = iter(_slopes(value, variables))
        gradients = [map_tensors(lambda t: _result(t, next(slopes), recorded), given[i], True) for i in numbers]
        final = _result(value, value.node, recorded)
        return ((final, aux) if has_aux else final), (gradients[0] if single else tuple(gradients))

    return both


@checked
def grad(function: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives the gradients of `function` alone (with `has_aux`: and the other part of its result).

    >>> from lazygrad import Tensor
    >>> cube = lambda x: (x ** 3).sum()
    >>> second = grad(lambda x: grad(cube)(x).sum())
    >>> second(Tensor([1.0, 2.0])).tolist()
    [6.0, 12.0]
    """
    both = value_and_grad(function, argnums, has_aux)

    @wraps(function)
    def gradients_only(*args: Any, **kwargs: Any) -> Any:
        value, gradients = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradients_only


def tensors_in(tree: Any) -> Iterator[Core]:
    """Every tensor in nested dicts, lists and tuples, in order."""
    if isinstance(tree, Core):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from tensors_in(value)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from tensors_in(value)


def map_tensors(change: Callable[[Any], Any], tree: Any, others_as_none: bool = False) -> Any:
    """The same structure with every tensor changed; anything else stays, or becomes None."""
    if isinstance(tree, Core):
        return change(tree)
    if isinstance(tree, dict):
        return {key: map_tensors(change, value, others_as_none) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        items = [map_tensors(change, value, others_as_none) for value in tree]
        if isinstance(tree, list):
            return items
        return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    return None if others_as_none else tree


def _variable(t: Core, variables: list[Core]) -> Core:
    """The value of `t` with an identity of its own, so that only this use of it is differentiated."""
    if not t.dtype.is_float:
        fail(GradientError, f"grad: an argument holds a tensor of {t.dtype}; only floating tensors have gradients")
    variables.append(make(type(t), contiguous(t._in(), new_uid()), t.device, True, leaf=True))
    return variables[-1]


def _slopes(value: Core, variables: Sequence[Core]) -> list[Node | None]:
    """The gradient of `value` by each variable, at every node that it had: it may have been realized or changed."""
    nodes = [v._nodes() for v in variables]
    found = iter(gradient(value.node, const(1, value.dtype, value.shape), [n for own in nodes for n in own]))
    slopes: list[Node | None] = []
    for own in nodes:
        parts = [g for g in (next(found) for _ in own) if g is not None]
        slopes.append(functools.reduce(add, parts) if parts else None)
    return slopes


def _result(like: Core, value: Node | None, recorded: bool) -> Core:
    """A result; the gradient by what the value does not depend on is zero."""
    if value is None:
        return make(type(like), const(0, like.dtype, like.shape), like.device)
    return make(type(like), value if recorded else detach(value), like.device, recorded)


def _check_scalar(value: Any) -> None:
    if not isinstance(value, Core):
        fail(GradientError, f"grad: the function returned {type(value).__name__}, not a tensor; see has_aux")
    if not value.dtype.is_float or any(n != 1 for n in value.shape):
        fail(GradientError, f"grad: the function returned {value.dtype}{list(value.shape)}, not a floating scalar")
