"""lazygrad against PyTorch on an NVIDIA GPU: `python -m extra.bench.cuda [--only WORDS ...]`.

Kernels are timed between events of the device, both sides replayed as CUDA graphs over inputs that no cache holds;
whole steps by the clock. What has been measured is kept after every case, and a second call goes on where the first one
ended. Cases run in child processes, the most valuable first.

`--profile` times every kernel of GPT-2's training step and decoding.

`--dry-run` needs no GPU: it goes through all of it in small sizes, PyTorch on the processor and lazygrad on
CUDA_EMULATED or the device that is given, and compares the results. Its times say nothing.

`--compile-only [ARCH ...]` needs no GPU either: it plans and compiles lazygrad's kernels of every case, and says what
they use.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from extra.tools.checkout import make_importable

make_importable()

from extra.bench import cuda_children, cuda_compile, cuda_worker, harness  # noqa: E402 - made importable first
from extra.bench.cuda_rows import Row, failed  # noqa: E402
from extra.bench.cuda_table import markdown  # noqa: E402
from lazygrad.errors import DeviceError  # noqa: E402
from lazygrad.runtime.cuda import list_devices  # noqa: E402

Source = Callable[[Sequence[str]], Iterable[tuple[str, list[Row]]]]  # names of works -> (name, rows) of each


def measure_all(names: Sequence[str], source: Source, about: dict[str, Any], stem: Path, again: bool) -> int:
    """Measure every work that the file of results lacks; returns how many sides failed."""
    document: dict[str, Any] = {"machine": about, "results": {}}
    path, results = stem.with_suffix(".json"), document["results"]
    if path.exists() and not again:
        results.update(json.loads(path.read_text(encoding="utf-8"))["results"])
    kept = [name for name in names if name in results and not any(row.get("error") for row in results[name])]
    for name in kept:
        print(f"{name}: kept from before")
    for name, rows in source([name for name in names if name not in kept]):
        for row in rows:
            print(f"{name:34s} {row['side']:16s} {row.get('error') or row['text']}", flush=True)
        results[name] = rows
        harness.write_atomically(path, json.dumps(document, indent=1) + "\n")
        harness.write_atomically(stem.with_suffix(".md"), markdown(document))
    print(f"written to {path} and .md", file=sys.stderr)
    return sum(bool(row.get("error")) for rows in results.values() for row in rows)


def chosen(names: Iterable[str], only: Sequence[str]) -> list[str]:
    """Those that hold one of the words; all of them for no words."""
    return [name for name in names if not only or any(word in name for word in only)]


def compiled_here(architectures: Sequence[str]) -> tuple[list[str], Source]:
    """The works of `--compile-only`, and what does them in this process."""
    works = cuda_compile.works(architectures)

    def source(names: Sequence[str]) -> Iterator[tuple[str, list[Row]]]:
        for name in names:
            try:
                yield name, works[name]()
            except Exception as error:  # noqa: BLE001 - one case's failure must not lose the others
                yield name, [failed("all", error)]

    return list(works), source


def in_children(kind: str, device: str, seconds: float, about: dict[str, Any]) -> tuple[list[str], Source]:
    """The works of a kind, and what has them measured on a device."""
    works = cuda_worker.KINDS[kind]()
    end = time.monotonic() + seconds

    def source(names: Sequence[str]) -> Iterator[tuple[str, list[Row]]]:
        limits = {name: works[name].limit_s for name in names}
        return cuda_children.measured(limits, cuda_children.child(kind, device), end - time.monotonic(), about)

    return list(works), source


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status is 0 when every side of every case was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="cases whose names hold one of these words")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--again", action="store_true", help="measure what is in the file already, too")
    parser.add_argument("--seconds", type=float, default=300.0, help="for all cases together (default %(default)s)")
    parser.add_argument("--profile", action="store_true", help="the kernels of GPT-2, one by one")
    parser.add_argument("--dry-run", nargs="?", const="CUDA_EMULATED", metavar="DEVICE", help="in small sizes; no GPU")
    parser.add_argument("--compile-only", nargs="*", metavar="ARCH", help="compile for these architectures; no GPU")
    parser.add_argument("--out", type=Path, default=harness.RESULTS, help="folder of the results")
    given = parser.parse_args(arguments)
    about = harness.machine()
    about["packages"] |= {name: harness.version_of(name) for name in ("cuda-bindings", "nvidia-cuda-nvrtc", "triton")}
    kind = "cuda-profile" if given.profile else "cuda" if given.compile_only is None else "cuda-compile"
    if kind == "cuda-compile":
        names, source = compiled_here(given.compile_only or ["sm_90a"])
    else:
        names, source = in_children(kind, given.dry_run or "CUDA", given.seconds, about)
    names = chosen(names, given.only)
    if given.list:
        print("\n".join(names))
        return 0
    if kind != "cuda-compile" and not given.dry_run:
        try:
            about["gpu"] = list_devices()[0][1]
        except DeviceError as error:
            parser.error(f"nothing to measure on: {error}")
    stem = given.out / f"{kind}{'-dry-run' if given.dry_run else ''}-{about['date'][:10]}"
    return min(1, measure_all(names, source, about, stem, given.again))


if __name__ == "__main__":
    sys.exit(main())
