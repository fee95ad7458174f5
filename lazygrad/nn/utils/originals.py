"""What a parametrized tensor is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lazygrad.errors import ArgumentError, OperandError, fail
from lazygrad.nn.containers import ModuleList
from lazygrad.nn.module import Module
from lazygrad.nn.moving import take
from lazygrad.nn.parameter import Parameter
from lazygrad.ops.mode import no_grad
from lazygrad.ops.operands import describe
from lazygrad.tensor import Tensor


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied one after the other, and what they are applied to: `original`, or
    `original0`, `original1`, ... where `right_inverse` of the first one gives several.

    Args:
        modules: the parametrizations.
        original: the parameter or buffer as it was.
        unsafe: whether the result may have another dtype or shape than `original`.
    """

    original: Tensor

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            fail(ArgumentError, "ParametrizationList: there is no parametrization")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        values = self._back(original, needed=False)
        self.is_tensor = isinstance(values, Tensor)
        self.ntensors = 1 if self.is_tensor else len(values)
        if self.is_tensor:
            if values.dtype is not dtype or values.device != original.device:
                fail(ArgumentError, f"right_inverse gives {values.dtype} on {values.device} of {_about(original)}")
            if values is not original:
                become(original, values)
            hold(self, "original", original)
        else:
            is_parameter = isinstance(original, Parameter)
            for k, value in enumerate(values):
                hold(self, f"original{k}", Parameter(value, original.requires_grad) if is_parameter else value)
        if not unsafe:
            check("registering a parametrization", self(), shape, dtype)

    def _originals(self) -> list[Tensor]:
        names = ["original"] if self.is_tensor else [f"original{k}" for k in range(self.ntensors)]
        return [getattr(self, name) for name in names]

    def _back(self, value: Any, needed: bool) -> Any:
        """What the parametrizations make `value` of; those that cannot say are passed over unless it is `needed`."""
        with no_grad():
            for module in reversed(list(self)):
                inverse = getattr(module, "right_inverse", None)
                if inverse is None and needed:
                    fail(ArgumentError, f"{type(module).__name__} has no right_inverse: the tensor cannot be set")
                try:
                    value = value if inverse is None else inverse(value)
                except NotImplementedError:
                    if needed:
                        raise
        if isinstance(value, Tensor):
            return value
        if not isinstance(value, (list, tuple)) or not all(isinstance(t, Tensor) for t in value):
            fail(ArgumentError, f"right_inverse gives a Tensor or several, not {describe(value)[0]}")
        return value

    def right_inverse(self, value: Tensor) -> None:
        """Change the originals so that the result is `value`."""
        if not isinstance(value, Tensor):
            fail(OperandError, f"a parametrized tensor is set to a Tensor, not to {describe(value)[0]}")
        new = self._back(value, needed=True)
        given = [new] if isinstance(new, Tensor) else list(new)
        originals = self._originals()
        if isinstance(new, Tensor) is not self.is_tensor or len(given) != len(originals):
            fail(ArgumentError, f"right_inverse gives {len(given)} tensors in the place of {self.ntensors}")
        for old, one in zip(originals, given):
            if old.dtype is not one.dtype:
                fail(ArgumentError, f"right_inverse gives {one.dtype} in the place of {_about(old)}")
        for old, one in zip(originals, given):
            become(old, one)

    def forward(self) -> Tensor:
        """The tensor."""
        first, *others = self
        x = first(*self._originals())
        for module in others:
            x = module(x)
        return x  # type: ignore[no-any-return]


def check(what: str, made: Any, shape: Any, dtype: Any) -> None:
    """ArgumentError where what a parametrization made is no tensor of this shape and dtype."""
    if not isinstance(made, Tensor):
        fail(ArgumentError, f"a parametrization makes a Tensor, not {describe(made)[0]}")
    if made.shape != shape or made.dtype is not dtype:
        was = f"{dtype}{list(shape)}"
        fail(ArgumentError, f"{what} makes {_about(made)} of {was}; if that is meant, pass unsafe=True")


def _about(t: Tensor) -> str:
    return f"{t.dtype}{list(t.shape)}"


def hold(module: Module, name: str, t: Tensor) -> None:
    """Make `t` a parameter of `module` if it is one, else a buffer."""
    (module.register_parameter if isinstance(t, Parameter) else module.register_buffer)(name, t)


def become(t: Tensor, value: Tensor) -> None:
    """Give `t` this value, of any shape; it stays the object that it is."""
    if t.shape == value.shape:
        with no_grad():
            t.assign(value)
    else:
        take(t, value)
