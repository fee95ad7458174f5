"""The training loop: what a step does, what is measured, and what does not fit."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lazygrad import Tensor, manual_seed, optim
from lazygrad.data import TokenWindows
from lazygrad.engine.run import live
from lazygrad.errors import ArgumentError, FileFormatError
from lazygrad.io.json_table import JsonTable
from lazygrad.ir.node import live_nodes
from lazygrad.models import GPT, GPTConfig
from lazygrad.settings import settings
from lazygrad.train import History, Interrupt, Trainer, TrainingPlan, progress, read_checkpoint
from lazygrad.train.trainer import _Clock

TOKENS = np.random.default_rng(0).integers(11, size=400)
PLAN = TrainingPlan(steps=6, batch=3, warmup=2, eval_every=100, eval_batches=2, lr=1e-2, min_lr=1e-3)


@pytest.fixture(autouse=True)
def numpy_device() -> Iterator[None]:
    with settings.override(device="NUMPY"):
        yield


def make(plan: TrainingPlan = PLAN, width: int = 8, bias: bool = True) -> Trainer:
    manual_seed(4)
    model = GPT(GPTConfig(vocabulary=11, layers=1, heads=2, width=width, context=5, bias=bias))
    windows = [TokenWindows(part, 5, plan.batch) for part in (TOKENS[:300], TOKENS[300:])]
    return Trainer(model, model.loss, windows[0], windows[1], plan, model.device)


def finish(trainer: Trainer) -> bool:
    with Interrupt() as interrupt, progress(trainer.plan.steps, stream=io.StringIO()) as bar:
        return trainer.run(lambda: None, bar, interrupt)


def test_its_steps_are_those_of_a_plain_loop() -> None:
    trainer = make()
    assert finish(trainer)
    manual_seed(4)
    model = GPT(GPTConfig(vocabulary=11, layers=1, heads=2, width=8, context=5, bias=True))
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim == 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = optim.AdamW(groups, betas=(0.9, 0.99))
    generator = np.random.default_rng(PLAN.seed)
    rates = [1 / 300, 2 / 300, *(1e-3 + 9e-3 * (1 + np.cos(np.pi * i / 4)) / 2 for i in range(4))]
    for rate in rates:
        optimizer.set_lr(rate)
        loss = model.loss(*map(Tensor, trainer.train.draw(generator)))
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    for (name, mine), theirs in zip(trainer.model.named_parameters(), parameters):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy(), err_msg=name)


def test_estimates_do_not_touch_the_run() -> None:
    a, b = make(), make()
    first = a.estimate(a.validation, 3)
    assert a.estimate(a.validation, 3) == first
    assert a.model.training
    finish(a)
    finish(b)
    for x, y in zip(a.model.parameters(), b.model.parameters()):
        np.testing.assert_array_equal(x.numpy(), y.numpy())
    assert a.history == b.history
    assert a.history.evaluations[-1][0] == 6


def test_steps_leave_nothing_behind() -> None:
    trainer = make(TrainingPlan(steps=1000, batch=3))

    def alive() -> tuple[int, int]:
        gc.collect()
        return live_nodes(), len(live)

    for _ in range(5):
        trainer._advance().item()
    before = alive()
    for _ in range(20):
        trainer._advance().item()
    assert alive() == before


def test_a_checkpoint_that_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "c"
    make().save(path, {"note": 1})
    checkpoint = read_checkpoint(path)
    assert checkpoint.entry("note") == 1
    with pytest.raises(
        FileFormatError, match=r"it has wte.weight of shape \[11, 8\] and type float32, where the model has"
    ):
        make(width=16).restore(checkpoint)
    with pytest.raises(FileFormatError, match=r"it lacks nothing and has .*bias.* and 4 more besides"):
        make(bias=False).restore(checkpoint)


def test_speed_is_that_of_the_steps_that_do_not_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    clock = _Clock()
    clock.start()
    assert clock.rate() == 0
    for seconds, steps in ((10.0, 1), (10.0, 2), (2.0, 4)):
        clock.steps += steps
        now[0] += seconds
        assert clock.lap() == (steps, steps / seconds)
    now[0] += 1000  # an evaluation
    clock.start()
    assert not clock.is_due()
    now[0] += 1
    assert clock.is_due()
    clock.steps = 2
    clock.lap()
    assert clock.rate() == 2.0


def test_numbers_of_a_plan_are_checked() -> None:
    for name, value in (("steps", -1), ("batch", 0), ("lr", -1.0), ("lr", float("inf")), ("beta2", 1.0), ("seed", -1)):
        with pytest.raises(ArgumentError, match=f"{name} is {value}; it must"):
            TrainingPlan(**{name: value})  # type: ignore[arg-type]


def test_a_history_keeps_one_evaluation_of_a_step() -> None:
    history = History([(10, 1.5)], [(10, 2.0, 3.0)])
    history.add_evaluation(20, 1.0, 2.0)
    history.add_evaluation(20, 1.1, 2.1)
    assert History.from_json(JsonTable.of("file", "history", history.to_json())) == history
    assert history.curves() == {
        "each batch": [(10, 1.5)],
        "training": [(10, 2.0), (20, 1.1)],
        "validation": [(10, 3.0), (20, 2.1)],
    }
