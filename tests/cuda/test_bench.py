"""The GPU's benchmark as far as it goes without one: its cases, its tables, and going on after an interruption."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("cuda.bindings", reason="cuda-python is not installed: no wheel for this platform")

from extra.bench import cuda as bench
from extra.bench import cuda_children, cuda_gpt, harness
from extra.bench.cuda_cases import CASES, Case
from extra.bench.cuda_measure import works
from extra.bench.cuda_place import Gpu, Rehearsal
from extra.bench.cuda_rows import failed, timed
from extra.bench.cuda_timing import medians, our_run, rotations
from extra.bench.torch_gpt import Sizes
from lazygrad import Tensor, jit, no_grad
from lazygrad.errors import DeviceError
from lazygrad.runtime import registry
from lazygrad.runtime.cuda import CudaRuntime
from lazygrad.runtime.cuda_driver import is_installed, start
from lazygrad.settings import settings
from tests.cuda.recording import Recorder

SMALL = {8192: 16, 4096: 4096, 50304: 96}  # the length of rows is part of a case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_both_sides_of_a_case_do_the_same(case: Case) -> None:
    case = replace(case, inputs=tuple(tuple(SMALL.get(n, n) for n in shape) for shape in case.inputs))
    arrays = [np.random.default_rng(len(s)).standard_normal(s).astype(np.float32) for s in case.inputs]
    if case.name.startswith("gemm"):
        arrays = [a[:64, :64] for a in arrays]
    ours = case.ours(*map(Tensor, arrays)).numpy()
    theirs = case.theirs(*map(torch.tensor, arrays)).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())


def test_inputs_are_larger_than_the_cache() -> None:
    for case in CASES:
        count = rotations(case, 60 << 20)
        size = sum(int(np.prod(s)) for s in case.inputs) * (4 if case.dtype == "float32" else 2)
        assert count == 16 or count * size >= 4 * (60 << 20)
        assert count >= 2


@pytest.fixture
def _evaluated() -> Iterator[None]:
    """On the device that compiles nothing."""
    with settings.override(device="NUMPY"):
        yield


@pytest.mark.usefixtures("_evaluated")
def test_decoding_with_a_cache_is_decoding() -> None:
    model = cuda_gpt.model_of(Sizes(2, 2, 32, 16, 2, 65))
    step = jit(cuda_gpt.Decoder(model, 16).step)
    drawn = [step().item() for _ in range(8)]
    tokens = [0]
    for _ in range(8):
        tokens.append(int(np.argmax(model.next_logits(tokens))))
    assert drawn == tokens[1:]


@pytest.mark.usefixtures("_evaluated")
def test_training_in_bfloat16_learns() -> None:
    model = cuda_gpt.model_of(Sizes(1, 2, 32, 16, 4, 65))
    step = jit(cuda_gpt.training_step(model))
    tokens = np.random.default_rng(0).integers(0, 65, (4, 16))
    losses = [step(Tensor(tokens), Tensor(tokens)).item() for _ in range(30)]
    assert losses[-1] < losses[0] - 0.2
    assert len(set(losses[:4])) == 4, "the loss is not rounded to bfloat16"
    assert all(p.dtype.name == "float32" for p in model.parameters())


def test_results_are_kept_after_every_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[str] = []
    failing = ["second"]

    def source(names: Sequence[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        for name in names:
            ran.append(name)
            broken = DeviceError("it broke\nin two lines")
            yield name, [failed("all", broken) if name in failing else timed("torch", 1e-6, reference=1e-6)]

    about, names = harness.machine(), ["first", "second"]
    assert bench.measure_all(names, source, about, tmp_path / "r", False) == 1
    page = (tmp_path / "r.md").read_text()
    assert "| first | torch | 1.00 us |  | **1.000** |  |" in page
    assert "| second | all | not measured | | | DeviceError: it broke |" in page
    failing.clear()
    assert bench.measure_all(names, source, about, tmp_path / "r", False) == 0
    assert ran == ["first", "second", "second"], "what was measured is kept, what failed is tried again"
    assert bench.measure_all(names, source, about, tmp_path / "r", True) == 0
    assert ran[3:] == ["first", "second"]
    assert list(json.loads((tmp_path / "r.json").read_text())["results"]) == ["first", "second"]
    assert "first: kept from before" in capsys.readouterr().out


CHILD = """
import json, os, signal, sys, time
for name in sys.argv[1:]:
    print(json.dumps({"start": name}), flush=True)
    if name == "crashes":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "hangs":
        time.sleep(600)
    rows = [{"side": "all", "error": "it failed"}] if name == "fails" else [{"side": "ours", "seconds": 1.0}]
    print(json.dumps({"name": name, "rows": rows, "about": {"gpu": "here"}}), flush=True)
    if name == "fails":
        break
