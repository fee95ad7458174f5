"""Peers' own suites as scoreboards: `python -m extra.bench.conformance opinfo|modules|optimizers|tinygrad|array-api`.

Nothing is fetched: the suites are those of the installed PyTorch, a file of tinygrad's that `--suite` names (its
`test/backend/test_ops.py`), or the array API's `array_api_tests`, installed or in the folder that `--suite` names.
Each entry is *whole* (every sample's values, dtypes and gradients are PyTorch's; the test passes), *partly* right,
*absent*, *failed*, or *left out* for a reason that is printed.
"""

from __future__ import annotations

import argparse
import html
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import unittest
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from extra.bench import harness
from lazygrad.settings import settings

SUITE = "array_api_tests"

# Entries that make no sense here, by what their names match.
LEFT_OUT = {
    r"^(_|torch\.ops|torch\._|jiterator|native_|hash_tensor|fbgemm)": "PyTorch's own internals",
    r"backward": "a gradient's kernel, which is no operation of its own here",
    r"^(fft\.|stft|istft|H$|mH$|cfloat|cdouble|chalf|complex|conj|imag|polar)": "complex",
    r"^(view_as_(real|complex)|resolve_)": "complex",
    r"sparse|Sparse|_segment_reduce": "sparse tensors",
    r"^(as_strided|empty_strided|new_empty_strided|alias_copy)": "strides: a value has no layout here",
    r"^(resize_|resize_as_)": "changes how many elements a storage has",
    r"^grid_sampler_[23]d|^i?lstsq_grad|^nn\.functional\.upsample": "an older name of another entry",
}


@dataclass(frozen=True)
class Asked:
    """Which entries: those whose names `only` is found in; and of which file or folder, where the suite is not
    installed. `examples`: how many the array API's tests make up."""

    only: str = ""
    path: str = ""
    examples: int = 20

    def wants(self, name: str) -> bool:
        """Whether an entry of that name is asked for."""
        return re.search(self.only, name) is not None


@dataclass
class Entry:
    """What became of one entry of a suite: samples that are right, of all, and why the others are not."""

    name: str
    right: int = 0
    samples: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    is_test: bool = False  # of a peer's, which is counted whatever its name
    skipped: str = ""  # why it skips itself

    @property
    def state(self) -> str:
        if not self.samples:
            return "absent"
        return "whole" if self.right == self.samples else "partly" if self.right or self.samples > 1 else "failed"


def reason_left_out(entry: Entry) -> str | None:
    """Why an entry is not counted, if it is not."""
    if entry.skipped:
        return f"skipped: {entry.skipped}"
    if entry.is_test:
        return None
    return next((why for pattern, why in LEFT_OUT.items() if re.search(pattern, entry.name)), None)


def score(name: str, samples: Iterable[Any], compute: Callable[[Any], Any]) -> Entry:
    """All samples of one entry that exists here."""
    from tests.peers import opinfo

    entry = Entry(name)
    for sample in samples:
        entry.samples += 1
        try:
            wrong = opinfo.compare(compute(sample))
        except opinfo.RefusedError as error:
            entry.reasons[f"refused: {str(error)[:100]}"] += 1
        except Exception as error:  # noqa: BLE001 - a scoreboard goes on
            entry.reasons[f"{type(error).__name__}: {str(error)[:100]}"] += 1
        else:
            entry.right += not wrong
            entry.reasons.update(w.partition(": ")[2][:100] for w in wrong[:1])
    return entry


def operations(asked: Asked) -> Iterable[Entry]:
    """PyTorch's operators (`op_db`), those absent here too."""
    from torch.testing._internal.common_methods_invocations import op_db

    from tests.peers import opinfo

    here = opinfo.operations()
    for op in op_db:
        name = f"{op.name}.{op.variant_test_name}".rstrip(".")
        if asked.wants(name):
            yield score(name, opinfo.samples(name, None), opinfo.compute) if name in here else Entry(name)


def modules(asked: Asked) -> Iterable[Entry]:
    """PyTorch's modules (`module_db`)."""
    from tests.peers import modules as suite

    for name in suite.modules():
        if asked.wants(name):
            yield score(name, suite.samples(name), suite.compute) if suite.is_here(name) else Entry(name)


def optimizers(asked: Asked) -> Iterable[Entry]:
    """PyTorch's optimizers (`optim_db`)."""
    from tests.peers import optimizers as suite

    for name in suite.optimizers():
        if asked.wants(name):
            yield score(name, suite.samples(name), suite.compute) if suite.is_here(name) else Entry(name)


def tinygrad(asked: Asked) -> Iterable[Entry]:
    """The tests of a file of tinygrad's."""
    from tests.peers import tinygrad_names

    for test in tinygrad_names.tests(asked.path):
        entry, result = Entry(test.id().partition(".")[2]), unittest.TestResult()
        if asked.wants(entry.name):
            test.run(result)
            bad = [*result.errors, *result.failures]
            entry.skipped = result.skipped[0][1] if result.skipped else ""
            entry.is_test, entry.samples, entry.right = True, 1, int(not bad)
            entry.reasons.update(text.strip().rpartition("\n")[2][:200] for _, text in bad[:1])
            yield entry


