"""Losses of classes. `reduction` is 'mean', 'sum' or 'none'; `size_average` and `reduce` are its older names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazygrad.dtype import dtypes
from lazygrad.errors import ShapeError
from lazygrad.index.expr import Dim
from lazygrad.ir.node import as_index, gather
from lazygrad.ir.op import Combine
from lazygrad.ops.core import Core, fail
from lazygrad.ops.distance_loss import DistanceLoss, reduction_named
from lazygrad.ops.inside import inside
from lazygrad.ops.joining import Joining
from lazygrad.ops.normalize import Normalize

if TYPE_CHECKING:
    from typing_extensions import Self


class Loss(DistanceLoss, Normalize, Joining):
    """Losses of classes, this tensor being the prediction."""

    __slots__ = ()

    def cross_entropy(
        self,
        target: Core,
        weight: Core | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
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
        what, reduction = "cross_entropy", reduction_named(reduction, size_average, reduce)
        axis = self._class_axis(what, target, dim)
        if self.dtype.is_half:
            wide = self.cast(dtypes.float32)
            loss = wide.cross_entropy(target, weight, None, ignore_index, None, reduction, label_smoothing, axis)
            return loss.cast(self.dtype)
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
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        dim: int | None = None,
    ) -> Self:
        """`cross_entropy` of log-probabilities: minus the one of each target class.

        >>> Tensor([[-0.5, -1.0]]).nll_loss(Tensor([1])).item()
        1.0
        """
        reduction = reduction_named(reduction, size_average, reduce)
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
