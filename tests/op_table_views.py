"""The rows of the table of operations that move elements, look them up, or are layers and losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from lazygrad import Tensor, cat, stack
from lazygrad.errors import ArgumentError, BoundsError, DTypeError, ShapeError
from tests.op_row import ALL, FLOATS, NUMBERS, In, Row

_CUBE = (In((2, 3, 4)),)


def _view(name: str, call: Any, reference: Any, inputs: tuple[In, ...] = _CUBE, **options: Any) -> Row:
    return Row(name, call, reference, inputs, options.pop("dtypes", ALL), **options)


VIEWS = [
    _view(
        "reshape",
        lambda x: x.reshape(4, -1),
        lambda x: x.reshape(4, -1),
        errors=(
            (lambda: Tensor([1, 2, 3]).reshape(2, 2), ShapeError, "3 elements"),
            (lambda: Tensor([1, 2, 3]).reshape(-1, 2), ShapeError, "3 elements"),
            (lambda: Tensor([1, 2]).reshape(1.5), ShapeError, "integers"),
        ),
    ),
    _view("view", lambda x: x.view((6, 4)), lambda x: x.reshape(6, 4)),
    _view(
        "flatten",
        lambda x: x.flatten(1),
        lambda x: x.reshape(2, 12),
        errors=((lambda: Tensor.zeros(1, 2).flatten(1, 0), ShapeError, "after"),),
    ),
    _view(
        "unflatten",
        lambda x: x.unflatten(2, (2, -1)),
        lambda x: x.reshape(2, 3, 2, 2),
        errors=((lambda: Tensor.zeros(5).unflatten(0, (2, 2)), ShapeError, "cannot be split"),),
    ),
    _view(
        "transpose",
        lambda x: x.transpose(0, -1),
        lambda x: x.swapaxes(0, -1),
        errors=((lambda: Tensor.zeros(5).transpose(0, 1), BoundsError, "dim 1"),),
    ),
    _view(
        "permute",
        lambda x: x.permute(2, 0, 1),
        lambda x: x.transpose(2, 0, 1),
        errors=((lambda: Tensor.zeros(5, 5).permute(0, 0), ShapeError, "order"),),
    ),
    _view("T", lambda x: x.T, lambda x: x.T, (In((3, 4)),)),
    _view(
        "mT",
        lambda x: x.mT,
        lambda x: x.swapaxes(-1, -2),
        errors=((lambda: Tensor.zeros(5).mT, ShapeError, "two dimensions"),),
    ),
    _view("movedim", lambda x: x.movedim(0, 2), lambda x: np.moveaxis(x, 0, 2)),
    _view("squeeze", lambda x: x.squeeze(), np.squeeze, (In((1, 3, 1)),)),
    _view("squeeze_dim", lambda x: x.squeeze(0), lambda x: x.reshape(3, 1), (In((1, 3, 1)),)),
    _view("unsqueeze", lambda x: x.unsqueeze(-1), lambda x: x[..., None]),
    _view(
        "expand",
        lambda x: x.expand(5, -1, 4),
        lambda x: np.broadcast_to(x, (5, 3, 4)),
        (In((3, 1)),),
        errors=((lambda: Tensor.zeros(2).expand(3), ShapeError, "only size 1"),),
    ),
    _view(
        "pad",
        lambda x: x.pad((1, 2, 0, 1)),
        lambda x: np.pad(x, ((0, 0), (0, 1), (1, 2))),
        torch=lambda x: functional.pad(x, (1, 2, 0, 1)),
        errors=(
            (lambda: Tensor([1]).pad((1,)), ShapeError, "pairs"),
            (lambda: Tensor([[1]]).pad(((1, 2),)), ShapeError, "pairs"),
            (lambda: Tensor([1]).pad((-1, -1)), ShapeError, "more elements away"),
        ),
    ),
    _view(
        "pad_negative",
        lambda x: x.pad((-1, 2), value=7),
        lambda x: np.pad(x[..., 1:], ((0, 0), (0, 0), (0, 2)), constant_values=7),
        torch=lambda x: functional.pad(x, (-1, 2), value=7),
        dtypes=NUMBERS,
    ),
    _view("flip", lambda x: x.flip(0, 2), lambda x: np.flip(x, (0, 2))),
    _view("roll", lambda x: x.roll((1, -2), (0, 2)), lambda x: np.roll(x, (1, -2), (0, 2))),
    _view("roll_flat", lambda x: x.roll(5), lambda x: np.roll(x, 5)),
    _view(
        "narrow",
        lambda x: x.narrow(2, 1, 2),
        lambda x: x[:, :, 1:3],
        errors=((lambda: Tensor([1]).narrow(0, 0, 2), BoundsError, "2 elements"),),
    ),
    _view("split", lambda x: x.split(3, 2)[1], lambda x: x[:, :, 3:]),
    _view(
        "split_sizes",
        lambda x: x.split([1, 3], -1)[1],
        lambda x: x[:, :, 1:],
        errors=((lambda: Tensor([1]).split([2]), ShapeError, "add up"),),
    ),
    _view("chunk", lambda x: x.chunk(3, 2)[1], lambda x: x[:, :, 2:]),
    _view("unbind", lambda x: x.unbind(1)[2], lambda x: x[:, 2]),
    _view(
        "cat",
        lambda a, b: cat([a, b, a], -1),
        lambda a, b: np.concatenate([a, b, a], -1),
        (In((2, 3)), In((2, 1))),
        torch=lambda a, b: torch.cat([a, b, a], -1),
        errors=(
            (lambda: cat([Tensor([1]), Tensor([[1]])]), ShapeError, "differ"),
            (lambda: cat([]), ArgumentError, "no tensors"),
        ),
    ),
    _view(
        "stack",
        lambda a, b: stack([a, b], 1),
        lambda a, b: np.stack([a, b], 1),
        (In((2, 3)), In((2, 3))),
        torch=lambda a, b: torch.stack([a, b], 1),
        errors=((lambda: stack([Tensor([1]), Tensor([1, 2])]), ShapeError, "differ"),),
    ),
    _view(
        "repeat",
        lambda x: x.repeat(2, 1, 3),
        lambda x: np.tile(x, (2, 1, 3)),
        (In((2, 3)),),
        errors=((lambda: Tensor.zeros(1, 1).repeat(2), ShapeError, "fewer"),),
    ),
    _view("tile", lambda x: x.tile(2), lambda x: np.tile(x, 2)),
    _view("repeat_interleave", lambda x: x.repeat_interleave(2, 1), lambda x: np.repeat(x, 2, 1)),
    _view("triu", lambda x: x.triu(), np.triu, errors=((lambda: Tensor([1]).triu(), ShapeError, "two dimensions"),)),
    _view("triu_below", lambda x: x.triu(-1), lambda x: np.triu(x, -1)),
    _view("tril", lambda x: x.tril(1), lambda x: np.tril(x, 1)),
    _view("diagonal", lambda x: x.diagonal(), np.diagonal, (In((3, 4)),)),
    _view("contiguous", lambda x: x.transpose(0, 1).contiguous() * 1, lambda x: x.swapaxes(0, 1), dtypes=NUMBERS),
    _view("clone", lambda x: x.clone(), lambda x: x),
]


def _index(name: str, index: Any, **options: Any) -> Row:
    return _view(f"index_{name}", lambda x: x[index], lambda x: x[index], **options)


def _gather(a: Any, i: Any) -> Any:
    return np.take_along_axis(a[: i.shape[0]], i, 1)


def _scatter_add(a: Any, i: Any, b: Any) -> Any:
    out = a.copy()
    np.add.at(out, (np.arange(i.shape[0])[:, None], i), b[: i.shape[0], : i.shape[1]])
    return out


_PLACES = In((2, 3), 0, 4, integer=True)
INDEXED = [
    _index(
        "int",
        1,
        errors=(
            (lambda: Tensor([1])[1], BoundsError, "index 1"),
            (lambda: Tensor([1])[0, 0], BoundsError, "2 indices"),
            (lambda: Tensor([1])[..., ...], BoundsError, "more than one"),
            (lambda: Tensor([1])["a"], BoundsError, "'a'"),
        ),
    ),
    _index("negative", (-1, -2)),
    _index("slice", (slice(None), slice(1, None), slice(-3, -1))),
    _index("ellipsis", (..., 2)),
    _index("none", (None, 1, ..., None)),
    _index("empty_slice", (slice(None), slice(2, 1))),
    _index("step", (slice(None), slice(None, None, 2), slice(1, None, 3))),
    _index(
        "list",
        [1, 0, 1],
        errors=(
            (lambda: Tensor([1])[[1]], BoundsError, "index 1"),
            (lambda: Tensor([1])[[0.5]], DTypeError, "integer"),
        ),
    ),
    _index("two_lists", ([0, 1, 1], [2, 0, 2])),
    _index("list_and_slice", (slice(None), [2, 0], slice(1, 3))),
    _index("neighbours", (slice(None), [2, 0], [-1, 1])),
    _index("apart", ([1, 0], slice(None), [3, 1])),
    _index("nested", (slice(None), [[0, 1], [2, 2]])),
    _index(
        "mask",
        np.array([[True, False, True], [False, False, True]]),
        errors=((lambda: Tensor([1, 2])[Tensor([True])], BoundsError, "mask"),),
    ),
    _index("mask_of_dim", (slice(None), np.array([True, False, True]))),
    _view(
        "index_step_back",
        lambda x: x[:, ::-1, ::-2],
        lambda x: x[:, ::-1, ::-2],
        torch=lambda x: x.flip(1, 2)[..., ::2],
    ),
    Row("index_tensor", lambda x, i: x[i], lambda x, i: x[i], (In((4, 3)), In((2, 3), -4, 4, integer=True)), NUMBERS),
    Row(
        "index_tensors",
        lambda x, i, j: x[i, :, j],
        lambda x, i, j: x[i, :, j],
        (In((4, 2, 3)), In((2, 3), -4, 4, integer=True), In((3,), -3, 3, integer=True)),
        NUMBERS,
    ),
    Row("index_by_mask", lambda x, m: x[m], lambda x, m: x[m], (In((3, 4)), In((3, 4), mask=True)), NUMBERS),
    Row(
        "gather",
        lambda x, i: x.gather(1, i),
        _gather,
        (In((3, 4)), _PLACES),
        NUMBERS,
        errors=(
            (lambda: Tensor([[1]]).gather(1, Tensor([0])), ShapeError, "as many axes"),
            (lambda: Tensor([1]).gather(0, Tensor([0.0])), DTypeError, "integer"),
        ),
    ),
    Row(
        "take_along_dim",
        lambda x, i: x.take_along_dim(i, 1),
        lambda x, i: np.take_along_axis(x, i, 1),
        (In((3, 4)), In((1, 2), 0, 4, integer=True)),
        NUMBERS,
    ),
    Row(
        "index_select",
        lambda x, i: x.index_select(1, i),
        lambda x, i: x[:, i],
        (In((3, 4)), In((5,), 0, 4, integer=True)),
        NUMBERS,
        errors=((lambda: Tensor([1]).index_select(0, Tensor([[0]])), ShapeError, "vector"),),
    ),
    Row(
        "scatter",
        lambda x, i, b: x.scatter(1, i, b),
        None,
        (In((3, 4)), In((2, 1), 0, 4, integer=True), In((2, 1))),
        NUMBERS,
        errors=(
            (lambda: Tensor([1]).scatter(0, Tensor([0]), Tensor([1.0])), DTypeError, "float32"),
            (lambda: Tensor([1, 2]).scatter(0, Tensor([0, 1]), Tensor([1])), ShapeError, "smaller"),
        ),
    ),
    Row("scatter_scalar", lambda x, i: x.scatter(1, i, 2), None, (In((3, 4)), _PLACES), NUMBERS),
    Row(
        "scatter_add", lambda x, i, b: x.scatter_add(1, i, b), _scatter_add, (In((3, 4)), _PLACES, In((2, 3))), NUMBERS
    ),
    Row(
        "embedding",
        lambda w, i: w.embedding(i),
        lambda w, i: w[i],
        (In((4, 5)), _PLACES),
        FLOATS,
        torch=lambda w, i: functional.embedding(i, w),
        errors=((lambda: Tensor([1.0]).embedding(Tensor([0])), ShapeError, "matrix"),),
    ),
    Row(
        "one_hot",
        lambda i: i.one_hot(4),
        lambda i: np.eye(4, dtype=np.int64)[i],
        (_PLACES,),
        ("int64",),
        grad=False,
        torch=lambda i: functional.one_hot(i, 4),
    ),
    Row("nonzero", lambda x: x.nonzero(), np.argwhere, (In(low=0, high=2, integer=True),), ("int64",), grad=False),
    Row(
        "masked_select",
        lambda x, m: x.masked_select(m),
        lambda x, m: x[np.broadcast_to(m, x.shape)],
        (In((3, 4)), In((4,), mask=True)),
        NUMBERS,
    ),
]


def _conv(shape: tuple[int, ...], weight: tuple[int, ...], **options: Any) -> Row:
    name = "conv2d_" + "_".join([*map(str, shape), *(f"{k}={v}" for k, v in options.items())])
    bias = In((weight[0],))
    return Row(
        name,
        lambda x, w, b: x.conv2d(w, b, **options),
        None,
        (In(shape), In(weight), bias),
        FLOATS[:2],
        torch=lambda x, w, b: functional.conv2d(x, w, b, **options),
    )


def _target_loss(name: str, torch_call: Any, errors: Any = ()) -> Row:
    inputs = (In(low=0.1, high=0.9), In(low=0.1, high=0.9))
    return Row(name, lambda x, t: getattr(x, name)(t), None, inputs, FLOATS[:2], torch=torch_call, errors=errors)


_LOGITS, _CLASSES = In((5, 4)), In((5,), 0, 4, integer=True)
LAYERS = [
    _conv((2, 3, 5, 6), (4, 3, 3, 3)),
    _conv((2, 3, 5, 6), (4, 3, 3, 2), padding=1),
    _conv((2, 3, 7, 7), (4, 3, 3, 3), stride=2, padding=(1, 0)),
    _conv((1, 2, 9, 8), (2, 2, 3, 2), dilation=(2, 3)),
    _conv((2, 4, 6, 6), (6, 2, 3, 3), groups=2, stride=(1, 3)),
    _conv((2, 4, 5, 5), (4, 1, 3, 3), groups=4, padding="same"),
    _conv((3, 5, 5), (2, 3, 1, 1)),
    _conv((1, 1, 3, 3), (1, 1, 3, 3), stride=5),
    Row(
        "conv1d",
        lambda x, w: x.conv1d(w, stride=2, padding=1),
        None,
        (In((2, 3, 7)), In((4, 3, 3))),
        FLOATS[:2],
        torch=lambda x, w: functional.conv1d(x, w, stride=2, padding=1),
        errors=(
            (lambda: Tensor.ones(1, 2, 5).conv1d(Tensor.ones(1, 3, 2)), ShapeError, "channels"),
            (lambda: Tensor.ones(1, 1, 2).conv1d(Tensor.ones(1, 1, 3)), ShapeError, "larger than"),
            (lambda: Tensor.ones(1, 1, 2).conv1d(Tensor.ones(1, 1, 1), stride=(1, 2)), ArgumentError, "1 dimensions"),
            (lambda: Tensor.ones(1, 1, 2).conv1d(Tensor.ones(1, 1, 1), padding="full"), ArgumentError, "full"),
        ),
    ),
    Row(
        "max_pool2d",
        lambda x: x.max_pool2d(2),
        None,
        (In((2, 3, 4, 6)),),
        FLOATS[:2],
        torch=lambda x: functional.max_pool2d(x, 2),
    ),
    Row(
        "max_pool2d_padded",
        lambda x: x.max_pool2d(3, 2, 1),
        None,
        (In((2, 3, 6, 7)),),
        FLOATS[:2],
        torch=lambda x: functional.max_pool2d(x, 3, 2, 1),
        errors=((lambda: Tensor.ones(1, 4, 4).max_pool2d(2, padding=2), ArgumentError, "half"),),
    ),
    Row(
        "avg_pool2d",
        lambda x: x.avg_pool2d(3, 1, 1),
        None,
        (In((2, 3, 5, 4)),),
        FLOATS[:2],
        torch=lambda x: functional.avg_pool2d(x, 3, 1, 1),
    ),
    Row(
        "avg_pool2d_unpadded",
        lambda x: x.avg_pool2d(2, 2, 1, count_include_pad=False),
        None,
        (In((2, 3, 5, 4)),),
        FLOATS[:2],
        torch=lambda x: functional.avg_pool2d(x, 2, 2, 1, count_include_pad=False),
    ),
    Row(
        "cross_entropy",
        lambda x, t: x.cross_entropy(t),
        None,
        (_LOGITS, _CLASSES),
        torch=functional.cross_entropy,
        errors=(
            (lambda: Tensor.ones(2, 3).cross_entropy(Tensor([0])), ShapeError, "do not fit"),
            (lambda: Tensor.ones(2, 3, 3).cross_entropy(Tensor([[0] * 3] * 2)), ShapeError, "dim="),
            (lambda: Tensor.ones(2, 3).cross_entropy(Tensor([0, 1]), reduction="max"), ArgumentError, "reduction"),
            (lambda: Tensor.ones(2, 3).cross_entropy(Tensor([0.0, 1.0])), DTypeError, "integer"),
        ),
    ),
    *(
        Row(
            f"cross_entropy_{reduction}_{smoothing}_{ignored}",
            lambda x, t, w, o=(reduction, smoothing, ignored): x.cross_entropy(
                t, weight=w.to(x.dtype), reduction=o[0], label_smoothing=o[1], ignore_index=o[2]
            ),
            None,
            (_LOGITS, _CLASSES, In((4,), 1, 4, integer=True)),
            FLOATS[:2],
            torch=lambda x, t, w, o=(reduction, smoothing, ignored): functional.cross_entropy(
                x, t, weight=w.to(x.dtype), reduction=o[0], label_smoothing=o[1], ignore_index=o[2]
            ),
        )
        for reduction, smoothing, ignored in [("mean", 0.1, 1), ("sum", 0.0, 2), ("none", 0.3, -100), ("mean", 1.0, 0)]
    ),
    Row(
        "cross_entropy_classes_second",
        lambda x, t: x.cross_entropy(t),
        None,
        (In((2, 5, 3)), In((2, 3), 0, 5, integer=True)),
        torch=functional.cross_entropy,
    ),
    Row(
        "cross_entropy_classes_last",
        lambda x, t: x.cross_entropy(t),
        None,
        (In((2, 3, 5)), In((2, 3), 0, 5, integer=True)),
        torch=lambda x, t: functional.cross_entropy(x.movedim(2, 1), t),
    ),
    Row(
        "cross_entropy_vector",
        lambda x, t: x.cross_entropy(t),
        None,
        (In((5,)), In((), 0, 5, integer=True)),
        torch=functional.cross_entropy,
    ),
    Row("nll_loss", lambda x, t: x.nll_loss(t), None, (_LOGITS, _CLASSES), FLOATS[:2], torch=functional.nll_loss),
    _target_loss(
        "mse_loss", functional.mse_loss, ((lambda: Tensor([1.0]).mse_loss(Tensor([[1.0]])), ShapeError, "differ"),)
    ),
    _target_loss("l1_loss", functional.l1_loss),
    _target_loss("huber_loss", functional.huber_loss),
    _target_loss("binary_cross_entropy", functional.binary_cross_entropy),
    _target_loss("binary_cross_entropy_with_logits", functional.binary_cross_entropy_with_logits),
    *(
        Row(
            f"attention_{label}",
            lambda q, k, v, o=options: q.scaled_dot_product_attention(k, v, **o),
            None,
            (In((2, 2, 5, 4)), In((2, 2, length, 4)), In((2, 2, length, 3))),
            FLOATS[:2],
            torch=lambda q, k, v, o=options: functional.scaled_dot_product_attention(q, k, v, **o),
        )
        for label, length, options in [
            ("plain", 6, {}),
            ("causal", 5, {"is_causal": True}),
            ("scaled", 3, {"scale": 0.25}),
        ]
    ),
    Row(
        "attention_bool_mask",
        lambda q, k, v, m: q.scaled_dot_product_attention(k, v, m | m.mT),
        None,
        (In((2, 5, 4)), In((2, 5, 4)), In((2, 5, 4)), In((1, 5), mask=True)),
        FLOATS[:2],
        torch=lambda q, k, v, m: functional.scaled_dot_product_attention(q, k, v, m | m.mT),
    ),
    Row(
        "attention_added_mask",
        lambda q, k, v, m: q.scaled_dot_product_attention(k, v, m),
        None,
        (In((2, 3, 4)), In((2, 3, 4)), In((2, 3, 4)), In((3, 3))),
        FLOATS[:2],
        torch=functional.scaled_dot_product_attention,
        errors=(
            (
                lambda: Tensor.ones(2, 2).scaled_dot_product_attention(Tensor.ones(3, 2), Tensor.ones(2, 2)),
                ShapeError,
                "fit",
            ),
            (
                lambda: Tensor.ones(2, 2).scaled_dot_product_attention(
                    Tensor.ones(2, 2), Tensor.ones(2, 2), Tensor.ones(2, 2), is_causal=True
                ),
                ArgumentError,
                "not both",
            ),
        ),
    ),
]
