"""What is jitted, how it is called, and what comes out: identities of results, containers, forms of functions."""

from __future__ import annotations

import collections
import functools
from typing import Any, NamedTuple

import numpy as np
import pytest

from lazygrad import Tensor, Variable, dtypes, enable_grad, jit, nn, no_grad, optim, value_and_grad
from lazygrad.settings import settings
from tests.engine.jit_ways import CALLS, Ways, Wrap, outcome, x

ways = Ways()


class Pair(NamedTuple):
    a: Any
    b: Any


# ---- results ---------------------------------------------------------------------------------------


@ways.equal
def one_tensor_returned_twice(wrap: Wrap) -> Any:
    def f(t: Tensor) -> Any:
        y = t * 2
        return y, y, {"y": y}

    g, seen = wrap(f), []
    for _ in CALLS:
        a, b, c = g(x())
        a += 1
        seen.append((a is b, c["y"] is a, a, b))
    return seen


@ways.equal
def one_list_returned_twice(wrap: Wrap) -> Any:
    def f(t: Tensor) -> Any:
        many = [t * 2]
        return many, {"again": many}

    g, seen = wrap(f), []
    for _ in CALLS:
        a, b = g(x())
        a.append(1)
        seen.append((a is b["again"], b))
    return seen


@ways.equal
def an_argument_returned(wrap: Wrap) -> Any:
    g, seen = wrap(lambda a, b: (b, a, a)), []
    for k in CALLS:
        a, b = x(k), x(k + 1)
        found = g(a, b)
        seen.append((found[0] is b, found[1] is a, found[2] is a))
    return seen


@ways.equal
def a_list_argument_returned(wrap: Wrap) -> Any:
    g, seen = wrap(lambda many, table: {"many": many, "inner": table["inner"], "new": [many[0]]}), []
    for k in CALLS:
        many, table = [x(k)], {"inner": {"t": x(k + 1)}}
        found = g(many, table)
        found["many"].append(1)
        seen.append((found["many"] is many, found["inner"] is table["inner"], found["new"][0] is many[0], len(many)))
    return seen


@ways.equal
def outside_tensors_and_lists_returned(wrap: Wrap) -> Any:
    state, many, table = x(1, 2), [1.0, 2.0], {"t": x(5)}
    g, seen = wrap(lambda t: (state, many, table, table["t"], t)), []
    for _ in CALLS:
        a, b, c, d, _ = g(x())
        seen.append((a is state, b is many, c is table, d is table["t"]))
        a += 1
    return seen, state


@ways.equal
def results_changed_by_the_caller(wrap: Wrap) -> Any:
    g, seen = wrap(lambda t: (t * 2, [t + 1], {"a": t}, {1, 2}, np.ones(2))), []
    for k in CALLS:
        found = g(x(k))
        seen.append((found[0], list(found[1]), dict(found[2]), sorted(found[3]), found[4].copy()))
        found[0].mul_(0)
        found[1].clear()
        found[2].clear()
        found[3].clear()
        found[4][:] = 0
    return seen


@ways.equal
def results_of_other_types(wrap: Wrap) -> Any:
    g = wrap(lambda t: (None, 1, 2.5, "a", t.shape, t.dtype is dtypes.float32, Pair(t, 3), -0.0, (), [], {}, b"x"))
    return [g(x()) for _ in CALLS]


@ways.equal
def nothing_returned(wrap: Wrap) -> Any:
    g = wrap(lambda t: None)
    return [g(x()) for _ in CALLS]


@ways.refused("object of class object")
def an_object_returned(wrap: Wrap) -> Any:
    g = wrap(lambda t: object())
    return [type(g(x())).__name__ for _ in CALLS]


@ways.refused("object of class generator")
def a_generator_function(wrap: Wrap) -> Any:
    def f(t: Tensor) -> Any:
        yield t * 2
        yield t * 3

    g = wrap(f)
    return [list(g(x())) for _ in CALLS]


@ways.refused("object of class function")
def a_function_returned(wrap: Wrap) -> Any:
    g = wrap(lambda t: lambda: 5)
    return [g(x())() for _ in CALLS]


@ways.equal
def leaves_made_inside(wrap: Wrap) -> Any:
    def f(t: Tensor) -> Any:
        w = Tensor([1.0, 2.0], requires_grad=True)
        (w * t).sum().backward()
        return w

    g, seen = wrap(f), []
    for _ in CALLS:
        w = g(x())
        seen.append((w.requires_grad, w.is_leaf, w.grad, w))
        (w * 3).sum().backward()
        seen.append(w.grad)
    return seen


