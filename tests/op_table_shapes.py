"""The table's rows of diagonals, orders of elements, scatters, splits, stacks, grids, padding and windows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import lazygrad
from lazygrad import Tensor
from lazygrad.errors import ArgumentError, BoundsError, DTypeError, ShapeError
from lazygrad.nn import functional
from tests.op_row import ALL, FLOATS, NUMBERS, In, Row

_MATRIX, _SQUARE, _CUBE, _LINE = In((3, 5)), In((4, 4)), In((2, 3, 4)), In((6,))
_IMAGE = In((2, 8, 4, 6))
_PLACES = In((4,), 0, 3, integer=True)


def _of(x: Any) -> Any:
    """The functions that go with a tensor."""
    return lazygrad if isinstance(x, Tensor) else torch


def _nn(x: Any) -> Any:
    return functional if isinstance(x, Tensor) else torch.nn.functional


def _row(name: str, call: Callable[..., Any], reference: Any, *inputs: In, **options: Any) -> Row:
    return Row(name, call, reference, inputs or (_CUBE,), options.pop("dtypes", ALL), **options)


def _of_places(x: Any) -> Any:
    """Places that differ, so that every element has one gradient, on the device of `x`."""
    return x.new_tensor([2, 0]).long()


def _quiet(call: Callable[..., Any]) -> Callable[..., Any]:
    """PyTorch warns that these may change."""

    def called(*args: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(*args)

    return called


def _error(call: Callable[[], Any], kind: type[Exception], words: str) -> Any:
    return call, kind, words


def _put(x: Any, i: Any, v: Any, change: Callable[[Any, Any, Any], None]) -> Any:
    """`x` with rows `i` changed by `v`."""
    result = x.copy()
    for k, row in enumerate(i):
        change(result, row, v[k])
    return result


def _added(result: Any, row: Any, v: Any) -> None:
    result[row] += 2 * v


def _set(result: Any, row: Any, v: Any) -> None:
    result[row] = v


def _embedded(x: Any, offset: int) -> Any:
    return np.stack([np.diag(row, offset) for row in x])


def _mean_of_rows(x: Any, i: Any, v: Any) -> Any:
    result = x.copy()
    for row in set(i.tolist()):
        result[row] = v[i == row].mean(0)
    return result


DIAGONALS = [
    _row("diagonal_of_dims", lambda x: x.diagonal(1, -1, 0), lambda x: np.diagonal(x, 1, -1, 0)),
    _row("diagonal_below", lambda x: x.diagonal(-2), lambda x: np.diagonal(x, -2), _SQUARE),
    _row("diag", lambda x: x.diag(-1), lambda x: np.diag(x, -1), _LINE, errors=(
        _error(lambda: Tensor.zeros(1, 1, 1).diag(), ShapeError, "vector or a matrix"),
        _error(lambda: Tensor.zeros(2, 2).diagonal(0, 0, -2), ShapeError, "two dimensions"),
    )),
    _row("diag_of_matrix", lambda x: x.diag(1), lambda x: np.diag(x, 1), _MATRIX),
    _row("diagflat", lambda x: _of(x).diagflat(x, 1), lambda x: np.diagflat(x, 1), In((2, 3))),
    _row("diag_embed", lambda x: x.diag_embed(1), lambda x: _embedded(x, 1), In((2, 3)), errors=(
        _error(lambda: Tensor([1]).diag_embed(0, 0, 0), ShapeError, "two dimensions"),
    )),
    _row("diag_embed_in_front", lambda x: x.diag_embed(0, 0, 2), None, In((2, 3))),
    _row("diagonal_scatter", lambda x, d: x.diagonal_scatter(d, 1), None, _MATRIX, In((3,)), dtypes=FLOATS, errors=(
        _error(lambda: Tensor.zeros(2, 2).diagonal_scatter(Tensor([1.0])), ShapeError, "src has shape [1]"),
    )),
]  # fmt: skip
ORDERS = [
    _row("fliplr", lambda x: x.fliplr(), np.fliplr, errors=(
        _error(lambda: Tensor([1]).fliplr(), ShapeError, "two dimensions"),
    )),
    _row("flipud", lambda x: x.flipud(), np.flipud),
    _row("rot90", lambda x: x.rot90(1, (0, 2)), lambda x: np.rot90(x, 1, (0, 2)), errors=(
        _error(lambda: Tensor.zeros(2, 2).rot90(1, (0, 0)), ShapeError, "two dimensions"),
    )),
    _row("rot90_back", lambda x: x.rot90(-5), lambda x: np.rot90(x, -5)),
    _row("swapaxes", lambda x: x.swapaxes(0, 2), lambda x: np.swapaxes(x, 0, 2)),
    _row("movedim_several", lambda x: x.movedim((0, 1), (2, 0)), lambda x: np.moveaxis(x, (0, 1), (2, 0)), errors=(
        _error(lambda: Tensor.zeros(2, 2).movedim((0, 0), (0, 1)), ShapeError, "a place of its own"),
    )),
    _row("ravel", lambda x: x.ravel(), np.ravel),
    _row("select", lambda x: x.select(1, -1), lambda x: x[:, -1]),
    _row("pixel_shuffle", lambda x: _nn(x).pixel_shuffle(x, 2), None, _IMAGE, errors=(
        _error(lambda: Tensor.zeros(3, 1, 1).pixel_shuffle(2), ShapeError, "multiple of 2 * 2"),
    )),
    _row("pixel_unshuffle", lambda x: _nn(x).pixel_unshuffle(x, 2), None, _IMAGE),
    _row("channel_shuffle", lambda x: _nn(x).channel_shuffle(x, 4), None, _IMAGE, dtypes=FLOATS[:2]),
    _row("sum_to_size", lambda x: x.sum_to_size(3, 1), lambda x: x.sum((0, 2)).reshape(3, 1), dtypes=FLOATS, errors=(
        _error(lambda: Tensor.zeros(2, 3).sum_to_size(2), ShapeError, "does not broadcast"),
    )),
    _row("vander", lambda x: _of(x).vander(x, 4), lambda x: np.vander(x, 4), _LINE, dtypes=FLOATS,
         torch=lambda x: torch.stack([x**3, x**2, x, torch.ones_like(x)], 1)),
]  # fmt: skip
PLACED = [
    _row("select_scatter", lambda x, s: x.select_scatter(s, 1, -1), None, _CUBE, In((2, 4)), dtypes=FLOATS),
    _row("slice_scatter", lambda x, s: x.slice_scatter(s, 0, 1, None, 2), None, _LINE, In((3,)), dtypes=FLOATS, errors=(
        _error(lambda: Tensor([1]).slice_scatter(Tensor([1]), step=0), ArgumentError, "at least 1"),
    )),
    _row("index_add", lambda x, i, v: x.index_add(0, i, v, alpha=2), lambda x, i, v: _put(x, i, v, _added),
         In((3, 2)), _PLACES, In((4, 2)), dtypes=FLOATS[:2], errors=(
             _error(lambda: Tensor([1, 2]).index_add(0, Tensor([0]), Tensor([1, 2])), ShapeError, "a slice for each"),
             _error(lambda: Tensor([1, 2]).index_add(0, Tensor([2]), Tensor([1])).numpy(), BoundsError, "2"),
         )),
    _row("index_copy", lambda x, v: x.index_copy(0, _of_places(x), v), lambda x, v: _put(x, [2, 0], v, _set),
         In((3, 2)), In((2, 2)), dtypes=FLOATS),
    _row("index_fill", lambda x, i: x.index_fill(1, i, 7), None, In((2, 3)), _PLACES, dtypes=NUMBERS, errors=(
        _error(lambda: Tensor([1]).index_fill(0, Tensor([0]), Tensor([1, 2])), ShapeError, "one number"),
    )),
    _row("index_put", lambda x, i, v: x.index_put((i, i), v, accumulate=True), None, In((3, 3)), _PLACES, In((4,)),
         dtypes=FLOATS[:2]),
    _row("put", lambda x, v: x.put(_of_places(x), v), None, In((3, 3)), In((2,)), dtypes=FLOATS, errors=(
        _error(lambda: Tensor([1]).put(Tensor([0]), Tensor([1.0])), DTypeError, "float32"),
    )),
    _row("take", lambda x, i: _of(x).take(x, i - 2), lambda x, i: np.take(x, i - 2), _CUBE, _PLACES),
    _row("masked_scatter", lambda x, m, v: x.masked_scatter(m, v), None, _MATRIX, In((3, 5), mask=True), In((15,)),
         dtypes=FLOATS, errors=(
             _error(lambda: Tensor([1]).masked_scatter(Tensor([1]), Tensor([1])), DTypeError, "not bool"),
         )),
    *(
        _row(f"scatter_reduce_{reduce}_{kept}",
             lambda x, i, v, reduce=reduce, kept=kept: x.scatter_reduce(0, i, v, reduce, include_self=kept), None,
             In((3, 2)), In((5, 2), 0, 3, integer=True), In((5, 2)), dtypes=FLOATS[:2])
        for reduce in ("sum", "prod", "mean", "amax", "amin") for kept in (True, False)
    ),
    _row("index_reduce", _quiet(lambda x, i, v: x.index_reduce(0, i, v, "mean", include_self=False)), _mean_of_rows,
         In((3, 2)), _PLACES, In((4, 2)), dtypes=FLOATS[:2], errors=(
             _error(lambda: Tensor([1]).scatter_reduce(0, Tensor([0]), Tensor([1]), "max"), ArgumentError, "'max'"),
         )),
    _row("scatter_multiply", _quiet(lambda x, i, v: x.scatter(0, i, v, reduce="multiply")), None,
         In((3,)), _PLACES, In((4,)), dtypes=FLOATS[:2], grad=False, errors=(
             _error(lambda: Tensor([1]).scatter(0, Tensor([0]), 1, reduce="sum"), ArgumentError, "neither 'add'"),
         )),
    _row("repeat_interleave_counts", lambda x, n: x.repeat_interleave(n, 1), None, In((2, 4)), _PLACES, errors=(
        _error(lambda: Tensor([1]).repeat_interleave(Tensor([-1])), ArgumentError, "less than 0"),
    )),
    _row("repeat_interleave_size", lambda x, n: x.repeat_interleave(n.abs() * 0 + 2, 1, output_size=8),
         lambda x, n: np.repeat(x, 2, 1), In((2, 4)), _PLACES),
    _row("take_along_dim_flat", lambda x, i: x.take_along_dim(i), lambda x, i: x.reshape(-1)[i], _CUBE, _PLACES),
]  # fmt: skip
JOINED = [
    _row("tensor_split", lambda x: x.tensor_split(3, 2)[0], lambda x: np.array_split(x, 3, 2)[0], errors=(
        _error(lambda: Tensor([1]).tensor_split(0), ArgumentError, "at least 1"),
    )),
    _row("tensor_split_places", lambda x: x.tensor_split((1, -1))[1], lambda x: np.split(x, (1, -1))[1], _LINE),
    _row("hsplit", lambda x: x.hsplit(3)[1], lambda x: np.hsplit(x, 3)[1], errors=(
        _error(lambda: Tensor([1, 2, 3]).hsplit(2), ArgumentError, "2 equal pieces"),
    )),
    _row("vsplit", lambda x: x.vsplit([1])[1], lambda x: np.vsplit(x, [1])[1]),
    _row("dsplit", lambda x: x.dsplit(2)[1], lambda x: np.dsplit(x, 2)[1]),
    *(
        _row(name, lambda a, b, name=name: getattr(_of(a), name)([a, b]),
             lambda a, b, name=name: getattr(np, name)([a, b]), In((4,)), In((4,)))
        for name in ("hstack", "vstack", "dstack", "column_stack")
    ),
    _row("block_diag", lambda a, b: _of(a).block_diag(a, b), None, In((2, 3)), In((4,)), errors=(
        _error(lambda: lazygrad.block_diag(Tensor.zeros(1, 1, 1)), ShapeError, "two dimensions"),
    )),
    _row("atleast_3d", lambda x: _of(x).atleast_3d(x), np.atleast_3d, In((4,))),
    _row("broadcast_tensors", lambda a, b: _of(a).broadcast_tensors(a, b)[0],
         lambda a, b: np.broadcast_arrays(a, b)[0], In((3, 1)), In((4,))),
    _row("meshgrid", lambda a, b: _of(a).meshgrid(a, b, indexing="xy")[1],
         lambda a, b: np.meshgrid(a, b, indexing="xy")[1], In((3,)), In((4,)), errors=(
             _error(lambda: lazygrad.meshgrid(Tensor([1]), indexing="ji"), ArgumentError, "'ji'"),
             _error(lambda: lazygrad.meshgrid(Tensor([1]), Tensor([1.0])), DTypeError, "differ"),
         )),
    _row("cartesian_prod", lambda a, b: _of(a).cartesian_prod(a, b), None, In((3,)), In((4,))),
    _row("combinations", lambda x: _of(x).combinations(x, 3, True), None, In((4,))),
]  # fmt: skip
PADDED = [
    *(
        _row(f"pad_{mode}", lambda x, mode=mode: _nn(x).pad(x, (2, 1, 0, 2), mode),
             lambda x, of=of: np.pad(x, ((0, 0), (0, 0), (0, 2), (2, 1)), of), _IMAGE, dtypes=FLOATS[:2])
        for mode, of in (("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap"))
    ),
    _row("pad_cropped", lambda x: _nn(x).pad(x, (-1, 2), "reflect"), None, _CUBE, dtypes=FLOATS[:2], errors=(
        _error(lambda: Tensor([1, 2]).pad((2, 0), "reflect"), ShapeError, "too much"),
        _error(lambda: Tensor([1, 2]).pad((2, 0), "mirror"), ArgumentError, "'mirror'"),
    )),
    _row("pad_pairs", lambda x: x.pad((None, (1, 0), (0, 2)), value=3), lambda x: np.pad(
        x, ((0, 0), (1, 0), (0, 2)), constant_values=3), torch=lambda x: _nn(x).pad(x, (0, 2, 1, 0), value=3),
        dtypes=NUMBERS),
    _row("unfold", lambda x: x.unfold(1, 2, 1), lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, 1), errors=(
        _error(lambda: Tensor([1, 2]).unfold(0, 3, 1), ShapeError, "windows of 3"),
    )),
    _row("unfold_apart", lambda x: x.unfold(0, 2, 3), None, _LINE),
    _row("im2col", lambda x: _nn(x).unfold(x, (2, 3), dilation=(1, 2), padding=1, stride=2), None, _IMAGE,
         dtypes=FLOATS),
    _row("col2im", lambda x: _nn(x).fold(x, (4, 5), (2, 3), dilation=(1, 2), padding=1, stride=2), None,
         In((2, 12, 6)), dtypes=FLOATS[:2]),
]  # fmt: skip
SHAPES = [*DIAGONALS, *ORDERS, *PLACED, *JOINED, *PADDED]
