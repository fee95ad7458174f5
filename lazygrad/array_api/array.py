"""The arrays that this namespace makes: tensors whose operators promote as the standard has it."""

from __future__ import annotations

from typing import Any

from lazygrad.array_api.promotion import alike
from lazygrad.tensor import Tensor


class Array(Tensor):
    """A tensor beside which 0-d arrays count as others do.

    >>> from lazygrad import array_api as xp
    >>> (xp.asarray(300, dtype=xp.int16) * xp.asarray([2], dtype=xp.uint8)).tolist()
    [600]
    """

    __slots__ = ()
    __hash__ = Tensor.__hash__


def _operator(name: str) -> Any:
    """The tensors' operator, of two tensors of one dtype; beside anything but a tensor it is as it was."""
    own = getattr(Tensor, name)

    def operator(self: Array, other: Any) -> Any:
        return own(*alike(name, self, other)) if isinstance(other, Tensor) else own(self, other)

    operator.__name__, operator.__qualname__ = name, f"Array.{name}"
    return operator


_ARITHMETIC = ["add", "and", "floordiv", "lshift", "mod", "mul", "or", "pow", "rshift", "sub", "truediv", "xor"]
for _name in [*_ARITHMETIC, *(f"r{name}" for name in _ARITHMETIC), *["eq", "ge", "gt", "le", "lt", "ne"]]:
    setattr(Array, f"__{_name}__", _operator(f"__{_name}__"))
