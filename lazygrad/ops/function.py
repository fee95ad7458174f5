"""`Function`: operations with a gradient of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from lazygrad.errors import DeviceError, DTypeError, GradientError, LazygradError, ShapeError
from lazygrad.ir.call import UserFunction
from lazygrad.ir.node import Node, call, cast, const, detach
from lazygrad.ir.signature import Shape
from lazygrad.ops.core import Core, fail, make
from lazygrad.ops.mode import enable_grad, mode, no_grad
from lazygrad.ops.tree import flatten, unflatten


class Context:
    """What `forward` leaves for `backward`: saved tensors, and any attributes.

    Attributes:
        needs_input_grad: for each positional argument of `apply`, whether a gradient by it may be asked for.
    """

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.saved_tensors: tuple[Any, ...] = ()
        self._constant: list[Any] = []
        self._materialize = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for `backward`, where they are `saved_tensors`: inputs, outputs, or others."""
        if not all(t is None or isinstance(t, Core) for t in tensors):
            raise TypeError("save_for_backward: takes tensors; keep other values as attributes of the context")
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say which outputs have no gradient; integers and bools never have one."""
        self._constant.extend(tensors)

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros (as it does unless told) or None for outputs that nothing depends on."""
        self._materialize = value


class Function:
    """An operation with a gradient of its own: subclass it, and use the class's `apply`.

    `forward(ctx, *args, **kwargs)` computes one tensor or a tuple of them, and nothing in it is recorded.
    `backward(ctx, *grads)` gets the gradient by each output and returns one for each positional argument of `apply`:
    a tensor of the argument's shape (or one that broadcasting made larger, which is summed), or None. Both are static
    methods. A gradient made of tensor operations can be differentiated again. `setup_context(ctx, inputs, output)` may
    take the context's part of `forward`, which then is `forward(*args, **kwargs)`.

    Tensors inside lists or dicts and among keyword arguments are constants to it: GradientError for a keyword that
    requires a gradient. Errors about what `backward` returns name the class.

    >>> class Power(Function):
    ...     @staticmethod
    ...     def forward(ctx, x, exponent):
    ...         ctx.save_for_backward(x)
    ...         ctx.exponent = exponent
    ...         return x**exponent
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return grad * ctx.exponent * x ** (ctx.exponent - 1), None
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> Power.apply(x, 3).sum().backward()
    >>> x.grad.tolist()
    [3.0, 12.0]
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The outputs, from a context and the arguments of `apply`."""
        raise NotImplementedError("a Function needs a static method forward(ctx, *args)")

    @staticmethod
    def backward(*args: Any) -> Any:
        """The gradients by the arguments of `apply`, from a context and the gradients by the outputs."""
        raise NotImplementedError("a Function needs a static method backward(ctx, *grads) to be differentiated")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """`forward` of these arguments: a tensor or a tuple, differentiated by `backward`."""
        name = cls.__qualname__
        needs = tuple(isinstance(x, Core) and x.requires_grad and mode.enabled for x in args)
        given = tuple(x.node if isinstance(x, Core) else None for x in args)
        if mode.enabled and any(t.requires_grad for t in _tensors(kwargs)):
            fail(GradientError, f"{name}.apply: a keyword argument requires a gradient; pass it by position")
        context = Context(needs)
        setup = getattr(cls, "setup_context", None)
        with no_grad():
            result = cls.forward(*args, **kwargs) if setup else cls.forward(context, *args, **kwargs)
            if setup:
                setup(context, args, result)
        outputs = result if isinstance(result, tuple) else (result,)
        if not any(isinstance(y, Core) for y in outputs):
            raise TypeError(f"{name}.forward: returned {type(result).__name__}; a tensor or a tuple of them is needed")
        if not any(needs):
            made = tuple(y.detach() if isinstance(y, Core) else y for y in outputs)
        else:
            made = _Application(cls, context, args, given, outputs).results()
        return made if isinstance(result, tuple) else made[0]


@dataclass(frozen=True)
class _Kept:
    """A tensor that a context holds: its value when `forward` ended, and which output it is (-1: none)."""

    kind: type[Core]
    node: Node
    device: str
    requires_grad: bool
    output: int


@dataclass(frozen=True)
class _Input:
    """A positional argument with a gradient; `number` among the arguments."""

    number: int
    kind: type[Core]
    node: Node
    device: str


