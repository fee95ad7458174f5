"""The benchmark's harness: what it reports about sides that work, fail, or compute something else."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from extra.bench import conformance, harness
from extra.bench.harness import Case
from lazygrad.settings import settings


def wait(milliseconds: float, number: int) -> np.ndarray:
    time.sleep(milliseconds / 1e3)
    return np.ones(3)


class Clock:
    """Time that passes only when somebody waits, so that what is measured does not depend on who else is at work."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_ratio_is_time_over_the_references_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock.perf_counter)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    case = Case("wait", {"slow": partial(wait, 8), "fast": partial(wait, 4)}, flops=8e6)
    slow, fast = harness.run_case(case, rounds=5, budget_s=5)
    assert slow.ratio_median == 1
    assert slow.rounds == fast.rounds == 5
    assert fast.difference == 0
    assert (fast.ratio_min, fast.ratio_median, fast.ratio_max) == pytest.approx((0.5, 0.5, 0.5))
    assert fast.ms_median == pytest.approx(4)
    assert fast.gflops == pytest.approx(8e6 / 4e-3 / 1e9)


def test_a_side_that_fails_or_differs_is_reported_and_not_timed() -> None:
    def fails(number: int) -> np.ndarray:
        raise RuntimeError("no such device")

    sides = {
        "reference": partial(wait, 1),
        "fails": fails,
        "differs": lambda number: np.full(3, 1.1),
        "another shape": lambda number: np.ones(4),
        "nan": lambda number: np.full(3, np.nan),
    }
    _, failing, differing, shaped, nan = harness.run_case(Case("wait", sides), rounds=3, budget_s=1)
    assert failing.error == "RuntimeError: no such device"
    assert "differs from reference by 1.00e-01" in differing.error
    assert "shape (4,)" in shaped.error
    assert "by nan" in nan.error
    assert failing.rounds == differing.rounds == 0


def test_results_are_written_after_every_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    monkeypatch.setattr(harness, "ROOT", tmp_path)

    def broken() -> Case:
        raise ValueError("no data")

    builders = {"good": lambda: Case("wait", {"a": partial(wait, 1), "b": partial(wait, 1)}), "broken": broken}
    assert harness.run("quick", "Title", builders, rounds=3, budget_s=1) == 1
    (page,), (document,) = list(tmp_path.glob("quick-*.md")), list(tmp_path.glob("quick-*.json"))
    results = json.loads(document.read_text())["results"]
    assert [(r["case"], r["side"], bool(r["error"])) for r in results] == [
        ("wait", "a", False),
        ("wait", "b", False),
        ("broken", "all", True),
    ]
    assert "not measured: ValueError: no data" in page.read_text()
    assert not list(tmp_path.glob(".*"))


def test_a_file_of_tinygrads_tests_is_a_suite(tmp_path: Path) -> None:
    (tmp_path / "test_ops.py").write_text(
        "import unittest\n"
        "from tinygrad import Tensor, dtypes\n"
        "from tinygrad.helpers import Context, getenv\n"
        "class TestOps(unittest.TestCase):\n"
        "  def test_right(self):\n"
        "    x = Tensor([1.0, 2.0])\n"
        "    with Context(NOOPT=getenv('X', 1)): self.assertEqual((x * x).sum().gradient(x)[0].tolist(), [2.0, 4.0])\n"
        "    self.assertEqual(Tensor([3, 4]).argmax().dtype, dtypes.default_int)\n"
        "  def test_wrong(self): self.assertEqual(Tensor.arange(3).sum().item(), 4)\n"
        "  def test_not_asked_for(self): raise AssertionError\n"
        "  @unittest.skip('slow')\n"
        "  def test_slow(self): pass\n"
    )
    entries = list(conformance.tinygrad(conformance.Asked("right|wrong|slow", str(tmp_path / "test_ops.py"))))
    assert [(e.name, e.state, e.skipped) for e in entries] == [
        ("TestOps.test_right", "whole", ""),
        ("TestOps.test_slow", "whole", "slow"),
        ("TestOps.test_wrong", "failed", ""),
    ]
    text = conformance.table(entries, verbose=True)
    assert "2 counted: 1 whole, 0 partly, 1 failed, 0 absent" in text
    assert "left out: 1 skipped: slow" in text
    assert "AssertionError: 3 != 4" in text


def test_a_folder_with_the_array_apis_tests_is_a_suite(tmp_path: Path) -> None:
    """Its way of finding out what to test, and of failing without complex dtypes."""
    suite = tmp_path / "array_api_tests"
    suite.mkdir()
    (suite / "__init__.py").write_text(
        "import importlib, os\nxp = importlib.import_module(os.environ['ARRAY_API_TESTS_MODULE'])\n"
    )
    (suite / "dtype_helpers.py").write_text(
        "import os\nfrom . import xp\n"
        "real_float_dtypes = (xp.float32, xp.float64)\n"
        "assert os.environ['ARRAY_API_TESTS_SKIP_DTYPES'] == 'complex64,complex128'\n"
        "widest_complex_dtype = max([(d, 1) for d in ()], key=lambda x: x[1])[0]\n"
    )
    (tmp_path / "conftest.py").write_text(
        "from array_api_tests import dtype_helpers\n"
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--max-examples', type=int)\n"
        "    parser.addoption('--disable-deadline', action='store_true')\n"
    )
    (suite / "test_sums.py").write_text(
        "import pytest\nfrom types import SimpleNamespace\nfrom . import xp\n"
        "cases = [SimpleNamespace(is_complex=c) for c in (False, True)]\n"
        "@pytest.mark.parametrize('case', cases, ids=['a < b', 'complex'])\n"
        "def test_right(case): assert xp.sum(xp.asarray([1, 2])).device == 'NUMPY' and not case.is_complex\n"
        "def test_wrong(request): raise ValueError(f'<{request.config.getoption(\"--max-examples\")}> examples')\n"
        "def test_vecdot_conj(): xp.asarray(1j)\n"
        "def test_not_asked_for(): raise AssertionError\n"
    )
    asked = conformance.Asked("right|wrong|vecdot", str(tmp_path), examples=3)
    with settings.override(device="NUMPY"):
        entries = {e.name: e for e in conformance.array_api(asked)}
    assert {name: (e.state, e.skipped) for name, e in entries.items()} == {
        "test_sums::test_right[a < b]": ("whole", ""),
        "test_sums::test_right[complex]": ("failed", "complex"),
        "test_sums::test_wrong": ("failed", ""),
        "test_sums::test_vecdot_conj": ("failed", "complex"),
    }
    assert [*entries["test_sums::test_wrong"].reasons] == ["ValueError: <3> examples"]
    with pytest.raises(SystemExit, match="--suite"):
        list(conformance.array_api(conformance.Asked(path=str(tmp_path / "elsewhere"))))
