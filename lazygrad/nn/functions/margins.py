"""Losses that want a margin between right and wrong."""

from __future__ import annotations

from collections.abc import Callable

from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.nn.functions.wide import wide
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.distance_loss import reduction_named
from lazygrad.ops.joining import where
from lazygrad.tensor import Tensor

Distance = Callable[[Tensor, Tensor], Tensor]


@autocasting
@wide
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d being `pairwise_distance` of order `p`.

    With `swap`, the negative's distance is the smaller of that from the anchor and that from the positive.

    >>> from lazygrad.nn import functional
    >>> a, b = Tensor([[0.0, 0.0]]), Tensor([[3.0, 4.0]])
    >>> functional.triplet_margin_loss(a, b, b, eps=0.0).item()
    1.0
    """

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return x.pairwise_distance(y, p, eps)

    reduction = reduction_named(reduction, size_average, reduce)
    return _triplet("triplet_margin_loss", (anchor, positive, negative), distance, margin, swap, reduction)


@wide
def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Distance | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """`triplet_margin_loss` by any distance of two tensors: None is `pairwise_distance`.

    >>> from lazygrad.nn import functional
    >>> a, b = Tensor([[0.0, 0.0]]), Tensor([[3.0, 4.0]])
    >>> functional.triplet_margin_with_distance_loss(a, b, a, distance_function=Tensor.pairwise_distance)
    tensor(6.0000)
    """
    distance = distance_function or Tensor.pairwise_distance
    what = "triplet_margin_with_distance_loss"
    return _triplet(what, (anchor, positive, negative), distance, margin, swap, reduction)


def _triplet(
    what: str,
    tensors: tuple[Tensor, Tensor, Tensor],
    distance: Distance,
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    anchor, positive, negative = tensors
    if not anchor.ndim == positive.ndim == negative.ndim:
        shapes = ", ".join(str(list(t.shape)) for t in tensors)
        fail(ShapeError, f"{what}: the tensors need equally many dimensions, not {shapes}")
    if not margin > 0:
        fail(ArgumentError, f"{what}: margin is {margin}; it must be greater than 0")
    apart = distance(anchor, negative)
    if swap:
        apart = apart.minimum(distance(positive, negative))
    return (distance(anchor, positive) - apart + margin).clamp(min=0)._reduced(what, reduction)


@autocasting
@wide
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes of max(0, margin - input[target] + input[other])**p, for scores (N, C) or (C,).

    `p` is 1 or 2; `weight`, (C,), is how much each target class counts.

    >>> from lazygrad.nn import functional
    >>> functional.multi_margin_loss(Tensor([[0.0, 0.5]]), Tensor([1])).item()
    0.25
    """
    what, reduction = "multi_margin_loss", reduction_named(reduction, size_average, reduce)
    if p not in (1, 2):
        fail(ArgumentError, f"{what}: p is 1 or 2, not {p}")
    if input.ndim > 2 or target.ndim > 1 or target.numel() != (input.shape[0] if input.ndim == 2 else 1):
        fail(ShapeError, f"{what}: targets {list(target.shape)} do not fit scores {list(input.shape)}")
    scores = input if input.ndim == 2 else input.reshape(1, -1)
    classes = target.reshape(-1, 1)
    gap = _above_zero(scores - scores.gather(1, classes) + margin)
    gap = gap.square() if p == 2 else gap
    if weight is not None:
        if weight.shape != scores.shape[1:]:
            fail(ShapeError, f"{what}: weights {list(weight.shape)} for {scores.shape[1]} classes")
        gap = gap * weight.reshape(-1).gather(0, classes.reshape(-1)).unsqueeze(1)
    others = classes.reshape(-1).one_hot(scores.shape[1]).eq(0)  # type: ignore[arg-type]
    loss = where(others, gap, 0.0).sum(1) / scores.shape[1]
    return (loss if input.ndim == 2 else loss.reshape(target.shape))._reduced(what, reduction)


@autocasting
@wide
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The sum over target classes t and other classes o of max(0, 1 - input[t] + input[o]), divided by the classes.

    Scores (N, C) or (C,); targets in the same shape are the classes that count, up to the first -1.

    >>> from lazygrad.nn import functional
    >>> functional.multilabel_margin_loss(Tensor([[0.0, 0.5]]), Tensor([[1, -1]])).item()
    0.25
    """
    what, reduction = "multilabel_margin_loss", reduction_named(reduction, size_average, reduce)
    if input.shape != target.shape or input.ndim > 2:
        fail(ShapeError, f"{what}: targets {list(target.shape)} do not fit scores {list(input.shape)}")
    count = input.shape[-1] if input.ndim else 1
    scores, classes = input.reshape(-1, count), target.reshape(-1, count)
    counts = classes.lt(0).cumsum(1).eq(0)
    known = where(counts, classes, 0)
    hits = known.unsqueeze(2).eq(Tensor.arange(count, device=input.device)) & counts.unsqueeze(2)
    others = hits.any(1).logical_not()
    gap = _above_zero(scores.unsqueeze(1) - scores.gather(1, known).unsqueeze(2) + 1)
    loss = where(others.unsqueeze(1) & counts.unsqueeze(2), gap, 0.0).sum((1, 2)) / count
    return loss.reshape(input.shape[:-1])._reduced(what, reduction)


def _above_zero(gap: Tensor) -> Tensor:
    """What is above 0, else 0: also for nan, and at 0 without a gradient."""
    return where(gap > 0, gap, 0.0)


@wide
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes, the last dimension, of `binary_cross_entropy_with_logits`, each times its `weight`.

    >>> from lazygrad.nn import functional
    >>> functional.multilabel_soft_margin_loss(Tensor([[0.0, 0.0]]), Tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
    reduction = reduction_named(reduction, size_average, reduce)
    loss = input.binary_cross_entropy_with_logits(target, weight, reduction="none")
    return loss.mean(-1)._reduced("multilabel_soft_margin_loss", reduction)
