"""examples/gpt.py as a user runs it: training, killing, resuming, writing, and every mistake that it tells."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from lazygrad.io import write_arrays
from lazygrad.settings import settings
from lazygrad.train import Checkpoint, Trainer, read_checkpoint
from tests.io import hostile

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "gpt.py"
TEXT = "".join(f"the {i}th line of a text that a very small model can learn something from;\n" for i in range(60))
TINY = ["--layers", "1", "--heads", "2", "--width", "8", "--context", "8", "--batch", "3", "--eval-batches", "2"]
SHORT = [*TINY, "--max-new-tokens", "20"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def gpt() -> ModuleType:
    """The script as a module, so that most tests need no process of their own."""
    spec = importlib.util.spec_from_file_location("gpt_example", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def run(gpt: ModuleType, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Call main with --text and --out filled in; (exit status, stdout, stderr)."""

    def call(*options: str, defaults: bool = True) -> tuple[int, str, str]:
        filled = ["--text", str(text), "--out", str(tmp_path / "out")] if defaults else []
        try:
            status = gpt.main([*filled, *options])
        except SystemExit as stop:
            status = stop.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    with settings.override(device="NUMPY"):
        yield call


def start(*options: str, **keywords: object) -> subprocess.Popen[str]:
    """The script in a process of its own, on the NUMPY device."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *options],
        env={**os.environ, "LAZYGRAD_DEVICE": "NUMPY", "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **keywords,  # type: ignore[call-overload]
    )


def wait_for_step(process: subprocess.Popen[str], path: Path, step: int) -> int:
    """The step of the checkpoint, as soon as it is at least `step`."""
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        if path.exists() and (reached := read_checkpoint(path).entry("step")) >= step:
            return int(reached)
        time.sleep(0.002)
    pytest.fail(f"no step {step}: {process.communicate(timeout=30)}")


def assert_same_run(a: Checkpoint, b: Checkpoint) -> None:
    """Every bit that decides how a run goes on, and the losses that it went through."""
    assert a.groups.keys() == b.groups.keys()
    for group in a.groups:
        assert a.group(group).keys() == b.group(group).keys()
        for name, stored in a.group(group).items():
            assert stored.dtype is b.group(group)[name].dtype
            assert stored.array.tobytes() == b.group(group)[name].array.tobytes(), f"{group}.{name}"
    timed = {"seconds", "tokens_per_second"}
    assert {k: v for k, v in a.manifest.items() if k not in timed} == {
        k: v for k, v in b.manifest.items() if k not in timed
    }


# ---- a whole run ----


def test_a_run_leaves_everything_and_writes(run: Run, tmp_path: Path) -> None:
    status, out, err = run(
        *SHORT, "--steps", "60", "--eval-every", "20", "--lr", "0.01", "--prompt", "the ", "--warmup", "5"
    )
    assert status == 0, err
    folder = tmp_path / "out"
    assert sorted(os.listdir(folder)) == ["checkpoint.safetensors", "loss.png", "metrics.json"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["steps"] == 60
    assert metrics["device"] == "NUMPY"
    assert metrics["tokens_per_s"] > 0
    assert metrics["seconds"] > 0
    distinct = len(set(TEXT))
    assert metrics["val_loss"] < 0.9 * math.log(distinct)
    assert metrics["train_loss"] < 0.9 * math.log(distinct)
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert out.startswith("the ")
    assert len(out) == len("the ") + 20 + 1
    assert set(out) <= set(TEXT)
    checkpoint = read_checkpoint(folder / "checkpoint.safetensors")
    assert [step for step, _, _ in checkpoint.entry("history")["evaluations"]] == [20, 40, 60]
    assert [step for step, _ in checkpoint.entry("history")["losses"]] == [10, 20, 30, 40, 50, 60]
    assert "validation loss" in err
    assert "step 60/60" in err


def test_a_finished_run_can_write_again(run: Run, tmp_path: Path) -> None:
    assert run(*SHORT, "--steps", "12")[0] == 0
    before = read_checkpoint(tmp_path / "out" / "checkpoint.safetensors")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    options = ["--resume", str(tmp_path / "out"), "--max-new-tokens", "30"]
    first = run(*options, defaults=False)
    assert first[0] == 0, first[2]
    assert run(*options, defaults=False)[1] == first[1]
    assert run(*options, "--seed", "7", defaults=False)[1] != first[1]
    greedy = [run(*options, "--temperature", "0", "--seed", seed, defaults=False)[1] for seed in "12"]
    assert greedy[0] == greedy[1] == run(*options, "--top-k", "1", "--temperature", "3", defaults=False)[1]
    after = read_checkpoint(tmp_path / "out" / "checkpoint.safetensors")
    assert after.entry("step") == 12
    for name, stored in before.group("model").items():
        np.testing.assert_array_equal(stored.array, after.group("model")[name].array)
    again = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert again["val_loss"] == metrics["val_loss"]
    assert again["tokens_per_s"] == metrics["tokens_per_s"] > 0


def test_more_steps_can_be_added(run: Run, tmp_path: Path) -> None:
    assert run(*SHORT, "--steps", "6")[0] == 0
    assert run("--resume", "--steps", "15", "--max-new-tokens", "0")[0] == 0
    assert read_checkpoint(tmp_path / "out" / "checkpoint.safetensors").entry("step") == 15
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["steps"] == 15


def test_the_seed_decides_the_run(run: Run, tmp_path: Path) -> None:
    def weights(seed: str) -> bytes:
        path = tmp_path / "out" / "checkpoint.safetensors"
        note = f"note: this starts anew and will replace {path}; --resume would continue it" if path.exists() else ""
        status, _, err = run(*SHORT, "--steps", "3", "--seed", seed)
        assert status == 0
        assert note in err
        return read_checkpoint(tmp_path / "out" / "checkpoint.safetensors").group("model")["wte.weight"].array.tobytes()

    assert weights("1") == weights("1") != weights("2")


# ---- interruptions ----


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [9, 2], ids=["kill", "ctrl-c"])
def test_an_interrupted_run_resumes_bit_for_bit(text: Path, tmp_path: Path, number: int) -> None:
    options = [
        *TINY,
        "--steps",
        "120",
        "--eval-every",
        "7",
        "--dropout",
        "0.1",
        "--max-new-tokens",
        "12",
        "--warmup",
        "20",
    ]
    whole = start("--text", str(text), "--out", str(tmp_path / "whole"), *options)
    path = tmp_path / "cut" / "checkpoint.safetensors"
    step = 0
    command = ["--text", str(text), "--out", str(tmp_path / "cut"), *options]
    for _ in range(2):
        cut = start(*command)
        step = wait_for_step(cut, path, step + 1)
        cut.send_signal(signal.Signals(number))
        _, told = cut.communicate(timeout=120)
        assert cut.returncode == (-9 if number == 9 else 130), told
        assert "Traceback" not in told
        step = read_checkpoint(path).entry("step")
        assert 0 < step < 120
        if number == 2:
            assert (
                f"stopped after step {step}; continue with: python examples/gpt.py --resume {tmp_path / 'cut'}" in told
            )
        command = ["--resume", str(tmp_path / "cut")]
    resumed = start(*command, "--max-new-tokens", "12")
    resumed_text, told = resumed.communicate(timeout=240)
    assert resumed.returncode == 0, told
    whole_text, told = whole.communicate(timeout=240)
    assert whole.returncode == 0, told
    assert_same_run(read_checkpoint(tmp_path / "whole" / "checkpoint.safetensors"), read_checkpoint(path))
    assert resumed_text == whole_text
    assert sorted(os.listdir(tmp_path / "cut")) == ["checkpoint.safetensors", "loss.png", "metrics.json"]


@pytest.mark.slow
def test_a_run_resumes_bit_for_bit_on_every_device(
    gpt: ModuleType, text: Path, tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--text", str(text), *TINY, "--steps", "9", "--eval-every", "4", "--dropout", "0.1", "--warmup", "3"]
    assert gpt.main([*options, "--out", str(tmp_path / "whole"), "--max-new-tokens", "5"]) == 0
    advance = Trainer._advance

    def stop_at_step_6(trainer: Trainer) -> object:
        if trainer.step == 6:
            raise KeyboardInterrupt
        return advance(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_advance", stop_at_step_6)
        assert gpt.main([*options, "--out", str(tmp_path / "cut")]) == 130
    cut = tmp_path / "cut" / "checkpoint.safetensors"
    assert read_checkpoint(cut).entry("step") == 4
    assert gpt.main(["--resume", str(tmp_path / "cut"), "--max-new-tokens", "0"]) == 0
    assert_same_run(read_checkpoint(tmp_path / "whole" / "checkpoint.safetensors"), read_checkpoint(cut))
    assert json.loads((tmp_path / "cut" / "metrics.json").read_text())["device"] == device


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error(text: Path, tmp_path: Path) -> None:
    options = [*TINY, "--steps", "2", "--max-new-tokens", "5000"]
    process = start("--text", str(text), "--out", str(tmp_path / "o"), *options)
    assert process.stdout
    assert process.stderr
    process.stdout.read(20)
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=120) == 0
    assert "Traceback" not in told
    assert "BrokenPipe" not in told


# ---- mistakes ----


def assert_told(result: tuple[int, str, str], *parts: str) -> None:
    status, out, err = result
    assert status == 2, err
    assert out == ""
    last = err.strip().splitlines()[-1]
    assert last.startswith("gpt.py: ")
    assert "Traceback" not in err
    for part in parts:
        assert part in last


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (None, ["text.txt: there is no such file; check the path"]),
        (b"", ["text.txt: is empty; name a file with text in it"]),
        (b"abc \xff\xfe", ["text.txt: is not UTF-8 text (byte 0xff at offset 4); save it as UTF-8"]),
        (b"short", ["the text is too short: it has 5 tokens, and a context of 8 needs about"]),
    ],
    ids=["missing", "empty", "latin", "short"],
)
def test_a_text_that_cannot_be_used(run: Run, text: Path, content: bytes | None, parts: list[str]) -> None:
    text.unlink()
    if content is not None:
        text.write_bytes(content)
    assert_told(run(*SHORT), *parts)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--prompt", "§"], "character '§' (U+00A7 SECTION SIGN) at position 0 is not in the vocabulary"),
        (["--temperature", "-1"], "temperature is -1.0; use a number from 0"),
        (["--top-k", "0"], "top_k is 0; use at least 1"),
        (["--max-new-tokens", "-5"], "--max-new-tokens is -5; it must be at least 0"),
        (["--steps", "-1"], "steps is -1; it must be at least 0"),
        (["--steps", "many"], "argument --steps: invalid int value: 'many'"),
        (["--lr", "nan"], "lr is nan; it must be a number from 0 up"),
        (["--width", "9"], "width 9 does not divide among 2 heads; use a multiple of the heads, such as 10"),
        (["--batch", "0"], "batch is 0; it must be at least 1"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["--resume", "nowhere"], "there is no checkpoint to resume; name its folder, or start without --resume"),
    ],
)
def test_an_option_that_cannot_be_used(run: Run, options: list[str], part: str) -> None:
    assert_told(run(*SHORT, *options), part)


def test_a_folder_as_text_and_a_file_as_out(run: Run, tmp_path: Path, text: Path) -> None:
    assert_told(run(*SHORT, "--text", str(tmp_path)), "is a folder; name a text file")
    assert_told(run(*SHORT, "--out", str(text)), f"--out {text} is a file; name a folder")


def test_a_checkpoint_of_another_shape_text_or_kind(run: Run, tmp_path: Path, text: Path) -> None:
    assert run(*SHORT, "--steps", "2", "--max-new-tokens", "0")[0] == 0
    file = tmp_path / "out" / "checkpoint.safetensors"
    told = run("--resume", "--width", "16", "--layers", "1", "--context", "4")
    assert_told(told, str(file), "holds a model with width 8, not 16, context 8, not 4; leave out --width --context")
    text.write_text(TEXT + "§" * 10, encoding="utf-8")
    assert_told(run("--resume"), "was trained on another text: character '§' (U+00A7 SECTION SIGN) at position")
    text.write_text(TEXT[:2000], encoding="utf-8")
    status, _, err = run("--resume", "--max-new-tokens", "0")
    assert status == 0
    assert "note: this is not the text, or not the version of it, that the checkpoint was trained on" in err
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    assert_told(run("--resume"), f"{file}: is truncated")
    write_arrays(file, {"w": np.ones(3)})
    assert_told(run("--resume"), f"{file}: holds tensors but is not a lazygrad checkpoint")


def test_a_checkpoint_whose_tensors_do_not_fit_its_manifest(run: Run, tmp_path: Path) -> None:
    from lazygrad.train.checkpoint import write_checkpoint

    assert run(*SHORT, "--steps", "2", "--max-new-tokens", "0")[0] == 0
    file = tmp_path / "out" / "checkpoint.safetensors"
    read = read_checkpoint(file)
    groups = {group: {name: s.array for name, s in read.group(group).items()} for group in read.groups}
    groups["model"]["wte.weight"] = groups["model"]["wte.weight"][:-1]
    write_checkpoint(file, groups, read.manifest)
    assert_told(run("--resume"), str(file), "wte.weight")


def test_a_run_that_diverges_says_so(run: Run) -> None:
    with np.errstate(all="ignore"):
        told = run(*SHORT, "--steps", "200", "--lr", "1e30", "--warmup", "0", "--clip", "0", "--weight-decay", "0")
    assert_told(told, "the training has diverged; use a lower learning rate or a longer warm-up")


def test_help_lists_every_option(run: Run) -> None:
    status, out, _ = run("--help", defaults=False)
    assert status == 0
    options = "text steps out resume seed prompt temperature top-k max-new-tokens layers heads width context batch lr"
    for name in options.split():
        assert f"--{name} " in out, name


# ---- checkpoints that somebody else may have written ----


def test_manifests_of_any_content_are_told_in_one_line(
    gpt: ModuleType, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every entry of a manifest by every value of every type: the run goes on, or one line says what is wrong."""
    assert run(*SHORT, "--steps", "2", "--max-new-tokens", "0")[0] == 0
    monkeypatch.setattr(gpt, "train", lambda *_: True)
    file, chance = tmp_path / "out" / "checkpoint.safetensors", random.Random(0)
    read = read_checkpoint(file)
    groups = {group: {name: s.array for name, s in read.group(group).items()} for group in read.groups}
    accepted = 0
    for turn in range(150):
        text = hostile.mutated_json(chance, read.manifest) if turn else json.dumps(read.manifest).encode()
        try:
            manifest = json.loads(text)
        except ValueError:
            continue
        write_arrays(file, {f"{g}.{n}": a for g, s in groups.items() for n, a in s.items()}, {
            "lazygrad_checkpoint": json.dumps({"version": 1, "groups": sorted(groups), "manifest": manifest})
        })  # fmt: skip
        start = time.monotonic()
        status, out, err = run("--resume", str(tmp_path / "out"), "--max-new-tokens", "0", defaults=turn % 2 == 0)
        assert time.monotonic() - start < 10, manifest
        if status == 0:
            accepted += 1
        else:
            assert_told((status, out, err), str(file))
            assert len(err.strip().splitlines()[-1]) < 1000
    assert 0 < accepted < 75
