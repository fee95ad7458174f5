"""The device CUDA_EMULATED."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

from lazygrad import forks
from lazygrad.errors import GraphError, KernelError
from lazygrad.settings import settings

from .. import host
from ..base import ByteCache, DeviceInfo, Executable, KernelSource, Launch, Prepared, RuntimeStats
from ..numpy import NumpyRuntime
from .launch import EmulatedExecutable, EmulatedPrepared
from .toolchain import Toolchain
from .translate import parameters, translate

UNITS = 4  # few, so that small programs have more work-groups than units, as large ones have on a GPU
SHARED_BYTES = {"sm_80": 163 << 10, "sm_90a": 227 << 10}  # that a block may ask for
MOST_WORKERS = 8


class EmulatedRuntime(NumpyRuntime):
    """An NVIDIA GPU of the architecture `LAZYGRAD_EMULATED_ARCH`, on this machine's processor.

    Memory is the host's. A launch has ended when `Prepared.run` returns; a fault in a kernel is a KernelError there.
    """

    def __init__(self, name: str = "CUDA_EMULATED", cache: ByteCache | None = None) -> None:
        super().__init__(name)
        forks.start_driver("CUDA_EMULATED")
        self.cache = cache
        self._toolchain = Toolchain(cache)
        self._library: Any = self._toolchain.load(
            '#include "emulator.cpp"\n', self._toolchain.emulator_options(), "the emulator", shared_names=True
        )
        self._info = {arch: self._describe(arch) for arch in SHARED_BYTES}
        self._stats = RuntimeStats()
        self._built: dict[tuple[str, KernelSource, bool], EmulatedExecutable] = {}

    @property
    def info(self) -> DeviceInfo:
        """The limits of the architecture that `LAZYGRAD_EMULATED_ARCH` names now."""
        return self._info[settings.emulated_arch]

    @info.setter
    def info(self, of_the_host: DeviceInfo) -> None:
        self._host_info = of_the_host

    def _describe(self, arch: str) -> DeviceInfo:
        return replace(
            self._host_info,
            kind="gpu",
            language="cuda",
            arch=arch,
            warp=32,
            units=UNITS,
            vector_bytes=16,
            fp16=True,
            fp64=True,
            local_bytes=SHARED_BYTES[arch],
            max_group=1024,
            alignment=256,
            l1_bytes=256 << 10,
            l2_bytes=50 << 20,
            bandwidth_gbs=4000.0,
            peak_gflops=60_000.0,
            description=f"emulated {arch} ({self._toolchain.command[0]})",
            fingerprint=f"emulated {arch}",
        )

    def build(
        self, sources: Sequence[KernelSource], prelude: str = "", options: Sequence[str] = ()
    ) -> list[Executable]:
        """Compile every kernel as one shared object, or find it in the cache."""
        checks = settings.emulated_checks
        fresh: dict[str, KernelSource] = {}
        for source in sources:
            if (prelude, source, checks) in self._built:
                continue
            if fresh.setdefault(source.entry, source) != source:
                raise GraphError(f"two kernels of one program have the entry name {source.entry!r}; rename one")
        if fresh:
            self._compile(list(fresh.values()), prelude, options, checks)
        return [self._built[prelude, source, checks] for source in sources]

    def prepare(self, launches: Sequence[Launch]) -> Prepared:
        """See `Runtime.prepare`."""
        return EmulatedPrepared(self._library, self._stats, self._fail, self.info.local_bytes, launches)

    @property
    def stats(self) -> RuntimeStats:
        """See `Runtime.stats`."""
        memory = super().stats
        counted, tools = self._stats, self._toolchain
        return replace(
            memory,
            built=tools.built,
            loaded=tools.loaded,
            compiled=len(self._built),
            build_seconds=counted.build_seconds,
            launches=counted.launches,
        )

    def _compile(self, sources: list[KernelSource], prelude: str, options: Sequence[str], checks: bool) -> None:
        start = time.perf_counter()
        text = "\n".join(['#include "device.hpp"', prelude, *map(translate, sources)])
        flags = [*self._toolchain.kernel_options(checks), *options]
        library = self._toolchain.load(text, flags, sources[0].name if len(sources) == 1 else f"{len(sources)} kernels")
        for source in sources:
            self._built[prelude, source, checks] = self._executable(source, library, text, flags, checks)
        self._stats.build_seconds += time.perf_counter() - start

    def _executable(
        self, source: KernelSource, library: ctypes.CDLL, text: str, flags: list[str], checks: bool
    ) -> EmulatedExecutable:
        taken = parameters(source)
        elements = (ctypes.c_uint * max(1, len(taken)))()
        library[f"emu_parameters_{source.entry}"](elements)
        entry = ctypes.cast(library[f"emu_entry_{source.entry}"], ctypes.c_void_p).value
        base = ctypes.cast(library["emu_base"], ctypes.c_void_p).value
        assert entry and base
        settled = {
            "checks": int(checks),
            # Blocks that add to the same memory would do so in another order each time.
            "workers": 1 if "atomic" in source.text else max(1, min(host.usable_cores(), MOST_WORKERS)),
        }

        def locate(address: int) -> int:
            line = self._toolchain.source_line(text, flags, "emu_base", address - base)
            return int(line.rpartition(":")[2]) if line.startswith(f"{source.name}:") else 0

        return EmulatedExecutable(source, entry, taken, list(elements), settled, locate)

    def _fail(self, executable: EmulatedExecutable, problem: str, fault: int) -> NoReturn:
        source = executable.source
        line = executable.locate(fault) if fault else 0
        lines = source.text.splitlines()
        where = f"line {line}: {lines[line - 1].strip()}" if 0 < line <= len(lines) else ""
        raise KernelError(source.name, problem, where)
