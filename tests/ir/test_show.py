"""The text of a graph is readable and the same in every process."""

from __future__ import annotations

import numpy as np

from lazygrad.dtype import dtypes
from lazygrad.index.expr import Var
from lazygrad.ir.build import filled_like
from lazygrad.ir.node import (
    alu,
    buffer,
    cast,
    const,
    contiguous,
    copy,
    expand,
    flip,
    gather,
    new_uid,
    pad,
    permute,
    reduce,
    reshape,
    scan,
    scatter,
    shrink,
    store,
)
from lazygrad.ir.op import Combine, Op
from lazygrad.ir.show import text
from tests.programs import HostStorage, stored

EVERY_KIND = """
%0 = buffer float32[2, 3] #0 on NUMPY
%1 = permute float32[3, 2] (%0) axes=[1, 0]
%2 = pad float32[4, 3] (%1) pads=[1,0, 0,1] fill=-inf
%3 = shrink float32[2, 3] (%2) bounds=[1:3, 0:3]
%4 = flip float32[2, 3] (%3) axes=[0, 1]
%5 = reduce float32[3] (%4) max axes=[0]
%6 = scan float32[3] (%5) add axis=0
%7 = buffer int64[4] #1 on NUMPY
%8 = gather float32[4] (%6, %7) axis=0
%9 = scatter float32[3] (%6, %7, %8) set axis=0
%10 = contiguous float32[3] (%9) own0
%11 = store float32[3] (%10) into #0
%12 = copy float32[3] (%11) to OPENCL
%13 = cast int8[3] (%12)
return %13, %5
"""


def test_every_kind_of_argument() -> None:
    x = stored(np.ones((2, 3)), dtypes.float32)
    y = flip(shrink(pad(permute(x, (1, 0)), [(1, 0), (0, 1)], float("-inf")), [(1, 3), (0, 3)]), [1, 0])
    top = reduce(y, Combine.MAX, [0])
    sums = scan(top, Combine.ADD, 0)
    index = stored(np.array([0, 2, 1, 1]), dtypes.int64)
    put = scatter(sums, index, gather(sums, index, 0), 0, Combine.SET)
    end = copy(store(contiguous(put, new_uid()), x.arg.storage), "OPENCL")  # type: ignore[union-attr]
    assert text([cast(end, dtypes.int8), top]) == EVERY_KIND.strip()


def test_symbolic_sizes_and_constants() -> None:
    t = Var("t", 1, 8)
    x = buffer(HostStorage(np.ones(8), dtypes.float64), dtypes.float64, (t,))
    lines = text([alu(Op.ADD, x, filled_like(x, -0.0))]).splitlines()
    assert lines[0] == "%0 = buffer float64[t] #0 on NUMPY"
    assert lines[1:4] == [
        "%1 = const float64[] -0.0",
        "%2 = reshape float64[1] (%1)",
        "%3 = expand float64[t] (%2)",
    ]


def test_equal_graphs_have_equal_text() -> None:
    def made() -> str:
        x, y = (stored(np.ones((4, 5)), dtypes.float32) for _ in range(2))
        rows = expand(reshape(x, (4, 1, 5)), (4, 4, 5))
        return text([contiguous(alu(Op.MUL, rows, expand(reshape(y, (1, 4, 5)), (4, 4, 5))), new_uid())])

    assert made() == made()


def test_a_long_graph() -> None:
    y = const(1, dtypes.int32)
    for _ in range(20_000):
        y = alu(Op.ADD, y, y)
    assert text([y]).splitlines()[-2] == "%20000 = add int32[] (%19999, %19999)"
