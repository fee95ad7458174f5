"""Initial values of parameters, in place, by PyTorch's names.

All draw from the generator that `manual_seed` sets, unless `generator` is given.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec

from lazygrad.dtype import Scalar, dtypes
from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.linear_algebra.triangles import qr
from lazygrad.ops.generator import Generator
from lazygrad.ops.mode import no_grad
from lazygrad.ops.signatures import checked
from lazygrad.ops.wrapping import standing_for
from lazygrad.tensor import Tensor

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
_GAINS |= {f"{kind}{n}d": 1.0 for kind in ("conv", "conv_transpose") for n in (1, 2, 3)}


P = ParamSpec("P")


def _fills(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """A function that gives its first argument, a tensor, other values; no gradient knows of that."""

    @checked
    @standing_for(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        with no_grad():
            return function(*args, **kwargs)

    return call


@checked
def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance through a nonlinearity; `param` is the slope of 'leaky_relu', 0.01 unless
    given.

    >>> calculate_gain("relu")
    1.4142135623730951
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            fail(ArgumentError, f"calculate_gain: the slope of leaky_relu is a number, not {slope!r}")
        return math.sqrt(2 / (1 + slope * slope))
    if nonlinearity not in _GAINS:
        fail(ArgumentError, f"no gain is known for {nonlinearity!r}; use leaky_relu, {', '.join(_GAINS)}")
    return _GAINS[nonlinearity]


@checked
def fans(tensor: Tensor) -> tuple[int, int]:
    """How many inputs and outputs one element of a weight (out, in, ...) connects; ShapeError below 2 dimensions.

    >>> fans(Tensor.zeros(8, 3, 5, 5))
    (75, 200)
    """
    if tensor.ndim < 2:
        fail(ShapeError, f"a weight of shape {list(tensor.shape)} has no fan; it needs two dimensions or more")
    outputs, inputs, *window = (n for n in tensor.shape if isinstance(n, int))
    return inputs * math.prod(window), outputs * math.prod(window)


@_fills
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform numbers in [a, b).

    >>> bool((uniform_(Tensor.zeros(10), 2, 3) >= 2).all())
    True
    """
    return tensor.uniform_(a, b, generator=generator)


@_fills
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers.

    >>> normal_(Tensor.zeros(2), mean=3.0, std=0.0).tolist()
    [3.0, 3.0]
    """
    return tensor.normal_(mean, std, generator=generator)


@_fills
def constant_(tensor: Tensor, val: Scalar) -> Tensor:
    """One value.

    >>> constant_(Tensor.zeros(2), 7).tolist()
    [7.0, 7.0]
    """
    return tensor.assign(val)


@_fills
def zeros_(tensor: Tensor) -> Tensor:
    """Zeros.

    >>> zeros_(Tensor.ones(2)).tolist()
    [0.0, 0.0]
    """
    return constant_(tensor, 0)


@_fills
def ones_(tensor: Tensor) -> Tensor:
    """Ones.

    >>> ones_(Tensor.zeros(2)).tolist()
    [1.0, 1.0]
    """
    return constant_(tensor, 1)


@_fills
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform numbers of variance gain² · 2 / (inputs + outputs) (Glorot and Bengio).

    >>> bool((xavier_uniform_(Tensor.zeros(3, 3)).abs() <= 1).all())
    True
    """
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


@_fills
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers of variance gain² · 2 / (inputs + outputs) (Glorot and Bengio).

    >>> xavier_normal_(Tensor.zeros(3, 3)).shape
    (3, 3)
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))), generator)


@_fills
def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform numbers of variance gain² / fan (He and others).

    >>> bool((kaiming_uniform_(Tensor.zeros(3, 6)).abs() <= 1).all())
    True
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


@_fills
def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers of variance gain² / fan (He and others).

    >>> kaiming_normal_(Tensor.zeros(3, 6)).shape
    (3, 6)
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        fail(ArgumentError, f"mode is 'fan_in' or 'fan_out', not {mode!r}")
    return calculate_gain(nonlinearity, a) / math.sqrt(fans(tensor)[mode == "fan_out"])