@ways.equal
def views_returned(wrap: Wrap) -> Any:
    g, seen = wrap(lambda t: (t.reshape(2, 1), t.detach(), t[1:], t)), []
    for k in CALLS:
        t = x(k, 1)
        found = g(t)
        seen.append([part.tolist() for part in found])
        del found
        t += 5
        seen.append(t)
    return seen


@ways.equal
def results_kept_for_long(wrap: Wrap) -> Any:
    state = x()
    g = wrap(lambda t: (state.add_(t), state * 2, t * 3))
    kept = [g(x()) for _ in CALLS]
    return [(b, c) for _, b, c in kept], [a is state for a, _, _ in kept]


# ---- arguments -------------------------------------------------------------------------------------


@ways.equal
def keywords_in_any_order(wrap: Wrap) -> Any:
    g = wrap(lambda a, b: a - b * 2)
    return [g(**dict(sorted({"a": x(k), "b": x(1)}.items(), reverse=k % 2 == 0))) for k in range(8)]


@ways.equal
def keywords_whose_order_counts(wrap: Wrap) -> Any:
    g = wrap(lambda **many: next(iter(many.values())) * 2)
    return [g(**({"a": x(1), "b": x(2)} if k % 4 < 2 else {"b": x(2), "a": x(1)})) for k in range(8)]


@ways.equal
def defaults_given_and_not(wrap: Wrap) -> Any:
    def f(t: Tensor, k: float = 2.0, *, m: float = 3.0) -> Tensor:
        return t * k + m

    g = wrap(f)
    return [r for _ in range(3) for r in (g(x()), g(x(), 2.0), g(x(), 4), g(x(), m=1.0))]


@ways.equal
def numbers_of_every_type(wrap: Wrap) -> Any:
    g = wrap(lambda t, k: (t * k, type(k).__name__))
    return [g(x(), k) for _ in range(3) for k in (1, True, 1.0, np.float32(1), np.int64(1))]


@ways.equal
def texts_slices_and_none(wrap: Wrap) -> Any:
    def f(t: Tensor, what: Any) -> Any:
        return t[what] if isinstance(what, slice) else t * (3 if what == "a" else 2 if what is None else 1)

    g = wrap(f)
    return [g(x(1, 2, 3), what) for _ in range(3) for what in ("a", "b", None, slice(0, 2), slice(1, 3))]


