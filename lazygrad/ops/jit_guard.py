"""What makes two calls of a jitted function one kind: all besides the tensors' values that its graph may depend on.

The arguments give a key; what the function reads from outside, a `Guard` that is asked again at every call.
"""

from __future__ import annotations

import dataclasses
import random
import weakref
from collections.abc import Callable, Hashable, Sequence
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from lazygrad.dtype import DType
from lazygrad.errors import JitError, user_line
from lazygrad.index.expr import Expr
from lazygrad.index.variable import Variable, by_name
from lazygrad.ir.signature import Shape
from lazygrad.ir.variables import Names, Renamed, renamed_shape, unbound_names
from lazygrad.ops.core import Core, fail
from lazygrad.ops.jit_code import home_of_class
from lazygrad.ops.jit_facts import PLAIN, held, plain_key
from lazygrad.ops.jit_modules import Changes
from lazygrad.ops.jit_record import Reads
from lazygrad.ops.jit_result import containers_in
from lazygrad.ops.jit_walk import Walk
from lazygrad.ops.mode import in_force
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


def parts_of(x: Any) -> list[Any]:
    """What there is to be read in an argument, besides values that are part of the key."""
    if isinstance(x, Core):
        return [type(x)]
    if _is_frozen(x):
        return [type(x), *(y for f in dataclasses.fields(x) for y in parts_of(getattr(x, f.name)))]
    if isinstance(x, (tuple, frozenset)):
        return [y for part in x for y in parts_of(part)]
    return [x]


def _is_frozen(x: Any) -> bool:
    parameters = getattr(type(x), "__dataclass_params__", None)
    return parameters is not None and parameters.frozen and parameters.eq


class _Same:
    """An object as a key: equal to itself alone. It is not kept alive if it can be avoided."""

    __slots__ = ("number", "ref")

    def __init__(self, value: object) -> None:
        self.number, self.ref = id(value), held(value)

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and (value := self.ref()) is not None and value is other.ref()


def kind(leaves: Sequence[Any], structure: Hashable, names: Names) -> Hashable:
    """A key that is equal for calls whose arguments one trace can serve; they are flattened into `leaves`.

    `names` are the variables in them, which count without their values.
    """
    parts: list[Hashable] = [structure, *in_force(), settings.float32_matmul_precision, settings.device]
    first: dict[int, int] = {}
    for x in leaves:
        if isinstance(x, Core):
            place = first.setdefault(id(x), len(first))  # the same tensor twice is another kind than two tensors
            shape = renamed_shape(x.shape, names)
            parts.append((place, shape, x.dtype, x.device, x._requires, x._leaf, x.grad is not None))
        elif isinstance(x, Expr):
            parts.append((Expr, x.substitute(names)))
        else:
            parts.append(_static(x))
    return tuple(parts)


def _static(x: Any) -> Hashable:
    """A key for an argument that is no tensor: its value, if it cannot change; else which object it is."""
    if isinstance(x, PLAIN):
        return plain_key(x)  # type: ignore[no-any-return]
    if isinstance(x, DType):
        return type(x), x
    if isinstance(x, (type, FunctionType, ModuleType)):
        return _Same(x)
    if isinstance(x, MethodType):
        return type(x), _Same(x.__func__), _Same(x.__self__)
    if (inside := getattr(type(x), "jit_inside", None)) is not None and isinstance(inside(x), MethodType):
        return type(x), _static(inside(x))  # each time that it is asked for, it is another object
    if isinstance(x, (range, slice)):
        return type(x), tuple(_static(y) for y in (x.start, x.stop, x.step))
    if _is_frozen(x):
        return type(x), tuple(_static(getattr(x, f.name)) for f in dataclasses.fields(x))
    if isinstance(x, (tuple, frozenset)):
        return type(x), tuple(_static(y) for y in x)
    try:
        hash(x)
    except TypeError:
        if home_of_class(type(x)):
            fail(
                JitError,
                f"jit: argument {x!r:.60} is neither a tensor nor hashable; make it a Tensor, or hold it where the "
                "function finds it",
            )
    return _Same(x)


State = tuple[Callable[[], "Core | None"], Shape, DType, str, bool, bool, bool]


