"""Recurrent nets: RNN, LSTM and GRU over whole sequences."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from lazygrad.dtype import DTypeLike
from lazygrad.errors import ArgumentError, DTypeError, OperandError, ShapeError, fail
from lazygrad.nn.cells import GATES, State, rnn_mode, step_of
from lazygrad.nn.starting import StartsWithin, within
from lazygrad.nn.steps import Known, Places, run
from lazygrad.ops.arguments import number, steps
from lazygrad.ops.joining import cat, stack
from lazygrad.tensor import Tensor


class RNNBase(StartsWithin):
    """What RNN, LSTM and GRU have in common: layers of one or two directions over a sequence.

    The input's products of all steps are one product, so a step multiplies only the state.
    """

    tensors = 1  # of a state
    weight_ih_l0: Tensor

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.mode, self.bias, self.batch_first, self.bidirectional = mode, bias, batch_first, bidirectional
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.dropout, self.proj_size = float(number(type(self).__name__, dropout)), proj_size
        self._check_settings()
        for layer, end in self._parts():
            width = self._width * (2 if bidirectional else 1) if layer else input_size
            shapes = self._shapes(width)
            for name, shape in shapes.items():
                setattr(self, f"{name}_l{layer}{end}", within(shape, hidden_size, dtype, device))

    def _check_settings(self) -> None:
        name = type(self).__name__
        for what in ("input_size", "hidden_size", "num_layers"):
            if not isinstance(size := getattr(self, what), int):
                fail(OperandError, f"{name}: {what} is a number of Python's, not {type(size).__name__}")
            if size <= 0:
                fail(ArgumentError, f"{name}: {what} is at least 1, not {size}")
        steps(name, "num_layers", self.num_layers)
        if not 0 <= self.proj_size < self.hidden_size:
            fail(
                ArgumentError, f"{name}: proj_size={self.proj_size} is not smaller than hidden_size={self.hidden_size}"
            )
        if self.proj_size and self.mode != "LSTM":
            fail(ArgumentError, f"{name}: only an LSTM has a proj_size")
        if not 0 <= self.dropout <= 1:
            fail(ArgumentError, f"{name}: dropout={self.dropout} is no probability")
        if self.dropout and self.num_layers == 1:
            warnings.warn(f"{name}: dropout is between layers, and there is one", stacklevel=4)

    @property
    def _fan_in(self) -> int:
        return self.hidden_size

    @property
    def _width(self) -> int:
        """Features of one direction's output."""
        return self.proj_size or self.hidden_size

    def _parts(self) -> Iterator[tuple[int, str]]:
        """Layers and directions, as the ends of their parameters' names."""
        for layer in range(self.num_layers):
            yield layer, ""
            if self.bidirectional:
                yield layer, "_reverse"

    def _shapes(self, width: int) -> dict[str, tuple[int, ...]]:
        """The parameters of a layer whose input has `width` features, for one direction."""
        rows = GATES[self.mode] * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, width), "weight_hh": (rows, self._width)}
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        return shapes | ({"weight_hr": (self.proj_size, self.hidden_size)} if self.proj_size else {})

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of every layer and direction."""
        return [[getattr(self, f"{n}_l{layer}{end}") for n in self._shapes(1)] for layer, end in self._parts()]

    def flatten_parameters(self) -> None:
        """Nothing: for PyTorch's sake."""

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """Sequences, and the states before them (zeros unless given), to the outputs and the states after them.

        (length, batch, input_size), with `batch_first` (batch, length, input_size), for one sequence
        (length, input_size), or a PackedSequence; the output is alike.
        """
        states = None if hx is None else (hx,) if isinstance(hx, Tensor) else tuple(hx)
        if hasattr(input, "batch_sizes"):
            output, after = self._packed(input, states)
        else:
            output, after = self._padded(input, states)
        return output, after[0] if self.tensors == 1 else after

    def _padded(self, x: Tensor, states: State | None) -> tuple[Tensor, State]:
        if not isinstance(x, Tensor) or x.ndim not in (2, 3):
            shape = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
            fail(ShapeError, f"{type(self).__name__}: takes a tensor of 2 or 3 dimensions, not {shape}")
        if x.ndim == 2:
            one = None if states is None else tuple(t.unsqueeze(1) for t in states)
            batch = 0 if self.batch_first else 1
            output, after = self._padded(x.unsqueeze(batch), one)
            return output.squeeze(batch), tuple(t.squeeze(1) for t in after)
        x = x.transpose(0, 1) if self.batch_first else x
        output, after = self._layers(x, self._states(x, x.shape[1], states))
        return output.transpose(0, 1) if self.batch_first else output, after

    def _packed(self, x: Any, states: State | None) -> tuple[Any, State]:
        """Of a PackedSequence (data, batch_sizes, sorted_indices, unsorted_indices)."""
        data, batch_sizes, order, back = x
        running = Known.of(batch_sizes)
        places = Places(running, data.device)
        if states is not None and order is not None:
            states = tuple(t.index_select(1, order) for t in states)
        before = self._states(data, int(running[0]), states)
        output, after = self._layers(places.pad(data), before, places.running)  # whose shapes other lengths have, too
        if back is not None:
            after = tuple(t.index_select(1, back) for t in after)
        return type(x)(places.pack(output), batch_sizes, order, back), after

    def _states(self, x: Tensor, batch: Any, states: State | None) -> State:
        """The states before the first step, each (layers * directions, batch, features)."""
        name, weight = type(self).__name__, self.weight_ih_l0
        if x.shape[-1] != self.input_size:
            fail(ShapeError, f"{name}: the input has {x.shape[-1]} features, input_size is {self.input_size}")
        if not x.shape[0]:
            fail(ShapeError, f"{name}: a sequence of length 0 has no output")
        if x.dtype is not weight.dtype:
            fail(DTypeError, f"{name}: the input is {x.dtype}, the weights are {weight.dtype}; .cast() one of them")
        parts = self.num_layers * (2 if self.bidirectional else 1)
        shapes = [(parts, batch, self._width), (parts, batch, self.hidden_size)][: self.tensors]
        if states is None:
            return tuple(Tensor.zeros(shape, dtype=x.dtype, device=x.device) for shape in shapes)
        if len(states) != self.tensors or any(t.shape != shape for t, shape in zip(states, shapes)):
            given = ", ".join(str(list(t.shape)) for t in states)
            fail(ShapeError, f"{name}: the states are of shapes {[list(s) for s in shapes]}, not {given}")
        return states

    def _layers(self, x: Tensor, states: State, running: Tensor | None = None) -> tuple[Tensor, State]:
        """All layers, over (length, batch, features), of which `running` (length, batch, 1) says what is no padding.
        Both directions' outputs lie side by side."""
        after: list[State] = []
        outputs: list[Tensor] = []
        for part, (layer, end) in enumerate(self._parts()):
            if layer and len(outputs) == (2 if self.bidirectional else 1):
                x, outputs = _beside(outputs).dropout(self.dropout, self.training), []
            output, state = self._direction(x, tuple(t[part] for t in states), f"_l{layer}{end}", running)
            outputs.append(output)
            after.append(state)
        return _beside(outputs), tuple(stack(parts) for parts in zip(*after))

    def _direction(self, x: Tensor, state: State, end: str, running: Tensor | None) -> tuple[Tensor, State]:
        """One layer in one direction."""
        weight, bias = getattr(self, f"weight_hh{end}"), getattr(self, f"bias_hh{end}", None)
        bias_in = getattr(self, f"bias_ih{end}", None)
        if bias is not None and bias_in is not None and self.mode != "GRU":
            bias, bias_in = None, bias_in + bias
        step = step_of(self.mode, weight, bias, getattr(self, f"weight_hr{end}", None))
        gates = x.linear(getattr(self, f"weight_ih{end}"), bias_in)
        return run(step, gates, state, end.endswith("_reverse"), running)

    def extra_repr(self) -> str:
        """The settings that are not as usual."""
        usual = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0,
            "bidirectional": False,
        }
        others = [f"{n}={v}" for n, u in usual.items() if (v := getattr(self, n)) != u]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *others])


