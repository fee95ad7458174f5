"""Gradients: `backward` into the leaves, and the functional `grad` and `value_and_grad`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazygrad.engine.run import live
from lazygrad.engine.tracing import watch_here
from lazygrad.engine.whole import set_all
from lazygrad.errors import GradientError, ShapeError
from lazygrad.ir.node import Node, cast, const, detach, topological
from lazygrad.ir.reverse import gradient as node_gradient
from lazygrad.ops import hooks
from lazygrad.ops.core import Core, fail, make
from lazygrad.ops.hooks import Hooks
from lazygrad.ops.operands import not_a_tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class Differentiate(Hooks):
    """Reverse-mode differentiation. Gradients are graphs, so they are fused, and can be differentiated again."""

    __slots__ = ()

    def backward(
        self, gradient: Self | None = None, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Add the gradient of this tensor by each leaf that it was computed from to the leaf's `.grad`.

        Args:
            gradient: the gradient by this tensor, of its shape; needed unless it has one element.
            retain_graph: accepted for PyTorch's sake; graphs are values and are never freed early.
            create_graph: let the gradients be differentiated in their turn.

        GradientError where nothing requires a gradient, or where `gradient` is needed.

        >>> x = Tensor([2.0], requires_grad=True)
        >>> (x * x + 3 * x + 1).sum().backward()
        >>> x.grad.tolist()
        [7.0]
        """
        start = self._start_of_gradient(gradient)
        leaves: dict[Node, Core] = {}
        for t in list(live):
            if t.requires_grad and t._leaf:
                leaves |= dict.fromkeys(t._nodes(), t)
        computed = hooks.kept()
        if (watch := watch_here()) is not None:
            watch.differentiates(self.node)
        order = topological([self.node], stop=leaves.__contains__)
        leaves |= {n: t for n, t in computed.items() if n not in leaves}
        targets = [n for n in order if n in leaves]
        totals: dict[int, tuple[Core, str, Core]] = {}  # by the identity of the leaf, which may have had several nodes
        for target, value in zip(targets, node_gradient(self.node, start, targets, hooks.changes())):
            if value is not None:
                leaf = leaves[target]
                if watch is not None:
                    watch.changes(leaf)
                before = totals[id(leaf)][2] if id(leaf) in totals else leaf.grad
                totals[id(leaf)] = leaf, "_grad", _accumulated(leaf, before, value, create_graph)
        set_all(totals.values())
        for leaf, _, _ in totals.values():
            hooks.accumulated(leaf)

    def _start_of_gradient(self, gradient: Self | None) -> Node:
        if not self.requires_grad:
            fail(
                GradientError,
                "backward: nothing that this tensor was computed from requires a gradient; set requires_grad=True on a "
                "leaf, and compute outside no_grad()",
            )
        if gradient is None:
            if any(n != 1 for n in self.shape):
                fail(
                    GradientError,
                    f"backward: shape {list(self.shape)} is not a scalar; reduce it with .sum(), or give gradient=",
                )
            return const(1, self.dtype, self.shape)
        if not isinstance(gradient, Core):
            not_a_tensor("backward", gradient)
        if gradient.shape != self.shape:
            fail(
                ShapeError,
                f"backward: the gradient has shape {list(gradient.shape)}, the tensor {list(self.shape)}",
            )
        return cast(gradient.node, self.dtype)


def _accumulated(leaf: Core, before: Core | None, value: Node, create_graph: bool) -> Core:
    new = make(type(leaf), value if create_graph else detach(value), leaf.device, create_graph)
    return new if before is None else before + new  # type: ignore[operator]
