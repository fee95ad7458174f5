"""Every reduction, normalization and loss over lines of extreme numbers: infinite, no number, huge, tiny, equal.

`call` serves lazygrad's tensors and PyTorch's alike, unless `torch` gives another one for the latter; each takes a
matrix of lines and works along dim 1. Where lazygrad differs on purpose, `values_differ` or `slopes_differ` says in
which lines, and why; those are not compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch as pytorch

import lazygrad
from lazygrad import Tensor

F: Any = pytorch.nn.functional
Function = Callable[..., Any]
inf, nan = math.inf, math.nan
LINES: dict[str, tuple[float, ...]] = {
    "huge": (1e30, -1e30, 2e30, 0.0),
    "huge and equal": (1e30,) * 4,
    "greatest": (3e38, -3e38, 1e37, -2e37),
    "greatest and equal": (3e38,) * 4,
    "tiny": (1e-30, 2e-30, -1e-30, 0.0),
    "subnormal": (1e-40, 2e-40, -1e-40, 0.0),
    "of all sizes": (1e30, 1e-30, 1.0, -1e-30),
    "far from 0": (1024.0, 1026.0, 1023.0, 1027.0),
    "inf": (1.0, inf, 2.0, 3.0),
    "-inf": (1.0, -inf, 2.0, 3.0),
    "inf twice": (inf, 1.0, inf, 2.0),
    "inf and -inf": (inf, -inf, 0.5, 1.0),
    "all inf": (inf,) * 4,
    "all -inf": (-inf,) * 4,
    "nan": (1.0, nan, 2.0, 3.0),
    "nan twice": (nan, 1.0, nan, 2.0),
    "zeros": (0.0,) * 4,
    "zeros of both signs": (-0.0, 0.0, -0.0, 0.0),
    "ties": (2.0, 5.0, 5.0, -1.0),
    "ties below": (2.0, -5.0, 3.0, -5.0),
}


@dataclass(frozen=True)
class Row:
    """`values_differ`, `slopes_differ`: line -> why it is not compared.

    `size`: of what is added up, where that is known.
    """

    call: Function
    torch: Function | None = None
    values_differ: Mapping[str, str] = field(default_factory=dict)
    slopes_differ: Mapping[str, str] = field(default_factory=dict)
    size: float = 0.0

    @property
    def theirs(self) -> Function:
        return self.torch or self.call


def _tensor(x: Any, data: Any) -> Any:
    """`data` as a tensor like `x`, floats in its dtype."""
    if isinstance(x, Tensor):
        return Tensor(np.array(data), device=x.device, dtype=x.dtype if isinstance(np.ravel(data)[0], float) else None)
    return pytorch.tensor(np.array(data)).to(x.dtype if isinstance(np.ravel(data)[0], float) else pytorch.int64)


def _whole(f: Function) -> Function:
    """Each line as a tensor of its own, reduced wholly."""
    return lambda x: (lazygrad if isinstance(x, Tensor) else pytorch).stack([f(x[k]) for k in range(x.shape[0])])


def _entropy(target: Any, **options: Any) -> Function:
    def call(x: Any) -> Any:
        given = {k: _tensor(x, v) if k == "weight" else v for k, v in options.items()}
        wanted = _tensor(x, [target] * x.shape[0])
        if isinstance(x, Tensor):
            return x.cross_entropy(wanted, reduction="none", **given)
        return F.cross_entropy(x, wanted, reduction="none", **given)

    return call


_ONE = {"size": 1.0}  # what is added up in these is of size 1
_SHARES = dict.fromkeys(
    ("huge and equal", "greatest and equal", "far from 0"),
    "shares of the sum; PyTorch takes them from the result, which has lost the logarithm's low bits",
)
_MEAN_OVERFLOWS = {"greatest and equal": "the sum that the mean is made of overflows; PyTorch updates a mean instead"}
_DISTANCE_OVERFLOWS = {"greatest": "an infinite variance has infinite slopes; PyTorch has only some of them"}
_NO_VARIANCE = dict.fromkeys(
    ("huge and equal", "greatest and equal"), "of equal numbers: 1 / sqrt(eps); PyTorch takes roundings for a variance"
)
_OTHERS = dict.fromkeys(
    ("inf", "-inf", "inf twice", "inf and -inf", "all inf", "all -inf", "nan", "greatest"),
    "the product of the others, which PyTorch finds by a division",
)
ROWS: dict[str, Row] = {
    **{n: Row(lambda x, n=n: getattr(x, n)(1)) for n in ("sum", "mean", "amax", "amin", "cumsum")},
    **{n: Row(lambda x, n=n: getattr(x, n)(1).values) for n in ("max", "min")},
    **{f"{n} of all": Row(_whole(lambda x, n=n: getattr(x, n)())) for n in ("max", "min", "sum", "amax")},
    "prod": Row(lambda x: x.prod(1), values_differ={"of all sizes": "in another order, whose parts underflow"}),
    "cumprod": Row(
        lambda x: x.cumprod(1),
        values_differ={"huge": "nan, which is inf * 0; PyTorch multiplies in float64"},
        slopes_differ=_OTHERS,
    ),
    **{
        f"var, {c}": Row(
            lambda x, c=c: x.var(1, correction=c),
            values_differ=_MEAN_OVERFLOWS,
            slopes_differ={**_MEAN_OVERFLOWS, **_DISTANCE_OVERFLOWS},
        )
        for c in (0, 1)
    },
    **{f"std, {c}": Row(lambda x, c=c: x.std(1, correction=c)) for c in (0, 1)},
    "std of all": Row(_whole(lambda x: x.std())),
    "logsumexp": Row(lambda x: x.logsumexp(1), slopes_differ=_SHARES),
    "softmax": Row(lambda x: x.softmax(1), **_ONE),
    "log_softmax": Row(lambda x: x.log_softmax(1), **_ONE),
    "layer_norm": Row(lambda x: x.layer_norm((4,)), lambda x: F.layer_norm(x, (4,)), slopes_differ=_NO_VARIANCE),
    "group_norm": Row(lambda x: x.group_norm(1), lambda x: F.group_norm(x, 1), slopes_differ=_NO_VARIANCE),
    "rms_norm": Row(lambda x: x.rms_norm((4,), eps=1e-5), lambda x: F.rms_norm(x, (4,), eps=1e-5)),
    **{f"norm {p}": Row(lambda x, p=p: x.norm(p, 1)) for p in (0.5, 1, 2, 3, inf, -inf)},
    **{f"normalize {p}": Row(lambda x, p=p: x.normalize(p, 1), lambda x, p=p: F.normalize(x, p, 1)) for p in (1, 2, 3)},
    **{f"cross_entropy of {t}": Row(_entropy(t), **_ONE) for t in (0, 1)},
    "cross_entropy, smoothed": Row(_entropy(1, label_smoothing=0.25), **_ONE),
    "cross_entropy, weighted": Row(_entropy(2, label_smoothing=0.25, weight=[0.5, 0.0, 2.0, 1.0]), **_ONE),
    "cross_entropy of shares": Row(_entropy([0.25, 0.5, 0.125, 0.125]), **_ONE),
    "cross_entropy of shares, smoothed and weighted": Row(
        _entropy([0.0, 1.0, 0.0, 0.0], label_smoothing=0.25, weight=[0.5, 0.0, 2.0, 1.0]), **_ONE
    ),
    "max_pool2d": Row(
        lambda x: x.reshape(-1, 1, 2, 2).max_pool2d(2).reshape(-1, 1),
        lambda x: F.max_pool2d(x.reshape(-1, 1, 2, 2), 2).reshape(-1, 1),
        slopes_differ={"nan twice": "the first nan is the first of the largest; PyTorch takes the last one here"},
    ),
}
