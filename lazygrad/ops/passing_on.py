"""One new value for a tensor and for all that are the same elements as it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazygrad.engine.lost import LostStorage
from lazygrad.engine.run import own, realized
from lazygrad.engine.tracing import watch_here
from lazygrad.engine.whole import set_all
from lazygrad.errors import GradientError
from lazygrad.ir.call import UserFunction
from lazygrad.ir.node import Node, call, detach, reshape, store
from lazygrad.ir.op import BufferArg, CallArg, Op, StorageLike, StoreArg
from lazygrad.ops.aliases import Reach, changed, is_alike, reach, touched_by, view_of
from lazygrad.ops.core import Core, fail
from lazygrad.ops.layout import detached
from lazygrad.ops.mode import mode


class _Overwritten(UserFunction):
    """A value whose gradients are those of the one before it: as in PyTorch, what no graph recorded has none."""

    name = "overwritten"

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        return [by_outputs.get(0)]


_OVERWRITTEN = _Overwritten()


def storage_behind(n: Node) -> StorageLike | None:
    """The storage that holds the value of `n`, or will when it is computed; None where there is none yet."""
    if n.op is Op.STORE:
        return n.argument(StoreArg).storage
    stored = realized(n)
    if stored is None:
        return None
    storage = (stored.src[0] if stored.op is Op.RESHAPE else stored).argument(BufferArg).storage
    return None if isinstance(storage, LostStorage) else storage


def pass_on(t: Core, value: Node, others: Reach | None, requires: bool) -> None:
    """`t` takes a `value`, which `requires` a gradient or not, in its storage where it has one; and so do all that are
    the same elements.

    GradientError, before anything is done, where a leaf would have to take what is recorded.
    """
    records = mode.enabled and not (t._requires and t._leaf)
    if others is not None and others.alike:
        _pass_on(t, value, others, records, requires)
        return
    if others is not None:
        others.forget_values()
    storage = storage_behind(t.node)
    t._take(_next(t, value if storage is None else store(value, storage), records))
    if requires:
        t._requires, t._leaf = True, False


def _pass_on(t: Core, value: Node, others: Reach, records: bool, requires: bool) -> None:
    together: list[Any] = [t, *others.alike]
    if records and any(m._requires and m._leaf and _shares_graph(m, t) for m in together):
        fail(
            GradientError,
            f"in-place: this tensor {list(t.shape)} is a view of a leaf that requires a gradient; change it inside "
            "`with no_grad():`, or through .data",
        )
    if (watch := watch_here()) is not None:
        together = watch.changes_together(together)
    others.forget_values()
    first = holder(together)
    value = reshape(value, first.shape)
    storage = next((s for m in (first, *together) if (s := storage_behind(m.node)) is not None), None)
    give(together, first, value if storage is None else store(value, storage), t if records else None, requires)


def holder(together: Sequence[Core]) -> Core:
    """Which of tensors that are the same elements has the stored value itself, so that it may be written over the old
    one: the parameter, or the oldest of all."""
    return next((m for m in together if m._requires and m._leaf), min(together, key=_age))


def take_memory(t: Core, other: Core) -> None:
    """`t` is the elements of `other` from now on, and no more those that it was."""
    watch = watch_here()
    if t is other or is_alike(t, other):
        if watch is not None:
            watch.changes_together([t, other, *reach(t, by_operator=True).alike])
        return
    others = touched_by(t)
    value = detach(other.node) if other._requires else other.node
    if not others and realized(value) is None and (storage := storage_behind(t.node)) is not None:
        value = store(value, storage)
    t._take(_next(t, value, follows=False))
    if watch is not None:
        watch.rebinds(t, others)
    view_of(other, t, detached)


def give(
    together: Sequence[Core], first: Core, value: Node, recorded: Core | None = None, requires: bool = False
) -> None:
    """Let all of `together` have a `value` of the shape of `first`, which has a node of its own where it is a leaf.

    Those whose graph is that of the `recorded` one get the value with its graph, which `requires` a gradient or not;
    for the others nothing happened but that their numbers are others.
    """
    holds = first if first._requires and first._leaf and not requires else None
    apart = detach(value) if holds is not None or requires else value
    changes: list[tuple[object, str, object]] = []
    for m in together:
        follows = recorded is not None and (m is recorded or _shares_graph(m, recorded))
        new = _next(m, reshape(value if follows or m is holds else apart, m.shape), follows)
        if follows and requires:
            changes += [(m, "_requires", True), (m, "_leaf", False)]
        m._remember()
        changes.append((m, "node", new))
    set_all(changes)


def _next(t: Core, value: Node, follows: bool) -> Node:
    """What stands for a new `value` of `t`, whose graph `follows` that of the value or stays what it was."""
    if realized(value) is None:
        changed[id(t)] = t
    if follows or not t._requires:
        return value
    if not t._leaf:
        return overwritten(t.node, value)
    return value if value.op is Op.STORE else own(value)  # a node of its own


def overwritten(old: Node, value: Node) -> Node:
    """`value`, with the gradients of `old`."""
    if old.op is Op.CALL and old.argument(CallArg).function is _OVERWRITTEN:
        old = old.src[1]
    return call(value, (old,), _OVERWRITTEN)


def _shares_graph(a: Core, b: Core) -> bool:
    return a._alias is not None and b._alias is not None and a._alias.graph == b._alias.graph


def _age(t: Core) -> int:
    return -1 if t._alias is None else t._alias.number
