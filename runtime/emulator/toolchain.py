"""The system's C++ compiler: finding it, and making shared objects that are kept in the cache as bytes."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lazygrad.errors import CompileError, DeviceError

from ..base import ByteCache

HERE = Path(__file__).resolve().parent
CANDIDATES = ("g++", "clang++", "c++")
COMMON = ("-std=c++17", "-fPIC", "-shared", "-march=native", "-fno-strict-aliasing", "-w")
EMULATOR = ("-O2", "-ftls-model=initial-exec", "-pthread")
# a * b + c becomes one operation, as NVRTC makes it (by g++ at -O1 only with the second option); nothing of the
# sanitizers is linked, access.hpp has their names.
KERNELS = ("-O1", "-fexpensive-optimizations", "-ffp-contract=fast", "-nostdlib")
CHECKED = ("-fsanitize=thread,bounds", "-fno-sanitize-recover=all")
NO_ENTRIES = {  # functions' entries and exits need not be reported; loops that copy must stay accesses of elements
    "gcc": ("--param", "tsan-instrument-func-entry-exit=0"),
    "clang": ("-mllvm", "-tsan-instrument-func-entry-exit=0", "-fno-builtin-memcpy", "-fno-builtin-memset"),
}


def find_compiler() -> list[str]:
    """The command of a C++ compiler: `CXX` if it is set, else the first that is found; DeviceError without one."""
    named = os.environ.get("CXX", "").strip()
    if named:
        command = shlex.split(named)
        if shutil.which(command[0]) is None:
            raise DeviceError(f"CXX names {command[0]!r}, which is not found; CUDA_EMULATED needs a C++ compiler")
        return command
    for candidate in CANDIDATES:
        if shutil.which(candidate):
            return [candidate]
    raise DeviceError(
        "CUDA_EMULATED needs a C++ compiler and none is found: install g++ or clang++, or name one in the variable CXX"
    )


@functools.cache
def headers() -> str:
    """The text of every C++ file of the emulator: what is compiled depends on it."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.[ch]pp")))


class Toolchain:
    """One compiler and where its results are kept.

    Args:
        cache: keeps shared objects; None: every process compiles.

    Attributes:
        identity: what the compiler says of itself and of the processor (its predefined macros).
        built, loaded: shared objects compiled, and found in the cache.
    """

    def __init__(self, cache: ByteCache | None) -> None:
        self.cache = cache
        self.command = find_compiler()
        done = self._run(["-march=native", "-dM", "-E", "-x", "c++", os.devnull])
        if done.returncode:
            raise DeviceError(f"{shlex.join(self.command)} does not work: {done.stderr.strip()}")
        self.identity = done.stdout
        self.is_clang = "__clang__" in self.identity
        self.built = self.loaded = 0

    def load(self, text: str, options: Sequence[str], name: str, shared_names: bool = False) -> ctypes.CDLL:
        """The shared object made from a C++ text; `shared_names`: what it defines is found by those loaded later.

        Raises CompileError, with `name`, where the compiler rejects the text.
        """
        key = self.cache.key("emulator 1", self.identity, headers(), *options, text) if self.cache else ""
        payload = self.cache.get(key) if self.cache else None
        with _folder() as folder:
            path = folder / "emulated.so"
            if payload is not None:
                path.write_bytes(payload)
                self.loaded += 1
            else:
                self._compile(text, options, name, path)
                self.built += 1
                if self.cache:
                    self.cache.put(key, path.read_bytes())
            mode = ctypes.RTLD_GLOBAL if shared_names else ctypes.RTLD_LOCAL
            try:
                return ctypes.CDLL(str(path), mode=mode)
            except OSError as error:
                raise CompileError(name, f"the shared object does not load: {error}", text) from error

    def emulator_options(self) -> list[str]:
        """Options for the emulator itself."""
        return [*COMMON, *EMULATOR]

    def kernel_options(self, checks: bool) -> list[str]:
        """Options for kernels; `checks`: every access to memory is reported to the emulator."""
        options = [*COMMON, *KERNELS]
        return [*options, *CHECKED, *NO_ENTRIES["clang" if self.is_clang else "gcc"]] if checks else options

    def source_line(self, text: str, options: Sequence[str], symbol: str, offset: int) -> str:
        """`file:line` of the instruction `offset` bytes after `symbol` in the shared object made from `text`.

        "" where nothing can tell. Debugging information changes no instruction, so that kernels need not carry it
        until something is wrong.
        """
        if not (shutil.which("addr2line") and shutil.which("nm")):
            return ""
        with _folder() as folder:
            path = folder / "emulated.so"
            self._compile(text, [*options, "-g1"], "kernel", path)
            names = subprocess.run(["nm", str(path)], capture_output=True, text=True, check=False).stdout
            found = re.search(rf"^([0-9a-f]+) \w _?{symbol}$", names, re.MULTILINE)
            if found is None:
                return ""
            # The report's address is that of the instruction after a call.
            command = ["addr2line", "-i", "-e", str(path), hex(int(found[1], 16) + offset - 1)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [line.split(" (")[0] for line in done.stdout.splitlines() if "?" not in line and ".hpp:" not in line]
        return os.path.basename(lines[0]) if lines else ""

    def _compile(self, text: str, options: Sequence[str], name: str, path: Path) -> None:
        source = path.with_suffix(".cpp")
        source.write_text(text, encoding="utf-8")
        done = self._run([*options, f"-I{HERE}", str(source), "-o", str(path)])
        if done.returncode:
            raise CompileError(name, done.stderr.replace(str(source.parent) + os.sep, ""), text)

    def _run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            return subprocess.run(
                [*self.command, *arguments], capture_output=True, text=True, check=False, env=environment
            )
        except OSError as error:
            raise DeviceError(f"{shlex.join(self.command)} does not run: {error}") from error


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder that is removed at the end; a shared object stays loaded when its file is gone."""
    with tempfile.TemporaryDirectory(prefix="lazygrad-emulator-") as folder:
        yield Path(folder)