class Guard:
    """What a function read from outside, and how it was."""

    def __init__(self, reads: Reads, function: object, arguments: Sequence[object]) -> None:
        objects = [part for x in arguments for part in parts_of(x)]
        if reads.numbers:  # those of tensors are what they are at this call alone
            objects += [x for x in arguments if isinstance(x, Core)]
        walk = Walk(reads, function, objects)
        while any(reads.assume(f) for f in walk.remembering) or not walk.asked <= reads.wild:
            reads.wild |= walk.asked
            reads.users |= walk.asked
            walk = Walk(reads, function, objects)
        self.facts, self.counted, self.count = walk.facts, walk.counted, Changes.count
        self.methods = [*walk.methods]
        self.functions = [*map(id, walk.methods.values())]
        self._kept: list[Any] = [*walk.kept, *walk.methods.values()]
        self.tensors = {number: weakref.ref(t) for number, t in walk.tensors.items()}
        self.states = [_state(t) for t in walk.tensors.values()]
        self.iterators, self.containers = walk.iterators, frozenset(walk.containers)
        reads.known = {number: (None, names) for number, (_, names) in reads.known.items() if number in walk.seen}
        self.reads, self.seen = reads, frozenset(walk.seen)
        self.randomness = _randomness()

    def fits(self) -> bool:
        """Whether all that was read is as it was."""
        for ref, shape, dtype, device, requires, leaf, has_gradient in self.states:
            t = ref()
            if t is None or t._requires is not requires or t._leaf is not leaf or (t.grad is None) is has_gradient:
                return False
            node = t.node
            if node.dtype is not dtype or node.shape != shape or t.device != device:
                return False
        if [id(find(name, None)) for find, name in self.methods] != self.functions:
            return False
        for fact in self.facts:
            if fact.repeats and not fact.holds():
                return False
        if self.count != Changes.count:
            count = Changes.count
            if not all(fact.holds() for fact in self.counted):
                return False
            self.count = count
        return True

    def check_containers(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """JitError for lists and dicts among the arguments whose identity the function asks for.

        It is traced with others, since the next call comes with others.
        """
        if not self.reads.identity:
            return
        for c in containers_in((args, *kwargs.values())):
            if self.reads.numbers or id(c) in self.containers:
                raise JitError(
                    f"jit: the function compares objects (`is`, `id`, `hash`), and a {type(c).__name__} is an argument"
                    f"{'' if self.reads.numbers else ' that it also finds outside'}; pass what is in it ({user_line()})"
                )

    def is_over(self) -> bool:
        """Whether it will never fit again: a tensor is gone."""
        return any(ref() is None for ref in self.tensors.values())

    def which(self, arguments: Sequence[Core]) -> tuple[int, ...]:
        """For each tensor its identity, where it is also one that was read from outside; else 0."""
        return tuple([id(t) if id(t) in self.tensors else 0 for t in arguments])

    def tensor_changed(self) -> str:
        """A tensor that is not of the kind that it was; "" where there is none."""
        for state in self.states:
            t = state[0]()
            if t is None or _state(t)[1:] != state[1:]:
                return "a tensor that is gone" if t is None else f"a tensor of shape {list(t.shape)}"
        return ""

    def changed(self) -> str:
        """What is not as it was, besides tensors; "" where there is nothing."""
        for (find, name), number in zip(self.methods, self.functions):
            if id(find(name, None)) != number:
                return name
        for fact in (*self.facts, *self.counted):
            if not fact.holds() and (name := fact.changed()):
                return name
        return "" if self.randomness == _randomness() else "the state of Python's or NumPy's random numbers"

    def before(self) -> None:
        """Take note of what only a call may not change, right before one."""
        self.randomness = _randomness()
        for fact in self.facts:
            if not fact.repeats:
                fact.renew()


def _state(t: Core) -> State:
    return weakref.ref(t), t.shape, t.dtype, t.device, t._requires, t._leaf, t.grad is not None


def _randomness() -> Hashable:
    state: Any = np.random.get_state(legacy=True)
    return hash(random.getstate()), state[1].tobytes(), state[2:]
