"""Derivatives of functions of several tensors: products with vectors, and whole matrices.

A product of the Jacobian with a vector is the gradient of the gradient: what a vector-Jacobian product makes of its
vector is linear, and the gradient of that by the vector is its transpose. Whole matrices are such products for a batch
of unit vectors, made without a loop: see `ir/batching.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce, wraps
from typing import Any, NamedTuple

from lazygrad.errors import ArgumentError, GradientError, ShapeError
from lazygrad.ir.batching import batched, example
from lazygrad.ir.build import add
from lazygrad.ir.node import Node, cast, const, reshape
from lazygrad.ir.reverse import gradient
from lazygrad.ops.core import Core, fail, make
from lazygrad.ops.functional import _result, _variable, map_tensors, tensors_in
from lazygrad.ops.mode import enable_grad, mode
from lazygrad.ops.pulling import pulled


class _Call(NamedTuple):
    """One call of a function: what is differentiated, what came out, and whether gradients are recorded outside."""

    variables: list[Core]
    result: Any
    aux: Any
    recorded: bool

    @property
    def outputs(self) -> list[Core]:
        """The tensors of the result."""
        return list(tensors_in(self.result))


def _called(what: str, func: Callable[..., Any], args: Sequence[Any], by: Sequence[int], has_aux: bool) -> _Call:
    """Call `func`, its arguments `by` being the variables."""
    if any(not -len(args) <= i < len(args) for i in by):
        fail(ArgumentError, f"{what}: argnums {list(by)} are not among {len(args)} positional arguments")
    variables: list[Core] = []
    recorded = mode.enabled and any(t.requires_grad for i in by for t in tensors_in(args[i]))
    given = list(args)
    for i in by:
        given[i] = map_tensors(lambda t: _variable(t, variables), args[i])
    with enable_grad():
        made = func(*given)
    result, aux = made if has_aux else (made, None)
    outputs = list(tensors_in(result))
    if not outputs:
        fail(GradientError, f"{what}: the function returned no tensor")
    for y in outputs:
        if not y.dtype.is_float:
            fail(GradientError, f"{what}: the function returned {y.dtype}{list(y.shape)}; only floats have gradients")
    return _Call(variables, result, aux, recorded)


def _as_cotangents(what: str, outputs: Sequence[Core], given: Any) -> list[Node]:
    """One node for each output, of its shape and dtype."""
    tensors = list(tensors_in(given))
    if len(tensors) != len(outputs):
        fail(ArgumentError, f"{what}: {len(tensors)} tensors are given for {len(outputs)}")
    for t, y in zip(tensors, outputs):
        if t.shape != y.shape:
            fail(ShapeError, f"{what}: a tensor of shape {list(t.shape)} is given for one of {list(y.shape)}")
    return [cast(t._in(), y.dtype) for t, y in zip(tensors, outputs)]


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """(the result of `func`, a function of what multiplies it from the left): that gives the products with the
    derivatives by the `primals`, in a tuple where there are several. With `has_aux`, also what `func` returns second.

    >>> from lazygrad import Tensor
    >>> y, back = vjp(lambda x: x * x, Tensor([1.0, 3.0]))
    >>> y.tolist(), back(Tensor([1.0, 10.0]))[0].tolist()
    ([1.0, 9.0], [2.0, 60.0])
    """
    call = _called("vjp", func, primals, range(len(primals)), has_aux)

    def back(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> tuple[Any, ...]:
        given = _as_cotangents("vjp", call.outputs, cotangents)
        recorded = call.recorded or (mode.enabled and any(t.requires_grad for t in tensors_in(cotangents)))
        found = iter(zip(call.variables, pulled(call.outputs, given, call.variables)))
        return tuple(map_tensors(lambda t: _result(*next(found), recorded), p, True) for p in primals)

    value = map_tensors(lambda t: _result(t, t.node, call.recorded), call.result)
    return (value, back, call.aux) if has_aux else (value, back)


def jvp(
    func: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """(the result of `func`, its derivative in the direction of `tangents`, which are as the `primals`).

    >>> from lazygrad import Tensor
    >>> jvp(lambda x: x * x, (Tensor([1.0, 3.0]),), (Tensor([1.0, 10.0]),))
    (tensor([1., 9.]), tensor([ 2., 60.]))
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        fail(ArgumentError, "jvp: primals and tangents are tuples, with one tensor for each argument")
    call = _called("jvp", func, primals, range(len(primals)), has_aux)
    directions = _as_cotangents("jvp", call.variables, tangents)
    recorded = call.recorded or (mode.enabled and any(t.requires_grad for t in tensors_in(tangents)))
    pushed = iter(_pushed(call, directions))
    value = map_tensors(lambda t: _result(t, t.node, recorded), call.result)
    slope = map_tensors(lambda t: _result(t, next(pushed), recorded), call.result)
    return (value, slope, call.aux) if has_aux else (value, slope)


