"""Who watches what this thread does: `jit`, while it traces a function. Other threads go on as ever.

While a thread is watched, realize does nothing, reading a value is refused, and random numbers are only counted.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from lazygrad.index.expr import Expr
    from lazygrad.ir.node import Node
    from lazygrad.runtime.base import Storage


class Watch(Protocol):
    """What is told, and may refuse, while a function is traced."""

    def refuse(self, what: str) -> NoReturn:
        """Something that a replay could not do."""

    def made(self, tensor: Any) -> None:
        """A tensor was made."""

    def tensors(self) -> Iterable[weakref.ref[Any]]:
        """Those that were made."""

    def changes(self, tensor: Any) -> None:
        """A tensor, or its gradient, is about to be changed."""

    def changes_together(self, tensors: Sequence[Any]) -> list[Any]:
        """Tensors, the same elements, are about to take one value; those that have to take it now."""

    def rebinds(self, tensor: Any, others: Sequence[Any]) -> None:
        """A tensor is about to be the elements of another one, and no more those that `others` are part of."""

    def needs(self, size: Expr, what: str, dim: int) -> None:
        """`what` is defined for a dimension `dim` of this `size` unless that is 0."""

    def uploaded(self, storage: Storage) -> None:
        """Data came from the host."""

    def drew(self, generator: Any, count: int, words: Node) -> None:
        """`count` random numbers are made from `words`, which a replay writes anew."""

    def reseeded(self, generator: Any, state: tuple[int, int]) -> None:
        """A generator is to continue from `state`."""

    def differentiates(self, root: Node) -> None:
        """Gradients flow backward from here."""


class _Tracing(threading.local):
    watch: Watch | None = None
    examples: int = 0  # how many functions of one example run, whose tensors have no elements: see `vmap`
    observer: Callable[..., Any] | None = None  # the interpreter calls it with what runs, but not for our own work


tracing = _Tracing()
watched: list[Watch] = []  # of all threads: where it is empty, nobody need look at `tracing`


def watch_here() -> Watch | None:
    """Who watches this thread, if anybody does."""
    return tracing.watch if watched else None
