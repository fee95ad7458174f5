"""What a thread does while it traces: the tensors that it makes and changes, the data and random numbers that it asks
for. What no replay could do is refused where it is done."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from lazygrad.engine.generator import Generator
from lazygrad.engine.replay import base_buffer, storage_argument
from lazygrad.engine.tracing import Watch
from lazygrad.errors import JitError, user_line
from lazygrad.ir.node import Node, topological
from lazygrad.ir.op import Op
from lazygrad.ops.core import Core
from lazygrad.ops.jit_places import Draw, Place
from lazygrad.runtime.base import Storage

_FIELDS = ("node", "grad", "_requires", "_leaf", "_earlier", "device", "_alias")


@dataclass
class Held:
    """A tensor during a trace: how it was at the start."""

    place: Place
    tensor: Core
    node: Node
    grad: Core | None
    requires: bool
    leaf: bool
    earlier: Any
    device: str
    alias: Any

    @staticmethod
    def of(place: Place, t: Core) -> Held:
        return Held(place, t, t.node, t.grad, t._requires, t._leaf, t._earlier, t.device, t._alias)

    def is_changed(self) -> bool:
        """Whether it has another value or gradient."""
        return self.tensor.node is not self.node or self.tensor.grad is not self.grad

    def fields(self) -> list[tuple[Core, str, Any]]:
        """Its attributes as they were."""
        values = (self.node, self.grad, self.requires, self.leaf, self.earlier, self.device, self.alias)
        return [(self.tensor, name, value) for name, value in zip(_FIELDS, values)]


class Watching(Watch):
    """What a thread did while it traced."""

    def __init__(self, known: dict[int, Held], computed: set[Node]) -> None:
        self.known, self.computed = known, computed
        self.own: dict[int, weakref.ref[Core]] = {}  # the tensors made, by identity
        self.uploads: dict[int, Storage] = {}
        self.draws: list[Draw] = []
        self.words: dict[int, int] = {}  # which draw filled a storage

    def refuse(self, what: str) -> NoReturn:
        """JitError for what a replay could not do."""
        raise JitError(
            f"jit: {what} while the function is traced; return the tensor and read it outside, pass what changes as an "
            f"argument, or leave this function without jit ({user_line()})"
        )

    def made(self, tensor: Core) -> None:
        """A tensor that must not outlive the trace, but in the result."""
        self.own[id(tensor)] = weakref.ref(tensor)

    def tensors(self) -> Iterable[weakref.ref[Core]]:
        """Those that were made."""
        return list(self.own.values())

    def changes(self, tensor: Core) -> None:
        """JitError where a replay could not find the tensor again."""
        if id(tensor) not in self.known and (id(tensor) not in self.own or self.own[id(tensor)]() is not tensor):
            self.refuse(
                f"a tensor of shape {list(tensor.shape)} is changed that is held where jit does not find it again"
            )

    def uploaded(self, storage: Storage) -> None:
        """Data of the trace's own."""
        self.uploads[id(storage)] = storage

    def drew(self, generator: Generator, count: int, words: Node) -> None:
        """Every replay draws as well."""
        self.words[id(storage_argument(base_buffer(words)))] = len(self.draws)
        self.draws.append(Draw(generator, count))

    def reseeded(self, generator: Generator, state: tuple[int, int]) -> None:
        """Every replay does so as well."""
        self.draws.append(Draw(generator, 0, state))

    def differentiates(self, root: Node) -> None:
        """JitError where gradients flow into a graph from before the call, which another call would not have."""
        for n in topological([root], stop=lambda n: n.op is Op.DETACH or n in self.computed):
            if n in self.computed:
                self.refuse(
                    f"a gradient flows into a tensor of shape {list(n.shape)} that was computed outside the function "
                    "(compute it inside, or pass tensor.detach())"
                )

    def check_escapes(self) -> None:
        """JitError where a tensor of the trace is still held."""

        def strangers() -> list[Core]:
            return [t for ref in self.tensors() if (t := ref()) is not None]

        if strangers():
            gc.collect()
        if escaped := strangers():
            t = escaped[0]
            raise JitError(
                f"jit: a tensor of shape {list(t.shape)} made at {t.node.line or 'an unknown line'} is kept outside "
                "the traced function but is not in its result; return it, or assign it to a tensor that exists before "
                "the call"
            )
