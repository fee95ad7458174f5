"""CALL: its gradients, for which a user's function is asked once, when those by all its outputs are known; its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from lazygrad.ir.build import filled_like
from lazygrad.ir.node import Node, topological, with_sources
from lazygrad.ir.op import CallArg, Op


class UserFunction(ABC):
    """One application of a function that has its own gradient: what the argument of its CALLs holds."""

    name: str

    @abstractmethod
    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """The gradient by each of `inputs`, the sources of the CALLs behind the value.

        `by_outputs`: the gradients by the outputs, by number; those that are missing are zero.
        """

    def wanted(
        self, inputs: Sequence[Node], by_outputs: Mapping[int, Node], used: Collection[Node]
    ) -> Sequence[Node | None]:
        """`gradients`, of which only those by inputs among `used` are looked at: those by others may be None."""
        return self.gradients(inputs, by_outputs)


class Flat(UserFunction):
    """A function of one input whose gradient is zero wherever it is."""

    name = "flat"

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """Zeros."""
        return [filled_like(x, 0) for x in inputs]


FLAT = Flat()

_Application = tuple[UserFunction, tuple[Node, ...]]


class Calls:
    """The CALLs among nodes that are differentiated. They are visited with their gradients, in reverse order.

    Every output of a function comes after its inputs, so the gradients by all of them are known when the first one is
    reached, and the inputs follow later.
    """

    def __init__(self, order: Iterable[Node]) -> None:
        self._first: dict[_Application, Node] = {}
        self._found: dict[_Application, dict[int, Node]] = {}
        for n in order:
            if n.op is Op.CALL:
                self._first.setdefault(_application(n), n)

    def visit(self, n: Node, g: Node | None, used: Collection[Node]) -> Sequence[Node | None]:
        """The gradients by the inputs of `n` that are `used`; none before its function can be asked. `g` is the
        gradient by `n`."""
        key = _application(n)
        found = self._found.setdefault(key, {})
        if g is not None:
            found[n.argument(CallArg).output] = g
        if self._first[key] is not n or not found:
            return ()
        function, inputs = key
        return function.wanted(inputs, found, used)


def _application(n: Node) -> _Application:
    function = n.argument(CallArg).function
    assert isinstance(function, UserFunction), function
    return function, n.src[1:]


def substitute(
    roots: Sequence[Node], known: dict[Node, Node], over: Callable[[Node, tuple[Node, ...]], Node] = with_sources
) -> list[Node]:
    """`roots` with every node in `known` replaced, rebuilding only what is above a replaced one.

    CALLs become their values, so that nothing is computed for the sake of gradients alone. `over` gives every other
    node over its new sources.
    """
    new = dict(known)
    for n in topological(roots, stop=known.__contains__):
        if n not in new and n.op is Op.CALL:
            new[n] = new[n.src[0]]
        elif n not in new:
            new[n] = over(n, tuple(new[s] for s in n.src))
    return [new[r] for r in roots]
