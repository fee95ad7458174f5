"""Trains a language model: the loop, what it measures, and the state that it saves and restores."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from lazygrad import nn, optim
from lazygrad.data.windows import Batch, TokenWindows
from lazygrad.errors import DivergenceError, FileFormatError
from lazygrad.io.atomic import PathLike
from lazygrad.io.json_table import JsonTable
from lazygrad.io.state import to_tensor
from lazygrad.ops.generator import default_generator
from lazygrad.ops.jit import jit
from lazygrad.ops.mode import no_grad
from lazygrad.tensor import Tensor
from lazygrad.train.checkpoint import Checkpoint, require_same_layout, write_checkpoint
from lazygrad.train.history import History
from lazygrad.train.interrupt import Interrupt
from lazygrad.train.plan import TrainingPlan
from lazygrad.train.progress import Progress

LOG_EVERY = 10  # steps between reads of the loss, each of which waits for the device
COMPILING_STEPS = 3  # a jitted step runs plainly, is traced, and is replayed for the first time
MOST_STEPS = 1 << 53  # what a float counts exactly
FINAL_BATCHES = 400  # the last evaluation takes all of the validation text, up to this many batches


class Trainer:
    """One training run.

    Args:
        model: what is trained.
        loss: (tokens, targets), both (batch, time), to a scalar; usually `model.loss`.
        train, validation: where batches come from.
        plan: the run's numbers.
        device: the model's, where the batches go.

    Attributes:
        step: optimizer steps done so far.
        seconds: time that all parts of the run took.
        history: the losses so far.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        train: TokenWindows,
        validation: TokenWindows,
        plan: TrainingPlan,
        device: str,
    ) -> None:
        self.model, self.loss, self.train, self.validation, self.plan = model, loss, train, validation, plan
        self.device = device
        self.parameters = list(model.parameters())
        self.optimizer = optim.AdamW(self._groups(), lr=plan.lr, betas=(plan.beta1, plan.beta2))
        self.schedule = optim.WarmupCosineLR(self.optimizer, min(plan.warmup, plan.steps), plan.steps, plan.min_lr)
        self.generator = np.random.default_rng(plan.seed)
        self.history = History()
        self.step, self.seconds = 0, 0.0
        self._clock, self._saved_rate = _Clock(), 0.0
        self._train_step = jit(self._update)
        self._evaluation_loss = jit(self._forward)

    def _groups(self) -> list[dict[str, Any]]:
        """Matrices decay; biases and the gains of norms, which have one dimension, do not."""
        decayed = [p for p in self.parameters if p.ndim >= 2]
        others = [p for p in self.parameters if p.ndim < 2]
        groups = [(decayed, self.plan.weight_decay), (others, 0.0)]
        return [{"params": params, "weight_decay": decay} for params, decay in groups if params]

    # ---- what is compiled ----

    def _update(self, tokens: Tensor, targets: Tensor) -> Tensor:
        loss = self.loss(tokens, targets)
        loss.backward()
        if self.plan.clip:
            optim.clip_grad_norm_(self.parameters, self.plan.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()  # at the end, so that no gradient is kept until the next step
        return loss.detach()

    def _forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        with no_grad():
            return self.loss(tokens, targets)

    # ---- the loop ----

    def run(self, save: Callable[[], None], bar: Progress, interrupt: Interrupt) -> bool:
        """Train until the plan's last step; True there, False when `interrupt` came first.

        `save` is called whenever the losses have been estimated, and at the end, however the loop ends.

        Raises:
            DivergenceError: the loss is no longer a finite number; the last checkpoint is from before that.
        """
        began = time.monotonic()
        before = self.seconds
        self.model.train()
        self._clock.start()
        while self.step < self.plan.steps and not interrupt.requested:
            loss = self._advance()
            last = self.step == self.plan.steps
            evaluate = self.step % self.plan.eval_every == 0 and not last
            if self.step % LOG_EVERY == 0 or evaluate or last or self._clock.is_due():
                self._log(loss, bar)
            if evaluate:
                self._evaluate(self.plan.eval_batches, bar)
                self.seconds = before + time.monotonic() - began
                save()
                self._clock.start()
        finished = self.step >= self.plan.steps
        if finished:
            self._evaluate(min(FINAL_BATCHES, self.validation.whole_batches), bar)
        self.seconds = before + time.monotonic() - began
        save()
        return finished

    def _advance(self) -> Tensor:
        loss = self._train_step(*self._on_device(self.train.draw(self.generator)))
        self.schedule.step()
        self.step += 1
        self._clock.steps += 1
        return loss

    def _log(self, loss: Tensor, bar: Progress) -> None:
        value = loss.item()
        if not math.isfinite(value):
            raise DivergenceError(
                f"the loss of step {self.step} is {value}: the training has diverged; use a lower learning rate or a "
                "longer warm-up"
            )
        if self.step % LOG_EVERY == 0:
            self.history.losses.append((self.step, value))
        steps, rate = self._clock.lap()
        bar.advance(steps, loss=f"{value:.4f}", **{"tokens/s": f"{rate * self.tokens_per_step:,.0f}"})

    def _evaluate(self, batches: int, bar: Progress) -> None:
        train, validation = self.estimate(self.train, batches), self.estimate(self.validation, batches)
        self.history.add_evaluation(self.step, train, validation)
        bar.write(f"step {self.step}: train loss {train:.4f}, validation loss {validation:.4f}")

    def estimate(self, windows: TokenWindows, batches: int) -> float:
        """Mean loss over `batches` batches spread over all of `windows`; always the same ones."""
        self.model.eval()
        losses = [self._evaluation_loss(*self._on_device(batch)).item() for batch in windows.spread(batches)]
        self.model.train()
        return math.fsum(losses) / len(losses)

    def _on_device(self, batch: Batch) -> tuple[Tensor, Tensor]:
        tokens, targets = batch
        return Tensor(tokens, device=self.device), Tensor(targets, device=self.device)

    @property
    def tokens_per_step(self) -> int:
        """Tokens that one optimizer step learns from."""
        return self.train.batch * self.train.context

    @property
    def tokens_per_second(self) -> float:
        """Training speed of this process, without evaluations and its first steps, which compile.

        The one that a checkpoint tells of, where this process has done no step.
        """
        return self._clock.rate() * self.tokens_per_step or self._saved_rate

    # ---- what is saved ----

    def save(self, path: PathLike, manifest: Mapping[str, Any]) -> None:
        """Write a checkpoint with which `restore` continues bit for bit; `manifest` is added to its own."""
        own = {
            "step": self.step,
            "seconds": self.seconds,
            "plan": asdict(self.plan),
            "history": self.history.to_json(),
            "tokens_per_second": self.tokens_per_second,
            "batches": self.generator.bit_generator.state,
            "random": list(default_generator.state()),
        }
        groups = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        write_checkpoint(path, groups, {**manifest, **own})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over the state of a checkpoint; the plan stays as it is.

        Raises:
            FileFormatError: it holds tensors of other names, shapes or dtypes, lacks a part, or has one that makes no
                sense; nothing is changed then.
        """
        table, state = checkpoint.checked, {}
        step, seconds = table.integer("step", high=MOST_STEPS), table.number("seconds")
        rate, history = table.number("tokens_per_second"), History.from_json(table.table("history"))
        generator, (seed, counter) = _generator(table.table("batches")), _random_state(table)
        for name, owner in (("model", self.model), ("optimizer", self.optimizer)):
            stored = checkpoint.group(name)
            require_same_layout(checkpoint.path, owner.state_dict(), stored)
            state[name] = stored
        for name, owner in (("model", self.model), ("optimizer", self.optimizer)):
            owner.load_state_dict({key: to_tensor(value, self.device) for key, value in state[name].items()})
        self.step, self.seconds = step, seconds
        self.schedule.step(self.step)
        self._saved_rate, self.history, self.generator = rate, history, generator
        default_generator.set_state((seed, counter))


def _generator(table: JsonTable) -> np.random.Generator:
    """The generator whose state a checkpoint has."""
    generator = np.random.default_rng()
    try:
        generator.bit_generator.state = table.values
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
        raise FileFormatError(table.path, f"{table.what} is no state of a generator ({error})") from None
    return generator


def _random_state(table: JsonTable) -> tuple[int, int]:
    values = table.entry("random")
    if not isinstance(values, list) or len(values) != 2:
        raise FileFormatError(table.path, f"random in {table.what} must be the seed and the counter of a generator")
    numbers = JsonTable(table.path, table.what, dict(zip(("random seed", "random counter"), values)))
    seed, counter = (numbers.integer(name, high=(1 << 64) - 1) for name in numbers.values)
    return seed, counter


class _Clock:
    """Steps per second, without what lies between a `lap` and the next `start`."""

    def __init__(self) -> None:
        self.steps = 0  # since the last lap
        self._mark = 0.0
        self._compiling, self._running = (0, 0.0), (0, 0.0)  # (steps, seconds) of the first steps and of the others

    def start(self) -> None:
        self._mark = time.monotonic()

    def is_due(self) -> bool:
        """Whether a reader should hear something: after each of the first steps, and twice a second."""
        return self._compiling[0] < COMPILING_STEPS or time.monotonic() - self._mark > 0.5

    def lap(self) -> tuple[int, float]:
        """(steps since the last lap, steps per second over them)."""
        now = time.monotonic()
        steps, seconds = self.steps, max(now - self._mark, 1e-9)
        self.steps, self._mark = 0, now
        if self._compiling[0] < COMPILING_STEPS:
            self._compiling = (self._compiling[0] + steps, self._compiling[1] + seconds)
        else:
            self._running = (self._running[0] + steps, self._running[1] + seconds)
        return steps, steps / seconds

    def rate(self) -> float:
        """Steps per second after the first steps; of those where there are no others; 0 before any."""
        steps, seconds = self._running if self._running[0] else self._compiling
        return steps / seconds if steps else 0.0
