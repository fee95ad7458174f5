"""Each invariant of a graph, broken on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const
from lazygrad.ir import node as nodes
from lazygrad.ir.node import Node, alu, buffer, cast, const, contiguous, iota, node, pad, permute, reduce, reshape, scan
from lazygrad.ir.op import AxesArg, AxisArg, Combine, ConstArg, Op, ReduceArg, ScanArg, ScatterArg, ShapeArg
from lazygrad.ir.verify import verify
from tests.programs import HostStorage, stored


def example() -> Node:
    x = stored(np.arange(24.0).reshape(2, 3, 4), dtypes.float32)
    y = alu(Op.MUL, permute(pad(x, [(1, 0), (0, 0), (0, 2)], 2), (2, 0, 1)), const(3, dtypes.float32, (6, 3, 3)))
    return contiguous(scan(reduce(reshape(y, (6, 9)), Combine.MAX, [0]), Combine.ADD, 0), 7)


def forged(n: Node, **changes: Any) -> Node:
    """A copy of a node with other fields, past every check."""
    made = Node()
    for name in ("op", "dtype", "shape", "src", "arg", "device", "variables", "location"):
        setattr(made, name, changes.get(name, getattr(n, name)))
    return made


F = dtypes.float32
X = stored(np.ones((2, 3)), dtypes.float32)
I = iota(3, dtypes.int32)  # noqa: E741
FAULTS: dict[str, Callable[[], Node]] = {
    "2 sources, not 1": lambda: forged(cast(X, dtypes.int32), src=(X, X)),
    "1 sources, not 2": lambda: forged(alu(Op.ADD, X, X), src=(X,)),
    "not one of class ReduceArg": lambda: forged(reduce(X, Combine.ADD, [0]), arg=AxisArg(0)),
    "not one of class NoneType": lambda: forged(alu(Op.ADD, X, X), arg=AxisArg(0)),
    r"should be float32\[2, 3\]": lambda: forged(alu(Op.ADD, X, X), shape=(3, 2)),
    r"should be bool\[2, 3\]": lambda: forged(alu(Op.LT, X, X), dtype=dtypes.float32),
    "does not apply to its sources": lambda: forged(alu(Op.ADD, X, X), src=(X, const(1, dtypes.float32, (2, 1)))),
    "is not a scalar": lambda: forged(const(1, dtypes.float32), shape=(2,)),
    "holds 1, which its dtype spells 1.0": lambda: node(Op.CONST, (), ConstArg(1, "1"), dtypes.float32),
    "holds 300, which its dtype spells 44": lambda: node(Op.CONST, (), ConstArg(300, "300"), dtypes.uint8),
    "is filled with 2.5, which": lambda: forged(pad(I, [(1, 1)]), arg=pad(X, [(1, 1), (0, 0)], 2.5).arg),
    "ascending": lambda: node(Op.REDUCE, (X,), ReduceArg(Combine.ADD, (1, 0))),
    "should be some": lambda: node(Op.FLIP, (X,), AxesArg(())),
    "cannot combine by set": lambda: node(Op.SCAN, (X,), ScanArg(Combine.SET, 0)),
    "cannot combine by mul": lambda: node(Op.SCATTER, (I, I, I), ScatterArg(0, Combine.MUL)),
    "needs 24 bytes; its storage has 4": lambda: buffer(HostStorage(np.ones(1), F), F, (2, 3)),
    "is not a size": lambda: forged(iota(3, dtypes.int32), shape=(-3,), arg=ShapeArg((-3,))),
    "dimension that is not a size": lambda: forged(X, shape=(Const(2), 3)),
    "is on OPENCL, its sources on": lambda: forged(alu(Op.ADD, X, X), device="OPENCL"),
    "is not the interned node": lambda: forged(alu(Op.ADD, X, X)),
}  # fmt: skip


def test_a_right_graph_passes() -> None:
    verify([example(), example()])


@pytest.mark.parametrize("message", FAULTS)
def test_a_fault_is_found_below_other_nodes(message: str) -> None:
    wrong = FAULTS[message]()
    with pytest.raises(GraphError) as caught:
        verify([example(), contiguous(wrong, 3)])
    assert re.search(message, str(caught.value).partition(" (test_verify.py")[0])  # the line would match itself


def test_a_cycle_is_found() -> None:
    n = forged(alu(Op.ADD, X, X))
    n.src = (X, alu(Op.MUL, n, X))
    with pytest.raises(GraphError, match="computed from itself"):
        verify([n])


def test_the_message_names_the_node_and_the_users_line() -> None:
    wrong = forged(alu(Op.ADD, X, X), shape=(3, 2))
    with pytest.raises(GraphError, match=r"add float32\[3, 2\] should be float32\[2, 3\] \(test_verify.py:\d+: wrong"):
        verify([wrong])


def test_verifying_makes_no_nodes() -> None:
    root = example()
    before = nodes.live_nodes()
    verify([root])
    assert nodes.live_nodes() == before
