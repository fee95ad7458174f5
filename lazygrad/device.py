"""Devices and what has happened on them."""

from __future__ import annotations

from dataclasses import dataclass

from lazygrad.engine.counters import counters
from lazygrad.errors import ArgumentError, fail
from lazygrad.runtime.registry import available_devices, canonical, default_device, device, open_device, opened
from lazygrad.settings import settings

__all__ = [
    "Device",
    "Stats",
    "device",
    "get_default_device",
    "get_float32_matmul_precision",
    "set_default_device",
    "set_float32_matmul_precision",
    "stats",
    "synchronize",
]


class Device:
    """Names of devices: "OPENCL", "OPENCL:0:1" (platform, device), "CUDA", "CUDA:1", "NUMPY".

    The default is `LAZYGRAD_DEVICE`, else CUDA where it works, else OPENCL, else NUMPY.
    """

    @staticmethod
    def default() -> str:
        """The device of tensors that are made without `device=`."""
        return default_device()

    @staticmethod
    def canonical(name: str) -> str:
        """The one spelling of a device's name; DeviceError where there is no such device.

        >>> Device.canonical("opencl:0")
        'OPENCL:0:0'
        """
        return canonical(name)

    @staticmethod
    def available() -> list[tuple[str, str]]:
        """(name, description) of every device, and the reason for those that cannot be used."""
        return available_devices()

    @staticmethod
    def describe(name: str) -> str:
        """What device `name` is: its hardware, driver and compute units."""
        info = open_device(name).info
        return f"{info.description} ({info.kind}, {info.units} compute units)"


def get_default_device() -> str:
    """The device of tensors that are made without `device=`."""
    return default_device()


def set_default_device(device: str | None) -> None:
    """Make tensors on `device` where no other one is asked for; None: what `LAZYGRAD_DEVICE` says, or the best one.

    DeviceError where there is no such device.

    >>> set_default_device("NUMPY"); get_default_device()
    'NUMPY'
    """
    settings.set(device=None if device is None else open_device(canonical(device)).name)


def set_float32_matmul_precision(precision: str) -> None:
    """Whether matrix units may round factors of float32 products to TF32, of operations written from now on.

    "highest" (not at all, the default), "high" or "medium" (which is the same here). ArgumentError for anything else.
    """
    if precision not in ("highest", "high", "medium"):
        fail(ArgumentError, f"set_float32_matmul_precision: {precision!r} is none of highest, high and medium")
    settings.set(float32_matmul_precision="high" if precision == "medium" else precision)


def get_float32_matmul_precision() -> str:
    """ "highest" or "high"."""
    return settings.float32_matmul_precision


def synchronize(device: str | None = None) -> None:
    """Wait until everything on `device` has run; on every device that is in use when it is None."""
    for runtime in opened() if device is None else [open_device(canonical(device))]:
        runtime.synchronize()


@dataclass(frozen=True)
class Stats:
    """Since the process started, over all devices. Sizes in bytes, times in seconds.

    Attributes:
        kernels: launches.
        bytes: what the kernels had to move at least.
        schedules, plan_hits: how many graphs were run without jit, and how many of them had been planned before.
        schedule_seconds, compile_seconds: spent making plans (source included), and in the device's compiler.
        live_bytes, peak_bytes, cached_bytes: device memory in use now, at most, and kept for reuse.
    """

    kernels: int
    bytes: int
    schedules: int
    plan_hits: int
    schedule_seconds: float
    compile_seconds: float
    live_bytes: int
    peak_bytes: int
    cached_bytes: int


def stats() -> Stats:
    """Counters of kernels, bytes, compile time and memory.

    >>> stats().kernels >= 0
    True
    """
    memory = [runtime.stats for runtime in opened()]
    return Stats(
        counters.kernels, counters.bytes, counters.schedules, counters.plan_hits,
        counters.schedule_seconds, counters.compile_seconds,
        sum(m.live_bytes for m in memory), sum(m.peak_bytes for m in memory), sum(m.cached_bytes for m in memory),
    )  # fmt: skip
