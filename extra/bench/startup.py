"""How long a user waits before anything happens: `python -m extra.bench.startup`.

Each figure is the median over fresh processes: importing lazygrad (beside an empty interpreter and `import numpy`), and
the default job of `examples/gpt.py` from the start of its process until its first training step is done, with an empty
cache folder and again with what the first process left there. The step's end is seen where the progress bar advances.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from extra.bench import harness

# Runs the example unchanged, but for a note on stdout of when each step was reported done.
WATCHED = """
import importlib, runpy, sys, time
progress = importlib.import_module("lazygrad.train.progress")
advance = progress.PlainProgress.advance
def noted(self, steps, **values):
    print("STEP", time.time(), flush=True)
    return advance(self, steps, **values)
progress.PlainProgress.advance = noted
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
HEAVY = ("pyopencl", "cuda", "torch", "matplotlib", "tqdm", "tiktoken")


def seconds_of(code: str) -> float:
    """The time of a fresh interpreter that runs `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=harness.ROOT)
    return time.perf_counter() - start


def import_times(repeats: int) -> dict[str, float]:
    """Median milliseconds of an interpreter that imports nothing, numpy, and lazygrad; measured in turn."""
    codes = {"empty interpreter": "pass", "import numpy": "import numpy", "import lazygrad": "import lazygrad"}
    for code in codes.values():  # writes the .pyc files and warms the file cache
        seconds_of(code)
    times: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(repeats):
        for name, code in codes.items():
            times[name].append(seconds_of(code) * 1e3)
    return {name: round(statistics.median(values), 1) for name, values in times.items()}


def heavy_imports() -> list[str]:
    """The packages for devices, plots and text that `import lazygrad` brings along; should be none."""
    code = f"import sys, json, lazygrad; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=harness.ROOT, capture_output=True, text=True)
    names: list[str] = json.loads(done.stdout)
    return names


def first_step(cache: Path, out: Path) -> float:
    """Seconds from the start of a process that runs the default job to the end of its first training step."""
    environment = os.environ | {"LAZYGRAD_CACHE_DIR": str(cache)}
    job = [sys.executable, "-c", WATCHED, "examples/gpt.py", "--steps", "2", "--out", str(out), "--max-new-tokens", "1"]
    start = time.time()
    done = subprocess.run(job, cwd=harness.ROOT, env=environment, capture_output=True, text=True, check=False)
    steps = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("STEP ")]
    if done.returncode != 0 or not steps:
        raise RuntimeError(f"the job ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return steps[0] - start


def start_times(repeats: int) -> dict[str, list[float]]:
    """Seconds to the first step with an empty cache, and of a second process with the same cache."""
    times: dict[str, list[float]] = {"empty cache": [], "second process": []}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            for name in times:
                out = Path(folder) / name.replace(" ", "-")
                times[name].append(round(first_step(Path(folder) / "cache", out), 2))
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--name", default="startup", help="of the result file")
    arguments = parser.parse_args()
    about = harness.machine()
    result: dict[str, Any] = {"machine": about, "import_ms": import_times(4 * arguments.repeats + 1)}
    print(json.dumps(result["import_ms"]), flush=True)
    result["heavy_imports"] = heavy_imports()
    result["first_step_s"] = start_times(arguments.repeats)
    print(json.dumps(result["first_step_s"]), flush=True)
    path = harness.RESULTS / f"{arguments.name}-{about['date'][:10]}.json"
    harness.write_atomically(path, json.dumps(result, indent=1) + "\n")
    print(f"written to {path.relative_to(harness.ROOT)}", file=sys.stderr)
    return len(result["heavy_imports"])


if __name__ == "__main__":
    sys.exit(main())
