"""Activation functions, dropout and losses as modules."""

from __future__ import annotations

from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.module import Module
from lazygrad.ops.arguments import number
from lazygrad.tensor import Tensor


class Identity(Module):
    """The input as it is.

    >>> nn.Identity()(Tensor([1])).tolist()
    [1]
    """

    def forward(self, x: Tensor) -> Tensor:
        """The input."""
        return x


class ReLU(Module):
    """`Tensor.relu`.

    >>> nn.ReLU()(Tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x.relu()


class LeakyReLU(Module):
    """`Tensor.leaky_relu`.

    >>> nn.LeakyReLU(0.5)(Tensor([-1.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x.leaky_relu(self.negative_slope)


class ELU(Module):
    """`Tensor.elu`.

    >>> nn.ELU()(Tensor([0.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x.elu(self.alpha)


class GELU(Module):
    """`Tensor.gelu`; `approximate` is 'none' or 'tanh'.

    >>> nn.GELU()(Tensor([0.0])).tolist()
    [0.0]
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x.gelu(self.approximate)


class SiLU(Module):
    """`Tensor.silu`.

    >>> nn.SiLU()(Tensor([0.0])).tolist()
    [0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x.silu()


class Tanh(Module):
    """`Tensor.tanh`.

    >>> nn.Tanh()(Tensor([0.0])).tolist()
    [0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x.tanh()


class Sigmoid(Module):
    """`Tensor.sigmoid`.

    >>> nn.Sigmoid()(Tensor([0.0])).tolist()
    [0.5]
    """

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x.sigmoid()


class Softplus(Module):
    """`Tensor.softplus`.

    >>> nn.Softplus()(Tensor([1000.0])).tolist()
    [1000.0]
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x.softplus(self.beta)


class Softmax(Module):
    """`Tensor.softmax` along `dim`.

    >>> nn.Softmax(-1)(Tensor([1.0, 1.0])).tolist()
    [0.5, 0.5]
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.axis = dim

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x.softmax(self.axis)


class Dropout(Module):
    """In training, elements become 0 with probability `p` and the others are divided by 1 - p.

    ArgumentError for a `p` outside [0, 1].

    >>> nn.Dropout(0.5).eval()(Tensor([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        p = number("dropout", p)
        if not 0 <= p <= 1:
            fail(ArgumentError, f"dropout: p={p} is no probability")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x.dropout(self.p, self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


class CrossEntropyLoss(Module):
    """`Tensor.cross_entropy`.

    >>> nn.CrossEntropyLoss()(Tensor([[0.0, 0.0]]), Tensor([1]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.weight, self.ignore_index = weight, ignore_index
        self.reduction, self.label_smoothing = reduction, label_smoothing

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Logits and integer classes to a loss."""
        return x.cross_entropy(target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)


class MSELoss(Module):
    """`Tensor.mse_loss`.

    >>> nn.MSELoss()(Tensor([1.0, 2.0]), Tensor([1.0, 4.0])).item()
    2.0
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Predictions and targets of one shape to a loss."""
        return x.mse_loss(target, self.reduction)
