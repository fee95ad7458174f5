"""Every error class of lazygrad, and the user's line that an error message points at.

Each class also inherits the builtin that a user would expect to catch (`ShapeError` is a `ValueError`,
`OutOfMemoryError` a `MemoryError`, ...), and `LazygradError` catches them all.
"""

from __future__ import annotations

import linecache
import os
import re
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

_PACKAGE = __name__.partition(".")[0]
_PACKAGE_PREFIX = _PACKAGE + "."
_WRAPPERS = frozenset({"_refuse", "call", "fail", "located", "look", "looked_at", "not_a_tensor", "wide"})
_OF_OBJECTS = frozenset({"__call__", "__init__", "forward"})


class LazygradError(Exception):
    """Base of every error that lazygrad raises on purpose."""


class ShapeError(LazygradError, ValueError, RuntimeError):
    """Shapes, axes or sizes that do not fit together. PyTorch's is a RuntimeError, NumPy's a ValueError."""


class DTypeError(LazygradError, TypeError, RuntimeError):
    """An operation that is not defined for these dtypes. PyTorch's is mostly a RuntimeError."""


class MissingKeyError(LazygradError, KeyError):
    """A group of parameters without the entry that is needed."""

    def __str__(self) -> str:
        return Exception.__str__(self)


class OperandError(LazygradError, TypeError):
    """Something that is no tensor, where one is needed."""


class IndexTypeError(DTypeError, IndexError):
    """An index of a dtype that is none of an index."""


class BoundsError(LazygradError, IndexError, RuntimeError):
    """An index or an axis outside its range. PyTorch's is a RuntimeError where an index is an element of a tensor."""


class LinAlgError(LazygradError, RuntimeError):
    """A matrix that has no such factorization: a singular one, or one that is not positive definite."""


class GraphError(LazygradError, RuntimeError):
    """A graph, kernel or tile program that breaks an invariant of its stage."""


class GradientError(LazygradError, RuntimeError):
    """A gradient that was asked for and cannot be given."""


class ViewError(LazygradError, RuntimeError):
    """A change of a tensor that others of its memory would see in PyTorch, and do not see here."""


class ExchangeError(LazygradError, BufferError):
    """Memory that another library and this one cannot share."""


class JitError(LazygradError, RuntimeError):
    """A function that cannot be traced, or a call that its trace cannot serve."""


class CacheError(LazygradError, RuntimeError):
    """A compile-cache entry that cannot be used; callers treat it as a miss."""


class SettingsError(LazygradError, ValueError):
    """A `LAZYGRAD_*` variable, or an override of it, with a value that is not allowed."""


class DeviceError(LazygradError, RuntimeError):
    """A device that is absent, misnamed or failing; the message says what exists and what to install."""


class ArgumentError(LazygradError, ValueError, RuntimeError):
    """An argument outside the values that are allowed, where the other classes do not say it better."""


class ModeError(ArgumentError, NotImplementedError):
    """A mode that is none of those that there are."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument of another kind than the operation takes: None for a number, a string for a dimension."""


class TextError(LazygradError, ValueError):
    """A text that a tokenizer or a training run cannot use."""


class DivergenceError(LazygradError, ArithmeticError, RuntimeError):
    """A loss, a gradient or logits that are no longer finite numbers."""


class FileFormatError(LazygradError, ValueError):
    """A file whose content is not what its reader expects.

    >>> print(FileFormatError("model.safetensors", "header is 12 bytes longer than the file"))
    model.safetensors: header is 12 bytes longer than the file
    """

    def __init__(self, path: str | os.PathLike[str], problem: str) -> None:
        self.path = os.fspath(path)
        self.problem = problem
        super().__init__(self.path, problem)  # the arguments themselves, so that a copy sent to another process works

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class CompileError(LazygradError, RuntimeError):
    """A kernel that the device's compiler rejected.

    Args:
        kernel: name of the kernel, or of the batch that it was compiled in.
        log: what the compiler said.
        source: the full text given to the compiler; only the lines around the first error are shown.
    """

    def __init__(self, kernel: str, log: str, source: str = "") -> None:
        self.kernel, self.log, self.source = kernel, log.strip(), source
        super().__init__(kernel, log, source)

    def __str__(self) -> str:
        parts = [f"kernel {self.kernel!r} does not compile; the compiler said:", _indent(self.log or "(nothing)")]
        if self.source:
            parts += ["in this source:", numbered_source(self.source, first_error_line(self.log))]
        return "\n".join(parts)


