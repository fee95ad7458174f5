"""The folder that PoCL compiles in may be removed, with the cache, while its process lives: that ends nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="PoCL's wheel is for Linux")

# What a user, or a cleaner of old files, may do to the folder: before a program is built, and between that and its
# first launch, which compiles as well.
WRECKED = """
import os, shutil
import numpy as np
from lazygrad import Tensor
from lazygrad.errors import DeviceError
from lazygrad.runtime import pocl
from lazygrad.runtime.opencl_program import Builder

x = Tensor(np.arange(40.0, dtype="float32"), device="OPENCL")
x.numpy()
root = pocl.private_folder()
folder, cache = root.parent, root.parent.parent
build, wreck, when = Builder.build, None, ""

def wrecked(self, *args):
    if when == "before":
        wreck()
    built = build(self, *args)
    if when == "between":
        wreck()
    return built

def compute(n):
    assert (x * n + 1).sum().item() == 780 * n + 40

def remove(paths):
    for path in paths:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

Builder.build = wrecked
ways = [
    lambda: remove([cache]),
    lambda: remove([folder]),
    lambda: remove([root.resolve()]),
    lambda: remove([root]),
    lambda: remove(root.iterdir()),
    lambda: remove(root.rglob("program.bc")),
    lambda: remove([folder / "lock"]),
]
for n, way in enumerate(ways):
    for k, moment in enumerate(["before", "between"]):
        wreck, when = way, moment
        compute(2 + 2 * n + k)
        assert folder.is_dir() and root.is_dir(), (n, moment)
when = ""
compute(99)
assert pocl._lock(folder) is None  # it is held again, so that no other process removes it as one that was left
remove([folder])
folder.touch()  # nothing can be made there
for n in (2, 100):
    try:
        compute(n)
    except DeviceError as error:
        assert n == 100 and str(folder) in str(error), (n, error)
    else:
        assert n == 2  # it is compiled already
folder.unlink()
compute(100)
"""


def run(program: str, tmp_path: Path, cache: str = "cache") -> None:
    """Run a program in the folder `tmp_path`."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "LAZYGRAD_CACHE_DIR": cache},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_folder_that_is_removed_while_its_process_compiles(tmp_path: Path) -> None:
    run(WRECKED, tmp_path, str(tmp_path / "cache"))
    assert not list(tmp_path.rglob("pocl-*"))


COMPUTE = """
from lazygrad import Tensor
assert (Tensor([1.0, 2.0], device="OPENCL") * 3).tolist() == [3, 6]
"""


def test_a_cache_folder_with_a_name_longer_than_pocl_can_keep(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a" * 100] * 9)
    run(COMPUTE, tmp_path, str(folder))
    assert len(list(folder.rglob("*.entry"))) > 1


def test_a_relative_cache_folder_is_where_the_process_started(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    other = COMPUTE.replace("* 3", "* 5").replace("[3, 6]", "[5, 10]")
    program = f"{COMPUTE}import os; os.chdir('elsewhere')\n{other}"
    run(program, tmp_path, "relative")
    assert not list((tmp_path / "elsewhere").iterdir())
    assert not list(tmp_path.rglob("pocl-*"))
    assert len(list(tmp_path.rglob("*.entry"))) > 2


def test_nobody_waits_for_the_linker_where_its_end_is_ignored(tmp_path: Path) -> None:
    program = """
import signal
from lazygrad.errors import DeviceError
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
try:
    {0}
except DeviceError as error:
    assert "signal.signal(signal.SIGCHLD, signal.SIG_DFL)" in str(error)
else:
    raise AssertionError
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
{1}
"""
    run(program.format(COMPUTE.strip().replace("\n", "\n    "), COMPUTE), tmp_path)
