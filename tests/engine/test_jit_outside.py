"""What a jitted function reads from outside: when it changes, so does the result, or there is an error."""

from __future__ import annotations

import functools
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from lazygrad import Function, Tensor, grad, jit, nn, optim
from lazygrad.errors import JitError

X = [1.0, 2.0]
GLOBAL = {"factor": 2.0}
FACTOR = 2.0


class Point(NamedTuple):
    a: Any
    b: Any


class Config:
    rate = 3.0

    def __init__(self) -> None:
        self.k, self.values, self.table = 2.0, [2.0, 3.0], {"z": 2.0}
        self.array, self.chosen = np.full(2, 2.0, np.float32), {2.0}
        self.inner: Any = None

    @property
    def twice(self) -> float:
        return 2 * self.k

    def scaled(self, x: Tensor) -> Tensor:
        return self.helper(x) * self.rate

    def helper(self, x: Tensor) -> Tensor:
        return x * self.k

    def __call__(self, x: Tensor) -> Tensor:
        return self.helper(x)


class Slotted:
    __slots__ = ("k",)

    def __init__(self) -> None:
        self.k = 2.0


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.k, self.drop, self.layers = 2.0, nn.Dropout(0.0), nn.Sequential(nn.LeakyReLU(0.1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(self.drop(-x)) * self.k


class Scale(Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x * FACTOR

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * FACTOR


def by_global(x: Tensor) -> Tensor:
    return x * FACTOR


def by_default(x: Tensor, factors: Any = (lambda: [2.0])()) -> Tensor:  # noqa: B008
    return x * factors[0]


def read(config: Config, x: Tensor) -> Tensor:
    return x * config.k


def set_global(value: float) -> Callable[[], None]:
    return lambda: setattr(sys.modules[__name__], "FACTOR", value)


Case = tuple[Callable[..., Any], Callable[[], Any], tuple[Any, ...]]  # a function, what changes, more arguments


def cases() -> dict[str, Case]:
    c, net, slots, array, big = Config(), Net(), Slotted(), np.full(2, 2.0), np.full(10_000, 2.0, np.float32)
    other_array = big.copy()
    long, queue, names, points = [2.0] * 1000, deque([2.0, 3.0]), {2.0}, [Point(2.0, 3.0)]
    state = {"inner": [{"k": 2.0}]}
    weights = Tensor([2.0, 3.0])
    other = Tensor([5.0, 6.0])
    held = {"w": weights}
    inner = jit(by_global)

    def local_name(x: Tensor) -> Tensor:
        config = c
        values = c.values
        return x * config.k * values[0]

    deep = Config()
    deep.inner = Config()
    deep.inner.inner = Config()

    several = [Config(), Config()]
    for one in several:
        one.inner = Config()

    def nested_name(x: Tensor) -> Tensor:
        outer = deep
        inner, y = outer.inner, x + 1
        z = y * 2
        deepest = inner.inner
        return z * deepest.k

    def comprehension(x: Tensor) -> Tensor:
        return x * sum(v * c.k for v in c.values)

    def kwonly(x: Tensor, *, config: Config = c) -> Tensor:
        return x * config.k

    def wrapped(f: Callable[..., Any]) -> Callable[..., Any]:
        return functools.wraps(f)(lambda *args: f(*args))

    def put(owner: Any, name: str, value: Any) -> Callable[[], None]:
        return lambda: setattr(owner, name, value)

    return {
        "a global": (by_global, set_global(7.0), ()),
        "a global dict": (lambda x: x * GLOBAL["factor"], lambda: GLOBAL.update(factor=7.0), ()),
        "nested containers": (lambda x: x * state["inner"][0]["k"], lambda: state["inner"][0].update(k=7.0), ()),
        "a small array": (lambda x: x * Tensor(array), lambda: array.fill(7), ()),
        "a large array": (lambda x: x * Tensor(big)[:2], lambda: big.fill(7), ()),
        "one element of a large array": (lambda x: x * other_array.sum(), lambda: other_array.__setitem__(5000, 7), ()),
        "a long list": (lambda x: x * long[500], lambda: long.__setitem__(500, 7.0), ()),
        "a deque": (lambda x: x * queue[0], lambda: queue.appendleft(7.0), ()),
        "a set": (lambda x: x * sum(names), lambda: names.add(7.0), ()),
        "a named tuple in a list": (lambda x: x * points[0].a, lambda: points.__setitem__(0, Point(7.0, 3.0)), ()),
        "another tensor": (lambda x: x * held["w"], lambda: held.update(w=other), ()),
        "an attribute": (lambda x: x * c.k, put(c, "k", 7.0), ()),
        "a list in an attribute": (lambda x: x * c.values[1], lambda: c.values.__setitem__(1, 7.0), ()),
        "a dict in an attribute": (lambda x: x * c.table["z"], lambda: c.table.update(z=7.0), ()),
        "a dict's method": (lambda x: x * c.table.get("z", 0.0), lambda: c.table.update(z=8.0), ()),
        "an array in an attribute": (lambda x: x * Tensor(c.array), lambda: c.array.fill(7), ()),
        "a set in an attribute": (lambda x: x * len(c.chosen), lambda: c.chosen.add(7.0), ()),
        "a property": (lambda x: x * c.twice, put(c, "k", 8.0), ()),
        "a slot": (lambda x: x * slots.k, put(slots, "k", 7.0), ()),
        "a class's attribute": (lambda x: x * Config.rate, put(Config, "rate", 7.0), ()),
        "a class's attribute by an object": (lambda x: x * c.rate, put(Config, "rate", 8.0), ()),
        "a local name": (local_name, put(c, "k", 9.0), ()),
        "a local name of a local name": (nested_name, put(deep.inner.inner, "k", 7.0), ()),
        "objects in a list": (lambda x: x * sum(o.inner.k for o in several), put(several[1].inner, "k", 7.0), ()),
        "a comprehension": (comprehension, put(c, "k", 10.0), ()),
        "a method that calls another": (c.scaled, put(c, "k", 11.0), ()),
        "a method called inside": (lambda x: c.scaled(x), put(c, "k", 12.0), ()),
        "an object that is called": (lambda x: c(x), put(c, "k", 13.0), ()),
        "an object given to a helper": (lambda x: read(c, x), put(c, "k", 14.0), ()),
        "an object as an argument": (lambda x, config: x * config.k, put(c, "k", 15.0), (c,)),
        "a function that is called": (lambda x: by_global(x) + 1, set_global(8.0), ()),
        "a wrapped function": (wrapped(wrapped(by_global)), set_global(9.0), ()),
        "a gradient of a function": (grad(lambda x: (by_global(x) * x).sum()), set_global(10.0), ()),
        "a function in a list": (lambda x, fs=[by_global]: fs[0](x), set_global(11.0), ()),
        "a partial function": (functools.partial(lambda config, x: x * config.k, c), put(c, "k", 16.0), ()),
        "a jitted function": (lambda x: inner(x), set_global(12.0), ()),
        "a Function": (lambda x: Scale.apply(x), set_global(13.0), ()),
        "a Function's gradient": (grad(lambda x: Scale.apply(x).sum()), set_global(14.0), ()),
        "a default": (by_default, lambda: by_default.__defaults__[0].__setitem__(0, 7.0), ()),  # type: ignore[index]
        "a keyword's default": (kwonly, put(c, "k", 17.0), ()),
        "a module": (lambda x: net(x), put(net, "k", 7.0), ()),
        "a module's layer": (lambda x: net(x), put(net.layers[0], "negative_slope", 0.5), ()),
        "a module as an argument": (lambda x, m: m(x), put(net, "k", 8.0), (net,)),
        "a module's mode": (lambda x, m: m(x) * (2 if m.drop.training else 1), net.eval, (net,)),
    }


CASES = cases()


@pytest.mark.parametrize("name", CASES)
def test_a_change_outside_is_seen(name: str) -> None:
    function, change, more = CASES[name]
    compiled = jit(function)
    before = function(Tensor(X), *more).tolist()
    for _ in range(4):
        assert compiled(Tensor(X), *more).tolist() == before
    assert len(compiled.traces) == 1, "nothing changed"
    change()
    after = function(Tensor(X), *more).tolist()
    assert after != before, "the case shows nothing"
    for _ in range(4):
        assert compiled(Tensor(X), *more).tolist() == after


def test_what_is_too_large_to_compare_is_refused() -> None:
    array, numbers = np.zeros(1 << 18), dict.fromkeys(range(5000))
    with pytest.raises(JitError, match=r"NumPy array of 2.0 MiB is read from outside.*Tensor before the call"):
        jit(lambda x: x + Tensor(array)[0])(Tensor(X))
    with pytest.raises(JitError, match="dict of 5000 elements is read from outside"):
        jit(lambda x: x + len(numbers))(Tensor(X))
    assert jit(lambda x: x + np.pi)(Tensor([0.0])).item() == pytest.approx(np.pi)


def test_an_optimizer_is_compared_by_its_settings() -> None:
    w = Tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.5)

    @jit
    def step() -> None:
        w.grad = None
        (w * 2).sum().backward()
        optimizer.step()

    for k in range(4):
        optimizer.param_groups[0]["lr"] = 0.5 * (k + 1)
        step()
    assert w.item() == 1 - 2 * 0.5 * (1 + 2 + 3 + 4)
    assert len(step.traces) == 1, "the rate is on the device"
    optimizer.param_groups[0]["weight_decay"] = 1.0
    for _ in range(3):
        expected = w.item() - 2.0 * (2 + w.item())
        step()
        assert w.item() == pytest.approx(expected)


# ---- containers of arguments and results -----------------------------------------------------------


def test_extremes_with_their_places(device: str) -> None:
    both = jit(lambda x: x.max(dim=1))
    for k in range(4):
        x = Tensor([[1.0, 5.0 - k, 3.0], [k, 0.0, -1.0]])
        found, expected = both(x), x.max(dim=1)
        assert type(found) is type(expected)
        assert found.values.tolist() == expected.values.tolist()
        assert found.indices.tolist() == expected.indices.tolist()


def test_named_tuples_are_containers(device: str) -> None:
    @jit
    def swap(points: list[Point]) -> dict[str, Point]:
        return {"swapped": Point(points[0].b * 2, (points[0].a + 1, points[0].a.min(dim=0)))}

    for k in range(4):
        [point] = swap([Point(Tensor([1.0 + k, 2.0]), Tensor([3.0]))]).values()
        assert isinstance(point, Point)
        assert (point.a.tolist(), point.b[0].tolist(), point.b[1].values.item()) == ([6], [2 + k, 3], min(1 + k, 2))
    assert len(swap.traces) == 1


def test_named_tuples_of_other_classes_are_other_kinds() -> None:
    Other = NamedTuple("Other", [("a", Any), ("b", Any)])  # noqa: UP014
    double = jit(lambda p: p.a * (2 if isinstance(p, Point) else 3))
    for _ in range(3):
        assert double(Point(Tensor([1.0]), 0)).item() == 2
        assert double(Other(Tensor([1.0]), 0)).item() == 3


def test_tensors_in_other_objects_are_no_results() -> None:
    class Box:
        def __init__(self, inside: Tensor) -> None:
            self.inside = inside

    boxed = jit(lambda x: Box(x * 2))
    boxed(Tensor(X))
    with pytest.raises(JitError, match="object of class Box that the function made"):
        boxed(Tensor(X))


def test_only_operations_that_ran_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations share the code that looks at their arguments; that it ran does not say that all of them did."""
    jitted, x = jit(lambda x: x.exp() * 2), Tensor([1.0, 2.0])
    jitted(x), jitted(x)
    asked = {name for _, name in next(iter(jitted.kinds.values()))[0].guard.methods}
    assert {"exp", "__mul__"} <= asked and not {"cholesky", "matmul", "sum"} & asked
    monkeypatch.setattr(Tensor, "cholesky", lambda self: self)
    jitted(x)
    assert len(jitted.kinds) == 1 and len(jitted.traces) == 1
    monkeypatch.setattr(Tensor, "exp", lambda self: self + 1)
    assert jitted(x).tolist() == [4.0, 6.0]
