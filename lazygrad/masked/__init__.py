"""`torch.masked` here: reductions, scans and normalizations of the elements where a mask is true, composed of the
methods. A mask broadcasts to its tensor; None is true everywhere. Where nothing is left, the result is what an
operation gives for no elements: 0 for a sum, nan for a mean.

>>> from lazygrad import masked
>>> masked.sum(Tensor([1.0, 2.0, 4.0]), mask=Tensor([True, False, True])).item()
5.0
"""

from lazygrad.masked.elements import cumprod, cumsum, log_softmax, logaddexp, normalize, softmax, softmin
from lazygrad.masked.reductions import (
    amax,
    amin,
    argmax,
    argmin,
    logsumexp,
    mean,
    median,
    norm,
    prod,
    std,
    sum,  # noqa: A004 - PyTorch's name
    var,
)
from lazygrad.ops.signatures import check_functions

__all__ = [
    "amax",
    "amin",
    "argmax",
    "argmin",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "mean",
    "median",
    "norm",
    "normalize",
    "prod",
    "softmax",
    "softmin",
    "std",
    "sum",
    "var",
]

check_functions(globals())