"""


def test_no_case_loses_the_others() -> None:
    started: list[list[str]] = []

    def start(names: Sequence[str], seconds: float) -> subprocess.Popen[str]:
        started.append(list(names))
        return subprocess.Popen([sys.executable, "-c", CHILD, *names], stdout=subprocess.PIPE, text=True)

    names = ["a", "crashes", "b", "hangs", "fails", "c"]
    about: dict[str, Any] = {}
    found = dict(cuda_children.measured(dict.fromkeys(names, 2.0), start, 60.0, about))
    assert list(found) == names
    assert started == [names, names[2:], names[4:], names[5:]], "a new process after each that went wrong"
    assert {name for name, (row,) in found.items() if "seconds" in row} == {"a", "b", "c"}
    assert found["crashes"][0]["error"] == "its process ended with status -9"
    assert found["hangs"][0]["error"] == "nothing came for 2 s; its process was stopped"
    assert about == {"gpu": "here"}


def test_a_child_that_cannot_start_is_told_once_for_each_case() -> None:
    def start(names: Sequence[str], seconds: float) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"], stdout=subprocess.PIPE, text=True)

    found = dict(cuda_children.measured({"a": 1.0, "b": 1.0}, start, 60.0, {}))
    assert [rows[0]["error"] for rows in found.values()] == ["its process ended with status 3"] * 2


def test_what_is_not_begun_in_time_is_told() -> None:
    def start(names: Sequence[str], seconds: float) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", CHILD, names[0]], stdout=subprocess.PIPE, text=True)

    found = dict(cuda_children.measured({"a": 1.0, "b": 1.0}, start, 1e-3, {}))
    assert "seconds" in found["a"][0]
    assert found["b"][0]["error"] == "not begun: the 0 s for all were over"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--list", "--only", "decode", "launch"]) == 0
    assert capsys.readouterr().out.split("\n")[:-1] == ["gpt2 decode", "launch cost"]
    assert bench.main(["--compile-only", "sm_80", "--only", "axpb", "--out", str(tmp_path)]) == 0
    (page,) = tmp_path.glob("cuda-compile-*.md")
    assert "| axpb 8192x4096 | sm_80 |" in page.read_text()
    if not is_installed():
        with pytest.raises(SystemExit) as stopped:
            bench.main(["--only", "axpb"])
        assert stopped.value.code == 2
        assert "nothing to measure on: CUDA needs NVIDIA's driver" in capsys.readouterr().err


@pytest.mark.slow
def test_a_rehearsal_goes_through_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every case, with results, losses and logits compared; kernels of a GPU, run by the emulator."""
    assert bench.main(["--dry-run", "--out", str(tmp_path)]) == 0, capsys.readouterr().out
    document = json.loads(next(tmp_path.glob("cuda-dry-run-*.json")).read_text())
    assert list(document["results"]) == list(works())
    for name, rows in document["results"].items():
        sides = [row["side"] for row in rows]
        is_launch = name == "launch cost"
        assert sides == ["enqueue one kernel", "one kernel of a graph"] if is_launch else sides[-1] == "lazygrad", name
        assert all(row["seconds"] > 0 for row in rows)
    assert "emulated" in document["machine"]["gpu"]
    assert bench.main(["--dry-run", "--profile", "--only", "decode", "--out", str(tmp_path)]) == 0
    (profiled,) = json.loads(next(tmp_path.glob("cuda-profile-*.json")).read_text())["results"].values()
    whole, *kernels = profiled
    assert whole["seconds"] == pytest.approx(sum(row["seconds"] for row in kernels))
    assert all(row["bytes"] > 0 for row in kernels)


