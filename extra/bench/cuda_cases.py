"""What is timed on a GPU, as the same function of lazygrad's tensors and of PyTorch's: products, rows, elementwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional

from lazygrad.settings import settings

Shape = tuple[int, ...]
Function = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """One piece of work.

    Args:
        inputs: shapes of its arguments, all of `dtype`, random normal.
        ours, theirs: the work on lazygrad's tensors, and with PyTorch's best library calls.
        flops: multiply-adds counted as two.
        nbytes: what has to be moved at least.
        tolerance: the largest absolute difference, relative to the largest value, between the two results.
        compiled: whether `torch.compile` could make it faster.
    """

    name: str
    inputs: tuple[Shape, ...]
    dtype: str
    ours: Function
    theirs: Function
    flops: float = 0.0
    nbytes: float = 0.0
    tolerance: float = 2e-2
    compiled: bool = True


def _elements(*shapes: Shape) -> int:
    total = 0
    for shape in shapes:
        count = 1
        for n in shape:
            count *= n
        total += count
    return total


def product(size: int, dtype: str, tolerance: float = 2e-2) -> Case:
    """A square matrix product."""
    square = (size, size)
    nbytes = 3 * _elements(square) * (4 if dtype == "float32" else 2)
    return Case(
        f"gemm {dtype} {size}",
        (square, square),
        dtype,
        lambda a, b: a @ b,
        lambda a, b: a @ b,
        2.0 * size**3,
        nbytes,
        tolerance,
        compiled=False,
    )


@contextmanager
def _tf32() -> Iterator[None]:
    """Factors of float32 products may be rounded to TF32, on both sides."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        with settings.override(float32_matmul_precision="high"):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def tf32_product(size: int) -> Case:
    """A square product of float32 matrices on matrix units."""
    exact = product(size, "float32", 2e-3)
    rounded = _tf32()(exact.theirs)
    return replace(exact, name=f"gemm tf32 {size}", ours=rounded, theirs=rounded)


def linear(name: str, depth: int, width: int, *, act: bool = False, residual: bool = False, rows: int = 8192) -> Case:
    """One of GPT-2's linear layers with what follows it: bias, GELU, or the residual stream."""
    inputs: tuple[Shape, ...] = ((rows, depth), (width, depth), (width,))
    if residual:
        inputs = (*inputs, (rows, width))

    def ours(x: Any, w: Any, b: Any, *rest: Any) -> Any:
        y = x @ w.T + b
        y = y.gelu() if act else y
        return y + rest[0] if rest else y

    def theirs(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        y = functional.linear(x, w, b)
        y = functional.gelu(y) if act else y
        return y + rest[0] if rest else y

    nbytes = 2 * _elements(*inputs, (rows, width))
    return Case(name, inputs, "bfloat16", ours, theirs, 2.0 * rows * depth * width, nbytes)


def rows_case(name: str, ours: Function, theirs: Function) -> Case:
    """A pass over 8192 rows of 4096 bfloat16 numbers."""
    shape = (8192, 4096)
    return Case(f"{name} 8192x4096", (shape,), "bfloat16", ours, theirs, nbytes=4 * _elements(shape))


CASES = [
    rows_case("copy", lambda x: x.contiguous() + 0, torch.clone),
    rows_case("axpb", lambda x: x * 2 + 1, lambda x: x * 2 + 1),
    rows_case("softmax", lambda x: x.softmax(-1), lambda x: torch.softmax(x, -1)),
    rows_case("layernorm", lambda x: x.layernorm(), lambda x: functional.layer_norm(x, x.shape[-1:])),
    product(8192, "bfloat16"),
    product(4096, "bfloat16"),
    product(4096, "float16"),
    product(4096, "float32", 1e-4),
    tf32_product(4096),
    linear("gpt2 768->2304 bias", 768, 2304),
    linear("gpt2 768->3072 bias gelu", 768, 3072, act=True),
    linear("gpt2 3072->768 bias residual", 3072, 768, residual=True),
    linear("gpt2 768->50304 bias", 768, 50304),
]
