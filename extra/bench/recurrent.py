"""A recurrent net against PyTorch on this machine's CPU: `python -m extra.bench.recurrent [--first]`.

An LSTM of 100 steps, 64 -> 256, batch 32, forward and backward. `--first` measures the first call instead: seconds, and
seconds of CPU, in a process of its own with an empty compile cache.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from extra.bench import harness
from extra.bench.harness import Case, Side

THREADS = harness.use_equal_threads()
STEPS, BATCH, FEATURES, HIDDEN = 100, 32, 64, 256
FLOPS = 2.0 * STEPS * BATCH * 4 * HIDDEN * (3 * HIDDEN + 2 * FEATURES)  # no gradient of the input is asked for


def inputs(seed: int) -> Any:
    """(steps, batch, features)."""
    return np.random.default_rng(seed).standard_normal((STEPS, BATCH, FEATURES), dtype=np.float32)


def training(model: Any) -> Callable[..., Any]:
    """One call forward and backward; gives the gradients, the state's weights' first. Ours and PyTorch's alike."""

    def step(x: Any) -> tuple[Any, ...]:
        for p in model.parameters():
            p.grad = None
        output, _ = model(x)
        (output * output).mean().backward()
        return model.weight_hh_l0.grad, *(p.grad for p in model.parameters())

    return step


def ours(start: dict[str, Any], jitted: bool, xs: list[Any]) -> Side:
    """lazygrad's side, with weights `start`."""
    from lazygrad import Tensor, jit, nn, synchronize

    model = nn.LSTM(FEATURES, HIDDEN)
    model.load_state_dict({k: Tensor(v) for k, v in start.items()})
    step = jit(training(model)) if jitted else training(model)
    tensors = [Tensor(x).realize() for x in xs]

    def side(number: int) -> Any:
        results = step(tensors[number % len(tensors)])
        Tensor.realize(*results)
        synchronize()
        return results[0]

    return side


def lstm() -> Case:
    """Forward and backward; what is compared is the gradient of the state's weights."""
    import torch

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    model = torch.nn.LSTM(FEATURES, HIDDEN)
    start = {k: v.numpy() for k, v in model.state_dict().items()}
    xs = [inputs(0), inputs(1)]
    tensors = [torch.from_numpy(x) for x in xs]
    step = training(model)
    sides: dict[str, Side] = {"torch": lambda number: step(tensors[number % 2])[0]}
    sides |= {"lazygrad": ours(start, True, xs), "lazygrad, no jit": ours(start, False, xs)}
    return Case(f"LSTM {STEPS}×{BATCH}, {FEATURES}->{HIDDEN}, training", sides, FLOPS, tolerance=1e-4)


def first_call() -> None:
    """Print how long the first call takes."""
    from lazygrad import Tensor, nn, synchronize

    model, x = nn.LSTM(FEATURES, HIDDEN), Tensor(inputs(0))
    wall, cpu = time.perf_counter(), time.process_time()
    Tensor.realize(*training(model)(x))
    synchronize()
    print(f"first call: {time.perf_counter() - wall:.2f} s, {time.process_time() - cpu:.2f} s of CPU")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", action="store_true", help="measure the first call, three times")
    parser.add_argument("--rounds", type=int, default=30, help="at most so many rounds")
    parser.add_argument("--budget", type=float, default=20.0, help="about so many seconds")
    arguments = parser.parse_args()
    if arguments.first:
        command = [sys.executable, "-c", "from extra.bench.recurrent import first_call; first_call()"]
        for _ in range(3):
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run(command, check=True, env={**os.environ, "LAZYGRAD_CACHE_DIR": folder})
        return 0
    title = "A recurrent net: PyTorch, lazygrad"
    return harness.run("recurrent", title, {"lstm": lstm}, arguments.rounds, arguments.budget)


if __name__ == "__main__":
    sys.exit(main())