@pytest.mark.parametrize("wrong", ["axpb 8192x4096", "gpt2 training step", "gpt2 decode"])
def test_a_wrong_result_is_an_error(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """lazygrad's side is made to compute something else; what it needed is told all the same."""
    made = cuda_gpt.model_of

    def other(*arguments: Any) -> Any:
        model = made(*arguments)
        with no_grad():
            model.ln_f.weight.assign(model.ln_f.weight * 1.5)
        return model

    monkeypatch.setattr("extra.bench.cuda_gpt_measure.model_of", other)
    place = Rehearsal("OPENCL")
    work = works()[wrong].measure
    if isinstance(work, partial):
        (case,) = work.args
        work = partial(work.func, replace(case, ours=lambda x: x * 3 + 1))
    *theirs, ours = work(place, 0.0)
    assert ours["side"] == "lazygrad"
    assert "off by" in ours["error"]
    assert theirs and all(row["seconds"] > 0 and "error" not in row for row in theirs)


class Stub:
    """Stands for PyTorch's CUDA where there is none: notes what is called, and is every object that it gives."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        assert name in self.known, f"torch.cuda has no {name}"

        def call(*arguments: Any, **options: Any) -> Any:
            self.calls.append(name)
            return 3.0 if name == "elapsed_time" else self

        return call

    def __enter__(self) -> None:
        self.calls.append("enter")

    def __exit__(self, *_: object) -> None:
        self.calls.append("exit")

    known = frozenset([*dir(torch.cuda), *dir(torch.cuda.Event), *dir(torch.cuda.Stream), *dir(torch.cuda.CUDAGraph)])


def test_pytorch_is_captured_and_timed_by_events(monkeypatch: pytest.MonkeyPatch) -> None:
    stub, calls = Stub(), 0

    def work() -> None:
        nonlocal calls
        calls += 1
        stub.calls.append("work")

    monkeypatch.setattr(torch, "cuda", stub)
    run = Gpu().captured(work)
    before = stub.calls.index("CUDAGraph")
    assert stub.calls[before - 4 : before] == ["exit", "current_stream", "wait_stream", "synchronize"]
    assert stub.calls[before:] == ["CUDAGraph", "graph", "enter", "work", "exit"]
    assert calls == 4
    stub.calls.clear()
    assert Gpu().their_seconds(run) == 3e-3
    assert stub.calls == ["Event", "Event", "record", "replay", "record", "synchronize", "elapsed_time"]


def test_sides_take_turns_over_long_enough_samples() -> None:
    place, now = Rehearsal("NUMPY"), [0.0]
    place.least_s, place.warm_s = 1.0, 4.0

    def work(seconds: float) -> Callable[[], None]:
        def run() -> None:
            now[0] += seconds

        return run

    def clock(run: Callable[[], None]) -> float:
        before = now[0]
        run()
        return now[0] - before

    found = medians({"a": (work(0.5), clock), "b": (work(0.25), clock)}, 2, place, 0.0)
    assert found == {"a": 0.25, "b": 0.125}


def test_a_case_is_timed_through_one_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every set of inputs is a kernel of one graph, which is replayed; nothing is computed by this driver."""
    api = Recorder()
    api.arity = 2
    monkeypatch.setitem(registry._open, "CUDA", CudaRuntime("CUDA", driver=lambda: start(api)))
    shape = (8192, 4096)  # small ones would be launched side by side
    case = replace(CASES[1], inputs=(shape,))
    place = Gpu()
    for _ in range(2):  # a plan that is kept from before is prepared again
        run, _ = our_run(case, [np.ones(shape, np.float32)], 3, place)
    api.calls.clear()
    api.launched.clear()
    assert place.our_seconds(run) == 0.25e-3
    assert len(api.named("cuGraphLaunch")) == 1
    assert len({k.values[0] for k in api.launched}) == 3, "three inputs"
    assert len({k.values[1] for k in api.launched}) == 3, "three outputs"
