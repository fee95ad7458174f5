"""Losses of numbers. `reduction` is 'mean', 'sum' or 'none'; `size_average` and `reduce` are its older names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lazygrad.dtype import dtypes
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.ir.build import add, filled_like, mul, scaled, sub
from lazygrad.ir.call import UserFunction
from lazygrad.ir.node import Node, alu, call
from lazygrad.ir.op import Op
from lazygrad.ops.broadcast import broadcast_shape
from lazygrad.ops.core import Core, fail
from lazygrad.ops.reduce import Reduce

if TYPE_CHECKING:
    from typing_extensions import Self


def reduction_named(reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    """The reduction that is asked for: by PyTorch's two older arguments where one of them is given.

    >>> reduction_named("mean", False, None), reduction_named("sum", None, None)
    ('sum', 'sum')
    """
    if size_average is None and reduce is None:
        return reduction
    return "none" if reduce is False else "sum" if size_average is False else "mean"


class DistanceLoss(Reduce):
    """Losses by how far this tensor, the prediction, is from its target."""

    __slots__ = ()

    def _reduced(self, what: str, reduction: str) -> Self:
        if reduction == "mean":
            return self.mean()
        if reduction == "sum":
            return self.sum()
        if reduction != "none":
            fail(ArgumentError, f"{what}: reduction is 'mean', 'sum' or 'none', not {reduction!r}")
        return self

    def _weighted(self, what: str, reduction: str, weight: Core | None) -> Self:
        """These losses times their weights; their mean is over the weights."""
        if weight is None:
            return self._reduced(what, reduction)
        self._same_device(what, weight)
        if weight.shape != self.shape:
            fail(ShapeError, f"{what}: weights {list(weight.shape)} and predictions {list(self.shape)} differ in shape")
        weights = self._beside(weight)
        if reduction == "mean":
            return (self * weights).sum() / weights.sum()
        return (self * weights)._reduced(what, reduction)

    def _distance(self, what: str, target: Core) -> Self:
        self._same_device(what, target)
        if target.shape != self.shape:
            fail(ShapeError, f"{what}: targets {list(target.shape)} and predictions {list(self.shape)} differ in shape")
        return self - self._beside(target)

    def mse_loss(
        self,
        target: Core,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        weight: Core | None = None,
    ) -> Self:
        """Squared distances; with a `weight` for each the mean is over the weights. ShapeError unless all are alike.

        >>> Tensor([1.0, 2.0]).mse_loss(Tensor([1.0, 4.0])).item()
        2.0
        """
        what, reduction = "mse_loss", reduction_named(reduction, size_average, reduce)
        return self._distance(what, target).square()._weighted(what, reduction, weight)

    def l1_loss(
        self,
        target: Core,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        weight: Core | None = None,
    ) -> Self:
        """Absolute distances; with a `weight` for each the mean is over the weights. ShapeError unless all are alike.

        >>> Tensor([1.0, 2.0]).l1_loss(Tensor([1.0, 4.0])).item()
        1.0
        """
        what, reduction = "l1_loss", reduction_named(reduction, size_average, reduce)
        return self._distance(what, target).abs()._weighted(what, reduction, weight)

    def huber_loss(self, target: Core, reduction: str = "mean", delta: float = 1.0, weight: Core | None = None) -> Self:
        """Half the squared distance up to `delta`, linear beyond; times a `weight` for each.

        >>> Tensor([0.0, 0.0]).huber_loss(Tensor([1.0, 3.0]), reduction="none").tolist()
        [0.5, 2.5]
        """
        if not delta > 0:
            fail(ArgumentError, f"huber_loss: delta is {delta}; it must be greater than 0")
        loss = self._bent_distance("huber_loss", target, delta)
        if weight is not None:
            loss = loss._weighted("huber_loss", "none", weight)
        return loss._reduced("huber_loss", reduction).cast(self._distance("huber_loss", target).dtype)

    def smooth_l1_loss(
        self,
        target: Core,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> Self:
        """`huber_loss` divided by its `beta`: the absolute distance less beta / 2, rounded off below beta.

        ArgumentError for a negative beta; 0 gives `l1_loss`.

        >>> Tensor([0.0, 0.0]).smooth_l1_loss(Tensor([0.5, 3.0]), reduction="none", beta=2.0).tolist()
        [0.0625, 2.0]
        """
        what, reduction = "smooth_l1_loss", reduction_named(reduction, size_average, reduce)
        if not beta >= 0:
            fail(ArgumentError, f"{what}: beta is {beta}; it must not be negative")
        if beta == 0:
            return self.l1_loss(target, reduction=reduction)
        loss = self._bent_distance(what, target, beta) / beta
        return loss._reduced(what, reduction).cast(self._distance(what, target).dtype)

    def _bent_distance(self, what: str, target: Core, delta: float) -> Self:
        """Half the squared distance up to `delta`, linear beyond, in 32 bits at least."""
        distance = self._distance(what, target)
        distance._need_float(what)
        if distance.dtype.is_half:
            distance = self.cast(dtypes.float32)._distance(what, target)
        size = distance.abs()
        small = (size > delta)._choose(delta, size)  # nan is not smaller, either
        return small * (size - small * 0.5)

    def binary_cross_entropy_with_logits(
        self,
        target: Core,
        weight: Core | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Core | None = None,
    ) -> Self:
        """Minus the log of the probability that sigmoid(self) gives to targets in [0, 1].

        `weight` broadcasts over the losses, `pos_weight` over the part of each that is the target's.

        >>> Tensor([0.0]).binary_cross_entropy_with_logits(Tensor([1.0]))
        tensor(0.6931)
        """
        what, reduction = "binary_cross_entropy_with_logits", reduction_named(reduction, size_average, reduce)
        self._need_float(what)
        self._distance(what, target)
        x = self.cast(dtypes.float32) if self.dtype.is_half else self
        # softplus(x) - x * target, in an order that keeps the low bits of the logarithm, and without inf - inf
        wanted = x._beside(target)._meeting(x)  # uint8 labels have no -1
        if pos_weight is None:
            loss = x * (x < 0)._choose(-wanted, 1 - wanted) + x._decay(1).log1p()
        else:
            share = (x._beside(pos_weight) - 1) * wanted + 1
            loss = (1 - wanted) * x + share * (x._decay(1).log1p() + (x < 0)._choose(-x, 0.0))
        return loss._scaled(what, weight)._reduced(what, reduction).cast(self.dtype)

    def binary_cross_entropy(
        self,
        target: Core,
        weight: Core | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> Self:
        """Minus the log of the probability that this tensor, in [0, 1], gives to targets in [0, 1].

        As in PyTorch logarithms are at least -100, and the gradient is (self - target) / max(self * (1 - self), 1e-12);
        that by the target is of the logarithms as they are.
        `weight` broadcasts over the losses.

        >>> Tensor([0.5]).binary_cross_entropy(Tensor([1.0]))
        tensor(0.6931)
        """
        what, reduction = "binary_cross_entropy", reduction_named(reduction, size_average, reduce)
        self._need_float(what)
        self._distance(what, target)
        x = self.cast(dtypes.float32) if self.dtype.is_half else self
        wanted = x._beside(target).cast(x.dtype)
        yes, no = x.log(), (-x).log1p()
        loss = -(wanted * yes.clamp(min=-100) + (1 - wanted) * no.clamp(min=-100))
        inputs = (x._in(), wanted._in(), (no - yes)._in())
        loss = x._out(call(loss._in(), inputs, _CROSS_ENTROPY_OF_BITS, 0), wanted)
        return loss._scaled(what, weight)._reduced(what, reduction).cast(self.dtype)

    def _scaled(self, what: str, weight: Core | None) -> Self:
        """These losses times weights that broadcast to them."""
        if weight is None:
            return self
        self._same_device(what, weight)
        if broadcast_shape(what, self.shape, weight.shape) != self.shape:
            fail(ShapeError, f"{what}: weights {list(weight.shape)} do not broadcast to losses {list(self.shape)}")
        return self * self._beside(weight)


_LEAST_VARIANCE = 9.999999960041972e-13  # PyTorch's: 1e-12 as a float32


class _CrossEntropyOfBits(UserFunction):
    """The gradients of `binary_cross_entropy`: those of its logarithms are not finite at 0 and 1."""

    name = "binary_cross_entropy"

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        """By the probabilities and the targets; the third input is the slope by the targets."""
        x, target, slope = inputs
        g, variance = by_outputs[0], mul(x, add(scaled(x, -1), filled_like(x, 1)))
        by_x = alu(Op.DIV, sub(x, target), alu(Op.MAX, variance, filled_like(x, _LEAST_VARIANCE)))
        return mul(g, by_x), mul(g, slope), None


_CROSS_ENTROPY_OF_BITS = _CrossEntropyOfBits()
