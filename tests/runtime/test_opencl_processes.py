"""What outlives a process, and what a process without OpenCL says: each case in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lazygrad.errors import DeviceError
from lazygrad.runtime.registry import open_device

# Builds some kernels as one batch, runs them, and prints the counters and the results.
PROGRAM = """
import json, sys, warnings
import numpy as np
from lazygrad.engine.cache import default_cache
from lazygrad.runtime.base import KernelSource, Launch
from lazygrad.runtime.registry import open_device, use_cache
use_cache(default_cache)
runtime = open_device("OPENCL")
cache = runtime.cache
print("ready", flush=True)
numbers = json.loads(sys.argv[1])
text = "__kernel void k{0}(__global int* o) {{ o[get_global_id(0)] = {0}; }}"
built = runtime.build([KernelSource(f"k{i}", text.format(i), f"k{i}") for i in numbers], "// prelude")
memories = [runtime.allocate(16) for _ in numbers]
for _ in range(2):
    runtime.prepare([Launch(e, (m,), (), (4,), (1,)) for e, m in zip(built, memories)]).run()
    runtime.synchronize()
values = [int(runtime.read(m, 4).view(np.int32)[0]) for m in memories]
stats = runtime.stats
print(json.dumps(dict(values=values, built=stats.built, loaded=stats.loaded, compiled=stats.compiled,
                      launches=stats.launches, corrupt=cache.corrupt, writes=cache.writes)))
