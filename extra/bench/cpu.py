"""lazygrad against PyTorch on this machine's CPU: `python -m extra.bench.cpu [--only NAME ...]`.

Both sides are written as their users would write them. lazygrad runs under `jit` (as a training loop does) and plainly.
Where PyTorch can write into memory that is already there (`out=`), that faster form is a side of its own, because a
fresh large output costs it page faults that lazygrad's pool avoids.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extra.bench import harness
from extra.bench.harness import Case, Side

THREADS = harness.use_equal_threads()

import torch  # noqa: E402 - the number of threads has to be in the environment before
from torch.nn import functional  # noqa: E402

from extra.bench import torch_gpt  # noqa: E402

torch.set_num_threads(THREADS)

ArrayF = NDArray[np.float32]
MIB = 1 << 20


def normal(*shape: int, seed: int = 0) -> ArrayF:
    """Standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def torch_side(function: Callable[..., Any], inputs: Sequence[Sequence[Any]]) -> Side:
    """`function` of the inputs whose turn it is, without recording for gradients."""
    tensors = [tuple(torch.from_numpy(a) for a in arrays) for arrays in inputs]

    def side(number: int) -> Any:
        with torch.no_grad():
            return function(*tensors[number % len(tensors)])

    return side


def our_sides(function: Callable[..., Any], inputs: Sequence[Sequence[Any]]) -> dict[str, Side]:
    """`function` under `jit`, and as it is, of the inputs whose turn it is."""
    from lazygrad import Tensor, jit, synchronize

    tensors = [tuple(Tensor(a).realize() for a in arrays) for arrays in inputs]

    def side(called: Callable[..., Any], number: int) -> Any:
        result = called(*tensors[number % len(tensors)]).realize()
        synchronize()
        return result

    return {"lazygrad": partial(side, jit(function)), "lazygrad, no jit": partial(side, function)}


def forward(
    name: str,
    inputs: Sequence[Sequence[Any]],
    theirs: Callable[..., Any],
    ours: Callable[..., Any],
    into: Callable[..., Any] | None = None,
    **rates: float,
) -> Case:
    """A case of one function of arrays. `into(out, *arrays)` is PyTorch writing into an existing result."""
    sides = {"torch": torch_side(theirs, inputs)}
    if into is not None:
        with torch.no_grad():
            out = theirs(*(torch.from_numpy(a) for a in inputs[0]))
        sides["torch, out="] = torch_side(partial(into, out), inputs)
    return Case(name, sides | our_sides(ours, inputs), **rates)


def gemm(size: int) -> Case:
    inputs = [(normal(size, size, seed=2 * i), normal(size, size, seed=2 * i + 1)) for i in range(3)]
    into = lambda out, a, b: torch.mm(a, b, out=out)  # noqa: E731 - a table of one-line programs reads best as such
    return forward(f"GEMM {size}³ fp32", inputs, torch.mm, lambda a, b: a @ b, into, flops=2.0 * size**3)


def rows() -> list[tuple[ArrayF]]:
    return [(normal(4096, 2048, seed=i),) for i in range(3)]


def softmax() -> Case:
    return forward(
        "softmax 4096×2048",
        rows(),
        lambda x: x.softmax(-1),
        lambda x: x.softmax(-1),
        lambda out, x: torch.softmax(x, -1, out=out),
        nbytes=2 * 32 * MIB,
    )


def layernorm() -> Case:
    return forward(
        "LayerNorm 4096×2048",
        rows(),
        lambda x: functional.layer_norm(x, (2048,)),
        lambda x: x.layernorm(),
        nbytes=2 * 32 * MIB,
    )


def exponential() -> Case:
    inputs = [(normal(16 * MIB, seed=i),) for i in range(2)]
    into = lambda out, x: torch.exp(x, out=out)  # noqa: E731
    return forward("exp of 64 MiB", inputs, torch.exp, lambda x: x.exp(), into, nbytes=2 * 64 * MIB)


def affine_relu() -> Case:
    return forward(
        "relu(2x+1) 4096×2048",
        rows(),
        lambda x: torch.relu(2 * x + 1),
        lambda x: (2 * x + 1).relu(),
        lambda out, x: torch.mul(x, 2, out=out).add_(1).relu_(),
        nbytes=2 * 32 * MIB,
    )


def column_sum() -> Case:
    return forward("column sum 4096×2048", rows(), lambda x: x.sum(0), lambda x: x.sum(0), nbytes=32 * MIB)