@ways.equal
def functions_as_arguments(wrap: Wrap) -> Any:
    k = 1.0

    def double(t: Tensor) -> Tensor:
        return t * 2 * k

    def triple(t: Tensor) -> Tensor:
        return t * 3 * k

    g, seen = wrap(lambda t, h: h(t)), []
    for n in range(12):
        k = float(n // 6)
        seen.append(g(x(), double if n % 2 else triple))
    return seen


@ways.equal
def methods_as_arguments(wrap: Wrap) -> Any:
    class Own:
        k = 1.0

        def go(self, t: Tensor) -> Tensor:
            return t * self.k

    a, b = Own(), Own()
    g, seen = wrap(lambda t, h: h(t)), []
    for n in range(12):
        a.k = float(n // 4)
        seen.append(g(x(), a.go if n % 2 else b.go))
    return seen


@ways.equal
def types_as_arguments(wrap: Wrap) -> Any:
    g = wrap(lambda t, kind: t.cast(kind))
    return [g(x(1.5), kind) for kind in (dtypes.int32, dtypes.float64) * 4]


@ways.equal
def modules_as_arguments(wrap: Wrap) -> Any:
    nets = [nn.Linear(2, 2), nn.Linear(2, 2)]
    g, seen = wrap(lambda net, t: net(t)), []
    for k in range(12):
        nets[k % 2].train(k > 6)
        seen.append(g(nets[k % 2], x()))
    return seen


@ways.equal
def optimizers_as_arguments(wrap: Wrap) -> Any:
    w = x(1, 2, requires_grad=True)
    sgd = optim.SGD([w], lr=0.25, momentum=0.5)

    def step(o: optim.Optimizer) -> None:
        o.zero_grad()
        (w * w).sum().backward()
        o.step()

    g, seen = wrap(step), []
    for _ in CALLS:
        g(sgd)
        seen.append(w.tolist())
    return seen


@ways.equal
def tensors_in_nested_containers(wrap: Wrap) -> Any:
    g = wrap(lambda tree: tree["a"][0] * tree["b"].a + tree["b"].b[1])
    return [g({"a": [x(k)], "b": Pair(x(2), (1, x(k + 1)))}) for k in CALLS]


@ways.equal
def variables_as_arguments(wrap: Wrap) -> Any:
    n = Variable("n", 1, 3)
    g = wrap(lambda t, m: (t[:m] * 2).sum())
    return [g(x(1, 2, 3), n.bind(k % 3 + 1)) for k in range(8)]


@ways.equal
def shapes_and_dtypes_that_change(wrap: Wrap) -> Any:
    g = wrap(lambda t: (t * 2).sum(0))
    return [
        g(Tensor(np.ones(shape, dtype))) for _ in range(3) for shape in ((2,), (2, 3)) for dtype in ("int32", "float32")
    ]


@ways.equal
def one_tensor_as_two_arguments(wrap: Wrap) -> Any:
    g, seen = wrap(lambda a, b: (a.add_(1) + b, a is b)), []
    for k in range(8):
        a, b = x(k), x(k)
        seen.append(g(a, a) if k % 4 < 2 else g(a, b))
    return seen


@ways.equal
def arguments_that_share_a_buffer(wrap: Wrap) -> Any:
    g, seen = wrap(lambda a, b: a.add_(1) + b), []
    for k in range(8):
        a = x(k, 1).realize()
        b = Tensor(a) if k % 2 else x(k, 1)
        seen.append((g(a, b), a, b))
    return seen


# ---- functions -------------------------------------------------------------------------------------


@ways.equal
def a_method_of_a_class(wrap: Wrap) -> Any:
    class Own:
        def __init__(self, k: float) -> None:
            self.k, self.total = k, x(0)

        def go(self, t: Tensor) -> Tensor:
            return self.total.add_(t * self.k) + 0

    Own.go = wrap(Own.go)  # type: ignore[method-assign]
    a, b = Own(1.0), Own(10.0)
    return [(a.go(x(n)), b.go(x(n))) for n in CALLS]


@ways.equal
def a_method_of_objects_without_a_hash(wrap: Wrap) -> Any:
    class Own:
        __slots__ = ("k",)
        __hash__ = None  # type: ignore[assignment]

        def __init__(self, k: float) -> None:
            self.k = k

        def __eq__(self, other: object) -> bool:
            return True

        def go(self, t: Tensor) -> Tensor:
            return t * self.k

    Own.go = wrap(Own.go)  # type: ignore[method-assign]
    a, b = Own(1.0), Own(10.0)
    return [(a.go(x(n)), b.go(x(n))) for n in CALLS]


@ways.equal
def a_class_method(wrap: Wrap) -> Any:
    class Own:
        k = 1.0

        @classmethod
        def go(cls, t: Tensor) -> Tensor:
            return t * cls.k

    g, seen = wrap(Own.go), []
    for n in range(8):
        Own.k = float(n // 3)
        seen.append(g(x()))
    return seen


@ways.equal
def a_callable_in_a_callable(wrap: Wrap) -> Any:
    class Own:
        k = 1.0

        def __call__(self, t: Tensor) -> Tensor:
            return t * self.k

    own = Own()
    g, seen = wrap(functools.partial(lambda h, t: h(t), own)), []
    for n in range(8):
        own.k = float(n // 3)
        seen.append(g(x()))
    return seen


@ways.equal
def recursion(wrap: Wrap) -> Any:
    def power(t: Tensor, n: int) -> Tensor:
        return t if n == 0 else power(t, n - 1) * 2

    power = wrap(power)
    return [power(x(), n) for n in (3, 2, 3, 2, 3, 2, 3)]


@ways.equal
def jit_in_jit_in_jit(wrap: Wrap) -> Any:
    state = x(0, 0)
    inner = wrap(lambda t: state.add_(t) * 1)
    middle = wrap(lambda t: inner(t) + inner(t))
    outer = wrap(lambda t: middle(t) * 2 + Tensor.rand(2))
    seen = [outer(x()) for _ in CALLS]
    return seen, [inner(x()) for _ in CALLS], [middle(x()) for _ in CALLS]


@ways.equal
def jit_of_jit(wrap: Wrap) -> Any:
    g = wrap(wrap(lambda t: t * 2))
    return [g(x(k)) for k in CALLS]


@ways.equal
def gradients_of_jitted_functions(wrap: Wrap) -> Any:
    loss = wrap(lambda t: (t * t).sum())
    g = wrap(value_and_grad(lambda t: loss(t) * 2))
    return [g(x(k, 1)) for k in CALLS]


@ways.equal
def decorators_around_and_under(wrap: Wrap) -> Any:
    w = x(1, 2, requires_grad=True)
    under = wrap(no_grad()(lambda t: (w * t).sum()))
    around = no_grad()(wrap(lambda t: (w * t).sum()))
    return [(under(x(k, 1)), around(x(k, 1)), around(x(k, 1)).requires_grad) for k in CALLS]


@ways.equal
def one_function_in_two_jits(wrap: Wrap) -> Any:
    state = x(0, 0)

    def f(t: Tensor) -> Tensor:
        return state.add_(t) * 2

    a, b = wrap(f), wrap(f)
    return [g(x()) for _ in CALLS for g in (a, b, f)]


@ways.equal
def calls_with_and_without_gradients(wrap: Wrap) -> Any:
    w = x(1, 2, requires_grad=True)

    def f(t: Tensor) -> Tensor:
        loss = (w * t).sum()
        if loss.requires_grad:
            w.grad = None
            loss.backward()
        return loss.detach()

    g, seen = wrap(f), []
    for k in range(8):
        with no_grad() if k % 4 < 2 else enable_grad():
            seen.append((g(x()), w.grad))
    return seen


@ways.equal
def training_with_everything(wrap: Wrap) -> Any:
    net = nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4), nn.Dropout(0.5), nn.Linear(4, 1))
    adam = optim.AdamW(net.parameters(), lr=0.01)
    window: collections.deque[Any] = collections.deque(maxlen=3)

    def step(t: Tensor, y: Tensor) -> Any:
        adam.zero_grad()
        loss = (net(t) - y).square().mean()
        loss.backward()
        norm = optim.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        return loss.detach(), norm

    f, seen = wrap(step), []
    for k in range(10):
        net.train(k % 5 < 3)
        adam.set_lr(0.01 / (k + 1))
        if k == 6:
            net[0].weight.requires_grad_(False)
        loss, norm = f(Tensor(np.full((4, 2), k, np.float32)), Tensor(np.ones((4, 1), np.float32)))
        window.append(loss)
        seen.append((loss, norm))
    return seen, [p.tolist() for p in net.parameters()], list(window)


@ways.equal
def a_cache_that_grows_in_place(wrap: Wrap) -> Any:
    cache, place = Tensor.zeros(4, 2).contiguous().realize(), Variable("place", 0, 3)

    def f(t: Tensor, at: Any) -> Tensor:
        cache[at : at + 1] = t.reshape(1, 2)
        return cache.sum()

    g = wrap(f)
    return [g(x(k, 1), place.bind(k % 3 + 1)) for k in range(6)], cache


@pytest.mark.parametrize("name", ways.same)
def test_as_the_plain_call(name: str, numpy_device: str) -> None:
    assert outcome(ways.same[name]) == ("same", None)


@pytest.mark.parametrize("name", ways.raising)
def test_refused(name: str, numpy_device: str) -> None:
    way, message = ways.raising[name]
    found, text = outcome(way)
    assert found == "raises", text
    assert message in text


# Kernels share and replace memory where NumPy has fresh arrays: what that could spoil runs on kernels, too.
ON_KERNELS = (
    one_tensor_returned_twice, an_argument_returned, outside_tensors_and_lists_returned, results_changed_by_the_caller,
    views_returned, results_kept_for_long, arguments_that_share_a_buffer, jit_in_jit_in_jit, one_function_in_two_jits,
    calls_with_and_without_gradients,
)  # fmt: skip


@pytest.mark.parametrize("way", ON_KERNELS, ids=lambda way: way.__name__)
def test_on_kernels(way: Any) -> None:
    with settings.override(device="OPENCL"):
        assert outcome(way) == ("same", None)


def test_a_jitted_function_is_compiled_once_for_what_does_not_change() -> None:
    class Own:
        def __init__(self) -> None:
            self.step, self.k = 0, 2.0

        def go(self, t: Tensor) -> Tensor:
            adam.step()
            return t * self.k

    w = x(1, 2, requires_grad=True)
    w.grad = x()
    adam, own = optim.Adam([w]), Own()
    f = jit(own.go)
    for k in range(6):
        own.step = k  # which nobody asks for, though `adam.step` is
        f(x())
    assert len(f.traces) == 1
