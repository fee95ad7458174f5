"""What PoCL needs before it can compile: a linker, and a CPU name that its compiler knows."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import signal
from pathlib import Path
from typing import Any

from lazygrad.errors import DeviceError

PLATFORM = "Portable Computing Language"
STRUCT_BYTES = 4096  # how much of PoCL's device record is searched for the CPU name
_names: list[Any] = []  # the texts that PoCL points at, which must live as long as the process
_renamed: set[int] = set()  # the device records that have got a CPU name from us


def is_pocl(device: Any) -> bool:
    """Whether an OpenCL device is one of PoCL's."""
    return bool(device.platform.name == PLATFORM)


def check_linker() -> None:
    """DeviceError where there is no `ld`: PoCL would end the process at the first launch."""
    if shutil.which("ld") is None:
        raise DeviceError(
            "PoCL links kernels with the program `ld`, which is not on the PATH; install binutils "
            "(`apt install binutils`, `dnf install binutils`), or run without OpenCL: LAZYGRAD_DEVICE=NUMPY"
        )


def check_children() -> None:
    """DeviceError where the end of a child process is never told: PoCL waits for `ld`, and would end this process."""
    if hasattr(signal, "SIGCHLD") and signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        raise DeviceError(
            "PoCL cannot compile while SIGCHLD is ignored, because it waits for the program `ld`: call "
            "signal.signal(signal.SIGCHLD, signal.SIG_DFL), or run without OpenCL: LAZYGRAD_DEVICE=NUMPY"
        )


def fix_cpu_name(cl: Any, device: Any) -> str:
    """Give PoCL a CPU name that its LLVM accepts; returns the name, or "" where PoCL's own is right.

    PoCL's LLVM reports "generic" for an x86 CPU newer than itself and then rejects that very name, so nothing
    compiles. No setting of PoCL's overrides it. The device record holds a pointer to the name: it is found by its
    text, read through /proc/self/mem so that no wrong guess can crash, and pointed at a name of the same
    instruction set.
    """
    if platform.machine() not in ("x86_64", "AMD64") or not device.version.endswith("-generic"):
        return ""
    name = _cpu_name(_cpu_flags())
    if device.int_ptr in _renamed or (name and _replace_pointer(device.int_ptr, b"generic\0", name)):
        _renamed.add(device.int_ptr)
        return name
    if _compiles(cl, device):  # a later PoCL, that takes the name after all
        return ""
    raise DeviceError(
        f"PoCL ({device.platform.version}) does not know this CPU ({device.name.strip()}) and cannot compile for it; "
        "install a newer PoCL from your system or from conda-forge, or run without OpenCL: LAZYGRAD_DEVICE=NUMPY"
    )


def _compiles(cl: Any, device: Any) -> bool:
    try:
        cl.Program(cl.Context([device]), "__kernel void probe(void) {}").build(cache_dir=False)
    except cl.Error:
        return False
    return True


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(line.partition(":")[2].split())


def _cpu_name(flags: set[str]) -> str:
    """The LLVM CPU whose features PoCL's builtin library was compiled for, given the host's feature flags."""
    if {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"} <= flags:
        return "skylake-avx512"
    if {"avx2", "fma", "bmi1", "bmi2"} <= flags:
        return "haswell"
    return "x86-64" if flags else ""


def _replace_pointer(record: int, old: bytes, new: str) -> bool:
    """Point the first pointer in `record` that leads to the text `old` at `new` instead."""
    try:
        memory = os.open("/proc/self/mem", os.O_RDONLY)
    except OSError:
        return False
    try:
        words = os.pread(memory, STRUCT_BYTES, record)
        for at in range(0, len(words) - 7, 8):
            target = int.from_bytes(words[at : at + 8], "little")
            if not 4096 <= target < 1 << 47:
                continue
            try:
                found = os.pread(memory, len(old), target)
            except OSError:
                continue  # not a pointer
            if found == old:
                text = ctypes.create_string_buffer(new.encode())
                _names.append(text)
                ctypes.c_uint64.from_address(record + at).value = ctypes.addressof(text)
                return True
    finally:
        os.close(memory)
    return False