def cross_entropy() -> Case:
    labels = np.random.default_rng(9).integers(0, 50257, 1024)
    inputs = [(normal(1024, 50257, seed=i), labels) for i in range(2)]
    return forward(
        "cross-entropy 1024×50257",
        inputs,
        functional.cross_entropy,
        lambda x, y: x.cross_entropy(y),
        nbytes=4 * 1024 * 50257,
    )


def attention() -> Case:
    inputs = [tuple(normal(1, 12, 1024, 64, seed=3 * i + j) for j in range(3)) for i in range(3)]
    return forward(
        "causal attention 1×12×1024×64",
        inputs,
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=True),
        lambda q, k, v: q.scaled_dot_product_attention(k, v, is_causal=True),
        flops=4.0 * 12 * 1024 * 1024 * 64 / 2,
    )


def convolution() -> Case:
    weight, bias = normal(64, 64, 3, 3, seed=7) / 24, normal(64, seed=8)
    inputs = [(normal(8, 64, 56, 56, seed=i), weight, bias) for i in range(3)]
    return forward(
        "conv 3×3, 8×64×56×56, 64 filters",
        inputs,
        lambda x, w, b: functional.conv2d(x, w, b, padding=1),
        lambda x, w, b: x.conv2d(w, b, padding=1),
        flops=2.0 * 8 * 64 * 64 * 9 * 56 * 56,
    )


def adamw() -> Case:
    """One optimizer step over 40M parameters in 40 tensors; the result compared is one parameter after equal steps."""
    shapes = [(1000, 1000)] * 40
    values = [normal(*shape, seed=i) for i, shape in enumerate(shapes)]
    gradients = [normal(*shape, seed=100 + i) for i, shape in enumerate(shapes)]

    def theirs(**options: bool) -> Side:
        parameters = [torch.nn.Parameter(torch.from_numpy(v.copy())) for v in values]
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = torch.from_numpy(gradient)
        optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.1, **options)

        def side(_: int) -> Any:
            optimizer.step()
            return parameters[0]

        return side

    def ours(compiled: bool) -> Side:
        from lazygrad import Tensor, jit, optim, synchronize

        parameters = [Tensor(v, requires_grad=True).realize() for v in values]
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = Tensor(gradient).realize()
        optimizer = optim.AdamW(parameters, lr=1e-3, weight_decay=0.1)
        step = jit(optimizer.step) if compiled else optimizer.step

        def side(_: int) -> Any:
            step()
            parameters[0].realize()
            synchronize()
            return parameters[0]

        return side

    sides = {"torch": theirs(), "torch, fused": theirs(fused=True)}
    sides |= {"lazygrad": ours(True), "lazygrad, no jit": ours(False)}
    return Case("AdamW, 40M parameters", sides, nbytes=4 * 40e6 * 7)


def char_gpt() -> Case:
    """A whole training step: forward, backward, clipping by norm, AdamW; 4 layers, 128 wide, batch 12 × 64."""
    from extra.bench import our_gpt

    sizes = torch_gpt.Sizes()
    rng = np.random.default_rng(1)
    batches = [rng.integers(0, sizes.vocabulary, (2, sizes.batch, sizes.context)) for _ in range(8)]
    torch.manual_seed(0)
    start = torch_gpt.CharGPT(sizes).state_dict()

    def theirs(fused: bool) -> Side:
        model = torch_gpt.CharGPT(sizes)
        model.load_state_dict(start)
        step = torch_gpt.training_step(sizes, model, fused=fused)
        tensors = [torch.from_numpy(b) for b in batches]
        return lambda number: step(*tensors[number % len(tensors)])

    sides = {"torch": theirs(False), "torch, fused AdamW": theirs(True)}
    weights = {name: value.numpy() for name, value in start.items()}
    return Case("char GPT training step", sides | our_gpt.sides(sizes, weights, batches), tolerance=1e-4)


CASES: dict[str, Callable[[], Case]] = {
    "char-gpt": char_gpt,
    "gemm-1024": partial(gemm, 1024),
    "gemm-512": partial(gemm, 512),
    "softmax": softmax,
    "layernorm": layernorm,
    "exp": exponential,
    "affine-relu": affine_relu,
    "column-sum": column_sum,
    "cross-entropy": cross_entropy,
    "attention": attention,
    "adamw": adamw,
    "conv": convolution,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=40, help="at most so many rounds per case")
    parser.add_argument("--budget", type=float, default=15.0, help="about so many seconds per case")
    parser.add_argument("--name", default="cpu", help="of the result files")
    arguments = parser.parse_args()
    chosen = {name: CASES[name] for name in arguments.only}
    return harness.run(arguments.name, "lazygrad and PyTorch on a CPU", chosen, arguments.rounds, arguments.budget)


if __name__ == "__main__":
    sys.exit(main())
