"""Search: its meaning, by one work-item and by a warp, and what it refuses; scatters that give the same bits."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lazygrad import Tensor
from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Expr, Var, all_of
from lazygrad.ir.elements import from_storage, to_storage
from lazygrad.ir.op import Op
from lazygrad.render import cuda, opencl
from lazygrad.runtime.base import Launch
from lazygrad.runtime.registry import open_device
from lazygrad.settings import settings
from lazygrad.tiling.lower import lower
from lazygrad.tiling.program import Array, Axis, If, Kind, Loop, Program, Search, Stmt, Store, alu, const, index, load
from lazygrad.tiling.show import text
from lazygrad.tiling.target import Target
from lazygrad.tiling.verify import verify

from .interpreter import Interpreter

CREWS = 3
N = Var("n", 0, 700)
LOOKED_AT = Array("looked_at", dtypes.int32, 700)
TURN, AT, CREW = Var("u", 0, 699), Var("at", -1, 100), Var("crew", 0, CREWS - 1)


def program(size: int, crew: int = CREWS) -> Program:
    """Each crew of `size` items has 30 numbers; what it stores depends on the order in which it finds theirs."""
    out = Array("out", dtypes.int32, crew * size, written=True)
    item = Var("item", 0, size - 1)
    place = CREW * size + item
    value = alu(
        Op.ADD, dtypes.int32, alu(Op.MUL, dtypes.int32, load(out, place), const(3, dtypes.int32)), _number(item)
    )
    body: tuple[Stmt, ...] = (Store(out, place, value),)
    body = (Loop(Axis(item, size, Kind.LOCAL), body),) if size > 1 else body
    where = all_of((AT.ge(CREW * 30), AT.lt(CREW * 30 + 30)))
    search = Search(Axis(TURN, N), where, ((AT, load(LOOKED_AT, TURN)),), body)
    return Program("found", (LOOKED_AT, out), (N,), (Loop(Axis(CREW, crew, Kind.LOCAL), (search,)),))


def _number(item: Expr) -> Any:
    return index(TURN + item, dtypes.int32)


def run(p: Program, given: NDArray[Any], n: int, device: str) -> NDArray[Any]:
    runtime = open_device(device)
    machine = lower(p, Target.of(runtime.info))
    (kernel,) = runtime.build([(cuda if device == "CUDA_EMULATED" else opencl).render(machine, runtime.info)])
    size = p.params[1].size
    assert isinstance(size, int)
    looked_at, out = runtime.allocate(4 * 700), runtime.allocate(4 * size)
    runtime.write(looked_at, given.view(np.uint8))
    runtime.write(out, np.zeros(4 * size, np.uint8))
    runtime.prepare([Launch(kernel, (looked_at, out), (n,), (machine.group_size,), (machine.group_size,))]).run()
    return np.asarray(runtime.read(out, 4 * size)).view(np.int32)


@pytest.mark.parametrize(("device", "size"), [("OPENCL", 1), ("CUDA_EMULATED", 1), ("CUDA_EMULATED", 32)])
@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 255, 256, 257, 700])
def test_turns_are_found_in_order(device: str, size: int, n: int) -> None:
    p = program(size)
    verify(p)
    given = np.random.default_rng(n).integers(-1, 101, 700).astype(np.int32)
    expected = np.zeros(CREWS * size, np.int32)
    Interpreter({LOOKED_AT: given, p.params[1]: expected}, {N: n}).run(p)
    np.testing.assert_array_equal(run(p, given, n, device), expected)


def test_its_text() -> None:
    parts = [r"at < crew\*30 \+ 30", r"crew\*30 < at \+ 1"]
    where = "|".join(f"{a} && {b}" for a, b in (parts, parts[::-1]))
    assert re.search(rf"search u < n where ({where}), at = looked_at\[u\]:", text(program(32)))


@pytest.mark.parametrize("size", [2, 16, 64])
def test_who_searches_is_one_or_a_warp(size: int) -> None:
    with pytest.raises(GraphError, match=f"{size} work-items together"):
        verify(program(size))
    with pytest.raises(GraphError, match=f"by {size} work-items, which are no warp"):
        lower(program(size), Target.of(open_device("CUDA_EMULATED").info))


def test_a_warp_searches_together_or_not_at_all() -> None:
    p = program(32)
    assert isinstance(p.body[0], Loop)
    parted = Loop(p.body[0].axis, (If(CREW.lt(1), p.body[0].body),))
    with pytest.raises(GraphError, match="Search over u inside if"):
        verify(Program(p.name, p.params, p.scalars, (parted,)))


@pytest.mark.parametrize("device", ["OPENCL", "CUDA_EMULATED"])
def test_sums_of_many_equal_places_are_the_same_every_time(device: str) -> None:
    """Floats whose sum depends on the order: one owner adds them up in the order of the updates."""
    rng = np.random.default_rng(0)
    updates = (rng.standard_normal((600, 8)) * 10.0 ** rng.integers(-3, 4, (600, 1))).astype(np.float32)
    index_ = rng.integers(0, 3, (600, 1))
    expected = np.zeros((50, 8), np.float32)
    np.add.at(expected, index_[:, 0], updates)
    with settings.override(device=device, target="gpu" if device == "OPENCL" else None):
        for _ in range(2):
            base = Tensor(np.zeros((50, 8), np.float32))
            got = base.scatter_add(0, Tensor(index_).expand(600, 8), Tensor(updates)).numpy()
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
def test_bfloat16_is_rounded_after_the_last_update(arch: str) -> None:
    """Whole lines at a time, and still the bits of one update after the other in float32."""

    def rounded(x: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(from_storage(to_storage(x, dtypes.bfloat16), dtypes.bfloat16), np.float32)

    rng = np.random.default_rng(1)
    updates = rounded(rng.standard_normal((90, 768)).astype(np.float32))
    rows = rng.integers(-1, 40, (90, 1))
    expected = np.zeros((300, 768), np.float32)
    for row, update in zip(rows[:, 0], updates):
        if row >= 0:
            expected[row] += update
    with settings.override(device="CUDA_EMULATED", emulated_arch=arch, check_indices=False):
        table = Tensor(np.zeros((300, 768), np.float32)).cast(dtypes.bfloat16)
        added = Tensor(updates).cast(dtypes.bfloat16).realize()
        got = table.scatter_add(0, Tensor(rows).expand(90, 768), added).realize()
        np.testing.assert_array_equal(got.cast(dtypes.float32).numpy(), rounded(expected))
