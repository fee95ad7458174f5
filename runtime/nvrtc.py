"""NVRTC: CUDA C++ to machine code for a named architecture, on machines with and without a GPU.

Every kernel is a program of its own, so that each is found again in the disk cache whatever it was built with; several
compile at the same time, because the compiler lets go of Python's lock.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from types import ModuleType
from typing import Any

from lazygrad.errors import CompileError, DeviceError
from lazygrad.settings import settings

from . import host
from .base import ByteCache, KernelSource, RuntimeStats

INSTALL = "install it with `pip install 'lazygrad[cuda]'` (cuda-python and nvidia-cuda-nvrtc)"
OPTIONS = ("--std=c++17", "--ptxas-options=-v")
_FORMAT = "nvrtc 1"  # changes with what the entries hold
SERIALIZED = ("C7510", "C7511", "C7515")  # ptxas: wgmma instructions wait for each other


@dataclass(frozen=True)
class Resources:
    """What ptxas says of a kernel.

    Args:
        registers: of a work-item.
        spill_bytes: written to and read from memory because registers did not suffice, counted once in the code.
        stack_bytes: private memory of a work-item.
        shared_bytes: local memory that the kernel declares itself.
        serialized: reasons why matrix instructions wait for each other, as codes of ptxas.

    >>> Resources(40, 0, 0, 1024, ("C7510",)).problems
    ('wgmma is serialized (C7510)',)
    """

    registers: int
    spill_bytes: int
    stack_bytes: int
    shared_bytes: int
    serialized: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What makes the kernel slower than it should be."""
        spills = (f"{self.spill_bytes} bytes of registers are spilled",) if self.spill_bytes else ()
        return spills + tuple(f"wgmma is serialized ({code})" for code in self.serialized)

    @staticmethod
    def of(log: str) -> Resources:
        """The resources in a log of ptxas.

        >>> Resources.of("... 8 bytes stack frame, 4 bytes spill stores, 2 bytes spill loads ... Used 30 registers, "
        ...              "1024 bytes smem")
        Resources(registers=30, spill_bytes=6, stack_bytes=8, shared_bytes=1024, serialized=())
        """

        def total(pattern: str) -> int:
            return sum(map(int, re.findall(pattern, log)))

        codes = tuple(code for code in SERIALIZED if code in log)
        spills = total(r"(\d+) bytes spill stores") + total(r"(\d+) bytes spill loads")
        return Resources(
            total(r"Used (\d+) registers"), spills, total(r"(\d+) bytes stack frame"), total(r"(\d+) bytes smem"), codes
        )


@dataclass(frozen=True)
class Cubin:
    """One compiled kernel: machine code that a driver loads."""

    source: KernelSource
    image: bytes
    resources: Resources


def load_nvrtc() -> ModuleType:
    """The module cuda.bindings.nvrtc; DeviceError where it, or the compiler itself, is not installed."""
    try:
        from cuda.bindings import nvrtc
    except ImportError as error:
        raise DeviceError(f"CUDA needs the package cuda-python, which does not import ({error}); {INSTALL}") from error
    try:
        nvrtc.nvrtcVersion()
    except (RuntimeError, OSError) as error:  # the binding finds no library
        raise DeviceError(f"CUDA's compiler NVRTC is not installed ({_first_line(error)}); {INSTALL}") from error
    module: ModuleType = nvrtc
    return module


