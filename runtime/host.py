"""The host's memory and caches: page-aligned blocks, sizes, and a quick measurement of bandwidth."""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import sys
import threading
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

PAGE = 4096
LARGE = 64 << 20  # from this size on, a block is only taken when the system says that it has so much
# A forked child has copies of its parent's blocks; `mmap` would otherwise have both write to the same pages.
_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if sys.platform != "win32" else {}
HUGE = 2 << 20  # from this size on, blocks are mapped on their own and ask for huge pages


def aligned_bytes(size: int) -> npt.NDArray[np.uint8]:
    """`size` uninitialized bytes that start on a page; MemoryError when the system has none."""
    if size >= LARGE and size > available_bytes():
        raise MemoryError(f"{size} bytes asked for, and the system has fewer available")
    if size >= HUGE:
        try:
            mapped = mmap.mmap(-1, size, **_PRIVATE)
        except OSError as error:
            raise MemoryError(str(error)) from error
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # a kernel without huge pages: ordinary ones serve as well
                mapped.madvise(mmap.MADV_HUGEPAGE)
        return np.frombuffer(mapped, np.uint8)
    raw = np.empty(size + PAGE, np.uint8)
    start = -raw.ctypes.data % PAGE
    return raw[start : start + size]


def available_bytes() -> int:
    """Bytes that can be taken without swapping or having a process killed; a huge number where unknown."""
    found = re.search(r"MemAvailable:\s+(\d+) kB", _read(Path("/proc/meminfo")))
    return int(found.group(1)) << 10 if found else 1 << 62


def memory_bytes() -> int:
    """Bytes of memory that this process may use: the machine's, or its container's if that is less."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        total = 1 << 62  # a system that does not say: allocation itself is then the only limit
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = _read(Path(path))
        if text.isdigit():
            total = min(total, int(text))
    return total


def cache_sizes() -> tuple[int, int]:
    """Bytes of one core's first-level data cache and second-level cache; common values where unknown."""
    sizes = {1: 32 << 10, 2: 1 << 20}
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        level, kind, size = (_read(index / name) for name in ("level", "type", "size"))
        if kind in ("Data", "Unified") and level in ("1", "2") and size.endswith("K"):
            sizes[int(level)] = int(size[:-1]) << 10
    return sizes[1], sizes[2]


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def copy_bandwidth(cores: int) -> float:
    """Read plus write bandwidth of copies in 1e9 bytes/s, by copying 32 MiB on up to 8 cores; takes about 50 ms."""
    workers = max(1, min(cores, 8))
    source = np.ones((workers, (32 << 20) // workers), np.uint8)
    target = np.ones_like(source)
    best = float("inf")
    for _ in range(3):
        threads = [threading.Thread(target=np.copyto, args=(target[i], source[i])) for i in range(workers)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        best = min(best, time.perf_counter() - start)
    return 2 * source.nbytes / best / 1e9


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
