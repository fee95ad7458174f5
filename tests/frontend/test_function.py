"""`Function`: what users write with PyTorch's `autograd.Function`, compared with it where it can be."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Function, Tensor, dtypes, enable_grad, grad, jit, no_grad, value_and_grad
from lazygrad.errors import DeviceError, DTypeError, GradientError, JitError, ShapeError
from lazygrad.ir.node import live_nodes

RNG = np.random.default_rng(0)


# ---- the same functions for both: their bodies use methods that both have --------------------------


def on_inputs(ctx: Any, a: Any, b: Any) -> Any:
    ctx.save_for_backward(a, b)
    return a * b


def by_inputs(ctx: Any, g: Any) -> Any:
    a, b = ctx.saved_tensors
    return g * b, g * a


def on_output(ctx: Any, x: Any) -> Any:
    y = x.exp()
    ctx.save_for_backward(y)
    return y


def by_output(ctx: Any, g: Any) -> Any:
    (y,) = ctx.saved_tensors
    return g * y


def two_outputs(ctx: Any, x: Any, y: Any) -> Any:
    ctx.save_for_backward(x, y)
    return x * y, (x + y).sin()


def by_two_outputs(ctx: Any, g: Any, h: Any) -> Any:
    x, y = ctx.saved_tensors
    cosine = (x + y).cos()
    return g * y + h * cosine, g * x + h * cosine


def with_constants(ctx: Any, x: Any, factor: float, name: str) -> Any:
    ctx.factor, ctx.x = factor, x
    return x * factor + len(name)


def by_constants(ctx: Any, g: Any) -> Any:
    return g * ctx.factor + ctx.x * 0, None, None


def not_its_gradient(ctx: Any, x: Any) -> Any:
    return x.round()


def straight_through(ctx: Any, g: Any) -> Any:
    return g.clip(-0.5, 0.5)


def itself(ctx: Any, x: Any) -> Any:
    ctx.save_for_backward(x)
    return x


def reversed_gradient(ctx: Any, g: Any) -> Any:
    (x,) = ctx.saved_tensors
    return -g * x


def wide(ctx: Any, row: Any, x: Any) -> Any:
    ctx.save_for_backward(row, x)
    return row * x


def wide_gradient(ctx: Any, g: Any) -> Any:
    row, x = ctx.saved_tensors
    return g * x, g * row  # the first is larger than `row` and is summed


Body = Callable[..., Any]


def made(base: type, forward: Body, backward: Body) -> Any:
    return type("Made", (base,), {"forward": staticmethod(forward), "backward": staticmethod(backward)}).apply


CASES: dict[str, tuple[Body, Body, list[tuple[int, ...]], tuple[Any, ...]]] = {
    "saved inputs": (on_inputs, by_inputs, [(2, 3), (2, 3)], ()),
    "saved output": (on_output, by_output, [(2, 3)], ()),
    "two outputs": (two_outputs, by_two_outputs, [(4,), (4,)], ()),
    "constants": (with_constants, by_constants, [(3,)], (2.5, "abc")),
    "another gradient": (not_its_gradient, straight_through, [(5,)], ()),
    "identity": (itself, reversed_gradient, [(3,)], ()),
    "broadcast": (wide, wide_gradient, [(1, 3), (2, 3)], ()),
}


def slope(ys: Any) -> Any:
    """A scalar in which every output has its own weight; the second derivative is not zero."""
    ys = ys if isinstance(ys, tuple) else (ys,)
    total = ys[0].sum() * 0
    for k, y in enumerate(ys):
        total = total + (y * (y + k + 1)).sum()
    return total


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_of_two_orders_are_those_of_torch(device: str, name: str) -> None:
    forward, backward, shapes, constants = CASES[name]
    arrays = [RNG.uniform(0.5, 2, shape) for shape in shapes]
    theirs: Any = [torch.tensor(a, requires_grad=True) for a in arrays]
    expected = slope(made(torch.autograd.Function, forward, backward)(*theirs, *constants))
    first = torch.autograd.grad(expected, theirs, create_graph=True)
    second: Any = torch.autograd.grad(sum((g * g).sum() for g in first), theirs, allow_unused=True)

    ours: Any = [Tensor(a, requires_grad=True) for a in arrays]
    call = made(Function, forward, backward)
    value = slope(call(*ours, *constants))
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    value.backward(create_graph=True)
    by_ours = [t.grad for t in ours]
    for g, t in zip(by_ours, first):
        np.testing.assert_allclose(g.numpy(), t.detach().numpy(), 1e-12)
    for t in ours:
        t.grad = None
    sum((g * g).sum() for g in by_ours).backward()
    for t, g in zip(ours, second):
        found = np.zeros(t.shape) if t.grad is None else t.grad.numpy()
        np.testing.assert_allclose(found, np.zeros(t.shape) if g is None else g.numpy(), 1e-12)


@pytest.mark.parametrize("name", CASES)
def test_jit_and_functional_gradients_agree(device: str, name: str) -> None:
    forward, backward, shapes, constants = CASES[name]
    call = made(Function, forward, backward)
    both = value_and_grad(lambda *xs: slope(call(*xs, *constants)), argnums=tuple(range(len(shapes))))
    compiled = jit(both)
    for _ in range(4):
        xs = [Tensor(RNG.uniform(0.5, 2, shape)) for shape in shapes]
        (value, slopes), (expected, plain) = compiled(*xs), both(*xs)
        np.testing.assert_allclose(value.numpy(), expected.numpy(), 1e-12)
        for g, h in zip(slopes, plain):
            np.testing.assert_allclose(g.numpy(), h.numpy(), 1e-12)


@pytest.mark.parametrize("name", ["saved inputs", "saved output", "two outputs", "constants"])
def test_gradients_by_differences(name: str) -> None:
    forward, backward, shapes, constants = CASES[name]
    call = made(Function, forward, backward)
    arrays = [RNG.uniform(0.5, 2, shape) for shape in shapes]
    for i, array in enumerate(arrays):

        def along(t: float, i: int = i, array: Any = array) -> Tensor:
            moved = [Tensor(a + t if j == i else a) for j, a in enumerate(arrays)]
            return slope(call(*moved, *constants))  # type: ignore[no-any-return]

        measured = (along(1e-6).item() - along(-1e-6).item()) / 2e-6
        by_i = grad(lambda *xs: slope(call(*xs, *constants)), argnums=i)(*map(Tensor, arrays))
        assert by_i.sum().item() == pytest.approx(measured, rel=1e-7)


# ---- what is recorded ------------------------------------------------------------------------------

multiply = made(Function, on_inputs, by_inputs)


def test_nothing_is_recorded_without_need() -> None:
    x = Tensor([2.0], requires_grad=True)
    with no_grad():
        assert not multiply(x, x).requires_grad
    assert not multiply(Tensor([2.0]), Tensor([3.0])).requires_grad
    y = multiply(x, Tensor([3.0]))
    assert y.requires_grad
    assert not y.is_leaf


def test_inputs_that_need_a_gradient_are_told() -> None:
    seen = []

    class Seen(Function):
        @staticmethod
        def forward(ctx: Any, a: Any, k: int, b: Any) -> Any:
            seen.append(ctx.needs_input_grad)
            return a * k + b

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            seen.append(ctx.needs_input_grad)
            return g, None, g

    x = Tensor([1.0], requires_grad=True)
    Seen.apply(Tensor([1.0]), 2, x).sum().backward()
    assert seen == [(False, False, True)] * 2
    with no_grad():
        Seen.apply(x, 2, x)
    assert seen[-1] == (False, False, False)


def test_outputs_that_nothing_depends_on_give_zeros_or_none() -> None:
    seen: list[Any] = []

    class Three(Function):
        @staticmethod
        def forward(ctx: Any, x: Any, materialize: bool) -> Any:
            ctx.set_materialize_grads(materialize)
            odd = x * 3
            ctx.mark_non_differentiable(odd)
            return x * 2, odd, x > 1, "text"

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            seen.append([None if g is None else g.tolist() for g in grads])
            return (grads[0] * 2 if grads[0] is not None else None), None

    x = Tensor([1.0, 2.0], requires_grad=True)
    double, odd, larger, word = Three.apply(x, True)
    assert (odd.requires_grad, larger.requires_grad, word) == (False, False, "text")
    double.sum().backward()
    assert seen == [[[1, 1], [0, 0], [False, False], None]]
    Three.apply(x, False)[0].sum().backward()
    assert seen[1] == [[1, 1], None, None, None]
    assert x.grad is not None
    assert x.grad.tolist() == [4, 4]


def test_a_missing_gradient_is_none() -> None:
    one_sided = made(Function, on_inputs, lambda ctx, g: (g * 5, None))
    x, y = Tensor([2.0], requires_grad=True), Tensor([3.0], requires_grad=True)
    one_sided(x, y).sum().backward()
    assert x.grad is not None
    assert (x.grad.tolist(), y.grad) == ([5], None)


def test_a_graph_may_go_back_more_than_once() -> None:
    x = Tensor([2.0], requires_grad=True)
    y = multiply(x, x).sum()
    y.backward()
    y.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [8]


def test_setup_context() -> None:
    class Modern(Function):
        @staticmethod
        def forward(x: Any, k: float) -> Any:
            return (x * k).exp()

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.k = inputs[1]
            ctx.save_for_backward(output)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ctx.saved_tensors[0] * ctx.k, None

    x = Tensor([0.5], dtype=dtypes.float64)
    second = grad(lambda x: grad(lambda x: Modern.apply(x, 3.0).sum())(x).sum())(x)
    assert second.item() == pytest.approx(9 * np.exp(1.5))


def test_the_value_may_come_from_elsewhere(device: str) -> None:
    """What is read in `forward` is a constant to the graph, and the input's memory may go."""

    class Outside(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return Tensor(np.sort(x.numpy()))

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 7

    x = Tensor([3.0, 1.0], requires_grad=True)
    y = Outside.apply(x)
    with no_grad():
        x.sub_(1).realize()
    assert y.tolist() == [1, 3]
    w = Tensor([3.0, 1.0], requires_grad=True)
    Outside.apply(w).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [7, 7]
    compiled = jit(lambda x: Outside.apply(x + 1))
    assert compiled(x).tolist() == [1, 3]
    with pytest.raises(JitError, match="read while the function is traced"):
        compiled(x)


def test_a_gradient_may_be_computed_inside_backward() -> None:
    """Checkpointing: the inner graph is made again when it is needed."""

    class Checkpoint(Function):
        @staticmethod
        def forward(ctx: Any, run: Any, x: Any) -> Any:
            ctx.run = run
            ctx.save_for_backward(x)
            return run(x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x = ctx.saved_tensors[0].detach().requires_grad_()
            with enable_grad():
                ctx.run(x).backward(g)
            return None, x.grad

    w, x = Tensor([3.0], requires_grad=True), Tensor([0.5], requires_grad=True)
    Checkpoint.apply(lambda t: (t * w).sin(), x).sum().backward()
    assert w.grad is not None
    assert x.grad is not None
    assert w.grad.item() == pytest.approx(0.5 * np.cos(1.5))
    assert x.grad.item() == pytest.approx(3 * np.cos(1.5))


def test_it_fuses_with_what_is_around_it() -> None:
    x = Tensor(np.ones((8, 8), np.float32), requires_grad=True, device="OPENCL")
    assert len((multiply(x * 2, x + 1) - 3).relu().schedule()) == 1


def test_devices_may_change_inside() -> None:
    class Away(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.home = x.device
            return x.to("NUMPY")

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return (g * 2).to(ctx.home)

    x = Tensor([1.0, 2.0], requires_grad=True, device="OPENCL")
    y = Away.apply(x * 3)
    assert y.device == "NUMPY"
    (y * 5).sum().backward()
    assert x.grad is not None
    assert (x.grad.device, x.grad.tolist()) == (x.device, [30, 30])


def test_nothing_is_kept() -> None:
    """A saved output does not keep its own graph alive, not even until the garbage collector comes."""
    exponential = made(Function, on_output, by_output)

    def use() -> None:
        x = Tensor([1.0], requires_grad=True)
        exponential(x).sum().backward()
        assert x.grad is not None

    use()  # some constants are remembered
    gc.collect()
    before = live_nodes()
    gc.disable()
    try:
        use()
        assert live_nodes() == before
    finally:
        gc.enable()


# ---- what is wrong ---------------------------------------------------------------------------------

BY_0, BY_1 = (f"as the gradient by argument {i}" for i in range(2))
WRONG: dict[str, tuple[Body, type[Exception], str]] = {
    "too few": (lambda ctx, g: g, GradientError, "returned 1 gradients for 2 arguments"),
    "too many": (lambda ctx, g: (g, g, g), GradientError, "returned 3 gradients for 2 arguments"),
    "shape": (lambda ctx, g: (g, g.sum()), ShapeError, rf"returned shape \[\] {BY_1}, which has shape \[2\]"),
    "longer": (lambda ctx, g: (g.expand(3, 2).reshape(6), None), ShapeError, rf"returned shape \[6\] {BY_0}"),
    "dtype": (lambda ctx, g: (g, g.cast(dtypes.int32)), DTypeError, f"returned int32 {BY_1}, which is float32"),
    "kind": (lambda ctx, g: (g, 1.0), TypeError, f"returned float {BY_1}; a tensor or None"),
    "device": (lambda ctx, g: (g.to("OPENCL"), g), DeviceError, rf"returned a tensor on OPENCL.* {BY_0}"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_gradients_are_named(name: str) -> None:
    backward, kind, message = WRONG[name]
    call = made(Function, on_inputs, backward)
    x, y = Tensor([2.0, 1.0], requires_grad=True), Tensor([3.0, 1.0], requires_grad=True)
    with pytest.raises(kind, match=rf"Made.backward: {message}"):
        call(x, y).sum().backward()


def test_none_for_what_is_not_there_is_allowed() -> None:
    call = made(Function, on_output, lambda ctx, g: (g, None, None))
    x = Tensor([2.0], requires_grad=True)
    call(x).sum().backward()
    assert x.grad is not None


def test_a_keyword_is_a_constant() -> None:
    class Keyword(Function):
        @staticmethod
        def forward(ctx: Any, x: Any, *, shift: Any) -> Any:
            return x + shift

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g

    x = Tensor([2.0], requires_grad=True)
    assert Keyword.apply(x, shift=Tensor([1.0])).tolist() == [3]
    with pytest.raises(GradientError, match="a keyword argument requires a gradient"):
        Keyword.apply(Tensor([1.0]), shift=x)


def test_half_a_function() -> None:
    class NoBackward(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

    class NoTensor(NoBackward):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return 2

    x = Tensor([2.0], requires_grad=True)
    with pytest.raises(NotImplementedError, match="backward"):
        NoBackward.apply(x).sum().backward()
    with pytest.raises(NotImplementedError, match="forward"):
        Function.apply(x)
    with pytest.raises(TypeError, match=r"NoTensor.forward: returned int"):
        NoTensor.apply(x)
    with pytest.raises(TypeError, match="takes tensors"):
        made(Function, lambda ctx, x: ctx.save_for_backward(3), by_output)(x)


def test_a_function_that_its_own_gradient_goes_through_is_differentiated_again() -> None:
    class Tripled(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, factor: Tensor) -> Tensor:
            ctx.save_for_backward(factor)
            return x * factor

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Any:
            (factor,) = ctx.saved_tensors
            return Tripled.apply(g, factor.detach()), None

    x = Tensor([2.0], requires_grad=True)
    slope = grad(lambda v: (Tripled.apply(v, Tensor([3.0])) ** 2).sum())  # 9 * v**2
    assert grad(lambda v: slope(v).sum())(x).tolist() == [18.0]
