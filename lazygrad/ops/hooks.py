"""What backward passes do at a tensor: hooks that see or change its gradient, and gradients that are kept."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from itertools import count
from typing import Any

from lazygrad.errors import GradientError, ShapeError
from lazygrad.ir.node import Node, cast
from lazygrad.ops.core import Core, fail, make

Hook = Callable[[Any], Any]
_numbers = count()


class _Beside:
    """Hooks beside tensors, as long as those live; told apart by identity, for tensors compare their elements."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[weakref.ref[Core], dict[int, Hook]]] = {}

    def of(self, t: Core) -> dict[int, Hook]:
        """The hooks of `t`, to which one can add."""
        place = id(t)
        if place not in self._held:
            self._held[place] = weakref.ref(t, lambda _: self._held.pop(place, None)), {}
        return self._held[place][1]

    def __contains__(self, t: Core) -> bool:
        return id(t) in self._held

    def items(self) -> list[tuple[Core, dict[int, Hook]]]:
        """Tensors that live, and their hooks."""
        return [(t, hooks) for ref, hooks in list(self._held.values()) if (t := ref()) is not None]


_hooked, _after, _kept = _Beside(), _Beside(), _Beside()


class RemovableHandle:
    """What takes a hook away again: `remove()`, or the end of a `with` block."""

    def __init__(self, t: Core, among: _Beside, hook: Hook) -> None:
        self._of, self._among, self._number = weakref.ref(t), among, next(_numbers)
        among.of(t)[self._number] = hook

    def remove(self) -> None:
        """Call the hook no more."""
        t = self._of()
        if t is not None:
            self._among.of(t).pop(self._number, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class Hooks(Core):
    """Hooks of tensors."""

    __slots__ = ()

    def register_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook` with the gradient by this tensor in every backward pass that reaches it; what it returns, unless
        None, is the gradient from there on. Returns a handle whose `remove` ends that.

        GradientError where this tensor requires no gradient. ShapeError, in the pass, for another shape.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> handle = x.register_hook(lambda grad: grad * 10)
        >>> (x * x).sum().backward()
        >>> x.grad.tolist()
        [20.0, 40.0]
        """
        if not self.requires_grad:
            fail(GradientError, "register_hook: this tensor requires no gradient")
        return RemovableHandle(self, _hooked, hook)

    def register_post_accumulate_grad_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook` with this tensor after every backward pass that added to its `.grad`, as an optimizer that steps
        inside the pass does. Returns a handle whose `remove` ends that.

        GradientError where this tensor is no leaf that requires a gradient.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> handle = x.register_post_accumulate_grad_hook(lambda x: x.grad.mul_(10))
        >>> (x * x).sum().backward()
        >>> x.grad.tolist()
        [20.0, 40.0]
        """
        if not (self.requires_grad and self._leaf):
            fail(GradientError, "register_post_accumulate_grad_hook: this tensor is no leaf that requires a gradient")
        return RemovableHandle(self, _after, hook)

    def retain_grad(self) -> None:
        """Have `.grad` after backward passes, though this tensor was computed. GradientError without a gradient.

        >>> x = Tensor([1.0], requires_grad=True)
        >>> y = x * 2
        >>> y.retain_grad()
        >>> (y * y).sum().backward()
        >>> y.grad.tolist()
        [4.0]
        """
        if not self.requires_grad:
            fail(GradientError, "retain_grad: this tensor requires no gradient")
        if not self._leaf:
            _kept.of(self)

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called for a tensor that was computed."""
        return self in _kept


def accumulated(t: Core) -> None:
    """Call the hooks that wait for a leaf's gradient."""
    if t in _after:
        for hook in list(_after.of(t).values()):
            hook(t)


def kept() -> dict[Node, Core]:
    """The computed tensors whose gradients are kept, by their nodes."""
    return {t.node: t for t, _ in _kept.items()}


def changes() -> dict[Node, Callable[[Node], Node]]:
    """What the hooks of all tensors make of the gradient at a node."""
    found: dict[Node, list[Core]] = {}
    for t, hooks in _hooked.items():
        if hooks:
            for n in t._nodes():
                found.setdefault(n, []).append(t)
    return {n: lambda g, tensors=tensors: _changed(g, tensors) for n, tensors in found.items()}  # type: ignore[misc]


def _changed(g: Node, tensors: list[Core]) -> Node:
    for t in tensors:
        for hook in list(_hooked.of(t).values()):
            new = hook(make(type(t), g, t.device))
            if new is not None:
                if new.shape != t.shape:
                    fail(ShapeError, f"hook: it returned shape {list(new.shape)} for a gradient of {list(t.shape)}")
                g = cast(new.node, g.dtype)
    return g
