"""Finding an OpenCL device and describing it."""

from __future__ import annotations

import os
import platform
from types import ModuleType
from typing import Any

from lazygrad import forks
from lazygrad.errors import DeviceError

from . import driver_signals, host, pocl
from .base import ByteCache, DeviceInfo

GPU_VECTOR_BYTES = 16  # the widest load of one work-item
INSTALL = (
    "install PoCL with `pip install 'pyopencl[pocl]'` (Linux x86-64) or a driver from your system, "
    "or run without OpenCL: LAZYGRAD_DEVICE=NUMPY"
)


def load_pyopencl() -> ModuleType:
    """The module pyopencl; DeviceError where it is not installed or does not load."""
    before = os.environ.get("PYOPENCL_NO_CACHE")
    os.environ["PYOPENCL_NO_CACHE"] = "1"  # read at its import; its caches are pickles
    try:
        import pyopencl
    except ImportError as error:
        raise DeviceError(f"OpenCL needs the package pyopencl, which does not import ({error}); {INSTALL}") from error
    finally:
        if before is None:
            del os.environ["PYOPENCL_NO_CACHE"]
        else:
            os.environ["PYOPENCL_NO_CACHE"] = before
    return pyopencl


def list_devices() -> list[tuple[int, int, Any]]:
    """(platform index, device index, device) of every OpenCL device; DeviceError where there is no platform."""
    cl = load_pyopencl()
    forks.start_driver("OPENCL")
    found = []
    with pocl.environment(), driver_signals.kept():
        try:
            platforms = cl.get_platforms()
        except cl.Error as error:
            raise DeviceError(f"no OpenCL platform is installed ({error}); {INSTALL}") from error
        for p, entry in enumerate(platforms):
            try:
                found += [(p, d, device) for d, device in enumerate(entry.get_devices())]
            except cl.Error:
                continue  # a platform without devices, such as a GPU driver on a machine without the GPU
    if not found:
        raise DeviceError(f"no OpenCL platform has a device; {INSTALL}")
    return found


def describe_devices(devices: list[tuple[int, int, Any]]) -> str:
    """One line per device: the name that selects it, and what it is."""
    return "\n".join(f"  OPENCL:{p}:{d}  {device.name.strip()} ({device.platform.name})" for p, d, device in devices)


def choose_device(indices: tuple[int, ...]) -> Any:
    """The device at (platform, device); without indices the first GPU, else the first device.

    One index names a platform, and means its first device. DeviceError lists what there is.
    """
    cl = load_pyopencl()
    devices = list_devices()
    if not indices:
        return next((d for _, _, d in devices if d.type & cl.device_type.GPU), devices[0][2])
    wanted = (*indices, 0)[:2]
    for p, d, device in devices:
        if (p, d) == wanted:
            return device
    raise DeviceError(
        f"there is no OpenCL device OPENCL:{wanted[0]}:{wanted[1]}; the devices here are:\n{describe_devices(devices)}"
    )


def cpu_name(name: str, indices: tuple[int, ...]) -> str:
    """`name`, the device at `indices`, if it is a CPU; else the name of the first one that is. DeviceError for none."""
    cpu = load_pyopencl().device_type.CPU
    if choose_device(indices).type & cpu:
        return name
    found = next((f"OPENCL:{p}:{d}" for p, d, device in list_devices() if device.type & cpu), None)
    if found is None:
        raise DeviceError("no OpenCL device is a CPU")
    return found


def shares_memory(device: Any) -> bool:
    """Whether kernels can use the host's memory where it lies."""
    return bool(device.type & load_pyopencl().device_type.CPU) and bool(device.host_unified_memory)


def device_info(device: Any, cpu_name: str, cache: ByteCache | None) -> DeviceInfo:
    """The device's limits, asked of the driver; what it cannot say is read from the host or estimated."""
    cl = load_pyopencl()
    is_cpu = bool(device.type & cl.device_type.CPU)
    extensions = device.extensions.split()
    units = device.max_compute_units
    vector_bytes = 4 * max(1, device.native_vector_width_float) if is_cpu else GPU_VECTOR_BYTES
    l1, l2 = host.cache_sizes() if is_cpu else (device.local_mem_size, device.global_mem_cache_size)
    fingerprint = "|".join(
        (
            device.platform.name,
            device.platform.version,
            device.name.strip(),
            device.version,
            device.driver_version,
            cpu_name,
            cl.VERSION_TEXT,
            str(cl.__file__),  # pyopencl adds its own folder to the compiler's options, which PoCL hashes
            platform.machine(),
        )
    )
    return DeviceInfo(
        kind="cpu" if is_cpu else "gpu",
        units=units,
        vector_bytes=vector_bytes,
        fp16="cl_khr_fp16" in extensions,
        fp64="cl_khr_fp64" in extensions,
        local_bytes=device.local_mem_size,
        max_alloc=device.max_mem_alloc_size,
        max_group=device.max_work_group_size,
        alignment=max(1, device.mem_base_addr_align // 8),
        l1_bytes=l1,
        l2_bytes=l2,
        bandwidth_gbs=_bandwidth(is_cpu, units, fingerprint, cache),
        peak_gflops=_peak_gflops(device, is_cpu, units, vector_bytes),
        description=f"{device.name.strip()} ({device.platform.name})",
        fingerprint=fingerprint,
    )


def _peak_gflops(device: Any, is_cpu: bool, units: int, vector_bytes: int) -> float:
    """fp32 peak from the clock: two fused multiply-adds a cycle on each core, or 64 lanes on each GPU unit."""
    lanes = 2 * vector_bytes // 4 if is_cpu else 64
    return float(2 * lanes * units * max(device.max_clock_frequency, 1000) / 1000)


def _bandwidth(is_cpu: bool, units: int, fingerprint: str, cache: ByteCache | None) -> float:
    """Measured once per machine on a CPU and remembered; for a GPU a typical figure per unit."""
    if not is_cpu:
        return 10.0 * units
    key = cache.key("bandwidth", fingerprint, str(units)) if cache else ""
    known = cache.get(key) if cache else None
    if known:
        return float(known)
    measured = host.copy_bandwidth(units)
    if cache:
        cache.put(key, repr(measured).encode())
    return measured
