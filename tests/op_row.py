"""One row of the table of operations, and what its inputs are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.nn import functional as theirs

from lazygrad.nn import functional as ours

FLOATS = ("float64", "float32", "float16", "bfloat16")
INTS = ("int64", "int32", "int16", "int8", "uint8")
NUMBERS = (*FLOATS, *INTS)
ALL = (*NUMBERS, "bool")
Function = Callable[..., Any]


@dataclass(frozen=True)
class In:
    """One input: uniform in [low, high), of `shape`; `integer` inputs stay int64, `mask` ones bool.

    `away` keeps elements at least that far from the integers, where rounding functions jump.
    """

    shape: tuple[int, ...] = (3, 4)
    low: float = -2.0
    high: float = 2.0
    integer: bool = False
    mask: bool = False
    away: float = 0.0

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...] | None = None) -> np.ndarray[Any, Any]:
        shape = self.shape if shape is None else shape
        if self.mask:
            return rng.random(shape) < 0.5
        if self.integer:
            return rng.integers(int(self.low), int(self.high), shape)
        x = rng.uniform(self.low, self.high, shape)
        if self.away:
            whole = np.round(x)
            x = whole + np.clip(np.abs(x - whole), self.away, 0.5 - self.away) * np.where(x < whole, -1, 1)
        return x


@dataclass(frozen=True)
class Row:
    """One operation on one kind of samples.

    Args:
        reference: the result from float64 (or integer) arrays; None where PyTorch alone is the reference.
        dtypes: those that the operation is defined for; the first one is the main one.
        grad: whether the result has a gradient by its floating inputs.
        elementwise: whether every input may have any one shape (also an empty one).
        errors: (a call that fails, its error, words of its message).
    """

    name: str
    call: Function
    reference: Function | None
    inputs: tuple[In, ...] = (In(),)
    dtypes: tuple[str, ...] = FLOATS
    grad: bool = True
    elementwise: bool = False
    torch: Function | None = None
    errors: tuple[tuple[Callable[[], Any], type[Exception], str], ...] = ()

    @property
    def torch_call(self) -> Function:
        return self.torch or self.call


def unary(name: str, reference: Function, *inputs: In, **options: Any) -> Row:
    """An elementwise method without arguments."""
    return Row(name, lambda x: getattr(x, name)(), reference, inputs or (In(),), elementwise=True, **options)


def binary(name: str, call: Function, reference: Function, **options: Any) -> Row:
    """An elementwise function of two tensors."""
    options = {"inputs": (In(), In()), "elementwise": True, "dtypes": NUMBERS, **options}
    return Row(name, call, reference, **options)


def both(name: str, label: str, *inputs: In, **options: Any) -> Row:
    """A row that is the same function of both libraries with `options`; of a pair its first part."""

    def call(module: Any) -> Any:
        def first(*xs: Any) -> Any:
            result = getattr(module, name)(*xs, **options)
            return result[0] if isinstance(result, tuple) else result

        return first

    return Row(f"{name}_{label}", call(ours), None, inputs, FLOATS[:2], torch=call(theirs))
