"""NVIDIA's driver: found and started once, every call checked.

Nothing of it is touched before `cuInit` has succeeded: libraries above the driver hang where there is none.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, c_int, c_uint32, c_uint64, c_void_p
from typing import Any

from lazygrad import forks
from lazygrad.errors import DeviceError

from .nvrtc import INSTALL

OLDEST = 12000  # the driver interface that is used, as cuDriverGetVersion numbers it
# After these a context is of no use any more, and every later call in it fails (CUDA Driver API, CUresult).
STICKY = frozenset(
    f"CUDA_ERROR_{name}"
    for name in (
        "ILLEGAL_ADDRESS", "LAUNCH_TIMEOUT", "LAUNCH_FAILED", "ILLEGAL_INSTRUCTION", "MISALIGNED_ADDRESS",
        "INVALID_ADDRESS_SPACE", "INVALID_PC", "HARDWARE_STACK_ERROR", "ASSERT", "ECC_UNCORRECTABLE", "CONTAINED",
        "CONTEXT_IS_DESTROYED", "EXTERNAL_DEVICE", "TENSOR_MEMORY_LEAK", "MPS_CLIENT_TERMINATED", "UNKNOWN",
    )
)  # fmt: skip
# Called past the binding: it has the map written into a Python object, whose address is a multiple of 16 only, and the
# driver wants one of 64, since CUDA 13 of 128.
DIRECT = {
    "cuTensorMapEncodeTiled": CFUNCTYPE(
        c_int, c_void_p, c_int, c_uint32, c_void_p, POINTER(c_uint64), POINTER(c_uint64), POINTER(c_uint32),
        POINTER(c_uint32), c_int, c_int, c_int, c_int,
    ),
}  # fmt: skip
ADVICE = "check the driver with `nvidia-smi`, or choose another device: LAZYGRAD_DEVICE=OPENCL or LAZYGRAD_DEVICE=NUMPY"


class CudaError(Exception):
    """A call of the driver that did not succeed.

    Attributes:
        call: the function.
        code: the name of its result, such as CUDA_ERROR_OUT_OF_MEMORY.
    """

    def __init__(self, call: str, code: str) -> None:
        self.call, self.code = call, code
        super().__init__(f"{call}: {code}")

    @property
    def is_sticky(self) -> bool:
        """Whether the device is lost for this process."""
        return self.code in STICKY


class Driver:
    """The functions of a driver module, as in `driver("cuMemAlloc", nbytes)`.

    Args:
        api: `cuda.bindings.driver`, or what answers like it.
    """

    def __init__(self, api: Any) -> None:
        self.api = api
        self._success = api.CUresult.CUDA_SUCCESS
        self._direct: dict[str, Callable[..., tuple[Any, ...]]] = {}

    def __call__(self, name: str, *arguments: Any) -> Any:
        """What the function returns beside its result; CudaError where that is not success."""
        status, *values = (self._past_binding(name) if name in DIRECT else getattr(self.api, name))(*arguments)
        if status != self._success:
            raise CudaError(name, getattr(status, "name", str(status)))
        return None if not values else values[0] if len(values) == 1 else tuple(values)

    def _past_binding(self, name: str) -> Callable[..., tuple[Any, ...]]:
        """A function that takes C's values, and returns what one of the binding does."""
        if name not in self._direct:
            address, _ = self("cuGetProcAddress", name.encode(), OLDEST, 0)
            function = DIRECT[name](int(address))
            self._direct[name] = lambda *arguments: (self.api.CUresult(function(*map(_c_value, arguments))),)
        return self._direct[name]


def _c_value(value: Any) -> Any:
    """Members of the binding's enumerations as the numbers that they are; all else as it is."""
    return value.value if hasattr(value, "value") else value


