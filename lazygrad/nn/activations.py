"""Activation functions as modules, by PyTorch's names, arguments and defaults."""

from __future__ import annotations

from lazygrad.dtype import DTypeLike, as_dtype, get_default_dtype
from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.nn import functional
from lazygrad.nn.applied import Applied
from lazygrad.nn.init import constant_
from lazygrad.nn.module import Module
from lazygrad.tensor import Tensor


class ReLU(Applied, of=functional.relu):
    """`functional.relu`.

    >>> nn.ReLU()(Tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """


class ReLU6(Applied, of=functional.relu6):
    """`functional.relu6`.

    >>> nn.ReLU6()(Tensor([-1.0, 9.0]))
    tensor([0., 6.])
    """


class LeakyReLU(Applied, of=functional.leaky_relu, shows="negative_slope={negative_slope}"):
    """`functional.leaky_relu`.

    >>> nn.LeakyReLU(0.5)(Tensor([-1.0, 2.0]))
    tensor([-0.5000,  2.0000])
    """


class ELU(Applied, of=functional.elu, shows="alpha={alpha}"):
    """`functional.elu`.

    >>> nn.ELU()(Tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """


class CELU(Applied, of=functional.celu, shows="alpha={alpha}"):
    """`functional.celu`.

    >>> nn.CELU()(Tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """


class SELU(Applied, of=functional.selu):
    """`functional.selu`.

    >>> nn.SELU()(Tensor([0.0, 1.0]))
    tensor([0.0000, 1.0507])
    """


class GELU(Applied, of=functional.gelu, shows="approximate={approximate!r}"):
    """`functional.gelu`.

    >>> nn.GELU()(Tensor([0.0, 2.0]))
    tensor([0.0000, 1.9545])
    """


class SiLU(Applied, of=functional.silu):
    """`functional.silu`.

    >>> nn.SiLU()(Tensor([0.0, 2.0]))
    tensor([0.0000, 1.7616])
    """


class Mish(Applied, of=functional.mish):
    """`functional.mish`.

    >>> nn.Mish()(Tensor([0.0, 2.0]))
    tensor([0.0000, 1.9440])
    """


class Tanh(Applied, of=functional.tanh):
    """`functional.tanh`.

    >>> nn.Tanh()(Tensor([0.0]))
    tensor([0.])
    """


class Sigmoid(Applied, of=functional.sigmoid):
    """`functional.sigmoid`.

    >>> nn.Sigmoid()(Tensor([0.0]))
    tensor([0.5000])
    """


class Hardsigmoid(Applied, of=functional.hardsigmoid):
    """`functional.hardsigmoid`.

    >>> nn.Hardsigmoid()(Tensor([-4.0, 0.0]))
    tensor([0.0000, 0.5000])
    """


class Hardswish(Applied, of=functional.hardswish):
    """`functional.hardswish`.

    >>> nn.Hardswish()(Tensor([-4.0, 3.0]))
    tensor([-0.,  3.])
    """


class Softplus(Applied, of=functional.softplus, shows="beta={beta}, threshold={threshold}"):
    """`functional.softplus`.

    >>> nn.Softplus()(Tensor([1000.0]))
    tensor([1000.])
    """


class LogSigmoid(Applied, of=functional.logsigmoid):
    """`functional.logsigmoid`.

    >>> nn.LogSigmoid()(Tensor([0.0]))
    tensor([-0.6931])
    """


class Softsign(Applied, of=functional.softsign):
    """`functional.softsign`.

    >>> nn.Softsign()(Tensor([1.0]))
    tensor([0.5000])
    """


class Tanhshrink(Applied, of=functional.tanhshrink):
    """`functional.tanhshrink`.

    >>> nn.Tanhshrink()(Tensor([0.0]))
    tensor([0.])
    """


class Hardshrink(Applied, of=functional.hardshrink, shows="{lambd}"):
    """`functional.hardshrink`.

    >>> nn.Hardshrink()(Tensor([0.25, 2.0]))
    tensor([0., 2.])
    """


class Softshrink(Applied, of=functional.softshrink, shows="{lambd}"):
    """`functional.softshrink`.

    >>> nn.Softshrink()(Tensor([0.25, 2.0]))
    tensor([0.0000, 1.5000])
    """


class Threshold(Applied, of=functional.threshold, shows="threshold={threshold}, value={value}"):
    """`functional.threshold`.

    >>> nn.Threshold(1.0, 7.0)(Tensor([0.5, 2.0]))
    tensor([7., 2.])
    """


class GLU(Applied, of=functional.glu, shows="dim={dim}"):
    """`functional.glu`.

    >>> nn.GLU()(Tensor([1.0, 0.0]))
    tensor([0.5000])
    """


class RReLU(Applied, of=functional.rrelu, shows="lower={lower}, upper={upper}"):
    """`functional.rrelu`.

    >>> nn.RReLU(0.5, 0.5)(Tensor([-1.0, 2.0]))
    tensor([-0.5000,  2.0000])
    """


class Softmax(Applied, of=functional.softmax, shows="dim={dim}"):
    """`functional.softmax`.

    >>> nn.Softmax(-1)(Tensor([1.0, 1.0]))
    tensor([0.5000, 0.5000])
    """


class LogSoftmax(Applied, of=functional.log_softmax, shows="dim={dim}"):
    """`functional.log_softmax`.

    >>> nn.LogSoftmax(-1)(Tensor([1.0, 1.0]))
    tensor([-0.6931, -0.6931])
    """


class Softmin(Applied, of=functional.softmin, shows="dim={dim}"):
    """`functional.softmin`.

    >>> nn.Softmin(-1)(Tensor([1.0, 1.0]))
    tensor([0.5000, 0.5000])
    """


class Hardtanh(Applied, of=functional.hardtanh, shows="min_val={min_val}, max_val={max_val}"):
    """`functional.hardtanh`; `min_value` and `max_value` are older names.

    >>> nn.Hardtanh(-2.0, 2.0)(Tensor([-3.0, 0.5])).tolist()
    [-2.0, 0.5]
    """

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        min_val, max_val = min_val if min_value is None else min_value, max_val if max_value is None else max_value
        if not min_val < max_val:
            fail(ArgumentError, f"Hardtanh: min_val {min_val} must be less than max_val {max_val}")
        super().__init__(min_val, max_val, inplace)


class Softmax2d(Module):
    """`functional.softmax` over the channels of (N, C, H, W) or (C, H, W).

    >>> nn.Softmax2d()(Tensor([[[1.0]], [[1.0]]])).tolist()
    [[[0.5]], [[0.5]]]
    """

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        if input.ndim not in (3, 4):
            fail(ShapeError, f"Softmax2d: takes (N, C, H, W) or (C, H, W), not {list(input.shape)}")
        return input.softmax(-3)


class PReLU(Module):
    """`functional.prelu`, whose slopes, one or one for each channel, are a parameter.

    >>> nn.PReLU()(Tensor([-1.0, 2.0])).tolist()
    [-0.25, 2.0]
    """

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        kind = as_dtype(dtype, get_default_dtype())
        self.weight = Tensor.full((num_parameters,), init, device=device, dtype=kind, requires_grad=True)

    def reset_parameters(self) -> None:
        """The initial slopes anew, in place."""
        constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        return input.prelu(self.weight)

    def extra_repr(self) -> str:
        """How many slopes."""
        return f"num_parameters={self.num_parameters}"
