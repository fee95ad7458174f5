"""Operations by names that other libraries than PyTorch have for them (tinygrad's), where PyTorch has none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lazygrad.errors import ArgumentError, ArgumentTypeError
from lazygrad.ops.core import Core, Operand, fail
from lazygrad.ops.elementwise import Elementwise
from lazygrad.ops.gradients_of import grad
from lazygrad.ops.grids import meshgrid
from lazygrad.ops.loss import Loss
from lazygrad.ops.prefixes import Prefixes
from lazygrad.ops.signatures import described

if TYPE_CHECKING:
    from typing_extensions import Self


class OtherNames(Loss, Prefixes, Elementwise):
    """Other libraries' names."""

    __slots__ = ()

    def swish(self) -> Self:
        """`silu`.

        >>> Tensor([2.0]).swish()
        tensor([1.7616])
        """
        return self.silu()

    def mod(self, other: Operand) -> Self:
        """`remainder`.

        >>> Tensor([5, -5]).mod(3).tolist()
        [2, 1]
        """
        return self.remainder(other)

    def lshift(self, other: Operand) -> Self:
        """`bitwise_left_shift`.

        >>> Tensor([3]).lshift(2).tolist()
        [12]
        """
        return self.bitwise_left_shift(other)

    def rshift(self, other: Operand) -> Self:
        """`bitwise_right_shift`.

        >>> Tensor([12]).rshift(2).tolist()
        [3]
        """
        return self.bitwise_right_shift(other)

    def sequential(self, layers: Iterable[Callable[[Any], Any]]) -> Any:
        """What the last of `layers` gives, each called with the result of the one before it, the first with this.

        >>> Tensor([-1.0, 4.0]).sequential([Tensor.relu, Tensor.sqrt]).tolist()
        [0.0, 2.0]
        """
        x: Any = self
        for layer in layers:
            if not callable(layer):
                fail(ArgumentTypeError, f"sequential: layers are functions, not {described(layer)}")
            x = layer(x)
        return x

    def meshgrid(self, *others: Core, indexing: str = "ij") -> Any:
        """`lazygrad.meshgrid` of this tensor and others.

        >>> [x.tolist() for x in Tensor([1, 2]).meshgrid(Tensor([3, 4]))]
        [[[1, 1], [2, 2]], [[3, 4], [3, 4]]]
        """
        return meshgrid(self, *others, indexing=indexing)

    def binary_crossentropy(self, target: Core, reduction: str = "mean") -> Self:
        """`binary_cross_entropy`.

        >>> Tensor([0.5]).binary_crossentropy(Tensor([1.0]))
        tensor(0.6931)
        """
        return self.binary_cross_entropy(target, reduction=reduction)

    def binary_crossentropy_logits(self, target: Core, reduction: str = "mean", pos_weight: Core | None = None) -> Self:
        """`binary_cross_entropy_with_logits`.

        >>> Tensor([0.0]).binary_crossentropy_logits(Tensor([1.0]))
        tensor(0.6931)
        """
        return self.binary_cross_entropy_with_logits(target, reduction=reduction, pos_weight=pos_weight)

    def sparse_categorical_crossentropy(
        self, target: Core, ignore_index: int = -1, label_smoothing: float = 0.0, reduction: str = "mean"
    ) -> Self:
        """`cross_entropy` of integer classes, where the last dimension is that of the classes.

        >>> Tensor([[0.0, 0.0], [0.0, 9.0]]).sparse_categorical_crossentropy(Tensor([0, -1]))
        tensor(0.6931)
        """
        return self.cross_entropy(
            target, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing, dim=-1
        )

    def gradient(
        self,
        *targets: Core,
        gradient: Core | None = None,
        materialize_grads: bool = False,
        spacing: Any = None,
        dim: int | Sequence[int] | None = None,
        edge_order: int = 1,
    ) -> Any:
        """Without targets, PyTorch's `gradient`: slopes along each of `dim` (all of them), in a list.

        Central differences inside, those of `edge_order` at the ends. `spacing`: the distance of neighbours (1), one
        for each dimension, or for each of them the places as a vector. Second order also where places are not evenly
        apart. ShapeError for less than edge_order + 1 elements.

        With targets, which this tensor was computed from: `autograd.grad(self, targets, gradient)`, in a list.

        >>> [g.tolist() for g in Tensor([1.0, 2.0, 4.0, 8.0]).gradient()]
        [[1.0, 1.5, 3.0, 4.0]]
        >>> x = Tensor([1.0, 3.0], requires_grad=True)
        >>> (x * x).sum().gradient(x)
        [tensor([2., 6.])]
        """
        if not targets:
            return super().gradient(spacing=spacing, dim=dim, edge_order=edge_order)
        if spacing is not None or dim is not None or edge_order != 1:
            fail(ArgumentError, "gradient: spacing, dim and edge_order are of slopes along dimensions; give no targets")
        return list(grad(self, targets, gradient, materialize_grads=materialize_grads))
