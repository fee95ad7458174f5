"""The cache holds machine code: nothing is loaded that somebody else may have written, and a disk may be full."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lazygrad.engine.cache import DiskCache, default_cache
from lazygrad.runtime import cache_folder, pocl
from lazygrad.settings import settings

posix = pytest.mark.skipif(sys.platform == "win32", reason="owners and permissions of POSIX")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing has been looked at, and nobody warned."""
    monkeypatch.setattr(cache_folder, "_warned", [])
    cache_folder.usable.cache_clear()
    yield
    cache_folder.usable.cache_clear()


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `path` belong to somebody else: really where one may, else by being another user."""
    if os.geteuid() == 0:
        os.chown(path, 12345, -1, follow_symlinks=False)
    else:
        me = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: me + 1)


def filled(folder: Path) -> tuple[DiskCache, str, Path]:
    """A cache with one entry, its key, and its file."""
    cache = DiskCache(folder)
    key = cache.key("x")
    cache.put(key, b"code")
    assert cache.get(key) == b"code"
    return cache, key, next(folder.rglob("*.entry"))


@posix
@pytest.mark.parametrize("mask", [0, 0o002, 0o022, 0o077, 0o777])
def test_folders_and_files_are_their_owners_alone(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        _, _, entry = filled(tmp_path / "a" / "b" / "cache")
    finally:
        os.umask(before)
    made = [p for p in (tmp_path / "a").rglob("*") if p.is_dir()]
    assert len(made) == 4
    for path in [tmp_path / "a", *made]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert not entry.stat().st_mode & 0o077


def by_another(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give_away(path, monkeypatch)


def for_a_group(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chmod(0o660)


def for_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chmod(0o602)


def a_link(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = path.with_name("real")
    path.rename(real)
    path.symlink_to(real)


def a_pipe(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.unlink()
    os.mkfifo(path)


@posix
@pytest.mark.parametrize("change", [by_another, for_a_group, for_all, a_link, a_pipe], ids=lambda f: f.__name__)
def test_an_entry_that_another_user_may_have_written_is_a_miss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path, pytest.MonkeyPatch], None]
) -> None:
    cache, key, path = filled(tmp_path)
    change(path, monkeypatch)
    assert cache.get(key) is None
    assert cache.corrupt == 1
    monkeypatch.undo()
    cache.put(key, b"new")
    assert cache.get(key) == b"new"


def test_an_entry_under_another_name_is_a_miss(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    keys = [cache.key(str(n)) for n in range(12)]
    for n, key in enumerate(keys):
        cache.put(key, str(n).encode())
    paths = {key: next(tmp_path.rglob(f"{key}.entry")) for key in keys}
    contents = {key: path.read_bytes() for key, path in paths.items()}
    for key, other in zip(keys, keys[1:] + keys[:1]):
        paths[key].write_bytes(contents[other])
    assert [cache.get(key) for key in keys] == [None] * 12
    assert not list(tmp_path.rglob("*.entry"))


def test_every_damaged_byte_is_a_miss(tmp_path: Path) -> None:
    cache, key, path = filled(tmp_path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]):
            path.write_bytes(content)
            assert cache.get(key) is None
    assert cache.corrupt == 2 * len(whole)


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path, mode: int) -> None:
    wanted = tmp_path / "cache"
    filled(wanted)
    wanted.chmod(mode)
    with pytest.warns(RuntimeWarning, match=r"is not used: other users can write to it \(.*chmod go-w") as told:
        folder = cache_folder.usable(wanted)
    assert len(told) == 1
    assert folder is not None
    assert folder != wanted
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@posix
def test_a_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = tmp_path / "cache"
    wanted.mkdir()
    give_away(wanted, monkeypatch)
    with pytest.warns(RuntimeWarning, match="other users can write to it"):
        assert cache_folder.usable(wanted) != wanted


@posix
def test_in_a_sticky_folder_others_cannot_touch_ours(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    assert cache_folder.usable(tmp_path) == tmp_path


@posix
def test_a_stale_folder_of_another_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    precious = tmp_path / "precious"
    precious.write_text("text")
    for name in ("pocl-theirs", "pocl-ours"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "lock").symlink_to(precious)
        os.utime(folder, (1, 1))
    give_away(tmp_path / "pocl-theirs", monkeypatch)
    pocl._remove_stale(tmp_path)
    assert precious.read_text() == "text"
    assert (tmp_path / "pocl-theirs").exists()


def failing(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing can be written below `folder`."""
    replace = os.replace

    def fail(source: Any, target: Any) -> None:
        if Path(target).is_relative_to(folder):
            raise OSError(number, os.strerror(number))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)


