"""Values: tensors are computed when they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lazygrad.engine import run
from lazygrad.engine.tracing import watch_here
from lazygrad.errors import ShapeError
from lazygrad.ir.elements import from_storage
from lazygrad.ir.node import topological
from lazygrad.ir.op import Op
from lazygrad.ops.aliases import changed, remember_order
from lazygrad.ops.core import Core, fail

if TYPE_CHECKING:
    from typing_extensions import Self


class Values(Core):
    """`realize`, and values as NumPy's and Python's."""

    __slots__ = ()

    def realize(self, *others: Core) -> Self:
        """Compute this tensor (and `others`, in one schedule for each device) now; returns it.

        >>> Tensor([1, 2]).add(1).realize().tolist()
        [2, 3]
        """
        self._same_kind("realize", *others)
        tensors: tuple[Core, ...] = (self, *others)
        tensors += tuple(changed_inside(tensors))
        for device in dict.fromkeys(t.device for t in tensors):
            run.realize([t.node for t in tensors if t.device == device], device)
        if watch_here() is None:
            for t in tensors:
                keep_value_only(t)
        return self

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """The values in a new NumPy array (bfloat16 as float32). `force` is accepted: tensors on any device have one.

        >>> Tensor([1, 2]).numpy()
        array([1, 2])
        """
        self.realize()
        return from_storage(run.download(self.node), self.dtype)

    def tolist(self) -> Any:
        """The values in nested lists of Python numbers.

        >>> Tensor([[1, 2]]).tolist()
        [[1, 2]]
        """
        return self.numpy().tolist()

    def item(self) -> Any:
        """The value of a tensor with one element, as a Python number. ShapeError for any other.

        >>> Tensor([[2.5]]).item()
        2.5
        """
        if any(n != 1 for n in self.shape):
            fail(ShapeError, f"item: shape {list(self.shape)} does not have one element; use .tolist()")
        return self.numpy().item()


def changed_inside(tensors: Sequence[Core]) -> list[Core]:
    """Parameters, and tensors changed in place, whose new values those of `tensors` are computed from: stored as well.

    Else a loop that changes its weights by hand and reads its loss would compute all changes since the first again.
    """
    if watch_here() is not None:
        return []
    given = {id(t) for t in tensors}
    for t in list(changed.values()):
        if run.realized(t.node) is not None:
            changed.pop(id(t), None)
    waiting = [t for t in list(changed.values()) if id(t) not in given]
    if not waiting:  # nearly always: optimizers store what they change
        return []
    inside = set(topological([t.node for t in tensors], stop=lambda n: run.realized(n) is not None))
    return [t for t in waiting if t.node in inside and (t.node.op is Op.STORE or (t._requires and t._leaf))]


def keep_value_only(t: Core) -> None:
    """Forget the graph of a realized tensor, unless a gradient may go through it."""
    stored = run.realized(t.node)
    if stored is not None and t._leaf and stored not in (t.node, *t.node.src):
        remember_order(t, stored)
        t._take(run.own(stored) if t._requires else stored)
