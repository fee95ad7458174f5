"""Rows of functions that `nn.functional` alone has: tables and losses with a linear layer inside."""

from __future__ import annotations

from torch.nn import functional as theirs

from lazygrad import Tensor
from lazygrad.errors import ArgumentError, BoundsError, ShapeError
from lazygrad.nn import functional as ours
from tests.op_row import In, Row, both

_INDEX, _TABLE = In((3, 4), 0, 5, integer=True), In((5, 3))
_CLASSES = In((4,), 0, 3, integer=True)

TABLES = [
    *(both("embedding_bag", mode, _INDEX, _TABLE, mode=mode) for mode in ("sum", "mean", "max")),
    *(both("embedding_bag", f"{mode}_padded", _INDEX, _TABLE, mode=mode, padding_idx=2) for mode in ("sum", "mean")),
    Row(
        "embedding_bag_weighted",
        lambda i, w, f: ours.embedding_bag(i, w, mode="sum", per_sample_weights=f),
        lambda i, w, f: (w[i] * f[..., None]).sum(1),
        (_INDEX, _TABLE, In((3, 4))),
        ("float64", "float32"),
        torch=lambda i, w, f: theirs.embedding_bag(i, w, mode="sum", per_sample_weights=f),
        errors=(
            (lambda: ours.embedding_bag(Tensor([[0]]), Tensor.ones(2, 2), mode="most"), ArgumentError, "mode is"),
            (lambda: ours.embedding_bag(Tensor([0]), Tensor.ones(2, 2)), ShapeError, "without offsets"),
            (lambda: ours.embedding(Tensor([0]), Tensor.ones(2, 2), padding_idx=2), BoundsError, "padding_idx 2"),
        ),
    ),
    Row(
        "linear_cross_entropy",
        lambda x, w, t, b: ours.linear_cross_entropy(x, w, t, linear_bias=b, label_smoothing=0.1),
        None,
        (In((4, 5)), In((3, 5)), _CLASSES, In((3,))),
        ("float64", "float32"),
        torch=lambda x, w, t, b: theirs.linear_cross_entropy(x, w, t, linear_bias=b, label_smoothing=0.1),
    ),
]
