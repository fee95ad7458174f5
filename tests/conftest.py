"""What every test shares: a kernel cache of its own, verification between passes, and the devices to run on."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.many import Seeds

IN_WORKER = "PYTEST_XDIST_WORKER" in os.environ
POCL_IS_INSTALLED = sys.platform == "linux" and platform.machine() == "x86_64"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kernel-cache", help="a folder that keeps compiled kernels from one run to the next")
    parser.addoption("--seed", type=int, default=0, help="where random programs start, if not where they do")
    parser.addoption("--breadth", type=int, default=1, help="how many times as many random programs; a night: 200")


def pytest_configure(config: pytest.Config) -> None:
    """Point lazygrad at a cache that starts empty. Worker processes inherit it, so each kernel is compiled once."""
    from extra.tools.checkout import make_importable

    make_importable()
    if config.getoption("markexpr") == "cuda":  # what packages that happen to be there warn of is no failure
        config.addinivalue_line("filterwarnings", "default")
    os.environ["LAZYGRAD_VERIFY"] = "1"
    os.environ.pop("LAZYGRAD_DEBUG", None)
    if IN_WORKER:
        return
    kept = config.getoption("--kernel-cache")
    folder = os.path.abspath(kept) if kept else tempfile.mkdtemp(prefix="lazygrad-test-cache-")
    os.environ["LAZYGRAD_CACHE_DIR"] = folder
    if not kept:
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`-m cuda` reads only files with such tests: machines with a GPU need not have what other tests import."""
    if config.getoption("markexpr") != "cuda" or not collection_path.is_file():
        return None
    return True if "mark.cuda" not in collection_path.read_text(encoding="utf-8") else None


def cuda_is_usable() -> bool:
    """Whether an NVIDIA driver answers; asked of the driver alone, because binding libraries may hang without one."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        return int(ctypes.CDLL(name).cuInit(0)) == 0
    except (OSError, AttributeError):
        return False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "seeds" in getattr(item, "fixturenames", ()):
            item.add_marker("random")
    marked = [item for item in items if item.get_closest_marker("cuda")]
    if marked and not cuda_is_usable():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU with a driver here"))


def pytest_collection_finish() -> None:
    keep()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    if nextitem is not None and nextitem.path != item.path:
        keep()


def keep() -> None:
    """What was imported, collected and compiled stays: collections of garbage, of which some tests make many and each
    of which took seconds at the end of a run, pass it by."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Every test draws the same random numbers, whichever tests ran before it."""
    from lazygrad import manual_seed

    manual_seed(0)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(0)


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> Seeds:
    """The seeds of so many random programs, as `--seed` and `--breadth` ask for them (see `tests.many`)."""
    start, breadth = (request.config.getoption(name) for name in ("--seed", "--breadth"))
    return lambda count, first=0: range(start or first, (start or first) + count * breadth)


@pytest.fixture
def breadth(request: pytest.FixtureRequest) -> int:
    """How many times as much of what is drawn from a lot, as `--breadth` asks for it."""
    return int(request.config.getoption("--breadth"))


@pytest.fixture(params=["NUMPY", "OPENCL"])
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a device, made the default for the test; a test that takes it runs once on each."""
    from lazygrad.errors import DeviceError
    from lazygrad.runtime.registry import open_device
    from lazygrad.settings import settings

    name = str(request.param)
    if name != "NUMPY":
        try:
            open_device(name)
        except DeviceError as error:
            if POCL_IS_INSTALLED:  # a plain install brings PoCL here, so its absence is a failure
                raise
            pytest.skip(f"no {name} device here: {error}")
    with settings.override(device=name):
        yield name
