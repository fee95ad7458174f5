"""Building OpenCL programs, and keeping what was built in the disk cache."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from lazygrad.errors import CompileError, GraphError

from . import pocl
from .base import ByteCache, Executable, KernelSource, RuntimeStats


class Program:
    """One compiled program of one or many kernels.

    `folder` and `files` are PoCL's: where it keeps the program, and which files the cache has of it already.
    """

    def __init__(self, compiled: Any, key: str) -> None:
        self.compiled, self.key = compiled, key
        self.folder: str | None = None
        self.files: set[str] = set()


class OpenCLExecutable(Executable):
    """A kernel of a program. `kernel()` makes a kernel object with arguments of its own."""

    def __init__(self, source: KernelSource, program: Program) -> None:
        self.source, self.program = source, program

    def kernel(self, cl: Any) -> Any:
        """A new kernel object; CompileError where the program has no such function."""
        try:
            return cl.Kernel(self.program.compiled, self.source.entry)
        except cl.Error as error:
            names = self.program.compiled.kernel_names
            problem = f"the program has no kernel function {self.source.entry!r}; it has {names} ({error})"
            raise CompileError(self.source.name, problem, self.source.text) from error


class Builder:
    """Builds the programs of one device, each through the cache.

    A kernel that was built before in this process is not built again.
    """

    def __init__(self, cl: Any, context: Any, device: Any, fingerprint: str, stats: RuntimeStats) -> None:
        self.cl, self.context, self.device = cl, context, device
        self.fingerprint, self.stats = fingerprint, stats
        self.cache: ByteCache | None = None
        self.launched: set[Program] = set()  # PoCL programs with launches since `save`
        self._is_pocl = pocl.is_pocl(device)
        self._built: dict[tuple[str, str, tuple[str, ...]], OpenCLExecutable] = {}

    def build(
        self, sources: Sequence[KernelSource], prelude: str = "", options: Sequence[str] = ()
    ) -> list[Executable]:
        """An executable for each source; all those not built before become one program."""
        fresh: dict[str, KernelSource] = {}
        for source in sources:
            if (prelude, source.text, tuple(options)) in self._built:
                continue
            if fresh.setdefault(source.entry, source).text != source.text:
                raise GraphError(f"two kernels of one program have the entry name {source.entry!r}; rename one")
        if fresh:
            program = self._program(list(fresh.values()), prelude, tuple(options))
            for source in fresh.values():
                self._built[prelude, source.text, tuple(options)] = OpenCLExecutable(source, program)
        return [self._built[prelude, source.text, tuple(options)] for source in sources]

    def save(self) -> None:
        """Put into the cache what PoCL compiled at launches since the last call; the queue must be idle."""
        for program in self.launched:
            if program.folder is None:
                continue
            files = pocl.program_files(program.folder)
            new = files.keys() - program.files
            self.stats.compiled += sum(name.endswith(".so") for name in new)
            program.files.update(new)
            if new and self.cache:
                self.cache.put(program.key, pocl.pack(files))
        self.launched.clear()

    def _program(self, sources: list[KernelSource], prelude: str, options: tuple[str, ...]) -> Program:
        text = "\n".join([prelude, *(source.text for source in sources)])
        start = time.perf_counter()
        key = self.cache.key("opencl program", self.fingerprint, *options, text) if self.cache else ""
        payload = self.cache.get(key) if self.cache else None
        name = sources[0].name if len(sources) == 1 else f"{sources[0].name} and {len(sources) - 1} more"
        make = self._pocl_program if self._is_pocl else self._binary_program
        program = make(name, text, options, key, payload)
        self.stats.build_seconds += time.perf_counter() - start
        return program

    def _pocl_program(self, name: str, text: str, options: tuple[str, ...], key: str, payload: bytes | None) -> Program:
        """Built from source; a payload gives PoCL the results of the front end and of earlier launches."""
        files = pocl.unpack(payload) if payload else set()
        before = pocl.program_folders()
        program = Program(self._compile(name, text, options), key)
        new = pocl.program_folders() - before
        if new:
            program.folder = new.pop()
            self.stats.built += 1
        else:
            program.folder = _folder(files)
            program.files = files
            self.stats.loaded += 1
        return program

    def _binary_program(
        self, name: str, text: str, options: tuple[str, ...], key: str, payload: bytes | None
    ) -> Program:
        """Built from the device's own binary where the cache has one that it accepts."""
        if payload:
            try:
                compiled = self.cl.Program(self.context, [self.device], [payload]).build(cache_dir=False)
            except self.cl.Error:
                pass  # a binary of another driver, though it calls itself the same: build from source
            else:
                self.stats.loaded += 1
                return Program(compiled, key)
        compiled = self._compile(name, text, options)
        self.stats.built += 1
        self.stats.compiled += compiled.num_kernels
        if self.cache:
            self.cache.put(key, compiled.get_info(self.cl.program_info.BINARIES)[0])
        return Program(compiled, key)

    def _compile(self, name: str, text: str, options: tuple[str, ...]) -> Any:
        program = self.cl.Program(self.context, text)
        try:
            # pyopencl's own cache is pickled, and leaves a lock behind when its process is killed.
            return program.build(options=list(options), cache_dir=False)
        except self.cl.Error as error:
            raise CompileError(name, str(error), text) from error


def _folder(files: set[str]) -> str | None:
    """PoCL's folder of a program, from the relative paths of its files: their first two parts."""
    return next(("/".join(name.split("/")[:2]) for name in files), None)
