"""Programs for matrix units, as the passes make them for an A100 and an H200, and ways to change them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from unittest.mock import patch

import numpy as np

from lazygrad import Tensor, dtypes
from lazygrad.dtype import DType
from lazygrad.engine.compile import plain_program
from lazygrad.runtime.base import DeviceInfo
from lazygrad.schedule.kernel import schedule
from lazygrad.tiling import tensor_shape
from lazygrad.tiling.collapse import collapse
from lazygrad.tiling.contract import Contraction
from lazygrad.tiling.hopper import hopper
from lazygrad.tiling.hopper_shape import Shape, best_shape, shapes
from lazygrad.tiling.program import Program, Roles, Stmt
from lazygrad.tiling.tensorize import tensorize

AMPERE = DeviceInfo(
    kind="gpu",
    units=108,
    vector_bytes=16,
    fp16=True,
    fp64=True,
    local_bytes=163 << 10,
    max_alloc=1 << 34,
    max_group=1024,
    alignment=256,
    l1_bytes=192 << 10,
    l2_bytes=40 << 20,
    bandwidth_gbs=1500.0,
    peak_gflops=19_500.0,
    description="A100",
    fingerprint="A100",
    language="cuda",
    arch="sm_80",
    warp=32,
)
HOPPER = replace(AMPERE, units=132, local_bytes=227 << 10, description="H200", fingerprint="H200", arch="sm_90a")


def matrix(*shape: int, dtype: DType = dtypes.bfloat16) -> Tensor:
    """A stored tensor of zeros."""
    return Tensor(np.zeros(shape, "float32"), device="NUMPY").cast(dtype).realize()


def plain(y: Tensor) -> Program:
    """The one kernel that computes `y`, as loops."""
    (kernel,) = schedule([y.node]).kernels
    return collapse(plain_program(kernel, {}))


def linear(rows: int, depth: int, columns: int) -> Tensor:
    """relu(a @ b + c)."""
    return (matrix(rows, depth) @ matrix(depth, columns) + matrix(columns)).relu()


@contextmanager
def warp_groups(alternate: bool, splits: int = 1) -> Iterator[None]:
    """Products on warp groups that compute blocks in turns, or that share every block, with the depth in so many parts;
    plans from here are not kept."""

    def chosen(c: Contraction, info: DeviceInfo) -> Shape | None:
        wanted = [s for s in shapes(c, info) if s.alternates is alternate]
        return None if best_shape(c, info) is None else replace(wanted[0], splits=splits)

    with _shapes("lazygrad.tiling.hopper.best_shape", chosen):
        yield


@contextmanager
def warps(splits: int) -> Iterator[None]:
    """Products on warps' matrix units, with the depth in so many parts; plans from here are not kept."""

    def chosen(c: Contraction, dtype: DType, info: DeviceInfo) -> tensor_shape.Shape:
        return replace(tensor_shape.best_shape(c, dtype, info), splits=splits)

    with _shapes("lazygrad.tiling.tensorize.best_shape", chosen):
        yield


@contextmanager
def _shapes(name: str, chosen: Callable[..., object]) -> Iterator[None]:
    with ExitStack() as changed:
        changed.enter_context(patch(name, chosen))
        changed.enter_context(patch("lazygrad.engine.compile._stages", {}))
        changed.enter_context(patch("lazygrad.engine.run._runners", {}))
        changed.enter_context(patch("lazygrad.engine.plan_store.load", return_value=None))
        changed.enter_context(patch("lazygrad.engine.plan_store.save"))
        yield


def on_hopper(y: Tensor, alternate: bool = False, splits: int = 1) -> Program:
    with warp_groups(alternate, splits):
        program = hopper(plain(y), HOPPER)
    assert program is not None
    return program


def on_ampere(y: Tensor, splits: int = 1) -> Program:
    with warps(splits):
        program = tensorize(plain(y), AMPERE)
    assert program is not None
    return program


Change = Callable[[Stmt], Sequence[Stmt]]


def changed(program: Program, change: Change) -> Program:
    """`program` with each statement replaced by what `change` makes of it, inner ones first."""
    return replace(program, body=_body(program.body, change))


def _body(body: Sequence[Stmt], change: Change) -> tuple[Stmt, ...]:
    found: list[Stmt] = []
    for s in body:
        if isinstance(s, Roles):
            s = Roles(tuple(replace(role, body=_body(role.body, change)) for role in s.roles))
        elif hasattr(s, "body"):
            s = replace(s, body=_body(s.body, change))
        found += change(s)
    return tuple(found)
