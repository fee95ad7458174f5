"""Derivatives of a function at given inputs: PyTorch's `autograd.functional`, by the transformations of `derivatives`.

`inputs` are one tensor or a tuple of them, which the function gets as its arguments; what is given back for inputs is a
tensor or a tuple as they are, and likewise for outputs. Results require gradients with `create_graph` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lazygrad.errors import ArgumentError, GradientError
from lazygrad.ir.node import const
from lazygrad.ops import derivatives
from lazygrad.ops.core import Core, fail
from lazygrad.ops.functional import grad, map_tensors, tensors_in
from lazygrad.ops.pulling import pulled

Several = Any  # a tensor, or a tuple of tensors


def jacobian(
    func: Callable[..., Any],
    inputs: Several,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The derivatives of every output by every input: of shape output + input, nested as outputs and then as inputs.

    Args:
        strict: GradientError for an output that does not depend on an input; else the derivatives are zeros.
        vectorize: accepted: there is never a loop.
        strategy: "reverse-mode", for fewer outputs than inputs, or "forward-mode".

    >>> from lazygrad import Tensor
    >>> jacobian(lambda x, y: x * y, (Tensor([1.0, 2.0]), Tensor(3.0)))
    (tensor([[3., 0.],
            [0., 3.]]), tensor([1., 2.]))
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        fail(ArgumentError, f"jacobian: strategy is 'reverse-mode' or 'forward-mode', not {strategy!r}")
    args = _arguments("jacobian", func, inputs, strict)
    made = derivatives.jacrev if strategy == "reverse-mode" else derivatives.jacfwd
    return _given(made(func, _numbers(inputs))(*args), create_graph)


def hessian(
    func: Callable[..., Any],
    inputs: Several,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of `func`, which returns one number: of shape input + input; see `jacobian`.

    >>> from lazygrad import Tensor
    >>> hessian(lambda x: x[0] * x[1] ** 2, Tensor([2.0, 3.0])).tolist()
    [[0.0, 6.0], [6.0, 4.0]]
    """
    args = _arguments("hessian", func, inputs, strict)
    outer = derivatives.jacrev if outer_jacobian_strategy == "reverse-mode" else derivatives.jacfwd
    inner = derivatives.jacrev(_one_number("hessian", func), _numbers(inputs))
    return _given(outer(inner, _numbers(inputs))(*args), create_graph)


def vjp(
    func: Callable[..., Any], inputs: Several, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(outputs, `v` times the Jacobian); `v` is as the outputs, and may be left out where they are one number.

    >>> from lazygrad import Tensor
    >>> vjp(lambda x: x * x, Tensor([1.0, 3.0]), Tensor([1.0, 10.0]))
    (tensor([1., 9.]), tensor([ 2., 60.]))
    """
    outputs, back = derivatives.vjp(func, *_arguments("vjp", func, inputs, strict))
    found = back(_direction("vjp", v, outputs))
    return _given(outputs, create_graph), _given(_as(inputs, found), create_graph)


def jvp(
    func: Callable[..., Any], inputs: Several, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(outputs, the Jacobian times `v`); `v` is as the inputs, and may be left out where they are one number.

    >>> from lazygrad import Tensor
    >>> jvp(lambda x: x * x, Tensor([1.0, 3.0]), Tensor([1.0, 10.0]))
    (tensor([1., 9.]), tensor([ 2., 60.]))
    """
    args = _arguments("jvp", func, inputs, strict)
    outputs, found = derivatives.jvp(func, args, _tuple(_direction("jvp", v, inputs)))
    return _given(outputs, create_graph), _given(found, create_graph)


def vhp(
    func: Callable[..., Any], inputs: Several, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(output, `v` times the Hessian), of a function that returns one number; `v` is as the inputs.

    >>> from lazygrad import Tensor
    >>> vhp(lambda x: (x**3).sum(), Tensor([1.0, 2.0]), Tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    args = _arguments("vhp", func, inputs, strict)
    _, back, output = derivatives.vjp(_slopes_and_value("vhp", func, len(args)), *args, has_aux=True)
    found = back(_tuple(_direction("vhp", v, inputs)))
    return _given(output, create_graph), _given(_as(inputs, found), create_graph)


def hvp(
    func: Callable[..., Any], inputs: Several, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(output, the Hessian times `v`), of a function that returns one number; `v` is as the inputs.

    >>> from lazygrad import Tensor
    >>> hvp(lambda x: (x**3).sum(), Tensor([1.0, 2.0]), Tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    args = _arguments("hvp", func, inputs, strict)
    direction = _tuple(_direction("hvp", v, inputs))
    _, found, output = derivatives.jvp(_slopes_and_value("hvp", func, len(args)), args, direction, has_aux=True)
    return _given(output, create_graph), _given(_as(inputs, found), create_graph)


def _tuple(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, (tuple, list)) else (given,)


def _as(like: Any, given: tuple[Any, ...]) -> Any:
    return given if isinstance(like, (tuple, list)) else given[0]


def _numbers(inputs: Several) -> int | tuple[int, ...]:
    return tuple(range(len(inputs))) if isinstance(inputs, (tuple, list)) else 0


def _given(results: Any, create_graph: bool) -> Any:
    return results if create_graph else map_tensors(lambda t: t.detach(), results)


def _arguments(what: str, func: Callable[..., Any], inputs: Several, strict: bool) -> tuple[Any, ...]:
    """The inputs as arguments; with `strict`, every output depends on all of them."""
    args = _tuple(inputs)
    if not args or not all(isinstance(x, Core) for x in args):
        fail(GradientError, f"{what}: the inputs are a tensor, or a tuple of tensors")
    if strict:
        call = derivatives._called(what, func, args, range(len(args)), False)
        for i, y in enumerate(call.outputs):
            for j, g in enumerate(pulled([y], [const(1, y.dtype, y.shape)], call.variables)):
                if g is None:
                    fail(GradientError, f"{what}: output {i} does not depend on input {j}; with strict it has to")
    return args


def _direction(what: str, v: Any, like: Any) -> Any:
    """`v`, or 1 where `like` is one number."""
    if v is not None:
        return v
    (only, *others) = tensors_in(like)
    if others or any(n != 1 for n in only.shape):
        fail(GradientError, f"{what}: v is needed, of the shape {list(only.shape)}")
    return map_tensors(lambda t: t._new(const(1, t.dtype, t.shape)), like)


def _one_number(what: str, func: Callable[..., Any]) -> Callable[..., Any]:
    """`func`, whose result has no dimensions."""

    def scalar(*args: Any) -> Any:
        result = func(*args)
        (y,) = _tuple(result) if isinstance(result, (tuple, list)) and len(result) == 1 else (result,)
        if not isinstance(y, Core) or any(n != 1 for n in y.shape):
            fail(GradientError, f"{what}: the function has to return a tensor of one element")
        return y.reshape(())  # type: ignore[attr-defined]

    return scalar


def _slopes_and_value(what: str, func: Callable[..., Any], count: int) -> Callable[..., Any]:
    """The gradients of a function of `count` tensors, and beside them its value."""

    def slopes(*args: Any) -> tuple[Any, Any]:
        seen: list[Any] = []  # of the shape that it is returned in

        def watched(*args: Any) -> Any:
            seen.append(func(*args))
            return seen[0]

        return grad(_one_number(what, watched), tuple(range(count)))(*args), seen[0]

    return slopes
