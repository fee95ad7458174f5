"""What the driver visits and returns, the form of the gradients, and composed functions against PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from lazygrad.dtype import dtypes
from lazygrad.errors import GradientError
from lazygrad.index.expr import Var
from lazygrad.ir.build import add, filled_like, mul, put_back, scaled, sub
from lazygrad.ir.evaluate import evaluate
from lazygrad.ir.node import (
    Node,
    alu,
    buffer,
    cast,
    const,
    contiguous,
    detach,
    expand,
    iota,
    live_nodes,
    permute,
    reduce,
    reshape,
    scan,
    topological,
    where,
)
from lazygrad.ir.op import MOVEMENT, Combine, Op
from lazygrad.ir.reverse import gradient
from lazygrad.ir.rewrite import simplify
from lazygrad.ir.verify import verify
from tests.autograd.gradcheck import gradients_of
from tests.programs import HostStorage, random_program, read_stored, stored

F64 = dtypes.float64
RNG = np.random.default_rng(0)


def tensor(*shape: int) -> Node:
    return stored(RNG.standard_normal(shape), F64)


def total(x: Node) -> Node:
    return reduce(x, Combine.ADD, range(x.ndim))


# ---- naive functions, as a frontend builds them ----------------------------------------------------


def matmul(a: Node, b: Node) -> Node:
    """(..., m, k) @ (..., k, n)."""
    *batch, m, k = a.shape
    n = b.shape[-1]
    left = expand(reshape(a, (*batch, m, 1, k)), (*batch, m, n, k))
    swapped = permute(b, [*range(b.ndim - 2), b.ndim - 1, b.ndim - 2])
    right = expand(reshape(swapped, (*batch, 1, n, k)), (*batch, m, n, k))
    return reduce(mul(left, right), Combine.ADD, [a.ndim])


def exp(x: Node) -> Node:
    return alu(Op.EXP2, scaled(x, 1 / math.log(2)))


def log(x: Node) -> Node:
    return scaled(alu(Op.LOG2, x), math.log(2))


def over_last(x: Node, how: Combine) -> Node:
    """The reduction over the last axis, repeated along it."""
    return put_back(reduce(x, how, [x.ndim - 1]), [x.ndim - 1], x.shape)


def softmax(x: Node) -> Node:
    e = exp(sub(x, over_last(x, Combine.MAX)))
    return alu(Op.DIV, e, over_last(e, Combine.ADD))


def layer_norm(x: Node, weight: Node, bias: Node) -> Node:
    n = int(x.shape[-1])  # type: ignore[arg-type]
    centered = sub(x, scaled(over_last(x, Combine.ADD), 1 / n))
    variance = scaled(over_last(mul(centered, centered), Combine.ADD), 1 / n)
    normal = alu(Op.DIV, centered, alu(Op.SQRT, add(variance, filled_like(x, 1e-5))))
    rows = (1,) * (x.ndim - 1)
    wide = [expand(reshape(p, (*rows, n)), x.shape) for p in (weight, bias)]
    return add(mul(normal, wide[0]), wide[1])


def attention(q: Node, k: Node, v: Node) -> Node:
    """Causal, over (heads, time, features)."""
    time, features = q.shape[1:]
    scores = scaled(matmul(q, permute(k, (0, 2, 1))), int(features) ** -0.5)  # type: ignore[arg-type]
    row = expand(reshape(iota(time, dtypes.int32), (1, time, 1)), scores.shape)
    column = expand(reshape(iota(time, dtypes.int32), (1, 1, time)), scores.shape)
    return matmul(softmax(where(alu(Op.LT, row, column), filled_like(scores, -1e30), scores)), v)


def torch_layer_norm(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.layer_norm(x, x.shape[-1:], weight, bias)


def torch_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def block(x: Node, w: Node, gain: Node, bias: Node) -> Node:
    """Log-softmax of a residual layer."""
    y = add(x, matmul(softmax(layer_norm(x, gain, bias)), w))
    return log(softmax(y))


def torch_block(x: torch.Tensor, w: torch.Tensor, gain: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return torch.log_softmax(x + torch_layer_norm(x, gain, bias).softmax(-1) @ w, -1)


PARITY: dict[str, tuple[Callable[..., Node], Callable[..., torch.Tensor], list[tuple[int, ...]]]] = {
    "matmul": (matmul, torch.matmul, [(4, 5), (5, 3)]),
    "batched matmul": (matmul, torch.matmul, [(2, 3, 4, 5), (2, 3, 5, 2)]),
    "softmax": (softmax, lambda x: x.softmax(-1), [(3, 7)]),
    "layer norm": (layer_norm, torch_layer_norm, [(2, 3, 8), (8,), (8,)]),
    "attention": (attention, torch_attention, [(2, 5, 4)] * 3),
    "block": (block, torch_block, [(3, 6), (6, 6), (6,), (6,)]),
}


@pytest.mark.parametrize("name", PARITY)
def test_composed_functions_are_torchs_to_the_second_order(name: str) -> None:
    ours, theirs, shapes = PARITY[name]
    nodes = [tensor(*s) for s in shapes]
    tensors = [torch.tensor(read_stored(n), requires_grad=True) for n in nodes]
    y, z = ours(*nodes), theirs(*tensors)
    weight = tensor(*z.shape)
    found = [g for g in gradient(y, weight, nodes) if g is not None]
    wanted = torch.autograd.grad(z, tensors, torch.tensor(read_stored(weight)), create_graph=True)
    second = gradients_of(total(mul(found[0], found[0])), nodes)
    wanted_second = torch.autograd.grad((wanted[0] ** 2).sum(), tensors, allow_unused=True, materialize_grads=True)
    verify([y, *found])
    for got, want in zip(evaluate([y, *found], read_stored), [z, *wanted]):
        np.testing.assert_allclose(got, want.detach().numpy(), rtol=1e-12, atol=1e-12)
    for g, want in zip(second, wanted_second):
        got = np.zeros(want.shape) if g is None else evaluate([g], read_stored)[0]
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-11, atol=1e-11)


# ---- form ------------------------------------------------------------------------------------------


def test_gradients_of_a_matmul_are_matmuls() -> None:
    """Each is a REDUCE over a MUL of two views of buffers, and nothing else."""
    a, b, g = tensor(4, 5), tensor(5, 6), tensor(4, 6)
    for found, reads in zip(gradient(matmul(a, b), g, [a, b]), (b, a)):
        assert found is not None
        work = [n for n in topological([found]) if n.op not in MOVEMENT]
        assert sorted(n.op.name for n in work) == ["BUFFER", "BUFFER", "MUL", "REDUCE"]
        assert {n for n in work if n.op is Op.BUFFER} == {g, reads}
        end = found if found.op is Op.REDUCE else found.src[0]
        assert end.op is Op.REDUCE
        assert end.src[0].op is Op.MUL
        assert [n.op for n in end.src[0].src] == [Op.EXPAND, Op.EXPAND]


def test_no_work_with_ones_and_zeros() -> None:
    x, w = tensor(3, 4), tensor(3, 4)
    [by_x] = gradients_of(total(mul(x, w)), [x])
    assert by_x is w
    [by_bias] = gradients_of(total(add(mul(x, w), expand(reshape(b := tensor(4), (1, 4)), (3, 4)))), [b])
    assert by_bias is not None
    assert evaluate([by_bias], read_stored)[0].tolist() == [3.0] * 4
    assert [n.op for n in topological(simplify([by_bias]))] == [Op.CONST, Op.RESHAPE, Op.EXPAND]


def test_a_mean_makes_few_nodes() -> None:
    x = tensor(3, 4)
    root = scaled(total(mul(x, x)), 1 / 12)
    [g] = gradients_of(root, [x])
    assert g is not None
    assert len(topological(simplify([g]))) <= 6


# ---- what is visited -------------------------------------------------------------------------------


def test_no_path_gives_none() -> None:
    x, y, z = tensor(3), tensor(3), stored(np.arange(3), dtypes.int64)
    root = total(mul(x, add(detach(y), cast(z, F64))))
    by_x, by_y, by_z = gradients_of(root, [x, y, z])
    assert by_x is not None
    assert by_y is None
    assert by_z is None


def test_the_root_may_be_a_target_and_targets_may_repeat() -> None:
    x = tensor(3)
    g = tensor(3)
    assert gradient(x, g, [x, x, tensor(3)]) == [g, g, None]


def test_a_target_under_a_target_gets_the_gradient_through_it() -> None:
    x = tensor(3)
    y = contiguous(mul(x, x), 1)
    by_x, by_y = gradients_of(total(mul(y, y)), [x, y])
    value = read_stored(x)
    assert by_x is not None
    assert by_y is not None
    np.testing.assert_allclose(evaluate([by_x, by_y], read_stored), [4 * value**3, 2 * value**2], rtol=1e-14)


def test_only_nodes_between_targets_and_root_are_differentiated() -> None:
    """A long graph that reaches no target costs no gradient nodes."""
    side, x = tensor(2), tensor(2)
    for _ in range(1000):
        side = alu(Op.SIN, side)
    root = total(mul(side, x))
    before = live_nodes()
    [g] = gradient(root, const(1.0, F64), [x])
    assert g is side
    assert live_nodes() - before < 20


def test_a_diamond_adds_up() -> None:
    x = tensor(3)
    y = alu(Op.SIN, x)
    [g] = gradients_of(total(add(mul(y, x), alu(Op.EXP2, y))), [x])
    t = torch.tensor(read_stored(x), requires_grad=True)
    (t.sin() * t + torch.exp2(t.sin())).sum().backward()  # type: ignore[no-untyped-call]
    assert g is not None
    assert t.grad is not None
    np.testing.assert_allclose(evaluate([g], read_stored)[0], t.grad.numpy(), rtol=1e-13)


def test_errors_name_what_is_wrong() -> None:
    x = stored(np.arange(3), dtypes.int64)
    with pytest.raises(GradientError, match="int64 result has no gradient"):
        gradient(x, x, [x])
    y = tensor(3)
    with pytest.raises(GradientError, match=r"float64\[3\] result must have its dtype and shape, not float32\[3\]"):
        gradient(y, const(1, dtypes.float32, (3,)), [y])
    t = Var("t", 1, 8)
    z = buffer(HostStorage(np.ones(8), F64), F64, (t,))
    with pytest.raises(GradientError, match="needs a fixed size"):
        gradient(scan(z, Combine.MUL, 0), filled_like(z, 1), [z])


def test_symbolic_sizes() -> None:
    t = Var("t", 1, 8)
    values = np.array([1.0, -2.0, 0.5])
    x = buffer(HostStorage(values, F64), F64, (t, 1))
    y = total(mul(z := expand(x, (t, t)), z))
    [g] = gradients_of(y, [x])
    assert g is not None
    assert evaluate([g], lambda n: values, {t: 3})[0].tolist() == [[6.0], [-12.0], [3.0]]


def test_a_chain_of_a_hundred_thousand_ops() -> None:
    """The iteration y <- y * x + x, whose value and slope end at x / (1 - x) and its derivative."""
    values = np.array([0.5, -0.25])
    x = stored(values, F64)
    y = x
    for _ in range(50_000):
        y = add(mul(y, x), x)
    [g] = gradient(y, filled_like(y, 1), [x])
    assert g is not None
    value, slope = evaluate([y, g], read_stored)
    np.testing.assert_allclose(value, values / (1 - values), rtol=1e-14)
    np.testing.assert_allclose(slope, 1 / (1 - values) ** 2, rtol=1e-14)


def test_gradients_of_random_programs_survive_simplification() -> None:
    """Differentiating then simplifying gives the same values as differentiating only, and a valid graph."""
    checked = 0
    for seed in range(80):
        program = random_program(seed, dtypes_used=(F64, dtypes.float32, dtypes.int32))
        targets = [n for n in program.inputs if n.dtype is F64]
        for root in program.roots:
            if not root.dtype.is_float:
                continue
            found = [g for g in gradient(root, filled_like(root, 1), targets) if g is not None]
            verify(found)
            plain, simpler = evaluate(found, program.read), evaluate(simplify(found), program.read)
            checked += len(found)
            for a, b in zip(plain, simpler):
                np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-4 * np.abs(a).max(initial=0), err_msg=str(seed))
    assert checked > 40