def _pushed(call: _Call, directions: Sequence[Node]) -> list[Node | None]:
    """The derivative of each output in a direction of the variables: the gradient, by what multiplies the output, of
    the gradient by the variables times the direction."""
    made: list[Node | None] = []
    for y in call.outputs:
        factor = example(y.node, y.shape, y.device, "jvp")
        parts = []
        for by_variable, direction in zip(pulled([y], [factor], call.variables), directions):
            if by_variable is not None:
                (found,) = gradient(by_variable, direction, [factor])
                parts += [] if found is None else [found]
        made.append(reduce(add, parts) if parts else None)
    return made


def _argnums(argnums: int | Sequence[int]) -> tuple[tuple[int, ...], bool]:
    return ((argnums,), True) if isinstance(argnums, int) else (tuple(argnums), False)


def _units(count: int, shape: Any, like: Core) -> Node:
    """The unit vectors of a shape, as a batch."""
    eye: Any = type(like).eye(count, dtype=like.dtype, device=like.device)  # type: ignore[attr-defined]
    return reshape(eye.node, (count, *shape))


def _counted(what: str, t: Core) -> int:
    count = t.numel()  # type: ignore[attr-defined]
    if not isinstance(count, int):
        fail(ShapeError, f"{what}: shape {list(t.shape)} has no fixed number of elements")
    return count


def jacrev(
    func: Callable[..., Any], argnums: int | Sequence[int] = 0, *, has_aux: bool = False, chunk_size: int | None = None
) -> Callable[..., Any]:
    """A function that gives the derivatives of `func` by its arguments `argnums`: a tensor with the dimensions of the
    result and then those of the argument, nested as the result and then as the arguments are. A row for each element of
    the result, all at once: for results that are smaller than the arguments.

    >>> from lazygrad import Tensor
    >>> jacrev(lambda x: x * x)(Tensor([1.0, 3.0])).tolist()
    [[2.0, 0.0], [0.0, 6.0]]
    """
    return _jacobian("jacrev", _rows, func, argnums, has_aux)


def jacfwd(
    func: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """`jacrev`, a column for each element of the arguments: for arguments that are smaller than the result.

    >>> from lazygrad import Tensor
    >>> jacfwd(lambda x: x * x)(Tensor([1.0, 3.0])).tolist()
    [[2.0, 0.0], [0.0, 6.0]]
    """
    return _jacobian("jacfwd", _columns, func, argnums, has_aux)


def hessian(func: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that gives the second derivatives of `func`, which returns a scalar.

    >>> from lazygrad import Tensor
    >>> hessian(lambda x: x[0] * x[1] ** 2)(Tensor([2.0, 3.0])).tolist()
    [[0.0, 6.0], [6.0, 4.0]]
    """
    return jacfwd(jacrev(func, argnums), argnums)


def _jacobian(
    what: str,
    blocks: Callable[[str, _Call], dict[tuple[int, int], Node | None]],
    func: Callable[..., Any],
    argnums: int | Sequence[int],
    has_aux: bool,
) -> Callable[..., Any]:
    numbers, single = _argnums(argnums)

    @wraps(func)
    def derivatives(*args: Any) -> Any:
        call = _called(what, func, args, numbers, has_aux)
        made, place = blocks(what, call), {id(y): i for i, y in enumerate(call.outputs)}

        def of_output(y: Core) -> Any:
            columns = iter(range(len(call.variables)))
            parts = tuple(
                map_tensors(lambda t: _block(call, place[id(y)], next(columns), made), args[i], True) for i in numbers
            )
            return parts[0] if single else parts

        result = map_tensors(of_output, call.result, True)
        return (result, call.aux) if has_aux else result

    return derivatives


def _block(call: _Call, i: int, j: int, made: dict[tuple[int, int], Node | None]) -> Core:
    y, x = call.outputs[i], call.variables[j]
    value, shape = made[i, j], (*y.shape, *x.shape)
    whole = const(0, x.dtype, shape) if value is None else value
    return _result(make(type(y), whole, y.device), whole, call.recorded)


def _rows(what: str, call: _Call) -> dict[tuple[int, int], Node | None]:
    made: dict[tuple[int, int], Node | None] = {}
    for i, y in enumerate(call.outputs):
        count = _counted(what, y)
        factor = example(y.node, y.shape, y.device, what)
        for j, g in enumerate(pulled([y], [factor], call.variables)):
            if g is not None:
                (g,) = batched([g], {factor: _units(count, y.shape, y)}, count)
                g = reshape(g, (*y.shape, *call.variables[j].shape))
            made[i, j] = g
    return made


def _columns(what: str, call: _Call) -> dict[tuple[int, int], Node | None]:
    made: dict[tuple[int, int], Node | None] = {}
    for j, x in enumerate(call.variables):
        count = _counted(what, x)
        direction = example(x.node, x.shape, x.device, what)
        pushed = _pushed(_Call([x], call.result, None, False), [direction])
        for i, (y, g) in enumerate(zip(call.outputs, pushed)):
            if g is not None:
                (g,) = batched([g], {direction: _units(count, x.shape, x)}, count)
                flat: Any = make(type(y), reshape(g, (count, *y.shape)), y.device)
                g = reshape(flat.movedim(0, -1).node, (*y.shape, *x.shape))
            made[i, j] = g
    return made
