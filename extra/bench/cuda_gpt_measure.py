"""GPT-2 trained and decoding on both sides, from the same weights: losses and logits are compared, then times."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from extra.bench import cuda_torch
from extra.bench.cuda_gpt import Decoder, model_of, training_step
from extra.bench.cuda_place import Place, Run
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
    """A model's random parameters, by name."""
    torch.manual_seed(0)
    return {name: p.detach().numpy() for name, p in CharGPT(place.gpt).named_parameters()}


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
    found: dict[str, float] = {}
    errors = []
    for side, make in makes.items():
        try:
            losses[side], found[side] = _trained(make(), losses, budget_s / len(makes))
        except Exception as error:  # noqa: BLE001 - see above
            errors.append(failed(side, error))
        place.clear()
    reference, tokens = next(iter(found.values()), 0.0), place.gpt.tokens
    rows = []
    for side, seconds in found.items():
        remark = "losses " + ", ".join(f"{loss:.3f}" for loss in losses[side])
        rows.append(timed(side, seconds, f"{tokens / seconds:.0f} tokens/s", reference, remark))
    return rows + errors


def _trained(step: Step, before: dict[str, list[float]], budget_s: float) -> tuple[list[float], float]:
    """(the first losses, median seconds of a step); ValueError where the losses are not those of the side before."""
    losses = [step(n) for n in range(COMPARED)]
    for side, theirs in before.items():
        off = max(abs(a - b) for a, b in zip(losses, theirs))
        if not off <= LOSS_TOLERANCE:
            raise ValueError(f"losses {losses} are off by {off:.3f} from those of {side}, {theirs}")
    return losses, _median_seconds(step, budget_s)


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
    found, errors = {}, []
    makes: dict[str, Callable[[], Run]] = {
        "torch.compile": lambda: place.captured(theirs.step),
        "lazygrad": lambda: our_decoding(place, theirs, ours),
    }
    restarts = {"torch.compile": theirs.restart, "lazygrad": ours.restart}
    for side, make in makes.items():
        try:
            found[side] = _token_seconds(make(), restarts[side], place, budget_s / 4)
        except Exception as error:  # noqa: BLE001 - a side that fails does not lose the other
            errors.append(failed(side, error))
    reference = next(iter(found.values()), 0.0)
    return [timed(side, s, f"{1 / s:.0f} tokens/s", reference) for side, s in found.items()] + errors


def our_decoding(place: Place, theirs: cuda_torch.Decoder, ours: Decoder) -> Run:
    """One token by lazygrad, compiled by `jit`; ValueError where the logits of the first are not PyTorch's."""
    for position in range(COMPARED):
        where = [torch.tensor([n], device=place.torch_device) for n in (7 * position, position)]
        with torch.no_grad():
            wanted = theirs.logits(*where).float().cpu().numpy()
        with place.chosen(), no_grad():
            got = ours.logits(*(Tensor(np.array([n])) for n in (7 * position, position))).float().numpy()
        off = np.abs(got - wanted).max() / np.abs(wanted).max()
        if not off <= LOGIT_TOLERANCE:
            raise ValueError(f"the logits at position {position} are off by {off:.2e}")
    step = jit(ours.step)

    def run() -> None:
        with place.chosen():
            step().realize()

    return run


def _token_seconds(run: Run, restart: Run, place: Place, budget_s: float) -> float:
    """Median seconds of a token; every sample starts at the first position, so that none leaves the cache."""

    def several(_: int) -> None:
        restart()
        for _ in range(place.decoded):
            run()
        place.wait()

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
