"""Initial values of parameters, in place, by PyTorch's names. All draw from the generator that `manual_seed` sets."""

from __future__ import annotations

import math

from lazygrad.dtype import Scalar
from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.ops.mode import no_grad
from lazygrad.tensor import Tensor

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def calculate_gain(nonlinearity: str, a: float = 0.01) -> float:
    """The factor that keeps the variance through a nonlinearity; `a` is the slope of 'leaky_relu'.

    >>> calculate_gain("relu")
    1.4142135623730951
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + a * a))
    if nonlinearity not in _GAINS:
        fail(ArgumentError, f"no gain is known for {nonlinearity!r}; use leaky_relu, {', '.join(_GAINS)}")
    return _GAINS[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """How many inputs and outputs one element of a weight (out, in, ...) connects; ShapeError below 2 dimensions.

    >>> fans(Tensor.zeros(8, 3, 5, 5))
    (75, 200)
    """
    if tensor.ndim < 2:
        fail(ShapeError, f"a weight of shape {list(tensor.shape)} has no fan; it needs two dimensions or more")
    outputs, inputs, *window = (n for n in tensor.shape if isinstance(n, int))
    return inputs * math.prod(window), outputs * math.prod(window)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Uniform numbers in [a, b).

    >>> bool((uniform_(Tensor.zeros(10), 2, 3) >= 2).all())
    True
    """
    with no_grad():
        return tensor.assign(Tensor.uniform(*tensor.shape, low=a, high=b, dtype=tensor.dtype, device=tensor.device))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Normal numbers.

    >>> normal_(Tensor.zeros(2), mean=3.0, std=0.0).tolist()
    [3.0, 3.0]
    """
    with no_grad():
        return tensor.assign(Tensor.normal(*tensor.shape, mean=mean, std=std, dtype=tensor.dtype, device=tensor.device))


def constant_(tensor: Tensor, value: Scalar) -> Tensor:
    """One value.

    >>> constant_(Tensor.zeros(2), 7).tolist()
    [7.0, 7.0]
    """
    with no_grad():
        return tensor.assign(value)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros.

    >>> zeros_(Tensor.ones(2)).tolist()
    [0.0, 0.0]
    """
    return constant_(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Ones.

    >>> ones_(Tensor.zeros(2)).tolist()
    [1.0, 1.0]
    """
    return constant_(tensor, 1)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Uniform numbers of variance gain² · 2 / (inputs + outputs) (Glorot and Bengio).

    >>> bool((xavier_uniform_(Tensor.zeros(3, 3)).abs() <= 1).all())
    True
    """
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Normal numbers of variance gain² · 2 / (inputs + outputs) (Glorot and Bengio).

    >>> xavier_normal_(Tensor.zeros(3, 3)).shape
    (3, 3)
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))))


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Uniform numbers of variance gain² / fan (He and others).

    >>> bool((kaiming_uniform_(Tensor.zeros(3, 6)).abs() <= 1).all())
    True
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Normal numbers of variance gain² / fan (He and others).

    >>> kaiming_normal_(Tensor.zeros(3, 6)).shape
    (3, 6)
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity))


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        fail(ArgumentError, f"mode is 'fan_in' or 'fan_out', not {mode!r}")
    return calculate_gain(nonlinearity, a) / math.sqrt(fans(tensor)[mode == "fan_out"])
