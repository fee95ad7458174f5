"""Where a call finds its tensors, what a replay gives them, and what it returns."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lazygrad.engine import run
from lazygrad.engine.generator import Generator
from lazygrad.engine.replay import Replay
from lazygrad.index.expr import Expr
from lazygrad.ir.node import Node
from lazygrad.ops.core import Core
from lazygrad.ops.layout import Change, Layout
from lazygrad.ops.values import keep_value_only
from lazygrad.runtime.base import Storage


@dataclass(frozen=True)
class Place:
    """Where a call finds a tensor: among its arguments or outside the function; or it is the gradient of that one."""

    argument: int = -1
    owner: weakref.ref[Core] | None = None
    gradient: bool = False

    def find(self, arguments: list[Core]) -> Core | None:
        """The tensor; None when it is gone."""
        t = arguments[self.argument] if self.owner is None else self.owner()
        return t.grad if self.gradient and t is not None else t


@dataclass(frozen=True)
class Source:
    """Where a replay finds the current buffer of one input of the graph."""

    places: tuple[int, ...] = ()  # tensors that all had it; which of them the function read cannot be told
    draw: int = -1  # random numbers, by their turn
    constant: Storage | None = None  # data made while tracing


@dataclass(frozen=True)
class Made:
    """A tensor that the function made: the value of root number `root`, as number `number` of such tensors."""

    number: int
    root: int
    kind: type[Core]
    requires_grad: bool  # as a leaf of its own
    gradient: Made | Known | None = None


@dataclass(frozen=True)
class Known:
    """A tensor that was there before, by the number of its place."""

    place: int


@dataclass(frozen=True)
class Draw:
    """A generator draws `count` numbers, or with `state` continues from there."""

    generator: Generator
    count: int
    state: tuple[int, int] | None = None


@dataclass(frozen=True)
class Relation:
    """Results of one memory, by their numbers, oldest first; and what there was of it before the call."""

    base: int  # the number of its place; -1: nothing
    first: Layout  # of that, or of the oldest result
    members: tuple[tuple[int, Change, int, Layout], ...]  # the third says in which memory
    orders: tuple[bool, ...]  # whether each memory is row-major for certain


@dataclass
class Trace:
    """A graph with all that a replay needs to stand for a call."""

    replay: Replay
    places: list[Place]
    sources: list[Source]
    values: list[tuple[int, int]]  # a place, and the root that its tensor takes the value of
    gradients: list[tuple[int, Made | Known | None]]  # a place, and the gradient that its tensor gets
    draws: list[Draw]
    result: Any  # see jit_result; its tensors are Made or Known
    uses_given: bool = False  # whether it has containers of the arguments
    kept: frozenset[int] = frozenset()  # places whose tensors are needed after the run
    rebound: frozenset[int] = frozenset()  # places whose tensors are no more the elements that they were
    needed: Sequence[tuple[Expr, str]] = ()  # sizes that must not be 0, and what to say where one is
    relations: list[Relation] = field(default_factory=list)  # what results share memory with


def unique_tensors(leaves: list[Any]) -> list[Core]:
    """The tensors among the arguments, each once."""
    return list({id(x): x for x in leaves if isinstance(x, Core)}.values())


def is_realized(n: Node) -> bool:
    """Whether the value of `n` is stored."""
    return run.realized(n) is not None


def realize_all(tensors: list[Core]) -> None:
    """Compute what is not computed yet, in one schedule for each device."""
    by_device: dict[str, list[Core]] = {}
    for t in tensors:
        if run.realized_on(t.node, t.device) is None:
            by_device.setdefault(t.device, []).append(t)
    for device, group in by_device.items():
        run.realize([t.node for t in group], device)
    for t in tensors:
        keep_value_only(t)
