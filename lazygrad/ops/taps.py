"""Taps: for every place of the result a few elements along one dimension, wherever those are, and weights for them.

Adaptive and fractional pools take their windows so, and resampling takes what it mixes.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lazygrad.dtype import dtypes
from lazygrad.engine.run import upload
from lazygrad.ir import node as graph
from lazygrad.ir.node import reshape
from lazygrad.ops.broadcast import broadcast_to
from lazygrad.ops.core import Core

T = TypeVar("T", bound=Core)
Array = NDArray[Any]


def taken(x: T, axis: int, places: Array) -> T:
    """(..., n, ...) and places (o, t) along `axis`, all inside, give (..., o, t, ...); or places (N, C, o, t), which
    differ along the first dimensions.
    """
    *first, o, t = places.shape
    index = upload(np.ascontiguousarray(places, np.int32), dtypes.int32, x.device)
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    index = reshape(index, (*first, *(1,) * (axis - len(first)), o * t, *(1,) * len(after)))
    found = graph.gather(x._in(), broadcast_to(index, (*before, o * t, *after)), axis)
    return x._out(reshape(found, (*before, o, t, *after)))


def mixed(x: Any, axis: int, places: Array, weights: Array) -> Any:
    """The sums of the elements at `places` (o, t) along `axis`, times `weights` (o, t): (..., o, ...)."""
    if (places.shape[1] == 1) and (weights == 1).all():
        return taken(x, axis, places).squeeze(axis + 1)
    factor = x._new(upload(weights.astype(x.dtype.storage), x.dtype, x.device))
    shape = (*places.shape, *(1,) * (x.ndim - axis - 1))
    return (taken(x, axis, places) * factor.reshape(shape)).sum(axis + 1)


def even_windows(n: int, count: int) -> tuple[Array, Array]:
    """The windows of an adaptive pool: window i of `count` goes from floor(i n / count) to ceil((i + 1) n / count).

    Their elements (count, t), of which the last is repeated, and how many there are.
    """
    starts = np.arange(count) * n // max(count, 1)
    lengths = -(-(np.arange(count) + 1) * n // max(count, 1)) - starts
    steps = np.arange(int(lengths.max(initial=1)))
    return starts[:, None] + np.minimum(steps, lengths[:, None] - 1), lengths
