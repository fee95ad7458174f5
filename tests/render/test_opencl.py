"""The text of kernels: readable, and the same in every process, since it is the key of the compile cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Var, lift
from lazygrad.ir.op import Combine, Op
from lazygrad.render.opencl import render
from lazygrad.runtime.registry import open_device
from lazygrad.tiling.lower import lower
from lazygrad.tiling.program import (
    Accumulator,
    Array,
    Axis,
    Barrier,
    If,
    Kind,
    Loop,
    Program,
    Reduction,
    Scope,
    Stage,
    Store,
    Value,
    alu,
    const,
    load,
    ref,
)

F32 = dtypes.float32
X, Y = Array("x", F32, 1000), Array("y", F32, 1000, written=True)


def source(program: Program, kind: str = "cpu") -> str:
    return render(lower(program), replace(open_device("OPENCL").info, kind=kind)).text  # type: ignore[arg-type]


def scale(name: str = "scale", array: Array = X) -> Program:
    i = Var("i", 0, 39)
    value = alu(Op.ADD, F32, alu(Op.MUL, F32, load(array, i), const(2.0, F32)), const(0.1, F32))
    return Program(name, (array, Y), (), (Loop(Axis(i, 40, lanes=16), (Store(Y, i, value),)),))


def test_an_elementwise_kernel() -> None:
    assert (
        source(scale())
        == """\
__kernel __attribute__((min_vector_width(512))) __attribute__((reqd_work_group_size(1, 1, 1)))
void scale(__global const float *restrict x, __global float *restrict y) {
  typedef float16 __attribute__((aligned(4))) float16_u;
  typedef float8 __attribute__((aligned(4))) float8_u;
  for (int i_strip = 0; i_strip < 2; i_strip++) {
    float16 x0 = *(__global const float16_u *)(x + i_strip*16);
    float16 t0 = x0 * 2.0f + 0.1f;
    *(__global float16_u *)(y + i_strip*16) = t0;
  }
  float8 x1 = *(__global const float8_u *)(x + 32);
  float8 t1 = x1 * 2.0f + 0.1f;
  *(__global float8_u *)(y + 32) = t1;
}
"""
    )


def test_a_row_reduction_on_a_gpu() -> None:
    i, r = Var("row", 0, 3), Var("r", 0, 9)
    total = Accumulator("total", Combine.ADD, F32, load(X, i * 10 + r), frozenset({i}))
    body = (Reduction((Axis(r, 10),), (total,)), Store(Y, i, ref(total)))
    assert (
        source(Program("rows", (X, Y), (), (Loop(Axis(i, 4, Kind.GRID), body),)), "gpu")
        == """\
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void rows(__global const float *restrict x, __global float *restrict y) {
  int row = get_group_id(0);
  float total = 0.0f;
  for (int r = 0; r < 10; r++) {
    float x0 = x[row*10 + r];
    total = total + x0;
  }
  y[row] = total;
}
"""
    )


def test_names_that_c_has_taken() -> None:
    text = source(scale("kernel", Array("float", F32, 1000)))
    assert "void kernel0(__global const float *restrict float0" in text


def test_doubles_and_wide_addresses_are_declared() -> None:
    i = Var("i", 0, 1 << 33)
    big = Array("big", dtypes.float64, 1 << 34)
    out = Array("out", dtypes.float64, 1 << 34, written=True)
    text = source(Program("wide", (big, out), (), (Loop(Axis(i, (1 << 33) + 1), (Store(out, i, load(big, i * 2)),)),)))
    assert text.startswith("#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n")
    assert "for (long i = 0; i < 8589934593L; i++)" in text
    assert "big[(long)i*2]" in text
    assert "fp64" not in source(scale())


SCRIPT = """
import hashlib
from tests.render.test_opencl import digest
print(digest())
"""


def digest() -> str:
    """Of the sources of many programs."""
    from tests.tiling.test_lower import CASES

    info = open_device("OPENCL").info
    texts = [render(lower(case.program), info).text for case in CASES]
    return hashlib.sha256("".join(texts).encode()).hexdigest()


def test_the_text_is_the_same_in_every_process() -> None:
    root = Path(__file__).resolve().parents[2]
    found = {digest()}
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        command = [sys.executable, "-c", SCRIPT]
        done = subprocess.run(
            command, env=environment, cwd=root, capture_output=True, text=True, check=True, timeout=120
        )
        found.add(done.stdout.strip())
    assert len(found) == 1


# ---- programs that break the rules -----------------------------------------------------------------


def _two_vectors() -> Program:
    i, j = Var("i", 0, 15), Var("j", 0, 15)
    inner = Loop(Axis(j, 16, Kind.VECTOR), (Store(Y, i * 16 + j, load(X, i + j)),))
    return Program("two_vectors", (X, Y), (), (Loop(Axis(i, 16, Kind.VECTOR), (inner,)),))


def _odd_vector() -> Program:
    i = Var("i", 0, 11)
    return Program("odd", (X, Y), (), (Loop(Axis(i, 12, Kind.VECTOR), (Store(Y, i, load(X, i)),)),))


def _inner_grid() -> Program:
    i = Var("i", 0, 3)
    body = (Store(Y, lift(0), const(0.0, F32)), Loop(Axis(i, 4, Kind.GRID), (Store(Y, i, load(X, i)),)))
    return Program("inner_grid", (X, Y), (), body)


def _early_reference() -> Program:
    r = Var("r", 0, 3)
    total = Accumulator("total", Combine.ADD, F32, load(X, r), frozenset())
    return Program("early", (X, Y), (), (Store(Y, lift(0), ref(total)), Reduction((Axis(r, 4),), (total,))))


def _barrier_in_if() -> Program:
    i = Var("i", 0, 3)
    inner = If(i.lt(2), (Barrier(),))
    return Program("barrier", (X, Y), (), (Loop(Axis(i, 4, Kind.LOCAL), (inner, Store(Y, i, load(X, i)))),))


def _undefined() -> Program:
    i = Var("i", 0, 3)
    value: Value = alu(Op.XOR, F32, load(X, i), load(X, i))
    return Program("undefined", (X, Y), (), (Loop(Axis(i, 4), (Store(Y, i, value),)),))


def _shared_scratch() -> Program:
    i, scratch = Var("i", 0, 3), Array("scratch", F32, 1, Scope.PRIVATE)
    stage = Stage(scratch, (Store(scratch, lift(0), load(X, i)),))
    return Program("shared", (X, Y), (), (Loop(Axis(i, 4, Kind.UNROLL), (stage, Store(Y, i, load(scratch, lift(0))))),))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (_two_vectors, "axes i and j are both in vector lanes"),
        (_odd_vector, "axis i of 12 elements does not fill vectors of 12"),
        (_inner_grid, "GRID axis i is not among the outermost loops"),
        (_early_reference, "accumulator 'total' is read where its Reduction has not run"),
        (_barrier_in_if, "a Barrier inside an If"),
        (_shared_scratch, "scratch array 'scratch' is stored at one place for every i of a register tile"),
        (_undefined, "XOR is not defined for float32"),
    ],
)
def test_rules_of_the_language(program: object, message: str) -> None:
    assert callable(program)
    with pytest.raises(GraphError, match=message):
        lower(program())
