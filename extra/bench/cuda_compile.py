"""Compiling the kernels of every case for GPUs that are not here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from extra.bench.cuda_cases import CASES, Case
from extra.bench.cuda_gpt import Decoder, mixed_loss, model_of
from extra.bench.cuda_place import GPT2
from extra.bench.cuda_rows import Row
from extra.bench.planned import compiled, graphs, kernel_sources, placeholder
from extra.bench.torch_gpt import Sizes
from lazygrad import Tensor, dtypes
from lazygrad.dtype import BY_NAME
from lazygrad.ir.node import Node
from lazygrad.runtime.cuda_device import planned_info

Make = Callable[[], list[Tensor]]
LAYERS = 2  # the others have the same kernels


def of_case(case: Case) -> list[Tensor]:
    """The result of a case over inputs that hold nothing."""
    return [case.ours(*(placeholder(*shape, dtype=BY_NAME[case.dtype]) for shape in case.inputs))]


def gpt2_step() -> list[Tensor]:
    """The loss and all gradients of GPT-2, two layers of it."""
    sizes = Sizes(LAYERS, GPT2.heads, GPT2.width, GPT2.context, GPT2.batch, GPT2.vocabulary)
    model = model_of(sizes)
    parameters = list(model.parameters())
    for p in parameters:
        p.node = placeholder(*p.shape).node
    tokens, targets = (placeholder(sizes.batch, sizes.context, dtype=dtypes.int64) for _ in range(2))
    loss = mixed_loss(model, tokens, targets)
    loss.backward()
    return [loss, *(p.grad for p in parameters if p.grad is not None)]


def gpt2_decode() -> list[Tensor]:
    """One token of GPT-2, two layers of it."""
    model = model_of(Sizes(LAYERS, GPT2.heads, GPT2.width, GPT2.context, 1, GPT2.vocabulary))
    for p in model.parameters():
        p.node = placeholder(*p.shape, dtype=dtypes.bfloat16).node
    decoder = Decoder(model, GPT2.context)
    return [decoder.step(), *decoder.keys, *decoder.values]


def works(architectures: Sequence[str]) -> dict[str, Callable[[], list[Row]]]:
    """Name of a case -> a function that compiles it for every architecture."""
    made: dict[str, Make] = {case.name: partial(of_case, case) for case in CASES}
    made |= {"gpt2 training step": gpt2_step, "gpt2 decode": gpt2_decode}
    return {name: partial(_rows, make, architectures) for name, make in made.items()}


def _rows(make: Make, architectures: Sequence[str]) -> list[Row]:
    nodes = graphs(make)
    return [_row(nodes, arch) for arch in architectures]


def _row(nodes: Sequence[Node], arch: str) -> Row:
    start = time.perf_counter()
    cubins = compiled(kernel_sources(nodes, planned_info(arch)), arch)
    seconds = time.perf_counter() - start
    registers = max(cubin.resources.registers for cubin in cubins)
    problems = [f"{c.source.name}: {', '.join(c.resources.problems)}" for c in cubins if c.resources.problems]
    remark = "; ".join(problems) or f"at most {registers} registers, no spills"
    row = {"side": arch, "kernels": len(cubins), "time": f"{seconds:.2f} s", "rate": f"{len(cubins)} kernels"}
    return {**row, "remark": remark, "text": f"{len(cubins)} kernels in {seconds:.2f} s, {remark}"}
