"""The disk cache: whole entries or none, whatever happens to the process, the files or the folder."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lazygrad.engine.cache import DiskCache, default_cache
from lazygrad.settings import settings

WRITER = """
import sys, pathlib
from lazygrad.engine.cache import DiskCache
cache = DiskCache(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
for n in range(int(sys.argv[2])):
    name = str(n % 20)
    cache.put(cache.key(name), name.encode() * 300_000)
    got = cache.get(cache.key(name))
    assert got is None or got == name.encode() * 300_000
print(cache.corrupt)
"""


def entries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.entry"))


def test_round_trip(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    key = cache.key("source", b"device")
    assert cache.get(key) is None
    for payload in (b"", b"one", bytes(range(256)) * 1000):
        cache.put(key, payload)
        assert cache.get(key) == payload
        assert DiskCache(tmp_path).get(key) == payload
    assert (cache.hits, cache.misses, cache.corrupt, cache.writes) == (3, 1, 0, 3)
    assert cache.size()[0] == 1
    cache.clear()
    assert cache.get(key) is None


def test_keys_separate_their_parts() -> None:
    cache = DiskCache(None)
    keys = [cache.key("ab", "c"), cache.key("a", "bc"), cache.key("abc"), cache.key("abc", ""), cache.key("c", "ab")]
    assert len(set(keys)) == len(keys)
    assert cache.key("é") == cache.key("é".encode())


@pytest.mark.parametrize("damage", ["empty", "header", "truncated", "longer", "flipped", "magic", "folder"])
def test_a_damaged_entry_is_a_miss_and_goes(tmp_path: Path, damage: str) -> None:
    cache = DiskCache(tmp_path)
    key = cache.key("x")
    cache.put(key, b"payload" * 100)
    (path,) = entries(tmp_path)
    data = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
        assert cache.get(key) is None
        cache.put(key, b"new")
        return
    middle = len(data) // 2
    path.write_bytes(
        {
            "empty": b"",
            "header": data[:20],
            "truncated": data[:-1],
            "longer": data + b"x",
            "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
            "magic": b"X" + data[1:],
        }[damage]
    )
    assert cache.get(key) is None
    assert cache.corrupt == 1
    assert not entries(tmp_path)
    cache.put(key, b"new")
    assert cache.get(key) == b"new"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = DiskCache(tmp_path / "file" / "cache")
    cache.put(cache.key("x"), b"1")
    assert cache.get(cache.key("x")) is None
    assert cache.writes == 0


def test_the_settings_can_turn_it_off(tmp_path: Path) -> None:
    with settings.override(cache=False, cache_dir=tmp_path):
        cache = default_cache()
    cache.put(cache.key("x"), b"1")
    assert cache.get(cache.key("x")) is None
    assert not list(tmp_path.iterdir())
    with settings.override(cache_dir=tmp_path, cache_limit=3):
        assert default_cache().limit == 3 << 20


def test_the_oldest_go_beyond_the_limit(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, limit=100_000)
    keys = [cache.key(str(n)) for n in range(9)]
    for age, key in zip(range(9, 0, -1), keys):
        cache.put(key, bytes(10_000))
        old = time.time() - age * 10_000
        os.utime(next(tmp_path.rglob(f"{key}.entry")), (old, old))
    assert cache.get(keys[0]) is not None  # used again: now the newest
    cache.put(cache.key("big"), bytes(30_000))
    kept = [key for key in keys if cache.get(key) is not None]
    assert keys[0] in kept
    assert kept[1:] == keys[-len(kept) + 1 :]
    assert 60_000 < cache.size()[1] <= 80_000
    assert cache.get(cache.key("big")) == bytes(30_000)


def test_what_is_larger_than_the_limit_is_not_kept(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, limit=100)
    cache.put(cache.key("x"), bytes(101))
    assert cache.get(cache.key("x")) is None


def test_abandoned_temporary_files_go(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    cache.put(cache.key("x"), b"1")
    part = entries(tmp_path)[0].parent / ".abc.part"
    young = part.with_name(".young.part")
    part.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(part, (1, 1))
    other = DiskCache(tmp_path)
    other.put(other.key("y"), b"2")
    assert not part.exists()
    assert young.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_while_writing(tmp_path: Path) -> None:
    """Whenever a writer is killed, every entry is whole, and the next process works."""
    chance = random.Random(0)
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, str(tmp_path), "1000000"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        cache = DiskCache(tmp_path)
        for n in range(20):
            assert cache.get(cache.key(str(n))) in (None, str(n).encode() * 300_000)
        assert cache.corrupt == 0
    assert entries(tmp_path)


def test_many_processes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path), "40"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert output.split() == ["ready", "0"]
        assert process.returncode == 0
    assert len(entries(tmp_path)) == 20
    assert not list(tmp_path.rglob("*.part"))
