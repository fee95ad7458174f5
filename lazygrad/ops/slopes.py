"""Functions whose derivatives are known: they take the place of those of the polynomials that compute them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from lazygrad.ir.build import filled_like, mul
from lazygrad.ir.call import UserFunction
from lazygrad.ir.node import Node, call
from lazygrad.ops.core import Core, make
from lazygrad.ops.mode import enable_grad
from lazygrad.ops.wrapping import standing_for

P = ParamSpec("P")
T = TypeVar("T", bound=Core)
Formula = Callable[..., Any]  # the operands as tensors, then what was given beside them -> a derivative


class _Slopes(UserFunction):
    """One function with certain arguments beside its operands. The formulas compute with tensors of class `kind`."""

    def __init__(
        self, name: str, kind: type[Core], constants: tuple[Any, ...], formulas: tuple[Formula | None, ...]
    ) -> None:
        self.name, self._kind, self._constants, self._formulas = name, kind, constants, formulas

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """The gradient times each derivative; zero by an operand that has no formula."""
        with enable_grad():  # what formulas detach is detached, whoever asks
            device = next((x.device for x in inputs if x.device), "")  # constants are everywhere
            operands = [make(self._kind, x, device, True) for x in inputs]
            slopes = [f and f(*operands, *self._constants).node for f in self._formulas]
        return [filled_like(x, 0) if s is None else mul(by_outputs[0], s) for x, s in zip(inputs, slopes)]


def slopes(
    *formulas: Formula | None,
) -> Callable[[Callable[Concatenate[T, P], T]], Callable[Concatenate[T, P], T]]:
    """Give an elementwise method the derivatives `formulas`, one for each operand of one dtype and shape (None: it has
    none, and its gradient is zero).

    A formula gets the operands and then the other positional arguments. It is differentiated itself for higher orders.

    >>> class Cubes(Tensor):
    ...     @slopes(lambda x: x * x * 3)
    ...     def cube(self):
    ...         return self * self * self
    >>> x = Cubes([2.0], requires_grad=True)
    >>> x.cube().backward()
    >>> x.grad.tolist()
    [12.0]
    """

    def known(method: Callable[Concatenate[T, P], T]) -> Callable[Concatenate[T, P], T]:
        rules: dict[tuple[Any, ...], _Slopes] = {}

        @standing_for(method)
        def recorded(self: T, *args: P.args, **kwargs: P.kwargs) -> T:
            value = method(self, *args, **kwargs)
            others = tuple(x for x in args if isinstance(x, Core))
            if not self._requires and not any(x._requires for x in others):
                return value
            constants = tuple(x for x in args if not isinstance(x, Core))
            key = (type(self), *constants)
            rule = rules.get(key)
            if rule is None:
                rule = rules[key] = _Slopes(method.__name__, type(self), constants, formulas)
            inputs = (self._in(), *(x._in() for x in others))
            return self._out(call(value.node, inputs, rule, 0), *others)

        return recorded  # type: ignore[return-value]

    return known
