"""The table's rows of sorting, selecting, counting, quantiles, prefixes, differences and distances."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from lazygrad import Tensor
from lazygrad.errors import ArgumentError, BoundsError, DTypeError, ShapeError
from tests.op_row import ALL, FLOATS, INTS, NUMBERS, In, Row

_WIDE = FLOATS[:2]
_SIGNED = (*FLOATS, "int64", "int32", "int16", "int8")


def _cosine(x: Any, y: Any) -> Any:
    return (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)


def _pairs(x: Any, y: Any, p: float) -> Any:
    return (np.abs(x[:, None] - y[None]) ** p).sum(-1) ** (1 / p)


def _with_nan(x: Any) -> Any:
    """The largest element is not a number; for tensors of both kinds."""
    return np.where(x == x.max(), np.nan, x) if isinstance(x, np.ndarray) else x.masked_fill(x == x.max(), math.nan)


SORTED = [
    Row("sort", lambda x: x.sort(1).values, lambda x: np.sort(x, 1), dtypes=ALL),
    Row("sort_down", lambda x: x.sort(0, True)[0], lambda x: -np.sort(-x, 0), dtypes=NUMBERS),
    Row("argsort", lambda x: x.argsort(1), lambda x: np.argsort(x, 1), dtypes=_WIDE, grad=False),
    Row(
        "argsort_stable",
        lambda x: x.argsort(stable=True),
        lambda x: np.argsort(x, 1, kind="stable"),
        (In((3, 20), 0, 4, integer=True),),
        INTS,
        grad=False,
    ),
    Row("msort", lambda x: x.msort(), lambda x: np.sort(x, 0), dtypes=NUMBERS),
    Row(
        "topk",
        lambda x: x.topk(2).values,
        lambda x: -np.sort(-x, 1)[:, :2],
        dtypes=NUMBERS,
        errors=(
            (lambda: Tensor([1, 2]).topk(3), BoundsError, "topk: k = 3"),
            (lambda: Tensor([1, 2]).topk(-1), BoundsError, "topk: k = -1"),
            (lambda: Tensor([1, 2]).topk(1, 1), BoundsError, "dim 1"),
        ),
    ),
    Row("topk_smallest", lambda x: x.topk(3, 0, False).values, lambda x: np.sort(x, 0), dtypes=NUMBERS),
    Row(
        "kthvalue",
        lambda x: x.kthvalue(2, 1).values,
        lambda x: np.sort(x, 1)[:, 1],
        dtypes=NUMBERS,
        errors=((lambda: Tensor([1, 2]).kthvalue(0), BoundsError, "kthvalue: k = 0"),),
    ),
    Row(
        "searchsorted",
        lambda x: x.sort(1).values.searchsorted(x),
        lambda x: np.argsort(np.argsort(x, 1), 1),
        dtypes=_WIDE,
        grad=False,
        torch=lambda x: torch.searchsorted(x.sort(1).values, x),
        errors=(
            (lambda: Tensor([1, 2]).searchsorted(1, right=True, side="left"), ArgumentError, "side = 'left'"),
            (lambda: Tensor([[1, 2]]).searchsorted(Tensor([1])), ShapeError, "all dimensions but the last"),
            (lambda: Tensor([1]).searchsorted(1, sorter=Tensor([0, 0])), ShapeError, "a sorter of shape [2]"),
            (lambda: Tensor([1]).searchsorted(1, sorter=Tensor([0.0])), DTypeError, "the sorter is float32"),
        ),
    ),
    Row(
        "bucketize",
        lambda x: x.bucketize(Tensor([-1.0, 0.0, 1.0], dtype=x.dtype, device=x.device), right=True, out_int32=True),
        lambda x: np.searchsorted([-1.0, 0.0, 1.0], x, "right").astype("int32"),
        dtypes=_WIDE,
        grad=False,
        elementwise=True,
        torch=lambda x: torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0], dtype=x.dtype), right=True, out_int32=True),
        errors=((lambda: Tensor([1]).bucketize(Tensor([[1]])), ShapeError, "a vector"),),
    ),
]

RANKED = [
    Row("median", lambda x: x.median(), lambda x: np.sort(x, None)[5], dtypes=NUMBERS),
    Row(
        "median_dim",
        lambda x: x.median(1, keepdim=True).values,
        lambda x: np.sort(x, 1)[:, 1:2],
        dtypes=NUMBERS,
        errors=((lambda: Tensor.zeros(2, 0).median(1), ShapeError, "no elements"),),
    ),
    Row("nanmedian", lambda x: _with_nan(x).nanmedian(1).values, lambda x: np.sort(_with_nan(x), 1)[:, 1]),
    Row("nanmedian_all", lambda x: _with_nan(x).nanmedian(), lambda x: np.sort(_with_nan(x), None)[5]),
    Row(
        "mode",
        lambda x: x.mode(1).values,
        lambda x: np.array([np.bincount(row).argmax() for row in x]),
        (In((3, 20), 0, 5, integer=True),),
        INTS,
        grad=False,
        errors=((lambda: Tensor.zeros(0).mode(), ShapeError, "no elements"),),
    ),
    Row(
        "quantile",
        lambda x: x.quantile(0.3, 1),
        lambda x: np.quantile(x, 0.3, 1),
        dtypes=_WIDE,
        errors=(
            (lambda: Tensor([1.0]).quantile(1.5), ArgumentError, "between 0 and 1"),
            (lambda: Tensor([1]).quantile(0.5), DTypeError, "not defined for int64"),
            (lambda: Tensor([1.0]).quantile(0.5, interpolation="cubic"), ArgumentError, "'cubic' is none of"),
            (lambda: Tensor([1.0]).quantile(Tensor([[0.5]])), ShapeError, "a number or a vector"),
        ),
    ),
    *(
        Row(
            f"quantile_{how}",
            lambda x, how=how: x.quantile(
                (Tensor if isinstance(x, Tensor) else torch.tensor)([0.0, 0.3, 1.0], dtype=x.dtype, device=x.device),
                0,
                keepdim=True,
                interpolation=how,
            ),
            lambda x, how=how: np.quantile(x, [0.0, 0.3, 1.0], 0, method=how, keepdims=True),
            dtypes=_WIDE,
        )
        for how in ("linear", "lower", "higher", "midpoint", "nearest")
    ),
    Row(
        "nanquantile",
        lambda x: _with_nan(x).nanquantile(0.6),
        lambda x: np.nanquantile(_with_nan(x), 0.6),
        (In(),),
        _WIDE,
    ),
]

COUNTED = [
    Row("unique", lambda x: x.unique(), np.unique, (In((3, 20), 0, 9, integer=True),), INTS, grad=False),
    Row(
        "unique_dim",
        lambda x: x.unique(dim=0, return_inverse=True)[1],
        lambda x: np.unique(x, axis=0, return_inverse=True)[1],
        (In((9, 2), 0, 2, integer=True),),
        INTS,
        grad=False,
    ),
    Row(
        "unique_counts",
        lambda x: x.unique(return_counts=True)[1],
        lambda x: np.unique(x, return_counts=True)[1],
        (In((3, 20), 0, 9, integer=True),),
        INTS,
        grad=False,
    ),
    Row(
        "unique_consecutive",
        lambda x: x.unique_consecutive(return_counts=True)[1],
        None,
        (In((40,), 0, 2, integer=True),),
        INTS,
        grad=False,
    ),
    Row(
        "bincount",
        lambda x: x.bincount(minlength=12),
        lambda x: np.bincount(x, minlength=12),
        (In((30,), 0, 9, integer=True),),
        INTS,
        grad=False,
        errors=(
            (lambda: Tensor([1.0]).bincount(), DTypeError, "a vector of integers"),
            (lambda: Tensor([-1]).bincount(), ArgumentError, "-1 is among the numbers"),
            (lambda: Tensor([1]).bincount(Tensor([1.0, 2.0])), ShapeError, "weights [2] of [1]"),
        ),
    ),
    Row(
        "bincount_weights",
        lambda x, w: x.bincount(w),
        lambda x, w: np.bincount(x, w),
        (In((30,), 0, 9, integer=True), In((30,))),
        _WIDE,
        grad=False,
    ),
    Row(
        "histc",
        lambda x: x.histc(5, -1, 1),
        lambda x: np.histogram(x, 5, (-1, 1))[0],
        dtypes=_WIDE,
        grad=False,
        errors=(
            (lambda: Tensor([1.0]).histc(0), ArgumentError, "0 bins"),
            (lambda: Tensor([1.0]).histc(2, 3, 1), ArgumentError, "no bins are between 3 and 1"),
        ),
    ),
    Row(
        "histogram",
        lambda x: x.histogram(5).hist,
        lambda x: np.histogram(x, 5)[0],
        dtypes=_WIDE,
        grad=False,
        errors=((lambda: Tensor([1]).histogram(2), DTypeError, "not defined for int64"),),
    ),
    Row(
        "histogram_density",
        lambda x, w: (
            x.histogram(
                (Tensor if isinstance(x, Tensor) else torch.tensor)(
                    [-1.0, 0.0, 0.25, 3.0], dtype=x.dtype, device=x.device
                ),
                weight=w,
                density=True,
            ).hist
        ),
        lambda x, w: np.histogram(x, [-1.0, 0.0, 0.25, 3.0], weights=w, density=True)[0],
        (In(), In(low=1.0)),
        _WIDE,
        grad=False,
    ),
    Row("count_nonzero", lambda x: x.count_nonzero(1), lambda x: np.count_nonzero(x, 1), dtypes=ALL, grad=False),
]

SUMMED = [
    Row("aminmax", lambda x: x.aminmax(dim=1).max, lambda x: x.max(1), dtypes=ALL),
    Row("nansum", lambda x: _with_nan(x).nansum(1), lambda x: np.nansum(_with_nan(x), 1)),
    Row("nanmean", lambda x: _with_nan(x).nanmean(), lambda x: np.nanmean(_with_nan(x))),
    Row("var_unbiased", lambda x: x.var(1, False), lambda x: np.var(x, 1)),
    Row(
        "std_unbiased",
        lambda x: x.std(unbiased=True),
        lambda x: np.std(x, ddof=1),
        errors=(
            (lambda: Tensor([1.0]).std(unbiased=True, correction=0), ArgumentError, "are one argument"),
            (lambda: Tensor([1.0]).std(True, True), ArgumentError, "dim is True"),
        ),
    ),
    Row("std_mean", lambda x: x.std_mean(0)[0], lambda x: x.std(0, ddof=1), torch=lambda x: torch.std_mean(x, 0)[0]),
    Row(
        "var_mean",
        lambda x: x.var_mean(0, keepdim=True)[1],
        lambda x: x.mean(0, keepdims=True),
        torch=lambda x: torch.var_mean(x, 0, keepdim=True)[1],
    ),
    Row("cumsum_dtype", lambda x: x.cumsum(0, dtype=_double(x)), lambda x: x.cumsum(0), dtypes=("int8", "float32")),
    Row("cummax", lambda x: x.cummax(1).values, lambda x: np.maximum.accumulate(x, 1), dtypes=NUMBERS),
    Row("cummin_indices", lambda x: x.cummin(0)[1], None, (In(low=0, high=3, integer=True),), INTS, grad=False),
    Row("logcumsumexp", lambda x: x.logcumsumexp(1), lambda x: np.log(np.cumsum(np.exp(x), 1))),
    Row(
        "diff",
        lambda x: x.diff(2),
        lambda x: np.diff(x, 2),
        dtypes=NUMBERS,
        errors=(
            (lambda: Tensor([1]).diff(-1), ArgumentError, "n = -1"),
            (lambda: Tensor(1).diff(), ShapeError, "no neighbours"),
        ),
    ),
    Row(
        "diff_ends", lambda x, y: x.diff(1, 0, y, y), lambda x, y: np.diff(x, 1, 0, y, y), (In(), In()), dtypes=NUMBERS
    ),
    Row(
        "trapezoid",
        lambda y, x: y.trapezoid(x),
        lambda y, x: np.trapezoid(y, x),
        (In(), In((4,))),
        torch=lambda y, x: torch.trapezoid(y, x),
        errors=((lambda: Tensor([1.0]).trapezoid(Tensor([1.0, 2.0])), ShapeError, "2 places"),),
    ),
    Row(
        "cumulative_trapezoid",
        lambda y: y.cumulative_trapezoid(dx=0.5, dim=0),
        lambda y: np.cumsum((y[1:] + y[:-1]) / 4, 0),
        torch=lambda y: torch.cumulative_trapezoid(y, dx=0.5, dim=0),
    ),
    Row(
        "gradient",
        lambda y, x: y.gradient(spacing=(x,), dim=1, edge_order=2)[0],
        lambda y, x: np.gradient(y, x, axis=1, edge_order=2),
        (In(), In((4,))),
        FLOATS[:1],
        torch=lambda y, x: torch.gradient(y, spacing=(x,), dim=1, edge_order=2)[0],
        errors=(
            (lambda: Tensor([1.0, 2.0]).gradient(edge_order=3), ArgumentError, "edge_order is 3"),
            (lambda: Tensor([1.0]).gradient(), ShapeError, "needs more"),
            (lambda: Tensor([1.0, 2.0]).gradient(spacing=[1, 2]), ArgumentError, "2 spacings"),
        ),
    ),
    Row(
        "gradient_evenly",
        lambda y: y.gradient(spacing=0.5)[0],
        lambda y: np.gradient(y, 0.5)[0],
        torch=lambda y: torch.gradient(y, spacing=0.5)[0],
        dtypes=_WIDE,
    ),
]


def _double(x: Any) -> Any:
    return "float64" if isinstance(x, Tensor) else torch.float64


RELATED = [
    *(
        Row(
            f"dist_{p}",
            lambda x, y, p=p: x.dist(y, p),
            lambda x, y, p=p: np.linalg.norm((x - y).ravel(), p),
            (In(), In((4,))),
            _WIDE,
        )
        for p in (1, 2, 3.5, math.inf)
    ),
    *(
        Row(
            f"cdist_{p}",
            lambda x, y, p=p: x.cdist(y, p),
            lambda x, y, p=p: _pairs(x, y, p),
            (In(), In((5, 4))),
            _WIDE,
            torch=lambda x, y, p=p: torch.cdist(x, y, p),
            errors=(
                (lambda: Tensor.ones(2, 3).cdist(Tensor.ones(2, 4)), ShapeError, "not of one length"),
                (lambda: Tensor.ones(2, 3).cdist(Tensor.ones(2, 3), -1), ArgumentError, "order -1"),
                (lambda: Tensor.ones(2, 3).cdist(Tensor.ones(2, 3), 2, "fast"), ArgumentError, "compute_mode 'fast'"),
            ),
        )
        for p in (1, 2, 3.5)
    ),
    Row(
        "pdist",
        lambda x: x.pdist(),
        lambda x: _pairs(x, x, 2)[np.triu_indices(3, 1)],
        dtypes=_WIDE,
        torch=torch.nn.functional.pdist,
        errors=((lambda: Tensor([1.0]).pdist(), ShapeError, "rows of a matrix"),),
    ),
    Row(
        "pairwise_distance",
        lambda x, y: x.pairwise_distance(y),
        lambda x, y: np.linalg.norm(x - y + 1e-6, axis=1),
        (In(), In()),
        _WIDE,
        torch=torch.nn.functional.pairwise_distance,
    ),
    Row(
        "cosine_similarity",
        lambda x, y: x.cosine_similarity(y),
        _cosine,
        (In(), In()),
        _WIDE,
        torch=torch.nn.functional.cosine_similarity,
    ),
    Row(
        "renorm",
        lambda x: x.renorm(2, 0, 1.5),
        None,
        dtypes=_WIDE,
        errors=((lambda: Tensor([[1.0]]).renorm(0, 0, 1), ArgumentError, "order 0"),),
    ),
    Row(
        "cov",
        lambda x: x.cov(),
        np.cov,
        dtypes=_WIDE,
        errors=(
            (lambda: Tensor.ones(1, 1, 1).cov(), ShapeError, "a matrix or a vector"),
            (lambda: Tensor([1.0, 2.0]).cov(fweights=Tensor([1])), ShapeError, "1] for 2 observations"),
            (lambda: Tensor([1.0, 2.0]).cov(fweights=Tensor([1.0, 1.0])), DTypeError, "fweights are float32"),
            (lambda: Tensor([1.0, 2.0]).cov(aweights=Tensor([1.0, -1.0])), ArgumentError, "negative"),
        ),
    ),
    Row(
        "cov_weights",
        lambda x, f, a: x.cov(fweights=f, aweights=a),
        lambda x, f, a: np.cov(x, fweights=f, aweights=a),
        (In(), In((4,), 1, 5, integer=True), In((4,), 0.5)),
        _WIDE,
    ),
    Row("corrcoef", lambda x: x.corrcoef(), np.corrcoef, dtypes=_WIDE),
    Row("norm_dtype", lambda x: x.norm(dtype=_double(x)), np.linalg.norm, dtypes=("float32", "float16")),
]
