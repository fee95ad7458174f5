"""A step of a recurrent net, repeated over sequences of one length or packed ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from lazygrad.ir.node import Node
from lazygrad.nn.cells import State
from lazygrad.nn.parameter import Held
from lazygrad.ops.host_values import on_host
from lazygrad.ops.scan import scan
from lazygrad.tensor import Tensor


class Known(Held):
    """Integers whose values the host has beside those of the device, so that they are read while `jit` traces, too."""

    __slots__ = ("_made", "_values")
    _values: np.ndarray[Any, Any]
    _made: Node  # what the tensor was when it had these values

    def __new__(cls, values: Any, device: str) -> Known:
        """A vector of int64."""
        array = np.asarray(values, dtype=np.int64)
        new = super().__new__(cls, array, device=device)
        new._values, new._made = array, new.node
        return new

    @staticmethod
    def of(t: Tensor) -> np.ndarray[Any, Any]:
        """The values of any tensor on the host; read from the device where it has to be."""
        if isinstance(t, Known) and getattr(t, "_made", None) is t.node:  # and is none that stands in for one
            return t._values
        return on_host(t)


class Places:
    """Where the rows of packed sequences lie in (length, batch), given how many sequences run at each step."""

    def __init__(self, running: np.ndarray[Any, Any], device: str) -> None:
        length, batch = len(running), int(running[0])
        inside = np.arange(batch) < running[:, None]
        rows = np.where(inside, np.arange(batch) + (np.cumsum(running) - running)[:, None], 0)
        self.shape = (length, batch)
        self.rows = Tensor(rows.reshape(-1), device=device)
        self.packed = Tensor(np.flatnonzero(inside), device=device)
        self.running = Tensor(inside[:, :, None], device=device)

    def pad(self, rows: Tensor) -> Tensor:
        """(rows, ...) to (length, batch, ...); what lies past an end is of no account."""
        return rows.index_select(0, self.rows).reshape(*self.shape, *rows.shape[1:])

    def pack(self, padded: Tensor) -> Tensor:
        """(length, batch, ...) to (rows, ...)."""
        return padded.flatten(0, 1).index_select(0, self.packed)


def run(
    step: Any, gates: Tensor, state: State, reverse: bool = False, running: Tensor | None = None
) -> tuple[Tensor, State]:
    """Every step of a net over `gates` (length, batch, ...): the outputs (length, batch, features) and the last state.

    `running` (length, batch, 1) says which sequences go on at a step; the others keep their state.
    """
    given = (gates,) if running is None else (gates, running)

    def once(state: State, now: tuple[Tensor, ...]) -> tuple[State, Tensor]:
        after: State = tuple(a.cast(b.dtype) for a, b in zip(step(now[0], state), state))  # of autocast's dtype, maybe
        if running is not None:
            after = tuple(a.where(now[1], b) for a, b in zip(after, state))
        return after, after[0]

    state, outputs = scan(once, state, given, reverse)
    return outputs, state