class Context:
    """A device as this process uses it: its primary context, which other libraries share, and one stream.

    Calls raise MemoryError where the device has no room, DeviceError for every other failure; after one that leaves the
    device unusable, every later call does.

    Args:
        name: canonical device name, for messages.
        index: which GPU.
    """

    def __init__(self, driver: Driver, name: str, index: int) -> None:
        self.driver, self.name, self.index = driver, name, index
        self.lost = self.description = ""
        self.ending = False  # the process: what is still held goes with it
        count = int(driver("cuDeviceGetCount"))
        if index >= count:
            known = ", ".join(f"CUDA:{i}" if i else "CUDA" for i in range(count))
            raise DeviceError(f"there is no device {name}; NVIDIA's driver finds {known}")
        self.device = self("cuDeviceGet", index)
        self.description = bytes(self("cuDeviceGetName", 256, self.device)).split(b"\0")[0].decode(errors="replace")
        self.handle = self("cuDevicePrimaryCtxRetain", self.device)
        self.enter()
        self.stream = self("cuStreamCreate", int(driver.api.CUstream_flags.CU_STREAM_NON_BLOCKING))

    def enter(self) -> None:
        """Make this context the thread's own, as calls without a context of their own need it."""
        self("cuCtxSetCurrent", self.handle)

    def __call__(self, name: str, *arguments: Any) -> Any:
        """What a function of the driver returns."""
        if self.lost:
            raise DeviceError(self.lost)
        try:
            return self.driver(name, *arguments)
        except CudaError as error:
            if error.code == "CUDA_ERROR_OUT_OF_MEMORY":
                raise MemoryError(str(error)) from error
            what = f"{self.name} ({self.description}) failed: {error}"
            if error.code == "CUDA_ERROR_NOT_INITIALIZED":
                what = f"{what}. A process that was forked cannot use a GPU of its parent's: have it started by `spawn`"
            if error.is_sticky:
                self.lost = what = f"{what}. The device is lost for this process, with what was on it: start again"
            raise DeviceError(what) from error

    def give_back(self, *calls: tuple[Any, ...]) -> None:
        """Functions and their arguments, called by what dies: in any thread, and without a word where they fail."""
        if self.ending or self.lost:
            return
        with contextlib.suppress(DeviceError, MemoryError):
            self.enter()
            for name, *arguments in calls:
                self(name, *arguments)

    def attribute(self, name: str) -> int:
        """An attribute of the device, by its name without the prefix."""
        enum = getattr(self.driver.api.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
        return int(self("cuDeviceGetAttribute", enum, self.device))

    def event(self, timed: bool = False) -> Any:
        """A new event of the stream."""
        flags = self.driver.api.CUevent_flags
        return self("cuEventCreate", int(flags.CU_EVENT_DEFAULT if timed else flags.CU_EVENT_DISABLE_TIMING))


_driver: list[Driver] = []  # the one that started


def is_installed() -> bool:
    """Whether this machine has NVIDIA's driver library; asking takes a millisecond and imports nothing."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def load_driver() -> Driver:
    """The driver, started; DeviceError says what is missing where there is none."""
    forks.start_driver("CUDA")
    if not _driver:
        if not is_installed():
            raise DeviceError(f"CUDA needs NVIDIA's driver, which is not installed here; {ADVICE}")
        try:
            from cuda.bindings import driver as api
        except ImportError as error:
            problem = f"CUDA needs the package cuda-python, which does not import ({error})"
            raise DeviceError(f"{problem}; {INSTALL}") from error
        _driver.append(start(api))
    return _driver[0]


def start(api: Any) -> Driver:
    """The driver behind `api` after `cuInit`; DeviceError where it does not start, is too old or has no GPU."""
    driver = Driver(api)
    try:
        driver("cuInit", 0)
        version, count = int(driver("cuDriverGetVersion")), int(driver("cuDeviceGetCount"))
    except CudaError as error:
        raise DeviceError(_start_problem(error)) from error
    if version < OLDEST:
        raise DeviceError(
            f"NVIDIA's driver is too old: it offers CUDA {version_text(version)}, and at least "
            f"{version_text(OLDEST)} is needed; update the driver"
        )
    if not count:
        raise DeviceError(f"NVIDIA's driver finds no GPU; {ADVICE}")
    return driver


def version_text(version: int) -> str:
    """A driver's version for people.

    >>> version_text(12080)
    '12.8'
    """
    return f"{version // 1000}.{version % 1000 // 10}"


def _start_problem(error: CudaError) -> str:
    known = {
        "CUDA_ERROR_NO_DEVICE": "NVIDIA's driver finds no GPU",
        "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": "NVIDIA's driver and its library are of different versions; restart",
        "CUDA_ERROR_STUB_LIBRARY": "the library libcuda is a stub without a driver",
    }
    return f"{known.get(error.code, f'NVIDIA driver does not start ({error})')}; {ADVICE}"
