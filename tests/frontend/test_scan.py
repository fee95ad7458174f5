"""`scan` against the loop that it stands for: values and gradients, on every device, with kernels that do not grow."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lazygrad
from lazygrad import Tensor, Variable, jit, nn, no_grad, scan
from lazygrad.autograd import grad
from lazygrad.errors import BoundsError, OperandError, ShapeError
from lazygrad.ir.op import Op
from lazygrad.ir.repeat import step_of
from lazygrad.schedule.kernel import schedule

LENGTH = 5


class Given:
    """Leaves that the steps below read, of which some are read from outside of them."""

    def __init__(self, device: str, dtype: str = "float32") -> None:
        rng = np.random.default_rng(3)

        def leaf(*shape: int) -> Tensor:
            return Tensor(rng.normal(size=shape).astype(dtype), device=device, requires_grad=True)

        self.w, self.b, self.table = leaf(4, 4), leaf(4), leaf(6, 4)
        self.h, self.xs = leaf(3, 4), leaf(LENGTH, 3, 4)
        self.index = Tensor(rng.integers(0, 6, size=(LENGTH, 3)), device=device)
        self.leaves = [self.w, self.b, self.table, self.h, self.xs]


def affine(g: Given) -> Any:
    return lambda h, x: ((out := (x + h @ g.w.T + g.b).tanh()), out * 2), g.h, g.xs


def two_carries(g: Given) -> Any:
    def f(carry: Any, x: Any) -> Any:
        h, c = carry
        c = c * (h @ g.w).sigmoid() + x["x"]
        return (c.tanh() * x["y"], c), (h, [c.sum(-1)])

    return f, (g.h, g.h * 2), {"x": g.xs, "y": g.xs.sin()}


def embedded(g: Given) -> Any:
    return lambda h, i: ((h * 0.5 + g.table[i]).relu(), ()), g.h, g.index


def detached(g: Given) -> Any:
    return lambda h, x: (h.detach() * x + h * g.w[0], x), g.h, g.xs


def unchanged(g: Given) -> Any:
    return lambda h, x: (h, x * h), g.h, g.xs


def widened(g: Given) -> Any:
    return lambda h, x: ((h + x) * 0.5, (h * x).cast("float64")), g.h, g.xs


def softmax_and_cumsum(g: Given) -> Any:
    return lambda h, x: ((h + x).softmax(-1) * g.b, h.cumsum(-1)), g.h, g.xs


def nested(g: Given) -> Any:
    def f(h: Any, x: Any) -> Any:
        inner, ys = scan(lambda a, b: (a * b + h.sum(), a), h, g.w[:2, 0].reshape(2, 1, 1) * x)
        return inner.tanh(), ys

    return f, g.h, g.xs.reshape(LENGTH, 3, 4)


STEPS: list[Callable[[Given], Any]] = [
    affine, two_carries, embedded, detached, unchanged, widened, softmax_and_cumsum,
]  # fmt: skip


CHANGES: list[Callable[[Given, Tensor, Tensor], Tensor]] = [
    lambda g, a, b: a @ g.w + b,
    lambda g, a, b: (a * b).tanh(),
    lambda g, a, b: a.sin() * g.b - b,
    lambda g, a, b: a.cat(b, dim=-1)[:, 2:6],
    lambda g, a, b: (a * 0.5).where(a > b, b),
    lambda g, a, b: (a - a.mean(-1, keepdim=True)) * b.softmax(0),
    lambda g, a, b: a.flip(0).cumsum(1) * 0.3 + b.detach(),
    lambda g, a, b: g.w[0] * b + a.amax(0),
    lambda g, a, b: a.relu() @ (b.T @ b).tanh(),
]


def drawn(seed: int) -> Callable[[Given], Any]:
    """A step made of random changes of carries and of a step of sequences."""

    def make(g: Given) -> Any:
        def f(carry: Any, x: Any) -> Any:
            rng = random.Random(seed)
            pool = [*pieces(carry), *pieces(x)]
            for _ in range(rng.randrange(2, 8)):
                pool.append(rng.choice(CHANGES)(g, rng.choice(pool), rng.choice(pool)))
            return (rng.choice(pool), {"c": rng.choice(pool[1:])}), [pool[-1], (pool[-2] > 0,), rng.choice(pool)]

        return f, (g.h, {"c": g.h.sin()}), {"x": g.xs, "y": g.xs.flip(0).cos()}

    return make


def pieces(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [t for part in (value.values() if isinstance(value, dict) else value) for t in pieces(part)]


def turn(value: Any, t: int) -> Any:
    return {k: v[t] for k, v in value.items()} if isinstance(value, dict) else value[t]


def loop(f: Any, init: Any, xs: Any, reverse: bool) -> list[Tensor]:
    carry, ys = init, [None] * LENGTH
    for t in reversed(range(LENGTH)) if reverse else range(LENGTH):
        carry, y = f(carry, turn(xs, t))
        ys[t] = pieces(y)
    return [*pieces(carry), *(lazygrad.stack(parts) for parts in zip(*ys))]


def everything(results: list[Tensor], leaves: list[Tensor]) -> list[Any]:
    for t in leaves:
        t.grad = None
    sum((r.cast("float32") * (k + 1)).sin().sum() for k, r in enumerate(results)).backward()
    return [*results, *(t.grad for t in leaves if t.grad is not None)]


def compare(make: Callable[[Given], Any], reverse: bool, device: str, tolerance: float) -> None:
    given = Given(device)
    f, init, xs = make(given)
    carry, ys = scan(f, init, xs, reverse)
    ours = everything([*pieces(carry), *pieces(ys)], given.leaves)
    expected = everything(loop(f, init, xs, reverse), given.leaves)
    assert len(ours) == len(expected)
    ours[0].realize(*ours[1:], *expected)
    for a, b in zip(ours, expected):
        assert a.dtype is b.dtype and a.requires_grad is b.requires_grad
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("make", [*STEPS, nested])
def test_is_the_loop(make: Callable[[Given], Any], reverse: bool) -> None:
    compare(make, reverse, "NUMPY", 1e-5)


def twice(results: list[Tensor], leaves: list[Tensor]) -> list[Tensor | None]:
    """Gradients, and those of a function of them."""
    whole = sum((r.cast("float64") * (k + 1)).sin().sum() for k, r in enumerate(results))
    grads = grad(whole, leaves, create_graph=True, allow_unused=True)
    again = sum((g * g).sum() for g in grads if g is not None and g.requires_grad)
    return [*grads, *(grad(again, leaves, allow_unused=True) if isinstance(again, Tensor) else ())]


@pytest.mark.parametrize("seed", range(12))
def test_random_steps_and_gradients_of_their_gradients(seed: int) -> None:
    given = Given("NUMPY", "float64")
    f, init, xs = drawn(seed)(given)
    carry, ys = scan(f, init, xs, bool(seed % 2))
    found = twice([*pieces(carry), *pieces(ys)], given.leaves)
    expected = twice(loop(f, init, xs, bool(seed % 2)), given.leaves)
    present = [t for t in (*found, *expected) if t is not None]
    present[0].realize(*present[1:])
    for a, b in zip(found, expected, strict=True):
        assert (a is None or not a.numpy().any()) if b is None else a is not None
        if a is not None and b is not None:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("make", "reverse"), [(affine, True), (two_carries, False), (softmax_and_cumsum, False)])
def test_is_the_loop_in_kernels(make: Callable[[Given], Any], reverse: bool) -> None:
    compare(make, reverse, "OPENCL", 1e-4)


def test_kernels_do_not_grow_with_the_length() -> None:
    given = Given("OPENCL")

    def count(length: int) -> int:
        xs = Tensor.zeros(length, 3, 4, device="OPENCL").contiguous()
        with no_grad():
            return len(scan(affine(given)[0], given.h, xs)[1].schedule())

    assert count(7) == count(700) <= 4


def test_a_step_of_an_lstm_is_two_kernels_and_three_backward() -> None:
    model, x = nn.LSTM(8, 16, device="NUMPY"), Tensor.ones(5, 3, 8, device="NUMPY")
    model(x)[0].square().sum().backward()
    kernels = schedule([p.grad.node for p in model.parameters()]).kernels
    steps = [step_of(k.outputs[0])[0] for k in kernels if k.outputs[0].op is Op.REPEAT]
    assert [len(schedule(roots).kernels) for roots in steps] == [2, 3]


def test_replays() -> None:
    given = Given("OPENCL")

    def step(xs: Tensor) -> Any:
        for t in given.leaves:
            t.grad = None
        h, ys = scan(affine(given)[0], given.h, xs)
        (h.sum() + (ys * ys).sum()).backward()
        return h, ys, given.w.grad

    jitted = jit(step)
    for k in range(4):
        xs = Tensor.full((LENGTH, 3, 4), 0.1 * k, device="OPENCL").contiguous()
        for a, b in zip(jitted(xs), step(xs)):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


def swapped(g: Given) -> Any:
    """Carries of other dtypes, that change places, and results that are inputs."""

    def f(carry: Any, x: Any) -> Any:
        a, b, count = carry
        return (b, a + x * 0.5, count + 1), {"even": count % 2 == 0, "x": x, "before": a, "count": count.cast("int8")}

    return f, (g.h, g.h * 2, Tensor(3, device=g.h.device)), g.xs


def test_dtypes_and_results_that_are_inputs_are_repeated_too() -> None:
    for device in ("NUMPY", "OPENCL"):
        given = Given(device)
        f, init, xs = swapped(given)
        carry, ys = scan(f, init, xs)
        expected = loop(f, init, xs, False)
        for a, b in zip([*pieces(carry), *pieces(ys)], expected, strict=True):
            assert a.dtype is b.dtype
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5)
    kernels = schedule([scan(f, init, xs)[1]["even"].node]).kernels
    assert any(k.outputs[0].op is Op.REPEAT for k in kernels)


@pytest.mark.parametrize(
    "kinds", [("bool", "int64", "float32"), ("float16", "int32"), ("bool",), ("float64", "uint32")]
)
def test_values_of_many_dtypes_are_exact(kinds: tuple[str, ...]) -> None:
    numbers = [np.random.default_rng(1).integers(-(2**40), 2**40, (4, 3)) for _ in kinds]
    init = [Tensor(n[0], device="NUMPY").cast(kind) for n, kind in zip(numbers, kinds)]
    xs = [Tensor(n, device="NUMPY").cast(kind) for n, kind in zip(numbers, kinds)]
    carry, ys = scan(lambda c, x: (x, c), init, xs)
    for last, before, x in zip(carry, ys, xs):
        assert last.tolist() == x[-1].tolist() and last.dtype is x.dtype is before.dtype
        assert before.tolist() == [x[0].tolist(), *x[:-1].tolist()]


def test_jit_with_changing_lengths() -> None:
    given = Given("NUMPY")
    jitted = jit(lambda xs: scan(affine(given)[0], given.h, xs)[1])
    for length in (3, 5, 3, 1, 5, 0):
        xs = Tensor(np.random.default_rng(length).normal(size=(length, 3, 4)).astype("float32"), device="NUMPY")
        np.testing.assert_allclose(
            jitted(xs).numpy(), scan(affine(given)[0], given.h, xs)[1].numpy(), rtol=1e-6, atol=1e-6
        )


def test_batches_of_variable_size() -> None:
    given = Given("OPENCL")
    batch = Variable("B", 1, 8).bind(3)
    xs = Tensor.ones(LENGTH, 8, 4, device="OPENCL")[:, :batch]
    h, _ = scan(affine(given)[0], Tensor.zeros(8, 4, device="OPENCL")[:batch], xs)
    expected, _ = scan(
        affine(given)[0], Tensor.zeros(3, 4, device="OPENCL"), Tensor.ones(LENGTH, 3, 4, device="OPENCL")
    )
    np.testing.assert_allclose(h.numpy(), expected.numpy(), rtol=1e-5)


def test_needs_a_gradient_only_where_something_does() -> None:
    x = Tensor.ones(3, 2)
    assert not scan(lambda h, x: (h + x, h), x[0], x)[0].requires_grad
    given = Given("NUMPY")
    with no_grad():
        assert not scan(*affine(given)[:2], given.xs)[0].requires_grad


def test_errors() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    with pytest.raises(ShapeError, match=r"a carry of float32\[2\] of one of float32\[\]"):
        scan(lambda h, x: (h + x, h), Tensor(0.0), x)
    with pytest.raises(ShapeError, match="not of one known length"):
        scan(lambda h, x: (h, h), x[0], (x, x[:1]))
    with pytest.raises(OperandError, match="xs has one at least"):
        scan(lambda h, x: (h, h), x[0], ())


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL"])
def test_indices_from_sequences_are_checked_before_the_steps(device: str) -> None:
    """So a step with an embedding is repeated as well, and the gradient of the table is one scatter."""
    given = Given(device)
    f, init, xs = embedded(given)
    h, _ = scan(f, init, xs)
    h.sum().backward()
    gradient = given.table.grad
    assert gradient is not None
    kernels = schedule([h.node, gradient.node]).kernels
    assert sum(k.outputs[0].op is Op.REPEAT for k in kernels) == 2
    assert sum(k.outputs[0].op is Op.SCATTER for k in kernels) == 1
    assert gradient.shape == (6, 4)
    outside, _ = scan(f, init, xs + 3)
    with pytest.raises(BoundsError, match="size 6"):
        outside.numpy()
    (again,) = grad(scan(f, init, xs)[0].square().sum(), [given.table], create_graph=True)
    (twice_by_scan,) = grad(again.square().sum(), [given.table])
    (again,) = grad(loop(f, init, xs, False)[0].square().sum(), [given.table], create_graph=True)
    (twice_by_loop,) = grad(again.square().sum(), [given.table])
    np.testing.assert_allclose(twice_by_scan.numpy(), twice_by_loop.numpy(), rtol=1e-3, atol=1e-3)


def test_dicts_of_carries_may_come_back_in_another_order() -> None:
    x = Tensor([1.0, 2.0])
    carry, _ = scan(lambda c, x: ({"b": c["b"] * x, "a": c["a"] + x}, None), {"a": x[0], "b": x[0]}, x)
    assert list(carry) == ["a", "b"] and [t.item() for t in carry.values()] == [4.0, 2.0]


def test_nothing_beside_the_carry() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    assert [scan(lambda h, x: (h * x, None), x[0], part)[1] for part in (x, x[:0])] == [None, None]
    assert scan(lambda h, x: (h * x, None), x[0], x)[0].tolist() == [3.0, 16.0]
    with pytest.raises(OperandError, match="made of tensors"):
        scan(lambda h, x: (h, 3), x[0], x)


def test_no_steps_and_one() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    h, ys = scan(lambda h, x: (h * x, (h > 1, [h.sum()])), x[0], x[:0])
    assert h.tolist() == [1.0, 2.0] and h.requires_grad
    assert [(t.dtype.name, t.shape) for t in pieces(ys)] == [("bool", (0, 2)), ("float32", (0,))]
    (h.sum() + pieces(ys)[1].sum()).backward()
    assert x.grad is not None and x.grad.tolist() == [[1.0, 1.0], [0.0, 0.0]]
    x.grad = None
    h, ys = lazygrad.mapAccum(lambda h, x: (h * x, h + x), x[0], x[1:])
    (h + ys[0]).sum().backward()
    assert ys.tolist() == [[4.0, 6.0]] and x.grad.tolist() == [[4.0, 5.0], [2.0, 3.0]]
