"""Fair timing of the same work done by several frameworks in one run.

Machines are shared and noisy, so that times of different runs cannot be compared, and single times mean little. What
is measured here is a ratio: in every round each side runs once (in an order that rotates), and a side's ratio is its
time over the reference's time *in that round*. The median over rounds is reported, with the range beside it.

Before a sample the process sleeps, so that the worker threads of the side before it stop spinning, and makes one
untimed call, so that its own are awake. Calls shorter than `MIN_SAMPLE_S` are timed several at a time. A side is
called with a running number to choose among several inputs, so that no input is in the cache by accident alone.
A side's results are compared with the reference's before anything is timed.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = Path(__file__).resolve().parent / "results"

MIN_SAMPLE_S = 0.003
SETTLE_S = 0.01
WARM_UP_CALLS = 3

Side = Callable[[int], Any]


@dataclass(frozen=True)
class Case:
    """One piece of work and who does it.

    Args:
        name: of the work, with its shapes.
        sides: name of a framework -> a function of a running number that does the work *to its end* (no lazy or
            queued rest) and returns the result. The first side is the reference.
        flops, nbytes: of one call, to report GFLOP/s and GB/s; 0 where they say nothing.
        tolerance: largest absolute difference between results, relative to the reference's largest absolute value;
            None for work without a comparable result.
    """

    name: str
    sides: Mapping[str, Side]
    flops: float = 0.0
    nbytes: float = 0.0
    tolerance: float | None = 1e-5


@dataclass
class Measured:
    """One side of one case: milliseconds per call, and time over the reference's time in the same round.

    `others_load` is how many CPUs other processes kept busy meanwhile. Where it is not near 0 the ratio says little:
    a side whose threads wait for each other loses far more by it than one whose threads do not.
    """

    case: str
    side: str
    ms_median: float = 0.0
    ms_min: float = 0.0
    ratio_median: float = 0.0
    ratio_min: float = 0.0
    ratio_max: float = 0.0
    rounds: int = 0
    gflops: float = 0.0
    gbytes_per_s: float = 0.0
    difference: float | None = None
    others_load: float | None = None
    error: str = ""


def threads() -> int:
    """How many threads each side may use: the CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_equal_threads() -> int:
    """Give PyTorch and PoCL the same number of threads; call before either of them starts."""
    count = threads()
    os.environ.setdefault("OMP_NUM_THREADS", str(count))
    os.environ.setdefault("POCL_MAX_PTHREAD_COUNT", str(count))
    return count


def to_numpy(result: Any) -> np.ndarray[Any, Any]:
    """The result of a side as an array: a PyTorch or lazygrad tensor, an array, or a number."""
    if hasattr(result, "detach"):
        result = result.detach()
    return np.asarray(result.numpy() if hasattr(result, "numpy") else result, dtype=np.float64)


def difference(result: Any, theirs: np.ndarray[Any, Any]) -> float:
    """The largest absolute difference, relative to the largest absolute value of the reference."""
    ours = to_numpy(result)
    if ours.shape != theirs.shape:
        raise ValueError(f"result has shape {ours.shape}, the reference's has {theirs.shape}")
    scale = float(np.max(np.abs(theirs), initial=0.0)) or 1.0
    return float(np.max(np.abs(ours - theirs), initial=0.0)) / scale


def sample(side: Side, calls: int, number: int) -> float:
    """Seconds per call, over `calls` calls after one untimed one."""
    time.sleep(SETTLE_S)
    side(number)
    start = time.perf_counter()
    for i in range(calls):
        side(number + 1 + i)
    return (time.perf_counter() - start) / calls


def calls_per_sample(side: Side) -> int:
    """How many calls make a sample that is long enough to be timed."""
    for i in range(WARM_UP_CALLS):
        side(i)
    return max(1, round(MIN_SAMPLE_S / max(sample(side, 1, 0), 1e-7)))


def run_case(case: Case, rounds: int, budget_s: float) -> list[Measured]:
    """Measure every side of a case, in at most `rounds` rounds (at least 3) and about `budget_s` seconds.

    A side that raises or computes something else is reported with its error and not timed.
    """
    names = list(case.sides)
    reference = names[0]
    measured = {name: Measured(case.name, name) for name in names}
    expected = to_numpy(case.sides[reference](0)).copy()  # the next call may write into the same memory
    for name in names[1:]:
        try:
            result = case.sides[name](0)
            if case.tolerance is not None:
                measured[name].difference = difference(result, expected)
                if not measured[name].difference <= case.tolerance:  # also where it is nan
                    raise ValueError(f"differs from {reference} by {measured[name].difference:.2e}")
        except Exception as error:  # noqa: BLE001 - one side's failure must not lose the other measurements
            measured[name].error = f"{type(error).__name__}: {error}"
    running = [name for name in names if not measured[name].error]
    before, start = others_cpu_seconds(), time.perf_counter()
    times = time_rounds(case, running, rounds, budget_s)
    after, elapsed = others_cpu_seconds(), time.perf_counter() - start
    for name in running:
        summarize(measured[name], case, times[name], times[reference])
        if before is not None and after is not None:
            measured[name].others_load = round(max(after - before, 0.0) / elapsed, 2)
    return list(measured.values())


