"""PyTorch's older windows (`torch.hann_window` ...): of `window_length` weights of a period unless `periodic` is false.

They take `dtype` (a float; the default dtype unless given), `device` and `requires_grad` as other new tensors do.
"""

from __future__ import annotations

from typing import Any

from lazygrad.signal import windows
from lazygrad.tensor import Tensor

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


def bartlett_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """`signal.windows.bartlett`.

    >>> bartlett_window(4).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    return windows.bartlett(window_length, sym=not periodic, **options)


def blackman_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """`signal.windows.blackman`.

    >>> blackman_window(4).shape
    (4,)
    """
    return windows.blackman(window_length, sym=not periodic, **options)


def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, **options: Any
) -> Tensor:
    """alpha - beta cos(2 pi k / window_length).

    >>> hamming_window(2, alpha=0.5, beta=0.25).tolist()
    [0.25, 0.75]
    """
    return windows.general_cosine(window_length, a=(alpha, beta), sym=not periodic, **options)


def hann_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """`signal.windows.hann`.

    >>> hann_window(4).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    return windows.hann(window_length, sym=not periodic, **options)


def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, **options: Any) -> Tensor:
    """`signal.windows.kaiser`.

    >>> kaiser_window(3, periodic=False).tolist()[1]
    1.0
    """
    return windows.kaiser(window_length, beta=beta, sym=not periodic, **options)