def _beside(outputs: Sequence[Tensor]) -> Tensor:
    return outputs[0] if len(outputs) == 1 else cat(outputs, -1)


class RNN(RNNBase):
    """h = tanh(W_ih x + b_ih + W_hh h + b_hh) over a sequence (relu with nonlinearity="relu").

    Args:
        input_size, hidden_size: features of the input and of the state.
        num_layers: how many nets stand on each other.
        nonlinearity: 'tanh' or 'relu'.
        bias: whether there are b_ih and b_hh.
        batch_first: the input is (batch, length, input_size), not (length, batch, input_size).
        dropout: the probability with which features between layers are dropped in training.
        bidirectional: a second net runs from the end to the start; outputs are 2 * hidden_size wide.

    Called with sequences and the state (layers * directions, batch, hidden_size), it gives the outputs and the last
    state. Parameters are named as PyTorch's: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l1_reverse.

    >>> output, h = nn.RNN(3, 5, batch_first=True)(Tensor.ones(2, 7, 3))
    >>> output.shape, h.shape
    ((2, 7, 5), (1, 2, 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.nonlinearity = nonlinearity
        settings = (num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)
        super().__init__(rnn_mode("RNN", nonlinearity), input_size, hidden_size, *settings)


class LSTM(RNNBase):
    """Long short-term memory over a sequence; the arguments are those of `RNN`, and `proj_size`.

    The state is a pair (h, c). With `proj_size`, h is multiplied by weight_hr and that wide; c stays hidden_size wide.

    >>> output, (h, c) = nn.LSTM(3, 5, bidirectional=True, proj_size=2)(Tensor.ones(7, 2, 3))
    >>> output.shape, h.shape, c.shape
    ((7, 2, 4), (2, 2, 2), (2, 2, 5))
    """

    tensors = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        settings = (num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype)
        super().__init__("LSTM", input_size, hidden_size, *settings)


class GRU(RNNBase):
    """Gated recurrent units over a sequence; the arguments are those of `RNN`, but for its nonlinearity.

    >>> output, h = nn.GRU(3, 5, num_layers=2)(Tensor.ones(7, 2, 3))
    >>> output.shape, h.shape
    ((7, 2, 5), (2, 2, 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        settings = (num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)
        super().__init__("GRU", input_size, hidden_size, *settings)
