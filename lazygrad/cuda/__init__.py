"""NVIDIA's GPUs, by PyTorch's names (`torch.cuda`). A device is a number, a name ("cuda:1"), or None for the first.

Each function of memory counts what this process has in use, in bytes.
"""

from __future__ import annotations

from lazygrad.cuda import amp
from lazygrad.device import synchronize as _synchronize
from lazygrad.dtype import dtypes
from lazygrad.errors import ArgumentError, DeviceError, OutOfMemoryError, fail
from lazygrad.functions import typed
from lazygrad.functions.typed import tensor_class
from lazygrad.ops.generator import manual_seed
from lazygrad.runtime.base import Runtime
from lazygrad.runtime.registry import available_devices, canonical, open_device, opened

__all__ = [
    "OutOfMemoryError",
    "amp",
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "is_available",
    "is_bf16_supported",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "set_device",
    "synchronize",
]
__all__ += typed.__all__
Which = int | str | None
manual_seed_all = manual_seed

FloatTensor = tensor_class(dtypes.float32, on_gpu=True)
DoubleTensor = tensor_class(dtypes.float64, on_gpu=True)
HalfTensor = tensor_class(dtypes.float16, on_gpu=True)
BFloat16Tensor = tensor_class(dtypes.bfloat16, on_gpu=True)
LongTensor = tensor_class(dtypes.int64, on_gpu=True)
IntTensor = tensor_class(dtypes.int32, on_gpu=True)
ShortTensor = tensor_class(dtypes.int16, on_gpu=True)
CharTensor = tensor_class(dtypes.int8, on_gpu=True)
ByteTensor = tensor_class(dtypes.uint8, on_gpu=True)
BoolTensor = tensor_class(dtypes.bool, on_gpu=True)


def device_count() -> int:
    """How many GPUs can be used.

    >>> device_count() >= 0
    True
    """
    return sum(name.startswith("CUDA:") for name, _ in available_devices())


def is_available() -> bool:
    """Whether there is a GPU that can be used.

    >>> is_available() == (device_count() > 0)
    True
    """
    return device_count() > 0


def is_initialized() -> bool:
    """Whether a GPU has been used by this process."""
    return any(runtime.name.startswith("CUDA") for runtime in opened())


def current_device() -> int:
    """The number of the GPU that "cuda" is: the first. DeviceError where there is none."""
    _runtime(None)
    return 0


def set_device(device: Which) -> None:
    """Accepts the first GPU, which "cuda" is; ArgumentError for another one, which is written as "cuda:1"."""
    if _runtime(device).name != _runtime(None).name:
        fail(
            ArgumentError, f"set_device: 'cuda' is always the first GPU; write device='cuda:{device}' where it is used"
        )


def is_bf16_supported() -> bool:
    """Whether the first GPU can be used: bfloat16 works on every one, in matrix units from compute capability 8.0."""
    return is_available()


def get_device_name(device: Which = None) -> str:
    """What the hardware is called."""
    return _runtime(device).info.description


def synchronize(device: Which = None) -> None:
    """Wait until everything on a GPU has run."""
    _synchronize(_runtime(device).name)


def memory_allocated(device: Which = None) -> int:
    """What tensors and plans use."""
    return _runtime(device).stats.live_bytes


def max_memory_allocated(device: Which = None) -> int:
    """What they used at most, since the process started or `reset_peak_memory_stats`."""
    return _runtime(device).stats.peak_bytes


def memory_reserved(device: Which = None) -> int:
    """What they use, and what is kept for reuse."""
    stats = _runtime(device).stats
    return stats.live_bytes + stats.cached_bytes


def reset_peak_memory_stats(device: Which = None) -> None:
    """Count the most that was used from now on."""
    _runtime(device).pool.reset_peak()


def empty_cache() -> None:
    """Give the memory that is kept for reuse back to the system, on every GPU in use."""
    for runtime in opened():
        if runtime.name.startswith("CUDA"):
            runtime.pool.trim()


def _runtime(device: Which) -> Runtime:
    name = canonical("CUDA" if device is None else f"CUDA:{device}" if isinstance(device, int) else device)
    if name.type != "cuda":
        raise DeviceError(f"{name} is no CUDA device; write a number, or cuda:NUMBER")
    return open_device(name)
