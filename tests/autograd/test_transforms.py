"""Transformations of functions, gradients of computed tensors, and hooks: against PyTorch, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Tensor, autograd, dtypes, func, jit, nn, vmap
from lazygrad.errors import ArgumentError, GradientError, JitError, LazygradError, OperandError, ShapeError
from lazygrad.settings import settings
from lazygrad.utils.checkpoint import checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:There is a performance drop")
rng = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def _on_numpy() -> Iterator[None]:
    with settings.override(device="NUMPY"):
        yield


def both(*shape: int) -> tuple[Tensor, torch.Tensor]:
    values = rng.uniform(0.3, 1.7, shape)
    return Tensor(values), torch.tensor(values)


def same(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, torch.Tensor):
        assert ours.shape == tuple(theirs.shape)
        np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-12)
    elif isinstance(theirs, dict):
        assert set(ours) == set(theirs)
        for key in theirs:
            same(ours[key], theirs[key])
    else:
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            same(a, b)


def along(f: Callable[[Any, Any], Any], init: Any, xs: Any) -> tuple[Any, Any]:
    """`scan`, and the loop that it stands for."""
    if isinstance(xs, Tensor):
        carry, ys = lazygrad.scan(f, init, xs)
        return carry, ys
    found = []
    for x in xs:
        init, y = f(init, x)
        found.append(y)
    return init, torch.stack(found)


# Functions of one example, (3,) and (3, 4), in words that both libraries know: every family of primitives.
FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "elementwise": lambda x, w: (x.exp() * 2 - x.sin() / (x + 1)).sqrt().abs() + x**2.5,
    "of constants": lambda x, w: x * 0 + 1.5,
    "reductions": lambda x, w: x.sum() * x.prod() + x.amax() - x.mean(0) + w.amin(1).sum() + w.std(1).sum(),
    "softmax": lambda x, w: x.softmax(0) * x.log_softmax(0) + x.logsumexp(0),
    "product": lambda x, w: x @ w,
    "product of matrices": lambda x, w: w.T @ w + (w.T @ x).unsqueeze(1),
    "scans": lambda x, w: x.cumsum(0) * x.cumprod(0) + w.cumsum(1).sum(1),
    "running maximum": lambda x, w: x.cummax(0)[0],
    "movement": lambda x, w: w.permute(1, 0).reshape(2, 6).flip(1)[:, 1:4].unsqueeze(0).expand(2, 2, 3) * x,
    "rolled": lambda x, w: w.roll(1, 1) * w.T.reshape(3, 4),
    "indexing": lambda x, w: w[:, [0, 2, 2]] * x[1] + w[1, 2],
    "gather": lambda x, w: w.gather(1, w.argsort(1)),
    "sorted": lambda x, w: w.sort(1)[0] * x.unsqueeze(1),
    "where": lambda x, w: (x > 1) * x + (x <= 1) * x * x,
    "detached": lambda x, w: x.detach() * x,
    "matrices": lambda x, w: (w @ w.T + 2).sum() * x,
    "steps": lambda x, w: along(lambda c, row: ((c * row).sin() + c.sum(), c @ row), x, w.T),
    "steps of one sequence": lambda x, w: along(lambda c, row: (c * row, (row @ w).cos()), w[:, 1] * 0 + 1, w.T)[0] * x,
    "several": lambda x, w: (x * x, w.sum(0) * x[0]),
}
NAMED = pytest.mark.parametrize("name", FUNCTIONS)


@NAMED
def test_batches(name: str) -> None:
    f = FUNCTIONS[name]
    (x, tx), (w, tw) = both(5, 3), both(5, 3, 4)
    for dims in (0, (0, 0)):
        same(vmap(f, dims)(x, w), torch.vmap(f, dims)(tx, tw))
    same(vmap(f, (0, None))(x, w[0]), torch.vmap(f, (0, None))(tx, tw[0]))
    same(vmap(f, (None, 0))(x[0], w), torch.vmap(f, (None, 0))(tx[0], tw))
    same(vmap(f, (1, 2))(x.T, w.movedim(0, 2)), torch.vmap(f, (1, 2))(tx.T, tw.movedim(0, 2)))


@NAMED
def test_gradients_of_batches_and_batches_of_gradients(name: str) -> None:
    f = FUNCTIONS[name]

    def scalar(x: Any, w: Any) -> Any:
        y = f(x, w)
        return sum((part * part).sum() for part in (y if isinstance(y, tuple) else (y,)))

    (x, tx), (w, tw) = both(5, 3), both(5, 3, 4)
    same(vmap(func.grad(scalar, (0, 1)))(x, w), torch.vmap(torch.func.grad(scalar, (0, 1)))(tx, tw))
    ours = func.grad(lambda x, w: vmap(scalar)(x, w).sum(), (0, 1))(x, w)
    same(ours, torch.func.grad(lambda x, w: torch.vmap(scalar)(x, w).sum(), (0, 1))(tx, tw))
    for t in (x, w, tx, tw):
        t.requires_grad_()
    vmap(scalar)(x, w).sum().backward()
    torch.vmap(scalar)(tx, tw).sum().backward()
    for t, u in ((x, tx), (w, tw)):
        if t.grad is not None:
            same(t.grad, u.grad)


@NAMED
def test_jacobians(name: str) -> None:
    f = FUNCTIONS[name]
    (x, tx), (w, tw) = both(3), both(3, 4)
    expected = torch.func.jacrev(f, (0, 1))(tx, tw)
    same(func.jacrev(f, (0, 1))(x, w), expected)
    same(func.jacfwd(f, (0, 1))(x, w), expected)
    same(func.jacrev(f)(x, w), torch.func.jacrev(f)(tx, tw))


@NAMED
def test_products(name: str) -> None:
    f = FUNCTIONS[name]
    (x, tx), (w, tw), (dx, tdx), (dw, tdw) = both(3), both(3, 4), both(3), both(3, 4)
    y, back = func.vjp(f, x, w)
    ty, tback = torch.func.vjp(f, tx, tw)
    same(y, ty)
    ones = tuple(t.ones_like() for t in y) if isinstance(y, tuple) else y.ones_like() * 2
    tones = tuple(torch.ones_like(t) for t in ty) if isinstance(ty, tuple) else torch.ones_like(ty) * 2
    same(back(ones), tback(tones))
    same(func.jvp(f, (x, w), (dx, dw)), torch.autograd.functional.jvp(f, (tx, tw), (tdx, tdw)))


@pytest.mark.parametrize("name", ["elementwise", "reductions", "softmax", "matrices"])
def test_hessians(name: str) -> None:
    def scalar(x: Any, w: Any) -> Any:
        return (FUNCTIONS[name](x, w) ** 2).sum()

    (x, tx), (w, tw) = both(3), both(3, 4)
    same(func.hessian(scalar)(x, w), torch.autograd.functional.hessian(lambda x: scalar(x, tw), tx))
    same(func.jacrev(func.jacrev(scalar))(x, w), torch.tensor(func.hessian(scalar)(x, w).numpy()))


def test_per_example_gradients_of_a_module() -> None:
    net = nn.Sequential(nn.Linear(4, 3, dtype=dtypes.float64), nn.Tanh(), nn.Linear(3, 1, dtype=dtypes.float64))
    weights = {name: p.detach() for name, p in net.named_parameters()}
    x = Tensor(rng.normal(size=(6, 4)))

    def loss(weights: Any, row: Tensor) -> Tensor:
        return func.functional_call(net, weights, (row.unsqueeze(0),)).pow(2).sum()

    each = vmap(func.grad(loss), (None, 0))(weights, x)
    for k in range(6):
        net.zero_grad()
        net(x[k : k + 1]).pow(2).sum().backward()
        for name, p in net.named_parameters():
            np.testing.assert_allclose(each[name][k].numpy(), p.grad.numpy(), rtol=1e-10)  # type: ignore[union-attr]
    assert all(isinstance(p, Tensor) and p.requires_grad for p in net.parameters())
    with pytest.raises(ArgumentError, match="no wrong"):
        func.functional_call(net, {"wrong": x}, x)
    with pytest.raises(ArgumentError, match="strict"):
        func.functional_call(net, {}, x, strict=True)


def test_nested_batches_and_structures() -> None:
    (x, tx), (y, ty) = both(4, 3), both(5, 3)
    ours = vmap(lambda a: vmap(lambda b: (a * b).sum())(y))(x)
    same(ours, tx @ ty.T)
    result = vmap(lambda d: {"s": d["x"] + d["y"][0]}, ({"x": 0, "y": None},))({"x": x, "y": [y]})
    same(result, {"s": tx[:, None] + ty})
    same(vmap(lambda a: (a, a * 2), out_dims=(1, 0))(x), (tx.T, tx * 2))
    same(jit(vmap(lambda a: a.softmax(0)))(x), tx.softmax(1))


class Cube(lazygrad.Function):
    """With a gradient that no composition has: twice too large."""

    @staticmethod
    def forward(ctx: Any, x: Any, y: Any) -> Any:
        ctx.save_for_backward(x, y)
        return x**3 * y, x * y

    @staticmethod
    def backward(ctx: Any, g: Any, h: Any) -> Any:
        x, y = ctx.saved_tensors
        return 6 * x**2 * y * g + h * y, 2 * x**3 * g + h * x


def test_own_gradients_are_those_of_each_example() -> None:
    x, y = Tensor(rng.normal(size=(4, 3)), requires_grad=True), Tensor(rng.normal(size=(3,)), requires_grad=True)
    first, second = vmap(lambda a, b: Cube.apply(a, b), (0, None))(x, y)
    (first.sum() + (second * second).sum()).backward()
    a, b = x.numpy(), y.numpy()
    np.testing.assert_allclose(x.grad.numpy(), 6 * a**2 * b + 2 * a * b * b, rtol=1e-10)  # type: ignore[union-attr]
    np.testing.assert_allclose(y.grad.numpy(), (2 * a**3 + 2 * a * a * b).sum(0), rtol=1e-10)  # type: ignore[union-attr]
    each = vmap(func.grad(lambda a, b: Cube.apply(a, b)[0].sum()), (0, None))(x.detach(), y.detach())
    np.testing.assert_allclose(each.numpy(), 6 * a**2 * b, rtol=1e-10)


def test_devices(device: str) -> None:
    x = Tensor([[0.5, 2.0, 1.0], [3.0, 1.5, 0.1]], device=device)
    y = vmap(func.hessian(lambda row: row.softmax(0)[0] * row.sum()))(x)
    expected = torch.vmap(torch.func.hessian(lambda row: row.softmax(0)[0] * row.sum()))(torch.tensor(x.tolist()))
    np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-4, atol=1e-6)


WRONG: list[tuple[Callable[[Tensor], Any], type[LazygradError], str]] = [
    (lambda x: vmap(lambda a: a * 2 if a.sum() > 0 else a)(x), JitError, "use where"),
    (lambda x: vmap(lambda a: a.sum().item())(x), JitError, "use where"),
    (lambda x: vmap(lambda a: 3)(x), OperandError, "tensors are needed"),
    (lambda x: vmap(lambda a: a)(3.0), ArgumentError, "no argument"),
    (lambda x: vmap(lambda a, b: a, (0, 1))(x, x), ShapeError, "2 and 3 examples"),
    (lambda x: vmap(lambda a: a, (0, 1))(x), ArgumentError, "nested"),
    (lambda x: vmap(lambda a: a, out_dims=None)(x), ArgumentError, "out_dims"),
    (lambda x: vmap(lambda a: a, randomness="different")(x), ArgumentError, "randomness"),
    (lambda x: vmap(lambda a: a)(x.sum()), ShapeError, "0-d"),
    (lambda x: func.jacrev(lambda a: a.sum(), 1)(x), ArgumentError, "argnums"),
    (lambda x: func.jacrev(lambda a: a > 1)(x), GradientError, "bool"),
    (lambda x: func.vjp(lambda a: a * 2, x)[1](x[0]), ShapeError, "shape"),
    (lambda x: func.jvp(lambda a: a * 2, (x,), (x[0],)), ShapeError, "shape"),
    (lambda x: func.jvp(lambda a: a * 2, (x,), (x, x)), ArgumentError, "2 tensors"),
    (lambda x: autograd.grad(x.sum(), x), GradientError, "require"),
    (lambda x: x.register_hook(print), GradientError, "requires no gradient"),
    (lambda x: x.retain_grad(), GradientError, "requires no gradient"),
]


@pytest.mark.parametrize("k", range(len(WRONG)))
def test_nonsense(k: int) -> None:
    call, error, text = WRONG[k]
    with pytest.raises(error, match=text):
        call(Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))


# ---- gradients of computed tensors, and hooks ----


def pairs() -> list[tuple[Any, Any]]:
    """(the library's autograd, two leaves) on both sides."""
    values = rng.normal(size=(2, 3))
    ours = [Tensor(v, requires_grad=True) for v in values]
    return [(autograd, ours), (torch.autograd, [torch.tensor(v, requires_grad=True) for v in values])]


def test_gradients_of_computed_tensors() -> None:
    results = []
    for library, (x, y) in pairs():
        a = x * y
        b = a.exp() + x
        g = x.detach() * 2
        first = library.grad(b.sum(), [a, x, y], retain_graph=True)
        weighted = library.grad([b, a], (x, a), (g, g), retain_graph=True)
        twice = library.grad(library.grad(b.sum(), x, create_graph=True)[0].sum(), y, retain_graph=True)
        unused = library.grad(a.sum(), (x, b), allow_unused=True, retain_graph=True)
        assert unused[1] is None
        zero = library.grad(a.sum(), (x, b), materialize_grads=True, retain_graph=True)
        rows = library.grad(b, x, g.reshape(1, 3) * g.reshape(3, 1), is_grads_batched=True, retain_graph=True)
        with pytest.raises(RuntimeError):
            library.grad(a.sum(), b, retain_graph=True)
        assert x.grad is None
        library.backward([a.sum(), b.sum()], retain_graph=True)
        library.backward([a, b], [g, g])
        results.append([*first, *weighted, *twice, unused[0], *zero, *rows, x.grad, y.grad])
    same(*results)


def test_hooks() -> None:
    results = []
    for _, (x, y) in pairs():
        seen: list[Any] = []
        a = x * y
        b = a.exp()
        handles = [t.register_hook(seen.append) for t in (x, a)]
        a.register_hook(lambda g: g * 3)
        a.register_hook(lambda g: g + 1)
        x.register_hook(lambda g: g * 0.5)
        a.retain_grad()
        assert a.retains_grad
        assert not b.retains_grad
        (b * y).sum().backward(retain_graph=True)
        handles[1].remove()
        with handles[0]:
            (b * 2).sum().backward(retain_graph=True)
        b.sum().backward()
        results.append([*seen, x.grad, y.grad, a.grad])
    assert len(results[0]) == len(results[1]) == 6
    same(*results)
    x = Tensor([1.0], requires_grad=True)
    x.register_hook(lambda g: g.reshape(1, 1))
    with pytest.raises(ShapeError, match="hook"):
        x.sum().backward()


def test_checkpoints() -> None:
    net = nn.Sequential(nn.Linear(3, 4, dtype=dtypes.float64), nn.Tanh(), nn.Dropout(0.5))
    x = Tensor(rng.normal(size=(5, 3)), requires_grad=True)
    grads = []
    for again in (False, True):
        x.grad = None
        net.zero_grad()
        lazygrad.manual_seed(3)
        hidden = checkpoint(net, x * 2, use_reentrant=False) if again else net(x * 2)
        (hidden**2).sum().backward()
        grads.append([x.grad, *(p.grad for p in net.parameters())])
    for a, b in zip(*grads):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    y, rest = checkpoint(lambda a, scale: (a * scale, "kept"), x, scale=3)
    assert rest == "kept"
    assert y.requires_grad
    second = func.grad(lambda a: func.grad(lambda b: checkpoint(lambda c: (c**3).sum(), b))(a).sum())
    np.testing.assert_allclose(second(x.detach()).numpy(), 6 * x.numpy(), rtol=1e-12)
    with lazygrad.no_grad():
        assert not checkpoint(net, x).requires_grad
