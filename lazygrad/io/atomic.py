"""Files that are either the old ones or the new ones, whatever happens in between."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lazygrad.errors import ArgumentError
from lazygrad.ops.signatures import checked

PathLike = str | os.PathLike[str]
_SUFFIX = ".partial"


@contextlib.contextmanager
def atomic_write(path: PathLike) -> Iterator[BinaryIO]:
    """A binary file to write, which takes the name `path` only when the `with` block ends without an error.

    The bytes go to a new file in the same folder (made if absent), reach the disk, and are then renamed over
    `path`, so that a reader, a crash or a `kill -9` at any moment meets a whole old file or a whole new one,
    which has the old one's permissions.

    Raises:
        ArgumentError: no file can have this name, or what has it is a device, a pipe or the like.
        OSError: the folder or the file cannot be written; `path` is then as it was.
    """
    if "\0" in os.fspath(path):
        raise ArgumentError(f"{os.fspath(path)!r} is no name for a file: it has a NUL in it")
    target = Path(os.path.realpath(path))  # through a symbolic link, as open() would write
    if target.is_dir():
        raise IsADirectoryError(f"{os.fspath(path)} is a folder; name a file inside it")
    _require_replaceable(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{_prefix(target)}{secrets.token_hex(4)}{_SUFFIX}")
    try:
        with open(temporary, "xb") as file:
            if target.exists():
                shutil.copymode(target, temporary)
            yield file
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


@checked
def remove_leftovers(path: PathLike) -> int:
    """Delete what killed processes left of unfinished `atomic_write(path)`; how many files that were.

    Only for a moment when no other process is writing `path`.
    """
    target = Path(os.path.realpath(path))
    leftovers = [
        entry
        for entry in (target.parent.iterdir() if target.parent.is_dir() else ())
        if entry.name.startswith(_prefix(target)) and entry.name.endswith(_SUFFIX)
    ]
    for entry in leftovers:
        entry.unlink(missing_ok=True)
    return len(leftovers)


def _require_replaceable(target: Path) -> None:
    """Raise where open() would not write, or would write elsewhere than to a file: a rename would put one there."""
    if not target.exists():
        return
    if not target.is_file():  # such as /dev/null
        raise ArgumentError(f"{target} is not a file but a pipe, a device or the like; name a file")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "is protected from writing", str(target))


def _prefix(target: Path) -> str:
    """How the names of unfinished files begin; short where the name of the file itself is as long as a name may be."""
    name = target.name
    return f".{name}." if len(os.fsencode(name)) <= 200 else f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}."


def _replace(source: Path, target: Path) -> None:
    """os.replace, tried for a second on Windows, where a virus scanner may hold the target open for a moment."""
    for pause in (0.05, 0.15, 0.3, 0.5):
        try:
            return os.replace(source, target)
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(pause)
    return os.replace(source, target)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system lets a folder be opened for that."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems cannot; the file is whole all the same
    finally:
        os.close(descriptor)
