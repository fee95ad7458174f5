"""Compiling many kernels for PoCL on several cores.

PoCL compiles a kernel when it is first launched, one at a time in a process, whatever the number of threads. Where a
program has many kernels, worker processes launch a share of them each, on scratch memory, and hand back what PoCL
made. A worker that fails costs nothing but its time: PoCL then compiles in this process, as it would have.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import host, pocl, pocl_device
from .base import Launch
from .opencl_device import choose_device, load_pyopencl
from .opencl_program import OpenCLExecutable, Program, new_kernel

KERNEL_SECONDS = 0.045  # what one kernel takes to compile
START_SECONDS = 0.8  # what a worker takes to start
WORTH_SECONDS = 1.0  # how much must be saved
MOST_WORKERS = 16
SCRATCH_BYTES = 1 << 30  # launches on more memory are left to this process
WAIT_SECONDS = 120.0

Job = tuple[int, str, list[int], list[int], list[int], list[int]]  # program, entry, bytes, scalars, global, local


def precompile(indices: tuple[int, ...], launches: Sequence[Launch]) -> bool:
    """Compile what these launches will need, if workers save time; whether they were used.

    Args:
        indices: as for `choose_device`; the workers must open the same device.
    """
    todo = missing(launches)
    workers = min(host.usable_cores(), MOST_WORKERS, len(todo))
    if (
        workers < 2
        or not _python_starts()
        or len(todo) * KERNEL_SECONDS * (1 - 1 / workers) - START_SECONDS < WORTH_SECONDS
    ):
        return False
    folder = Path(tempfile.mkdtemp(prefix="jobs-", dir=pocl.private_folder()))
    try:
        with contextlib.suppress(OSError):
            _write_jobs(folder, indices, todo, workers)
            for result in _run_workers(folder, workers):
                pocl.unpack(result)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return True


def _python_starts() -> bool:
    """Whether `sys.executable` is an interpreter, and not a program that would start itself again."""
    name = Path(sys.executable or "").name.lower()
    return name.startswith(("python", "pypy")) and not getattr(sys, "frozen", False)


def missing(launches: Sequence[Launch]) -> list[tuple[Program, Launch]]:
    """One launch for each kernel and sizes that PoCL has not compiled."""
    found: dict[Path, tuple[Program, Launch]] = {}
    for launch in launches:
        executable = launch.executable
        if isinstance(executable, OpenCLExecutable) and executable.program.folder is not None:
            entry = executable.source.entry
            path = pocl.kernel_folder(executable.program.folder, entry, launch.global_size, launch.local_size)
            if path not in found and sum(memory.nbytes for memory in launch.memories) <= SCRATCH_BYTES:
                found[path] = (executable.program, launch)
    return [job for path, job in found.items() if not path.exists()]


def _write_jobs(folder: Path, indices: tuple[int, ...], todo: list[tuple[Program, Launch]], workers: int) -> None:
    """Each program as an archive, and each worker's share as a list."""
    programs = list(dict.fromkeys(program for program, _ in todo))
    for i, program in enumerate(programs):
        assert program.folder is not None
        archive = pocl.pack(pocl.program_files(program.folder), program.text, program.options)
        (folder / f"{i}.program").write_bytes(archive)
    jobs: list[Job] = []
    for program, launch in todo:
        small = max(launch.global_size) < pocl.SMALL_GRID
        size = launch.local_size if small else launch.global_size  # one group is enough to have it compiled
        sizes = [memory.nbytes for memory in launch.memories]
        entry = launch.executable.source.entry
        jobs.append((programs.index(program), entry, sizes, [*launch.scalars], [*size], [*launch.local_size]))
    for worker in range(workers):
        share = {"indices": indices, "jobs": jobs[worker::workers]}
        (folder / f"{worker}.jobs").write_text(json.dumps(share))


def _run_workers(folder: Path, workers: int) -> list[bytes]:
    """What each worker made; a worker that failed is left out."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", __name__, str(folder)]
    running: list[subprocess.Popen[bytes]] = []
    results = []
    end = time.monotonic() + WAIT_SECONDS
    try:
        for worker in range(workers):
            quiet = subprocess.DEVNULL
            running.append(
                subprocess.Popen([*command, str(worker)], env=environment, stdin=quiet, stdout=quiet, stderr=quiet)
            )
        for worker, process in enumerate(running):
            with contextlib.suppress(subprocess.TimeoutExpired, OSError):
                if process.wait(max(0.0, end - time.monotonic())) == 0:
                    results.append((folder / f"{worker}.result").read_bytes())
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()
    return results


def work(folder: Path, worker: int) -> None:
    """A worker process: launch one group of every kernel of its share, and write what PoCL made of them."""
    share = json.loads((folder / f"{worker}.jobs").read_text())
    cl = load_pyopencl()
    device = choose_device(tuple(share["indices"]))
    pocl_device.fix_cpu_name(cl, device)
    context = cl.Context([device])
    queue = cl.CommandQueue(context, device)
    programs: dict[int, Any] = {}
    for number, entry, sizes, scalars, global_size, local_size in share["jobs"]:
        if number not in programs:
            _, text, options = pocl.unpack((folder / f"{number}.program").read_bytes())
            programs[number] = cl.Program(context, text).build(options=list(options), cache_dir=False)
        kernel = new_kernel(cl, programs[number], entry)
        flags = cl.mem_flags.READ_WRITE | cl.mem_flags.USE_HOST_PTR
        scratch = [cl.Buffer(context, flags, hostbuf=np.zeros(max(nbytes, 1), np.uint8)) for nbytes in sizes]
        for i, argument in enumerate([*scratch, *map(np.int32, scalars)]):
            kernel.set_arg(i, argument)
        cl.enqueue_nd_range_kernel(queue, kernel, tuple(global_size), tuple(local_size))
        queue.finish()  # before the scratch memory goes
    made = {name: path for top in pocl.program_folders() for name, path in pocl.program_files(top).items()}
    (folder / f"{worker}.result").write_bytes(pocl.pack({n: p for n, p in made.items() if n.endswith(".so")}, "", ()))


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
