"""One step of a recurrent net: the formulas, and as modules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lazygrad.dtype import DTypeLike
from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.nn.starting import StartsWithin, within
from lazygrad.tensor import Tensor

__all__ = [
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "RNNCellBase",
]

State = tuple[Tensor, ...]
Step = Callable[[Tensor, State], State]  # what comes in, as its product with the input's weights; the state's tensors
GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def step_of(mode: str, weight: Tensor, bias: Tensor | None, projection: Tensor | None = None) -> Step:
    """The step of a net of this kind, whose state is multiplied by `weight` (gates * hidden, state).

    It takes the input's part of the gates (batch, gates * hidden) and the state, and gives the next state, of which the
    first tensor is the output. Formulas and order of the gates are PyTorch's.
    """
    if mode == "LSTM":
        return partial(_lstm, weight=weight, bias=bias, projection=projection)
    if mode == "GRU":
        return partial(_gru, weight=weight, bias=bias)
    return partial(_rnn, weight=weight, bias=bias, relu=mode == "RNN_RELU")


def _rnn(x: Tensor, state: State, weight: Tensor, bias: Tensor | None, relu: bool) -> State:
    h = x + state[0].linear(weight, bias)
    return (h.relu() if relu else h.tanh(),)


def _lstm(x: Tensor, state: State, weight: Tensor, bias: Tensor | None, projection: Tensor | None) -> State:
    """S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", 1997, with a forget gate; the projection is that of
    H. Sak et al., 2014."""
    h, c = state
    i, f, g, o = (x + h.linear(weight, bias)).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return (h if projection is None else h.linear(projection), c)


def _gru(x: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
    """K. Cho et al., 2014, with the reset gate behind the product, as in cuDNN."""
    (h,) = state
    r, z, n = x.chunk(3, -1)
    r_h, z_h, n_h = h.linear(weight, bias).chunk(3, -1)
    z = (z + z_h).sigmoid()
    n = (n + (r + r_h).sigmoid() * n_h).tanh()
    return (n + z * (h - n),)


class RNNCellBase(StartsWithin):
    """What RNNCell, LSTMCell and GRUCell have in common: the weights of one step. `mode`: which one it is."""

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, bias: bool, device: str | None, dtype: DTypeLike | None
    ) -> None:
        super().__init__()
        self.mode, self.input_size, self.hidden_size, self.bias = mode, input_size, hidden_size, bias
        rows = GATES[mode] * hidden_size
        self.weight_ih = within((rows, input_size), hidden_size, dtype, device)
        self.weight_hh = within((rows, hidden_size), hidden_size, dtype, device)
        self.bias_ih = within((rows,), hidden_size, dtype, device) if bias else None
        self.bias_hh = within((rows,), hidden_size, dtype, device) if bias else None

    @property
    def _fan_in(self) -> int:
        return self.hidden_size

    def _step(self, x: Tensor, state: State | None, tensors: int) -> State:
        """The next state of one sequence (input_size,) or a batch of them; zeros before the first step."""
        name = type(self).__name__
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            sizes = f"({self.input_size},) or (batch, {self.input_size})"
            fail(ShapeError, f"{name}: the input is of shape {sizes}, not {list(x.shape)}")
        shape = (*x.shape[:-1], self.hidden_size)
        if state is None:
            state = (Tensor.zeros(shape, dtype=x.dtype, device=x.device),) * tensors
        for t in state:
            if t.shape != shape:
                fail(ShapeError, f"{name}: the state is of shape {list(shape)}, not {list(t.shape)}")
        if x.ndim == 1:
            return tuple(
                t.squeeze(0) for t in self._step(x.unsqueeze(0), tuple(t.unsqueeze(0) for t in state), tensors)
            )
        return step_of(self.mode, self.weight_hh, self.bias_hh)(x.linear(self.weight_ih, self.bias_ih), state)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(RNNCellBase):
    """tanh(W_ih x + b_ih + W_hh h + b_hh), or relu: one step of `RNN`.

    Takes (batch, input_size) or (input_size,) and the state, gives the next state; zeros unless given.

    >>> nn.RNNCell(3, 5)(Tensor.ones(2, 3)).shape
    (2, 5)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(rnn_mode("RNNCell", nonlinearity), input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The next state."""
        return self._step(input, None if hx is None else (hx,), 1)[0]

    def extra_repr(self) -> str:
        """The sizes and the function."""
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")


class LSTMCell(RNNCellBase):
    """One step of `LSTM`: takes (batch, input_size) or (input_size,) and a pair (h, c), gives the next pair.

    >>> h, c = nn.LSTMCell(3, 5)(Tensor.ones(2, 3))
    >>> h.shape, c.shape
    ((2, 5), (2, 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__("LSTM", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """The next (h, c)."""
        h, c = self._step(input, None if hx is None else tuple(hx), 2)
        return h, c


class GRUCell(RNNCellBase):
    """One step of `GRU`: takes (batch, input_size) or (input_size,) and the state, gives the next state.

    >>> nn.GRUCell(3, 5)(Tensor.ones(3)).shape
    (5,)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__("GRU", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The next state."""
        return self._step(input, None if hx is None else (hx,), 1)[0]


def rnn_mode(what: str, nonlinearity: str) -> str:
    """The kind of net with this function; ArgumentError for any but 'tanh' and 'relu'."""
    if nonlinearity not in ("tanh", "relu"):
        fail(ArgumentError, f"{what}: nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
    return f"RNN_{nonlinearity.upper()}"
