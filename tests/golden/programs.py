"""A dozen programs and, for each, every stage on the way to its source as text."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lazygrad import Tensor
from lazygrad.engine.compile import compile_kernel, plain_program
from lazygrad.ir.show import text as graph_text
from lazygrad.runtime.base import DeviceInfo
from lazygrad.schedule.kernel import Kernel, schedule
from lazygrad.settings import settings
from lazygrad.tiling.show import text as program_text

CPU = DeviceInfo(
    kind="cpu", units=8, vector_bytes=32, fp16=False, fp64=True, local_bytes=1 << 15, max_alloc=1 << 32, max_group=1024,
    alignment=128, l1_bytes=1 << 15, l2_bytes=1 << 20, bandwidth_gbs=20.0, peak_gflops=100.0,
    description="a CPU with vectors of 8 floats", fingerprint="golden",
)  # fmt: skip


def floats(*shape: int, requires_grad: bool = False) -> Tensor:
    return Tensor(np.zeros(shape, np.float32), requires_grad=requires_grad)


def classes(*shape: int) -> Tensor:
    return Tensor(np.zeros(shape, np.int64))


def embedding_gradient() -> Tensor:
    table = floats(10, 16, requires_grad=True)
    table[classes(6)].sum().backward()
    assert table.grad is not None
    return table.grad


PROGRAMS: dict[str, Callable[[], Tensor]] = {
    "elementwise": lambda: (floats(4, 100) * 2 + floats(100)).relu(),
    "views": lambda: floats(3, 8).T.flip(0).pad((1, 2)) + 1,
    "sum_of_rows": lambda: floats(64, 128).sum(-1),
    "sum_of_columns": lambda: floats(64, 128).sum(0),
    "softmax": lambda: floats(64, 96).softmax(-1),
    "layernorm": lambda: floats(64, 96).layernorm(),
    "argmax": lambda: floats(64, 96).argmax(-1),
    "matmul": lambda: (floats(24, 16) @ floats(16, 32) + floats(32)).relu(),
    "embedding": lambda: floats(10, 16)[classes(6)],
    "embedding_gradient": embedding_gradient,
    "cumsum": lambda: floats(8, 5).cumsum(-1),
    "half": lambda: floats(4, 64).half().exp(),
}


def stages(name: str) -> str:
    """Graph, schedule, and each kernel's plain program, optimized program and source."""
    with settings.override(device="NUMPY"):
        root = PROGRAMS[name]().node
    kernels = schedule([root]).kernels
    parts = [("graph", graph_text([root])), ("schedule", "\n".join(map(_summary, kernels)))]
    for i, kernel in enumerate(kernels):
        made = compile_kernel(kernel, {}, CPU)
        parts += [
            (f"kernel {i}: plain program", program_text(plain_program(kernel, {}))),
            (f"kernel {i}: optimized program", program_text(made.program)),
            (f"kernel {i}: source", made.compiled.source.text),
        ]
    return "\n".join(f"==== {title} ====\n{text.strip()}\n" for title, text in parts)


def _summary(kernel: Kernel) -> str:
    members = ", ".join(f"{m.node.op.name.lower()} {list(m.node.shape)}" for m in kernel.group.members)
    kind, outer = kernel.group.kind.name.lower(), list(kernel.group.outer)
    return f"{kind} over {outer}: {members}; {len(kernel.inputs)} inputs, {len(kernel.outputs)} outputs"
