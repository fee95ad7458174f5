"""`torch.signal.windows` here: vectors of M weights with which a signal is cut out smoothly.

Every function takes `sym` (True: symmetric; False: periodic, for spectra: a symmetric one of M + 1 without its last
element), and `dtype` (a float; float32 unless given), `device` and `requires_grad` as other new tensors do. The numbers
are computed in float64 and rounded once. Formulas: F. J. Harris, "On the use of windows for harmonic analysis with the
discrete Fourier transform", Proc. IEEE 66 (1978); A. Nuttall, "Some windows with very good sidelobe behavior" (1981).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazygrad.dtype import as_dtype, get_default_dtype
from lazygrad.errors import ArgumentError, DTypeError, fail
from lazygrad.ops.arguments import new_size
from lazygrad.ops.signatures import check_functions
from lazygrad.tensor import Tensor

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]
Array = np.ndarray[Any, np.dtype[np.float64]]


def _window(what: str, M: int, sym: bool, weights: Callable[[Array, int], Array], options: dict[str, Any]) -> Tensor:
    """`weights` of the places 0 ... and of how many there would be in the symmetric window."""
    kind = as_dtype(options.pop("dtype", None), get_default_dtype())
    if isinstance(M, bool) or not isinstance(M, int) or M < 0:
        fail(ArgumentError, f"{what}: M is {M!r}; it is how many weights there are")
    M = new_size(M, what)
    if not kind.is_float:
        fail(DTypeError, f"{what}: weights are no {kind}; dtype is a float")
    for name in ("layout", "pin_memory"):
        options.pop(name, None)
    values = np.ones(M) if M < 2 else weights(np.arange(M, dtype=np.float64), M if sym else M + 1)
    return Tensor(values, dtype=kind, **options)


def bartlett(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """A triangle that begins and ends with 0: 1 - |2 k / (M - 1) - 1|.

    >>> from lazygrad.signal import windows
    >>> windows.bartlett(5).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    return _window("bartlett", M, sym, lambda k, n: 1 - np.abs(2 * k / (n - 1) - 1), options)


def cosine(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Half a period of a sine: sin(pi (k + 0.5) / M).

    >>> from lazygrad.signal import windows
    >>> windows.cosine(2, dtype="float64").round(decimals=3).tolist()
    [0.707, 0.707]
    """
    return _window("cosine", M, sym, lambda k, n: np.sin(np.pi * (k + 0.5) / n), options)


def exponential(M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, **options: Any) -> Tensor:
    """exp(-|k - center| / tau); the center is the middle, and must be, unless `sym` is False.

    >>> from lazygrad.signal import windows
    >>> windows.exponential(3, tau=0.5, dtype="float64").round(decimals=3).tolist()
    [0.135, 1.0, 0.135]
    """
    if tau <= 0 or (sym and center is not None):
        fail(ArgumentError, f"exponential: tau {tau} is not above 0, or a center {center} is given with sym=True")
    return _window(
        "exponential", M, sym, lambda k, n: np.exp(-np.abs(k - ((n - 1) / 2 if center is None else center)) / tau),
        options,
    )  # fmt: skip


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **options: Any) -> Tensor:
    """The bell exp(-((k - middle) / std)**2 / 2).

    >>> from lazygrad.signal import windows
    >>> windows.gaussian(3, dtype="float64").round(decimals=3).tolist()
    [0.607, 1.0, 0.607]
    """
    if std <= 0:
        fail(ArgumentError, f"gaussian: std is {std}; it is above 0")
    return _window("gaussian", M, sym, lambda k, n: np.exp(-(((k - (n - 1) / 2) / std) ** 2) / 2), options)


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **options: Any) -> Tensor:
    """I0(beta sqrt(1 - (2 k / (M - 1) - 1)**2)) / I0(beta), I0 being the modified Bessel function.

    >>> from lazygrad.signal import windows
    >>> windows.kaiser(3, beta=0.0).tolist()
    [1.0, 1.0, 1.0]
    """
    if beta < 0:
        fail(ArgumentError, f"kaiser: beta is {beta}; it is at least 0")

    def weights(k: Array, n: int) -> Array:
        return np.i0(beta * np.sqrt(np.maximum(1 - (2 * k / (n - 1) - 1) ** 2, 0))) / np.i0(beta)

    return _window("kaiser", M, sym, weights, options)


def general_cosine(M: int, *, a: Sequence[float], sym: bool = True, **options: Any) -> Tensor:
    """A sum of cosines with coefficients a[0], -a[1], a[2], ... of 0, 1, 2, ... periods.

    >>> from lazygrad.signal import windows
    >>> windows.general_cosine(3, a=[0.5, 0.5]).tolist()
    [0.0, 1.0, 0.0]
    """
    return _cosines("general_cosine", M, a, sym, options)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **options: Any) -> Tensor:
    """alpha - (1 - alpha) cos(2 pi k / (M - 1)).

    >>> from lazygrad.signal import windows
    >>> windows.general_hamming(3, alpha=0.5).tolist()
    [0.0, 1.0, 0.0]
    """
    return _cosines("general_hamming", M, (alpha, 1 - alpha), sym, options)


def hamming(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """`general_hamming` with alpha 0.54.

    >>> from lazygrad.signal import windows
    >>> windows.hamming(3, dtype="float64").round(decimals=3).tolist()
    [0.08, 1.0, 0.08]
    """
    return _cosines("hamming", M, (0.54, 0.46), sym, options)


def hann(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """`general_hamming` with alpha 0.5.

    >>> from lazygrad.signal import windows
    >>> windows.hann(3).tolist()
    [0.0, 1.0, 0.0]
    """
    return _cosines("hann", M, (0.5, 0.5), sym, options)


def blackman(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """`general_cosine` of 0.42, 0.5, 0.08.

    >>> from lazygrad.signal import windows
    >>> windows.blackman(3, dtype="float64").abs().round(decimals=3).tolist()
    [0.0, 1.0, 0.0]
    """
    return _cosines("blackman", M, (0.42, 0.5, 0.08), sym, options)


def nuttall(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """`general_cosine` of 0.3635819, 0.4891775, 0.1365995, 0.0106411.

    >>> from lazygrad.signal import windows
    >>> windows.nuttall(3, dtype="float64").round(decimals=3).tolist()
    [0.0, 1.0, 0.0]
    """
    return _cosines("nuttall", M, (0.3635819, 0.4891775, 0.1365995, 0.0106411), sym, options)


def _cosines(what: str, M: int, a: Sequence[float], sym: bool, options: dict[str, Any]) -> Tensor:
    if not len(a):
        fail(ArgumentError, f"{what}: there is no coefficient")

    def weights(k: Array, n: int) -> Array:
        turns = 2 * np.pi * k / (n - 1)
        parts = [(-1) ** i * c * np.cos(i * turns) for i, c in enumerate(a)]
        return np.asarray(np.sum(parts, 0), np.float64)

    return _window(what, M, sym, weights, options)


check_functions(globals())
