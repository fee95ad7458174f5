"""A disk cache of bytes: compiled kernels and plans, shared by every process of a user.

One file per entry: a header (magic, length, SHA-256 of the key and the payload), then the payload. Entries appear by
renaming a finished file, so that a reader sees a whole entry or none; whatever is damaged, has another entry's name, or
may have been written by another user is a miss and is removed. Nothing here raises: where a folder cannot be written,
or a disk is full, another folder is used, or none.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lazygrad.runtime import cache_folder
from lazygrad.settings import settings

MAGIC = b"lazygrad cache 2\n"
HEADER = struct.Struct("<Q32s")
SUFFIX = ".entry"
_BINARY = getattr(os, "O_BINARY", 0)  # of Windows
TOUCH_SECONDS = 3600.0  # how stale an entry's time of last use may be
ABANDONED_SECONDS = 600.0  # a temporary file this old belongs to a process that was killed
TRIM_TO = 0.8  # of the limit, so that trimming is rare


class DiskCache:
    """Bytes by key in a folder.

    Args:
        folder: where entries live; made at the first `put`. None: nothing is kept.
        limit: bytes beyond which the entries not used for longest are removed.
        behind: another folder of entries, which are read where `folder` has none.
        spare: gives a folder to go on with when `folder` can no longer be written, told why; or None.

    Attributes:
        hits, misses, corrupt, writes: counts since it was made; a corrupt entry is a miss too.
    """

    def __init__(
        self,
        folder: Path | None,
        limit: int = 1 << 30,
        behind: Path | None = None,
        spare: Callable[[str], Path | None] = lambda problem: None,
    ) -> None:
        self.folder, self.behind = _entries(folder), _entries(behind)
        self.limit, self.spare = limit, spare
        self.hits = self.misses = self.corrupt = self.writes = 0
        self._size: int | None = None  # bytes in the folder: counted at the first put, estimated after

    def key(self, *parts: str | bytes) -> str:
        """The key of these parts: each counts with its length, so that no two lists of parts share one.

        >>> DiskCache(None).key("a", "b") == DiskCache(None).key("ab", "")
        False
        """
        digest = hashlib.sha256()
        for part in parts:
            data = part.encode() if isinstance(part, str) else part
            digest.update(struct.pack("<Q", len(data)))
            digest.update(data)
        return digest.hexdigest()

    def get(self, key: str) -> bytes | None:
        """The payload stored under `key`, or None."""
        payload = self._load(key)
        if payload is None:
            self.misses += 1
        else:
            self.hits += 1
        return payload

    def put(self, key: str, payload: bytes) -> None:
        """Store `payload` under `key`, replacing what was there."""
        if self.folder is None or len(payload) > self.limit:
            return
        try:
            self._write(key, payload)
        except OSError as error:
            spare = self.spare(f"it cannot be written ({error.strerror or error})")
            if spare is None or _entries(spare) == self.folder:
                return
            self.folder, self.behind, self._size = _entries(spare), self.folder, None
            with contextlib.suppress(OSError):
                self._write(key, payload)

    def clear(self) -> None:
        """Remove every entry."""
        for path, _ in self._files():
            _remove(path)
        self._size = None

    def size(self) -> tuple[int, int]:
        """(entries, bytes) on disk now."""
        sizes = [status.st_size for path, status in self._files() if path.suffix == SUFFIX]
        return len(sizes), sum(sizes)

    def _write(self, key: str, payload: bytes) -> None:
        assert self.folder is not None
        path = _path(self.folder, key)
        cache_folder.make(path.parent)
        _write_atomic(path, MAGIC, HEADER.pack(len(payload), _digest(key, payload)), payload)
        self.writes += 1
        self._grow(len(payload))

    def _load(self, key: str) -> bytes | None:
        for folder in (self.folder, self.behind):
            if folder is None:
                continue
            path = _path(folder, key)
            try:
                data = _read(path)
            except FileNotFoundError:
                continue
            except OSError:
                data = b""
            payload = _payload(key, data)
            if payload is not None:
                return payload
            self.corrupt += 1
            _remove(path)
        return None

    def _grow(self, nbytes: int) -> None:
        """Count `nbytes` more; at the first put, and beyond the limit, count the folder and trim it."""
        if self._size is not None:
            self._size += nbytes
        if self._size is None or self._size > self.limit:
            self._size = self._trim()

    def _trim(self) -> int:
        """Remove abandoned temporary files and, beyond the limit, the oldest entries; returns the bytes left."""
        now = time.time()
        entries = []
        for path, status in self._files():
            if path.suffix == SUFFIX:
                entries.append((status.st_mtime, status.st_size, path))
            elif now - status.st_mtime > ABANDONED_SECONDS:
                _remove(path)
        total = sum(size for _, size, _ in entries)
        if total <= self.limit:
            return total
        for _, size, path in sorted(entries, key=lambda entry: entry[0]):
            if total <= self.limit * TRIM_TO:
                break
            _remove(path)
            total -= size
        return total

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Every file of the cache with its stat; files that other processes remove meanwhile are passed over."""
        if self.folder is None:
            return
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = Path(folder, name)
                with contextlib.suppress(OSError):
                    yield path, path.stat()


def default_cache() -> DiskCache:
    """A cache as the settings ask for it; with `LAZYGRAD_CACHE=0`, one that keeps nothing."""
    if not settings.cache:
        return DiskCache(None)
    wanted = settings.cache_dir
    folder = cache_folder.usable(wanted)
    behind = wanted if wanted != folder else None
    spare = functools.partial(cache_folder.temporary, wanted)
    return DiskCache(folder, settings.cache_limit << 20, behind, spare)


def _entries(folder: Path | None) -> Path | None:
    return None if folder is None else folder / "entries"


def _path(folder: Path, key: str) -> Path:
    return folder / key[:2] / (key + SUFFIX)


def _digest(key: str, payload: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\n" + payload).digest()


def _read(path: Path) -> bytes:
    """The bytes of a file that only this user can have written; none of any other."""
    # Neither a link is followed, nor a pipe waited for.
    file = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or not cache_folder.is_ours(status):
            return b""
        with open(file, "rb", closefd=False) as opened:
            data = opened.read()
        if time.time() - status.st_mtime > TOUCH_SECONDS:
            with contextlib.suppress(OSError):  # it may be another's disk, that cannot be written
                os.utime(path)
        return data
    finally:
        os.close(file)


def _payload(key: str, data: bytes) -> bytes | None:
    """The payload of an entry's bytes, or None where they are damaged."""
    start = len(MAGIC) + HEADER.size
    if len(data) < start or not data.startswith(MAGIC):
        return None
    length, digest = HEADER.unpack_from(data, len(MAGIC))
    payload = data[start:]
    return payload if len(payload) == length and _digest(key, payload) == digest else None


def _write_atomic(path: Path, *parts: bytes) -> None:
    """Write a file beside `path`, then rename it into place."""
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
        os.replace(name, path)
    except BaseException:
        _remove(Path(name))
        raise


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
