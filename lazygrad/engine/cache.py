"""A disk cache of bytes: compiled kernels and plans, shared by every process of a user.

One file per entry: a header (magic, length, SHA-256 of the payload), then the payload. Entries appear by renaming
a finished file, so that a reader sees a whole entry or none; whatever is damaged is a miss and is removed. Nothing
here raises: a folder that cannot be written, or a disk that is full, only means working without.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lazygrad.settings import settings

MAGIC = b"lazygrad cache 1\n"
HEADER = struct.Struct("<Q32s")
SUFFIX = ".entry"
TOUCH_SECONDS = 3600.0  # how stale an entry's time of last use may be
ABANDONED_SECONDS = 600.0  # a temporary file this old belongs to a process that was killed
TRIM_TO = 0.8  # of the limit, so that trimming is rare


class DiskCache:
    """Bytes by key in a folder.

    Args:
        folder: where entries live; made at the first `put`. None: nothing is kept.
        limit: bytes beyond which the entries not used for longest are removed.

    Attributes:
        hits, misses, corrupt, writes: counts since it was made; a corrupt entry is a miss too.
    """

    def __init__(self, folder: Path | None, limit: int = 1 << 30) -> None:
        self.folder = None if folder is None else folder / "entries"
        self.limit = limit
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
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_atomic(path, MAGIC, HEADER.pack(len(payload), hashlib.sha256(payload).digest()), payload)
        except OSError:
            return
        self.writes += 1
        self._grow(len(payload))

    def clear(self) -> None:
        """Remove every entry."""
        for path, _ in self._files():
            _remove(path)
        self._size = None

    def size(self) -> tuple[int, int]:
        """(entries, bytes) on disk now."""
        sizes = [stat.st_size for path, stat in self._files() if path.suffix == SUFFIX]
        return len(sizes), sum(sizes)

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / key[:2] / (key + SUFFIX)

    def _load(self, key: str) -> bytes | None:
        if self.folder is None:
            return None
        path = self._path(key)
        try:
            data = path.read_bytes()
            if time.time() - path.stat().st_mtime > TOUCH_SECONDS:
                os.utime(path)
        except FileNotFoundError:
            return None
        except OSError:
            data = b""
        payload = _payload(data)
        if payload is None:
            self.corrupt += 1
            _remove(path)
        return payload

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
        for path, stat in self._files():
            if path.suffix == SUFFIX:
                entries.append((stat.st_mtime, stat.st_size, path))
            elif now - stat.st_mtime > ABANDONED_SECONDS:
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
    return DiskCache(settings.cache_dir if settings.cache else None, settings.cache_limit << 20)


def _payload(data: bytes) -> bytes | None:
    """The payload of an entry's bytes, or None where they are damaged."""
    start = len(MAGIC) + HEADER.size
    if len(data) < start or not data.startswith(MAGIC):
        return None
    length, digest = HEADER.unpack_from(data, len(MAGIC))
    payload = data[start:]
    return payload if len(payload) == length and hashlib.sha256(payload).digest() == digest else None


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
