"""Building OpenCL programs, and keeping what was built in the disk cache.

All kernels asked for together compile as one program, because the compiler's front end costs the same for one as for
a hundred. The cache has an entry per program and an entry per kernel that names its program, so that kernels which
did not change are found again when others in their batch did.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from lazygrad.errors import CompileError, GraphError, first_error_line

from . import pocl, pocl_device
from .base import ByteCache, Executable, KernelSource, RuntimeStats

_FORMAT = "opencl 1"  # changes with what the entries hold


class Program:
    """One compiled program.

    Attributes:
        compiled: pyopencl's program.
        key, kernel_keys: of its entry in the cache, and of its kernels' entries.
        text, options: what it was compiled from.
        folder: where PoCL keeps it; None on other platforms, or when PoCL has its folder elsewhere.
        files: PoCL's files that the cache has already.
        variants: (kernel, sizes) launched so far, one for each that PoCL compiles apart.
    """

    def __init__(self, compiled: Any, key: str, text: str, options: tuple[str, ...]) -> None:
        self.compiled, self.key, self.text, self.options = compiled, key, text, options
        self.kernel_keys: list[str] = []
        self.folder: str | None = None
        self.files: set[str] = set()
        self.variants: set[tuple[str, tuple[int, ...], bool]] = set()


class OpenCLExecutable(Executable):
    """A kernel of a program. Each launch takes a kernel object of its own, to keep its arguments in."""

    def __init__(self, source: KernelSource, program: Program) -> None:
        self.source, self.program = source, program
        self.arity = -1
        self._idle: list[Any] = []

    def take(self, cl: Any) -> Any:
        """A kernel object that nothing else uses; CompileError where the program has no such function."""
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        try:
            kernel = new_kernel(cl, self.program.compiled, self.source.entry)
        except cl.Error as error:
            names = self.program.compiled.kernel_names
            problem = f"the program has no kernel function {self.source.entry!r}; it has {names} ({error})"
            raise CompileError(self.source.name, problem, self.source.text) from error
        self.arity = kernel.num_args
        return kernel

    def give_back(self, kernel: Any) -> None:
        """Let another launch have `kernel`: making one costs a hundred times more than setting its arguments."""
        self._idle.append(kernel)


class Builder:
    """Builds the programs of one device, each through the cache.

    A kernel that was built before in this process is not built again.
    """

    def __init__(self, cl: Any, context: Any, device: Any, fingerprint: str, stats: RuntimeStats) -> None:
        self.cl, self.context, self.device = cl, context, device
        self.fingerprint, self.stats = fingerprint, stats
        self.cache: ByteCache | None = None
        self.unsaved: set[Program] = set()  # PoCL programs that compiled something since `save`
        self._is_pocl = pocl_device.is_pocl(device)
        self._built: dict[tuple[str, str, tuple[str, ...]], OpenCLExecutable] = {}
        self._loaded: dict[str, Program | None] = {}  # by key, those asked of the cache

    def build(
        self, sources: Sequence[KernelSource], prelude: str = "", options: Sequence[str] = ()
    ) -> list[Executable]:
        """An executable for each source; those neither built before nor cached become one new program."""
        start = time.perf_counter()
        self._make_ready()
        flags = tuple(options)
        fresh: dict[str, KernelSource] = {}
        for source in sources:
            if (prelude, source.text, flags) in self._built or self._load(source, prelude, flags):
                continue
            if fresh.setdefault(source.entry, source).text != source.text:
                raise GraphError(f"two kernels of one program have the entry name {source.entry!r}; rename one")
        if fresh:
            program = self._compile(list(fresh.values()), prelude, flags)
            for source in fresh.values():
                self._built[prelude, source.text, flags] = OpenCLExecutable(source, program)
        self.stats.build_seconds += time.perf_counter() - start
        return [self._built[prelude, source.text, flags] for source in sources]

    def note_launch(self, executable: OpenCLExecutable, global_size: tuple[int, ...], local: tuple[int, ...]) -> None:
        """Remember that PoCL may compile something: it does so for each kernel, group size and kind of grid."""
        program = executable.program
        variant = (executable.source.entry, local, max(global_size) < pocl.SMALL_GRID)
        if program.folder is not None and variant not in program.variants:
            self._make_ready()
            program.variants.add(variant)
            self.unsaved.add(program)

    def save(self) -> None:
        """Put into the cache what PoCL compiled at launches since the last call; the queue must be idle."""
        while self.unsaved:
            program = self.unsaved.pop()
            assert program.folder is not None
            files = pocl.program_files(program.folder)
            new = files.keys() - program.files
            self.stats.compiled += sum(name.endswith(".so") for name in new)
            program.files.update(new)
            if new and program.files <= files.keys():  # else somebody has removed some
                self._store(program, pocl.pack(files, program.text, program.options))

    def _make_ready(self) -> None:
        """Before PoCL compiles: what would make it end the process is put right, or is a DeviceError."""
        if self._is_pocl:
            pocl_device.check_children()
            pocl.make_room()

    def _load(self, source: KernelSource, prelude: str, options: tuple[str, ...]) -> bool:
        """Take a kernel from the cache; whether it was there."""
        if self.cache is None:
            return False
        entry = self.cache.get(self._kernel_key(source, prelude, options))
        key = (entry or b"").decode("ascii", "replace")
        if not key:
            return False
        if key not in self._loaded:
            payload = self.cache.get(key)
            self._loaded[key] = self._restore(key, payload, source) if payload else None
        program = self._loaded[key]
        if program is None:
            return False
        self._built[prelude, source.text, options] = OpenCLExecutable(source, program)
        return True

    def _restore(self, key: str, payload: bytes, source: KernelSource) -> Program | None:
        """The program of a cache entry, or None where the device does not accept it."""
        if not self._is_pocl:
            try:
                compiled = self.cl.Program(self.context, [self.device], [payload]).build(cache_dir=False)
            except self.cl.Error:
                return None  # a binary of another driver, though it calls itself the same
            self.stats.loaded += 1
            return Program(compiled, key, "", ())
        try:
            files, text, options = pocl.unpack(payload)
        except OSError:
            return None  # a full disk
        program = self._build_pocl([source], text, options, key)
        if program.folder is None:  # PoCL found what was unpacked
            program.folder = next(("/".join(name.split("/")[:2]) for name in files), None)
            program.files = files
            self.stats.loaded += 1
        return program

    def _compile(self, sources: list[KernelSource], prelude: str, options: tuple[str, ...]) -> Program:
        """A new program of these kernels."""
        text = "\n".join([prelude, *(source.text for source in sources)])
        key = self.cache.key(_FORMAT, "program", self.fingerprint, *options, text) if self.cache else ""
        if self._is_pocl:
            program = self._build_pocl(sources, text, options, key)
        else:
            program = Program(self._run_compiler(sources, text, options), key, text, options)
            self.stats.built += 1
            self.stats.compiled += len(sources)
        if self.cache:
            program.kernel_keys = [self._kernel_key(source, prelude, options) for source in sources]
            if not self._is_pocl:
                self._store(program, program.compiled.get_info(self.cl.program_info.BINARIES)[0])
        return program

    def _build_pocl(self, sources: list[KernelSource], text: str, options: tuple[str, ...], key: str) -> Program:
        """Built from source. `folder` is set when PoCL made a new one, having found nothing that it knew."""
        before = pocl.program_folders()
        program = Program(self._run_compiler(sources, text, options), key, text, options)
        program.folder = next(iter(pocl.program_folders() - before), None)
        if program.folder is not None:
            self.stats.built += 1
        return program

    def _run_compiler(self, sources: list[KernelSource], text: str, options: tuple[str, ...]) -> Any:
        program = self.cl.Program(self.context, text)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", self.cl.CompilerWarning)
                # pyopencl's own cache is pickled, and leaves a lock behind when its process is killed.
                return program.build(options=list(options), cache_dir=False)
        except self.cl.Error as error:
            log = _build_log(str(error))
            raise CompileError(_culprit(sources, text, first_error_line(log)), log, text) from error

    def _store(self, program: Program, payload: bytes) -> None:
        if self.cache:
            self.cache.put(program.key, payload)
            for key in program.kernel_keys:
                self.cache.put(key, program.key.encode())

    def _kernel_key(self, source: KernelSource, prelude: str, options: tuple[str, ...]) -> str:
        assert self.cache is not None
        return self.cache.key(_FORMAT, "kernel", self.fingerprint, *options, prelude, source.text)


class _Making(threading.local):
    kernel = False  # whether this thread makes a kernel object for us


_making = _Making()


def new_kernel(cl: Any, program: Any, entry: str) -> Any:
    """A kernel object, without the Python functions for calling it: pyopencl generates them, in half a millisecond for
    each object, and ours are launched without."""
    from pyopencl import invoker

    original = invoker.generate_enqueue_and_set_args
    if not isinstance(original, _Generator):
        invoker.generate_enqueue_and_set_args = _Generator(original)
    _making.kernel = True
    try:
        return cl.Kernel(program, entry)
    finally:
        _making.kernel = False


class _Generator:
    """pyopencl's generator of functions, for all kernel objects but ours."""

    def __init__(self, original: Callable[..., Any]) -> None:
        self.original = original

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return (None, None) if _making.kernel else self.original(*arguments, **named)


def _build_log(message: str) -> str:
    """The compiler's own words out of pyopencl's error message, with short file names.

    >>> _build_log("clBuildProgram failed: X\\n\\nBuild on <Device>:\\n\\nerror: /a/b.cl:3:4: bad\\n\\n(options: -I x)")
    'error: kernel.cl:3:4: bad'
    """
    body = re.split(r"Build on <.*>:\n", message)[-1].partition("\n(options:")[0].strip()
    return re.sub(r"[^\s:]*\.cl(?=:\d+:)", "kernel.cl", body)


def _culprit(sources: list[KernelSource], text: str, line: int) -> str:
    """The name of the kernel that line number `line` of a program's text belongs to."""
    if len(sources) > 1:
        for source in sources:
            first = text[: text.index(source.text)].count("\n") + 1
            if first <= line <= first + source.text.count("\n"):
                return source.name
    return sources[0].name
