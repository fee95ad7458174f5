"""The device beside the CPU, by PyTorch's names (`torch.accelerator`): NVIDIA's GPUs, where there are any."""

from __future__ import annotations

from lazygrad.cuda import current_device as current_device_index
from lazygrad.cuda import (
    device_count,
    empty_cache,
    is_available,
    max_memory_allocated,
    memory_allocated,
    memory_reserved,
    reset_peak_memory_stats,
    synchronize,
)
from lazygrad.cuda import set_device as set_device_index
from lazygrad.device import device

__all__ = [
    "current_accelerator",
    "current_device_index",
    "device_count",
    "empty_cache",
    "is_available",
    "max_memory_allocated",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "set_device_index",
    "synchronize",
]


def current_accelerator(check_available: bool = False) -> device | None:
    """The kind of device that it is, "cuda"; None where there is none.

    >>> (current_accelerator() is None) == (not is_available())
    True
    """
    return device("cuda") if is_available() else None
