"""A file is the old one or the new one, whatever stops the writer."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lazygrad.errors import ArgumentError
from lazygrad.io import atomic_write, remove_leftovers


def _write_half(path: Path) -> None:
    with atomic_write(path) as file:
        file.write(b"new")
        raise ZeroDivisionError


def test_an_error_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        _write_half(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_folders_are_made_and_a_folder_is_refused(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "b" / "c" / "d") as file:
        file.write(b"x")
    assert (tmp_path / "b" / "c" / "d").read_bytes() == b"x"
    with pytest.raises(IsADirectoryError, match="is a folder"), atomic_write(tmp_path / "b"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links and permissions of POSIX")
def test_it_writes_through_links_with_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    with atomic_write(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert (tmp_path / "real").stat().st_mode == plain.stat().st_mode


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666, 0o700])
def test_permissions_stay(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(mode)
    with atomic_write(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_a_file_that_is_protected_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o444)
    if os.geteuid() == 0:  # who may write to anything
        monkeypatch.setattr(os, "access", lambda file, mode: False)
    with pytest.raises(PermissionError, match="is protected from writing"):
        _write_half(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and sockets of POSIX")
@pytest.mark.parametrize("kind", ["pipe", "socket", "link to a pipe"])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    """A rename would put a file in the place of /dev/null, for whoever may do that."""
    path = tmp_path / "a"
    if kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    else:
        os.mkfifo(path)
    before = path.stat()
    if kind.startswith("link"):
        (tmp_path / "link").symlink_to(path)
        path = tmp_path / "link"
    with pytest.raises(ArgumentError, match="is not a file but a pipe, a device or the like"):
        _write_half(path)
    assert path.stat().st_ino == before.st_ino


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_kill_while_writing_leaves_the_old_file_and_a_leftover_that_can_be_removed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    program = (
        "import os, sys; from lazygrad.io import atomic_write\n"
        "with atomic_write(sys.argv[1]) as file:\n"
        "    file.write(b'new'); file.flush(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert len(os.listdir(tmp_path)) == 2
    assert remove_leftovers(path) == 1
    assert os.listdir(tmp_path) == ["a"]
    assert remove_leftovers(tmp_path / "absent" / "b") == 0