@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EIO", "ENAMETOOLONG"])
def test_a_folder_that_can_no_longer_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What it holds is still read; the rest goes to a temporary folder, with one warning."""
    filled(tmp_path)
    with settings.override(cache=True, cache_dir=tmp_path):
        cache = default_cache()
    failing(getattr(errno, name), tmp_path, monkeypatch)
    with pytest.warns(RuntimeWarning, match=f"the cache folder {tmp_path} is not used: it cannot be written") as told:
        cache.put(cache.key("y"), b"more")
    cache.put(cache.key("z"), b"most")
    assert len(told) == 1
    assert [cache.get(cache.key(x)) for x in "xyz"] == [b"code", b"more", b"most"]
    assert cache.folder is not None
    assert not cache.folder.is_relative_to(tmp_path)


def test_a_disk_that_is_full_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 99, 1))  # type: ignore[attr-defined]
    with settings.override(cache=True, cache_dir=tmp_path):
        with pytest.warns(RuntimeWarning, match="its disk is full"):
            cache = default_cache()
        assert pocl._parent_folder() != tmp_path
    assert cache.get(cache.key("x")) == b"code"
    cache.put(cache.key("y"), b"more")
    assert cache.get(cache.key("y")) == b"more"


def test_nowhere_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_folder, "_temporary", lambda pid: None)
    (tmp_path / "file").touch()
    with settings.override(cache=True, cache_dir=tmp_path / "file"), pytest.warns(RuntimeWarning, match="it is a file"):
        cache = default_cache()
    cache.put(cache.key("x"), b"1")
    assert cache.get(cache.key("x")) is None


def test_it_is_turned_off_without_a_word() -> None:
    with settings.override(cache=False), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert default_cache().folder is None


PROGRAM = """
from lazygrad import Tensor
import numpy as np
for n in range(1, 4):
    assert (Tensor(np.ones((n, 5), "float32"), device="OPENCL") * n).sum().item() == 5 * n * n
"""


@pytest.mark.parametrize("home", ["no folder", "a file", "of another user"])
def test_a_process_without_a_cache_folder_computes(tmp_path: Path, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, scratch = tmp_path / "home", tmp_path / "scratch"
    scratch.mkdir()
    if home == "a file":
        wanted.touch()
    elif home == "of another user":
        if sys.platform == "win32" or os.geteuid() != 0:
            wanted.mkdir(mode=0o777)
            wanted.chmod(0o777)
        else:
            wanted.mkdir()
            os.chown(wanted, 12345, -1)
    else:
        wanted = Path(os.devnull)
    environment = {**os.environ, "HOME": str(wanted), "TMPDIR": str(scratch), "XDG_CACHE_HOME": "relative"}
    environment["LAZYGRAD_CACHE_DIR"] = str(wanted) if home == "of another user" else ""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("RuntimeWarning") == 1, done.stderr
    assert done.stderr.count("the cache folder") == 1
    assert not list(scratch.iterdir())
    assert not (Path.cwd() / "relative").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="PoCL's wheel is for Linux")
def test_a_disk_that_fills_while_a_process_compiles(tmp_path: Path) -> None:
    """Also the folder that PoCL compiles in, which it asks for once, goes on elsewhere."""
    program = """
import shutil, sys
from pathlib import Path
from lazygrad.runtime import pocl
exec(sys.argv[1])
first = pocl.private_folder().resolve()
disk_usage = shutil.disk_usage
def full(path):
    found = disk_usage(path)
    return found._replace(free=0) if Path(path).resolve() == first else found
shutil.disk_usage = full
exec(sys.argv[1].replace("* n)", "+ n)").replace("5 * n * n", "5 * n * (n + 1)"))
second = pocl.private_folder().resolve()
assert first != second and not first.exists() and list(second.iterdir())
"""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "LAZYGRAD_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(scratch)}
    done = subprocess.run(
        [sys.executable, "-c", program, PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("RuntimeWarning") == 1, done.stderr
    assert not list(scratch.iterdir())
    assert not list((tmp_path / "cache").glob("pocl-*"))
