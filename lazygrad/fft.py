"""What `torch.fft` has for real numbers: the frequencies of a transform, and the order that they come in.

The transforms themselves take or give complex numbers, which are not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from lazygrad.absent import absent_from
from lazygrad.dtype import DTypeLike, as_dtype, get_default_dtype
from lazygrad.errors import ArgumentError
from lazygrad.ops.core import Core, fail
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.signatures import checked
from lazygrad.tensor import Tensor

T = TypeVar("T", bound=Core)

__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]


def fftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: DTypeLike | None = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """The frequencies of a transform of `n` samples `d` apart, in cycles per unit of `d`: those from 0 up, and behind
    them the negative ones. Shape (n,), float32 unless `dtype` says otherwise. ArgumentError where `n` is not positive.

    >>> fftfreq(5, 0.5).tolist()
    [0.0, 0.4000000059604645, 0.800000011920929, -0.800000011920929, -0.4000000059604645]
    """
    places = Tensor.arange(_positive("fftfreq", n), device=device)
    signed = (places + n // 2) % n - n // 2
    return _frequencies(signed, n * d, dtype, requires_grad)


def rfftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: DTypeLike | None = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """`fftfreq` for real samples: the n // 2 + 1 frequencies from 0 up.

    >>> rfftfreq(4).tolist()
    [0.0, 0.25, 0.5]
    """
    places = Tensor.arange(_positive("rfftfreq", n) // 2 + 1, device=device)
    return _frequencies(places, n * d, dtype, requires_grad)


@checked
def fftshift(input: T, dim: int | Sequence[int] | None = None) -> T:
    """The elements along `dim` (None: all dimensions) with frequency 0 brought to the middle.

    >>> fftshift(Tensor([0, 1, 2, -2, -1])).tolist()
    [-2, -1, 0, 1, 2]
    """
    return _shifted("fftshift", input, dim, 1)


@checked
def ifftshift(input: T, dim: int | Sequence[int] | None = None) -> T:
    """What undoes `fftshift`.

    >>> ifftshift(Tensor([-2, -1, 0, 1, 2])).tolist()
    [0, 1, 2, -2, -1]
    """
    return _shifted("ifftshift", input, dim, -1)


def _positive(what: str, n: int) -> int:
    if n < 1:
        fail(ArgumentError, f"{what}: there are no frequencies of {n} samples")
    return n


def _frequencies(numbers: Tensor, duration: float, dtype: DTypeLike | None, requires_grad: bool) -> Tensor:
    """Divided in doubles, so that each is rounded once."""
    kind = as_dtype(dtype, get_default_dtype())
    return Tensor(numbers.double().div(duration).cast(kind), requires_grad=requires_grad)


def _shifted(what: str, x: T, dim: int | Sequence[int] | None, sign: int) -> T:
    """Shifted by half of each size."""
    if not isinstance(x, Core):
        not_a_tensor(what, x)
    axes = list(x._axes(dim))
    halves = [sign * (int(x.shape[axis]) // 2) for axis in axes]
    return x.roll(halves, axes) if axes else x  # type: ignore[attr-defined]


if not TYPE_CHECKING:
    __getattr__ = absent_from("lazygrad.fft")
