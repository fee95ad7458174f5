"""PoCL's cache of machine code, arranged so that it cannot end a process.

PoCL turns a kernel into machine code at its first launch, and keeps the result in a folder of shared objects. A
damaged file there ends the process (the loader meets a bus error), and several processes write to it. So every
process gives PoCL a private folder; what PoCL put there for a program is packed into one checksummed entry of our
own cache, and unpacked into the private folder of the next process, which then compiles nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import io
import json
import os
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lazygrad.errors import DeviceError
from lazygrad.settings import settings

from . import cache_folder

STALE_SECONDS = 60.0
SMALL_GRID = 1 << 16  # PoCL compiles a kernel apart for grids that stay below this in every axis
_PREFIX = "pocl-"
_RECIPE = "recipe.json"
_LOCK = "lock"
LONGEST_PATH = 512  # bytes of a folder's name: PoCL puts files deep below it, and keeps their names in 1,024
_held: list[Any] = []  # locks, for as long as the process lives


@functools.cache
def private_folder() -> Path:
    """Where PoCL keeps this process's kernels: a link, since PoCL asks once and a disk may fill later."""
    try:
        parent = _parent_folder()
        _remove_stale(parent)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    except OSError as error:
        raise DeviceError(
            f"PoCL has no folder to compile in ({error}); name one that can be written in LAZYGRAD_CACHE_DIR or TMPDIR"
        ) from error
    atexit.register(_remove_private, os.getpid(), folder)
    return _furnish(folder)


def _furnish(folder: Path) -> Path:
    """Lock the private folder; returns where in it PoCL is told to write."""
    _held.append(_lock(folder))
    if os.name != "posix":
        return folder
    (folder / "first").mkdir(exist_ok=True)
    (folder / "kernels").symlink_to("first")
    return folder / "kernels"


def make_room() -> None:
    """Before something is compiled: the private folder is made again where somebody has removed it (PoCL would end the
    process), and goes on in a temporary one where the disk is full. DeviceError where neither can be."""
    root = private_folder()
    _restore(root)
    if not root.is_symlink() or shutil.disk_usage(root).free >= cache_folder.ROOM:
        return
    spare = cache_folder.temporary(settings.cache_dir, "its disk is full")
    if spare is None or root.resolve().is_relative_to(spare):
        return
    moved = spare / "kernels"
    shutil.copytree(root, moved, dirs_exist_ok=True)
    link = root.with_name("link")
    link.symlink_to(moved)
    os.replace(link, root)  # at once: other threads may be compiling
    shutil.rmtree(root.with_name("first"), ignore_errors=True)


def _restore(root: Path) -> None:
    folder = root.parent if os.name == "posix" else root
    try:
        if not (root.is_dir() and (folder / _LOCK).exists()):
            cache_folder.make(folder)
            if root.is_symlink() or not root.exists():
                root.unlink(missing_ok=True)  # it leads nowhere
                _furnish(folder)
            else:  # made by PoCL
                _held.append(_lock(folder))
        if not os.access(root, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(root))
    except OSError as error:
        raise DeviceError(
            f"PoCL compiles in {folder}, which can no longer be used ({error}); make it free and writable, or start a "
            "new process"
        ) from error


@contextlib.contextmanager
def environment() -> Iterator[None]:
    """PoCL takes the private folder for its own when it first lists its devices inside this context.

    The variable goes back to what it was, because child processes must not use a folder that goes with this one.
    """
    before = os.environ.get("POCL_CACHE_DIR")
    os.environ["POCL_CACHE_DIR"] = str(private_folder())
    try:
        yield
    finally:
        if before is None:
            del os.environ["POCL_CACHE_DIR"]
        else:
            os.environ["POCL_CACHE_DIR"] = before


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
    """A folder whose files can be written and executed: the cache folder, else the system's temporary one."""
    if settings.cache:
        folder = cache_folder.usable(settings.cache_dir)
        if folder is not None and _may_execute(folder) and len(os.fsencode(folder)) <= LONGEST_PATH:
            return folder
    return Path(tempfile.gettempdir())


def _may_execute(folder: Path) -> bool:
    """Whether the file system of `folder` lets code be loaded from it."""
    no_exec = getattr(os, "ST_NOEXEC", 0)
    return not no_exec or not os.statvfs(folder).f_flag & no_exec


def _lock(folder: Path) -> Any:
    """An open file in `folder`, locked for as long as this process lives; None where locks do not exist."""
    if sys.platform == "win32":
        return None
    import fcntl

    with contextlib.suppress(OSError):
        # Not through a link, which may lead to any file; it is held open until the process ends.
        file = open(os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise
        return file
    return None


def _remove_stale(parent: Path) -> None:
    """Remove private folders of processes that were killed: those whose lock can be taken."""
    for folder in parent.glob(_PREFIX + "*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if not cache_folder.is_ours(status) or time.time() - status.st_mtime < STALE_SECONDS:
                continue  # another user's; or perhaps made a moment ago, and not locked yet
            held = _lock(folder)
            if held is not None:
                shutil.rmtree(folder, ignore_errors=True)
                held.close()


def _remove_private(pid: int, folder: Path) -> None:
    if os.getpid() == pid:  # not in a forked child, which shares its parent's folder
        for lock in filter(None, _held):
            lock.close()
        shutil.rmtree(folder, ignore_errors=True)
