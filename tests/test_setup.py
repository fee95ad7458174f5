"""What `make` says on a machine that lacks something that pip cannot install."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "extra" / "tools" / "find_python.sh"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="make and sh are not usual there")


def machine(folder: Path, *, python: str = "", tools: tuple[str, ...] = ("ld",)) -> dict[str, str]:
    """An environment whose PATH holds the shell's tools, the given ones, and a `python3` of this body."""
    programs = folder / "bin"
    programs.mkdir()
    for tool in ("sh", "uname", *tools):
        (programs / tool).symlink_to(shutil.which(tool) or "/bin/true")
    if python:
        (programs / "python3").write_text(f"#!/bin/sh\n{python}\n")
        (programs / "python3").chmod(0o755)
    return {"PATH": str(programs)}


def find_python(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    shell = shutil.which("sh")
    assert shell
    return subprocess.run([shell, str(SCRIPT)], env=environment, capture_output=True, text=True, check=False)


WHOLE = f'exec {sys.executable} "$@"'
WITHOUT_VENV = f'case "$2" in *ensurepip*) exit 1;; esac\nexec {sys.executable} "$@"'


def test_a_whole_machine_gives_its_python(tmp_path: Path) -> None:
    done = find_python(machine(tmp_path, python=WHOLE))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path}/bin/python3\n"


def test_no_python(tmp_path: Path) -> None:
    done = find_python(machine(tmp_path))
    assert done.returncode == 1
    assert "no Python >= 3.10 found" in done.stderr
    assert "apt install python3 python3-venv" in done.stderr


def test_an_old_python_is_passed_over(tmp_path: Path) -> None:
    done = find_python(machine(tmp_path, python="exit 1"))
    assert done.returncode == 1
    assert "no Python >= 3.10 found" in done.stderr


def test_a_python_that_was_asked_for_and_is_old_is_an_error(tmp_path: Path) -> None:
    done = find_python(machine(tmp_path, python=WHOLE) | {"PYTHON": "/bin/false"})
    assert done.returncode == 1
    assert "tried: /bin/false" in done.stderr


def test_no_venv(tmp_path: Path) -> None:
    done = find_python(machine(tmp_path, python=WITHOUT_VENV))
    assert done.returncode == 1
    assert "cannot make virtual environments" in done.stderr
    assert "apt install python3-venv" in done.stderr


@pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="PoCL's wheel is not for here"
)
def test_no_linker(tmp_path: Path) -> None:
    done = find_python(machine(tmp_path, python=WHOLE, tools=()))
    assert done.returncode == 1
    assert "'ld' is missing" in done.stderr
    assert "apt install binutils" in done.stderr


def test_the_pin_of_torch_is_the_same_everywhere() -> None:
    pins = [re.findall(r"torch==([\d.]+)", (ROOT / name).read_text()) for name in ("Makefile", "pyproject.toml")]
    assert pins[0] == pins[1]
    assert len(pins[0]) == 1