class _Application(UserFunction):
    """What the graph keeps of one `apply`. It holds the outputs' values, not the nodes that hold it in their turn."""

    def __init__(
        self,
        function: type[Function],
        context: Context,
        args: Sequence[Any],
        given: Sequence[Node | None],
        outputs: Sequence[Any],
    ) -> None:
        self.function, self.name = function, function.__qualname__
        self.arguments = len(args)
        self.inputs = [
            _Input(i, type(x), n, x.device)
            for i, (x, n, needed) in enumerate(zip(args, given, context.needs_input_grad))
            if needed and n is not None
        ]
        constant = {id(t) for t in context._constant}
        self.materialize = context._materialize
        self.outputs = [self._keep(y, ()) if isinstance(y, Core) else y for y in outputs]
        self.differentiable = [isinstance(y, Core) and y.dtype.is_float and id(y) not in constant for y in outputs]
        inputs = {id(x) for x in args}
        leaves, self.structure = flatten({k: v for k, v in vars(context).items() if k != "_constant"})
        known = [None if id(y) in inputs else y for y in outputs]
        self.kept = [self._keep(x, known) if isinstance(x, Core) else x for x in leaves]

    @staticmethod
    def _keep(t: Core, outputs: Sequence[Any]) -> _Kept:
        output = next((k for k, y in enumerate(outputs) if y is t), -1)
        return _Kept(type(t), t.node, t.device, t.requires_grad, output)

    def results(self) -> tuple[Any, ...]:
        """The outputs of `apply`."""
        nodes = [x.node for x in self.inputs]
        return tuple(self._result(k, nodes) for k in range(len(self.outputs)))

    def _result(self, k: int, inputs: Sequence[Node]) -> Any:
        y = self.outputs[k]
        if not isinstance(y, _Kept):
            return y
        if not self.differentiable[k]:
            return make(y.kind, detach(y.node), y.device)
        return make(y.kind, call(y.node, inputs, self, k), y.device, True)

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """See `UserFunction`."""
        context = Context(())
        vars(context).update(self._context(inputs))
        grads = [self._gradient_by(k, by_outputs.get(k)) for k in range(len(self.outputs))]
        with enable_grad():
            result = self.function.backward(context, *grads)
        given = list(result) if isinstance(result, (tuple, list)) else [result]
        while len(given) > self.arguments and given[-1] is None:
            given.pop()
        if len(given) != self.arguments:
            given_and_needed = f"{len(given)} gradients for {self.arguments} arguments"
            self._fail(GradientError, f"returned {given_and_needed}; give None for those without one")
        return [self._checked(x, n.shape, given[x.number]) for x, n in zip(self.inputs, inputs)]

    def _context(self, inputs: Sequence[Node]) -> Any:
        results = [self._result(k, inputs) for k in range(len(self.outputs))]
        leaves = [
            x if not isinstance(x, _Kept)
            else results[x.output] if x.output >= 0
            else make(x.kind, x.node, x.device, x.requires_grad)
            for x in self.kept
        ]  # fmt: skip
        return unflatten(self.structure, leaves)

    def _gradient_by(self, k: int, g: Node | None) -> Any:
        y = self.outputs[k]
        if not isinstance(y, _Kept) or (g is None and not self.materialize):
            return None
        if g is None:
            return make(y.kind, const(0, y.node.dtype, y.node.shape), y.device)
        return make(y.kind, g, y.device, True)  # what other Functions make of it is differentiated again, too

    def _checked(self, x: _Input, shape: Shape, g: Any) -> Node | None:
        """The gradient by an input as the graph wants it."""
        where = f"as the gradient by argument {x.number}"
        if g is None:
            return None
        if not isinstance(g, Core):
            self._fail(TypeError, f"returned {type(g).__name__} {where}; a tensor or None is needed")
        if not g.dtype.is_float:
            self._fail(DTypeError, f"returned {g.dtype} {where}, which is {x.node.dtype}")
        if g.device != x.device:
            self._fail(DeviceError, f"returned a tensor on {g.device} {where}, which is on {x.device}")
        extra = g.ndim - len(shape)
        repeated = [i for i, n in enumerate(g.shape) if i < extra or (shape[i - extra] == 1 and n != 1)]
        if extra < 0 or any(i not in repeated and n != shape[i - extra] for i, n in enumerate(g.shape)):
            self._fail(ShapeError, f"returned shape {list(g.shape)} {where}, which has shape {list(shape)}")
        summed = g.sum(repeated).reshape(shape) if repeated else g  # type: ignore[attr-defined]
        return cast(summed.node, x.node.dtype)

    def _fail(self, kind: type[LazygradError] | type[TypeError], problem: str) -> NoReturn:
        if issubclass(kind, LazygradError):
            fail(kind, f"{self.name}.backward: {problem}")
        raise kind(f"{self.name}.backward: {problem}")


def _tensors(value: Any) -> list[Core]:
    return [x for x in flatten(value)[0] if isinstance(x, Core)]
