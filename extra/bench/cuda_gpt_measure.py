"""GPT-2 trained and decoding on both sides, from the same weights: losses and logits are compared, then times."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from extra.bench import cuda_torch
from extra.bench.cuda_gpt import Decoder, model_of, training_step
from extra.bench.cuda_place import Place, Run, void
from extra.bench.cuda_rows import Row, failed, timed
from extra.bench.torch_gpt import CharGPT
from lazygrad import Tensor, dtypes, jit, no_grad

Array = np.ndarray[Any, Any]
Step = Callable[[int], float]  # number of a step -> its loss, which has been waited for
COMPARED = 4  # steps, or positions, before any time is taken
LOSS_TOLERANCE = 2e-2  # nats, of losses around 10: what bfloat16 leaves
LOGIT_TOLERANCE = 3e-2  # of the largest logit
LEAST_TIMES, MOST_TIMES = 3, 30


def new_weights(place: Place) -> dict[str, Array]:
    """A model's random parameters, by name. Matrices keep the size of what they are applied to, so that every part of
    the model shows in its logits; as they usually start, the loss is about the same whatever the model does."""
    torch.manual_seed(0)
    named = {name: p.detach() for name, p in CharGPT(place.gpt).named_parameters()}
    scale = place.gpt.width**-0.5
    return {name: (p * (scale / p.std()) if p.ndim == 2 else p).numpy() for name, p in named.items()}


def their_model(place: Place, weights: dict[str, Array]) -> CharGPT:
    """PyTorch's model with these weights."""
    model = CharGPT(place.gpt)
    model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return model.to(place.torch_device)


def training(place: Place, budget_s: float) -> list[Row]:
    """Steps of AdamW, in bfloat16 with parameters in float32; a side that fails does not lose the others."""
    weights, rng = new_weights(place), np.random.default_rng(0)
    batches = rng.integers(0, place.gpt.vocabulary, (COMPARED, 2, place.gpt.batch, place.gpt.context))
    makes: dict[str, Callable[[], Step]] = {
        "torch.compile": lambda: their_steps(place, weights, batches, compiled=True),
        "torch": lambda: their_steps(place, weights, batches, compiled=False),
        "lazygrad": lambda: our_steps(place, weights, batches),
    }
    losses: dict[str, list[float]] = {}
    rows: list[Row] = []
    tokens = place.gpt.tokens
    for side, make in makes.items():
        try:
            step = make()
            losses[side] = [step(n) for n in range(COMPARED)]
            seconds = _median_seconds(step, budget_s / len(makes))
            remark = "losses " + ", ".join(f"{loss:.3f}" for loss in losses[side])
            rate, reference = (
                f"{tokens / seconds:.0f} tokens/s",
                next((r["seconds"] for r in rows if "speed" in r), seconds),
            )
            rows.append(timed(side, seconds, rate, reference, remark, _wrong_losses(losses, side)))
        except Exception as error:  # noqa: BLE001 - see above
            rows.append(failed(side, error))
        step = None
        place.clear()
    return rows


def _wrong_losses(losses: dict[str, list[float]], side: str) -> str:
    """In what the losses of a side are not those of the sides before it."""
    for other, theirs in losses.items():
        off = max(abs(a - b) for a, b in zip(losses[side], theirs))
        if not off <= LOSS_TOLERANCE:
            return f"losses {losses[side]} are off by {off:.3f} from those of {other}, {theirs}"
    return ""


def their_steps(place: Place, weights: dict[str, Array], batches: Array, *, compiled: bool) -> Step:
    """PyTorch's steps."""
    step = cuda_torch.training_step(their_model(place, weights), place, compiled=compiled)
    inputs = torch.tensor(batches, device=place.torch_device)
    return lambda n: step(*inputs[n % COMPARED]).item()


def our_steps(place: Place, weights: dict[str, Array], batches: Array) -> Step:
    """lazygrad's steps, compiled by `jit`."""
    with place.chosen():
        step = jit(training_step(model_of(place.gpt, weights)))
        inputs = [tuple(Tensor(part).realize() for part in batch) for batch in batches]

    def run(n: int) -> float:
        with place.chosen():
            return float(step(*inputs[n % COMPARED]).item())

    return run


def decoding(place: Place, budget_s: float) -> list[Row]:
    """Greedy decoding of one sequence, parameters and cache in bfloat16; the cache has room for the whole context."""
    weights, length = new_weights(place), place.gpt.context
    theirs = cuda_torch.Decoder(their_model(place, weights), place, length)
    with place.chosen():
        ours = Decoder(model_of(place.gpt, weights).to(dtypes.bfloat16), length)
    makes: dict[str, Callable[[], tuple[Run, Run, str]]] = {
        "torch.compile": lambda: (place.captured(theirs.step), theirs.restart, ""),
        "lazygrad": lambda: (our_token(ours), ours.restart, _wrong_logits(place, theirs, ours)),
    }
    rows: list[Row] = []
    for side, make in makes.items():
        try:
            run, restart, wrong = make()
            seconds = _token_seconds(run, restart, place, budget_s / 4)
            reference = next((r["seconds"] for r in rows if "speed" in r), seconds)
            rows.append(timed(side, seconds, f"{1 / seconds:.0f} tokens/s", reference, wrong=wrong))
        except Exception as error:  # noqa: BLE001 - a side that fails does not lose the other
            rows.append(failed(side, error))
    return rows


def _wrong_logits(place: Place, theirs: cuda_torch.Decoder, ours: Decoder) -> str:
    """In what lazygrad's logits of the first few positions are not PyTorch's."""
    for position in range(COMPARED):
        where = [torch.tensor([n], device=place.torch_device) for n in (7 * position, position)]
        with torch.no_grad():
            wanted = theirs.logits(*where).float().cpu().numpy()
        with place.chosen(), no_grad():
            got = ours.logits(*(Tensor(np.array([n])) for n in (7 * position, position))).float().numpy()
        off = np.abs(got - wanted).max() / np.abs(wanted).max()
        if not off <= LOGIT_TOLERANCE:
            return f"the logits at position {position} are off by {off:.2e}"
    return ""


def our_token(ours: Decoder) -> Run:
    """One token by lazygrad, compiled by `jit`."""
    step = jit(ours.step)
    return lambda: void(step().realize())


def _token_seconds(run: Run, restart: Run, place: Place, budget_s: float) -> float:
    """Median seconds of a token; every sample starts at the first position, so that none leaves the cache."""

    def several(_: int) -> None:
        restart()
        for _ in range(place.decoded):
            run()
        place.wait()

    with place.chosen():
        for n in range(COMPARED):
            several(n)
        return _median_seconds(several, budget_s) / place.decoded


def _median_seconds(step: Callable[[int], Any], budget_s: float) -> float:
    """Of steps that are waited for; LEAST_TIMES are taken however long they last."""
    times: list[float] = []
    end = time.perf_counter() + budget_s
    while len(times) < LEAST_TIMES or (len(times) < MOST_TIMES and time.perf_counter() < end):
        start = time.perf_counter()
        step(len(times))
        times.append(time.perf_counter() - start)
    return float(np.median(times))
