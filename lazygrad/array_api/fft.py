"""The extension `fft` as far as real dtypes go: frequencies and their order.

The transforms take or give complex numbers, which are not here: each raises DTypeError that says so.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NoReturn

import lazygrad.fft as real
from lazygrad.array_api.promotion import an_array
from lazygrad.dtype import DType
from lazygrad.errors import DTypeError
from lazygrad.ops.core import fail
from lazygrad.tensor import Tensor

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]


def fftfreq(n: int, /, *, d: float = 1.0, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """The frequencies of a transform of `n` samples `d` apart: those from 0 up, and behind them the negative ones.

    >>> fftfreq(4).tolist()
    [0.0, 0.25, -0.5, -0.25]
    """
    return real.fftfreq(n, d, dtype=dtype, device=device)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: DType | None = None, device: str | None = None) -> Tensor:
    """The n // 2 + 1 frequencies of a transform of `n` real samples `d` apart.

    >>> rfftfreq(4).tolist()
    [0.0, 0.25, 0.5]
    """
    return real.rfftfreq(n, d, dtype=dtype, device=device)


def fftshift(x: Tensor, /, *, axes: int | tuple[int, ...] | None = None) -> Tensor:
    """The elements along `axes` (None: all) with frequency 0 brought to the middle.

    >>> fftshift(Tensor([0, 1, 2, -2, -1])).tolist()
    [-2, -1, 0, 1, 2]
    """
    return real.fftshift(an_array("fftshift", x), axes)


def ifftshift(x: Tensor, /, *, axes: int | tuple[int, ...] | None = None) -> Tensor:
    """What undoes `fftshift`.

    >>> ifftshift(Tensor([-2, -1, 0, 1, 2])).tolist()
    [0, 1, 2, -2, -1]
    """
    return real.ifftshift(an_array("ifftshift", x), axes)


def _of_complex_numbers(name: str, **options: Any) -> Callable[..., NoReturn]:
    """The transform `name`, which is refused."""

    def transform(*_: Any, **__: Any) -> NoReturn:
        fail(DTypeError, f"fft.{name}: a spectrum is complex, and there are no complex dtypes here; use NumPy's")

    given = [inspect.Parameter("x", inspect.Parameter.POSITIONAL_ONLY)]
    given += [inspect.Parameter(k, inspect.Parameter.KEYWORD_ONLY, default=v) for k, v in options.items()]
    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = "Not offered: DTypeError, because it takes or gives complex numbers."
    transform.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
    return transform


_LINE: dict[str, Any] = {"n": None, "axis": -1, "norm": "backward"}
_GRID: dict[str, Any] = {"s": None, "axes": None, "norm": "backward"}
fft = _of_complex_numbers("fft", **_LINE)
fftn = _of_complex_numbers("fftn", **_GRID)
hfft = _of_complex_numbers("hfft", **_LINE)
ifft = _of_complex_numbers("ifft", **_LINE)
ifftn = _of_complex_numbers("ifftn", **_GRID)
ihfft = _of_complex_numbers("ihfft", **_LINE)
irfft = _of_complex_numbers("irfft", **_LINE)
irfftn = _of_complex_numbers("irfftn", **_GRID)
rfft = _of_complex_numbers("rfft", **_LINE)
rfftn = _of_complex_numbers("rfftn", **_GRID)
