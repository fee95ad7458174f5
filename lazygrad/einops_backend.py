"""einops on tensors: `einops.rearrange(x, "b h w -> b (h w)")` works as soon as both packages are imported.

Nothing is to be done for it, and einops is not imported here: it looks for backends among the subclasses of its
`AbstractBackend`, and one is defined when einops is there. Its layers are in `lazygrad.nn.einops`. (`einops.array_api`
finds `lazygrad.array_api` by itself.)
"""

from __future__ import annotations

import sys
from typing import Any

from lazygrad.ops.einsum import einsum
from lazygrad.ops.joining import cat, stack
from lazygrad.tensor import Tensor

BACKENDS = "einops._backends"
_REDUCTIONS = {"min": Tensor.amin, "max": Tensor.amax}


class Waiting:
    """Looks, whenever a module is imported, whether einops has its backends now; finds no module itself.

    The last one that einops imports is never its backends, so they are complete before anybody can use them.
    """

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Called for every module that is imported first."""
        if BACKENDS in sys.modules and name != BACKENDS:
            define_if_there()


_waiting = Waiting()


def expect_einops() -> None:
    """Define the backend now if einops is there, else when it is imported."""
    if not define_if_there() and _waiting not in sys.meta_path:
        sys.meta_path.insert(0, _waiting)


def define_if_there() -> bool:
    """Whether einops is imported; its backend is defined then."""
    base: Any = getattr(sys.modules.get(BACKENDS), "AbstractBackend", None)
    if base is None:
        return False
    if _waiting in sys.meta_path:
        sys.meta_path.remove(_waiting)
    if not any(c.framework_name == "lazygrad" for c in base.__subclasses__()):
        base.lazygrad = type("LazygradBackend", (_Operations, base), {})  # subclasses are known weakly
    return True


class _Operations:
    """What einops asks of a backend."""

    framework_name = "lazygrad"

    def is_appropriate_type(self, tensor: object) -> bool:
        return isinstance(tensor, Tensor)

    def from_numpy(self, x: Any) -> Tensor:
        return Tensor(x, requires_grad=x.dtype.kind == "f")

    def to_numpy(self, x: Tensor) -> Any:
        return x.detach().numpy()

    def arange(self, start: int, stop: int) -> Tensor:
        return Tensor.arange(start, stop)

    def transpose(self, x: Tensor, axes: Any) -> Tensor:
        return x.permute(axes)

    def reduce(self, x: Tensor, operation: str, axes: tuple[int, ...]) -> Any:
        reduction = _REDUCTIONS.get(operation) or getattr(Tensor, operation)
        return reduction(x, axes)

    def stack_on_zeroth_dimension(self, tensors: list[Tensor]) -> Tensor:
        return stack(tensors)

    def add_axis(self, x: Tensor, new_position: int) -> Tensor:
        return x.unsqueeze(new_position)

    def add_axes(self, x: Tensor, n_axes: int, pos2len: dict[int, int]) -> Tensor:
        sizes: list[int] = [-1] * n_axes
        for position, size in pos2len.items():
            x = x.unsqueeze(position)
            sizes[position] = size
        return x.expand(sizes)

    def tile(self, x: Tensor, repeats: tuple[int, ...]) -> Tensor:
        return x.repeat(repeats)

    def concat(self, tensors: list[Tensor], axis: int) -> Tensor:
        return cat(tensors, axis)

    def is_float_type(self, x: Tensor) -> bool:
        return x.dtype.is_float

    def layers(self) -> Any:
        from lazygrad.nn import einops

        return einops

    def einsum(self, pattern: str, *x: Tensor) -> Tensor:
        product: Tensor = einsum(pattern, *x)
        return product