class Compiler:
    """Compiles kernels for one architecture, each through the cache.

    Args:
        arch: as in "sm_90a".
        stats: counts what was built and loaded.

    Example, on any machine with NVRTC:

        compiler = Compiler("sm_90a", RuntimeStats())
        cubin = compiler.build([KernelSource("k", 'extern "C" __global__ void k() {}', "k")])[0]
    """

    def __init__(self, arch: str, stats: RuntimeStats) -> None:
        self.arch, self.stats = arch, stats
        self.cache: ByteCache | None = None
        self._nvrtc = load_nvrtc()
        _, major, minor = self._nvrtc.nvrtcVersion()
        self.version = f"{major}.{minor}"
        self._built: dict[tuple[str, tuple[str, ...]], Cubin] = {}

    def build(self, sources: Sequence[KernelSource], prelude: str = "", options: Sequence[str] = ()) -> list[Cubin]:
        """The machine code of each source; CompileError for the first one that has none."""
        start = time.perf_counter()
        flags = (f"--gpu-architecture={self.arch}", *OPTIONS, *options)
        wanted = {(prelude + s.text, flags): s for s in sources}
        fresh = [(key, s) for key, s in wanted.items() if key not in self._built and not self._load(key, s)]
        if len(fresh) == 1:
            self._keep(*fresh[0])
        elif fresh:
            with ThreadPoolExecutor(min(host.usable_cores(), len(fresh)), "nvrtc") as pool:
                for _ in pool.map(lambda entry: self._keep(*entry), fresh):
                    pass
        self.stats.built += len(fresh)
        self.stats.compiled += len(fresh)
        self.stats.build_seconds += time.perf_counter() - start
        # Kernels of one text may differ in what their launches need.
        return [_for(s, self._built[prelude + s.text, flags]) for s in sources]

    def _keep(self, key: tuple[str, tuple[str, ...]], source: KernelSource) -> None:
        text, flags = key
        image, log = self._compile(source.name, text, flags)
        cubin = self._built[key] = Cubin(source, image, Resources.of(log))
        if settings.debug >= 1 and cubin.resources.problems:
            print(f"compiled {source.name}: {'; '.join(cubin.resources.problems)}", file=sys.stderr)
        if self.cache:
            header = json.dumps(asdict(cubin.resources)).encode()
            self.cache.put(self._key(key), header + b"\n" + image)

    def _load(self, key: tuple[str, tuple[str, ...]], source: KernelSource) -> bool:
        """Take a kernel from the cache; whether it was there."""
        payload = self.cache.get(self._key(key)) if self.cache else None
        if not payload:
            return False
        header, _, image = payload.partition(b"\n")
        try:
            record = json.loads(header)
            resources = Resources(**{**record, "serialized": tuple(record["serialized"])})
        except (ValueError, KeyError, TypeError):
            return False
        self._built[key] = Cubin(source, image, resources)
        self.stats.loaded += 1
        return True

    def _key(self, key: tuple[str, tuple[str, ...]]) -> str:
        assert self.cache is not None
        text, flags = key
        return self.cache.key(_FORMAT, self.version, *flags, text)

    def _compile(self, name: str, text: str, flags: Sequence[str]) -> tuple[bytes, str]:
        """(machine code, log) of one program."""
        nvrtc = self._nvrtc
        success = nvrtc.nvrtcResult.NVRTC_SUCCESS
        program = self._checked(nvrtc.nvrtcCreateProgram(text.encode(), f"{name}.cu".encode(), 0, [], []))
        try:
            (status,) = nvrtc.nvrtcCompileProgram(program, len(flags), [flag.encode() for flag in flags])
            log = self._text(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program).decode(errors="replace")
            if status != success:
                raise CompileError(name, log.strip("\0 \n") or str(status), text)
            return self._text(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program), log
        finally:
            nvrtc.nvrtcDestroyProgram(program)

    def _text(self, size: Any, get: Any, program: Any) -> bytes:
        held = bytearray(self._checked(size(program)))
        self._checked(get(program, held))
        return bytes(held)

    def _checked(self, result: tuple[Any, ...]) -> Any:
        status, *values = result
        if status != self._nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise DeviceError(f"CUDA's compiler NVRTC {self.version} fails: {status.name}")
        return values[0] if values else None


def _for(source: KernelSource, cubin: Cubin) -> Cubin:
    return cubin if cubin.source == source else replace(cubin, source=source)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
