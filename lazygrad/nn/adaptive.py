"""Losses that have the last linear layer inside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from lazygrad.dtype import DTypeLike
from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.nn import functional
from lazygrad.nn.containers import ModuleList, Sequential
from lazygrad.nn.functions.linear_loss import LinearCrossEntropyOptions
from lazygrad.nn.linear import Linear
from lazygrad.nn.module import Module
from lazygrad.ops.inside import inside
from lazygrad.ops.joining import cat
from lazygrad.tensor import Tensor

__all__ = ["AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss", "LinearCrossEntropyOptions"]


class AdaptiveLoss(NamedTuple):
    """What `AdaptiveLogSoftmaxWithLoss` gives: the log-probability of each target, and minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of many classes, of which rare ones are reached by two steps: the head gives those of the first
    classes and of clusters of the others; a cluster's classes have fewer features. (E. Grave et al., "Efficient softmax
    approximation for GPUs", 2017.)

    Args:
        in_features: of the input.
        n_classes: how many there are; frequent ones come first.
        cutoffs: the first class of each cluster, in order.
        div_value: each cluster has the features of the one before (the input's, at first) divided by this.
        head_bias: whether the head has a bias.

    Called with (N, in_features) and targets (N,), or (in_features,) and (), it gives the log-probabilities of the
    targets and the loss. Every cluster is computed for all rows, so that `jit` may trace it.

    >>> loss = nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10])
    >>> output, mean = loss(Tensor.ones(3, 8), Tensor([0, 7, 19]))
    >>> output.shape, mean.shape, loss.log_prob(Tensor.ones(3, 8)).shape
    ((3,), (), (3, 20))
    """

    head: Linear
    tail: ModuleList

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        given = list(cutoffs)
        in_order = given == sorted(set(given)) and all(int(c) == c for c in given)
        if not given or not in_order or given[0] <= 0 or given[-1] > n_classes - 1:
            fail(ArgumentError, f"cutoffs are growing integers of 1 to {n_classes - 1}, at least one, not {given}")
        if not 0 < div_value < math.inf:
            fail(ArgumentError, f"div_value is {div_value}; it is a positive number")
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, [*given, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = given[0], len(given)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for k, (first, end) in enumerate(self._clusters()):
            width = int(in_features // div_value ** (k + 1))
            first_step = Linear(in_features, width, False, device, dtype)
            self.tail.append(Sequential(first_step, Linear(width, end - first, False, device, dtype)))

    def _clusters(self) -> list[tuple[int, int]]:
        """The first class of each cluster, and the one after its last."""
        return list(zip(self.cutoffs, self.cutoffs[1:]))

    def reset_parameters(self) -> None:
        """Initial values anew, in place."""
        self.head.reset_parameters()
        for layer in [layer for steps in self.tail for layer in steps]:  # type: ignore[attr-defined]
            layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> AdaptiveLoss:
        """The log-probability of each target, and minus their mean."""
        if target_.ndim not in (0, 1) or input_.ndim != target_.ndim + 1 or input_.shape[:-1] != target_.shape:
            shapes = f"{list(input_.shape)} and {list(target_.shape)}"
            fail(
                ShapeError, f"AdaptiveLogSoftmaxWithLoss: takes (N, features) and (N,), or (features,) and (), {shapes}"
            )
        x, target = (input_, target_) if target_.ndim else (input_.unsqueeze(0), target_.unsqueeze(0))
        target = target._new(inside("AdaptiveLogSoftmaxWithLoss", target.node, self.n_classes))
        output, place = None, target
        for k, (first, end) in enumerate(self._clusters()):
            is_here = (target >= first).logical_and(target < end)
            place = place.masked_fill(is_here, self.shortlist_size + k)
            logits = self.tail[k](x)
            loss = functional.cross_entropy(logits, (target - first).clamp(0, end - first - 1), reduction="none")
            loss = loss.masked_fill(is_here.logical_not(), 0.0)
            output = loss if output is None else output + loss
        assert output is not None  # there is a cluster at least
        output = -(output + functional.cross_entropy(self.head(x), place, reduction="none"))
        return AdaptiveLoss(output if target_.ndim else output.squeeze(0), -output.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes: (N, in_features) to (N, n_classes)."""
        head: Tensor = self.head(input).log_softmax(1)
        parts: list[Tensor] = [head[:, : self.shortlist_size]]
        for k in range(self.n_clusters):
            cluster = head[:, self.shortlist_size + k].unsqueeze(1)
            parts.append(self.tail[k](input).log_softmax(1) + cluster)
        return cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each row: (N, in_features) to (N,)."""
        classes: Tensor = self.log_prob(input).argmax(1)
        return classes


class LinearCrossEntropyLoss(Module):
    """`functional.linear_cross_entropy` whose weight is that of `linear`: (N, in_features) and targets to the loss.

    Args:
        in_features, num_classes: of the input, and of the logits.
        out_features: sizes (d1, ...) of logits (N, num_classes, d1, ...).
        bias: whether `linear` has one.
        weight: a factor for each class.
        reduction, ignore_index, label_smoothing, options: see `functional.linear_cross_entropy`.

    >>> nn.LinearCrossEntropyLoss(5, 10, out_features=(4,))(Tensor.ones(2, 5), Tensor.zeros(2, 4, dtype="int64")).shape
    ()
    """

    weight: Tensor | None

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: Sequence[int] = (),
        bias: bool = False,
        device: str | None = None,
        dtype: DTypeLike | None = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        super().__init__()
        if weight is not None and weight.shape != (num_classes,):
            fail(ShapeError, f"LinearCrossEntropyLoss: the weight is ({num_classes},), not {list(weight.shape)}")
        if not 0 <= label_smoothing <= 1:
            fail(ArgumentError, f"LinearCrossEntropyLoss: label_smoothing={label_smoothing} is not in [0, 1]")
        self.register_buffer("weight", weight)
        self.num_classes, self.out_features, self.options = num_classes, tuple(out_features), options
        self.reduction, self.ignore_index, self.label_smoothing = reduction, ignore_index, label_smoothing
        self.linear = Linear(in_features, math.prod(out_features, start=num_classes), bias, device, dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        shape = (self.num_classes, *self.out_features)
        bias = None if self.linear.bias is None else self.linear.bias.reshape(shape)
        how: dict[str, Any] = {"ignore_index": self.ignore_index, "label_smoothing": self.label_smoothing}
        return functional.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*shape, self.linear.in_features),
            target,
            linear_bias=bias,
            weight=self.weight,
            reduction=self.reduction,
            options=self.options,
            **how,
        )

    def extra_repr(self) -> str:
        """The settings."""
        inside = f"in_features={self.linear.in_features}, num_classes={self.num_classes}"
        names = ("reduction", "ignore_index", "label_smoothing", "options")
        settings = ", ".join(f"{name}={getattr(self, name)}" for name in names)
        return f"{inside}, out_features={self.out_features}, bias={self.linear.bias is not None}, {settings}"
