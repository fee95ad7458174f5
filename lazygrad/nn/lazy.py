"""Layers that learn from their first input how many features or channels it has, by PyTorch's names."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from lazygrad.errors import ShapeError, fail
from lazygrad.nn.convolution import Conv1d, Conv2d, Conv3d
from lazygrad.nn.linear import Linear
from lazygrad.nn.module import Module
from lazygrad.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from lazygrad.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from lazygrad.nn.transposed import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from lazygrad.ops.mode import no_grad
from lazygrad.tensor import Tensor

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
    "LazyLinear",
]

AFFINE = {"affine": True, "track_running_stats": True}


class _Lazy(Module):
    """Base of modules that are `of` a class but for its first argument, which is the size of the input's dimension
    `place`, and other `defaults`. With the first call, or when a state is loaded, parameters get their shapes, and stay
    the same objects; with the first call the module becomes one of that class.
    """

    cls_to_become: ClassVar[Any]
    _asks: ClassVar[str] = ""  # the argument, which is an attribute too
    _place: ClassVar[int] = 0
    _arguments: ClassVar[inspect.Signature] = inspect.Signature()
    _given: dict[str, Any]

    def __init_subclass__(cls, of: type[Module] | None = None, place: int = 0, **defaults: Any) -> None:
        super().__init_subclass__()
        if of is not None:
            asked, *others = list(inspect.signature(of).parameters.values())
            cls.cls_to_become, cls._asks, cls._place = of, asked.name, place
            cls._arguments = inspect.Signature([p.replace(default=defaults.get(p.name, p.default)) for p in others])
            cls.__signature__ = cls._arguments  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = self._arguments.bind(*args, **kwargs)
        given.apply_defaults()
        made = self.cls_to_become(given.arguments.get("groups", 1), **given.arguments)
        self.__dict__.update(vars(made), _given=given.arguments)  # and so as `Module.__init__` would
        setattr(self, self._asks, 0)
        for name, p in made.named_parameters():
            setattr(self, name, UninitializedParameter(device=p.device, dtype=p.dtype))
        for name, t in made.named_buffers():
            if t.ndim:
                self.register_buffer(name, UninitializedBuffer(device=t.device, dtype=t.dtype))
        self.register_load_state_dict_pre_hook(_shapes_of_state)

    def has_uninitialized_params(self) -> bool:
        """Whether parameters or buffers have no shape yet."""
        return any(is_lazy(t) for _, t in self._state())

    def initialize_parameters(self, input: Tensor) -> None:
        """Give parameters and buffers that have none the shapes that `input` says, and their initial values."""
        known = next((t for _, t in self._state() if t.dtype.is_float), None)
        place = {} if known is None else {"device": known.device, "dtype": known.dtype}
        size = self._size_of(input)
        made = self.cls_to_become(size, **{**self._given, **place})
        with no_grad():
            for name, start in [*made.named_parameters(), *made.named_buffers()]:
                t = getattr(self, name)
                if is_lazy(t):
                    t.materialize(start.shape)
                    t.assign(start.detach())
                elif t.shape != start.shape:
                    what = f"{type(self).__name__}: {name} is of shape {list(t.shape)}"
                    fail(ShapeError, f"{what}; an input of shape {list(input.shape)} needs {list(start.shape)}")
        setattr(self, self._asks, size)

    def _size_of(self, input: Tensor) -> Any:
        least = self._place + 1 if self._place >= 0 else -self._place
        if input.ndim < least:
            what = f"{type(self).__name__}: an input of shape {list(input.shape)}"
            fail(ShapeError, f"{what} has no dimension {self._place} that says {self._asks}")
        return input.shape[self._place]

    def forward(self, input: Tensor, *args: Any, **kwargs: Any) -> Any:
        """What a module of the class gives that this one becomes."""
        self.initialize_parameters(input)
        del self._given
        self._hooks["load_pre"] = type(self._hooks["load_pre"])(
            {n: h for n, h in self._hooks["load_pre"].items() if h[0] is not _shapes_of_state}
        )
        self.__class__ = self.cls_to_become
        return self.forward(input, *args, **kwargs)


def _shapes_of_state(module: Any, state: dict[str, Any], prefix: str, *others: Any) -> None:
    """Give a module that is to take over a state the shapes of that."""
    for name, t in module._state():
        value = state.get(prefix + name, t)
        if is_lazy(t) and not is_lazy(value):
            t.materialize(value.shape)


class LazyLinear(_Lazy, Linear, of=Linear, place=-1):
    """`Linear` whose in_features the first input says.

    >>> layer = nn.LazyLinear(5)
    >>> layer(Tensor.ones(2, 10)).shape, layer
    ((2, 5), Linear(in_features=10, out_features=5, bias=True))
    """


class LazyConv1d(_Lazy, Conv1d, of=Conv1d, place=-2):
    """`Conv1d` whose in_channels the first input says."""


class LazyConv2d(_Lazy, Conv2d, of=Conv2d, place=-3):
    """`Conv2d` whose in_channels the first input says.

    >>> layer = nn.LazyConv2d(5, 3)
    >>> layer(Tensor.ones(1, 2, 4, 4)).shape, layer.in_channels
    ((1, 5, 2, 2), 2)
    """


class LazyConv3d(_Lazy, Conv3d, of=Conv3d, place=-4):
    """`Conv3d` whose in_channels the first input says."""


class LazyConvTranspose1d(_Lazy, ConvTranspose1d, of=ConvTranspose1d, place=-2):
    """`ConvTranspose1d` whose in_channels the first input says."""


class LazyConvTranspose2d(_Lazy, ConvTranspose2d, of=ConvTranspose2d, place=-3):
    """`ConvTranspose2d` whose in_channels the first input says."""


class LazyConvTranspose3d(_Lazy, ConvTranspose3d, of=ConvTranspose3d, place=-4):
    """`ConvTranspose3d` whose in_channels the first input says."""


class LazyBatchNorm1d(_Lazy, BatchNorm1d, of=BatchNorm1d, place=1):
    """`BatchNorm1d` whose num_features the first input says.

    >>> layer = nn.LazyBatchNorm1d()
    >>> layer(Tensor([[1.0, 2.0], [3.0, 4.0]])).shape, layer.num_features
    ((2, 2), 2)
    """


class LazyBatchNorm2d(_Lazy, BatchNorm2d, of=BatchNorm2d, place=1):
    """`BatchNorm2d` whose num_features the first input says."""


class LazyBatchNorm3d(_Lazy, BatchNorm3d, of=BatchNorm3d, place=1):
    """`BatchNorm3d` whose num_features the first input says."""


class LazyInstanceNorm1d(_Lazy, InstanceNorm1d, of=InstanceNorm1d, place=-2, **AFFINE):
    """`InstanceNorm1d` whose num_features the first input says; affine and tracking unless told."""


class LazyInstanceNorm2d(_Lazy, InstanceNorm2d, of=InstanceNorm2d, place=-3, **AFFINE):
    """`InstanceNorm2d` whose num_features the first input says; affine and tracking unless told."""


class LazyInstanceNorm3d(_Lazy, InstanceNorm3d, of=InstanceNorm3d, place=-4, **AFFINE):
    """`InstanceNorm3d` whose num_features the first input says; affine and tracking unless told."""
