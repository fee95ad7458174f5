"""Losses. `reduction` is 'mean', 'sum' or 'none'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lazygrad.dtype import dtypes
from lazygrad.errors import ArgumentError, ShapeError
from lazygrad.index.expr import Dim
from lazygrad.ir.build import add, filled_like, mul, scaled, sub
from lazygrad.ir.call import UserFunction
from lazygrad.ir.node import Node, alu, as_index, call, gather
from lazygrad.ir.op import Combine, Op
from lazygrad.ops.core import Core, fail
from lazygrad.ops.inside import inside
from lazygrad.ops.joining import Joining
from lazygrad.ops.normalize import Normalize

if TYPE_CHECKING:
    from typing_extensions import Self


class Loss(Normalize, Joining):
    """Losses, this tensor being the prediction."""

    __slots__ = ()

    def _reduced(self, what: str, reduction: str) -> Self:
        if reduction == "mean":
            return self.mean()
        if reduction == "sum":
            return self.sum()
        if reduction != "none":
            fail(ArgumentError, f"{what}: reduction is 'mean', 'sum' or 'none', not {reduction!r}")
        return self

    def cross_entropy(
        self,
        target: Core,
        weight: Core | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        dim: int | None = None,
    ) -> Self:
        """Minus the log of the probability that softmax(self) gives to each target class.

        Args:
            target: integer classes, in this tensor's shape without the class dimension; BoundsError for others, when a
                value is read, if not before. Or floats in this tensor's shape: the probability of each class.
            weight: (classes,), how much each class counts; the mean over probabilities takes no notice of it.
            ignore_index: targets of this value count nothing, and are left out of the mean.
            label_smoothing: how much of the target is spread over all classes.
            dim: the class dimension. None finds it from the shape of `target`: PyTorch's place (1, or 0 for a vector),
                or the last, so that (B, T, V) with targets (B, T) needs no reshape; ShapeError where both would fit.

        >>> logits = Tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
        >>> logits.cross_entropy(Tensor([0, 2]), reduction="none")
        tensor([0.2395, 1.0986])
        >>> logits.cross_entropy(Tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]), reduction="none")
        tensor([1.2395, 1.0986])
        """
        axis = self._class_axis("cross_entropy", target, dim)
        what = "cross_entropy"
        if self.dtype.is_half:
            wide = self.cast(dtypes.float32)
            return wide.cross_entropy(target, weight, ignore_index, reduction, label_smoothing, axis).cast(self.dtype)
        if target.dtype.is_float:
            return self._cross_entropy_of_shares(target, weight, axis, label_smoothing)._reduced(what, reduction)
        target = self._classes(what, target, axis, ignore_index)
        largest = self.detach()._reduce(Combine.MAX, axis, keepdim=True)
        shifted = self - largest  # logits are compared before anything that is not as large is added to them
        total = shifted.exp().sum(axis, keepdim=True).log()
        loss = total.squeeze(axis) - (self._picked(target, axis) - largest.squeeze(axis))
        loss = loss.mul(1 - label_smoothing) if label_smoothing < 1 else total.squeeze(axis) * 0
        weights = None if weight is None else self._class_weights(weight, target, self.shape[axis])
        if weights is not None:
            loss = loss * weights
        if label_smoothing:
            spread = self._by_class(total - shifted, weight, axis)
            loss = loss + spread.sum(axis) * label_smoothing / self.shape[axis]
        return loss._over_targets(what, target, weights, ignore_index, reduction)

    def _cross_entropy_of_shares(self, target: Core, weight: Core | None, axis: int, label_smoothing: float) -> Self:
        """`cross_entropy` of probabilities, for each sample."""
        shares = self._beside(target).cast(self.dtype)
        if label_smoothing:
            shares = shares * (1 - label_smoothing) + self._beside(self.shape[axis]).reciprocal() * label_smoothing
        return -self._by_class(self.log_softmax(axis) * shares, weight, axis).sum(axis)

    def _by_class(self, values: Self, weight: Core | None, axis: int) -> Self:
        """`values`, of this tensor's shape, times the weights of their classes."""
        if weight is None:
            return values
        self._check_weights(weight, self.shape[axis])
        return values * self._beside(weight).reshape(tuple(-1 if i == axis else 1 for i in range(self.ndim)))

    def nll_loss(
        self,
        target: Core,
        weight: Core | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        dim: int | None = None,
    ) -> Self:
        """`cross_entropy` of log-probabilities: minus the one of each target class.

        >>> Tensor([[-0.5, -1.0]]).nll_loss(Tensor([1])).item()
        1.0
        """
        axis = self._class_axis("nll_loss", target, dim)
        target = self._classes("nll_loss", target, axis, ignore_index)
        loss = -self._picked(target, axis)
        weights = None if weight is None else self._class_weights(weight, target, self.shape[axis])
        if weights is not None:
            loss = loss * weights
        return loss._over_targets("nll_loss", target, weights, ignore_index, reduction)

    def _class_axis(self, what: str, target: Core, dim: int | None) -> int:
        if isinstance(target, Core) and target.dtype.is_float and target.shape == self.shape and what != "nll_loss":
            return min(1, self.ndim - 1) if dim is None else self._axis(dim)
        self._check_index(what, target)
        if dim is not None:
            candidates = [self._axis(dim)]
        else:
            candidates = sorted({min(1, self.ndim - 1), self.ndim - 1})
        fitting = [a for a in candidates if a >= 0 and self.shape[:a] + self.shape[a + 1 :] == target.shape]
        if not fitting:
            fail(ShapeError, f"{what}: targets {list(target.shape)} do not fit predictions {list(self.shape)}")
        if len(fitting) > 1:
            fail(
                ShapeError,
                f"{what}: the classes of {list(self.shape)} may be dim 1 or -1 for {list(target.shape)}; say dim=",
            )
        return fitting[0]

    def _classes(self, what: str, target: Core, axis: int, ignored: int) -> Self:
        """The targets, which have to be classes or `ignored`, in a type that holds all of them."""
        count = self.shape[axis]
        return self._new(as_index(inside(what, as_index(target.node, count), count, exempt=ignored), count))

    def _picked(self, target: Self, axis: int) -> Self:
        """The element at each target class."""
        return self._out(gather(self._in(), target.unsqueeze(axis).node, axis)).squeeze(axis)

    def _class_weights(self, weight: Core, target: Self, count: Dim) -> Self:
        self._check_weights(weight, count)
        w = self._beside(weight)
        return w._out(gather(w._in(), target.reshape(-1).node, 0)).reshape(target.shape)

    def _check_weights(self, weight: Core, count: Dim) -> None:
        if weight.shape != (count,):
            fail(ShapeError, f"the weights of {count} classes are a vector of them, not of shape {list(weight.shape)}")

    def _over_targets(self, what: str, target: Self, weights: Self | None, ignore_index: int, reduction: str) -> Self:
        """The losses of the targets that count, reduced; the mean is over their weights."""
        counts = target.ne(ignore_index)
        loss = counts._choose(self, 0.0)
        if reduction != "mean":
            return loss._reduced(what, reduction)
        share = counts.cast(self.dtype) if weights is None else counts._choose(weights, 0.0)
        return loss.sum() / share.sum()

    # ---- of numbers ----

    def _distance(self, what: str, target: Core) -> Self:
        self._same_device(what, target)
        if target.shape != self.shape:
            fail(ShapeError, f"{what}: targets {list(target.shape)} and predictions {list(self.shape)} differ in shape")
        return self - self._beside(target)

    def mse_loss(self, target: Core, reduction: str = "mean") -> Self:
        """Squared distances. ShapeError unless both have one shape.

        >>> Tensor([1.0, 2.0]).mse_loss(Tensor([1.0, 4.0])).item()
        2.0
        """
        return self._distance("mse_loss", target).square()._reduced("mse_loss", reduction)

    def l1_loss(self, target: Core, reduction: str = "mean") -> Self:
        """Absolute distances. ShapeError unless both have one shape.

        >>> Tensor([1.0, 2.0]).l1_loss(Tensor([1.0, 4.0])).item()
        1.0
        """
        return self._distance("l1_loss", target).abs()._reduced("l1_loss", reduction)

    def huber_loss(self, target: Core, reduction: str = "mean", delta: float = 1.0) -> Self:
        """Half the squared distance up to `delta`, linear beyond.

        >>> Tensor([0.0, 0.0]).huber_loss(Tensor([1.0, 3.0]), reduction="none").tolist()
        [0.5, 2.5]
        """
        if not delta > 0:
            fail(ArgumentError, f"huber_loss: delta is {delta}; it must be greater than 0")
        distance = self._distance("huber_loss", target)
        distance._need_float("huber_loss")
        if distance.dtype.is_half:
            return self.cast(dtypes.float32).huber_loss(target, reduction, delta).cast(distance.dtype)
        size = distance.abs()
        small = (size > delta)._choose(delta, size)  # nan is not smaller, either
        loss = small * (size - small * 0.5)
        return loss._reduced("huber_loss", reduction)

    def binary_cross_entropy_with_logits(self, target: Core, reduction: str = "mean") -> Self:
        """Minus the log of the probability that sigmoid(self) gives to targets in [0, 1].

        >>> Tensor([0.0]).binary_cross_entropy_with_logits(Tensor([1.0]))
        tensor(0.6931)
        """
        what = "binary_cross_entropy_with_logits"
        self._need_float(what)
        self._distance(what, target)
        if self.dtype.is_half:
            return self.cast(dtypes.float32).binary_cross_entropy_with_logits(target, reduction).cast(self.dtype)
        # softplus(x) - x * target, in an order that keeps the low bits of the logarithm, and without inf - inf
        wanted = self._beside(target)._meeting(self)  # uint8 labels have no -1
        loss = self * (self < 0)._choose(-wanted, 1 - wanted) + self._decay(1).log1p()
        return loss._reduced(what, reduction)

    def binary_cross_entropy(self, target: Core, reduction: str = "mean") -> Self:
        """Minus the log of the probability that this tensor, in [0, 1], gives to targets in [0, 1].

        As in PyTorch logarithms are at least -100, and the gradient is (self - target) / max(self * (1 - self), 1e-12).

        >>> Tensor([0.5]).binary_cross_entropy(Tensor([1.0]))
        tensor(0.6931)
        """
        what = "binary_cross_entropy"
        self._need_float(what)
        self._distance(what, target)
        if self.dtype.is_half:
            return self.cast(dtypes.float32).binary_cross_entropy(target, reduction).cast(self.dtype)
        wanted = self._beside(target).cast(self.dtype)
        yes, no = self.log().clamp(min=-100), (-self).log1p().clamp(min=-100)
        loss = -(wanted * yes + (1 - wanted) * no)
        inputs = (self._in(), wanted._in(), (no - yes)._in())
        return self._out(call(loss._in(), inputs, _CROSS_ENTROPY_OF_BITS, 0), wanted)._reduced(what, reduction)


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
