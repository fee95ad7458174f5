"""PoCL's cache of machine code, arranged so that it cannot end a process.

PoCL turns a kernel into machine code at its first launch, and keeps the result in a folder of shared objects. A
damaged file there ends the process (the loader meets a bus error), and several processes write to it. So every
process gives PoCL a private folder; what PoCL put there for a program is packed into one checksummed entry of our
own cache, and unpacked into the private folder of the next process, which then compiles nothing.
"""

from __future__ import annotations

import atexit
import contextlib
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

from lazygrad.settings import settings

STALE_SECONDS = 60.0
SMALL_GRID = 1 << 16  # PoCL compiles a kernel apart for grids that stay below this in every axis
_PREFIX = "pocl-"
_RECIPE = "recipe.json"


@functools.cache
def private_folder() -> Path:
    """Where PoCL keeps this process's kernels."""
    parent = _parent_folder()
    _remove_stale(parent)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    atexit.register(_remove_private, os.getpid(), folder, _lock(folder))
    return folder


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
    if settings.cache and settings.cache_dir is not None:
        with contextlib.suppress(OSError):
            settings.cache_dir.mkdir(parents=True, exist_ok=True)
            if os.access(settings.cache_dir, os.W_OK | os.X_OK) and _may_execute(settings.cache_dir):
                return settings.cache_dir
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
        file = open(folder / "lock", "w")  # noqa: SIM115 - held open until the process ends
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
