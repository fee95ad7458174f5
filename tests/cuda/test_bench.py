"""The GPU's benchmark as far as it goes without one: its cases, its tables, and going on after an interruption."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("cuda.bindings", reason="cuda-python is not installed: no wheel for this platform")

from extra.bench import cuda as bench
from extra.bench import cuda_gpt, harness
from extra.bench.cuda_cases import CASES, Case
from extra.bench.cuda_timing import our_run, our_seconds, rotations
from extra.bench.torch_gpt import Sizes
from lazygrad import Tensor, jit
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
    assert all(p.dtype.name == "float32" for p in model.parameters())


def test_results_are_kept_after_every_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[str] = []

    def measure(name: str, fails: bool = False) -> list[dict[str, Any]]:
        ran.append(name)
        if fails:
            raise DeviceError("it broke\nin two lines")
        return [{"side": "torch", "time": "1 us", "speed": 1.0, "text": "1 us"}]

    about = harness.machine()
    works = {"first": lambda s: measure("first"), "second": lambda s: measure("second", True)}
    assert bench.measure_all(works, about, tmp_path / "r", 1.0, False) == 1
    page = (tmp_path / "r.md").read_text()
    assert "| first | torch | 1 us |  | **1.000** |  |" in page
    assert "| second | all | not measured | | | DeviceError: it broke |" in page
    works["second"] = lambda s: measure("second")
    assert bench.measure_all(works, about, tmp_path / "r", 1.0, False) == 0
    assert ran == ["first", "second", "second"], "what was measured is kept, what failed is tried again"
    assert bench.measure_all(works, about, tmp_path / "r", 1.0, True) == 0
    assert ran[3:] == ["first", "second"]
    assert list(json.loads((tmp_path / "r.json").read_text())["results"]) == ["first", "second"]
    assert "first: kept from before" in capsys.readouterr().out


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--list", "--only", "decode", "launch"]) == 0
    assert capsys.readouterr().out.split("\n")[:-1] == ["launch cost", "gpt2 decode"]
    assert bench.main(["--compile-only", "sm_80", "--only", "axpb", "--out", str(tmp_path)]) == 0
    (page,) = tmp_path.glob("cuda-compile-*.md")
    assert "| axpb 8192x4096 | sm_80 |" in page.read_text()
    if not is_installed():
        with pytest.raises(SystemExit) as stopped:
            bench.main(["--only", "axpb"])
        assert stopped.value.code == 2
        assert "nothing to measure on: CUDA needs NVIDIA's driver" in capsys.readouterr().err


def test_a_case_is_timed_through_one_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every set of inputs is a kernel of one graph, which is replayed; nothing is computed by this driver."""
    api = Recorder()
    api.arity = 2
    monkeypatch.setitem(registry._open, "CUDA", CudaRuntime("CUDA", driver=lambda: start(api)))
    case = replace(CASES[1], inputs=((64, 4096),))
    run, _ = our_run(case, [np.ones((64, 4096), np.float32)], 3)
    api.calls.clear()
    api.launched.clear()
    assert our_seconds(run) == 0.25e-3
    assert len(api.named("cuGraphLaunch")) == 1
    assert len({k.values[0] for k in api.launched}) == 3, "three inputs"
    assert len({k.values[1] for k in api.launched}) == 3, "three outputs"