def array_api(asked: Asked) -> Iterable[Entry]:
    """The tests of the array API's suite, run in another process: it reads what to test from its environment."""
    folder = Path(asked.path) if asked.path else installed_suite()
    if folder is None or not (folder / SUITE).is_dir():
        raise SystemExit(f"{SUITE} is not installed: give the folder that it is in by --suite")
    paths = [str(harness.ROOT), str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "ARRAY_API_TESTS_MODULE": "lazygrad.array_api",
        "ARRAY_API_TESTS_SKIP_DTYPES": "complex64,complex128",
        "LAZYGRAD_DEVICE": settings.device,
        "PYTHONPATH": os.pathsep.join(paths),
    }
    with tempfile.TemporaryDirectory() as results:
        report = Path(results) / "report.xml"
        command = [sys.executable, "-m", "pytest", SUITE, "-q", "-p", "extra.bench.array_api_plugin"]
        command += ["-p", "no:cacheprovider", f"--max-examples={asked.examples}", "--disable-deadline"]
        done = subprocess.run(
            [*command, f"--junitxml={report}"], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if not report.exists():
            raise SystemExit(f"the suite does not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        yield from (entry for entry in reported(report.read_text()) if asked.wants(entry.name))


def installed_suite() -> Path | None:
    """The folder of the installed package `array_api_tests`."""
    found = importlib.util.find_spec(SUITE)
    return Path(found.origin).parent.parent if found is not None and found.origin else None


def reported(report: str) -> Iterable[Entry]:
    """The tests of a report that pytest has written in JUnit's format."""
    for case in re.finditer(r"<testcase (.*?)(?:/>|>(.*?)</testcase>)", report, re.DOTALL):
        told, outcome = (html.unescape(part or "") for part in case.groups())
        name, of = (re.search(rf'{word}="(.*?)" ', told + " ") for word in (" name", "classname"))
        assert name is not None
        assert of is not None
        entry = Entry(f"{of[1].rpartition('.')[2]}::{name[1]}", samples=1)
        kind = re.match(r'<(skipped|failure|error)[^>]*? message="(.*?)"', outcome.strip(), re.DOTALL)
        if kind is not None and kind[1] == "skipped":
            entry.skipped = kind[2]
        entry.right = int(kind is None)
        entry.reasons.update([kind[2].partition("\n")[0][:200]] if kind is not None else [])
        yield entry


SUITES: dict[str, Callable[[Asked], Iterable[Entry]]] = {
    "opinfo": operations,
    "modules": modules,
    "optimizers": optimizers,
    "tinygrad": tinygrad,
    "array-api": array_api,
}


def table(entries: list[Entry], verbose: bool) -> str:
    """The scoreboard as text."""
    counted = [e for e in entries if reason_left_out(e) is None]
    states = Counter(e.state for e in counted)
    samples, right = sum(e.samples for e in counted), sum(e.right for e in counted)
    lines = [
        f"{len(entries)} entries, {len(entries) - len(counted)} left out, {len(counted)} counted: "
        f"{states['whole']} whole, {states['partly']} partly, {states['failed']} failed, {states['absent']} absent",
        f"samples of those present: {right} of {samples} right ({right / max(samples, 1):.4f})",
        "left out: "
        + "; ".join(
            f"{n} {why}" for why, n in Counter(filter(None, (reason_left_out(e) for e in entries))).most_common()
        ),
    ]
    if verbose:
        lines += ["absent: " + " ".join(e.name for e in counted if e.state == "absent")]
        for e in counted:
            if e.state in ("partly", "failed"):
                why = "; ".join(f"{n} x {text}" for text, n in e.reasons.most_common(3))
                lines.append(f"  {e.name}: {e.right} of {e.samples}: {why}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--device", default="NUMPY", help="where lazygrad computes")
    parser.add_argument("--suite", dest="path", default="", help="the suite's file or folder")
    parser.add_argument("--examples", type=int, default=20, help="how many array-api's tests make up")
    parser.add_argument("--only", default="", help="a regular expression for entries' names")
    parser.add_argument("--verbose", action="store_true", help="every entry that is not whole, with reasons")
    arguments = parser.parse_args()
    if arguments.suite == "tinygrad" and not arguments.path:
        parser.error("tinygrad is not installed: give its test/backend/test_ops.py by --suite")
    sys.path.insert(0, str(harness.ROOT))  # the samples' adapter is shared with the tests
    warnings.simplefilter("ignore")
    with settings.override(device=arguments.device):
        entries = list(SUITES[arguments.suite](Asked(arguments.only, arguments.path, arguments.examples)))
    print(table(entries, arguments.verbose))


if __name__ == "__main__":
    main()