@_fills
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Normal numbers of which only those in [a, b] are taken.

    >>> bool((trunc_normal_(Tensor.zeros(100)).abs() <= 2).all())
    True
    """
    if not a < b or not std > 0:
        fail(ArgumentError, f"trunc_normal_: numbers of deviation {std} in [{a}, {b}]: std > 0 and a < b are needed")
    low, high = (a - mean) / std, (b - mean) / std
    side = -1 if low + high > 0 else 1  # the tail is small on the left, where its probabilities are exact
    if side < 0:
        low, high = -high, -low
    lowest, highest = (math.erfc(-z / math.sqrt(2)) / 2 for z in (low, high))
    like: dict[str, Any] = {"dtype": dtypes.float64, "device": tensor.device, "generator": generator}
    p = lowest + (highest - lowest) * Tensor.uniform(*tensor.shape, **like)
    values = (p.ndtri().clamp(low, high) * (side * std) + mean).clamp(a, b)
    return tensor.assign(values.cast(tensor.dtype))


@_fills
def eye_(tensor: Tensor) -> Tensor:
    """Ones on the diagonal of a matrix, else zeros.

    >>> eye_(Tensor.zeros(2, 3)).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    if tensor.ndim != 2:
        fail(ShapeError, f"eye_: a matrix is needed, not a tensor of shape {list(tensor.shape)}")
    return tensor.assign(Tensor.eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))


@_fills
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A weight (out, in / groups, ...) with which a convolution passes on as many channels of each group as it can.

    >>> dirac_(Tensor.zeros(2, 2, 3)).tolist()
    [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    """
    if tensor.ndim not in (3, 4, 5):
        fail(ShapeError, f"dirac_: a weight of 3, 4 or 5 dimensions is needed, not of shape {list(tensor.shape)}")
    outputs, inputs, *window = (tensor._known("dirac_", i) for i in range(tensor.ndim))
    if outputs % groups:
        fail(ArgumentError, f"dirac_: {outputs} channels do not divide among {groups} groups")
    like: dict[str, Any] = {"dtype": tensor.dtype, "device": tensor.device}
    start = Tensor.eye(outputs // groups, inputs, **like).repeat(groups, 1)
    for n in window:
        middle = Tensor.arange(n, device=tensor.device).eq(n // 2).cast(tensor.dtype)
        start = start.unsqueeze(-1) * middle
    return tensor.assign(start)


@_fills
def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """A random matrix with orthonormal columns, or rows if there are fewer of these; times `gain`. All dimensions but
    the first are taken for one.

    (A. Saxe et al., 2014; F. Mezzadri, "How to generate random matrices from the classical compact groups", 2007.)

    >>> w = orthogonal_(Tensor.zeros(3, 5))
    >>> (w @ w.T).allclose(Tensor.eye(3), atol=1e-5)
    True
    """
    if tensor.ndim < 2:
        fail(ShapeError, f"orthogonal_: a matrix is needed, not a tensor of shape {list(tensor.shape)}")
    if not tensor.numel():
        return tensor
    flat = Tensor.empty(tensor.shape, dtype=tensor.dtype, device=tensor.device).flatten(1)
    flat = normal_(flat, generator=generator)
    wide = int(flat.shape[0]) < int(flat.shape[1])
    q, r = qr(flat.T if wide else flat)
    q = q * r.diagonal().sign()
    return tensor.assign((q.T if wide else q).reshape(tensor.shape) * gain)


@_fills
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """A matrix of normal numbers; in every column the share `sparsity`, rounded up, are zeros at random places.

    >>> int((sparse_(Tensor.zeros(10, 3), 0.25) == 0).sum())
    9
    """
    if tensor.ndim != 2:
        fail(ShapeError, f"sparse_: a matrix is needed, not a tensor of shape {list(tensor.shape)}")
    if not 0 <= sparsity <= 1:
        fail(ArgumentError, f"sparse_: sparsity is {sparsity}; it is a share, 0 to 1")
    rows = tensor._known("sparse_", 0)
    normal_(tensor, 0.0, std, generator)
    order = Tensor.rand(*tensor.shape, device=tensor.device, generator=generator).argsort(0)
    return tensor.assign(tensor.masked_fill(order < math.ceil(sparsity * rows), 0.0))


def _older(new: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function under the name that it had before PyTorch 0.4."""
    name = new.__name__.rstrip("_")

    @standing_for(new, name)
    def older(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(f"nn.init.{name} is deprecated: it is nn.init.{name}_ now", FutureWarning, stacklevel=2)
        return new(*args, **kwargs)

    older.__doc__ = f"The name that `{name}_` had; FutureWarning."
    return older


uniform = _older(uniform_)
normal = _older(normal_)
constant = _older(constant_)
eye = _older(eye_)
dirac = _older(dirac_)
xavier_uniform = _older(xavier_uniform_)
xavier_normal = _older(xavier_normal_)
kaiming_uniform = _older(kaiming_uniform_)
kaiming_normal = _older(kaiming_normal_)
orthogonal = _older(orthogonal_)
sparse = _older(sparse_)
