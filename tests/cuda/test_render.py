"""Kernels as CUDA C++: wide accesses and when there are none, constants, shared memory, what is not spelled."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

pytest.importorskip("cuda.bindings", reason="cuda-python is not installed: no wheel for this platform")

from extra.bench.planned import compiled, graphs, kernel_sources, placeholder
from lazygrad import Tensor, dtypes
from lazygrad.dtype import DType
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Var
from lazygrad.render.cuda import STATIC_SHARED, render
from lazygrad.render.cuda_prelude import BASE
from lazygrad.runtime.cuda_device import planned_info
from lazygrad.tiling.lower import lower
from lazygrad.tiling.lower_context import Names
from lazygrad.tiling.machine import (
    Branch,
    Code,
    Compute,
    Declare,
    Immediate,
    Instruction,
    LoadFrom,
    MachineKernel,
    Meet,
    Register,
    StoreTo,
)
from lazygrad.tiling.program import Array, Axis, Kind, Loop, Program, Scope, Store, const
from lazygrad.tiling.target import Target
from lazygrad.tiling.widen import widened

INFO = planned_info("sm_90a")
F32 = dtypes.float32
I = Var("i", 0, 1000)  # noqa: E741


def array(name: str, written: bool = False, dtype: DType = F32, scope: Scope = Scope.GLOBAL, size: int = 4096) -> Array:
    return Array(name, dtype, size, scope, written)


def kernel(*body: Instruction, params: tuple[Array, ...] = ()) -> MachineKernel:
    return MachineKernel("k", params, (), list(body), 1, 32)


def load(a: Array, at: object, name: str, declare: bool = True) -> LoadFrom:
    return LoadFrom(Register(name, a.dtype), a, (at,), declare)  # type: ignore[arg-type]


def store(a: Array, at: object, value: Register | Immediate) -> StoreTo:
    return StoreTo(a, (at,), value, 1)  # type: ignore[arg-type]


def widths(made: MachineKernel) -> list[tuple[str, int]]:
    """Of every access: the array's name and the lanes."""
    found = []
    for step in made.body:
        if isinstance(step, LoadFrom):
            found.append((step.array.name, step.dest.lanes))
        elif isinstance(step, StoreTo):
            found.append((step.array.name, step.lanes))
    return found


def wide(*body: Instruction, access: int = 16) -> list[tuple[str, int]]:
    return widths(widened(kernel(*body), access, Names([])))


A, B, OUT = array("a"), array("b"), array("out", True)


def test_neighbours_are_read_and_written_at_once() -> None:
    steps: list[Instruction] = []
    for k in (2, 0, 3, 1):  # in any order
        steps += [load(A, I * 4 + k, f"x{k}"), store(OUT, I * 4 + k, Register(f"x{k}", F32))]
    assert wide(*steps) == [("a", 4), ("out", 4)]
    assert wide(*steps, access=8) == [("a", 2), ("a", 2), ("out", 2), ("out", 2)]


