"""The cross entropy of what a linear layer makes of its input."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lazygrad.dtype import DTypeLike
from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.ops.operands import not_a_tensor
from lazygrad.tensor import Tensor

IGNORED = -100  # the class that is left out unless told, PyTorch's


@dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """How PyTorch computes `linear_cross_entropy` piece by piece, by its names.

    They change nothing: whether the products with all classes are stored is up to the compiler, whose gradients are of
    any order and as often as asked for.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: DTypeLike | None = None


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: LinearCrossEntropyOptions | None = None,
) -> Tensor:
    """`cross_entropy` of the logits input @ linear_weight.T + linear_bias.

    Args:
        input: (in,) or (N, in).
        linear_weight: (C, in), or (C, d1, ..., in) for logits (N, C, d1, ...).
        target: classes, () or (N,) or (N, d1, ...), or probabilities of the shape of the logits.
        linear_bias: (C,) or (C, d1, ...).
        weight, reduction, label_smoothing: see `cross_entropy`.
        ignore_index: the class that is left out; None for -100. ArgumentError for any where the target is
            probabilities.
        options: accepted.

    >>> from lazygrad.nn import functional
    >>> x, w = Tensor([[1.0, 0.0]]), Tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> functional.linear_cross_entropy(x, w, Tensor([0])).allclose(functional.cross_entropy(x, Tensor([0])))
    True
    """
    what = "linear_cross_entropy"
    for t in (input, linear_weight, target, *(t for t in (linear_bias, weight) if t is not None)):
        if not isinstance(t, Tensor):
            not_a_tensor(what, t)
    if input.ndim not in (1, 2):
        fail(ShapeError, f"{what}: the input is (in,) or (N, in), not of shape {list(input.shape)}")
    if linear_weight.ndim < 2 or linear_weight.shape[-1] != input.shape[-1]:
        shapes = f"{list(linear_weight.shape)} for an input of shape {list(input.shape)}"
        fail(ShapeError, f"{what}: the weight is (classes, ..., in), not of shape {shapes}")
    classes = linear_weight.shape[:-1]
    if linear_bias is not None and linear_bias.shape != classes:
        fail(ShapeError, f"{what}: the bias is of shape {list(classes)}, not {list(linear_bias.shape)}")
    if len(classes) > 1 and input.ndim == 1:
        fail(ShapeError, f"{what}: a weight of shape {list(linear_weight.shape)} needs an input (N, in)")
    rows = linear_weight.reshape(math.prod(int(n) for n in classes), linear_weight.shape[-1])
    logits = input.linear(rows, None if linear_bias is None else linear_bias.reshape(-1))
    logits = logits.reshape(*input.shape[:-1], *classes)
    if ignore_index is not None and target.shape == logits.shape:
        fail(ArgumentError, f"{what}: ignore_index={ignore_index} names a class, and the target is probabilities")
    ignored = IGNORED if ignore_index is None else ignore_index
    how = {"ignore_index": ignored, "reduction": reduction, "label_smoothing": label_smoothing}
    return logits.cross_entropy(target, weight, **how)  # type: ignore[arg-type]
