"""lazygrad against PyTorch on an NVIDIA GPU: `python -m extra.bench.cuda [--only WORDS ...]`.

Kernels are timed between events of the device, both sides replayed as CUDA graphs over inputs that no cache holds;
whole steps by the clock. What has been measured is kept after every case, and a second call goes on where the first one
ended.

`--compile-only [ARCH ...]` needs no GPU: it plans and compiles lazygrad's kernels of every case, and says what they
use.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from extra.tools.checkout import make_importable

make_importable()

from extra.bench import cuda_compile, cuda_measure, harness  # noqa: E402 - a checkout has to be made importable first
from extra.bench.cuda_table import markdown  # noqa: E402
from lazygrad.errors import DeviceError  # noqa: E402

Row = dict[str, Any]
Measure = Callable[[float], list[Row]]  # seconds to spend -> one row for each side


def measure_all(works: dict[str, Measure], about: dict[str, Any], stem: Path, budget_s: float, again: bool) -> int:
    """Run every work that the file of results lacks; returns how many sides failed."""
    document: dict[str, Any] = {"machine": about, "results": {}}
    path = stem.with_suffix(".json")
    if path.exists() and not again:
        document["results"] = json.loads(path.read_text(encoding="utf-8"))["results"]
    end = time.perf_counter() + budget_s
    for number, (name, measure) in enumerate(works.items()):
        if name in document["results"] and not any(row.get("error") for row in document["results"][name]):
            print(f"{name}: kept from before")
            continue
        left = max(1.0, end - time.perf_counter())
        try:
            rows = measure(left / (len(works) - number))
        except Exception as error:  # noqa: BLE001 - one case's failure must not lose the others
            first = (str(error).splitlines() or [""])[0]
            rows = [{"side": "all", "error": f"{type(error).__name__}: {first}"}]
        for row in rows:
            print(f"{name:34s} {row['side']:16s} {row.get('error') or row['text']}", flush=True)
        document["results"][name] = rows
        harness.write_atomically(path, json.dumps(document, indent=1) + "\n")
        harness.write_atomically(stem.with_suffix(".md"), markdown(document))
    print(f"written to {path} and .md", file=sys.stderr)
    return sum(bool(row.get("error")) for rows in document["results"].values() for row in rows)


def chosen(works: dict[str, Measure], only: Sequence[str]) -> dict[str, Measure]:
    """Those whose names hold one of the words; all of them for no words."""
    return {name: work for name, work in works.items() if not only or any(word in name for word in only)}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status is 0 when every side of every case was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="cases whose names hold one of these words")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--again", action="store_true", help="measure what is in the file already, too")
    parser.add_argument("--seconds", type=float, default=300.0, help="for all cases together (default %(default)s)")
    parser.add_argument("--compile-only", nargs="*", metavar="ARCH", help="compile for these architectures; no GPU")
    parser.add_argument("--out", type=Path, default=harness.RESULTS, help="folder of the results")
    given = parser.parse_args(arguments)
    about, kind = harness.machine(), "cuda" if given.compile_only is None else "cuda-compile"
    works = cuda_measure.works() if kind == "cuda" else cuda_compile.works(given.compile_only or ["sm_90a"])
    works = chosen(works, given.only)
    if given.list:
        print("\n".join(works))
        return 0
    if kind == "cuda":
        try:
            about |= cuda_measure.gpu()
        except DeviceError as error:
            parser.error(f"nothing to measure on: {error}")
    stem = given.out / f"{kind}-{about['date'][:10]}"
    return min(1, measure_all(works, about, stem, given.seconds, given.again))


if __name__ == "__main__":
    sys.exit(main())