"""


@pytest.fixture(scope="module", autouse=True)
def _device() -> None:
    try:
        open_device("OPENCL")
    except DeviceError as error:
        pytest.skip(str(error))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def start(folder: Path, numbers: list[int], **environment: str) -> subprocess.Popen[str]:
    env = {**os.environ, "LAZYGRAD_CACHE_DIR": str(folder), "LAZYGRAD_DEVICE": "", **environment}
    command = [sys.executable, "-c", PROGRAM, json.dumps(numbers)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def run(folder: Path, numbers: list[int], **environment: str) -> dict[str, Any]:
    result = finish(start(folder, numbers, **environment))
    assert result["values"] == numbers
    return result


def counts(result: dict[str, Any]) -> tuple[int, int, int]:
    return result["built"], result["loaded"], result["compiled"]


def test_a_second_process_compiles_nothing(folder: Path) -> None:
    assert counts(run(folder, [1, 2])) == (1, 0, 2)
    second = run(folder, [1, 2])
    assert counts(second) == (0, 1, 0)
    assert second["writes"] == 0
    assert counts(run(folder, [2])) == (0, 1, 0)  # one kernel of a batch is found by itself
    assert counts(run(folder, [1, 3])) == (1, 1, 1)  # and one new kernel costs one
    assert counts(run(folder, [3, 2, 1])) == (0, 2, 0)
    assert not list(folder.glob("pocl-*"))  # private folders go with their processes


def test_damaged_entries_are_compiled_again(folder: Path) -> None:
    run(folder, [1])
    for path in folder.rglob("*.entry"):
        data = path.read_bytes()
        path.write_bytes(data[:-10] + bytes(10))
    result = run(folder, [1])
    assert result["corrupt"] >= 1
    assert counts(result) == (1, 0, 1)
    assert counts(run(folder, [1])) == (0, 1, 0)


def test_without_a_cache(folder: Path) -> None:
    assert counts(run(folder, [1], LAZYGRAD_CACHE="0")) == (1, 0, 1)
    assert not list(folder.rglob("*.entry"))


def test_a_cache_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert counts(run(tmp_path / "file" / "cache", [1])) == (1, 0, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_while_compiling(folder: Path) -> None:
    """Wherever a process is killed, the next one gives right results; what was left behind goes later."""
    for delay in (0.0, 0.1):
        process = start(folder, [1, 2])
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    left = list(folder.glob("pocl-*"))
    assert left
    for path in left:
        os.utime(path, (1, 1))
    run(folder, [1, 2])
    assert not list(folder.glob("pocl-*"))


def test_four_processes_at_once(folder: Path) -> None:
    processes = [start(folder, [1]) for _ in range(4)]
    assert [finish(process)["values"] for process in processes] == [[1]] * 4
    assert counts(run(folder, [1])) == (0, 1, 0)


def attempt(code: str, **environment: str) -> str:
    """What a process prints that runs `code`; warnings go there too."""
    env = {**os.environ, "LAZYGRAD_DEVICE": "", **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


OPEN = "from lazygrad.runtime.registry import open_device; open_device('OPENCL')"


def last_line(output: str) -> str:
    return output.strip().splitlines()[-1]


def test_no_pyopencl() -> None:
    line = last_line(attempt(f"import sys; sys.modules['pyopencl'] = None; {OPEN}"))
    assert line.startswith("lazygrad.errors.DeviceError: OpenCL needs the package pyopencl")
    assert "pip install 'pyopencl[pocl]'" in line
    assert "LAZYGRAD_DEVICE=NUMPY" in line


def test_no_platform() -> None:
    line = last_line(attempt(OPEN, OCL_ICD_VENDORS="nothing"))
    assert line.startswith("lazygrad.errors.DeviceError: no OpenCL platform is installed")
    assert "pip install" in line


def test_no_device() -> None:
    line = last_line(attempt(OPEN, POCL_DEVICES=""))
    assert line.startswith("lazygrad.errors.DeviceError: no OpenCL platform has a device")


@pytest.mark.skipif(sys.platform != "linux", reason="PoCL's wheel is for Linux")
def test_no_linker(tmp_path: Path) -> None:
    line = last_line(attempt(OPEN, PATH=str(tmp_path)))
    assert "`ld`, which is not on the PATH; install binutils" in line


def test_the_default_falls_back_with_one_warning() -> None:
    code = (
        "from lazygrad.runtime.registry import default_device, open_device\n"
        "print([default_device(), default_device(), open_device().name])"
    )
    output = attempt(code, OCL_ICD_VENDORS="nothing")
    assert "['NUMPY', 'NUMPY', 'NUMPY']" in output
    assert output.count("RuntimeWarning: using the slow device NUMPY: no OpenCL platform") == 1


def test_importing_loads_no_driver() -> None:
    code = "import sys, lazygrad.runtime.registry, lazygrad.runtime.base; print('pyopencl' in sys.modules)"
    assert attempt(code).strip() == "False"


def test_exit_with_work_in_flight(folder: Path) -> None:
    """A process may end, by an error too, while launches run and kernels compile; what compiled is kept."""
    tail = (
        "\nlate = runtime.build([KernelSource(f'k{i}', text.format(i), f'k{i}') for i in (7, 8, 9)], '// prelude')"
        "\nruntime.prepare([Launch(e, (memories[0],), (), (4,), (1,)) for e in late] * 100).run()"
        "\nassert False, 'the end'"
    )
    env = {**os.environ, "LAZYGRAD_CACHE_DIR": str(folder)}
    command = [sys.executable, "-c", PROGRAM + tail, "[1]"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert last_line(done.stderr) == "AssertionError: the end"
    assert counts(run(folder, [7, 8, 9])) == (0, 1, 0)


LEFT_RUNNING = """
import threading, time
from lazygrad import Tensor

def compute():
    n = 0
    while True:  # other sizes are other kernels: it compiles, launches and waits
        n += 1
        x = Tensor.ones(200 + n % 7, 200)
        (x @ x.T + n).numpy()
        began.set()

began = threading.Event()
for _ in range(2):
    threading.Thread(target=compute, daemon=True).start()
began.wait()
time.sleep(0.2)
"""


def test_a_process_ends_while_daemon_threads_compute(folder: Path) -> None:
    """The driver's own threads went under theirs: the process was aborted five times of six."""
    env = {**os.environ, "LAZYGRAD_CACHE_DIR": str(folder), "LAZYGRAD_DEVICE": "OPENCL"}
    command = [sys.executable, "-c", LEFT_RUNNING]
    for _ in range(3):
        ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == 0 and not ended.stderr, ended.stderr
