"""CALL: a value whose gradients a user's function gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.ir.build import add, filled_like, mul, scaled
from lazygrad.ir.call import UserFunction, substitute
from lazygrad.ir.evaluate import evaluate
from lazygrad.ir.node import Node, alu, call, const, detach, live_nodes, node, topological
from lazygrad.ir.op import CallArg, IdArg, Op
from lazygrad.ir.reverse import gradient
from lazygrad.ir.show import text
from lazygrad.ir.verify import verify
from lazygrad.schedule.kernel import schedule
from tests.programs import read_stored, stored

F = dtypes.float64


class Scaled(UserFunction):
    """Says that output k changes by 10 + k times what input 0 does, and that nothing depends on the others."""

    def __init__(self) -> None:
        self.name = "Scaled"
        self.asked: list[dict[int, Node]] = []

    def gradients(self, inputs: Sequence[Node], by_outputs: Mapping[int, Node]) -> Sequence[Node | None]:
        self.asked.append(dict(by_outputs))
        parts = [scaled(g, 10 + k) for k, g in by_outputs.items()]
        total = parts[0]
        for part in parts[1:]:
            total = add(total, part)
        return [total, *[None] * (len(inputs) - 1)]


def vector(*values: float) -> Node:
    return stored(np.array(values), F)


def slopes(root: Node, *targets: Node) -> list[list[float] | None]:
    found = gradient(root, filled_like(root, 1), targets)
    return [None if g is None else evaluate([g], read_stored)[0].tolist() for g in found]


def test_its_elements_are_those_of_its_value() -> None:
    x = vector(1, 2)
    n = call(mul(x, x), [x], Scaled())
    assert (n.dtype, n.shape, n.device) == (F, (2,), x.device)
    assert evaluate([n], read_stored)[0].tolist() == [1, 4]
    verify([n])


def test_one_application_is_one_node() -> None:
    x, f, g = vector(1), Scaled(), Scaled()
    assert call(x, [x], f) is call(x, [x], f)
    assert len({call(x, [x], f), call(x, [x], g), call(x, [x], f, 1)}) == 3


def test_its_function_gives_the_gradients() -> None:
    x, y = vector(1, 2), vector(3, 4)
    assert slopes(call(mul(x, y), [x, y], Scaled()), x, y) == [[10, 10], None]


def test_no_gradient_flows_through_the_value() -> None:
    x = vector(1, 2)
    assert slopes(call(mul(x, x), [vector(5, 6)], Scaled()), x) == [None]
    assert slopes(add(x, call(x, [x], Scaled())), x) == [[11, 11]]


def test_all_outputs_are_asked_for_at_once() -> None:
    """Whatever order the graph has them in, and also where another way leads from one to the root."""
    x = vector(1, 2)
    for outputs in ([0, 1, 2], [2, 0], [1], [0, 0, 1]):
        f = Scaled()
        made = [call(scaled(x, k + 1), [x], f, k) for k in outputs]
        root = x
        for n in made:
            root = add(mul(root, filled_like(x, 1)), scaled(n, 2))
        assert slopes(root, x) == [[1 + 2 * sum(10 + k for k in outputs)] * 2]
        assert [set(asked) for asked in f.asked] == [set(outputs)]


def test_a_function_of_its_own_output_is_asked_in_turn() -> None:
    x, first, second = vector(1), Scaled(), Scaled()
    y = call(x, [x], first)
    assert slopes(add(call(y, [y], second), y), x) == [[110]]
    assert [len(f.asked) for f in (first, second)] == [1, 1]


def test_it_is_not_asked_for_what_nothing_depends_on() -> None:
    x, f = vector(1), Scaled()
    assert slopes(add(x, detach(call(x, [x], f))), x) == [[1]]
    assert f.asked == []


def test_it_costs_no_kernel_and_none_of_its_inputs_is_computed() -> None:
    x = vector(1, 2)
    other = node(Op.CONTIGUOUS, (alu(Op.SIN, vector(8, 9)),), IdArg(3))
    n = add(call(scaled(x, 3), [x, other], Scaled()), x)
    assert len(schedule([n]).kernels) == 1
    assert schedule([n]).kernels[0].inputs == (x,)
    [bare] = substitute([n], {})
    assert {m.op for m in topological([bare])}.isdisjoint({Op.CALL, Op.SIN})
    assert evaluate([bare], read_stored)[0].tolist() == [4, 8]


def test_two_applications_make_equal_plans() -> None:
    x = vector(1, 2)
    first, second = (substitute([add(call(scaled(x, 3), [x], Scaled()), x)], {})[0] for _ in range(2))
    assert first is second


def test_it_is_printed_with_its_function() -> None:
    x = const(1, F)
    assert (
        text([call(x, [x], Scaled(), 1)])
        == "%0 = const float64[] 1.0\n%1 = call float64[] (%0, %0) Scaled output 1\nreturn %1"
    )


def test_a_call_without_its_argument_or_value_is_invalid() -> None:
    wrong = call(vector(1), [], Scaled())
    wrong.arg = IdArg(1)
    with pytest.raises(GraphError, match="not one of class CallArg"):
        verify([wrong])
    wrong.arg, wrong.src = CallArg(Scaled(), 0), ()
    with pytest.raises(GraphError, match="has 0 sources"):
        verify([wrong])


def test_nothing_is_kept() -> None:
    before = live_nodes()
    x = vector(1, 2)
    y = call(mul(x, x), [x], Scaled())
    gradient(y, filled_like(y, 1), [x])
    del x, y
    assert live_nodes() == before
