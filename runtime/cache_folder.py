"""The cache folder: made for its owner alone, and not used where somebody else may write to it, or nobody can.

What is kept there is machine code. So a folder, or a file, counts only if it belongs to this user (or to root, who can
do anything anyway) and nobody else can write to it. Where the folder cannot be used, a temporary one takes
its place for as long as the process lives, and one warning says why.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import stat
import tempfile
import warnings
from pathlib import Path

ROOM = 32 << 20  # bytes that have to be free: a compiler that runs out of them may end the process
PROBE = 256 << 10  # bytes that are written to see whether there is a quota
_warned: list[str] = []


@functools.cache
def usable(folder: Path | None) -> Path | None:
    """`folder`, made if absent, where this process can keep files in it and nobody else can; else a temporary one.

    None where there is no such folder either.
    """
    problem = "there is no home folder" if folder is None else _problem(folder)
    return temporary(folder, problem) if problem else folder


def temporary(instead_of: Path | None, problem: str) -> Path | None:
    """A folder of this process's, which goes with it; the first time with a warning. None where that fails too."""
    if not _warned:
        _warned.append(problem)
        name = f"the cache folder {instead_of}" if instead_of is not None else "the cache folder"
        warnings.warn(
            f"{name} is not used: {problem}. Compiled kernels go to a temporary folder, so the next process compiles "
            "them again; name another folder in LAZYGRAD_CACHE_DIR",
            RuntimeWarning,
            stacklevel=2,
        )
    return _temporary(os.getpid())


@functools.cache
def _temporary(pid: int) -> Path | None:
    try:
        folder = Path(tempfile.mkdtemp(prefix="lazygrad-"))
    except OSError:
        return None
    atexit.register(_remove, pid, folder)
    return folder


def _remove(pid: int, folder: Path) -> None:
    if os.getpid() == pid:  # not in a forked child
        shutil.rmtree(folder, ignore_errors=True)


def make(folder: Path) -> None:
    """Make a folder and what is missing above it, for its owner alone, whatever the umask is; OSError."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process was faster
            each.mkdir(mode=0o700)
            each.chmod(0o700)


def is_ours(status: os.stat_result) -> bool:
    """Whether nobody else can have written what has this status; where users have no numbers, always."""
    if not hasattr(os, "geteuid"):
        return True
    return status.st_uid in (os.geteuid(), 0) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _problem(folder: Path) -> str:
    """Why files cannot be kept in `folder`; "" where they can."""
    try:
        make(folder)
        status = folder.stat()
        if not stat.S_ISDIR(status.st_mode):
            return "it is a file"
        sticky = bool(status.st_mode & stat.S_ISVTX)  # others can write there, but cannot touch what is ours
        if not (is_ours(status) or (sticky and status.st_uid in (os.geteuid(), 0))):
            return f"other users can write to it (chown it to yourself, or: chmod go-w {folder})"
        if shutil.disk_usage(folder).free < ROOM:
            return "its disk is full"
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(PROBE))
            file.flush()
    except OSError as error:
        return f"it cannot be written ({error.strerror or error})"
    return ""
