"""Device names, and the devices that are open.

Names: `OPENCL[:platform[:device]]`, `CUDA[:index]`, `CUDA_EMULATED`, `NUMPY`; `cpu` is the best of those that run on
the CPU, and `cuda`, as PyTorch has it, the first GPU. Nothing is imported for a device until it is opened.
"""

from __future__ import annotations

import difflib
import functools
import threading
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from lazygrad import forks
from lazygrad.errors import DeviceError, LazygradError, fail, user_line
from lazygrad.settings import settings

from .base import ByteCache, Runtime

_NAMES = "OPENCL[:platform[:device]], CUDA[:index], CUDA_EMULATED, NUMPY or cpu"
_MOST_INDICES = {"OPENCL": 2, "CUDA": 1, "CUDA_EMULATED": 0, "NUMPY": 0, "CPU": 1}
_open: dict[str, Runtime] = {}
_cache_makers: list[Callable[[], ByteCache]] = []  # the last one counts
_lock = threading.RLock()
_cpus: dict[str, device] = {}  # the device that `cpu` is, by the OpenCL device that would be used
_chosen: list[device] = []  # the default device, once it has been looked for


def parse(name: str) -> tuple[str, tuple[int, ...]]:
    """(kind, indices) of a device name, in any case; DeviceError where it is not one.

    >>> parse("opencl:0:1"), parse("NUMPY")
    (('OPENCL', (0, 1)), ('NUMPY', ()))
    """
    if not isinstance(name, str):
        fail(DeviceError, f"a device is named by a string, not {name!r:.50}; write {_NAMES}")
    kind, *rest = name.strip().upper().split(":")
    if kind not in _MOST_INDICES:
        close = difflib.get_close_matches(kind, _MOST_INDICES, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        fail(DeviceError, f"unknown device {name!r}{hint} Devices are {_NAMES}")
    if len(rest) > _MOST_INDICES[kind] or not all(part.isdecimal() for part in rest):
        fail(DeviceError, f"bad device name {name!r}; write {_NAMES}")
    return kind, tuple(int(part) for part in rest)


class device(str):  # noqa: N801 - PyTorch's name
    """A device's name: a string with PyTorch's `type` and `index`; `with device(...)` makes it the default inside.

    Args:
        type: a name ("cuda", "cuda:1", "cpu", "OPENCL:0:1", "NUMPY"), in any case; it need not be there.
        index: which one of its kind, where the name does not say.

    >>> device("cuda:1").type, device("cuda", 1).index, device("cpu").index
    ('cuda', 1, None)
    """

    __slots__ = ("_inside",)
    _inside: list[AbstractContextManager[Any]]

    def __new__(cls, type: str, index: int | None = None) -> device:
        parse(name := type if index is None else f"{type}:{index}")
        made = str.__new__(cls, name)
        made._inside = []
        return made

    @property
    def type(self) -> str:
        """ "cuda", "cpu", or "opencl" for what OpenCL finds that is no CPU."""
        kind = self.partition(":")[0].upper()
        if kind != "OPENCL":
            return "cuda" if kind.startswith("CUDA") else "cpu"
        return "cpu" if open_device(self).info.kind == "cpu" else "opencl"

    @property
    def index(self) -> int | None:  # type: ignore[override]  # of a string it is a method, which no name is asked for
        """Which one of its kind (of its platform's); None where the name does not say."""
        number = self.rpartition(":")[2]
        return int(number) if number.isdecimal() else None

    def __enter__(self) -> device:
        inside = settings.override(device=str(canonical(self)))
        inside.__enter__()
        self._inside.append(inside)
        return self

    def __exit__(self, *raised: Any) -> None:
        self._inside.pop().__exit__(*raised)


def canonical(name: str) -> device:
    """The one spelling of a device name: upper case, all indices given or none.

    >>> canonical("opencl"), canonical("OpenCL:1"), canonical("cuda:0")
    ('OPENCL', 'OPENCL:1:0', 'CUDA')
    """
    kind, indices = parse(name)
    if kind == "CPU":
        return _cpu()
    if kind == "CUDA" and indices == (0,):
        indices = ()
    if kind == "OPENCL" and len(indices) == 1:
        indices += (0,)
    return _named(kind, indices)


@functools.lru_cache(maxsize=256)
def _named(kind: str, indices: tuple[int, ...]) -> device:
    return device(":".join([kind, *map(str, indices)]))


def _cpu() -> device:
    """The device of `LAZYGRAD_DEVICE` if it runs on the CPU, else an OpenCL device that does, else NUMPY."""
    name = settings.device.strip().upper()
    if name in ("NUMPY", "CUDA_EMULATED"):
        return _named(name, ())
    chosen = name if name.startswith("OPENCL") else "OPENCL"
    if chosen not in _cpus:
        from .opencl_device import cpu_name

        try:
            _cpus[chosen] = canonical(cpu_name(chosen, parse(chosen)[1]))
        except LazygradError:
            _cpus[chosen] = _named("NUMPY", ())
    return _cpus[chosen]


def use_cache(make: Callable[[], ByteCache]) -> None:
    """Have devices that are opened from now on keep their compiled kernels in `make()`."""
    _cache_makers.append(make)


def open_device(name: str = "") -> Runtime:
    """The runtime of a device, opened at the first call; "" is the default device."""
    name = canonical(name) if name else default_device()
    try:
        return _opened(name)
    except DeviceError as error:
        line = user_line()
        raise DeviceError(f"{error} ({line})" if line else str(error)) from error


def _opened(name: str) -> Runtime:
    runtime = _open.get(name)
    if runtime is None:
        with _lock:
            runtime = _open.get(name)
            if runtime is None:
                runtime = _open[name] = _create(name)
    return runtime


def default_device() -> device:
    """`LAZYGRAD_DEVICE` if set, else CUDA if it can be used, else OPENCL, else NUMPY with one warning."""
    if settings.device:
        return canonical(settings.device)
    with _lock:
        if not _chosen:
            _chosen.append(_named("CUDA" if _has_cuda() else _without_cuda(), ()))
        return _chosen[0]


def _has_cuda() -> bool:
    """Whether CUDA works; a warning where it does not on a machine that has NVIDIA's driver."""
    from .cuda_driver import is_installed

    if not is_installed():
        return False
    try:
        _opened("CUDA")
    except DeviceError as error:
        warnings.warn(f"not using CUDA: {error}", RuntimeWarning, stacklevel=3)
        return False
    return True


def _without_cuda() -> str:
    try:
        _opened("OPENCL")
    except DeviceError as error:
        warnings.warn(f"using the slow device NUMPY: {error}", RuntimeWarning, stacklevel=3)
        return "NUMPY"
    return "OPENCL"


def opened() -> list[Runtime]:
    """Every device opened so far."""
    return list(_open.values())


def _lose_in_child() -> None:
    """In a forked child: devices but NUMPY are closed, without a call of their drivers."""
    _lock._at_fork_reinit()  # type: ignore[attr-defined]  # as `forks` does with the others; this one may be nested
    for name, runtime in list(_open.items()):
        if not name.startswith("NUMPY"):
            runtime.lost = forks.lost(name)
            del _open[name]


forks.in_child(_lose_in_child)


def available_devices() -> list[tuple[str, str]]:
    """(name, description) of every device that can be opened, and (name, reason) of the kinds that cannot."""
    rows: list[tuple[str, str]] = []
    try:
        from .opencl_device import list_devices

        rows += [
            (f"OPENCL:{p}:{d}", f"{device.name.strip()} ({device.platform.name}, {device.platform.version})")
            for p, d, device in list_devices()
        ]
    except LazygradError as error:
        rows.append(("OPENCL", f"not usable: {error}"))
    try:
        from .cuda import list_devices as list_gpus

        rows += list_gpus()
    except LazygradError as error:
        rows.append(("CUDA", f"not usable: {error}"))
    rows.append(("NUMPY", "always usable, slow"))
    return rows


def _create(name: str) -> Runtime:
    kind, indices = parse(name)
    if kind == "CUDA":
        from .cuda import CudaRuntime

        index = indices[0] if indices else 0
        return CudaRuntime(name, index, _cache_makers[-1]() if _cache_makers else None)
    if kind == "CUDA_EMULATED":
        from .emulator import EmulatedRuntime

        return EmulatedRuntime(name, _cache_makers[-1]() if _cache_makers else None)
    if kind == "NUMPY":
        from .numpy import NumpyRuntime

        return NumpyRuntime(name)
    from .opencl import OpenCLRuntime

    return OpenCLRuntime(name, indices, _cache_makers[-1]() if _cache_makers else None)
