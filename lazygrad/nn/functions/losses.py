"""Losses of distributions and of pairs. `reduction` is 'mean', 'sum' or 'none'; `size_average` and `reduce` are its
older names.
"""

from __future__ import annotations

import math

from lazygrad.engine.tracing import watch_here
from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.nn.functions.wide import wide
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.distance_loss import reduction_named
from lazygrad.ops.joining import where
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.promotion import together
from lazygrad.tensor import Tensor


@autocasting
@wide
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """target * (log(target) - input), the divergence from log-probabilities `input` to probabilities `target`.

    Both broadcast; with `log_target` the targets are logarithms, too. 'batchmean' is the sum divided by the first size.

    >>> from lazygrad.nn import functional
    >>> functional.kl_div(Tensor([[0.0, 0.0]]), Tensor([[1.0, 0.5]]), reduction="none")
    tensor([[ 0.0000, -0.3466]])
    """
    reduction = reduction_named(reduction, size_average, reduce)
    if log_target:
        loss = target.exp() * (target - input)
    else:
        loss = target.xlogy(target) - target * input
    if reduction == "batchmean":
        return loss.sum() / (input.shape[0] if input.ndim else 1)
    return loss._reduced("kl_div", reduction)


@autocasting
@wide
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log of the probability of counts `target` where `input` is the log of (or is) their expectation.

    With `full`, Stirling's approximation of log(target!) is added for targets above 1.

    >>> from lazygrad.nn import functional
    >>> functional.poisson_nll_loss(Tensor([0.0, 1.0]), Tensor([1.0, 0.0]), reduction="none")
    tensor([1.0000, 2.7183])
    """
    reduction = reduction_named(reduction, size_average, reduce)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        many = target > 1
        count = where(many, target, 1.0)
        stirling = count * count.log() - count + (count * (2 * math.pi)).log() * 0.5
        loss = loss + where(many, stirling, 0.0)
    return loss._reduced("poisson_nll_loss", reduction)


@wide
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log of the density of `target` for normal numbers of mean `input` and variance `var`, at least `eps`.

    `var` is a number, has the shape of `input`, lacks its last dimension, or has size 1 in one. With `full` the
    constant log(2 pi) / 2 is added. ShapeError for another variance; ArgumentError for a negative one, which is read,
    and for an `eps` that is not above 0.

    >>> from lazygrad.nn import functional
    >>> functional.gaussian_nll_loss(Tensor([0.0]), Tensor([2.0]), Tensor([1.0])).item()
    2.0
    """
    what = "gaussian_nll_loss"
    if not eps > 0:
        fail(ArgumentError, f"{what}: eps is {eps}; it must be greater than 0")
    variance = input.full_like(var) if isinstance(var, (int, float)) else var
    if variance.shape != input.shape:
        if variance.shape == input.shape[:-1]:
            variance = variance.unsqueeze(-1)
        else:
            others = [n for m, n in zip(input.shape, variance.shape) if m != n]
            if input.ndim != variance.ndim or others != [1]:
                fail(ShapeError, f"{what}: variances {list(variance.shape)} do not fit means {list(input.shape)}")
    if watch_here() is None and (variance < 0).any().item():
        fail(ArgumentError, f"{what}: some variance is negative")
    variance = variance._lifted(eps)
    loss = ((input - target).square() / variance + variance.log()) * 0.5
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return loss._reduced(what, reduction)


@autocasting
@wide
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos of vectors (N, D) or (D,) whose target, (N,) or a scalar, is 1; where it is -1, cos - margin, at least 0.

    >>> from lazygrad.nn import functional
    >>> x = Tensor([[3.0, 4.0], [3.0, 4.0]])
    >>> functional.cosine_embedding_loss(x, x, Tensor([1, -1]), margin=0.25, reduction="none")
    tensor([0.0000, 0.7500])
    """
    what, reduction = "cosine_embedding_loss", reduction_named(reduction, size_average, reduce)
    _need_tensors(what, input1, input2, target)
    if target.ndim > 1 or input1.ndim != target.ndim + 1 or input2.ndim != input1.ndim:
        shapes = f"{list(input1.shape)}, {list(input2.shape)} and targets {list(target.shape)}"
        fail(ShapeError, f"{what}: takes (N, D), (N, D) and (N,), or (D,), (D,) and a scalar, not {shapes}")
    x, y = together(what, input1, input2)
    dim, least = target.ndim, 1e-12  # PyTorch's, which is not that of cosine_similarity
    lengths = ((x.square().sum(dim) + least) * (y.square().sum(dim) + least)).sqrt()
    cosine = (x * y).sum(dim) / lengths
    loss = where(target.eq(1), 1 - cosine, 0.0) + where(target.eq(-1), (cosine - margin).clamp(min=0), 0.0)
    return loss._reduced(what, reduction)


@autocasting
@wide
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -target * (input1 - input2) + margin): 0 where `input1` is the greater one, and target is 1 (else -1).

    ShapeError unless all three have equally many dimensions; they broadcast.

    >>> from lazygrad.nn import functional
    >>> functional.margin_ranking_loss(Tensor([1.0]), Tensor([3.0]), Tensor([1.0])).item()
    2.0
    """
    what, reduction = "margin_ranking_loss", reduction_named(reduction, size_average, reduce)
    _need_tensors(what, input1, input2, target)
    if not input1.ndim == input2.ndim == target.ndim:
        shapes = ", ".join(str(list(t.shape)) for t in (input1, input2, target))
        fail(ShapeError, f"{what}: the tensors need equally many dimensions, not {shapes}")
    return (-target * (input1 - input2) + margin).clamp(min=0)._reduced(what, reduction)


@autocasting
@wide
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """A distance `input` itself where its target is 1, and max(0, margin - input) where it is -1.

    >>> from lazygrad.nn import functional
    >>> functional.hinge_embedding_loss(Tensor([0.25, 0.25]), Tensor([1, -1]), reduction="none").tolist()
    [0.25, 0.75]
    """
    reduction = reduction_named(reduction, size_average, reduce)
    apart = where(target.ne(1), (margin - input).clamp(min=0), 0.0)
    return (apart + where(target.ne(-1), input, 0.0))._reduced("hinge_embedding_loss", reduction)


@autocasting
@wide
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-target * input)), for targets of 1 and -1.

    >>> from lazygrad.nn import functional
    >>> functional.soft_margin_loss(Tensor([0.0]), Tensor([1.0]))
    tensor(0.6931)
    """
    what, reduction = "soft_margin_loss", reduction_named(reduction, size_average, reduce)
    if input.shape != target.shape:
        fail(ShapeError, f"{what}: targets {list(target.shape)} and predictions {list(input.shape)} differ in shape")
    return (-target * input).softplus()._reduced(what, reduction)


def _need_tensors(what: str, *given: Tensor) -> None:
    for x in given:
        if not isinstance(x, Tensor):
            not_a_tensor(what, x)