@pytest.mark.parametrize(
    ("dtype", "count", "lanes"), [(dtypes.float16, 8, 8), (dtypes.uint8, 16, 16), (dtypes.float64, 4, 2)], ids=str
)
def test_an_access_has_16_bytes(dtype: DType, count: int, lanes: int) -> None:
    a = array("a", dtype=dtype)
    assert wide(*(load(a, I * 16 + k, f"x{k}") for k in range(count))) == [("a", lanes)] * (count // lanes)


def test_addresses_that_are_no_multiples_stay_apart() -> None:
    assert wide(*(load(A, I * 4 + 1 + k, f"x{k}") for k in range(4))) == [("a", 1), ("a", 2), ("a", 1)]
    assert wide(*(load(A, I * 3 + k, f"x{k}") for k in range(3))) == [("a", 1)] * 3
    assert wide(*(load(A, I * 4 + k * 2, f"x{k}") for k in range(4))) == [("a", 1)] * 4


def test_elements_updated_in_place_are_still_neighbours() -> None:
    steps: list[Instruction] = []
    for k in range(4):
        steps += [load(OUT, I * 4 + k, f"x{k}"), store(OUT, I * 4 + k, Register(f"x{k}", F32))]
    assert wide(*steps) == [("out", 4), ("out", 4)]


def test_nothing_moves_past_what_may_be_the_same_element() -> None:
    j = Var("j", 0, 100)
    between = store(OUT, j, Immediate(0.0, F32))
    loads = [load(OUT, I * 2 + k, f"x{k}") for k in range(2)]
    assert wide(loads[0], between, loads[1]) == [("out", 1)] * 3
    stores = [store(OUT, I * 2 + k, Immediate(1.0, F32)) for k in range(2)]
    assert wide(stores[0], load(OUT, j, "y"), stores[1]) == [("out", 1)] * 3
    assert wide(stores[0], load(A, j, "y"), stores[1]) == [("a", 1), ("out", 2)]
    assert wide(stores[0], Meet(), stores[1]) == [("out", 1)] * 2


def test_a_value_that_changes_is_stored_before() -> None:
    x = Register("x", F32)
    changes = Compute(x, Code.COPY, (Immediate(2.0, F32),), declare=False)
    assert wide(store(OUT, I * 2, x), changes, store(OUT, I * 2 + 1, x)) == [("out", 1)] * 2


def test_branches_are_entered_apart() -> None:
    inside = [load(A, I * 2 + k, f"x{k}") for k in range(2)]
    made = widened(kernel(Branch(I.lt(5), inside, [load(A, I * 2, "y")])), 16, Names([]))
    (branch,) = made.body
    assert isinstance(branch, Branch)
    assert widths(replace(made, body=branch.body)) == [("a", 2)]
    assert widths(replace(made, body=branch.orelse)) == [("a", 1)]


# ---- text ------------------------------------------------------------------------------------------


def text_of(*tensors: Tensor) -> str:
    return "\n".join(s.text for s in kernel_sources(graphs(lambda: list(tensors)), INFO))


def test_definitions_come_only_where_they_are_used() -> None:
    plain = text_of(placeholder(64) + 1)
    assert plain.startswith('extern "C" __global__ void __launch_bounds__(64, 1) map_64_')
    half = text_of(placeholder(64, dtype=dtypes.float16) + 1)
    assert re.findall(r"\b(lg_\w+)\([\w ]+\) \{", half) == ["lg_float_to_half", "lg_half_to_float"]
    body = half.split("#endif")[-1]
    assert "asm" not in body
    assert set(re.findall(r"\blg_\w+", body)) <= BASE.keys()


def test_quotients_of_16_bits_are_quick_and_others_exact() -> None:
    def quotient(dtype: DType) -> str:
        return text_of(placeholder(64, dtype=dtype) / placeholder(64, dtype=dtype)).split("#endif")[-1]

    assert "lg_divide(" in quotient(dtypes.bfloat16)
    assert "lg_divide(" in quotient(dtypes.float16)
    assert " / " in quotient(F32)
    assert "lg_divide(" not in quotient(F32)
    both = placeholder(64) / placeholder(64)
    assert "lg_divide(" not in text_of(both.bfloat16(), both), "the float32 itself is wanted as well"


def test_constants_without_headers() -> None:
    x = placeholder(64)
    text = text_of(x.where(placeholder(64).lt(1), float("inf")), x * float("nan"), x - float("inf"))
    assert not re.search(r"\b(INFINITY|NAN)\b", text)
    chosen = graphs(lambda: [placeholder(64).where(placeholder(64).lt(1), -float("inf"))])
    compiled(kernel_sources(chosen, INFO), "sm_80")


def test_large_shared_arrays_are_reserved_at_launch() -> None:
    def made(size: int) -> MachineKernel:
        slices = [array(name, True, dtypes.float64, Scope.LOCAL, size) for name in ("s", "t")]
        stores = [StoreTo(a, (Const(0),), Immediate(0.0, dtypes.float64), 1) for a in slices]
        return kernel(*map(Declare, slices), *stores)

    small, large = render(made(STATIC_SHARED // 16), INFO), render(made(STATIC_SHARED // 16 + 1), INFO)
    assert "__shared__ __align__(16) double s[3072];" in small.text
    assert small.attributes.shared_bytes == 0
    assert "double *const t = (double *)(lg_dynamic + 24592);" in large.text
    assert large.attributes.shared_bytes == 2 * 24584 + 8
    compiled([small, large], "sm_80")


def test_vectors_are_not_computed_with() -> None:
    lane = Var("lane", 0, 3)
    body = Loop(Axis(lane, 4, Kind.VECTOR), (Store(OUT, lane, const(1.0, F32)),))
    with pytest.raises(GraphError, match="CUDA has no vector arithmetic"):
        render(lower(Program("k", (OUT,), (), (body,)), Target.of(INFO)), INFO)


def test_programs_may_use_any_name() -> None:
    names = [array("template"), array("new", True)]
    body = Store(names[1], Const(0), const(1.0, F32))
    source = render(lower(Program("operator", tuple(names), (), (body,)), Target.of(INFO)), INFO)
    compiled([source], "sm_90a")
