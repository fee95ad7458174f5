"""What PoCL needs beyond OpenCL: a CPU name that its compiler knows, a linker, and a cache that cannot kill us.

PoCL turns a kernel into machine code at its first launch, and keeps the result in a folder of shared objects. A
damaged file there ends the process (the loader meets a bus error), and several processes write to it. So every
process gives PoCL a private folder; what PoCL put there for a program is packed into one checksummed entry of our
own cache, and unpacked into the private folder of the next process, which then compiles nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import io
import json
import os
import platform
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from lazygrad.errors import DeviceError
from lazygrad.settings import settings

PLATFORM = "Portable Computing Language"
STRUCT_BYTES = 4096  # how much of PoCL's device record is searched for the CPU name
STALE_SECONDS = 60.0
SMALL_GRID = 1 << 16  # PoCL compiles a kernel apart for grids that stay below this in every axis
_PREFIX = "pocl-"
_RECIPE = "recipe.json"
_names: list[Any] = []  # the texts that PoCL points at, which must live as long as the process


_renamed: set[int] = set()  # the device records that have got a CPU name from us


@functools.cache
def private_folder() -> Path:
    """Where PoCL keeps this process's kernels; made at the first call, which must come before any use of OpenCL."""
    parent = _parent_folder()
    _remove_stale(parent)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    os.environ["POCL_CACHE_DIR"] = str(folder)
    atexit.register(_remove_private, os.getpid(), folder, _lock(folder))
    return folder


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


def fix_cpu_name(device: Any) -> str:
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
    raise DeviceError(
        f"PoCL ({device.platform.version}) does not know this CPU ({device.name.strip()}) and cannot compile for it; "
        "install a newer PoCL from your system or from conda-forge, or run without OpenCL: LAZYGRAD_DEVICE=NUMPY"
    )


def program_folders() -> set[str]:
    """Folders of the programs that PoCL has in its private folder, as paths relative to it."""
    root = private_folder()
    return {f"{top.name}/{sub.name}" for top in root.iterdir() if len(top.name) == 2 for sub in top.iterdir()}


def program_files(folder: str) -> dict[str, Path]:
    """Path relative to the private folder -> file, for every file of one program."""
    root = private_folder()
    return {str(path.relative_to(root)): path for path in sorted((root / folder).rglob("*")) if path.is_file()}


def kernel_folder(folder: str, entry: str, global_size: tuple[int, ...], local_size: tuple[int, ...]) -> Path:
    """Where PoCL puts a kernel's machine code for such a launch."""
    group = "-".join(map(str, (*local_size, 1, 1)[:3]))
    small = "-smallgrid" if max(global_size) < SMALL_GRID else ""
    return private_folder() / folder / entry / f"{group}-goffs0{small}"


def pack(files: dict[str, Path], text: str, options: tuple[str, ...]) -> bytes:
    """A program's files, and what it was compiled from, as one archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(_RECIPE, json.dumps({"text": text, "options": options}))
        for name, path in files.items():
            archive.write(path, name)
    return buffer.getvalue()


def unpack(payload: bytes) -> tuple[set[str], str, tuple[str, ...]]:
    """Put an archive's files into the private folder; returns their relative paths, the text and the options."""
    root = private_folder()
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        recipe = json.loads(archive.read(_RECIPE))
        names = [name for name in archive.namelist() if name != _RECIPE]
        archive.extractall(root, names)
    return set(names), recipe["text"], tuple(recipe["options"])


def _parent_folder() -> Path:
    """A folder that can be written and executed from: the cache folder, else the system's temporary one."""
    if settings.cache and settings.cache_dir is not None:
        with contextlib.suppress(OSError):
            settings.cache_dir.mkdir(parents=True, exist_ok=True)
            if os.access(settings.cache_dir, os.W_OK | os.X_OK):
                return settings.cache_dir
    return Path(tempfile.gettempdir())


def _lock(folder: Path) -> Any:
    """An open file in `folder`, locked for as long as this process lives; None where locks do not exist."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        file = open(folder / "lock", "w")  # noqa: SIM115 - held open until the process ends
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None
    return file


def _remove_stale(parent: Path) -> None:
    """Remove private folders of processes that were killed: those whose lock can be taken."""
    for folder in parent.glob(_PREFIX + "*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime < STALE_SECONDS:
                continue  # perhaps made a moment ago, and not locked yet
            held = _lock(folder)
            if held is not None:
                shutil.rmtree(folder, ignore_errors=True)
                held.close()


def _remove_private(pid: int, folder: Path, lock: Any) -> None:
    if os.getpid() == pid:  # not in a forked child, which shares its parent's folder
        if lock is not None:
            lock.close()
        shutil.rmtree(folder, ignore_errors=True)


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
