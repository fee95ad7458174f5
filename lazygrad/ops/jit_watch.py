"""What a thread does while it traces: the tensors that it makes and changes, the data and random numbers that it asks
for. What no replay could do is refused where it is done."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from lazygrad.engine.generator import Generator
from lazygrad.engine.replay import base_buffer, storage_argument
from lazygrad.engine.tracing import Watch
from lazygrad.errors import JitError, user_line
from lazygrad.index.expr import Expr
from lazygrad.ir.node import Node, topological
from lazygrad.ir.op import Op
from lazygrad.ops.aliases import touched_by
from lazygrad.ops.core import Core
from lazygrad.ops.jit_places import Draw, Place
from lazygrad.runtime.base import Storage

_FIELDS = ("node", "_grad", "_requires", "_leaf", "_earlier", "device", "_alias")


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
        self.needed: list[tuple[Expr, str]] = []  # sizes that must not be 0, and what to say where one is
        self.rebound: set[int] = set()  # tensors whose `.data` was exchanged, by identity
        self.left: list[Any] = []  # the families that those were of

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
        if tensor._alias is not None and any(tensor._alias.family is family for family in self.left):
            self.refuse("a view is changed of what a tensor was before its .data was exchanged")

    def changes_together(self, tensors: Sequence[Core]) -> list[Core]:
        """Those that the trace knows. A replay passes on to the others what it gives to one that was there before.

        JitError where there is none, and where there are several, which need not be the same elements at the next call.
        """
        known = {id(t) for t in tensors if id(t) in self.known}
        if len(known) > 1:
            self.refuse("a tensor is changed of which another one from outside is a view; use one of them inside")
        if not known:
            for t in tensors:
                self.changes(t)
        found = [t for t in tensors if id(t) in self.known or id(t) in self.own]
        for t in found:
            self.changes(t)
        return found

    def rebinds(self, tensor: Core, others: Sequence[Core]) -> None:
        """JitError where a tensor that was there before may see what the function wrote until now."""
        if id(tensor) in self.known:
            if any(id(t) not in self.own for t in others):
                self.refuse("the .data of a tensor is exchanged, of which there are views")
            self.rebound.add(id(tensor))
            if tensor._alias is not None:
                self.left.append(tensor._alias.family)

    def needs(self, size: Expr, what: str, dim: int) -> None:
        """Replays whose variables make it 0 are refused."""
        line = user_line()
        message = f"{what}: a size of 0 has no elements along dim {dim}" + (f" ({line})" if line else "")
        self.needed.append((size, message))

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

    def check(self, h: Held) -> None:
        """JitError where a replay could not do what was done to a tensor that was there before."""
        t, shape = h.tensor, list(h.tensor.shape)
        if id(t) in self.rebound and touched_by(t):
            raise JitError(
                f"jit: the .data of a tensor of shape {shape} becomes a tensor that lives on, which a replay would not "
                "share with it; assign a clone of that"
            )
        if t.node is not h.node and not t._leaf:
            raise JitError(
                f"jit: a tensor of shape {shape} from outside is changed in place to a value that "
                "requires a gradient; a replay has no graph to give it: return the value instead"
            )
        if t.grad is not h.grad and not h.leaf:
            raise JitError(
                f"jit: a gradient flows into a tensor of shape {shape} that was computed outside the "
                "function; compute it inside, or pass tensor.detach()"
            )
        if t._requires is not h.requires or t.device != h.device or t.dtype is not h.node.dtype:
            raise JitError(
                f"jit: requires_grad, the device or the dtype of a tensor of shape {shape} from outside is changed by "
                "the function; change it outside"
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
