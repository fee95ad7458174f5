"""Peak live bytes of a training step, lazygrad and PyTorch: `python -m extra.bench.memory`.

PyTorch's CPU allocator keeps no peak of its own. It does report every allocation and every release to the profiler,
with the bytes asked for; summed up in order of time from before the model was made, they give the live bytes at every
moment. What is left after the steps must be weights, gradients and AdamW's two moments: four times the parameters,
which is checked. lazygrad's pool counts live bytes in the same way, also as asked for. Neither includes what a process
holds besides tensors (code, thread stacks, scratch memory of the math library, blocks kept for reuse).
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from extra.bench import harness, torch_gpt

STEPS = 4
MIB = 1 << 20


def batches_for(sizes: torch_gpt.Sizes) -> list[Any]:
    """One (inputs, targets) of random tokens per step."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, sizes.vocabulary, (2, sizes.batch, sizes.context)) for _ in range(STEPS)]


def torch_bytes(sizes: torch_gpt.Sizes) -> tuple[int, int, int]:
    """(peak live bytes, live bytes at the end, parameters) of a few steps."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        model = torch_gpt.CharGPT(sizes)
        step = torch_gpt.training_step(sizes, model, fused=False)
        for inputs, targets in batches_for(sizes):
            step(torch.from_numpy(inputs), torch.from_numpy(targets))
    results = profiler.profiler.kineto_results  # type: ignore[union-attr]
    changes = [event for event in results.events() if event.name() == "[memory]"]
    changes.sort(key=lambda event: event.start_ns())
    live = np.cumsum([event.nbytes() for event in changes])
    return int(live.max()), int(live[-1]), sum(p.numel() for p in model.parameters())


def our_bytes(sizes: torch_gpt.Sizes) -> tuple[int, int]:
    """(peak live bytes of steady steps, live bytes after them)."""
    from extra.bench import our_gpt
    from lazygrad.runtime.registry import open_device

    start = {name: value.numpy() for name, value in torch_gpt.CharGPT(sizes).state_dict().items()}
    batches = batches_for(sizes)
    side = our_gpt.sides(sizes, start, batches)["lazygrad"]
    del start
    for number in range(STEPS):
        side(number)
    pool = open_device().pool
    pool.reset_peak()
    for number in range(STEPS):
        side(number)
    return pool.peak_bytes, pool.live_bytes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="memory", help="of the result file")
    name = parser.parse_args().name
    sizes = torch_gpt.Sizes()
    peak, left, parameters = torch_bytes(sizes)
    if abs(left - 12 * parameters) > 0.02 * left:
        raise RuntimeError(f"PyTorch is left with {left} bytes, not 12 for each of {parameters} parameters")
    our_peak, our_left = our_bytes(sizes)
    result = {
        "machine": harness.machine(),
        "parameters": parameters,
        "torch": {"peak_mib": peak / MIB, "after_mib": left / MIB},
        "lazygrad": {"peak_mib": our_peak / MIB, "after_mib": our_left / MIB},
        "ratio": our_peak / peak,
    }
    print(json.dumps(result, indent=1))
    path = harness.RESULTS / f"{name}-{harness.machine()['date'][:10]}.json"
    harness.write_atomically(path, json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