def time_rounds(case: Case, names: Sequence[str], rounds: int, budget_s: float) -> dict[str, list[float]]:
    """Seconds per call of each side in each round; the order of the sides rotates from round to round."""
    calls = {name: calls_per_sample(case.sides[name]) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    end = time.perf_counter() + budget_s
    for r in range(rounds):
        if r >= 3 and time.perf_counter() > end:
            break
        for i in range(len(names)):
            name = names[(i + r) % len(names)]
            times[name].append(sample(case.sides[name], calls[name], r * (calls[name] + 1)))
    return times


def summarize(into: Measured, case: Case, times: Sequence[float], reference: Sequence[float]) -> None:
    """Fill in the medians and ranges of one side."""
    ratios = [t / r for t, r in zip(times, reference)]
    median = statistics.median(times)
    into.rounds = len(times)
    into.ms_median, into.ms_min = median * 1e3, min(times) * 1e3
    into.ratio_median, into.ratio_min, into.ratio_max = statistics.median(ratios), min(ratios), max(ratios)
    into.gflops, into.gbytes_per_s = case.flops / median / 1e9, case.nbytes / median / 1e9


def others_cpu_seconds() -> float | None:
    """CPU seconds used by all other processes since the machine started; None where the system does not tell."""
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, steal = (int(ticks) for ticks in first.split()[1:9])
    total = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return total - time.process_time()


def cpu_name() -> str:
    """The processor's model name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def version_of(package: str) -> str:
    """The installed version of a package, or why there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def commit() -> str:
    """Which version of the project this is, where git can say it."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return found.stdout.strip() or "unknown"


def machine() -> dict[str, Any]:
    """What a reader needs to know to compare with another machine."""
    packages = ("numpy", "torch", "pyopencl", "pocl-binary-distribution", "cuda-python")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "cpu": cpu_name(),
        "threads": threads(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
        if hasattr(os, "sysconf")
        else None,
        "load_at_start": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version_of(name) for name in packages},
    }


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, whenever the process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def as_markdown(title: str, about: Mapping[str, Any], results: Sequence[Measured]) -> str:
    """The results as a page: the machine, then a table with one row per side."""
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    lines = [
        f"# {title}",
        "",
        f"{about['cpu']}, {about['threads']} threads, {about['memory_gib']} GiB; {about['system']}; Python "
        f"{about['python']}; {packages}; commit {about['commit']}; {about['date']}; load {about['load_at_start']}.",
        "",
        "Ratio: time over the first side's time in the same round; below 1 is faster. Median over rounds [min, max].",
        "",
        "Others: CPUs kept busy by other processes meanwhile; where that is not near 0, the ratio says little.",
        "",
        "| work | side | ms median (best) | ratio | GFLOP/s | GB/s | rounds | others |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for m in results:
        if m.error:
            lines.append(f"| {m.case} | {m.side} | not measured: {m.error.splitlines()[0][:120]} | | | | | |")
            continue
        rates = [f"{rate:.1f}" if rate else "" for rate in (m.gflops, m.gbytes_per_s)]
        ratio = f"**{m.ratio_median:.2f}** [{m.ratio_min:.2f}, {m.ratio_max:.2f}]"
        times = f"{m.ms_median:.3g} ({m.ms_min:.3g})"
        lines.append(
            f"| {m.case} | {m.side} | {times} | {ratio} | {rates[0]} | {rates[1]} | {m.rounds} | {m.others_load} |"
        )
    return "\n".join(lines) + "\n"


def run(name: str, title: str, builders: Mapping[str, Callable[[], Case]], rounds: int, budget_s: float) -> int:
    """Measure the cases, printing each as it ends; both result files are rewritten after every case.

    Args:
        builders: name of a case -> function that prepares it; one that raises is reported and skipped.
        budget_s: seconds for each case, preparation apart.
    Returns:
        The number of sides that could not be measured.
    """
    about = machine()
    results: list[Measured] = []
    stem = f"{name}-{about['date'][:10]}"
    for case_name, build in builders.items():
        try:
            measured = run_case(build(), rounds, budget_s)
        except Exception as error:  # noqa: BLE001 - one case's failure must not lose the others
            measured = [Measured(case_name, "all", error=f"{type(error).__name__}: {error}")]
        for m in measured:
            shown = (
                m.error.splitlines()[0]
                if m.error
                else f"{m.ms_median:9.3f} ms   ratio {m.ratio_median:.2f}   others {m.others_load}"
            )
            print(f"{m.case:44s} {m.side:16s} {shown}", flush=True)
        results += measured
        document = {"machine": about, "results": [asdict(m) for m in results]}
        write_atomically(RESULTS / f"{stem}.json", json.dumps(document, indent=1) + "\n")
        write_atomically(RESULTS / f"{stem}.md", as_markdown(title, about, results))
    print(f"written to {(RESULTS / stem).relative_to(ROOT)}.json and .md", file=sys.stderr)
    return sum(bool(m.error) for m in results)