class KernelError(LazygradError, RuntimeError):
    """A kernel that did what no kernel may do, as the emulator reports it.

    >>> print(KernelError("rows_4x4", "block 0, thread 3: out of bounds: it reads in0[16]", "line 7: x = in0[i];"))
    kernel 'rows_4x4': block 0, thread 3: out of bounds: it reads in0[16]
      line 7: x = in0[i];
    """

    def __init__(self, kernel: str, problem: str, where: str = "") -> None:
        self.kernel, self.problem, self.where = kernel, problem, where
        super().__init__(kernel, problem, where)

    def __str__(self) -> str:
        return f"kernel {self.kernel!r}: {self.problem}" + (f"\n{_indent(self.where)}" if self.where else "")


class OutOfMemoryError(LazygradError, MemoryError):
    """A device that cannot give the memory asked for, even after its cached blocks were freed.

    Args:
        device: canonical device name.
        requested, live, cached: bytes asked for now, held by live buffers, and held warm for reuse.
        largest: (bytes, description) of the largest live holders, largest first.
        limit: the most bytes that the device, or a setting, allows; 0 when unknown.
    """

    def __init__(
        self,
        device: str,
        requested: int,
        live: int,
        cached: int,
        largest: Sequence[tuple[int, str]] = (),
        limit: int = 0,
    ) -> None:
        self.device, self.requested, self.live, self.cached = device, requested, live, cached
        self.largest, self.limit = tuple(largest), limit
        super().__init__(device, requested, live, cached, self.largest, limit)

    def __str__(self) -> str:
        limit = f", limit {bytes_text(self.limit)}" if self.limit else ""
        lines = [
            f"out of memory on {self.device}: {bytes_text(self.requested)} requested, "
            f"{bytes_text(self.live)} live, {bytes_text(self.cached)} cached{limit}"
        ]
        if self.largest:
            lines.append("largest live blocks:")
            lines += [f"  {bytes_text(nbytes):>10}  {what}" for nbytes, what in self.largest]
        lines.append(
            "use a smaller batch or model, drop references to tensors that are no longer needed, wrap evaluation "
            "in no_grad(), or choose another device"
        )
        return "\n".join(lines)


def bytes_text(nbytes: int) -> str:
    """A byte count for people.

    >>> bytes_text(512), bytes_text(1536), bytes_text(3 << 30)
    ('512 B', '1.5 KiB', '3.0 GiB')
    """
    if nbytes < 1024:
        return f"{nbytes} B"
    size = float(nbytes)
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"


def numbered_source(source: str, line: int = 1, context: int = 8) -> str:
    """The lines of `source` around line number `line` (from 1), numbered, that line marked with `>`.

    >>> print(numbered_source("a\\nb\\nc", line=2, context=1))
       1 | a
    >  2 | b
       3 | c
    """
    lines = source.splitlines()
    first, last = max(1, line - context), min(len(lines), line + context)
    return "\n".join(f"{'>' if n == line else ' '}{n:3d} | {lines[n - 1]}" for n in range(first, last + 1))


def first_error_line(log: str) -> int:
    """Number of the source line that a compiler's log complains of first; 1 where it names none.

    >>> first_error_line("kernel.cl:7:3: error: x"), first_error_line("error: kernel.cl:9:1: x"), first_error_line("")
    (7, 9, 1)
    """
    found = re.search(r"error: \S+?:(\d+):\d+:|:(\d+):\d+: (?:fatal )?error|\((\d+)\): error", log)
    return int(next(filter(None, found.groups()))) if found else 1


def user_location() -> tuple[str, int]:
    """(file, line) of the nearest stack frame outside lazygrad; ("", 0) when there is none.

    Costs well under a microsecond per lazygrad frame, so that every graph node can afford it.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module != _PACKAGE and not module.startswith(_PACKAGE_PREFIX):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return "", 0


def location_text(filename: str, line: int) -> str:
    """`file.py:12: code` for a location; the code is left out where the file cannot be read."""
    if not filename:
        return ""
    code = linecache.getline(filename, line).strip()
    where = f"{os.path.basename(filename)}:{line}"
    return f"{where}: {code}" if code else where


def user_line() -> str:
    """`file.py:12: code` of the nearest stack frame outside lazygrad, or "" when there is none."""
    return location_text(*user_location())


def user_call() -> str:
    """What the user called: the function, the method or the class nearest to the user's own code; "" for operators."""
    frame: FrameType | None = sys._getframe(1)
    called = ""
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        name = frame.f_code.co_name
        if name in _OF_OBJECTS and "self" in frame.f_locals:
            called = type(frame.f_locals["self"]).__name__
        elif name not in _WRAPPERS:
            called = "" if name.startswith(("_", "<")) else name
        frame = frame.f_back
    return called if frame is not None else ""


def located(message: str) -> str:
    """`message` with what the user called before it, unless it names that, and the user's line behind."""
    called, line = user_call(), user_line()
    message = message if called in message else f"{called}: {message}"
    return f"{message} ({line})" if line else message


def fail(kind: type[Exception], message: str) -> NoReturn:
    """Raise `kind` with a message that is `located`."""
    raise kind(located(message))


def _indent(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())
